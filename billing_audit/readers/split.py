"""Blocks of text become columns: by their delimiters where there are no quotes and every row is as it should be, else by pyarrow, and row
by row in Python where pyarrow leaves doubt.

What a row is: fields between delimiters, quoted as RFC 4180 says; a quote inside an unquoted field is a letter like any other; a quoted
field may hold line ends. Empty lines are no rows. A row with another number of fields than the file's is refused, unless what is too much
is empty.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv as arrow_csv

from billing_audit.ledger import Note
from billing_audit.readers.coding import newlines
from billing_audit.readers.digits import Ints
from billing_audit.readers.grid import grid_of
from billing_audit.readers.unreadable import refusal

MOST_LINES = 200  # lines that one quoted field may go over
MOST_TEXT = 300  # of a refused row that is shown
_QUOTE = 34
Torn = tuple[int, str, Note]
"""A row that could not be split: line, text, why."""


@dataclass(frozen=True)
class Shape:
    """Of every row of a file: fields, delimiter, quote ("" for none), and which columns are wanted under which names."""

    width: int
    delimiter: str
    quote: str
    wanted: Mapping[str, int]


@dataclass(frozen=True)
class Rows:
    """Rows of one block, in the order of the file: their lines, the wanted columns as binary arrays, and what could not be split."""

    lines: Ints
    columns: Mapping[str, pa.Array]
    torn: list[Torn] = field(default_factory=list)
    empty: int = 0

    @property
    def count(self) -> int:
        """Rows in the block: those in columns and those torn."""
        return len(self.lines) + len(self.torn)


def split(block: bytes, first: int, shape: Shape) -> Rows:
    """Return the rows of a block of whole lines (UTF-8, the last newline included) whose first line has this number."""
    if not shape.quote or shape.quote.encode() not in block:
        found = grid_of(block, shape.delimiter, shape.width, shape.wanted)
        if found is not None:
            return Rows(np.arange(first, first + found[1]), found[0])
    fast = _by_arrow(block, first, shape)
    return by_hand(block, first, shape) if fast is None else fast


def _by_arrow(block: bytes, first: int, shape: Shape) -> Rows | None:
    """Return the rows as pyarrow sees them; None where its rows can't be laid on the lines without doubt."""
    strange: list[tuple[int, str]] = []

    def skip(row: arrow_csv.InvalidRow) -> str:
        strange.append((row.number, row.text))
        return "skip"

    names = [str(index) for index in range(shape.width)]
    wanted = sorted({str(index) for index in shape.wanted.values()}, key=int)
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(block),
            read_options=arrow_csv.ReadOptions(use_threads=False, column_names=names, block_size=len(block) + 1),
            parse_options=arrow_csv.ParseOptions(
                delimiter=shape.delimiter, quote_char=shape.quote or False, newlines_in_values=True, invalid_row_handler=skip
            ),
            convert_options=arrow_csv.ConvertOptions(
                check_utf8=False, include_columns=wanted, column_types=dict.fromkeys(wanted, pa.binary()), null_values=[]
            ),
        )
    except pa.ArrowInvalid:
        return None
    rows = table.num_rows + len(strange)
    told = _lines_of(block, rows, shape)
    if told is None or any(number is None for number, _ in strange):
        return None
    lines, empty = told
    columns = {name: _whole(table.column(str(index))) for name, index in shape.wanted.items()}
    if not strange:
        return Rows(lines + first, columns, [], empty)
    odd = np.array([number - 1 for number, _ in strange], np.int64)
    good = np.delete(lines, odd) + first
    repaired = _collect([(int(lines[at]) + first, *_fields(text, shape)) for at, (_, text) in zip(odd, strange, strict=True)], shape)
    return _joined(Rows(good, columns, repaired.torn, empty), repaired)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return (
        column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.binary())
    )


def _joined(rows: Rows, more: Rows) -> Rows:
    if not len(more.lines):
        return rows
    lines = np.concatenate([rows.lines, more.lines])
    order = np.argsort(lines, kind="stable")
    columns = {name: pa.concat_arrays([rows.columns[name], more.columns[name]]).take(pa.array(order)) for name in rows.columns}
    return Rows(lines[order], columns, rows.torn, rows.empty)


def _lines_of(block: bytes, rows: int, shape: Shape) -> tuple[Ints, int] | None:
    """Return on which line of the block (from 0) each of so many rows begins, and how many are empty; None: can't be told."""
    total = newlines(block)
    data = np.frombuffer(block, np.uint8)
    quotes = np.flatnonzero(data == _QUOTE) if shape.quote and shape.quote.encode() in block else None
    if quotes is not None and not _well_quoted(data, quotes, ord(shape.delimiter)):
        return None
    if rows == total:
        return np.arange(rows), 0
    ends = np.flatnonzero(data == 10)
    starts = np.concatenate([[0], ends[:-1] + 1])
    empty = (ends == starts) | ((ends == starts + 1) & (data[starts] == 13))
    if quotes is None:
        found = np.flatnonzero(~empty)
        return (found, total - rows) if len(found) == rows else None
    inside = np.searchsorted(quotes, starts) % 2 == 1
    found = np.flatnonzero(~inside & ~empty)
    return (found, int(np.count_nonzero(~inside & empty))) if len(found) == rows else None


def _well_quoted(data: npt.NDArray[np.uint8], quotes: Ints, delimiter: int) -> bool:
    """Tell whether quotes open and close whole fields only, so that counting them says where a row ends."""
    if len(quotes) % 2:
        return False
    before = np.zeros(256, np.bool_)
    before[[delimiter, 10, _QUOTE]] = True
    behind = before.copy()
    behind[13] = True
    opens = before[data[np.maximum(quotes[::2] - 1, 0)]] | (quotes[::2] == 0)
    return bool(opens.all() and behind[data[np.minimum(quotes[1::2] + 1, len(data) - 1)]].all())


def by_hand(block: bytes, first: int, shape: Shape) -> Rows:
    """Return the rows of a block, each split in Python: what the fast way is held to."""
    lines = block.decode("utf-8", "replace").split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    found: list[tuple[int, list[str] | None, str]] = []
    at, empty = 0, 0
    while at < len(lines):
        if lines[at] in ("", "\r"):
            at, empty = at + 1, empty + 1
            continue
        fields, count = logical(lines, at, shape.delimiter, shape.quote)
        found.append((first + at, *_checked(fields, "\n".join(lines[at : at + count]), shape)))
        at += count
    rows = _collect(found, shape)
    return Rows(rows.lines, rows.columns, rows.torn, empty)


def logical(lines: Sequence[str], at: int, delimiter: str, quote: str = '"') -> tuple[list[str] | None, int]:
    """Return the fields of the row that begins at this line and how many lines it takes; None for a quote that never closes."""
    text = lines[at]
    if not quote or quote not in text:
        return text.removesuffix("\r").split(delimiter), 1
    for count in range(1, min(MOST_LINES, len(lines) - at) + 1):
        if count > 1:
            text += "\n" + lines[at + count - 1]
        try:
            rows = list(csv.reader([text.removesuffix("\r")], delimiter=delimiter, quotechar=quote, strict=True))
        except csv.Error as why:
            if "unexpected end of data" in str(why):
                continue
            try:
                rows = list(csv.reader([text.removesuffix("\r")], delimiter=delimiter, quotechar=quote))
            except csv.Error:
                break
        return (rows[0] if len(rows) == 1 else None), count
    return None, 1


def _fields(text: str | bytes, shape: Shape) -> tuple[list[str] | None, str]:
    told = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    lines = told.split("\n")
    fields, count = logical(lines, 0, shape.delimiter, shape.quote)
    return _checked(fields if count == len(lines) else None, told, shape)


def _checked(fields: list[str] | None, text: str, shape: Shape) -> tuple[list[str] | None, str]:
    """Return the fields if they are as many as they should be, with the text of the row."""
    told = text.removesuffix("\r")
    if fields is not None and len(fields) > shape.width and not any(extra.strip() for extra in fields[shape.width :]):
        return fields[: shape.width], told
    return fields, told


def _collect(found: list[tuple[int, list[str] | None, str]], shape: Shape) -> Rows:
    """Return rows as columns; those with a wrong number of fields, or none, are torn."""
    torn: list[Torn] = []
    good: list[tuple[int, list[str]]] = []
    for line, fields, text in found:
        if fields is None:
            torn.append((line, text, refusal("audit.refused.quote")))
        elif len(fields) != shape.width:
            torn.append((line, text, refusal("audit.refused.cells", found=len(fields), expected=shape.width)))
        else:
            good.append((line, fields))
    columns = {name: pa.array([fields[index].encode() for _, fields in good], pa.binary()) for name, index in shape.wanted.items()}
    return Rows(np.array([line for line, _ in good], np.int64), columns, torn)
