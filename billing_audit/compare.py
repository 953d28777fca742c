"""The five comparisons: rate, duration, billed time, money and record time of each pair; number of records; by day, by prefix, in total.

What a partition gives is added to what others gave; the result is the same however the calls were divided.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from billing_audit.audit import Histogram, Slice
from billing_audit.days import days, iso
from billing_audit.engine.tables import Groups, Ints, Table, Weights, nothing
from billing_audit.ledger import MISSING
from billing_audit.numbers import PLAIN, PLUS, digits

LEAD_DIGITS: Final = 4  # without a deck, calls are told apart by so many leading digits of the callee
MOST_POINTS: Final = 2_000
MOST_BINS: Final = 40
OFFSET_UNIT_MS: Final = 100
WHOLE_SECOND_MS: Final = 1_000  # durations less than this apart are one duration, cut or rounded
MEASURES: Final = ("l_duration_ms", "c_duration_ms", "l_billed_ms", "c_billed_ms", "l_charge_micro", "c_charge_micro")
OURS, THEIRS = 1, 2
DIFFERS: Final = ("rate", "duration", "billed", "charge", "time")
_NOBODY = int(np.iinfo(np.uint64).max)
Rows = slice | npt.NDArray[np.intp]


class Way(NamedTuple):
    """How pairs are compared: the contract's zone, their clock brought to ours, the prefix of a call, from where on times differ."""

    zone: ZoneInfo
    correct: Callable[[Ints], Ints]
    prefix: Callable[[Ints, Ints], Ints] | None
    apart_ms: int


@dataclass(frozen=True)
class Compared:
    """What pairs add up to. `counts`: matched, only ours, only theirs, rows merged in ours, in theirs, pairs that differ in anything."""

    counts: tuple[int, ...]
    differs: tuple[int, ...]
    known: tuple[bool, ...]
    by_day: Table
    by_prefix: Table
    offsets: Table
    points: npt.NDArray[np.uint64]
    point_ms: Ints

    def __add__(self, other: "Compared") -> "Compared":
        """Return what the pairs of both add up to."""
        points = np.concatenate((self.points, other.points))
        order = np.argsort(points, kind="stable")[:MOST_POINTS]
        return Compared(
            tuple(mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)),
            tuple(mine + theirs for mine, theirs in zip(self.differs, other.differs, strict=True)),
            tuple(mine or theirs for mine, theirs in zip(self.known, other.known, strict=True)),
            self.by_day + other.by_day,
            self.by_prefix + other.by_prefix,
            self.offsets + other.offsets,
            points[order],
            np.concatenate((self.point_ms, other.point_ms))[order],
        )


def none() -> Compared:
    """Return what no pairs add up to."""
    wide = 3 + len(MEASURES)
    table = nothing(wide)
    return Compared((0,) * 6, (0,) * 5, (False,) * 6, table, table, nothing(3), np.empty(0, np.uint64), np.empty((0, 2), np.int64))


def compare(pairs: pd.DataFrame, way: Way) -> Compared:
    """Compare the pairs of one partition."""
    if pairs.empty:
        return none()
    column = {name: pairs[name].to_numpy() for name in pairs.columns}
    ours, theirs = column["l_source"] != MISSING, column["c_source"] != MISSING
    present = ours * OURS + theirs * THEIRS
    both = _first_or_some(ours & theirs)
    values = [_known(column[name]) for name in MEASURES]
    weights = [None if value is None else Weights(value) for value in values]
    corrected = way.correct(column["c_start_ms"]) if theirs.any() else column["c_start_ms"]
    start = np.where(ours, column["l_start_ms"], np.where(theirs, corrected, 0))
    prefix = leading(column["callee"]) if way.prefix is None else way.prefix(column["callee"], start)
    apart = _apart(column, both, corrected, way.apart_ms)
    raw = column["c_start_ms"][both] - column["l_start_ms"][both]
    chosen, durations = _points(column, both)
    parts = [int(column[name][there].sum()) for name, there in (("l_parts", ours), ("c_parts", theirs))]
    alone = [int(np.count_nonzero(present == side)) for side in (OURS, THEIRS)]
    return Compared(
        (raw.size, *alone, *parts, int(np.count_nonzero(np.logical_or.reduce(apart)))),
        tuple(int(np.count_nonzero(one)) for one in apart),
        tuple(value is not None for value in values),
        Groups(days(start, way.zone), present).table(weights),
        Groups(prefix, present).table(weights),
        Groups(raw // OFFSET_UNIT_MS, 1).table(()),
        chosen,
        durations,
    )


def _first_or_some(wanted: npt.NDArray[np.bool_]) -> slice | npt.NDArray[np.intp]:
    """Return which rows are wanted: a slice, which copies nothing, where they are the first ones, as `match` gives them."""
    count = int(np.count_nonzero(wanted))
    return slice(0, count) if wanted[:count].all() else np.flatnonzero(wanted)


def _known(value: Ints) -> Ints | None:
    """Return values with 0 in the place of MISSING, to be added up; None when there is none."""
    low = int(value.min())
    if low != MISSING:
        return value
    return None if int(value.max()) == MISSING else np.where(value == MISSING, 0, value)


def _apart(column: dict[str, Ints], both: Rows, corrected: Ints, apart_ms: int) -> list[npt.NDArray[np.bool_]]:
    """Tell of each pair in what it differs, in the order of DIFFERS; what one side does not say does not differ."""
    found = []
    for name, limit in (("rate_nano", 1), ("duration_ms", WHOLE_SECOND_MS), ("billed_ms", 1), ("charge_micro", 1)):
        left, right = column[f"l_{name}"][both], column[f"c_{name}"][both]
        unlike = left != right if limit == 1 else np.abs(left - right) >= limit
        for side in (left, right):
            if side.size and int(side.min()) == MISSING:
                unlike &= side != MISSING
        found.append(unlike)
    found.append(np.abs(corrected[both] - column["l_start_ms"][both]) > apart_ms)
    return found


def leading(callee: Ints) -> Ints:
    """Return a 1 and the first digits of each callee; 0 where it is no number."""
    plain = callee.size > 0 and int(callee.min()) >= PLAIN and int(callee.max()) < PLUS
    told = callee - PLAIN if plain else digits(callee)
    found = told
    low, high = (len(str(int(edge))) - 1 for edge in (told.min(), told.max())) if told.size else (0, 0)
    for figures in range(max(low, LEAD_DIGITS + 1), high + 1):  # one division by a constant a length is faster than one by an array
        cut = told // 10 ** (figures - LEAD_DIGITS)
        found = cut if low == high else np.where((told >= 10**figures) & (told < 10 ** (figures + 1)), cut, found)
    return found


def _points(column: dict[str, Ints], both: Rows) -> tuple[npt.NDArray[np.uint64], Ints]:
    """Return the pairs for the plot: those with the lowest hash, so that any division of the calls chooses the same."""
    left, right = column["l_duration_ms"][both], column["c_duration_ms"][both]
    mixed = ((column["callee"][both] << 20) ^ column["l_start_ms"][both]).view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    near = np.flatnonzero(mixed < np.uint64(_NOBODY // max(mixed.size, 1) * min(MOST_POINTS * 4, mixed.size)))
    near = near[(left[near] != MISSING) & (right[near] != MISSING)]
    if near.size < MOST_POINTS * 2:  # the hash is even, so that these hold the lowest; few pairs, or many without durations: look at all
        near = np.flatnonzero((left != MISSING) & (right != MISSING))
    keys = mixed[near] ^ ((left[near] << 7) ^ right[near]).view(np.uint64)
    order = np.argsort(keys, kind="stable")[:MOST_POINTS]
    rows = near[order]
    return keys[order], np.column_stack((left[rows], right[rows]))


def by_day(told: Compared) -> tuple[Slice, ...]:
    """Return the comparisons of each day."""
    return tuple(_slice(iso(int(key)), "", row, told.known) for key, row in zip(told.by_day.keys, told.by_day.sums, strict=True))


def by_prefix(told: Compared, label: Callable[[int], tuple[str, str]]) -> tuple[Slice, ...]:
    """Return the comparisons of each prefix; `label` gives prefix and destination of a key. Keys of one prefix are one slice."""
    found: dict[tuple[str, str], Ints] = {}
    for key, row in zip(told.by_prefix.keys, told.by_prefix.sums, strict=True):
        name = label(int(key))
        found[name] = found[name] + row if name in found else row
    return tuple(_slice(*name, found[name], told.known) for name in sorted(found))


def lead_label(key: int) -> tuple[str, str]:
    """Return the leading digits behind a key of `leading`."""
    return str(key)[1:], ""


def _slice(key: str, label: str, row: Ints, known: tuple[bool, ...]) -> Slice:
    ours, theirs, both = (int(count) for count in row[:3])
    said = [int(value) if there else None for value, there in zip(row[3:], known, strict=True)]
    return Slice(key, label, ours + both, theirs + both, both, said[0] or 0, said[1] or 0, said[2], said[3], said[4], said[5])


def histogram(told: Compared) -> Histogram:
    """Return how the pairs lie by time offset, in at most MOST_BINS bins of one width; what lies far off is in the outermost two."""
    keys, counts = told.offsets.keys, told.offsets.sums[:, 0]
    if not keys.size:
        return Histogram((), ())
    share = np.cumsum(counts) / counts.sum()
    first, last = (int(keys[np.searchsorted(share, limit)]) for limit in (0.005, 0.995))
    width = -(-(last - first + 1) // MOST_BINS)
    bins = -(-(last - first + 1) // width)
    at = np.clip((keys - first) // width, 0, bins - 1)
    found = np.bincount(at, counts, bins).astype(np.int64)
    edges = [(first + width * step) * OFFSET_UNIT_MS for step in range(bins + 1)]
    edges[0] = min(edges[0], int(keys[0]) * OFFSET_UNIT_MS)
    edges[-1] = max(edges[-1], (int(keys[-1]) + 1) * OFFSET_UNIT_MS)
    return Histogram(tuple(edges), tuple(int(count) for count in found))


def scatter(told: Compared) -> tuple[tuple[int, int], ...]:
    """Return durations (ms, local and customer) of up to MOST_POINTS pairs."""
    return tuple(sorted((int(left), int(right)) for left, right in told.point_ms))
