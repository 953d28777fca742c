"""What a judgement says of one observation: State, Levels, Message, Finding."""

from enum import StrEnum

import msgspec

from probe.observation.observation import Observation

# Values made at every observation, here and in the rooms beside, say gc=False: they can't be part of a cycle, and a collector that walks
# through those of 12,000 targets stops the service for half a second.

Value = str | int | float | bool | None
Key = tuple[str, str, str, str]


class State(StrEnum):
    """Not ordered: critical beats warning beats unknown only where one word must stand for many (`worst`)."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


_BEATS = (State.CRITICAL, State.WARNING, State.UNKNOWN, State.OK)


def worst(states: "set[State] | frozenset[State]") -> State:
    """Return the one word for many states; nothing at all is `unknown`."""
    return next((state for state in _BEATS if state in states), State.UNKNOWN)


class Message(msgspec.Struct, frozen=True, gc=False):
    """A text to be: its id in the catalogues and the values of its placeholders; translated when shown."""

    id: str
    values: dict[str, Value] = {}


class Levels(msgspec.Struct, frozen=True, gc=False):
    """Where a value becomes a warning and critical, in which unit, and who says so (a standard, a device, a baseline, a person).

    With `low` the small values are bad (days left). A limit of None is not judged. The value *at* a limit is beyond it.
    `margin` is the share of a limit by which a value must be better again before a bad state is left (hysteresis).
    """

    warning: float | None
    critical: float | None
    unit: str
    source: str
    low: bool = False
    margin: float = 0.05

    def judge(self, value: float) -> State:
        """Return ok, warning or critical for a value in this unit; unknown for NaN, which is no value."""
        if value != value:  # noqa: PLR0124
            return State.UNKNOWN
        if _beyond(value, self.critical, self.low):
            return State.CRITICAL
        if _beyond(value, self.warning, self.low):
            return State.WARNING
        return State.OK

    def holds(self, value: float, state: State) -> bool:
        """Tell whether a value that is no longer beyond the limit of `state` is still within the margin of it."""
        limit = self.critical if state is State.CRITICAL else self.warning
        if limit is None:
            return False
        room = abs(limit) * self.margin
        return _beyond(value, limit + room if self.low else limit - room, self.low)


def _beyond(value: float, limit: float | None, low: bool) -> bool:
    if limit is None:
        return False
    return value <= limit if low else value >= limit


class Check(msgspec.Struct, frozen=True):
    """One question of a room file, for listings and the handbook; its text is the message `about.<name>`."""

    name: str
    levels: Levels | None = None


def base(check: str) -> str:
    """Return the check of which this is the trend, the loss or the departure from the usual, else the check itself."""
    return check.removesuffix(".usual").removesuffix(".trend").removesuffix(".loss")


class Finding(msgspec.Struct, frozen=True, gc=False):
    """One judgement. It is known by (agent, node, check, item); `item` is the part of the node (a mount, a port), if any.

    `value` is the number that was judged, in the unit of `levels`; None when there was none. `seasonal` asks for its departure from the
    same hour's baseline to be judged too, `full_at` for the time until it reaches that value by its trend, `loss` for how far it has
    fallen below the best that is known of it (without a value: that nothing is left). `gated` says that a second condition made it good
    whatever the value is (swap is full, but memory is not short): no margin of the value holds it for bad.
    """

    check: str
    seen: Observation
    state: State
    message: Message
    levels: Levels | None = None
    item: str = ""
    value: float | None = None
    seasonal: bool = False
    full_at: float | None = None
    gated: bool = False
    loss: Levels | None = None

    @property
    def key(self) -> Key:
        """What this finding is about, over time."""
        return (self.seen.agent, self.seen.node, self.check, self.item or self.seen.item)
