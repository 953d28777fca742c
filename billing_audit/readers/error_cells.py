"""What the parser of workbooks leaves out: which cells of an XLSX sheet hold an error (#REF!, #N/A), and from when its days count.

The parser gives a cell with an error as empty, and empty would be "not there".
"""

import html
import io
import re
import zipfile
import zlib

_SHEET = re.compile(rb"<(?:\w+:)?sheet\s[^>]*>")
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\s[^>]*>")
_CELL = re.compile(rb"<(?:\w+:)?c\s[^>]*>")
_FROM_1904 = re.compile(rb"<(?:\w+:)?workbookPr\s[^>]*date1904=\"(?:1|true)\"")
_MARK = b't="e"'
MOST_PART = 1 << 30
MOST_CELLS = 100_000


def error_cells(data: bytes, sheet: str) -> frozenset[tuple[int, int]]:
    """Return row (from 1) and column (from 0) of the error cells of a sheet of this XLSX file; none where it is no XLSX."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            part = _part(archive, sheet)
            if part is None or archive.getinfo(part).file_size > MOST_PART:
                return frozenset()
            xml = archive.read(part)
    except (KeyError, OSError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return frozenset()
    found: set[tuple[int, int]] = set()
    at = xml.find(_MARK)
    while at >= 0 and len(found) < MOST_CELLS:
        begin = xml.rfind(b"<", 0, at)
        cell = _CELL.match(xml, begin)
        place = re.search(rb'\sr="([A-Z]{1,3})(\d{1,7})"', cell[0]) if cell else None
        if place:
            column = 0
            for letter in place[1]:
                column = column * 26 + letter - 64
            found.add((int(place[2]), column - 1))
        at = xml.find(_MARK, at + 1)
    return frozenset(found)


def counts_from_1904(data: bytes) -> bool:
    """Tell whether this XLSX file counts its days from 1904 (workbookPr/@date1904 of ECMA-376); False where it is no XLSX."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if archive.getinfo("xl/workbook.xml").file_size > MOST_PART:
                return False
            return _FROM_1904.search(archive.read("xl/workbook.xml")) is not None
    except (KeyError, OSError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return False


def _part(archive: zipfile.ZipFile, sheet: str) -> str | None:
    """Return the path of a sheet inside the archive, by the workbook's list of sheets and its relations."""
    listed = archive.read("xl/workbook.xml")
    relations = {_of(item, "Id"): _of(item, "Target") for item in _RELATION.findall(archive.read("xl/_rels/workbook.xml.rels"))}
    for item in _SHEET.findall(listed):
        if _of(item, "name") == sheet:
            target = relations.get(_of(item, r"\w+:id"), "")
            return target.lstrip("/") if target.startswith("/") else f"xl/{target}" if target else None
    return None


def _of(tag: bytes, name: str) -> str:
    found = re.search(rb"\s" + name.encode() + rb'="([^"]*)"', tag)
    return html.unescape(found[1].decode("utf-8", "replace")) if found else ""
