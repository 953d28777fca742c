"""Zones by name: their offset at many times at once, and which zone's rules a shift of the customer's clock follows."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from billing_audit.matching.align import Ints

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
MOST_DAYS: Final = 4_000
OTHERS: Final = (
    *("Europe/London", "Europe/Paris", "Europe/Athens", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"),
    *("America/Halifax", "America/St_Johns", "America/Anchorage", "America/Santiago", "America/Asuncion", "America/Havana", "Africa/Cairo"),
    *(
        "Africa/Casablanca",
        "Asia/Jerusalem",
        "Asia/Beirut",
        "Australia/Sydney",
        "Australia/Adelaide",
        "Pacific/Auckland",
        "Australia/Lord_Howe",
    ),
)
"""One zone for each set of summer time rules in use (IANA names)."""


def known(zone: str) -> bool:
    """Tell whether this machine knows the zone."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _offset(zone: ZoneInfo, at_ms: int) -> int:
    away = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone).utcoffset()
    return 0 if away is None else int(away / timedelta(milliseconds=1))


@lru_cache(maxsize=64)
def changes(zone: str, first_ms: int, last_ms: int) -> tuple[tuple[int, int, int], ...]:
    """Return (UTC ms, offset before, offset after) of each change of the zone's offset between two times (at most 4,000 days)."""
    place = ZoneInfo(zone)
    made = []
    days = range(first_ms, min(last_ms, first_ms + MOST_DAYS * DAY_MS) + DAY_MS, DAY_MS)
    offsets = [_offset(place, at) for at in days]
    for at, before, after in zip(days, offsets, offsets[1:], strict=False):
        if before != after:
            low, high = at, at + DAY_MS
            while high - low > 1000:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(place, middle) == before else (low, middle)
            made.append((high // 1000 * 1000, before, after))
    return tuple(change for change in made if change[0] <= last_ms)


def offsets(zone: str, at_ms: Ints) -> Ints:
    """Return the zone's offset (local − UTC, ms) at each UTC time."""
    if not len(at_ms):
        return np.zeros(0, np.int64)
    first, last = int(at_ms.min()) // DAY_MS * DAY_MS - DAY_MS, int(at_ms.max()) // DAY_MS * DAY_MS + DAY_MS
    found = changes(zone, first, last)
    levels = np.array([_offset(ZoneInfo(zone), first), *(after for _, _, after in found)], np.int64)
    return levels[np.searchsorted([at for at, _, _ in found], at_ms, side="right")]


def own_offsets(zone: str, at_ms: int) -> set[int]:
    """Return the offsets (ms) that the zone has in the year around this time: two where it has summer time."""
    place = ZoneInfo(zone)
    return {_offset(place, at_ms + days * DAY_MS) for days in range(-180, 181, 20)}


def name_of(offset_ms: int) -> str:
    """Return "UTC", "UTC+8", "UTC-3:30"."""
    if not offset_ms:
        return "UTC"
    hours, minutes = divmod(abs(offset_ms) // 60_000, 60)
    return f"UTC{'-' if offset_ms < 0 else '+'}{hours}" + (f":{minutes:02}" if minutes else "")
