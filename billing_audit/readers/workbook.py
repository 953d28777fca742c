"""Workbooks (XLSX, .xls, .ods) → rows of texts, so that the same conversions read them; what Excel did is undone or left to be named."""

import io
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetVisibleEnum, ZipError

from billing_audit.readers.error_cells import counts_from_1904, error_cells
from billing_audit.readers.sources import Piece, is_workbook
from billing_audit.readers.unreadable import unreadable

_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_LOCKED = "EncryptedPackage".encode("utf-16-le")
_FIRST_SERIAL, _LAST_SERIAL = 32_874, 73_051  # 1990 … 2099
_DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - Excel's times have no zone
_DAY_ZERO_1904 = datetime(1904, 1, 1)  # noqa: DTZ001 - as Excel for the Macintosh counted
MOST_SHEETS = 256
SAMPLED = 200
ERROR = "#ERROR!"  # what stands for #REF!, #N/A and their like


@lru_cache(maxsize=2)
def _broken(piece: Piece, sheet: str) -> frozenset[tuple[int, int]]:
    return error_cells(piece.load(), sheet)


@lru_cache(maxsize=2)
def _zero(piece: Piece) -> datetime:
    return _DAY_ZERO_1904 if counts_from_1904(piece.load()) else _DAY_ZERO


@lru_cache(maxsize=2)
def _open(piece: Piece) -> CalamineWorkbook:
    data = piece.load()
    if data.startswith(_OLE) and _LOCKED in data:
        raise unreadable(piece.name, "audit.unreadable.locked", "audit.cure.unlock")
    if data.startswith(b"PK\x03\x04") and not is_workbook(data):
        raise unreadable(piece.name, "audit.unreadable.nested", "audit.cure.unpack")
    try:
        return CalamineWorkbook.from_filelike(io.BytesIO(data))
    except PasswordError as why:
        raise unreadable(piece.name, "audit.unreadable.locked", "audit.cure.unlock") from why
    except (CalamineError, ZipError, zipfile.BadZipFile, OSError, ValueError) as why:
        raise unreadable(piece.name, "audit.unreadable.workbook", "audit.cure.export_csv") from why
    except BaseException as why:  # a Rust panic is no Exception; a broken workbook must not end the audit
        if isinstance(why, KeyboardInterrupt | SystemExit | MemoryError):
            raise
        raise unreadable(piece.name, "audit.unreadable.workbook", "audit.cure.export_csv") from why


def sheets(piece: Piece) -> list[str]:
    """Return the names of the sheets."""
    return list(_open(piece).sheet_names)[:MOST_SHEETS]


def hidden(piece: Piece, index: int) -> bool:
    """Tell whether a sheet is hidden from who opens the workbook."""
    return _open(piece).sheets_metadata[index].visible != SheetVisibleEnum.Visible


def rows(piece: Piece, index: int, times: frozenset[int], most: int | None = None) -> list[tuple[int, tuple[str, ...]]]:
    """Return row number (from 1) and texts of the rows that hold anything; in the columns of `times` numbers are Excel's days."""
    return list(each(piece, index, times, most))


def stored_as_numbers(piece: Piece, index: int, column: int, begin: int) -> bool:
    """Tell whether the first cells of a column behind row `begin` are numbers, so that zeros in front of them, if any, are lost."""
    sheet = _open(piece).get_sheet_by_index(index)
    table: list[list[Any]] = sheet.to_python(skip_empty_area=False, nrows=begin + SAMPLED)
    cells = [row[column] for row in table[begin:] if column < len(row) and row[column] not in ("", None)]
    return bool(cells) and sum(isinstance(cell, float | int) for cell in cells) * 2 > len(cells)


def each(piece: Piece, index: int, times: frozenset[int], most: int | None = None) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield row number and texts of the rows that hold anything."""
    try:
        sheet = _open(piece).get_sheet_by_index(index)
        begin = (sheet.start or (0, 0))[0]
        table: list[list[Any]] = sheet.to_python(skip_empty_area=False, nrows=None if most is None else begin + most)
    except (CalamineError, ZipError, OSError, ValueError) as why:
        raise unreadable(piece.name, "audit.unreadable.workbook", "audit.cure.export_csv") from why
    broken = _broken(piece, sheet.name)
    zero = _zero(piece)
    rows_broken = {row for row, _ in broken}
    # a workbook keeps a moment at midnight as its day alone: where others of the column have a time of day, it is 00:00:00
    timed = {place for place in times if any(place < len(cells) and isinstance(cells[place], datetime) for cells in table)}
    for number, cells in enumerate(table, 1):
        told = tuple(day(cell, zero, place in timed) if place in times else text(cell) for place, cell in enumerate(cells))
        if number in rows_broken:
            told = tuple(ERROR if (number, place) in broken else cell for place, cell in enumerate(told))
        if any(told):
            yield number, told


def text(cell: Any) -> str:
    """Return what a cell says: numbers with the 15 digits that Excel keeps, times as ISO, spans as h:mm:ss."""
    if isinstance(cell, str):
        return cell.replace("\x00", "")
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, int):
        return str(cell)
    if isinstance(cell, float):
        return _number(cell)
    if isinstance(cell, datetime):
        rounded = cell + timedelta(microseconds=500) if cell.microsecond else cell
        return rounded.strftime("%Y-%m-%d %H:%M:%S") + (f".{rounded.microsecond // 1000:03d}" if rounded.microsecond // 1000 else "")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, time):
        return _span(timedelta(hours=cell.hour, minutes=cell.minute, seconds=cell.second, microseconds=cell.microsecond))
    return _span(cell) if isinstance(cell, timedelta) else str(cell)


def day(cell: Any, zero: datetime = _DAY_ZERO, timed: bool = False) -> str:
    """Return what a cell in a column of times says: a number in the range of Excel's days, counted from `zero`, is a time.

    With `timed` the column holds moments, and a day without a time is midnight.
    """
    if timed and isinstance(cell, date) and not isinstance(cell, datetime):
        return text(datetime.combine(cell, time()))
    if isinstance(cell, float | int) and not isinstance(cell, bool) and _FIRST_SERIAL <= cell + (zero - _DAY_ZERO).days < _LAST_SERIAL:
        milliseconds = int((Decimal(repr(cell)) * 86_400_000).to_integral_value())
        return text(zero + timedelta(milliseconds=milliseconds))
    return text(cell)


def _number(value: float) -> str:
    told = f"{value:.15g}"
    if "e" not in told and "n" not in told:
        return told
    if "n" in told or value >= 1e15:  # digits are lost: left as 1.23e+16, which numbers refuse by name
        return told
    return f"{Decimal(told):f}"


def _span(value: timedelta) -> str:
    milliseconds = (value + timedelta(microseconds=500)) // timedelta(milliseconds=1)
    seconds, rest = divmod(milliseconds, 1000)
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    told = f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{told}.{rest:03d}" if rest else told


def release() -> None:
    """Forget the workbooks that are held open."""
    _open.cache_clear()
    _broken.cache_clear()
    _zero.cache_clear()
