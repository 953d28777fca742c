"""How one connection attempt is judged."""

from datetime import UTC, datetime

import pytest

from checks import tcp
from checks.finding import Finding, Levels, Message, State
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation, Outcome
from probe.observation.tcp import ConnectSample

AT = datetime(2026, 1, 1, tzinfo=UTC)


def judged(outcome: Outcome, limits: tcp.Limits | None = None) -> tuple[Observation, list[Finding]]:
    seen = Observation("a", "n", "tcp", AT, 1.0, outcome, "80")
    return seen, list(tcp.judge(seen, None, limits or tcp.Limits()))


@pytest.mark.parametrize(
    ("ms", "state"), [(0.1, State.OK), (999.9, State.OK), (1000.0, State.WARNING), (2999.9, State.WARNING), (3000.0, State.CRITICAL)]
)
def test_an_open_port_is_ok_however_long_it_took(ms: float, state: State) -> None:
    seen, findings = judged(ConnectSample("192.0.2.1", 80, ms))
    assert findings == [
        Finding("tcp/port", seen, State.OK, Message("tcp.open")),
        Finding("tcp/connect", seen, state, Message("tcp.connect", {"ms": ms}), tcp.CONNECT, value=ms, seasonal=True),
    ]


@pytest.mark.parametrize(("kind", "state"), [(kind, State.UNKNOWN if Failure(kind).ours else State.CRITICAL) for kind in Kind])
def test_a_failure_is_critical_unless_it_is_ours(kind: Kind, state: State) -> None:
    seen, findings = judged(Failure(kind, "words"))
    assert findings == [Finding("tcp/port", seen, state, Message(f"failure.{kind}", {"detail": "words"}))]


def test_levels_of_a_person_are_used() -> None:
    own = Levels(1.0, 2.0, "ms", "agreed")
    assert judged(ConnectSample("192.0.2.1", 80, 1.5), tcp.Limits(own))[1][1].state is State.WARNING


def test_every_level_has_a_source_and_every_finding_its_check() -> None:
    assert all(check.levels is None or check.levels.source for check in tcp.CHECKS)
    names = {check.name for check in tcp.CHECKS}
    assert {one.check for outcome in (Failure(Kind.REFUSED), ConnectSample("a", 1, 1.0)) for one in judged(outcome)[1]} == names
