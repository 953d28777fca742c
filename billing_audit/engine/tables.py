"""Sums by a whole number (a day, a prefix, an offset): exact, and merged without knowing beforehand which numbers there are."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
DENSE = 1 << 20  # up to so many numbers in a row are counted in place, others are sorted first
SPLIT_BITS = 26
SPLIT = 1 << SPLIT_BITS
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


def grouped(keys: Ints, values: Sequence[Ints | None], present: Ints | int) -> Table:
    """Return by key: how many rows have presence 1, 2 and 3 (all of them one: a number), then the sum of each of `values` (None: 0)."""
    return Groups(keys, present).table([None if value is None else Weights(value) for value in values])


class Weights:
    """Values to be added, as floats where that is exact, made once for several tables."""

    def __init__(self, value: Ints) -> None:
        greatest = max(abs(int(value.min())), abs(int(value.max()))) if value.size else 0
        self.exact = greatest * value.size < EXACT
        self.low = (value if self.exact else value & (SPLIT - 1)).astype(np.float64)
        self.high = None if self.exact else value >> SPLIT_BITS

    def added(self, at: Ints, size: int) -> Ints:
        """Return the exact sums by place."""
        found = np.bincount(at, self.low, size).astype(np.int64)
        if self.high is not None:
            upper = np.zeros(size, np.int64)
            np.add.at(upper, at, self.high)
            found += upper << SPLIT_BITS
        return found


class Groups:
    """Rows by key: their places in a table."""

    def __init__(self, keys: Ints, present: Ints | int) -> None:
        low, high = (int(keys.min()), int(keys.max())) if keys.size else (0, -1)
        told: Ints | None = None
        if high - low < DENSE:
            self.at, self.size = keys - low if low else keys, high - low + 1
        else:
            told, self.at = np.unique(keys, return_inverse=True)
            self.size = told.size
        counts = np.zeros((self.size, 4), np.int64)
        if isinstance(present, int):
            counts[:, present] = np.bincount(self.at, minlength=self.size)
        else:
            counts = np.bincount(self.at * 4 + present, minlength=self.size * 4).reshape(self.size, 4)
        self.used = np.flatnonzero(counts.any(axis=1))
        self.counts = counts[self.used, 1:]
        self.keys = self.used + low if told is None else told[self.used]

    def table(self, values: Sequence[Weights | None]) -> Table:
        """Return counts and sums."""
        sums = np.zeros((self.used.size, 3 + len(values)), np.int64)
        sums[:, :3] = self.counts
        for column, value in enumerate(values, 3):
            if value is not None:
                sums[:, column] = value.added(self.at, self.size)[self.used]
        return Table(self.keys, sums)
