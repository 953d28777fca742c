"""What a cell of a deck says: codes and lists of codes, dates on the contract's clock, increments, marks of change. Doubt is an error."""

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from billing_audit import money
from billing_audit.ledger import MISSING, Note
from billing_audit.money import Doubtful

MOST_CODES: Final = 10_000  # of one row's list
LONGEST_CODE: Final = 17
MOST_KEPT: Final = 1 << 14  # cells whose meaning is kept: a deck repeats its prices, dates and increments
LONGEST_S: Final = 86_400
HIGHEST: Final = 10**15  # nano-units: a million a minute
_RANGE = re.compile(r"(\d{1,17})\s*[-–~～]\s*(\d{1,17})")
_LISTED = re.compile(r"[,;，；、/]+")
_SPREADSHEET = re.compile(r"\d(?:[.,]\d+)?[eE]\+?\d+")
_YMD = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?(?:\.0+)?\s*(Z|[+-]\d{2}:?\d{2})?")
_COMPACT = re.compile(r"(20\d\d)(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d))?()()")
_TURNED = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMED = re.compile(r"(\d{1,2})[- ]([A-Za-z]{3})[a-z]*[- ,]+(\d{4})")
_MARKS: Final = {
    "keep": "new increase increased decrease decreased unchanged same nochange change changed current active add added update updated up "
    "down increaserate decreaserate newcode noop n i d s + = "
    "新增 上调 涨价 提高 下调 降价 降低 不变 无变化 调整 变更 启用 正常 有效 上涨 下降 新",
    "end": "deleted delete removed remove discontinued closed withdrawn codedeleted end ended x 删除 已删除 取消 撤销 停用 关闭 失效",
    "block": "blocked block barred notpermitted nocalls 禁止 封堵 屏蔽 停止 不通",
}
MARKS: Final = {word: mark for mark, words in _MARKS.items() for word in words.split()}
ANY_TIME: Final = frozenset(
    ("", "alltime", "all", "any", "anytime", "*any", "default", "alldays", "24x7", "全天", "所有", "默认", "全时段")
)


def doubt(why: str, **values: str | int) -> Doubtful:
    """Return the error with the text audit.refused.deck_<why>."""
    return Doubtful(Note(f"audit.refused.deck_{why}", dict(values)))


def codes(country: str, told: str) -> tuple[int, ...]:
    """Return the prefixes of a row, a 1 before the digits of each: country and area codes joined, lists and ranges spelled out."""
    if not country and told.isascii() and told.isdecimal() and told[:2] != "00" and len(told) <= LONGEST_CODE:
        return (int("1" + told),)
    head = _digits(country) if country else ""
    if told.lower() in ("*any", "any", "default", "*") and not head:
        return (1,)
    if not told:
        if not head:
            raise doubt("no_code")
        return (int("1" + head),)
    if _SPREADSHEET.fullmatch(told):
        raise doubt("code_spreadsheet", text=told)
    found: list[int] = []
    for part in _LISTED.split(_RANGE.sub(r"\1-\2", told).replace(" ", "")):
        if not part:
            continue
        if "-" in part and (span := _RANGE.fullmatch(part)):
            found += (int("1" + head + one) for one in _spelled(span[1], span[2], part))
        else:
            found.append(int("1" + _checked(head + (_digits(part) if not head else _area(part)), part)))
        if len(found) > MOST_CODES:
            raise doubt("codes_many", most=MOST_CODES)
    if not found:
        raise doubt("no_code")
    return tuple(dict.fromkeys(found))


def _spelled(low: str, high: str, part: str) -> Iterable[str]:
    if len(low) < len(high):
        raise doubt("code_range", text=part)
    if len(high) < len(low):  # 8610-15 means 8610-8615
        high = low[: len(low) - len(high)] + high
    if int(high) < int(low) or int(high) - int(low) >= MOST_CODES:
        raise doubt("code_range", text=part)
    return (str(one).zfill(len(low)) for one in range(int(low), int(high) + 1))


def _digits(text: str) -> str:
    """Return a code's digits: "+", a leading 00 and a "*" behind are ways of writing."""
    bare = text.strip().removeprefix("'").removeprefix("+").rstrip("*%").replace("-", "")
    bare = bare[2:] if bare.startswith("00") and len(bare) > 2 else bare
    return _checked(bare, text)


def _area(text: str) -> str:
    return _checked(text.rstrip("*%"), text)


def _checked(bare: str, text: str) -> str:
    if not (bare.isascii() and bare.isdecimal()) or len(bare) > LONGEST_CODE:
        raise doubt("code", text=text[:40])
    return bare


@lru_cache(maxsize=MOST_KEPT)
def price(text: str, comma: bool, per_minute: tuple[int, int]) -> int:
    """Return a price in nano-units a minute; `comma` when the file has proven that its decimal mark is a comma."""
    told = text.replace(",", ".") if comma and "." not in text else text
    value = money.decimal(told)
    if value < 0:
        raise doubt("below_0", text=text[:40])
    nano = Fraction(value) * 10**9 * per_minute[0] / per_minute[1]
    if nano.denominator != 1:
        money.nano(value)  # says how many places there may be
        raise doubt("places", text=text[:40])
    if nano > HIGHEST:
        raise doubt("rate_high", text=text[:40])
    return int(nano)


def amount(text: str, comma: bool) -> int:
    """Return an amount in micro-units, MISSING for an empty cell."""
    if not text:
        return MISSING
    value = money.decimal(text.replace(",", ".") if comma and "." not in text else text)
    if value < 0:
        raise doubt("below_0", text=text[:40])
    return money.micro(value)


@lru_cache(maxsize=MOST_KEPT)
def seconds(text: str) -> int:
    """Return whole seconds of a cell like "6", "6s", "6 sec", "6.0"; MISSING for an empty one."""
    if not text:
        return MISSING
    told = re.fullmatch(r"(\d{1,6})(?:\.0+)?\s*(?:s|sec|secs|seconds|秒)?", text.lower())
    if told is None or int(told[1]) > LONGEST_S:
        raise doubt("seconds", text=text[:40])
    return int(told[1])


@lru_cache(maxsize=MOST_KEPT)
def increments(text: str) -> tuple[int, int]:
    """Return minimum and increment of "60/6", "60+6", "60"; MISSING both for an empty cell."""
    if not text:
        return MISSING, MISSING
    parts = [seconds(part.strip()) for part in re.split(r"[/+:]", text)]
    if len(parts) == 3 and parts[0] == 0:  # "0/60/60": free seconds before them, none
        parts = parts[1:]
    if len(parts) > 2 or MISSING in parts or parts[-1] == 0:
        raise doubt("increment", text=text[:40])
    return parts[0], parts[-1]


@lru_cache(maxsize=MOST_KEPT)
def mark(text: str) -> str:
    """Return keep, end or block for a mark of change."""
    bare = re.sub(r"[\s_\-]+", "", text).lower()
    if not bare:
        return "keep"
    if bare not in MARKS:
        raise doubt("mark", text=text[:40])
    return MARKS[bare]


def band(text: str) -> str:
    """Return a band's name, "" for all hours."""
    return "" if re.sub(r"[\s_\-]+", "", text).lower() in ANY_TIME else text


def turned(texts: Iterable[str]) -> str:
    """Return "dmy" or "mdy" when one of the dates like 10/11/2026 can be only that; "" in doubt or in contradiction."""
    proven = set()
    for text in texts:
        told = _TURNED.fullmatch(text)
        if told and told[2] != "." and int(told[1]) > 12:
            proven.add("dmy")
        elif told and told[2] != "." and int(told[3]) > 12:
            proven.add("mdy")
    return proven.pop() if len(proven) == 1 else ""


@lru_cache(maxsize=MOST_KEPT)
def moment(text: str, zone: ZoneInfo, order: str) -> tuple[int, bool]:
    """Return a time in ms UTC and whether it is a day without a time; days begin at midnight of `zone`. MISSING for an empty cell."""
    if not text or text.startswith("0000-00-00") or text.lower() in ("*asap", "*monthly", "-"):
        return MISSING, True
    if told := _YMD.fullmatch(text) or _COMPACT.fullmatch(text):
        year, month, day, hour, minute, second, offset = told[1], told[2], told[3], told[4], told[5], told[6], told[7]
    elif told := _TURNED.fullmatch(text):
        first, year, hour, minute, second, offset = told[1], told[4], told[5], told[6], told[7], None
        way = "dmy" if told[2] == "." else order
        if not way and told[1] != told[3]:
            raise doubt("date_turned", text=text[:40])
        day, month = (told[3], first) if way == "mdy" else (first, told[3])
    elif (told := _NAMED.fullmatch(text)) and told[2].lower() in _MONTHS:
        year, month, day = told[3], str(_MONTHS.index(told[2].lower()) + 1), told[1]
        hour = minute = second = offset = None
    else:
        raise doubt("date", text=text[:40])
    try:
        local = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=zone)
        if offset:
            local = datetime.fromisoformat(local.replace(tzinfo=None).isoformat() + offset)
    except ValueError as why:
        raise doubt("date", text=text[:40]) from why
    if not date(1990, 1, 1) <= local.date() <= date(2200, 1, 1):
        raise doubt("date", text=text[:40])
    return round(local.timestamp() * 1000), hour is None


@lru_cache(maxsize=MOST_KEPT)
def ends(text: str, zone: ZoneInfo, order: str) -> tuple[int, int]:
    """Return until when a price holds, exclusive: if the day named is the first without it, and if it is the last with it.

    Both are the same where a time is told; 23:59:59 means the second after it.
    """
    at_ms, day = moment(text, zone, order)
    if at_ms == MISSING:
        return at_ms, at_ms
    if day:
        local = datetime.fromtimestamp(at_ms / 1000, zone).replace(tzinfo=None) + timedelta(days=1)
        return at_ms, round(local.replace(tzinfo=zone).timestamp() * 1000)
    if text.rstrip("Z").endswith("23:59:59"):
        at_ms += 1000
    return at_ms, at_ms
