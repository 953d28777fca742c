"""Times as bills write them → ms. One text at a time by `moment`, whole columns in the commonest notation by arithmetic."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from billing_audit.ledger import MISSING
from billing_audit.readers.digits import Bools, Ints, Texts
from billing_audit.readers.unreadable import FLAG, REMARK

Order = Literal["dmy", "mdy", "both", "unknown"]
MOST_TEXT = 64
DAY_MS = 86_400_000
FIRST_YEAR, LAST_YEAR = 1990, 2099
ISO_LENGTHS = (19, 20, 23, 24)
NAIVE = 1 << 60  # added to the ms of a time without a zone, so that one integer says both
_MONTH_STARTS = np.arange("1970-01", "2101-01", dtype="M8[M]").astype("M8[D]").astype(np.int64)
_MONTH_LENGTHS = np.diff(_MONTH_STARTS)
_MONTHS = {name: n for n, name in enumerate(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1)}

_YMD = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})")
_CHINESE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日?")
_XXY = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})")
_NAMED = re.compile(r"(\d{1,2})[-\s]([A-Za-z]{3})[a-z]*[-\s,]+(\d{4}|\d{2})")
_NAMED_US = re.compile(r"([A-Za-z]{3})[a-z]*\s+(\d{1,2}),?\s+(\d{4})")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:[T\s]?(\d{2})(\d{2})(\d{2})(?:\.?(\d{1,6}))?)?(Z|[+\-]\d{2}:?\d{2})?")
_EPOCH = re.compile(r"([12]\d{9})(?:\.(\d{1,9})|\.)?|([12]\d{12})(?:\.0+)?|([12]\d{15})")
_TIME = re.compile(
    r"(?P<before>上午|下午)?\s*(\d{1,2})(?:[:时](\d{2})(?:[:分](\d{2})秒?(?:[.,](\d{1,9}))?)?)?[分]?\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*"
    r"(?P<zone>Z|UTC|GMT|[+\-]\d{2}:?\d{2}|(?:UTC|GMT)[+\-]\d{1,2}(?::?\d{2})?)?"
)


@dataclass(frozen=True)
class Calendar:
    """How this file writes dates: the order of d/m/y as it proved, and whether year-first dates are ones that Excel turned round."""

    order: Order = "unknown"
    turned: bool = False


def _day(year: int, month: int, day: int) -> int | None:
    """Return the day since 1970; None when there is no such date."""
    if not (FIRST_YEAR <= year <= LAST_YEAR and 1 <= month <= 12):
        return None
    index = (year - 1970) * 12 + month - 1
    return int(_MONTH_STARTS[index]) + day - 1 if 1 <= day <= _MONTH_LENGTHS[index] else None


def date(text: str, calendar: Calendar) -> tuple[int, int]:
    """Return the day since 1970 and the flag of a date text."""
    remark = 0
    if found := _YMD.fullmatch(text) or _CHINESE.fullmatch(text):
        if calendar.turned:
            return MISSING, FLAG["date_turned"]
        parts = [int(part) for part in found.groups() if part.isdecimal()]
        day = _day(parts[0], parts[1], parts[2])
    elif found := _XXY.fullmatch(text):
        first, mark, second, year = int(found[1]), found[2], int(found[3]), int(found[4])
        if len(found[4]) == 2:
            year, remark = year + 2000, REMARK["two_digit_year"]
        order = "dmy" if mark == "." or first > 12 else "mdy" if second > 12 else "dmy" if first == second else calendar.order
        if order in ("both", "unknown"):
            return MISSING, FLAG["time_ambiguous"]
        day = _day(year, second, first) if order == "dmy" else _day(year, first, second)
    elif found := _NAMED.fullmatch(text):
        year = int(found[3]) + (2000 if len(found[3]) == 2 else 0)
        day = _day(year, _MONTHS.get(found[2].lower(), 0), int(found[1]))
    elif found := _NAMED_US.fullmatch(text):
        day = _day(int(found[3]), _MONTHS.get(found[1].lower(), 0), int(found[2]))
    else:
        day = None
    return (MISSING, FLAG["time"]) if day is None else (day, remark)


def _is_clock(hour: int, minute: int, second: int) -> bool:
    """Tell whether there is such a time of day: 24:00:00 ends one (ISO 8601:2004), and a leap second is the last of its hour."""
    return (hour < 24 and minute < 60 and (second < 60 or (minute == 59 and second == 60))) or (hour == 24 and minute == second == 0)


def clock(text: str) -> tuple[int, int]:
    """Return ms of the day (a zone already taken off, else + NAIVE) and the flag of a time text."""
    found = _TIME.fullmatch(text)
    if not found or (found[3] is None and not (found["half"] or found["before"])):
        return MISSING, FLAG["time"]
    hour, minute, second = int(found[2]), int(found[3] or 0), int(found[4] or 0)
    half = (found["half"] or "").lower().replace(".", "") or {"上午": "am", "下午": "pm"}.get(found["before"] or "", "")
    if half:
        if not 1 <= hour <= 12:
            return MISSING, FLAG["time"]
        hour = hour % 12 + (12 if half == "pm" else 0)
    if not _is_clock(hour, minute, second):
        return MISSING, FLAG["time"]
    ms = ((hour * 60 + minute) * 60 + second) * 1000 + int((found[5] or "0").ljust(3, "0")[:3])
    zone = _zone_ms(found["zone"])
    return (ms + NAIVE if zone is None else ms - zone), 0 if found[4] else REMARK["minutes_only"]


def _zone_ms(text: str | None) -> int | None:
    if not text:
        return None
    told = text.removeprefix("UTC").removeprefix("GMT")
    if told in ("", "Z"):
        return 0
    bare = told[1:].replace(":", "")
    hours, minutes = (int(bare), 0) if len(bare) <= 2 else (int(bare[:-2]), int(bare[-2:]))
    return (hours * 60 + minutes) * 60_000 * (-1 if told[0] == "-" else 1)


def moment(text: str, calendar: Calendar) -> tuple[int, int]:
    """Return UTC ms (+ NAIVE when the text names no zone; MISSING for "") and the flag of one time text in any notation."""
    told = text.strip().strip("'\"").strip()
    if not told or told.lower() in ("null", "none", "n/a", "-", "--", "\\n", "0", "0000-00-00 00:00:00", "1970-01-01 00:00:00"):
        return MISSING, 0
    if len(told) > MOST_TEXT:
        return MISSING, FLAG["time"]
    if found := _EPOCH.fullmatch(told):
        if found[1]:
            return int(found[1]) * 1000 + int((found[2] or "0").ljust(3, "0")[:3]), 0
        return (int(found[3]), 0) if found[3] else (int(found[4]) // 1000, 0)
    if found := _COMPACT.fullmatch(told):
        return _compact(found)
    split = re.fullmatch(r"(.*\d[年月日\d]*|.*\d{4})(?:[T\s]+|(?<=日))((?:上午|下午)?\s?\S*:.*|\S*时.*|\d{1,2}\s*[AaPp]\.?[Mm]\.?)", told)
    if not split:
        day, flag = date(told, calendar)
        return MISSING, flag if flag > 0 else FLAG["date_only"]
    day, flag = date(split[1].strip(), calendar)
    ms, remark = clock(split[2].strip())
    if flag > 0 or remark > 0:
        return MISSING, max(flag, remark)
    return day * DAY_MS + ms, flag or remark


def _compact(found: re.Match[str]) -> tuple[int, int]:
    day = _day(int(found[1]), int(found[2]), int(found[3]))
    if day is None:
        return MISSING, FLAG["time"]
    if found[4] is None:
        return MISSING, FLAG["date_only"]
    hour, minute, second = int(found[4]), int(found[5]), int(found[6])
    if not _is_clock(hour, minute, second):
        return MISSING, FLAG["time"]
    ms = day * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + int((found[7] or "0").ljust(3, "0")[:3])
    zone = _zone_ms(found[8])
    return (ms + NAIVE if zone is None else ms - zone), 0


def iso(column: Texts) -> tuple[Ints, Bools]:
    """Return ms (+ NAIVE, or UTC behind "Z") of a column in which every text is `2026-10-01 08:05:09`, also with T, /, .123 or Z.

    The second array says which are such times; all False when the texts have not one length.
    """
    rows = len(column)
    width = len(column.data) // rows if rows else 0
    if width not in ISO_LENGTHS or not (column.offsets == np.arange(rows + 1) * width).all():
        return np.zeros(rows, np.int64), np.zeros(rows, np.bool_)
    grid = np.ascontiguousarray(column.data.reshape(rows, width).T)  # a row of the grid is one place of all texts
    value = (grid - 48).view(np.uint8)
    places = (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18, *((20, 21, 22) if width > 20 else ()))
    ok = (value[list(places)] <= 9).all(axis=0)
    ok &= ((grid[4] == 45) | (grid[4] == 47)) & (grid[7] == grid[4]) & ((grid[10] == 32) | (grid[10] == 84))
    ok &= (grid[13] == 58) & (grid[16] == 58)
    if width > 20:
        ok &= grid[19] == 46
    if width in (20, 24):
        ok &= grid[width - 1] == 90

    def two(place: int) -> Ints:
        pair: Ints = value[place] * np.int64(10) + value[place + 1]
        return pair

    year, month, day = two(0) * 100 + two(2), two(5), two(8)
    hour, minute, second = two(11), two(14), two(17)
    ok &= (year >= FIRST_YEAR) & (year <= LAST_YEAR) & (month >= 1) & (month <= 12) & (hour < 24) & (minute < 60) & (second < 60)
    index = np.where(ok, (year - 1970) * 12 + month - 1, 0)
    ok &= (day >= 1) & (day <= _MONTH_LENGTHS[index])
    ms = ((((_MONTH_STARTS[index] + day - 1) * 24 + hour) * 60 + minute) * 60 + second) * 1000
    if width > 20:
        ms += value[20] * np.int64(100) + two(21)
    return ms if width in (20, 24) else ms + NAIVE, ok


def halves(column: Texts) -> tuple[pa.Array, Ints]:
    """Return date and time of day of the texts with one space in them, alternately in one binary array, and which rows these are."""
    spaces = np.flatnonzero(column.data == 32)
    row = np.searchsorted(column.offsets[1:], spaces, side="right")
    rows = np.flatnonzero(np.bincount(row, minlength=len(column)) == 1)
    if len(rows) < len(column):
        return pa.array([], pa.binary()), np.zeros(0, np.int64)
    keep = np.ones(len(column.data), np.bool_)
    keep[spaces] = False
    offsets = np.empty(2 * len(column) + 1, np.int32)
    offsets[::2] = column.offsets - np.arange(len(column) + 1)
    offsets[1::2] = spaces - np.arange(len(column))
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(column.data[keep])]
    return pa.Array.from_buffers(pa.binary(), 2 * len(column), buffers), rows


def day_and_clock(column: Texts, parse: Callable[[bytes], tuple[int, int]]) -> tuple[Ints, npt.NDArray[np.int16], Bools]:
    """Return ms, flag, and which rows were read, of a column in which every text is a date, one space and a time of day.

    `parse` gives the day since 1970 of a date and the ms of a time of day: each different one is read once.
    """
    array, rows = halves(column)
    nothing = np.zeros(len(column), np.bool_)
    if not len(rows):
        return np.zeros(len(column), np.int64), np.zeros(len(column), np.int16), nothing
    coded = array.dictionary_encode()
    answers = [parse(text) for text in coded.dictionary.to_pylist()]
    indices = np.asarray(coded.indices).reshape(-1, 2)
    values = np.array([value for value, _ in answers], np.int64)[indices]
    flags = np.array([flag for _, flag in answers], np.int16)[indices]
    is_clock = np.array([b":" in text for text in coded.dictionary.to_pylist()], np.bool_)[indices]
    ok = (flags <= 0).all(axis=1) & ~is_clock[:, 0] & is_clock[:, 1]
    flag = np.where(flags[:, 0] != 0, flags[:, 0], flags[:, 1])
    return np.where(ok, values[:, 0], 0) * DAY_MS + values[:, 1], flag, ok


def half(text: str, calendar: Calendar) -> tuple[int, int]:
    """Return the day since 1970 of a date, ms of a time of day, and the flag."""
    return clock(text) if ":" in text else date(text, calendar)
