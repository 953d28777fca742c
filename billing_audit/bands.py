"""Time bands (peak, weekday, holiday) on the clock of the contract's zone: which one holds when, over daylight-saving changes too."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from billing_audit.ledger import MISSING
from billing_audit.terms import Band

Whole = npt.NDArray[np.int64]

DAY_MS = 86_400_000
NONE = -1
LONGEST_DAYS = 400  # a call's parts are looked for so many days on; what is longer keeps the band it had there
_ALL_WEEK = (0, 1, 2, 3, 4, 5, 6)
_FIRST_DAY, _LAST_DAY = -25_000, 60_000  # 1901 … 2134, in days since 1970: no call is outside


def of_times(start_ms: Whole, bands: tuple[Band, ...], zone: str) -> Whole:
    """Return the index of the band that holds at each time, NONE where none does (and for MISSING)."""
    if not bands or not len(start_ms):
        return np.full(len(start_ms), NONE, np.int64)
    at_ms, band = timeline(np.unique(np.clip(start_ms // DAY_MS, _FIRST_DAY, _LAST_DAY)), bands, zone)
    found = band[np.maximum(np.searchsorted(at_ms, start_ms, side="right") - 1, 0)]
    found[start_ms == MISSING] = NONE
    return found


def parts(start_ms: Whole, billed_s: Whole, bands: tuple[Band, ...], zone: str) -> Iterator[tuple[Whole, Whole, Whole, Whole]]:
    """Yield the parts of calls that lie in one band: which calls, from and to which second, which band.

    A second belongs to the band in which it begins. First come the first parts of all calls, then the second ones of those that have one…
    """
    which = np.flatnonzero((billed_s > 0) & (start_ms != MISSING))
    start, end = start_ms[which], billed_s[which]
    if not len(which):
        return
    last = (start + (end - 1) * 1000) // DAY_MS
    days = np.unique(start // DAY_MS)
    reach = int(np.minimum((last - start // DAY_MS).max(), LONGEST_DAYS))
    for ahead in range(1, reach + 1):
        days = np.union1d(days, np.unique(start[last >= start // DAY_MS + ahead] // DAY_MS) + ahead)
    at_ms, band = timeline(np.unique(np.clip(days, _FIRST_DAY, _LAST_DAY)), bands, zone)
    piece = np.maximum(np.searchsorted(at_ms, start, side="right") - 1, 0)
    done = np.zeros(len(which), np.int64)
    while len(which):  # ends: every turn is one piece further on a finite timeline
        following = np.minimum(piece + 1, len(at_ms) - 1)
        until = -((start - at_ms[following]) // 1000)  # seconds that begin before the next piece does
        until = np.where(piece + 1 < len(at_ms), np.minimum(until, end), end)
        yield which, done, until, band[piece]
        more = until < end
        which, start, end, done, piece = which[more], start[more], end[more], until[more], following[more]


def timeline(days: Whole, bands: tuple[Band, ...], zone: str) -> tuple[Whole, Whole]:
    """Return from when (ms) which band holds, over these days since 1970 (UTC, sorted)."""
    at_ms: list[int] = []
    band: list[int] = []
    for day in days.tolist():
        for when, which in _day(day, bands, zone):
            if not band or band[-1] != which:  # midnight of UTC is no boundary: an increment may go over it
                at_ms.append(when)
                band.append(which)
    return np.array(at_ms, np.int64), np.array(band, np.int64)


@lru_cache(maxsize=4096)
def _day(day: int, bands: tuple[Band, ...], zone: str) -> tuple[tuple[int, int], ...]:
    """Return from when which band holds within one day of UTC; the first at its midnight."""
    place = ZoneInfo(zone)
    begin = day * DAY_MS
    edges = {begin, *_changes(begin, place)}
    for near in (-1, 0, 1):
        local = datetime.fromtimestamp(begin / 1000, UTC).date() + timedelta(days=near)
        for clock in {edge for one in bands for edge in (one.start, one.end, time(0))}:
            for fold in (0, 1):  # an hour that comes twice has two beginnings
                edges.add(round(datetime.combine(local, clock, place).replace(fold=fold).timestamp() * 1000))
    told: list[tuple[int, int]] = []
    for edge in sorted(edge for edge in edges if begin <= edge < begin + DAY_MS):
        which = band_at(datetime.fromtimestamp(edge / 1000, place), bands)
        if not told or told[-1][1] != which:
            told.append((edge, which))
    return tuple(told)


def _changes(begin: int, place: ZoneInfo) -> Iterator[int]:
    """Yield when the zone's offset changes within the day of UTC that begins there, to the second."""
    offset = {hour: _offset(begin + hour * 3_600_000, place) for hour in range(25)}
    for hour in range(24):
        if offset[hour] == offset[hour + 1]:
            continue
        low, high = begin + hour * 3_600_000, begin + (hour + 1) * 3_600_000
        while high - low > 1000:
            middle = (low + high) // 2000 * 1000
            low, high = (middle, high) if _offset(middle, place) == offset[hour] else (low, middle)
        yield high


def _offset(at_ms: int, place: ZoneInfo) -> timedelta | None:
    return datetime.fromtimestamp(at_ms / 1000, place).utcoffset()


def band_at(local: datetime, bands: tuple[Band, ...]) -> int:
    """Return the index of the first band that holds at this time of the contract's clock, NONE where none does."""
    clock, today = local.time(), local.date()
    for index, band in enumerate(bands):
        if band.start < band.end:
            if band.start <= clock < band.end and on(today, band):
                return index
        elif (clock >= band.start and on(today, band)) or (clock < band.end and on(today - timedelta(days=1), band)):
            return index
    return NONE


def on(day: date, band: Band) -> bool:
    """Tell whether a band begins on this day: one of its dates or weekdays; all weekdays beside dates mean the dates alone."""
    return day in band.dates or (day.weekday() in band.weekdays and not (band.dates and band.weekdays == _ALL_WEEK))
