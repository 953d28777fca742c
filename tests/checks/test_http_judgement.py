"""How one HTTP exchange is judged."""

from datetime import UTC, datetime

import pytest

from checks import http
from checks.finding import Finding, Message, State
from probe.observation.failure import Failure, Kind
from probe.observation.http import HttpSample
from probe.observation.observation import Observation, Outcome


def got(status: int = 200, reason: str = "OK", *, total_ms: float = 12.0, transfer_ms: float = 2.0, **others: object) -> HttpSample:
    given = {"status_expected": True, "expected": "200-399", **others}
    return HttpSample("http://a/", "192.0.2.1", status, reason, "1.1", 9, None, 1.0, None, 5.0, transfer_ms, total_ms, **given)


def judged(outcome: Outcome) -> dict[str, Finding]:
    seen = Observation("a", "n", "http", datetime(2026, 1, 1, tzinfo=UTC), 1.0, outcome, "http:80/")
    return {one.check: one for one in http.judge(seen, None, http.Limits())}


@pytest.mark.parametrize(
    ("sample", "state", "message"),
    [
        (got(), State.OK, Message("http.status", {"answer": "200 OK"})),
        (got(204, ""), State.OK, Message("http.status", {"answer": "204"})),
        (got(status_expected=None), State.OK, Message("http.status", {"answer": "200 OK"})),
        (got(503, "No", status_expected=False), State.CRITICAL, Message("http.status-wrong", {"answer": "503 No", "expected": "200-399"})),
    ],
)
def test_status(sample: HttpSample, state: State, message: Message) -> None:
    one = judged(sample)["http/status"]
    assert (one.state, one.message) == (state, message)


@pytest.mark.parametrize(
    ("sample", "state", "text"),
    [
        (got(body_matches=True), State.OK, "http.body"),
        (got(body_matches=True, truncated=True), State.OK, "http.body"),
        (got(body_matches=False), State.CRITICAL, "http.body-wrong"),
        (got(body_matches=False, truncated=True), State.CRITICAL, "http.body-cut"),
    ],
)
def test_body(sample: HttpSample, state: State, text: str) -> None:
    one = judged(sample)["http/body"]
    assert (one.state, one.message.id) == (state, text)


def test_a_body_that_nobody_asked_about_is_not_judged() -> None:
    assert set(judged(got())) == {"http/status", "http/time"}


@pytest.mark.parametrize(("ms", "state"), [(799.9, State.OK), (800.0, State.WARNING), (1799.9, State.WARNING), (1800.0, State.CRITICAL)])
def test_time_is_that_to_the_first_octet(ms: float, state: State) -> None:
    one = judged(got(total_ms=ms + 5000, transfer_ms=5000))["http/time"]
    assert (one.state, one.value, one.seasonal) == (state, pytest.approx(ms), True)


@pytest.mark.parametrize(("kind", "state"), [(kind, State.UNKNOWN if Failure(kind).ours else State.CRITICAL) for kind in Kind])
def test_a_failed_request_is_critical_unless_it_is_ours(kind: Kind, state: State) -> None:
    assert {name: one.state for name, one in judged(Failure(kind)).items()} == {"http/status": state}


def test_every_level_has_a_source() -> None:
    assert all(check.levels is None or check.levels.source for check in http.CHECKS)
    assert set(judged(got(body_matches=True))) == {check.name for check in http.CHECKS}
