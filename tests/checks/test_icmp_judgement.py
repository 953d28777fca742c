"""The judgement of echo bursts: both sides of each limit, and nothing missing ever looks good."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.finding import Finding, Levels, State
from checks.icmp import CHECKS, JITTER, LATENCY, LOSS, Limits, judge
from probe.observation.failure import OURS, Failure, Kind
from probe.observation.icmp import EchoSample
from probe.observation.observation import Observation, Outcome

AT = datetime(2026, 3, 1, tzinfo=UTC)
FIRST_SHARE = 1 - (15 / 16) ** 4  # of the settled jitter after five answers


def findings(outcome: Outcome, limits: Limits | None = None) -> dict[str, Finding]:
    seen = Observation("agent", "node", "icmp", AT, 40.0, outcome)
    found = {one.check: one for one in judge(seen, None, limits or Limits())}
    assert all(one.seen is seen for one in found.values())
    return found


def echo(sent: int, received: int, mean: float = 10.0, jitter: float = 0.1, error: str | None = None) -> EchoSample:
    if not received:
        return EchoSample("192.0.2.1", sent, 0, error=error)
    return EchoSample("192.0.2.1", sent, received, mean, mean, mean, jitter if received > 1 else None, 0, error)


@pytest.mark.parametrize(
    ("sent", "received", "state", "message"),
    [
        (5, 5, State.OK, "icmp.answered"),
        (5, 4, State.WARNING, "icmp.loss"),
        (5, 3, State.CRITICAL, "icmp.loss"),
        (100, 81, State.OK, "icmp.loss"),
        (100, 80, State.WARNING, "icmp.loss"),
        (100, 61, State.WARNING, "icmp.loss"),
        (100, 60, State.CRITICAL, "icmp.loss"),
        (1, 1, State.OK, "icmp.answered"),
        (1, 0, State.CRITICAL, "icmp.no-reply"),
        (5, 0, State.CRITICAL, "icmp.no-reply"),
    ],
)
def test_loss_by_its_levels(sent: int, received: int, state: State, message: str) -> None:
    loss = findings(echo(sent, received))["icmp/loss"]
    assert (loss.state, loss.message.id, loss.value) == (state, message, (sent - received) / sent)
    assert loss.levels == LOSS


def test_silent_host_is_critical_whatever_the_levels_and_its_times_are_unknown_not_zero() -> None:
    found = findings(echo(5, 0), Limits(loss=Levels(None, None, "ratio", "nobody")))
    assert found["icmp/loss"].state is State.CRITICAL
    for name in ("icmp/latency", "icmp/jitter"):
        assert (found[name].state, found[name].message.id, found[name].value) == (State.UNKNOWN, "icmp.no-rtt", None)


def test_what_a_hop_said_is_told_instead_of_mere_silence() -> None:
    said = "host unreachable from 192.0.2.9"
    loss = findings(echo(5, 0, error=said))["icmp/loss"]
    assert (loss.state, loss.message.id, loss.message.values) == (State.CRITICAL, "icmp.error", {"error": said})


def test_partial_loss_counts_although_a_hop_complained() -> None:
    loss = findings(echo(5, 4, error="host unreachable from 192.0.2.9"))["icmp/loss"]
    assert (loss.state, loss.message.values) == (State.WARNING, {"lost": 1, "sent": 5})


@pytest.mark.parametrize(("mean", "state"), [(299.9, State.OK), (300.0, State.WARNING), (799.9, State.WARNING), (800.0, State.CRITICAL)])
def test_latency_by_its_levels(mean: float, state: State) -> None:
    latency = findings(echo(5, 5, mean))["icmp/latency"]
    assert (latency.state, latency.value, latency.message.values) == (state, mean, {"ms": mean})
    assert latency.seasonal
    assert latency.levels == LATENCY


@pytest.mark.parametrize(("settled", "state"), [(19.9, State.OK), (20.1, State.WARNING), (49.9, State.WARNING), (50.1, State.CRITICAL)])
def test_jitter_of_five_answers_is_judged_by_what_it_would_settle_at(settled: float, state: State) -> None:
    jitter = findings(echo(5, 5, jitter=settled * FIRST_SHARE))["icmp/jitter"]
    assert jitter.state is state
    assert jitter.value == pytest.approx(settled)
    assert jitter.levels == JITTER


def test_one_answer_of_five_has_no_jitter_and_a_single_echo_is_not_asked_for_it() -> None:
    assert findings(echo(5, 1))["icmp/jitter"].message.id == "icmp.no-jitter"
    assert set(findings(echo(1, 1))) == {"icmp/loss", "icmp/latency"}
    assert set(findings(echo(1, 0))) == {"icmp/loss", "icmp/latency"}


@pytest.mark.parametrize("kind", list(Kind))
def test_a_failure_is_judged_once_and_ours_is_never_an_outage(kind: Kind) -> None:
    found = findings(Failure(kind, "detail"))
    assert set(found) == {"icmp/loss"}
    assert found["icmp/loss"].state is (State.UNKNOWN if kind in OURS else State.CRITICAL)


def test_nothing_sent_is_unknown() -> None:
    found = findings(EchoSample("192.0.2.1", 0, 0))
    assert {one.state for one in found.values()} == {State.UNKNOWN}


def test_every_level_names_its_source_and_its_check() -> None:
    assert [(check.name, check.levels) for check in CHECKS] == [("icmp/loss", LOSS), ("icmp/latency", LATENCY), ("icmp/jitter", JITTER)]
    assert all(check.levels and check.levels.source for check in CHECKS)


@given(st.integers(1, 1000), st.data())
def test_more_loss_is_never_judged_better(sent: int, data: st.DataObject) -> None:
    fewer, more = sorted(data.draw(st.tuples(st.integers(0, sent), st.integers(0, sent))))
    order = [State.OK, State.WARNING, State.CRITICAL]
    good, bad = (findings(echo(sent, sent - lost))["icmp/loss"].state for lost in (fewer, more))
    assert order.index(good) <= order.index(bad)
