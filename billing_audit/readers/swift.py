"""Blocks in which every row is plain: cells are found by their delimiters, digits are read eight at once, nothing is copied.

Whatever is not plain (quotes, empty cells, signs, other notations) is left to `split` and `fields`, which this must agree with in every value.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from billing_audit.numbers import PLAIN
from billing_audit.readers import amounts
from billing_audit.readers.digits import POWERS, Ints
from billing_audit.readers.moments import FIRST_YEAR, MONTH_LENGTHS, MONTH_STARTS, NAIVE
from billing_audit.readers.texts import Flags

Words = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]

PAD: Final = 16  # bytes before and behind the block, so that a word may begin before the first cell and end behind the last
MOST_FIGURES: Final = 16
_ZEROS: Final = np.uint64(0x3030303030303030)
_ABOVE: Final = np.uint64(0x7676767676767676)
_HIGH: Final = np.uint64(0x8080808080808080)
_PAIRS: Final = np.uint64(0x000000FF000000FF)
_HUNDREDS: Final = np.uint64(0x000F424000000064)
_ONES: Final = np.uint64(0x0000271000000001)
_EIGHT, _SIXTEEN, _HALF = np.uint64(8), np.uint64(16), np.uint64(32)
_BYTE: Final = np.uint64(0xFF)
_KEEP: Final = np.array([(0xFFFFFFFFFFFFFFFF << 8 * (8 - count)) & 0xFFFFFFFFFFFFFFFF if count else 0 for count in range(9)], np.uint64)
_TENTHS: Final = 10 ** np.arange(10, dtype=np.int64)


@dataclass(frozen=True)
class Cells:
    """A column of a block: where each text begins and ends in the block's bytes."""

    data: Bytes
    starts: Ints
    ends: Ints

    def __len__(self) -> int:
        return len(self.starts)

    def array(self) -> pa.Array:
        """Return the texts as a binary array."""
        lengths = self.ends - self.starts
        offsets = np.zeros(len(self) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        places = np.repeat(self.starts - offsets[:-1], lengths) + np.arange(offsets[-1])
        buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(self.data.take(places))]
        return pa.Array.from_buffers(pa.binary(), len(self), buffers)


def cells(block: bytes, width: int, delimiter: str, quote: str, wanted: dict[str, int]) -> dict[str, Cells] | None:
    """Return the wanted columns of a block of whole lines; None where a row is quoted, empty, torn or ends in \\r."""
    if (quote and quote.encode() in block) or b"\r" in block or len(delimiter) != 1 or not delimiter.isascii():
        return None
    data = np.empty(len(block) + 2 * PAD, np.uint8)
    data[:PAD] = data[-PAD:] = 0
    data[PAD:-PAD] = np.frombuffer(block, np.uint8)
    marks = np.flatnonzero((data == ord(delimiter)) | (data == 10))
    rows, rest = divmod(marks.size, width)
    if rest or not rows:
        return None
    grid = marks.reshape(rows, width)
    if not (data[grid[:, -1]] == 10).all() or np.count_nonzero(data[marks] == 10) != rows:
        return None
    found = {}
    for name, index in wanted.items():
        if index:
            starts = grid[:, index - 1] + 1
        else:
            starts = np.empty(rows, np.int64)
            starts[0] = PAD
            starts[1:] = grid[:-1, -1] + 1
        found[name] = Cells(data, starts, np.ascontiguousarray(grid[:, index]))
    if width == 1 and (found and (next(iter(found.values())).ends == next(iter(found.values())).starts).any()):
        return None  # an empty line is no row
    return found


def _words(data: Bytes, at: Ints) -> Words:
    """Return the eight bytes from each place on, the first in the lowest byte."""
    view: Words = np.ndarray((data.size - 7,), "<u8", data, strides=(1,))
    return view[at]


def _eight(data: Bytes, ends: Ints, lengths: Ints | int) -> tuple[Words, Words]:
    """Return the figures before `ends`, `lengths` (0 … 8) of them with zeros in front, and bits that are set where one is none."""
    figures = (_words(data, ends - 8) ^ _ZEROS) & _KEEP[lengths]
    return figures, (figures + _ABOVE) | figures


def _value(figures: Words) -> Words:
    """Return the number that eight figures make."""
    pairs = figures * np.uint64(10) + (figures >> _EIGHT)
    value: Words = ((pairs & _PAIRS) * _HUNDREDS + ((pairs >> _SIXTEEN) & _PAIRS) * _ONES) >> _HALF
    return value


def whole(data: Bytes, starts: Ints, ends: Ints) -> Ints | None:
    """Return the numbers in cells of 1 to 16 figures; None where one is something else."""
    lengths = ends - starts
    least, most = int(lengths.min()), int(lengths.max())
    if least < 1 or most > MOST_FIGURES:
        return None
    same = least == most
    low, bad = _eight(data, ends, min(most, 8) if same else np.minimum(lengths, 8))
    value = _value(low).view(np.int64)
    if most > 8:
        high, wrong = _eight(data, ends - 8, most - 8 if same else np.maximum(lengths - 8, 0))
        bad |= wrong
        value = value + _value(high).view(np.int64) * POWERS[8]
    return None if (bad & _HIGH).any() else value


def number(column: Cells) -> Ints | None:
    """Return the codes of telephone numbers that are figures alone."""
    value = whole(column.data, column.starts, column.ends)
    if value is None:
        return None
    lengths = column.ends - column.starts
    return value + (POWERS[lengths] + PLAIN)


def decimal(column: Cells, power: int, mark: str) -> Ints | None:
    """Return amounts · 10^power, whole or with the same count of places (at most 8, and `power`) behind the mark in every row."""
    first = bytes(column.data[column.starts[0] : column.ends[0]])
    before, point, behind = first.partition(mark.encode())
    if not point:
        value = whole(column.data, column.starts, column.ends)
        if value is None or int(value.max()) >= 10 ** (18 - power):
            return None
        return value * POWERS[power]
    places = len(behind)
    points = column.ends - (places + 1)
    if not before or not 1 <= places <= min(power, 8) or (points <= column.starts).any() or (column.data[points] != ord(mark)).any():
        return None
    part, bad = _eight(column.data, column.ends, places)
    value = whole(column.data, column.starts, points)
    if value is None or (bad & _HIGH).any() or int(value.max()) >= 10 ** (18 - power):
        return None
    return value * POWERS[power] + _value(part).view(np.int64) * POWERS[power - places]


def moment(column: Cells) -> Ints | None:
    """Return ms + NAIVE of times that are all written `2026-10-01 08:05:09` (also with T or /)."""
    data, starts = column.data, column.starts
    if (column.ends - starts != 19).any():
        return None
    first = bytes(data[starts[0] : starts[0] + 19])
    between, dash = first[10:11], first[4:5]
    if between not in (b" ", b"T") or dash not in (b"-", b"/") or first[:2] != b"20":
        return None
    fixed = (0, first[0]), (1, first[1]), (10, first[10])
    if any((data[starts + place] != letter).any() for place, letter in fixed):
        return None
    date, clock = _three(_words(data, starts + 2), dash), _three(_words(data, starts + 11), b":")
    if date is None or clock is None:
        return None
    (year, month, day), (hour, minute, second) = date, clock
    if int(hour.max()) > 23 or int(minute.max()) > 59 or int(second.max()) > 59 or int(month.min()) < 1 or int(month.max()) > 12:
        return None
    index = (year + (2000 - 1970)) * 12 + month - 1
    if int(day.min()) < 1 or (day > MONTH_LENGTHS[index]).any():
        return None
    ms: Ints = (((MONTH_STARTS[index] + day - 1) * 24 + hour) * 3600 + minute * 60 + second) * 1000 + NAIVE
    return ms


def _three(words: Words, between: bytes) -> tuple[Ints, Ints, Ints] | None:
    """Return the three pairs of figures in `26-10-01`, parted by this letter; None where one is something else."""
    figures = words ^ np.uint64(int.from_bytes(b"00" + between + b"00" + between + b"00", "little"))
    if ((((figures + _ABOVE) | figures) & _HIGH) | (figures & np.uint64(0x0000FF0000FF0000))).any():
        return None
    pairs = figures * np.uint64(10) + (figures >> _EIGHT)
    return tuple(((pairs >> np.uint64(shift)) & _BYTE).view(np.int64) for shift in (0, 24, 48))  # type: ignore[return-value]


def plain(name: str, column: Cells, times: str, unit: str, mark: str, rate_per_s: int, turned: bool) -> tuple[Ints, Flags] | None:
    """Return values and flags (none) of a field of which every text is plain; None where one is not, or the field is none of these."""
    value: Ints | None = None
    if name in ("caller", "callee"):
        value = number(column)
    elif name in ("start", "answer", "end"):
        value = moment(column) if times == "text" and not turned else None
    elif name in ("duration", "total", "billed"):
        power = {"s": 3, "ms": 0}.get(unit)
        if power is not None and mark in (".", ","):
            value = decimal(column, power, mark) if power else whole(column.data, column.starts, column.ends)
        if value is not None and int(value.max()) >= amounts.MOST_MS:
            value = None
    elif name in ("rate", "charge") and mark in (".", ",") and (name == "charge" or rate_per_s == 60):
        power = 9 if name == "rate" else 6
        value = decimal(column, power, mark)
        if value is not None and int(value.max()) >= amounts.MOST_MONEY * 10**power:
            value = None
    return None if value is None else (value, np.zeros(len(column), np.int16))


__all__ = ["FIRST_YEAR", "Cells", "cells", "decimal", "moment", "number", "plain", "whole"]
