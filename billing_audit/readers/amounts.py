"""Money, rates and durations as bills write them → integers, exactly: no float is ever made."""

import re
import unicodedata
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation, localcontext
from typing import Final, Literal

from billing_audit.ledger import MISSING
from billing_audit.readers.layout import Unit
from billing_audit.readers.unreadable import FLAG, REMARK

Mark = Literal[".", ",", "both", "unknown"]
MOST_TEXT: Final = 64
MOST_MONEY: Final = 10**7  # units of a currency for one call, or a minute of it: beyond it a row is refused, so that no sum overflows
MOST_MS: Final = 10**12  # 31 years
LAST_MS: Final = 4_102_444_800_000  # 2100
_NOTHING = frozenset(("", "null", "none", "n/a", "na", "-", "--", "\\n", "nan"))
CURRENCIES: Final = {
    **dict.fromkeys(("¥", "￥", "元", "人民币", "RMB", "CNH"), "CNY"),
    **dict.fromkeys(("$", "US$", "美元"), "USD"),
    **dict.fromkeys(("HK$", "港币", "港元"), "HKD"),
    **dict.fromkeys(("€", "欧元"), "EUR"),
    **dict.fromkeys(("£", "英镑"), "GBP"),
    **dict(zip(("日元", "S$", "₩", "₹", "₽", "NT$"), ("JPY", "SGD", "KRW", "INR", "RUB", "TWD"), strict=True)),
    **{code: code for code in ("CNY", "USD", "EUR", "GBP", "HKD", "JPY", "SGD", "KRW", "INR", "RUB", "TWD", "MOP", "VND", "THB", "MYR")},
    **{code: code for code in ("IDR", "PHP", "AED", "SAR", "CHF", "CAD", "AUD", "NZD", "BRL", "ZAR", "TRY", "PLN", "SEK")},
}
"""Marks that bills use → ISO 4217."""
_MARK = "|".join(re.escape(mark) for mark in sorted(CURRENCIES, key=len, reverse=True))
_MONEY = re.compile(
    rf"(?P<open>\()?\s*(?P<sign>[+\-−])?\s*(?P<mark>{_MARK})?\s*(?P<inner>[+\-−])?\s*(?P<number>[\d.,'’\s]*\d[.,]?)"
    rf"(?P<power>[eE][+\-]?\d{{1,2}})?\s*(?P<behind>{_MARK})?\s*(?:/\s*(?:min|分钟|m))?\s*(?P<close>\))?",
    re.IGNORECASE,
)
_GROUPED_POINT = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d{1,3}(?:[ '’]\d{3})+(?:\.\d*)?")
_GROUPED_COMMA = re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d*)?|\d{1,3}(?:[ '’]\d{3})+(?:,\d*)?")
_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,4}):(\d{2})(?:[.,](\d{1,6}))?")
_WORDS = re.compile(r"(?:(\d+)\s*(?:h|小时|时))?\s*(?:(\d+)\s*(?:m|min|分钟|分))?\s*(?:(\d+)\s*(?:s|sec|秒))?", re.IGNORECASE)
_WITH_UNIT = re.compile(r"([\d.,]*\d)\s*(ms|msec|毫秒|s|secs?|seconds?|秒钟?|mins?|minutes?|分钟)\.?", re.IGNORECASE)
_UNIT_WORDS: Final[tuple[tuple[str, Unit], ...]] = (("ms", "ms"), ("毫", "ms"), ("s", "s"), ("秒", "s"), ("m", "min"), ("分", "min"))
_SCALE: Final = {"s": Decimal(1000), "ms": Decimal(1), "us": Decimal("0.001"), "min": Decimal(60_000), "clock": Decimal(1000)}


def proof(number: str) -> Mark:
    """Return which decimal mark a text of digits, points and commas proves: "unknown" when it fits both or none."""
    if "," in number and "." in number:
        return "," if number.rindex(",") > number.rindex(".") else "."
    mark = "," if "," in number else "." if "." in number else ""
    if not mark or number.count(mark) > 1:
        return "unknown" if not mark else "." if mark == "," else ","
    whole, behind = number.split(mark)
    if len(behind) == 3 and 1 <= len(whole) <= 3 and whole[:1] != "0":
        return "unknown"
    return "," if mark == "," else "."


def plain(number: str, mark: Mark) -> str | None:
    """Return a number as digits with at most one point; None when the file's decimal mark leaves doubt, "" when it is no number."""
    bare = re.sub(r"\s+", " ", number.strip())
    told = proof(bare.replace(" ", "").replace("'", "").replace("’", ""))
    if mark in (".", ",") and told not in (mark, "unknown"):
        return None
    if told == "unknown":
        if "," in bare and mark not in (".", ","):
            return None
        if "." in bare and mark == "both":
            return None
        told = "," if mark == "," else "."
    if told == ",":
        if not re.fullmatch(r"\d*(?:,\d*)?", bare) and not _GROUPED_COMMA.fullmatch(bare):
            return ""
        return re.sub(r"[. '’]", "", bare).replace(",", ".")
    if not re.fullmatch(r"\d*(?:\.\d*)?", bare) and not _GROUPED_POINT.fullmatch(bare):
        return ""
    return re.sub(r"[, '’]", "", bare)


def money(text: str, mark: Mark, power: int, currency: str) -> tuple[int, int]:
    """Return the amount · 10^power and its flag; "" is MISSING. Another currency's mark, a negative one, or doubt refuses it."""
    told = unicodedata.normalize("NFKC", text).strip().strip("'\"").strip()
    if told.lower() in _NOTHING:
        return MISSING, 0
    found = _MONEY.fullmatch(told) if len(told) <= MOST_TEXT else None
    if not found:
        return MISSING, FLAG["amount"]
    number = plain(found["number"], mark)
    if number is None:
        return MISSING, FLAG["decimal_doubt"]
    told_currency = CURRENCIES.get((found["mark"] or found["behind"] or "").upper(), "")
    if told_currency == "CNY" and currency == "JPY" and "¥" in told:
        told_currency = currency
    if told_currency and currency and told_currency != currency:
        return MISSING, FLAG["currency"]
    try:
        with localcontext(prec=60):
            exact = Decimal(number + (found["power"] or "")).scaleb(power)
            value = int(exact.to_integral_value(ROUND_HALF_EVEN))
    except (InvalidOperation, ValueError):
        return MISSING, FLAG["amount"]
    negative = found["sign"] in ("-", "−") or found["inner"] in ("-", "−") or bool(found["open"] and found["close"])
    if negative and exact:
        return MISSING, FLAG["negative_charge"]
    if value >= MOST_MONEY * 10**power:
        return MISSING, FLAG["amount_large"]
    return value, 0 if value == exact else REMARK["finer"]


def duration(text: str, mark: Mark, unit: Unit) -> tuple[int, int]:
    """Return ms and the flag of a duration: a number in `unit`, [h:]mm:ss, or with words (1m30s, 1分30秒)."""
    told = unicodedata.normalize("NFKC", text).strip().strip("'\"").strip()
    if told.lower() in _NOTHING:
        return MISSING, 0
    if len(told) > MOST_TEXT:
        return MISSING, FLAG["duration"]
    if told[0] in "-−" and re.search(r"[1-9]", told):
        return MISSING, FLAG["negative_duration"]
    told = told.lstrip("+-−")
    if found := _CLOCK.fullmatch(told):
        hours, minutes, seconds = int(found[1] or 0), int(found[2]), int(found[3])
        if seconds > 59 or (found[1] and minutes > 59):
            return MISSING, FLAG["duration"]
        return ((hours * 60 + minutes) * 60 + seconds) * 1000 + int((found[4] or "0").ljust(3, "0")[:3]), 0
    if found := _WITH_UNIT.fullmatch(told):
        told, unit = found[1], next(unit for word, unit in _UNIT_WORDS if found[2].lower().startswith(word))
    elif told and (found := _WORDS.fullmatch(told)):
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        value = ((hours * 60 + minutes) * 60 + seconds) * 1000
        return (value, 0) if value < MOST_MS else (MISSING, FLAG["duration"])
    number = plain(told, mark) if re.fullmatch(r"[\d.,]*\d[.,]?", told) else ""
    if number is None:
        return MISSING, FLAG["decimal_doubt"]
    if not number:
        return MISSING, FLAG["duration"]
    exact = Decimal(number) * _SCALE[unit]
    value = int(exact.to_integral_value(ROUND_HALF_EVEN))
    return (value, 0 if value == exact else REMARK["finer"]) if value < MOST_MS else (MISSING, FLAG["duration"])


def epoch(text: str, kind: str) -> tuple[int, int]:
    """Return UTC ms of a count since 1970 in the unit of `kind`; 0 and "" mean never."""
    told = text.strip()
    if told.lower() in _NOTHING or re.fullmatch(r"0+(?:\.0*)?|-1", told):
        return MISSING, 0
    if not re.fullmatch(r"\d{1,17}(?:\.\d{0,9})?", told):
        return MISSING, FLAG["time"]
    scale = {"epoch_s": Decimal(1000), "epoch_ms": Decimal(1), "epoch_us": Decimal("0.001")}[kind]
    value = int(Decimal(told) * scale)
    return (value, 0) if value < LAST_MS else (MISSING, FLAG["time"])


def currency_of(text: str) -> str:
    """Return the ISO code of a currency as written in a column or header; unknown letters as they are, in capitals."""
    told = unicodedata.normalize("NFKC", text).strip().strip("()[]'\"").strip().upper()
    return CURRENCIES.get(told, told[:8])
