"""The faults of the demo and when they come; values only."""

from typing import NamedTuple


class Fault(NamedTuple):
    """A fault and from when until when it lasts, in seconds after the start of a round."""

    name: str
    at_s: float
    until_s: float


ROUND_S = 300.0
TIMETABLE = (
    Fault("gateway", 15.0, 50.0),
    Fault("hang", 60.0, 95.0),
    Fault("fib0", 105.0, 185.0),
    Fault("fib1", 150.0, 185.0),
    Fault("disk", 200.0, 235.0),
)


class Change(NamedTuple):
    """A fault that begins (`on`) or ends, in seconds after the start of a round."""

    at_s: float
    name: str
    on: bool


def changes() -> list[Change]:
    """Return what happens in one round, in order."""
    both = [Change(at, one.name, on) for one in TIMETABLE for at, on in ((one.at_s, True), (one.until_s, False))]
    return sorted(both, key=lambda one: one.at_s)
