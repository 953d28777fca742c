"""Blocks without quotes: the delimiters are found in one pass over the bytes, and digits become integers eight bytes at a time.

No field is copied unless somebody asks for its text: of most columns of most bills nobody does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from billing_audit.readers.digits import MOST, POINT, POWERS, Bytes, Ints, Texts

Words = npt.NDArray[np.uint64]
LEAST_BYTES: Final = 64
_ZEROS, _LIMIT, _HIGH = (np.uint64(int.from_bytes(bytes([byte]) * 8)) for byte in (48, 128 - 10, 128))
_PAIRS, _FOURS = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)


@dataclass(frozen=True)
class Cells:
    """One column of a block: where each text begins and ends, both growing from row to row."""

    block: bytes
    begins: Ints
    ends: Ints

    def words(self, at: Ints) -> Words:
        """Return the eight bytes from each of these places on as one word, the first the lowest; beyond the block's end zeros."""
        view = np.ndarray(len(self.block) - 7, "<u8", self.block, 0, (1,))
        inside = int(np.searchsorted(at, len(view)))
        if inside == len(at):
            return view[at]
        beyond = [int.from_bytes(self.block[place : place + 8], "little") for place in at[inside:].tolist()]
        return np.concatenate([view[at[:inside]], np.array(beyond, np.uint64)])

    def array(self) -> pa.Array:
        """Return the texts as a binary array."""
        lengths = self.ends - self.begins
        offsets = np.zeros(len(lengths) + 1, np.int32)
        np.cumsum(lengths, out=offsets[1:])
        from_ = np.repeat(self.begins - offsets[:-1], lengths) + np.arange(offsets[-1])
        data = np.frombuffer(self.block, np.uint8)[from_]
        return pa.Array.from_buffers(pa.binary(), len(lengths), [None, pa.py_buffer(offsets), pa.py_buffer(data)])

    def alike(self, lengths: tuple[int, ...]) -> Texts | None:
        """Return the texts when all are as long, and so long as one of `lengths`."""
        width = int(self.ends[0] - self.begins[0])
        if width not in lengths or not (self.ends - self.begins == width).all():
            return None
        words = np.empty((len(self.begins), -(-width // 8)), np.uint64)
        for at in range(words.shape[1]):
            words[:, at] = self.words(self.begins + 8 * at)
        data = np.ascontiguousarray(words.view(np.uint8)[:, :width]).reshape(-1)
        return Texts(data, np.arange(len(words) + 1) * width)

    def whole(self, most: int = 16) -> tuple[Ints, Ints] | None:
        """Return value and length of each text when all are digits alone, 1 to `most` (16 at the most) of them."""
        lengths = self.ends - self.begins
        low, high = int(lengths.min()), int(lengths.max())
        if low < 1 or high > most or (high > 8 and self.ends[0] < 8):
            return None
        if high <= 8:
            return _value(_shifted(self.words(self.begins) ^ _ZEROS, 8 - lengths), None, lengths)
        head = _shifted(
            _shifted(self.words(self.begins) ^ _ZEROS, 16 - lengths, 4), 16 - lengths, 4
        )  # twice a half: 64 bits at once is too far
        tail = self.words(self.ends - 8) ^ _ZEROS
        if low < 8:
            short = (np.maximum(8 - lengths, 0) * 8).astype(np.uint64)
            tail = (tail >> short) << short
        return _value(tail, head, lengths)

    def decimals(self, power: int, pointed: bool) -> Ints | None:
        """Return each text · 10^power, exactly, when all are digits, and, if `pointed`, a point stands at one place from the end."""
        text = self.block[int(self.begins[0]) : int(self.ends[0])]
        behind = len(text) - 1 - text.rfind(b".") if b"." in text else 0
        if not behind:
            told = self.whole(min(MOST - power, 16))
            return None if told is None else told[0] * POWERS[power]
        points = self.ends - 1 - behind
        if not pointed or behind > min(power, 8) or not (points > self.begins).all():
            return None
        if not (np.frombuffer(self.block, np.uint8)[points] == POINT).all():
            return None
        before = Cells(self.block, self.begins, points).whole(min(MOST - power, 16))
        after = Cells(self.block, points + 1, self.ends).whole()
        return None if before is None or after is None else before[0] * POWERS[power] + after[0] * POWERS[power - behind]


def _shifted(words: Words, bytes_: Ints, unit: int = 8) -> Words:
    """Return the words with their first bytes moved to the end, zeros before them: what stands behind a text falls out."""
    words <<= (bytes_ * unit).astype(np.uint64)
    return words


def _value(tail: Words, head: Words | None, lengths: Ints) -> tuple[Ints, Ints] | None:
    """Return the numbers whose last eight digits and those before stand in these words, a digit a byte; None where one is no digit."""
    if odd(tail) or (head is not None and odd(head)):
        return None
    found = eight(tail)
    if head is not None:
        found += eight(head) * np.uint64(10**8)
    return found.view(np.int64), lengths


def odd(words: Words) -> bool:
    """Tell whether a byte is larger than nine."""
    return bool((((words + _LIMIT) | words) & _HIGH).any())


def eight(words: Words) -> Words:
    """Return the number of eight digits, the first in the lowest byte: neighbours are joined, then pairs, then fours."""
    words = (words * np.uint64(10 * 2**8 + 1)) >> np.uint64(8)
    words &= _PAIRS
    words *= np.uint64(100 * 2**16 + 1)
    words >>= np.uint64(16)
    words &= _FOURS
    words *= np.uint64(10_000 * 2**32 + 1)
    words >>= np.uint64(32)
    return words


class Grid(Mapping[str, pa.Array]):
    """The wanted columns of a block; one becomes an array when it is asked for."""

    def __init__(self, block: bytes, edges: npt.NDArray[np.int64], carriage: bool, wanted: Mapping[str, int]) -> None:
        self._block, self._edges, self._carriage, self._wanted = block, edges, carriage, wanted
        self._made: dict[str, pa.Array] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._wanted

    def __getitem__(self, name: str) -> pa.Array:
        if name not in self._made:
            self._made[name] = self.cells(name).array()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._wanted)

    def __len__(self) -> int:
        return len(self._wanted)

    def cells(self, name: str) -> Cells:
        """Return where the texts of a column stand."""
        at = self._wanted[name]
        begins = self._edges[:, at - 1] + 1 if at else np.append(0, self._edges[:-1, -1] + 1)
        last = at == self._edges.shape[1] - 1
        return Cells(self._block, begins, self._edges[:, at] - int(last and self._carriage))


def grid_of(block: bytes, delimiter: str, width: int, wanted: Mapping[str, int]) -> tuple[Grid, int] | None:
    """Return the columns of a block of whole lines without quotes, and its rows; None when a line has not `width` fields."""
    if width < 2 or len(block) < LEAST_BYTES or len(delimiter) != 1 or not delimiter.isascii():
        return None
    data: Bytes = np.frombuffer(block, np.uint8)
    marks = data == 10
    rows = int(np.count_nonzero(marks))
    marks |= data == ord(delimiter)
    places = np.flatnonzero(marks)
    if len(places) != rows * width:
        return None
    edges = places.reshape(rows, width)
    ends = edges[:, -1]
    carriage = b"\r" in block
    if (data[ends] != 10).any() or (carriage and (block.count(b"\r") != rows or (data[ends - 1] != 13).any())):
        return None
    return Grid(block, edges, carriage, wanted), rows
