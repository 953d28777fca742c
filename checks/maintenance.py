"""Planned work: when alarming is withheld, for whom. Measuring goes on, and so does recovery."""

from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from checks.finding import base
from probe.inventory import Node

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
LONGEST = timedelta(days=366)


class Scope(msgspec.Struct, frozen=True):
    """Whom a window concerns: patterns ("web-*", "host/*") of node, check and site; an empty tuple means all of them.

    A check is meant together with its trend and its departures from the usual.
    """

    nodes: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()

    def concerns(self, node: Node, check: str) -> bool:
        """Tell whether this check of this node is meant; a node without a site is at none."""
        return (
            _fits(node.name, self.nodes)
            and (_fits(check, self.checks) or _fits(base(check), self.checks))
            and (not self.sites or (node.site is not None and _fits(node.site, self.sites)))
        )


class Once(msgspec.Struct, frozen=True, tag="once"):
    """A window from `starts` until before `ends`, both aware."""

    name: str
    starts: datetime
    ends: datetime
    scope: Scope = Scope()

    def __post_init__(self) -> None:
        if self.starts.tzinfo is None or self.ends.tzinfo is None:
            raise ValueError(f"{self.name}: a time without its zone")
        if not timedelta() < self.ends.astimezone(UTC) - self.starts.astimezone(UTC) <= LONGEST:
            raise ValueError(f"{self.name}: ends before it starts, or lasts more than a year")


class Weekly(msgspec.Struct, frozen=True, tag="weekly"):
    """A window on these weekdays (none: every day) from the wall clock's `starts` until before its `ends` in `zone`.

    An end at or before the start is the next day's. Where the clocks change, the wall clock counts: from 01:00 to 05:00 are three hours in
    one night and five in another; an hour that comes twice belongs to the window both times if it does once. A time that the clock
    leaves out comes as much later as the clock is put forward.
    """

    name: str
    starts: time
    ends: time
    zone: str
    days: tuple[str, ...] = ()
    scope: Scope = Scope()

    def __post_init__(self) -> None:
        wrong = [day for day in self.days if day not in WEEKDAYS]
        if wrong:
            raise ValueError(f"{self.name}: no weekday: {', '.join(wrong)}")
        if self.starts.tzinfo is not None or self.ends.tzinfo is not None:
            raise ValueError(f"{self.name}: times are the wall clock's of {self.zone} and have no zone of their own")
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as why:
            raise ValueError(f"{self.name}: no time zone {self.zone!r}") from why


class Always(msgspec.Struct, frozen=True, tag="always"):
    """No window but a silence: what it concerns is measured and shown, and never alarmed. `name` says why."""

    name: str
    scope: Scope


Window = Once | Weekly | Always


def covers(window: Window, at: datetime, node: Node, check: str) -> bool:
    """Tell whether at this time (aware) the check of this node is within the window."""
    return is_open(window, at) and window.scope.concerns(node, check)


def is_open(window: Window, at: datetime) -> bool:
    """Tell whether the window is open at this time (aware), for whomever."""
    if isinstance(window, Always):
        return True
    now = at.astimezone(UTC)
    if isinstance(window, Once):
        return window.starts.astimezone(UTC) <= now < window.ends.astimezone(UTC)
    today = now.astimezone(ZoneInfo(window.zone)).date()
    spans = (_span(window, today - timedelta(days=back)) for back in (0, 1))
    return any(span is not None and span[0] <= now < span[1] for span in spans)


def _span(window: Weekly, day: date) -> tuple[datetime, datetime] | None:
    """Return when the window of this local day starts and ends, in UTC; None when the day has none."""
    if window.days and WEEKDAYS[day.weekday()] not in window.days:
        return None
    last = day if window.ends > window.starts else day + timedelta(days=1)
    zone = ZoneInfo(window.zone)
    start = datetime.combine(day, window.starts, zone)
    end = datetime.combine(last, window.ends, zone)
    # the later reading of an end that comes twice (fold=1) or never (fold=0): nobody is woken in the middle of announced work
    return start.astimezone(UTC), max(end.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
