"""A planned table → batches of rows, whatever it is: delimited text, a sheet of a workbook, or what a format's own code finds."""

import csv
import hashlib
import io
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO, cast

import numpy as np
import pyarrow as pa

from billing_audit.ledger import Refused
from billing_audit.readers import workbook
from billing_audit.readers.coding import UTF_8, Block, blocks
from billing_audit.readers.digits import Ints
from billing_audit.readers.layout import FIELDS, Folded, Item, Record
from billing_audit.readers.plan import Plan
from billing_audit.readers.split import Rows, Shape, logical, split
from billing_audit.readers.unreadable import refusal, unreadable

SHEET_ROWS = 50_000  # of a workbook or of a format's own records in one batch
SAMPLED = 1_000  # items that are looked at for the first records
TIMES = ("start", "answer", "end")


@dataclass(frozen=True)
class Batch:
    """Rows of one block; the text of a row by its line; bytes read so far; what a format folded or refused itself."""

    rows: Rows
    text_of: Callable[[int], str]
    done: int
    parts: Ints | None = None
    folded: tuple[Folded, ...] = ()
    refused: tuple[Refused, ...] = field(default=())


class Hashed(io.RawIOBase):
    """A stream that gives what it reads to a digest too."""

    def __init__(self, inner: BinaryIO, digest: "hashlib._Hash") -> None:
        self._inner, self._digest = inner, digest

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes."""
        data = self._inner.read(size)
        self._digest.update(data)
        return data


def batches(plan: Plan, shape: Shape, digest: "hashlib._Hash | None" = None) -> Iterator[Batch]:
    """Yield the rows of a table with the columns that `shape` wants; `digest` takes the file's unpacked bytes."""
    if plan.sheet is not None:
        if digest is not None:
            digest.update(plan.piece.load())
            digest.update(str(plan.sheet).encode())
        yield from _of_sheet(plan, shape)
    elif plan.module is not None:
        yield from _of_records(plan, shape, digest)
    else:
        with plan.piece.open() as stream:
            for block in blocks(stream, plan.coding, plan.name, plan.layout.quote, digest):
                block = _behind(block, plan.layout.skip)  # noqa: PLW2901
                if block.data:
                    yield _batch(block, shape)


def _behind(block: Block, skip: int) -> Block:
    """Return the block without the lines that stand before the first row."""
    drop = skip + 1 - block.first
    if drop <= 0:
        return block
    at = 0
    for _ in range(drop):
        at = block.data.find(b"\n", at) + 1
        if at == 0:
            return Block(b"", block.first, block.bad, block.done)
    return Block(block.data[at:], block.first + drop, block.bad, block.done)


def _batch(block: Block, shape: Shape) -> Batch:
    rows = split(block.data, block.first, shape)
    text_of = _Lines(block, shape)
    if block.bad:
        rows = _without(rows, block.bad, text_of)
    return Batch(rows, text_of, block.done)


def _without(rows: Rows, bad: frozenset[int], text_of: Callable[[int], str]) -> Rows:
    """Return the rows with those torn whose line is not in the file's encoding."""
    wrong = np.isin(rows.lines, list(bad))
    good = pa.array(~wrong)
    torn = [(int(line), text_of(int(line)), refusal("audit.refused.encoding")) for line in rows.lines[wrong]]
    return Rows(rows.lines[~wrong], {name: array.filter(good) for name, array in rows.columns.items()}, rows.torn + torn, rows.empty)


class _Lines:
    """The text of a row of a block by the line that it begins in; the block is cut into lines when the first is asked for."""

    def __init__(self, block: Block, shape: Shape) -> None:
        self._block, self._shape = block, shape
        self._lines: list[bytes] = []

    def __call__(self, line: int) -> str:
        if not self._lines:
            self._lines = self._block.data.split(b"\n")
        at = line - self._block.first
        alone = self._lines[at]
        if self._shape.quote.encode() not in alone or not self._shape.quote:
            return alone.decode("utf-8", "replace").rstrip("\r")
        few = [text.decode("utf-8", "replace") for text in self._lines[at : at + 200]]
        _, count = logical(few, 0, self._shape.delimiter, self._shape.quote)
        return "\n".join(few[:count]).rstrip("\r")


def _of_sheet(plan: Plan, shape: Shape) -> Iterator[Batch]:
    times = frozenset(index for name, index in shape.wanted.items() if name in (*TIMES, "date"))
    rows = ((line, cells) for line, cells in workbook.each(plan.piece, plan.sheet or 0, times) if line > plan.layout.skip)
    while some := list(islice(rows, SHEET_ROWS)):
        texts = {line: "\t".join(cells) for line, cells in some}
        columns = {
            name: pa.array([(cells[index] if index < len(cells) else "").encode("utf-8", "replace") for _, cells in some], pa.binary())
            for name, index in shape.wanted.items()
        }
        lines = np.array([line for line, _ in some], np.int64)
        yield Batch(Rows(lines, columns), texts.__getitem__, plan.piece.size)


def items(plan: Plan, digest: "hashlib._Hash | None" = None) -> Iterator[tuple[Item, int]]:
    """Yield what a format's own code finds, and bytes read so far; Unreadable when it fails."""
    records = plan.module.records if plan.module is not None else None
    if records is None:
        return
    with plan.piece.open() as stream:
        hashed = Hashed(stream, digest) if digest is not None else stream
        encoding = plan.coding.encoding if plan.coding.encoding != "ascii" else UTF_8
        hashed.read(plan.coding.mark) if encoding.startswith("utf-16") else None
        text = io.TextIOWrapper(cast(BinaryIO, hashed), encoding=encoding, errors="replace", newline="")
        try:
            for item in records(text, plan.layout):
                yield item, stream.tell()
            while text.read(1 << 20):  # the digest is of the whole file
                pass
        except (ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RecursionError, csv.Error) as why:
            raise unreadable(plan.name, "audit.unreadable.format", "audit.cure.send_again", format=plan.layout.format) from why


def first_records(plan: Plan) -> list[Record]:
    """Return the first calls that a format's own code finds, among its first SAMPLED items."""
    return [item for item, _ in islice(items(plan), SAMPLED) if isinstance(item, Record)]


def _of_records(plan: Plan, shape: Shape, digest: "hashlib._Hash | None") -> Iterator[Batch]:
    wanted: list[str] = [name for name in FIELDS if name != "id" and (not shape.wanted or name in shape.wanted)]
    found = items(plan, digest)
    done = 0
    while some := list(islice(found, SHEET_ROWS)):
        done = some[-1][1]
        records = [item for item, _ in some if isinstance(item, Record)]
        columns = {name: pa.array([getattr(item, name).encode("utf-8", "replace") for item in records], pa.binary()) for name in wanted}
        lines = np.array([item.line for item in records], np.int64)
        parts = np.array([item.parts for item in records], np.int64)
        refused = tuple(Refused(plan.name, item.line, item.field, item.text, item.reason) for item, _ in some if isinstance(item, Refused))
        folded = tuple(item for item, _ in some if isinstance(item, Folded))
        yield Batch(Rows(lines, columns), _shown(records), done, parts, folded, refused)


def _shown(records: Sequence[Record]) -> Callable[[int], str]:
    at: dict[int, Record] = {item.line: item for item in records}

    def text_of(line: int) -> str:
        item = at[line]
        return item.raw or ", ".join(f"{name}={value}" for name in FIELDS if (value := getattr(item, name)))

    return text_of


def lines_of(plan: Plan, wanted: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Yield line and raw text of the rows that begin in these lines (ascending), in the order of the file."""
    if plan.sheet is not None:
        chosen = frozenset(wanted)
        times = frozenset(index for name, index in plan.shape.wanted.items() if name in TIMES)
        for line, cells in workbook.each(plan.piece, plan.sheet, times):
            if line in chosen:
                yield line, "\t".join(cells)
        return
    raw: Mapping[int, str] = {}
    if plan.module is not None:
        chosen = frozenset(wanted)
        raw = {item.line: item.raw for item, _ in items(plan) if isinstance(item, Record) and item.raw and item.line in chosen}
        yield from sorted(raw.items())
    left = [line for line in wanted if line not in raw]
    if not left:
        return
    at = 0
    with plan.piece.open() as stream:
        for block in blocks(stream, plan.coding, plan.name, plan.layout.quote):
            behind = bisect_right(left, block.first + block.data.count(b"\n") - 1)
            if behind > at:
                text_of = _Lines(block, plan.shape)
                for line in left[at:behind]:
                    yield line, text_of(line)
                at = behind
            if at == len(left):
                return
