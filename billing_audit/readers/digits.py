"""Digits in the bytes of a column become integers by arithmetic on all rows at once; no row becomes a Python string."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]

POWERS = 10 ** np.arange(19, dtype=np.int64)
MOST = 18  # digits that surely fit an int64
POINT = 46
COMMA = 44


@dataclass(frozen=True)
class Texts:
    """The bytes of a column, one text behind the other, and where each begins (one more than texts)."""

    data: Bytes
    offsets: Ints

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Ints:
        """Bytes of each text."""
        return np.diff(self.offsets)


def texts(array: pa.Array) -> Texts:
    """Return the bytes of a binary or string array without nulls, uncopied."""
    _, starts, data = array.buffers()
    rows = len(array)
    if rows == 0 or data is None:
        return Texts(np.zeros(0, np.uint8), np.zeros(rows + 1, np.int64))
    offsets = np.frombuffer(starts, np.int32, rows + 1, array.offset * 4).astype(np.int64)
    held = np.frombuffer(data, np.uint8, offsets[-1] - offsets[0], offsets[0])
    return Texts(held, offsets - offsets[0])


def integers(column: Texts, wanted: Bools) -> Ints:
    """Return the value of the texts that are `wanted` (digits alone, 1 to 18 of them); 0 for the others."""
    array = pa.Array.from_buffers(
        pa.string(), len(column), [None, pa.py_buffer(column.offsets.astype(np.int32)), pa.py_buffer(np.ascontiguousarray(column.data))]
    )
    if wanted.all():
        return np.asarray(array.cast(pa.int64()))
    values = np.zeros(len(column), np.int64)
    values[wanted] = np.asarray(array.filter(pa.array(wanted)).cast(pa.int64()))
    return values


def decimals(column: Texts, power: int) -> tuple[Ints, Bools]:
    """Return each text · 10^power, exactly, and which texts are such numbers.

    A number here is digits with at most one point and no more than `power` of them behind it, small enough for 18 digits in all.
    """
    rows = len(column)
    odd = np.flatnonzero((column.data - 48).view(np.uint8) > 9)
    if odd.size == 0:
        lengths = column.lengths
        ok = (lengths >= 1) & (lengths <= MOST - power)
        return integers(column, ok) * POWERS[power], ok
    points = column.data[odd] == POINT
    ends = column.offsets[1:]
    if odd.size == rows and points.all() and ((odd >= column.offsets[:-1]) & (odd < ends)).all():  # one point in every row
        behind = ends - 1 - odd
        clean = np.ones(rows, np.bool_)
        starts = column.offsets - np.arange(rows + 1)
    else:
        row = np.searchsorted(ends, odd, side="right")
        count = np.bincount(row, minlength=rows)
        clean = count <= 1
        clean[row[~points]] = False
        behind = np.zeros(rows, np.int64)
        behind[row] = ends[row] - 1 - odd
        starts = column.offsets - np.searchsorted(odd, column.offsets)
    keep = np.ones(len(column.data), np.bool_)
    keep[odd] = False
    bare = Texts(column.data[keep], starts)
    lengths = bare.lengths
    ok = clean & (lengths >= 1) & (behind <= power) & (lengths - behind + power <= MOST)
    return integers(bare, ok) * POWERS[np.where(ok, power - behind, 0)], ok


def ungrouped(column: Texts) -> tuple[Texts, Bools]:
    """Return the column without the commas that part thousands (1,234,567.89), and which texts are such numbers.

    The texts that are not keep their letters; one that begins with 0 is left over, for its comma may be a decimal one.
    """
    odd = np.flatnonzero((column.data - 48).view(np.uint8) > 9)
    ends = column.offsets[1:]
    row = np.searchsorted(ends, odd, side="right")
    kinds = column.data[odd]
    following = np.append(row[1:] == row[:-1], False) if odd.size else np.zeros(0, np.bool_)
    after = np.where(following, np.append(odd[1:], 0), ends[row])
    first = np.append(True, row[1:] != row[:-1]) if odd.size else following
    before = odd - column.offsets[:-1][row]
    comma, point = kinds == COMMA, kinds == POINT
    good = (comma & (after - odd == 4) & (~first | ((before >= 1) & (before <= 3)))) | (point & ~following)
    ok = np.bincount(row[comma], minlength=len(column)) > 0
    ok[row[~good]] = False
    starts = column.offsets[:-1][ok]
    ok[np.flatnonzero(ok)[column.data[starts] == 48]] = False
    keep = np.ones(len(column.data), np.bool_)
    keep[odd[comma & ok[row]]] = False
    removed = np.concatenate([[0], np.cumsum(~keep)])
    return Texts(column.data[keep], column.offsets - removed[column.offsets]), ok
