"""A fat tree of k-port switches and the probe paths chosen in it, as deTector chooses them (USENIX ATC 2017, "PMC").

Links are those between edge and aggregation switches and between these and the cores: k³/2 of them, 55,296 with k = 48. A probe path goes
from an edge switch of one pod over a core to an edge switch of another and crosses four links. The paths over the aggregation switches of
one index share no link with those of another index, so that k/2 equal parts are solved as one and copied, as the paper's own reduction by
decomposition and symmetry does.
"""

import random
from collections import defaultdict
from typing import NamedTuple

DRAWN = 48  # candidates looked at for each path chosen; the paper's greedy looks at all of them


class FatTree(NamedTuple):
    """Paths as tuples of four link numbers, the paths over each link, and the links at each switch."""

    ports: int
    paths: tuple[tuple[int, ...], ...]
    over: tuple[tuple[int, ...], ...]
    switches: tuple[tuple[int, ...], ...]

    @property
    def links(self) -> int:
        """How many links there are."""
        return len(self.over)

    def name(self, link: int) -> str:
        """Return the name of a link."""
        return f"link-{link}"


def fat_tree(ports: int, coverage: int, seed: int, missing: float = 0.0) -> FatTree:
    """Return the tree of switches with so many ports; each link is crossed by `coverage` paths at least, and no two by the same ones.

    A share of the paths chosen is `missing` then: nothing is heard of them.
    """
    half, pods = ports // 2, ports
    draw = random.Random(seed)
    chosen = _chosen(half, pods, coverage, draw)
    size = 2 * pods * half  # links of one part
    paths = [tuple(part * size + link for link in path) for part in range(half) for path in chosen if draw.random() >= missing]
    over: list[list[int]] = [[] for _ in range(size * half)]
    for number, path in enumerate(paths):
        for link in path:
            over[link].append(number)
    return FatTree(ports, tuple(paths), tuple(map(tuple, over)), tuple(_switches(half, pods, size)))


def _chosen(half: int, pods: int, coverage: int, draw: random.Random) -> list[tuple[int, int, int, int]]:
    """Return the paths of one part: first until every link can be told from every other, then until each is covered often enough.

    A path is the better the more sets of yet undistinguished links it divides and the less its links are covered.
    """
    size = 2 * pods * half
    covered, label = [0] * size, [0] * size
    members: dict[int, set[int]] = {0: set(range(size))}
    taken: set[tuple[int, int, int, int]] = set()
    paths = []
    while len(members) < size or min(covered) < coverage:
        best, best_score = None, (1, 0)
        for _ in range(DRAWN):
            path = _candidate(half, pods, covered, draw)
            if path in taken:
                continue
            divides = len({label[link] for link in path if not members[label[link]] <= set(path)})
            score = (-divides, sum(covered[link] for link in path))
            if score < best_score:
                best, best_score = path, score
        if best is None:
            continue
        taken.add(best)
        paths.append(best)
        apart: dict[int, set[int]] = defaultdict(set)
        for link in best:
            covered[link] += 1
            apart[label[link]].add(link)
        for old, some in apart.items():
            if some < members[old]:
                members[old] -= some
                members[len(members)] = some
                for link in some:
                    label[link] = len(members) - 1
    return paths


def _candidate(half: int, pods: int, covered: list[int], draw: random.Random) -> tuple[int, int, int, int]:
    """Draw a path between two pods; the less covered of two links drawn is taken, so that few draws are lost on what is covered well."""

    def rarer(one: int, other: int) -> int:
        return one if covered[one] <= covered[other] else other

    first, second = draw.sample(range(pods), 2)
    upper = pods * half
    up = rarer(first * half + draw.randrange(half), first * half + draw.randrange(half))
    down = rarer(second * half + draw.randrange(half), second * half + draw.randrange(half))
    core, other = draw.randrange(half), draw.randrange(half)
    if covered[upper + first * half + other] + covered[upper + second * half + other] < (
        covered[upper + first * half + core] + covered[upper + second * half + core]
    ):
        core = other
    return (up, upper + first * half + core, upper + second * half + core, down)


def _switches(half: int, pods: int, size: int) -> list[tuple[int, ...]]:
    """Return the links at each edge, aggregation and core switch."""
    upper = pods * half
    edges = [tuple(part * size + pod * half + edge for part in range(half)) for pod in range(pods) for edge in range(half)]
    middle = [
        tuple(part * size + base + pod * half + port for base in (0, upper) for port in range(half))
        for part in range(half)
        for pod in range(pods)
    ]
    cores = [tuple(part * size + upper + pod * half + core for pod in range(pods)) for part in range(half) for core in range(half)]
    return edges + middle + cores
