"""Finding failed links in deTector's setting: ours beside SCORE, Tomo, PLL and a majority vote, all on the same windows.

The setting counts only when the published methods come out as published; what the paper leaves open, or what we could not read of it, was
fitted to *them*, by a random search over SETTING for the smallest largest difference at 1 and 50 failed links, and then by hand
(docs/bench-simulator.md says what else was tried).
"""

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bench.simulator.fat_tree import FatTree, fat_tree
from bench.simulator.losses import Setting, Window, window
from bench.simulator.peers import PEERS
from checks.localise import Probe, localise

PORTS = 48
COUNTS = (1, 5, 20, 50)
FAILURES = 1200  # failed links drawn for each count: so many windows with one of them, a fifth with five
LEAST = 150  # windows of any count: those with many failed links differ most, for links fail together
NAMED = 0.5  # a link is named when it is likelier at fault than not; of two that can't be told apart none is
VALID = 3.0  # points by which the published methods may differ from what was published

SETTING = Setting(
    coverage=2,
    missing=0.08,
    packets=50,
    headers=32,
    full=0.23,
    deterministic=0.1,
    least_share=0.4,
    least_rate=0.045,
    base=1e-5,
    ignored=1,
    together=0.84,
)

# accuracy (recall of failed links) and false positives (of those reported), per cent, for 1 and 50 failed links: Peng et al., "deTector",
# USENIX ATC 2017
PUBLISHED = {
    "SCORE": {1: (93.9, 3.7), 50: (88.8, 5.2)},
    "Tomo": {1: (94.5, 3.7), 50: (88.9, 5.3)},
    "PLL": {1: (96.0, 1.7), 50: (89.9, 3.8)},
}
OURS = "firstline"


class Score(NamedTuple):
    """Recall of failed links and share of false ones among those reported, both in per cent; CPU seconds for each window."""

    accuracy: float
    false: float
    seconds: float


def named(tree: FatTree, setting: Setting, lost: Mapping[int, int]) -> set[int]:
    """Return the links that our method names."""
    crosses = [tuple(map(tree.name, path)) for path in tree.paths]
    return _named([Probe(links, setting.packets, lost.get(number, 0)) for number, links in enumerate(crosses)])


def _named(probes: Sequence[Probe]) -> set[int]:
    return {int(one.element.removeprefix("link-")) for one in localise(probes) if one.sure >= NAMED}


def measure(
    tree: FatTree, setting: Setting, counts: Sequence[int], failures: int, seed: int, *, ours: bool = True
) -> dict[int, dict[str, Score]]:
    """Return each method's score by number of failed links."""
    good = [Probe(tuple(map(tree.name, path)), setting.packets, 0) for path in tree.paths]
    result: dict[int, dict[str, Score]] = {}
    for count in counts:
        draw = np.random.default_rng((seed, count))
        windows = [window(tree, setting, count, draw) for _ in range(max(LEAST, failures // count))]
        result[count] = {name: _scored(windows, [method(tree, one.counted) for one in windows], 0.0) for name, method in PEERS.items()}
        if ours:
            found, began = [], time.process_time()
            for one in windows:
                probes = list(good)
                for path, lost in one.lost.items():
                    probes[path] = Probe(good[path].crosses, setting.packets, lost)
                found.append(_named(probes))
            result[count][OURS] = _scored(windows, found, (time.process_time() - began) / len(windows))
    return result


def _scored(windows: Sequence[Window], found: Sequence[set[int]], seconds: float) -> Score:
    right = sum(len(one.failed & got) for one, got in zip(windows, found, strict=True))
    reported = sum(map(len, found))
    return Score(100 * right / sum(len(one.failed) for one in windows), 100 * (reported - right) / max(1, reported), seconds)


def off(result: Mapping[int, Mapping[str, Score]]) -> float:
    """Return the largest difference, in points, of the published methods from what was published of them."""
    return max(
        abs(mine - theirs)
        for method, by_count in PUBLISHED.items()
        for count, published in by_count.items()
        if count in result
        for mine, theirs in zip(result[count][method][:2], published, strict=True)
    )


def built(setting: Setting, seed: int, ports: int = PORTS) -> FatTree:
    """Return the fat tree and probe matrix of a setting."""
    return fat_tree(ports, setting.coverage, seed, setting.missing)
