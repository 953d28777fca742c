"""Days in a zone, many at once."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
DAY_MS = 86_400_000
MOST_DAYS = 200_000  # what datetime can hold is less than 4,000,000; a bill that spans more than 500 years is read wrongly


def zone_of(name: str) -> ZoneInfo:
    """Return the zone of an IANA name; ZoneInfoNotFoundError when there is none."""
    return ZoneInfo(name)


def midnight_ms(day: int, zone: ZoneInfo) -> int:
    """Return when a day (days since 1970-01-01) begins in the zone, ms UTC."""
    told = datetime(1970, 1, 1, tzinfo=zone) + timedelta(days=day)
    return round(told.timestamp()) * 1000


def days(ms: Ints, zone: ZoneInfo) -> Ints:
    """Return for each time (ms UTC) the day in the zone, as days since 1970-01-01."""
    if not ms.size:
        return ms
    first, last = int(ms.min()) // DAY_MS - 2, int(ms.max()) // DAY_MS + 2
    if last - first > MOST_DAYS:
        return ms // DAY_MS
    begins = np.array([midnight_ms(day, zone) for day in range(first, last + 1)], np.int64)
    shift = begins[0] - first * DAY_MS
    if (np.diff(begins) == DAY_MS).all():
        found: Ints = (ms - shift) // DAY_MS
        return found
    return np.searchsorted(begins, ms, side="right") + (first - 1)


def iso(day: int) -> str:
    """Return a day as "2026-10-03"."""
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()


def day_of(ms: int, zone: ZoneInfo) -> date:
    """Return the day of a time (ms UTC) in the zone."""
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone).date()
