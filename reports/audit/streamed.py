"""Fills prepared sheets of a workbook with rows as text of SpreadsheetML (ECMA-376 part 1, 18.3.1): five times as fast as cell by cell.

The workbook is made as usual; a sheet to be filled has one template row in which each column has its format. Here the template is
replaced by the rows, one batch in memory at a time.
"""

import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Final

Rows = Callable[[Sequence[str]], Iterator[bytes]]
"""Given the style index of each column: the rows' XML, in blocks."""

MOST_TEXT: Final = 32_767  # characters of a cell
EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # as xlsxwriter dates its members: the same content is the same bytes
_LEVEL: Final = 4
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_LOOKS_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_STYLE = re.compile(rb'<c r="[A-Z]+\d+"(?: s="(\d+)")?/>')


def cell_text(text: str) -> str:
    """Return a text as a cell may hold it: control characters (but tab and line feed) written out, and no longer than a cell."""
    if _CONTROL.search(text):
        text = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    if len(text) > MOST_TEXT:
        text = text[: MOST_TEXT - 1] + "…"
    return text + " " if text.startswith("<r>") and text.endswith("</r>") else text  # xlsxwriter takes that for rich text


def xml_text(text: str) -> str:
    """Return a text as the content of an XML element of SpreadsheetML."""
    text = cell_text(text)
    if "_x" in text:
        text = _LOOKS_ESCAPED.sub("_x005F_", text)
    if "&" in text or "<" in text or ">" in text:
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text


def letters(column: int) -> str:
    """Return the name of a column counted from 0: A … Z, AA …"""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def fill(prepared: IO[bytes], out: IO[bytes], sheets: Mapping[int, tuple[int, int, Rows]]) -> None:
    """Write the prepared workbook to `out` with rows in the sheets (by number, from 1): (template row from 1, rows that come, rows)."""
    with zipfile.ZipFile(prepared) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as target:
        wanted = {f"xl/worksheets/sheet{number}.xml": task for number, task in sheets.items()}
        for member in source.infolist():
            entry = zipfile.ZipInfo(member.filename, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            data = source.read(member)
            with target.open(entry, "w", force_zip64=member.filename in wanted) as stream:
                if member.filename not in wanted:
                    stream.write(data)
                    continue
                _pour(data, stream, *wanted[member.filename])


def _pour(data: bytes, stream: IO[bytes], template: int, count: int, rows: Rows) -> None:
    found = re.search(rb'<row r="%d"[^>]*>(.*?)</row>' % template, data)
    if found is None:
        raise ValueError(f"the sheet has no template row {template}")
    styles = [style.decode() if style else "0" for style in _STYLE.findall(found[1])]
    last = letters(len(styles) - 1)
    head = re.sub(
        rb'<dimension ref="[^"]*"', b'<dimension ref="A1:%s%d"' % (last.encode(), template + max(0, count - 1)), data[: found.start()]
    )
    stream.write(head)
    for block in rows(styles):
        stream.write(block)
    stream.write(data[found.end() :])
