"""The row of headers in a table, and what each header means: field, unit of its values, currency."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from billing_audit.readers.amounts import CURRENCIES
from billing_audit.readers.layout import FIELDS, Field, Unit
from billing_audit.readers.synonyms import NOT_FIELDS, SYNONYMS, TOTALS

SEARCHED = 60  # rows, for the headers
_DURATIONS: Final = frozenset(("duration", "total", "billed"))
_RANK: Final[dict[str, tuple[Field, int]]] = {}
for _field, _names in SYNONYMS.items():
    for _place, _name in enumerate(_names.split()):
        _RANK.setdefault(_name, (_field, _place))
_UNITS: Final[tuple[tuple[str, Unit], ...]] = (
    (r"毫秒|\bms\b|msec|millisec|milliseconds", "ms"),
    (r"微秒|microsec", "us"),
    (r"h+:mm|mm:ss|时:分|分:秒|时分秒", "clock"),
    (r"分钟|\bmins?\b|minutes?|（分）|\(分\)|/min", "min"),
    (r"秒|\bs\b|\bsecs?\b|seconds?", "s"),
)
_PER: Final[tuple[tuple[str, int], ...]] = (
    (r"/\s*(?:s|sec|second|秒)\b|/秒|每秒|per\s*sec", 1),
    (r"/\s*(?:h|hour|小时)\b|/小时|每小时|per\s*hour", 3600),
    (r"/\s*6\s*(?:s|sec|秒)|每6秒", 6),
)
_CODES = "|".join(sorted((re.escape(code.lower()) for code in CURRENCIES if code.isascii() and code.isalpha()), key=len))
_TAIL = re.compile(
    rf"(?:in)?(?:seconds?|secs?|s|minutes?|mins?|ms|msec|milliseconds|秒|分钟|分|毫秒|{_CODES}|元|美元|perminute|permin|permn|persecond|persec|utc|gmt|local"
    r"|cst|元分钟|元每分钟|每分钟)$"
)
_TOTALS_BEFORE: Final = (*(word for word in TOTALS if not word.isascii()), "total", "subtotal", "grandtotal")
_LETTER = re.compile(r"[^\W\d_]")
_HEAD = re.compile(r"^(?:cdr|call|the|通话|话单|本次)(?=.{2})")


@dataclass(frozen=True)
class Meaning:
    """What a header says: the field, how sure (0 surest), and unit, seconds of a rate, currency and zone where it names them."""

    field: Field
    rank: int
    unit: Unit | None = None
    per_s: int | None = None
    currency: str = ""
    zone: str = ""


@dataclass(frozen=True)
class Header:
    """Which of the rows it is, column and meaning of each field, headers that mean the same field (the chosen first), unknown headers."""

    row: int
    columns: dict[Field, int]
    meanings: dict[Field, Meaning]
    doubles: dict[Field, tuple[str, ...]]
    unknown: tuple[str, ...]


def bare(header: str) -> str:
    """Return a header in small letters without spaces, marks and what stands in brackets."""
    told = unicodedata.normalize("NFKC", header).strip().lower()
    without = re.sub(r"[(\[【{].*?[)\]】}]", "", told)
    return re.sub(r"[\W_]+", "", without) or re.sub(r"[\W_]+", "", told)


def meaning(header: str) -> Meaning | None:
    """Return what a header means; None when it is not known."""
    told = unicodedata.normalize("NFKC", header).strip().lower()
    spaced = re.sub(r"[_\-.]+", " ", told)
    name = bare(header)
    if not name or name in NOT_FIELDS or len(name) > 60:
        return None
    found = _lookup(name)
    if found is None:
        return None
    field, rank = found
    unit = next((unit for pattern, unit in _UNITS if re.search(pattern, spaced)), None) if field in _DURATIONS else None
    if field == "duration" and unit is None and name in ("billsec", "secs", "sec"):
        unit = "s"
    per = next((per for pattern, per in _PER if re.search(pattern, spaced)), None) if field == "rate" else None
    currency = _currency(told) if field in ("rate", "charge") else ""
    return Meaning(field, rank, unit, per, currency, _zone(spaced, told) if field in ("start", "answer", "end") else "")


def _lookup(name: str) -> tuple[Field, int] | None:
    for attempt, text in enumerate((name, _TAIL.sub("", name), _HEAD.sub("", name), _HEAD.sub("", _TAIL.sub("", name)))):
        if found := _RANK.get(text):
            return found[0], found[1] + attempt * 100
    return None


def _zone(spaced: str, told: str) -> str:
    """Return the zone that the header of a time names ("(UTC)", "GMT+8", 北京时间); "" for none."""
    if "北京时间" in told:
        return "+08:00"
    found = re.search(r"(?:\b|_)(?:utc|gmt)\s*([+-]\d{1,2})?(?::?(\d{2}))?\b", told) or re.search(r"\butc\b", spaced)
    if found is None:
        return ""
    hours, minutes = (found[1], found[2]) if found.re.groups else (None, None)
    return f"{int(hours):+03d}:{minutes or '00'}" if hours else "UTC"


def _currency(told: str) -> str:
    for word in re.findall(r"[a-z]{3}\b|us\$|hk\$|[¥$€£₽₹₩]|元|人民币|美元|港币|欧元", told):
        if code := CURRENCIES.get(word.upper()):
            return code
    return ""


def row_of(cells: Sequence[str]) -> tuple[dict[Field, int], dict[Field, Meaning], dict[Field, tuple[str, ...]], tuple[str, ...]]:
    """Return what a row means if it holds headers: columns, meanings, doubles and unknown headers."""
    found: dict[Field, list[tuple[int, int, Meaning]]] = {}
    unknown = []
    for index, cell in enumerate(cells):
        told = meaning(cell)
        if told is None:
            if cell.strip() and bare(cell) not in NOT_FIELDS:
                unknown.append(cell.strip()[:60])
        else:
            found.setdefault(told.field, []).append((told.rank, index, told))
    _talk_and_total(cells, found)
    columns: dict[Field, int] = {}
    meanings: dict[Field, Meaning] = {}
    doubles: dict[Field, tuple[str, ...]] = {}
    for field in FIELDS:
        if field in found:
            choices = sorted(found[field], key=lambda choice: choice[:2])
            _, columns[field], meanings[field] = choices[0]
            if len(choices) > 1:
                doubles[field] = tuple(cells[index].strip()[:60] for _, index, _ in choices)
    return columns, meanings, doubles, tuple(unknown)


def _talk_and_total(cells: Sequence[str], found: dict[Field, list[tuple[int, int, Meaning]]]) -> None:
    """Where both stand in one table, `billsec` is the talk time and `duration` counts from the first ring (Asterisk, FreeSWITCH)."""
    named = {bare(cells[index]): (index, told) for _, index, told in found.get("duration", ())}
    if "billsec" in named and "duration" in named and "total" not in found:
        index, told = named["duration"]
        found["duration"] = [choice for choice in found["duration"] if choice[1] != index]
        found["total"] = [(0, index, Meaning("total", 0, told.unit))]


def find(rows: Sequence[Sequence[str]]) -> Header | None:
    """Return the row among the first that reads most like headers of calls: a called number, a time, and one thing more at least."""
    best: Header | None = None
    for at, cells in enumerate(rows[:SEARCHED]):
        columns, meanings, doubles, unknown = row_of(cells)
        times = {"start", "answer", "end"} & columns.keys()
        if "callee" not in columns or not times or len(columns) < 3:
            continue
        if best is None or len(columns) > len(best.columns):
            best = Header(at, columns, meanings, doubles, unknown)
    return best


def is_total(cell: str) -> bool:
    """Tell whether a cell is the name of a row of sums."""
    if not _LETTER.search(cell):
        return False
    name = bare(cell)
    return name in TOTALS or name.startswith(_TOTALS_BEFORE)
