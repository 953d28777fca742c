"""Sums by a whole number (a day, a prefix, an offset): exact, and merged without knowing beforehand which numbers there are."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
DENSE = 1 << 20  # up to so many numbers in a row are counted in place, others are sorted first
EXACT = 1 << 53  # a float holds whole numbers below this without loss


class Table:
    """Rows of sums by key, keys in order."""

    def __init__(self, keys: Ints, sums: Ints) -> None:
        self.keys = keys
        self.sums = sums

    def __len__(self) -> int:
        return int(self.keys.size)

    def __add__(self, other: "Table") -> "Table":
        """Return the sums of both."""
        if not len(other):
            return self
        if not len(self):
            return other
        if np.array_equal(self.keys, other.keys):
            return Table(self.keys, self.sums + other.sums)
        keys = np.union1d(self.keys, other.keys)
        sums = np.zeros((keys.size, self.sums.shape[1]), np.int64)
        for table in (self, other):
            sums[np.searchsorted(keys, table.keys)] += table.sums
        return Table(keys, sums)


def nothing(width: int) -> Table:
    """Return a table without rows."""
    return Table(np.empty(0, np.int64), np.empty((0, width), np.int64))


def grouped(keys: Ints, values: Sequence[Ints | None], present: Ints) -> Table:
    """Return by key: how many rows have presence 1, 2 and 3, then the sum of each of `values` (None: 0)."""
    if not keys.size:
        return nothing(3 + len(values))
    low, high = int(keys.min()), int(keys.max())
    if high - low < DENSE:
        at, told = keys - low if low else keys, None
    else:
        told, at = np.unique(keys, return_inverse=True)
    size = high - low + 1 if told is None else told.size
    counts = np.bincount(at * 4 + present, minlength=size * 4).reshape(size, 4)
    used = counts.any(axis=1)
    sums = np.zeros((int(used.sum()), 3 + len(values)), np.int64)
    sums[:, :3] = counts[used, 1:]
    for column, value in enumerate(values, 3):
        if value is not None:
            sums[:, column] = _added(at, value, size)[used]
    return Table(np.flatnonzero(used) + low if told is None else told[used], sums)


def _added(at: Ints, value: Ints, size: int) -> Ints:
    """Return the exact sums of `value` by place."""
    greatest = max(abs(int(value.min())), abs(int(value.max())))
    if greatest * value.size < EXACT:
        return np.bincount(at, value, size).astype(np.int64)
    high = value >> 26
    low = value - (high << 26)
    upper = np.zeros(size, np.int64)
    np.add.at(upper, at, high)
    return (upper << 26) + np.bincount(at, low, size).astype(np.int64)
