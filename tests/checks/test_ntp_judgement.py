"""What is made of one exchange with a time server."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.finding import Finding, State
from checks.ntp import CHECKS, Limits, judge
from probe.observation.failure import Failure, Kind
from probe.observation.ntp import NtpSample
from probe.observation.observation import Observation

OK, WARNING, CRITICAL, UNKNOWN = State.OK, State.WARNING, State.CRITICAL, State.UNKNOWN


def seen(outcome) -> Observation:
    return Observation("here", "time-1", "ntp", datetime(2026, 1, 1, tzinfo=UTC), 1.0, outcome)


def sample(
    offset_ms: float | None = 0.0, delay_ms: float | None = 2.0, stratum: int = 2, leap: int = 0, reference: str = "192.0.2.1"
) -> NtpSample:
    return NtpSample("192.0.2.9", offset_ms, delay_ms, stratum, leap, 1.0, 1.0, reference)


def judged(outcome) -> dict[str, Finding]:
    return {finding.check: finding for finding in judge(seen(outcome), None, Limits())}


@pytest.mark.parametrize(
    ("offset_ms", "delay_ms", "state"),
    [
        (0.0, 2.0, OK),
        (128.9, 2.0, OK),
        (129.0, 2.0, WARNING),
        (-128.9, 2.0, OK),
        (-129.0, 2.0, WARNING),
        (1000.9, 2.0, WARNING),
        (1001.0, 2.0, CRITICAL),
        (-1001.0, 2.0, CRITICAL),
        (400.0, 800.0, OK),  # all of it may be a slower way back
        (400.0, 540.0, WARNING),
    ],
)
def test_clocks_are_judged_by_how_far_they_are_apart_at_least(offset_ms, delay_ms, state) -> None:
    assert judged(sample(offset_ms, delay_ms))["ntp/offset"].state is state


@pytest.mark.parametrize(("offset_ms", "message"), [(250.0, "ntp.offset.ahead"), (-250.0, "ntp.offset.behind")])
def test_message_says_in_which_direction(offset_ms, message) -> None:
    said = judged(sample(offset_ms, 4.0))["ntp/offset"].message
    assert (said.id, said.values) == (message, {"ms": 250.0, "error_ms": 2.0})


@pytest.mark.parametrize(
    ("what", "state", "message"),
    [
        (sample(stratum=1, reference="GPS"), OK, "ntp.stratum"),
        (sample(stratum=15), OK, "ntp.stratum"),
        (sample(stratum=16), CRITICAL, "ntp.unsynchronised"),
        (sample(stratum=255), CRITICAL, "ntp.unsynchronised"),
        (sample(leap=1), OK, "ntp.stratum"),
        (sample(leap=2), OK, "ntp.stratum"),
        (sample(leap=3), CRITICAL, "ntp.unsynchronised"),
        (sample(None, None, stratum=0, reference="DENY"), CRITICAL, "ntp.kiss"),
        (sample(None, None, stratum=0, reference="RSTR"), CRITICAL, "ntp.kiss"),
        (sample(None, None, stratum=0, reference=""), CRITICAL, "ntp.kiss"),
        (sample(None, None, stratum=0, leap=3, reference="INIT"), CRITICAL, "ntp.unsynchronised"),
        (sample(None, None, stratum=0, reference="RATE"), UNKNOWN, "ntp.kiss.rate"),
    ],
)
def test_server_that_serves_no_time_is_told_apart(what, state, message) -> None:
    found = judged(what)
    assert (found["ntp/stratum"].state, found["ntp/stratum"].message.id) == (state, message)
    assert found["ntp/answer"].state is OK
    if state is not OK:
        assert (found["ntp/offset"].state, found["ntp/offset"].value) == (UNKNOWN, None)


@pytest.mark.parametrize(
    ("kind", "state"),
    [(Kind.TIMEOUT, CRITICAL), (Kind.REFUSED, CRITICAL), (Kind.REJECTED, CRITICAL), (Kind.DENIED, UNKNOWN), (Kind.UPLINK, UNKNOWN)],
)
def test_no_answer_is_critical_unless_it_is_ours(kind, state) -> None:
    assert {check: finding.state for check, finding in judged(Failure(kind, "x")).items()} == {"ntp/answer": state}


@given(st.floats(-1e9, 1e9), st.floats(0, 1e6))
def test_worse_offset_is_never_judged_better(offset_ms, delay_ms) -> None:
    rank = [OK, WARNING, CRITICAL]
    one, twice = (judged(sample(offset, delay_ms))["ntp/offset"] for offset in (offset_ms, offset_ms * 2))
    assert rank.index(one.state) <= rank.index(twice.state)
    assert one.state is Limits().offset.judge(one.value)


def test_every_finding_is_announced_and_every_level_has_a_source() -> None:
    names = {check.name for check in CHECKS}
    for what in (sample(), sample(stratum=16), Failure(Kind.TIMEOUT)):
        assert set(judged(what)) <= names
    assert all(check.levels.source for check in CHECKS if check.levels)
