"""The published methods that find failed links from lossy paths, written anew from their papers, and a vote.

All see the same: the paths that lost a packet, how many they lost, and which paths cross which link. Ties go to the lower link number;
the numbering means nothing.
"""

from collections.abc import Callable, Iterable, Mapping

from bench.simulator.fat_tree import FatTree

HIT_RATIO = 0.6  # of PLL: where the authors' own program stops
ERROR_THRESHOLD = 0.8  # of SCORE

Method = Callable[[FatTree, Mapping[int, int]], set[int]]


def _near(tree: FatTree, paths: Iterable[int]) -> list[int]:
    return sorted({link for path in paths for link in tree.paths[path]})


def _share(tree: FatTree, link: int, lossy: Mapping[int, int]) -> float:
    over = tree.over[link]
    return sum(path in lossy for path in over) / len(over)


def score(tree: FatTree, lost: Mapping[int, int]) -> set[int]:
    """SCORE (Kompella et al., "IP fault localization via risk modeling", NSDI 2005).

    Greedy cover of the lossy paths by links of which a certain share of all paths is lossy (the error threshold), the one that covers most
    first.
    """
    fit = [link for link in _near(tree, lost) if _share(tree, link, lost) >= ERROR_THRESHOLD]
    return _cover(tree, set(lost), fit)


def tomo(tree: FatTree, lost: Mapping[int, int]) -> set[int]:
    """Tomo (Dhamdhere et al., "NetDiagnoser", CoNEXT 2007).

    What a good path crosses works; of the rest the links that explain most failed paths, all of them when several do, until none is left.
    """
    fit = [link for link in _near(tree, lost) if all(path in lost for path in tree.over[link])]
    left, chosen = set(lost), set()
    while left and fit:
        explained = {link: sum(path in left for path in tree.over[link]) for link in fit}
        most = max(explained.values())
        if not most:
            break
        best = {link for link, count in explained.items() if count == most}
        chosen |= best
        fit = [link for link in fit if link not in best]
        left.difference_update(path for link in best for path in tree.over[link])
    return chosen


def pll(tree: FatTree, lost: Mapping[int, int]) -> set[int]:
    """PLL (Peng et al., "deTector", USENIX ATC 2017).

    Among the links of which the share of lossy paths (the hit ratio) is beyond a limit the one that explains most lost packets, until none
    explains any that are left.
    """
    fit = [link for link in _near(tree, lost) if _share(tree, link, lost) > HIT_RATIO]
    left, chosen = dict(lost), set()
    while left and fit:
        best = max(fit, key=lambda link: sum(left.get(path, 0) for path in tree.over[link]))
        if not any(path in left for path in tree.over[best]):
            break
        chosen.add(best)
        for path in tree.over[best]:
            left.pop(path, None)
    return chosen


def vote(tree: FatTree, lost: Mapping[int, int]) -> set[int]:
    """Majority vote: a link more than half of whose paths are lossy."""
    return {link for link in _near(tree, lost) if _share(tree, link, lost) > 0.5}


def _cover(tree: FatTree, left: set[int], fit: list[int]) -> set[int]:
    chosen = set()
    while left and fit:
        best = max(fit, key=lambda link: sum(path in left for path in tree.over[link]))
        if not any(path in left for path in tree.over[best]):
            break
        chosen.add(best)
        left.difference_update(tree.over[best])
    return chosen


PEERS: dict[str, Method] = {"SCORE": score, "Tomo": tomo, "PLL": pll, "majority vote": vote}
