"""What is made of one session with a STAMP responder, each way by itself."""

from datetime import UTC, datetime

import pytest

from checks.finding import Finding, State
from checks.stamp import CHECKS, CLOCK_MS, Limits, judge
from probe.observation.failure import OURS, Failure, Kind
from probe.observation.observation import Observation
from probe.observation.stamp import Lost, StampSample

OK, WARNING, CRITICAL, UNKNOWN = State.OK, State.WARNING, State.CRITICAL, State.UNKNOWN


def judged(outcome) -> dict[str, Finding]:
    seen = Observation("here", "far", "stamp", datetime(2026, 1, 1, tzinfo=UTC), 1.0, outcome)
    return {finding.check: finding for finding in judge(seen, None, Limits())}


def session(out: int | None = 0, back: int | None = 0, sent: int = 100, **more) -> StampSample:
    values = {"rtt_ms": 20.0, "min_rtt_ms": 19.0, "jitter_out_ms": 0.1, "jitter_back_ms": 0.2, "stateful": out is not None} | more
    return StampSample("192.0.2.1", 862, sent, sent - (out or 0) - (back or 0), lost_out=out, lost_back=back, **values)


@pytest.mark.parametrize(
    ("out", "back", "there", "returning"),
    [
        (0, 0, OK, OK),
        (2, 0, OK, OK),
        (3, 0, WARNING, OK),
        (9, 0, WARNING, OK),
        (10, 0, CRITICAL, OK),
        (0, 3, OK, WARNING),
        (0, 10, OK, CRITICAL),
        (50, 5, CRITICAL, CRITICAL),  # 5 of the 50 that came as far
        (None, None, OK, UNKNOWN),
    ],
)
def test_each_way_is_judged_by_itself(out, back, there, returning) -> None:
    found = judged(session(out, back))
    assert (found["stamp/loss-out"].state, found["stamp/loss-back"].state) == (there, returning)


def test_reflector_without_a_count_is_judged_by_both_ways_together() -> None:
    found = judged(StampSample("192.0.2.1", 862, 100, 80, False, rtt_ms=1.0))
    assert (found["stamp/loss-out"].state, found["stamp/loss-out"].value) == (CRITICAL, 0.2)
    assert found["stamp/loss-out"].message.id == "stamp.loss.both"
    assert (found["stamp/loss-back"].state, found["stamp/loss-back"].message.id) == (UNKNOWN, "stamp.loss.stateless")


@pytest.mark.parametrize(
    ("more", "state", "value", "message"),
    [
        ({"rtt_ms": 299.0}, OK, 149.5, "stamp.delay.half"),
        ({"rtt_ms": 300.0}, WARNING, 150.0, "stamp.delay.half"),
        ({"rtt_ms": 800.0}, CRITICAL, 400.0, "stamp.delay.half"),
        ({"rtt_ms": 200.0, "out_ms": 150.0, "back_ms": 50.0, "clock_error_ms": 1.0}, WARNING, 150.0, "stamp.delay.ways"),
        ({"rtt_ms": 200.0, "out_ms": 50.0, "back_ms": 150.0, "clock_error_ms": CLOCK_MS}, WARNING, 150.0, "stamp.delay.ways"),
        ({"rtt_ms": 200.0, "out_ms": 150.0, "back_ms": 50.0, "clock_error_ms": CLOCK_MS + 0.1}, OK, 100.0, "stamp.delay.half"),
        ({"rtt_ms": None}, UNKNOWN, None, "stamp.delay.none"),
    ],
)
def test_delay_is_of_one_way_only_where_the_clocks_allow(more, state, value, message) -> None:
    delay = judged(session(**more))["stamp/delay"]
    assert (delay.state, delay.value, delay.message.id) == (state, value, message)


@pytest.mark.parametrize(
    ("out", "back", "state"), [(0.0, 0.0, OK), (19.0, 1.0, OK), (20.0, 1.0, WARNING), (1.0, 50.0, CRITICAL), (None, None, UNKNOWN)]
)
def test_jitter_of_the_more_uneven_way(out, back, state) -> None:
    assert judged(session(sent=1000, jitter_out_ms=out, jitter_back_ms=back))["stamp/jitter"].state is state


def test_silent_responder_is_critical_and_tells_nothing_else() -> None:
    found = judged(StampSample("192.0.2.1", 862, 100, 0))
    assert {check: (one.state, one.message.id) for check, one in found.items()} == {"stamp/answer": (CRITICAL, "stamp.silent")}


@pytest.mark.parametrize("kind", list(Kind))
def test_what_we_could_not_see_is_no_outage(kind) -> None:
    assert {c: f.state for c, f in judged(Failure(kind, "x")).items()} == {"stamp/answer": UNKNOWN if kind in OURS else CRITICAL}


def test_every_finding_is_announced() -> None:
    lately = Lost(3000, 0, 0.0, 3000)
    whole = session(lately_s=300.0, lately_sessions=30, lately_both=lately, lately_out=lately, lately_back=lately)
    assert list(judged(whole)) == [check.name for check in CHECKS]
