"""Is the port open, and how long does the handshake take?"""

from collections.abc import Iterator

import msgspec

from checks.failure import judge_failure
from checks.finding import Check, Finding, Levels, Message, State
from probe.observation.failure import Failure
from probe.observation.observation import Observation
from probe.observation.tcp import ConnectSample

CONNECT = Levels(1000.0, 3000.0, "ms", "RFC 6298: the first SYN is repeated after 1 s, the second 2 s later, so after 3 s")


class Limits(msgspec.Struct, frozen=True):
    """What can be set for a `tcp` check."""

    connect: Levels = CONNECT


CHECKS = (Check("tcp/port"), Check("tcp/connect", CONNECT))


def judge(seen: Observation, before: Observation | None, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001
    """Judge one connection attempt: `tcp/port` says whether it is open, `tcp/connect` how long it took."""
    match seen.outcome:
        case Failure() as why:
            yield judge_failure("tcp/port", seen, why)
        case ConnectSample(connect_ms=took):
            yield Finding("tcp/port", seen, State.OK, Message("tcp.open"))
            text = Message("tcp.connect", {"ms": took})
            yield Finding("tcp/connect", seen, limits.connect.judge(took), text, limits.connect, value=took, seasonal=True)
