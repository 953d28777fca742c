"""Writes numbers with their units as people read them; the same in every language."""

from datetime import datetime, tzinfo
from math import isfinite


def number(value: float) -> str:
    """Return three significant digits without exponent: 0.0413, 4.13, 41.3, 413, 4,130."""
    if not isfinite(value):
        return str(value)
    if float(value).is_integer() or abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return f"{value:.1g}" if text in ("0", "-0") and abs(value) >= 1e-6 else text


def rate(bits_per_second: float) -> str:
    """Return a bit rate with its SI unit: 31.2 Mbit/s."""
    return _scaled(bits_per_second, 1000, ("bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"))


def size(octets: float) -> str:
    """Return a number of bytes with its IEC unit: 1.5 GiB."""
    return _scaled(octets, 1024, ("B", "KiB", "MiB", "GiB", "TiB", "PiB"))


def span(seconds: float) -> str:
    """Return a duration: 40 ms, 7 s, 21:40 min, 3:05 h, 4 d 3 h."""
    if 0 < abs(seconds) < 0.9995:
        return f"{number(seconds * 1000)} ms"
    whole = round(abs(seconds))
    sign = "-" if seconds < 0 else ""
    if whole < 60:
        return f"{sign}{whole} s"
    if whole < 3600:
        return f"{sign}{whole // 60}:{whole % 60:02} min"
    if whole < 86400:
        return f"{sign}{whole // 3600}:{whole % 3600 // 60:02} h"
    return f"{sign}{whole // 86400} d {whole % 86400 // 3600} h"


def reading(value: float, unit: str) -> str:
    """Return a value in the unit of its levels; ratios are shown as per cent, bytes and bit rates with a prefix."""
    match unit:
        case "" | "1":
            return number(value)
        case "ratio":
            return f"{number(value * 100)} %"
        case "bytes" | "B":
            return size(value)
        case "bps" | "bit/s":
            return rate(value)
        case "s":
            return span(value)
        case _:
            return f"{number(value)} {unit}"


def clock(at: datetime, now: datetime, zone: tzinfo | None = None, short: bool = False) -> str:
    """Return a time of the reader's zone (None: this machine's): 14:02:31 today, with the date on other days; `short` without seconds."""
    here, today = at.astimezone(zone), now.astimezone(zone)
    if here.date() == today.date():
        return here.strftime("%H:%M" if short else "%H:%M:%S")
    return here.strftime("%m-%d %H:%M" if short and here.year == today.year else "%Y-%m-%d %H:%M")


def _scaled(value: float, base: int, units: tuple[str, ...]) -> str:
    scaled, power = float(value), 0
    while abs(scaled) >= base * 0.9995 and power < len(units) - 1:
        scaled, power = scaled / base, power + 1
    return f"{number(scaled)} {units[power]}"
