"""How one table will be read: by a named format or by its headers, decided by its first 256 KiB."""

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from types import ModuleType
from typing import cast

import msgspec

from billing_audit.ledger import Note
from billing_audit.readers import headers, workbook
from billing_audit.readers.coding import Coding, detect, head_of, otherwise
from billing_audit.readers.formats.catalogue import FORMATS
from billing_audit.readers.headers import Header
from billing_audit.readers.layout import FIELDS, HEAD_BYTES, Field, Head, Layout
from billing_audit.readers.moments import Calendar, moment
from billing_audit.readers.sources import Piece
from billing_audit.readers.split import Shape, logical
from billing_audit.readers.two_lengths import told_apart
from billing_audit.readers.units import by_data
from billing_audit.readers.unreadable import Unreadable, unreadable

BY_HEADERS = "headers"
NUMBERS: tuple[Field, ...] = ("caller", "callee")
DELIMITERS = ",;\t|"
_DATE = re.compile(r"[\d年月日]{1,5}[-/.年][\w年月]{1,5}[-/.月]\d{1,4}日?(?:[ T]0?0:00(?::00)?)?")
_CLOCK = re.compile(r"(?:[AaPp][Mm]|上午|下午)?\s*\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*(?:[AaPp][Mm])?")
SAMPLED = 400  # rows of the head that are looked at
TEXT = Coding("utf-8", old_mac=False, mark=0)


@dataclass(frozen=True)
class Plan:
    """One table: where it comes from, its layout, shape of rows, first rows as cells, the header's cells, what was noticed."""

    piece: Piece
    name: str
    coding: Coding
    layout: Layout
    shape: Shape
    rows: tuple[tuple[str, ...], ...]
    header: tuple[str, ...]
    module: ModuleType | None = None
    sheet: int | None = None
    unknown: tuple[str, ...] = ()
    notes: tuple[Note, ...] = field(default=())


def plans(piece: Piece, columns: Mapping[str, str]) -> list[Plan]:
    """Return the tables of a piece: one, or each sheet of a workbook that holds calls. `columns`: field → header, as a person named."""
    strange = [name for name in columns if name not in FIELDS]
    if strange:
        raise unreadable(piece.name, "audit.unreadable.field", "audit.cure.fields", field=strange[0], known=", ".join(FIELDS))
    if piece.kind == "workbook":
        return _sheets(piece, columns)
    with piece.open() as stream:
        start = b""
        while len(start) < HEAD_BYTES and (more := stream.read(HEAD_BYTES - len(start))):
            start += more
    coding = detect(start, piece.name)
    try:
        return [_text_plan(piece, start, coding, columns)]
    except Unreadable:
        other = otherwise(start, coding)
        if other is None:
            raise
        try:  # the headers may be in the encoding of the fewer lines
            return [_text_plan(piece, start, other, columns)]
        except Unreadable:
            pass
        raise


def _text_plan(piece: Piece, start: bytes, coding: Coding, columns: Mapping[str, str]) -> Plan:
    """Return the plan of a text that is encoded so: by the first format that knows it, else by its headers."""
    text = head_of(start, coding)
    lines = tuple(text.split("\n")[:-1] if text.endswith("\n") else text.split("\n"))
    head = Head(piece.name, text, lines, "utf-8" if coding.encoding == "ascii" else coding.encoding, len(start) < HEAD_BYTES)
    for path in FORMATS.values():
        module = import_module(path)
        try:
            layout: Layout | None = module.detect(head)
        except (csv.Error, ValueError, LookupError):  # what breaks a format's look is not that format
            continue
        if layout is not None:
            return _named(piece, coding, head, layout, module, columns)
    return _by_headers(piece, coding, head, columns)


def _named(piece: Piece, coding: Coding, head: Head, layout: Layout, module: ModuleType, columns: Mapping[str, str]) -> Plan:
    if hasattr(module, "records"):
        return Plan(piece, piece.name, coding, layout, shape_of(layout, 0), (), (), module, notes=layout.notes)
    rows = cut(head.lines, layout.delimiter, layout.quote)
    titles = cut(head.lines[: layout.skip], layout.delimiter, layout.quote)
    header = tuple(titles[-1][1]) if titles else ()
    if columns:
        chosen = {name: _column(piece.name, value, header) for name, value in columns.items()}
        layout = msgspec.structs.replace(layout, columns={**layout.columns, **chosen})
    data = tuple(tuple(cells) for line, cells in rows if line > layout.skip)
    return Plan(piece, piece.name, coding, layout, shape_of(layout, _width(data, layout)), data, header, notes=layout.notes)


def shape_of(layout: Layout, width: int) -> Shape:
    """Return the shape of a layout's rows of so many fields."""
    wanted: dict[str, int] = {str(name): index for name, index in layout.columns.items() if name != "id"}
    if layout.only is not None:
        wanted["only"] = layout.only.index
    if layout.date is not None:
        wanted["date"] = layout.date
    return Shape(max([width, *(index + 1 for index in wanted.values())]), layout.delimiter, layout.quote, wanted)


def _width(rows: Sequence[Sequence[str]], layout: Layout) -> int:
    """Return how many fields most rows have that reach to the last wanted one."""
    least = max([index + 1 for index in layout.columns.values()], default=1)
    counts = Counter(len(cells) for cells in rows if len(cells) >= least)
    return max(counts, key=lambda width: (counts[width], width)) if counts else least


def cut(lines: Sequence[str], delimiter: str, quote: str = '"') -> list[tuple[int, list[str]]]:
    """Return line (from 1) and cells of the first rows."""
    found: list[tuple[int, list[str]]] = []
    at = 0
    while at < len(lines) and len(found) < SAMPLED:
        if not lines[at].strip("\r"):
            at += 1
            continue
        cells, count = logical(lines, at, delimiter, quote)
        found.append((at + 1, cells or [lines[at]]))
        at += count
    return found


def _by_headers(piece: Piece, coding: Coding, head: Head, columns: Mapping[str, str]) -> Plan:
    best: tuple[Header, str, list[tuple[int, list[str]]]] | None = None
    for delimiter in DELIMITERS:
        rows = cut(head.lines, delimiter)
        found = headers.find([cells for _, cells in rows])
        if found is not None and (best is None or len(found.columns) > len(best[0].columns)):
            best = found, delimiter, rows
    if best is None:
        return _by_numbers(piece, coding, head, columns)
    header, delimiter, rows = best
    line = rows[header.row][0] + "".join(rows[header.row][1]).count("\n")
    data = tuple(tuple(cells) for _, cells in rows[header.row + 1 :])
    layout, notes = layout_of(piece.name, header, rows[header.row][1], data, columns, delimiter, line)
    if header.row:
        notes = (*notes, Note("audit.note.titles", {"rows": header.row}))
    shape = shape_of(layout, _width(data, layout))
    return Plan(piece, piece.name, coding, layout, shape, data, tuple(rows[header.row][1]), unknown=header.unknown, notes=notes)


def _by_numbers(piece: Piece, coding: Coding, head: Head, columns: Mapping[str, str]) -> Plan:
    """Return the plan of a table without known headers, for which a person named the columns."""
    if not {"callee", "start"} <= columns.keys():
        raise unreadable(
            piece.name, "audit.unreadable.no_bill", "audit.cure.columns", 1, text=head.lines[0].strip()[:120] if head.lines else ""
        )
    best: tuple[str, list[tuple[int, list[str]]], int, tuple[str, ...]] | None = None
    for delimiter in DELIMITERS:
        rows = cut(head.lines, delimiter)
        at = next((at for at, (_, cells) in enumerate(rows[: headers.SEARCHED]) if _all_named(columns, cells)), -1)
        width = Counter(len(cells) for _, cells in rows).most_common(1)[0][0] if rows else 0
        if width > 1 and (best is None or (at >= 0, width) > (best[2] >= 0, len(best[1][0][1]))):
            best = delimiter, rows, at, tuple(rows[at][1]) if at >= 0 else ()
    if best is None:
        raise unreadable(
            piece.name, "audit.unreadable.no_bill", "audit.cure.columns", 1, text=head.lines[0].strip()[:120] if head.lines else ""
        )
    delimiter, rows, at, cells = best
    chosen: dict[Field, int] = {cast(Field, name): _column(piece.name, value, cells) for name, value in columns.items()}
    if at < 0:  # numbers only: a first row whose time is none is a header that we do not know
        first = rows[0][1]
        told = first[chosen["start"]] if chosen["start"] < len(first) else ""
        at = 0 if moment(told, Calendar("dmy"))[1] > 0 else -1
    data = tuple(tuple(row) for _, row in rows[at + 1 :])
    layout = Layout(format=BY_HEADERS, columns=chosen, delimiter=delimiter, skip=rows[at][0] if at >= 0 else 0, decimal="")
    layout = msgspec.structs.replace(layout, units=by_data(data, layout))
    return Plan(piece, piece.name, coding, layout, shape_of(layout, _width(data, layout)), data, cells)


def _all_named(columns: Mapping[str, str], cells: Sequence[str]) -> bool:
    known = {headers.bare(cell) for cell in cells}
    named = [value for value in columns.values() if not value.strip().isdecimal()]
    return bool(named) and all(headers.bare(value) in known for value in named)


def _column(name: str, value: str, cells: Sequence[str]) -> int:
    """Return the index of the column that a person named by its header or its number from 1."""
    told = value.strip()
    for same in (lambda cell: cell.strip() == told, lambda cell: headers.bare(cell) == headers.bare(told)):
        for index, cell in enumerate(cells):
            if same(cell):
                return index
    if told.isascii() and told.isdecimal() and 1 <= int(told[:6]) <= 4096:
        return int(told) - 1
    raise unreadable(name, "audit.unreadable.no_column", "audit.cure.inspect", column=told[:80])


def layout_of(
    name: str, header: Header, cells: Sequence[str], data: Sequence[Sequence[str]], columns: Mapping[str, str], delimiter: str, skip: int
) -> tuple[Layout, tuple[Note, ...]]:
    """Return the layout that headers, what a person named, and the first rows tell, with notes of what was chosen among several."""
    chosen: dict[Field, int] = dict(header.columns)
    chosen.update({cast(Field, field): _column(name, value, cells) for field, value in columns.items()})
    doubles = {field: names for field, names in header.doubles.items() if field not in columns and field != "start"}
    if not {"duration", "total", "billed"} & columns.keys():
        others = [at for at, cell in enumerate(cells) if cell.strip()[:60] in doubles.get("duration", ()) and at != chosen.get("duration")]
        apart_by_data = told_apart(chosen, others, data)
        if apart_by_data != chosen:
            chosen = apart_by_data
            doubles.pop("duration", None)
    said = {field: header.meanings[field] for field in header.meanings if field not in columns}
    units = {field: told.unit for field, told in said.items() if told.unit is not None}
    currency = next((told.currency for told in (said.get("charge"), said.get("rate")) if told and told.currency), "")
    per = said["rate"].per_s if "rate" in said else None
    apart = _apart(chosen, cells, data)
    if apart:
        chosen["start"] = apart[1]
    layout = Layout(
        format=BY_HEADERS,
        columns=chosen,
        delimiter=delimiter,
        skip=skip,
        units=units,
        decimal="",
        rate_per_s=per or 60,
        zone=next((told.zone for told in (said.get("start"), said.get("answer"), said.get("end")) if told and told.zone), ""),
        currency=currency,
        headers={field: cells[index].strip() for field, index in chosen.items() if index < len(cells)},
        date=apart[0] if apart else None,
    )
    layout = msgspec.structs.replace(layout, units=by_data(data, layout) | units)
    notes = [
        Note("audit.note.two_columns", {"field": field, "taken": told[0], "left": ", ".join(told[1:])}) for field, told in doubles.items()
    ]
    return layout, tuple(notes)


def _apart(columns: dict[Field, int], cells: Sequence[str], data: Sequence[Sequence[str]]) -> tuple[int, int] | None:
    """Return the columns of date and time of day where they stand apart: the start's column has only one of them, another the other."""
    if "start" not in columns:
        return None
    times = [index for index, cell in enumerate(cells) if (told := headers.meaning(cell)) is not None and told.field in ("start", "answer")]

    def all_are(index: int, wanted: re.Pattern[str]) -> bool:
        texts = [text for row in data[:50] if index < len(row) and (text := row[index].strip())]
        return bool(texts) and all(wanted.fullmatch(text) for text in texts)

    dates = [index for index in times if all_are(index, _DATE)]
    clocks = [index for index in times if all_are(index, _CLOCK)]
    return (dates[0], clocks[0]) if dates and clocks and columns["start"] in (*dates, *clocks) else None


def _sheets(piece: Piece, columns: Mapping[str, str]) -> list[Plan]:
    found: list[Plan] = []
    left: list[str] = []
    sheets = workbook.sheets(piece)
    for index, sheet in enumerate(sheets):
        head = workbook.rows(piece, index, frozenset(), SAMPLED)
        rows = [list(cells) for _, cells in head]
        header = headers.find(rows)
        if header is None:
            left.append(sheet)
            continue
        line = head[header.row][0]
        data = tuple(tuple(cells) for cells in rows[header.row + 1 :])
        layout, notes = layout_of(piece.name, header, rows[header.row], data, columns, "\t", line)
        shape = shape_of(layout, max(len(cells) for cells in rows))
        numeric = [
            name for name in NUMBERS if name in layout.columns and workbook.stored_as_numbers(piece, index, layout.columns[name], line)
        ]
        notes = (*notes, *(Note("audit.note.zeros_lost", {"column": layout.headers.get(name, name)}) for name in numeric))
        if len(sheets) > 1 and workbook.hidden(piece, index):
            notes = (*notes, Note("audit.note.hidden_sheet"))
        cells = tuple(rows[header.row])
        found.append(Plan(piece, f"{piece.name}:{sheet}", TEXT, layout, shape, data, cells, None, index, header.unknown, notes))
    if not found:
        raise unreadable(piece.name, "audit.unreadable.no_sheet", "audit.cure.columns", sheets=", ".join(sheets)[:200])
    if left:
        found[0] = replace(found[0], notes=(*found[0].notes, Note("audit.note.sheets", {"names": ", ".join(left)[:200]})))
    return [replace(found[0], name=piece.name)] if len(found) == 1 else found
