"""Times as Cisco voice equipment writes them (and Oracle after it): "*16:25:29.234 UTC Fri Aug 31 2012", with the clock's state."""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

# Cisco IOS: "*" time is not authoritative, "." it is, but the clock is not synchronised with NTP. Some write "?" for the first.
_TIME = re.compile(
    r"(?P<mark>[*.?]?)\s*(?P<clock>\d{1,2}:\d{2}:\d{2})(?P<part>\.\d{1,6})?\s+(?P<zone>[A-Za-z][A-Za-z0-9+:-]{0,9})"
    r"(?:\s+[A-Za-z]{3})?\s+(?P<month>[A-Za-z]{3})\s+(?P<day>\d{1,2})\s+(?P<year>\d{4})"
)
UTC_NAMES: Final = frozenset(("UTC", "GMT", "Z", "UT"))
QUARTER_S: Final = 900
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class Reading:
    """A time as written: civil day and time of day (without zone), the zone's name, whether the clock said it was not synchronised."""

    __slots__ = ("clock", "day", "doubtful", "fraction", "zone")

    def __init__(self, day: str, clock: str, fraction: str, zone: str, doubtful: bool) -> None:
        self.day = day
        self.clock = clock
        self.fraction = fraction
        self.zone = zone
        self.doubtful = doubtful

    @property
    def moment(self) -> datetime:
        """The civil time, whole seconds."""
        return datetime.fromisoformat(f"{self.day} {self.clock}")

    def text(self, offset_s: int | None) -> str:
        """Return the time for a Layout of texts: in UTC where the offset is known, civil where not."""
        if not offset_s:
            return f"{self.day} {self.clock}{self.fraction}{'' if offset_s is None else 'Z'}"
        return f"{self.moment - timedelta(seconds=offset_s):%Y-%m-%d %H:%M:%S}{self.fraction}Z"


def is_clock(text: str) -> bool:
    """Tell whether this is such a time."""
    return _TIME.fullmatch(text.strip()) is not None


@lru_cache(maxsize=4096)  # days, not instants
def _day(year: int, month: str, day: int) -> str:
    try:
        return f"{date(year, MONTHS.index(month.lower()) + 1, day)}"
    except ValueError:
        return ""


def read(text: str) -> Reading | None:
    """Return the reading, None when the text is none."""
    told = _TIME.fullmatch(text.strip())
    if told is None:
        return None
    mark, clock, part, zone, month, day, year = told.groups()
    civil = _day(int(year), month, int(day))
    clock = clock.rjust(8, "0")
    if not civil or clock >= "24" or clock[3] > "5" or clock[6] > "5":
        return None
    return Reading(civil, clock, part or "", zone.upper(), bool(mark))


def offset_s(reading: Reading, epoch_s: int | None) -> int | None:
    """Return the offset of a reading's zone in seconds: 0 for UTC, else what an epoch of the same moment (±7 minutes) proves, or None.

    Abbreviations say nothing by themselves: CST is −6 h in Chicago and +8 h in Shanghai.
    """
    if reading.zone in UTC_NAMES:
        return 0
    if epoch_s is None:
        return None
    shift = int(reading.moment.replace(tzinfo=UTC).timestamp()) - epoch_s
    quarters = round(shift / QUARTER_S)
    return quarters * QUARTER_S if abs(shift - quarters * QUARTER_S) <= 420 and abs(quarters) <= 56 else None
