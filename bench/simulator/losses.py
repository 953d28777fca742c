"""What fails in a simulated window of probing, and what each probe path loses by it."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from bench.simulator.fat_tree import FatTree


class Setting(NamedTuple):
    """What the paper leaves open of its simulation, or what we could not read of it.

    `coverage` and `missing` make the probe matrix (fat_tree). `packets` are sent on each path in a window, with `headers` different
    headers. `full`, `deterministic` and the rest of 1 are the shares of the loss classes: everything is lost, all packets with a certain
    share of headers, each packet with a certain chance. These shares and chances are drawn evenly on a logarithmic scale from the least
    one to 1. `base` is what a path loses with nothing failed, and a path that lost `ignored` packets or fewer counts as good for the
    methods that know only good and lossy paths (the paper's pre-processing, which leaves the usual loss aside). `together` is the share
    of failed links that lie at the switch of one that failed before (a line card, a power supply).
    """

    coverage: int
    missing: float
    packets: int
    headers: int
    full: float
    deterministic: float
    least_share: float
    least_rate: float
    base: float
    ignored: int
    together: float


class Window(NamedTuple):
    """The links that failed, the packets lost by path, where any were, and those of them that pre-processing leaves."""

    failed: frozenset[int]
    lost: Mapping[int, int]
    counted: Mapping[int, int]


def window(tree: FatTree, setting: Setting, failures: int, draw: np.random.Generator) -> Window:
    """Return one window of probing with so many failed links."""
    failed = _failed(tree, setting, failures, draw)
    passing: dict[int, float] = {}
    hit: dict[int, float] = {}
    for link in failed:
        kind = draw.random()
        if kind < setting.full:
            for path in tree.over[link]:
                passing[path] = 0.0
        elif kind < setting.full + setting.deterministic:
            share = setting.least_share ** draw.random()
            for path in tree.over[link]:
                hit[path] = 1 - (1 - hit.get(path, 0.0)) * (1 - draw.binomial(setting.headers, share) / setting.headers)
        else:
            rate = setting.least_rate ** draw.random()
            for path in tree.over[link]:
                passing[path] = passing.get(path, 1.0) * (1 - rate)
    lost = {}
    for path in sorted(passing.keys() | hit.keys()):
        gone = round(setting.packets * hit.get(path, 0.0))
        gone += int(draw.binomial(setting.packets - gone, 1 - passing.get(path, 1.0) * (1 - setting.base)))
        if gone:
            lost[path] = gone
    for path in draw.integers(len(tree.paths), size=draw.poisson(len(tree.paths) * setting.packets * setting.base)).tolist():
        if path not in passing and path not in hit:
            lost[path] = min(setting.packets, lost.get(path, 0) + 1)
    return Window(failed, lost, {path: count for path, count in lost.items() if count > setting.ignored})


def _failed(tree: FatTree, setting: Setting, failures: int, draw: np.random.Generator) -> frozenset[int]:
    failed: list[int] = []
    at: dict[int, list[int]] = {}
    while len(failed) < failures:
        if failed and draw.random() < setting.together:
            beside = at.get(failed[-1]) or _switch_of(tree, failed[-1], draw)
            link = int(beside[draw.integers(len(beside))])
        else:
            link = int(draw.integers(tree.links))
            beside = _switch_of(tree, link, draw)
        if link not in failed:
            failed.append(link)
            at[link] = beside
    return frozenset(failed)


def _switch_of(tree: FatTree, link: int, draw: np.random.Generator) -> list[int]:
    """Return the links of one of the two switches that this link joins."""
    joined = [links for links in tree.switches if link in links]
    return list(joined[draw.integers(len(joined))])
