"""State over time as a fold: values in, values out; no clock inside."""

from datetime import datetime
from enum import StrEnum

import msgspec

from checks.finding import Key, State


class Change(StrEnum):
    """What one finding did to its track."""

    NONE = "none"
    SOFT = "soft"  # a first bad reading: worth a quick repeat
    RAISED = "raised"  # bad often enough: warning or critical is now believed
    EASED = "eased"  # critical became warning
    RECOVERED = "recovered"  # good again, by good measurements
    FLAPPING = "flapping"  # changes too often to be believed either way
    SETTLED = "settled"  # no longer flapping


class Track(msgspec.Struct, frozen=True):
    """What is believed of one (agent, node, check, item) and how it came to that.

    `hard` is the believed state (unknown until the first reading), `soft` the last reading's, `streak` how many readings in a row
    were like it, `since` the time of the first reading of the streak that made `hard`, `soft_since` of the present streak.
    `recent` holds the last 20 readings' changes as bits, newest lowest. `blind_since` is set while readings are unknown.
    """

    key: Key
    hard: State = State.UNKNOWN
    soft: State = State.UNKNOWN
    streak: int = 0
    since: datetime | None = None
    soft_since: datetime | None = None
    recent: int = 0
    flapping: bool = False
    blind_since: datetime | None = None
