"""Local times become UTC, for a whole column at once."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from billing_audit.readers.digits import Ints

QUARTER_MS = 900_000  # no zone in use since 1972 changes or differs by less than a quarter of an hour
MOST_QUARTERS = 400_000  # 11 years in one block; beyond it each different quarter is looked up
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a local time on purpose
_OFFSET = re.compile(r"(?:UTC|GMT|Z)?\s*([+\-−])(\d{1,2}):?(\d{2})?")


@lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo | None:
    """Return the zone of an IANA name or of an offset ("+08:00", "UTC+8"); None when there is none of that name."""
    told = name.strip()
    if told.upper() in ("", "UTC", "GMT", "Z"):
        return UTC
    if found := _OFFSET.fullmatch(told.upper()):
        minutes = int(found[2]) * 60 + int(found[3] or 0)
        return timezone(timedelta(minutes=minutes if found[1] == "+" else -minutes)) if minutes < 24 * 60 else None
    try:
        return ZoneInfo(told)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@lru_cache(maxsize=MOST_QUARTERS)
def _offset_ms(zone: tzinfo, quarter: int) -> int:
    try:
        offset = zone.utcoffset(_EPOCH + timedelta(milliseconds=quarter * QUARTER_MS))
    except (OverflowError, ValueError):
        return 0
    return 0 if offset is None else int(offset.total_seconds() * 1000)


def to_utc(local_ms: Ints, zone: tzinfo) -> Ints:
    """Return UTC ms of local ms. An hour that occurs twice is its first; one that does not occur has the offset before the change."""
    if local_ms.size == 0:
        return local_ms
    if isinstance(zone, timezone):
        return local_ms - _offset_ms(zone, 0)
    quarters = local_ms // QUARTER_MS
    low, high = int(quarters.min()), int(quarters.max())
    if high - low <= MOST_QUARTERS // 4:
        table = np.array([_offset_ms(zone, quarter) for quarter in range(low, high + 1)], np.int64)
        return local_ms - table[quarters - low]
    different, which = np.unique(quarters, return_inverse=True)
    return local_ms - np.array([_offset_ms(zone, int(quarter)) for quarter in different], np.int64)[which]
