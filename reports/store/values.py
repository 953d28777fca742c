"""What the store keeps beside cases and tracks: baseline hours, maintenance, and what is due to a feed."""

from datetime import datetime

import msgspec

from checks.finding import Key
from reports.case import CaseEvent


class Hour(msgspec.Struct, frozen=True):
    """One hour of one series: how many readings, their median and the median of their distances from it (MAD), in the reading's unit.

    `at` is the start of the hour, aware UTC.
    """

    key: Key
    at: datetime
    count: int
    median: float
    mad: float


class Maintenance(msgspec.Struct, frozen=True):
    """Announced work on a node: from `starts_at` until `ends_at`, by whom and why. `id` is 0 until it is stored."""

    node: str
    starts_at: datetime
    ends_at: datetime
    who: str = ""
    reason: str = ""
    id: int = 0


class Due(msgspec.Struct, frozen=True):
    """One case event that is due to one feed; `attempts` were made before, in vain."""

    feed: str
    event: CaseEvent
    attempts: int
    accepted_at: datetime


class Backlog(msgspec.Struct, frozen=True):
    """How far one feed is behind: events not delivered yet, the oldest of them, and those given up ("dead")."""

    feed: str
    pending: int
    oldest_at: datetime | None
    dead: int


class Dead(msgspec.Struct, frozen=True):
    """One event that a feed will never get, and why."""

    feed: str
    case: int
    number: int
    attempts: int
    reason: str
