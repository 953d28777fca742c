"""Which of several candidates belong together: the matching of greatest worth, the same whatever the order of rows."""

from functools import cache
from itertools import combinations, permutations
from typing import Final

import numpy as np
import numpy.typing as npt

from billing_audit.matching.align import Ints

Mask = npt.NDArray[np.bool_]
SMALL: Final = 4  # groups of up to 4 + 4 are solved together, by looking at every possible matching
LARGE: Final = 4_000  # groups of more calls are cut where the pause between calls is longest
RANK_BITS, TIE_BITS = 10, 14
UNIT: Final = 1 << (RANK_BITS + TIE_BITS)


def choose(ours: Ints, theirs: Ints, worth: Ints, marks: tuple[Ints, Ints], times: tuple[Ints, Ints]) -> Mask:
    """Return which edges (ours[k], theirs[k]) are pairs: each end once, the sum of `worth` (positive, below 2²⁷) the greatest.

    Ends are numbered from 0 in an order that only their contents give. Of matchings worth the same the one that keeps this order is taken,
    then the one that `marks` (a hash of each end's contents) prefers, so that neither the order of rows nor of sides decides. Groups of
    more than LARGE ends are cut at their longest pauses.
    """
    alone: Mask = (np.bincount(ours)[ours] == 1) & (np.bincount(theirs)[theirs] == 1) if len(ours) else np.zeros(0, np.bool_)
    chosen = alone.copy()
    rest = np.flatnonzero(~alone)
    if len(rest):
        rest = _cut(rest, ours, theirs, times)
        chosen[_solve(rest, ours[rest], theirs[rest], worth[rest], marks)] = True
    return chosen


def _components(ours: Ints, theirs: Ints) -> tuple[Ints, int]:
    """Return for each end (theirs behind ours) the least end that it is connected with, and where theirs begin.

    Roots are hung below lesser roots and paths cut short until no edge joins two: rounds grow with the logarithm of the longest chain.
    """
    base = int(ours.max()) + 1
    root = np.arange(base + int(theirs.max()) + 1)
    theirs = theirs + base
    while True:
        left, right = root[ours], root[theirs]
        apart = np.flatnonzero(left != right)
        if not apart.size:
            return root, base
        ours, theirs, left, right = ours[apart], theirs[apart], left[apart], right[apart]
        np.minimum.at(root, np.maximum(left, right), np.minimum(left, right))
        while not np.array_equal(further := root[root], root):
            root = further


def _cut(rest: Ints, ours: Ints, theirs: Ints, times: tuple[Ints, Ints]) -> Ints:
    """Return the edges that remain when each group over LARGE is cut where its calls pause longest."""
    labels, base = _components(ours[rest], theirs[rest])
    used = np.zeros(len(labels), np.bool_)
    used[ours[rest]] = used[theirs[rest] + base] = True
    sizes = np.bincount(labels[used], minlength=int(labels.max()) + 1)
    keep = np.ones(len(rest), np.bool_)
    for label in np.flatnonzero(sizes > LARGE):
        mine = np.flatnonzero(labels[ours[rest]] == label)
        left, right = times[0][ours[rest[mine]]], times[1][theirs[rest[mine]]]
        stamps = np.sort(np.concatenate([times[0][np.unique(ours[rest[mine]])], times[1][np.unique(theirs[rest[mine]])]]))
        cuts = _pauses(stamps)
        keep[mine[np.searchsorted(cuts, left, side="right") != np.searchsorted(cuts, right, side="right")]] = False
    return rest[keep]


def _pauses(stamps: Ints) -> Ints:
    """Return moments at which to cut sorted times into pieces of LARGE // 4 … LARGE // 2, each after the longest pause there."""
    cuts, at = [], 0
    while len(stamps) - at > LARGE // 2:
        window = np.diff(stamps[at + LARGE // 4 : at + LARGE // 2])
        at += LARGE // 4 + int(window.argmax()) + 1
        cuts.append(int(stamps[at]))
    return np.array(cuts, np.int64)


def _solve(rest: Ints, ours: Ints, theirs: Ints, worth: Ints, marks: tuple[Ints, Ints]) -> Ints:
    labels, _base = _components(ours, theirs)
    group = labels[ours]
    order = np.argsort(group, kind="stable")
    rest, ours, theirs, worth, group = rest[order], ours[order], theirs[order], worth[order], group[order]
    row, rows = _ranks(group, ours)
    column, columns = _ranks(group, theirs)
    apart = np.minimum(np.abs(row - column), 31)
    tie = ((marks[0][ours] ^ marks[1][theirs]) * 0x9E3779B1 >> 7) & ((1 << TIE_BITS) - 1)
    value = worth * UNIT - (apart * apart << TIE_BITS) + tie
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    ends = np.append(starts[1:], len(group))
    height, width = rows[starts], columns[starts]
    picked: list[Ints] = []
    small = (height <= SMALL) & (width <= SMALL)
    shape_of = np.where(small, height * (SMALL + 1) + width, -1)
    edge_shape = np.repeat(shape_of, ends - starts)
    for shape in np.unique(shape_of[small]):
        mine = np.flatnonzero(edge_shape == shape)
        high, wide = divmod(int(shape), SMALL + 1)
        picked.append(mine[_every(group[mine], row[mine], column[mine], value[mine], high, wide)])
    large = np.flatnonzero(~small)
    if large.size:
        from scipy.optimize import linear_sum_assignment  # a third of the program's start, and few bills need it
    for number in large:
        mine = np.arange(starts[number], ends[number])
        table = np.zeros((int(height[number]), int(width[number])))
        table[row[mine], column[mine]] = value[mine]
        a, b = linear_sum_assignment(table, maximize=True)
        partner = np.full(len(table), -1, np.int64)
        partner[a] = b
        picked.append(mine[partner[row[mine]] == column[mine]])
    return rest[np.concatenate(picked)]


def _ranks(group: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Return for each edge the rank of its end among those of its group, and how many these are."""
    order = np.lexsort((ends, group))
    g, e = group[order], ends[order]
    fresh = np.ones(len(g), np.bool_)
    fresh[1:] = (g[1:] != g[:-1]) | (e[1:] != e[:-1])
    begins = np.flatnonzero(np.diff(g, prepend=-1))
    count = np.cumsum(fresh)
    size = np.diff(np.append(begins, len(g)))
    first = np.repeat(count[begins], size)
    last = np.repeat(count[np.append(begins[1:], len(g)) - 1], size)
    rank, total = np.empty(len(g), np.int64), np.empty(len(g), np.int64)
    rank[order] = count - first
    total[order] = last - first + 1
    return rank, total


@cache
def _matchings(high: int, wide: int) -> Ints:
    """Return every partial matching of `high` rows and `wide` columns as a row of 0 and 1 over the cells."""
    made = []
    for count in range(min(high, wide) + 1):
        for rows in combinations(range(high), count):
            for columns in permutations(range(wide), count):
                cells = np.zeros(high * wide, np.int64)
                cells[[r * wide + c for r, c in zip(rows, columns, strict=True)]] = 1
                made.append(cells)
    return np.array(made, np.int64)


def _every(group: Ints, row: Ints, column: Ints, value: Ints, high: int, wide: int) -> Mask:
    """Return which edges are pairs in groups of one small shape, all groups at once."""
    number = np.cumsum(np.diff(group, prepend=group[0]) != 0)
    cell = row * wide + column
    tables = np.full((int(number[-1]) + 1, high * wide), -float(1 << 60))
    tables[number, cell] = value
    options = _matchings(high, wide)
    best = (tables @ options.T.astype(np.float64)).argmax(axis=1)
    picked: Mask = options[best[number], cell] == 1
    return picked
