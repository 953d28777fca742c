from datetime import UTC, datetime, timedelta

import pytest

from checks.finding import Finding, Levels, Message, State
from checks.sight import MAX_AGE, Look, Route, Sight, blind, look
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BAD, GOOD = Look(False, NOW), Look(True, NOW)
ROUTE = Route("eth0", "192.0.2.254")
ON_LINK = Route("eth0")
NAMED = Route("eth0", "192.0.2.254", named=True)


def finding(state: State = State.CRITICAL, check: str = "tcp/port", at: datetime = NOW) -> Finding:
    seen = Observation("agent", "web-1", "tcp", at, 1.0, Failure(Kind.TIMEOUT), "80")
    return Finding(check, seen, state, Message("failure.timeout"), Levels(1.0, 2.0, "ms", "t"), "x", 3.0, True, 9.0)


@pytest.mark.parametrize(
    ("route", "sight", "check", "why"),
    [
        (ROUTE, Sight(), "tcp/port", None),
        (ROUTE, Sight({"eth0": GOOD}, {"192.0.2.254": GOOD}, GOOD, GOOD), "tcp/port", None),
        (ROUTE, Sight({"eth0": BAD}), "tcp/port", "sight.uplink"),
        (ON_LINK, Sight({"eth0": BAD}), "tcp/port", "sight.uplink"),
        (ROUTE, Sight({"eth1": BAD}), "tcp/port", None),
        (None, Sight({"eth0": BAD}), "tcp/port", None),
        (ROUTE, Sight({"eth0": GOOD}, {"192.0.2.254": BAD}), "tcp/port", "sight.gateway"),
        (ON_LINK, Sight({"eth0": GOOD}, {"192.0.2.254": BAD}), "tcp/port", None),
        (ROUTE, Sight({}, {"192.0.2.253": BAD}), "tcp/port", None),
        (NAMED, Sight(resolver=BAD), "tcp/port", "sight.resolver"),
        (ROUTE, Sight(resolver=BAD), "tcp/port", None),
        (ROUTE, Sight(clock=BAD), "tcp/port", None),
        (ROUTE, Sight(clock=BAD), "ntp/offset", "sight.clock"),
        (None, Sight(clock=BAD), "host/clock-sync", None),
        (NAMED, Sight({"eth0": BAD}, {"192.0.2.254": BAD}, BAD, BAD), "ntp/offset", "sight.uplink"),
    ],
)
def test_what_blinds_whom(route: Route | None, sight: Sight, check: str, why: str | None) -> None:
    after = blind(finding(check=check), route, sight)
    if why is None:
        assert after == finding(check=check)
    else:
        assert (after.state, after.message.id, after.key) == (State.UNKNOWN, why, finding(check=check).key)
        assert (after.value, after.seasonal, after.full_at) == (None, False, None)


@pytest.mark.parametrize("state", [State.OK, State.UNKNOWN])
def test_a_good_reading_is_evidence_that_we_see(state: State) -> None:
    good = finding(state)
    assert blind(good, ROUTE, Sight({"eth0": BAD}, {"192.0.2.254": BAD}, BAD, BAD)) is good


def test_a_warning_is_doubted_as_a_critical_state_is() -> None:
    assert blind(finding(State.WARNING), ROUTE, Sight({"eth0": BAD})).state is State.UNKNOWN


def test_an_old_look_at_ourselves_proves_nothing() -> None:
    sight = Sight({"eth0": BAD})
    assert blind(finding(at=NOW + MAX_AGE), ROUTE, sight).state is State.UNKNOWN
    late = finding(at=NOW + MAX_AGE + timedelta(seconds=1))
    assert blind(late, ROUTE, sight) is late
    assert blind(finding(at=NOW - timedelta(hours=1)), ROUTE, sight).state is State.UNKNOWN


@pytest.mark.parametrize(("begun_s", "doubted"), [(-5, True), (-0.001, True), (0, False), (5, False), (-181, False)])
def test_what_was_begun_in_the_dark_is_doubted_after_the_light_came_back(begun_s: float, doubted: bool) -> None:
    """A probe that waited through the gateway's failure ends after the gateway has answered again; it must not be believed."""
    lit = look(look(look(None, True, NOW - MAX_AGE), False, NOW - timedelta(seconds=6)), True, NOW)
    later = look(lit, True, NOW + timedelta(seconds=3))
    for sight in (Sight(gateways={"192.0.2.254": lit}), Sight(gateways={"192.0.2.254": later})):
        after = blind(finding(at=NOW + timedelta(seconds=begun_s)), ROUTE, sight)
        assert (after.state is State.UNKNOWN) is doubted
    assert look(None, True, NOW).again is None
