"""What the calls of a partition add up to by cause and side, and how partitions add up to an audit, always to the same samples."""

from collections.abc import Mapping

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from billing_audit.audit import Sample
from billing_audit.ledger import MISSING

MOST_SAMPLES = 10
UNEXPLAINED = "unexplained"


class Shown(msgspec.Struct, frozen=True, order=True):
    """A sample and by what it is chosen: the largest amount first, then the earliest call, then its numbers, its source at last."""

    rank: tuple[int, ...]
    sample: Sample


class Part(msgspec.Struct, frozen=True):
    """One cause of one side, or `unexplained`: money, records on which it shows itself, some of them (at most MOST_SAMPLES)."""

    amount_micro: int
    records: int
    shown: tuple[Shown, ...] = ()

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The calls to be shown, the one with the largest amount first."""
        return tuple(shown.sample for shown in self.shown)


Sums = Mapping[str, Part]
"""By "cause/side", and UNEXPLAINED."""


def total(values: npt.NDArray[np.int64]) -> int:
    """Return the exact sum, MISSING left out: halves are added apart, so that nothing overflows."""
    known = values if not values.size or int(values.min()) != MISSING else values[values != MISSING]
    return (int((known >> 32).sum()) << 32) + int((known & 0xFFFFFFFF).sum())


def summed(pairs: pd.DataFrame, amounts: pd.DataFrame, applies: pd.DataFrame) -> dict[str, Part]:
    """Return the sums of a partition: `amounts` and `applies` have one column a cause and side and the rows of `pairs`."""
    left, right = pairs["l_source"].to_numpy(), pairs["c_source"].to_numpy()
    ours = left != MISSING
    start = np.where(ours, pairs["l_start_ms"].to_numpy(), pairs["c_start_ms"].to_numpy())
    keys = (start, pairs["callee"].to_numpy(), pairs["caller"].to_numpy(), np.where(ours, left, right))
    found: dict[str, Part] = {}
    for name in amounts.columns:
        values = amounts[name].to_numpy()
        rows = np.flatnonzero(applies[name].to_numpy())
        if not rows.size and not values.any():
            continue
        shown = [
            Shown((-abs(int(values[row])), *(int(key[row]) for key in keys)), Sample(int(left[row]), int(right[row]), int(values[row])))
            for row in _first(rows, -np.abs(values[rows]), keys)
        ]
        found[str(name)] = Part(total(values), rows.size, tuple(sorted(shown)))
    return found


def _first(rows: npt.NDArray[np.intp], rank: npt.NDArray[np.int64], keys: tuple[npt.NDArray[np.int64], ...]) -> npt.NDArray[np.intp]:
    """Return the rows that come first by rank and then by keys; of many rows only those are sorted that may be among them."""
    if rows.size > MOST_SAMPLES:
        limit = np.partition(rank, MOST_SAMPLES - 1)[MOST_SAMPLES - 1]
        sure, tied = rows[rank < limit], rows[rank == limit]
        wanted = MOST_SAMPLES - sure.size
        begun = keys[0][tied]
        tied = tied[begun <= np.partition(begun, wanted - 1)[wanted - 1]]
        order = np.lexsort([key[tied] for key in reversed(keys)])
        rows = np.concatenate((sure, tied[order[:wanted]]))
    return rows


def merged(one: Sums, other: Sums) -> dict[str, Part]:
    """Return the sums of both; the samples are those that one partition of all their calls would have had."""
    found = dict(one)
    for name, part in other.items():
        mine = found.get(name)
        found[name] = (
            part
            if mine is None
            else Part(
                mine.amount_micro + part.amount_micro,
                mine.records + part.records,
                tuple(sorted((*mine.shown, *part.shown))[:MOST_SAMPLES]),
            )
        )
    return found
