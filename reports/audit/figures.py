"""Money, times and counts of an audit as people and spreadsheets read them; integers inside, never a float before the last step."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from billing_audit.ledger import MICRO, MISSING
from reports.locale.text import printable

Ints = npt.NDArray[np.int64]

_SIGNS: Final = {"CNY": "¥", "USD": "$", "EUR": "€", "GBP": "£", "HKD": "HK$"}
_NO_CENTS: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"  # ISO 4217: no minor unit
_THOUSANDTHS: Final = "BHD IQD JOD KWD LYD OMR TND"  # ISO 4217: three digits
DAY_MS: Final = 86_400_000


def sign_of(currency: str) -> str:
    """Return what stands before an amount, with its space: "¥ ", "USD " becomes "$ "; "" without a currency."""
    return f"{_SIGNS.get(currency) or printable(currency)} " if currency else ""


def digits_of(currency: str) -> int:
    """Return how many decimals an invoice in this currency has (ISO 4217)."""
    return 2 if len(currency) != 3 else 0 if currency in _NO_CENTS else 3 if currency in _THOUSANDTHS else 2


def decimal(micro: int) -> str:
    """Return an amount exactly, with six decimals and no separators: "-13142.432750"."""
    whole, part = divmod(abs(micro), MICRO)
    return f"{'-' if micro < 0 else ''}{whole}.{part:06}"


def grouped(micro: int, plus: bool = False) -> str:
    """Return an amount exactly, with six decimals and thousands separators; the minus is U+2212, `plus` shows that sign, too."""
    whole, part = divmod(abs(micro), MICRO)
    return f"{'−' if micro < 0 else '+' if plus and micro else ''}{whole:,}.{part:06}"


def money(micro: int | None, currency: str) -> str:
    """Return an amount with the sign of its currency: "¥ 482,113.204100"; "–" where there is none."""
    return "–" if micro is None else f"{sign_of(currency)}{grouped(micro)}"


def units(micro: int, digits: int) -> int:
    """Return an amount in the smallest unit of an invoice with so many decimals, halves away from zero."""
    size: int = 10 ** (6 - digits)
    rounded = (abs(micro) * 2 + size) // (2 * size)
    return -rounded if micro < 0 else rounded


def apportioned(parts: Sequence[int], total: int, digits: int) -> list[int]:
    """Return the parts (micro) in units of `digits` decimals so that they add up to `total` units: the largest remainders round up."""
    if not parts:
        return []
    size = 10 ** (6 - digits)
    shares = [divmod(part, size) for part in parts]
    all_up, some = divmod(total - sum(whole for whole, _ in shares), len(parts))
    order = sorted(range(len(parts)), key=lambda at: (-shares[at][1], -abs(parts[at]), at))
    lifted = set(order[:some])
    return [whole + all_up + (at in lifted) for at, (whole, _) in enumerate(shares)]


def in_units(count: int, digits: int) -> str:
    """Return so many units of an invoice as text with separators: (1314243, 2) is "13,142.43"."""
    sign, size = "−" if count < 0 else "", 10**digits
    whole, part = divmod(abs(count), size)
    return f"{sign}{whole:,}" + (f".{part:0{digits}}" if digits else "")


def rate(nano: int) -> str:
    """Return a price a minute with as many decimals as it has, at least four: "0.1250"."""
    text = f"{nano // 10**9}.{nano % 10**9:09}".rstrip("0")
    whole, _, part = text.partition(".")
    return f"{whole}.{part:0<4}"


def ratio(part: int, whole: int) -> str:
    """Return a share in per cent, two decimals under ten: "2.73 %"; "–" of nothing."""
    if not whole:
        return "–"
    share = 100 * abs(part) / abs(whole)
    if part and share < 0.005:
        return "< 0.01 %"
    if 99.95 <= share < 100:
        return "> 99.9 %"
    return f"{share:.2f} %" if share < 10 else f"{share:.1f} %"


def minutes(ms: int | None) -> str:
    """Return a sum of talk in minutes, two decimals: "1,204,118.35"; "–" where there is none."""
    if ms is None:
        return "–"
    hundredths = (abs(ms) + 300) // 600
    return in_units(-hundredths if ms < 0 else hundredths, 2)


def seconds(ms: int) -> str:
    """Return milliseconds as seconds, with the decimals that they have: "61", "61.25"."""
    sign, whole = "−" if ms < 0 else "", f"{abs(ms) // 1000:,}"
    part = f"{abs(ms) % 1000:03}".rstrip("0")
    return f"{sign}{whole}.{part}" if part else f"{sign}{whole}"


def local_ms(at: Ints, zone: str) -> Ints:
    """Return times (ms since 1970 UTC) as wall clock of a zone, in ms since 1970-01-01 00:00 there; MISSING stays MISSING."""
    moments = pd.DatetimeIndex(at.view("datetime64[ms]")).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    return moments.to_numpy(dtype="datetime64[ms]").view(np.int64)


def day_text(day: int) -> str:
    """Return a day number (since 1970) as "2026-10-03"."""
    return str(np.datetime64(day, "D"))


def wall_text(at: int, zone: str) -> str:
    """Return one time as wall clock of a zone: "2026-10-03 14:02:31.250" (milliseconds where there are some); "" for MISSING."""
    if at == MISSING:
        return ""
    here = int(local_ms(np.array([at], np.int64), zone)[0])
    text = str(np.datetime64(here, "ms")).replace("T", " ")
    return text.removesuffix(".000")


def masked(number: str) -> str:
    """Return a number with the four digits before the last four hidden: "138****5678"; of a short one only the last two are shown."""
    if len(number) > 8:
        return f"{number[:-8]}****{number[-4:]}"
    return "*" * max(0, len(number) - 2) + number[-2:]
