"""The rows of a deck's files as texts, with their lines: CSV in the encodings that are met, and the sheets of a workbook."""

import csv
import io
import stat
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec
import python_calamine as calamine

from billing_audit.ledger import Note
from billing_audit.readers.sources import is_workbook, pieces
from billing_audit.readers.unreadable import Unreadable

MOST_BYTES: Final = 256 << 20
_WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")  # XLSX; XLS, or an encrypted XLSX


class Row(msgspec.Struct, frozen=True):
    """One row: its line in the file (of a sheet: its row), its cells."""

    line: int
    cells: tuple[str, ...]


class Sheet(msgspec.Struct, frozen=True):
    """One table of a file: how it is called in messages, its delimiter ("" in a workbook), its rows, empty ones left out."""

    name: str
    delimiter: str
    rows: tuple[Row, ...]


def unusable(file: str, reason: str, **values: str | int) -> Unreadable:
    """Return the error of a deck that can't be used, with its cure."""
    return Unreadable(file, None, Note(f"audit.unreadable.deck_{reason}", dict(values)), Note(f"audit.cure.deck_{reason}"))


def open_sheets(path: Path) -> tuple[Sheet, ...]:
    """Return the tables of a file, or of all files in a gzip or zip; Unreadable when it is none, OSError when it can't be opened."""
    told = path.stat()
    if not stat.S_ISREG(told.st_mode):  # a pipe would be waited for without end
        raise unusable(str(path), "regular")
    if told.st_size > MOST_BYTES:
        raise unusable(str(path), "large", mib=told.st_size >> 20, most=MOST_BYTES >> 20)
    content = path.read_bytes()
    if content.startswith(b"\x1f\x8b") or (content.startswith(b"PK\x03\x04") and not is_workbook(content)):
        return tuple(sheet for piece in pieces([path]) for sheet in _sheets(piece.name, piece.load()))
    return _sheets(str(path), content)


def _sheets(path: str, content: bytes) -> tuple[Sheet, ...]:
    if len(content) > MOST_BYTES:
        raise unusable(path, "large", mib=len(content) >> 20, most=MOST_BYTES >> 20)
    if content.startswith(b"%PDF"):
        raise unusable(path, "pdf")
    if content.startswith(_WORKBOOKS):
        return tuple(_workbook(path, content))
    return (_table(path, _decoded(path, content)),)


def _decoded(path: str, content: bytes) -> str:
    """Return the text: UTF-8 (with or without mark), UTF-16, or GB18030, which takes what is not UTF-8 if all of it fits."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif content[:200].count(0) > len(content[:200]) // 4:
        encodings = ["utf-16-le" if content[1:200:2].count(0) > content[0:200:2].count(0) else "utf-16-be"]
    else:
        encodings = ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise unusable(path, "encoding")


def _table(path: str, text: str) -> Sheet:
    if "\0" in text:
        raise unusable(path, "encoding")
    delimiter = _delimiter(text)
    rows: list[Row] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    before = 0
    try:
        for cells in reader:
            line, before = before + 1, reader.line_num
            if any(map(str.strip, cells)):
                rows.append(Row(line, tuple(cell.strip() for cell in cells)))
    except csv.Error as why:
        raise Unreadable(path, reader.line_num, Note("audit.unreadable.deck_csv", {"why": str(why)}), Note("audit.cure.deck_csv")) from why
    return Sheet(path, delimiter, tuple(rows))


def _delimiter(text: str) -> str:
    """Return the delimiter that cuts most of the first lines into equally many columns."""
    lines = [line for line in text[: 1 << 16].splitlines()[:60] if line.strip()]
    best, score = ",", (0, 0)
    for delimiter in (",", ";", "\t", "|"):
        counts = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if len(row) > 1)
        if counts:
            columns, often = max(counts.items(), key=lambda pair: (pair[1], pair[0]))
            if (often, columns) > score:
                best, score = delimiter, (often, columns)
    return best


def _workbook(path: str, content: bytes) -> Iterator[Sheet]:
    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        names = list(book.sheet_names)
    except calamine.PasswordError as why:
        raise unusable(path, "password") from why
    except (calamine.CalamineError, OSError, ValueError) as why:
        raise unusable(path, "workbook", why=str(why)[:200]) from why
    for name in names:
        try:
            told = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
        except (calamine.CalamineError, OSError, ValueError) as why:
            raise unusable(path, "workbook", why=str(why)[:200]) from why
        rows = (Row(line, tuple(_text(cell) for cell in cells)) for line, cells in enumerate(told, 1))
        yield Sheet(f"{path}[{name}]" if len(names) > 1 else path, "", tuple(row for row in rows if any(row.cells)))


def _text(cell: object) -> str:
    """Return a cell as text; a number in the 15 digits that spreadsheets keep, so that 0.1 + 0.2 is 0.3."""
    match cell:
        case str():
            return cell.strip()
        case bool():
            return str(cell)
        case float():
            return f"{Decimal(f'{cell:.15g}'):f}" if abs(cell) < 1e300 else str(cell)
        case datetime():
            return cell.isoformat(" ") if cell.time() != time(0) else cell.date().isoformat()
        case date():
            return cell.isoformat()
    return "" if cell is None else str(cell)
