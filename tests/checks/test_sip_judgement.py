"""What the answers of SIP servers and registrars mean, one line for each code that means something of its own."""

from datetime import UTC, datetime

import pytest

from checks import registration, sip
from checks.finding import State
from probe.observation.observation import Observation, Outcome
from probe.observation.sip import Binding, RegistrationSample, SipSample

OK, WARNING, CRITICAL, UNKNOWN = State.OK, State.WARNING, State.CRITICAL, State.UNKNOWN


def seen(prober: str, outcome: Outcome) -> Observation:
    return Observation("a", "softswitch", prober, datetime(2026, 11, 21, tzinfo=UTC), 1.0, outcome)


def answered(code: int | None, **fields: object) -> SipSample:
    return SipSample("192.0.2.1", 5060, "UDP", code, "said", 10.0, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sample", "state", "text"),
    [
        (answered(200), OK, "sip.ok"),
        (answered(302), OK, "sip.alive"),
        (answered(400), WARNING, "sip.not-understood"),
        (answered(401), OK, "sip.alive"),
        (answered(403), OK, "sip.forbids"),
        (answered(404), OK, "sip.alive"),
        (answered(404, user="8888"), WARNING, "sip.no-such-user"),
        (answered(604, user="8888"), WARNING, "sip.no-such-user"),
        (answered(405), OK, "sip.alive"),
        (answered(407), OK, "sip.alive"),
        (answered(408), CRITICAL, "sip.behind-silent"),
        (answered(480), WARNING, "sip.not-there"),
        (answered(483), CRITICAL, "sip.loop"),
        (answered(486, user="8888"), OK, "sip.alive"),
        (answered(488), OK, "sip.alive"),
        (answered(500), CRITICAL, "sip.server-error"),
        (answered(501), OK, "sip.alive"),
        (answered(503), CRITICAL, "sip.unavailable"),
        (answered(503, retry_after_s=0), CRITICAL, "sip.unavailable-until"),
        (answered(504), CRITICAL, "sip.behind-silent"),
        (answered(None, blocked_by="192.0.2.9", blocked="prohibited"), CRITICAL, "sip.blocked"),
    ],
)
def test_an_answer_means_what_its_code_says(sample: SipSample, state: State, text: str) -> None:
    found = next(iter(sip.judge(seen("sip", sample), None, sip.Limits())))
    assert (found.state, found.message.id) == (state, text)


@pytest.mark.parametrize(("took", "state"), [(499.9, OK), (500.0, WARNING), (3999.9, WARNING), (4000.0, CRITICAL)])
def test_a_late_answer_is_judged_by_its_own_levels(took: float, state: State) -> None:
    sample = SipSample("192.0.2.1", 5060, "UDP", 200, "OK", took)
    found = [one for one in sip.judge(seen("sip", sample), None, sip.Limits()) if one.check == "sip/time"]
    assert [one.state for one in found] == [state]


BOUND = (Binding("sip:1@10.0.0.1", "10.0.0.1", 60),)


@pytest.mark.parametrize(
    ("sample", "state", "text"),
    [
        (RegistrationSample("sip:1@x", answered(200), BOUND), OK, "registration.bound-for"),
        (RegistrationSample("sip:1@x", answered(200)), CRITICAL, "registration.none"),
        (RegistrationSample("sip:1@x", answered(401)), UNKNOWN, "registration.no-password"),
        (RegistrationSample("sip:1@x", answered(401), authenticated=True), CRITICAL, "registration.wrong-password"),
        (RegistrationSample("sip:1@x", answered(403)), CRITICAL, "registration.forbidden"),
        (RegistrationSample("sip:1@x", answered(404)), CRITICAL, "registration.unknown"),
        (RegistrationSample("sip:1@x", answered(405)), UNKNOWN, "registration.not-told"),
        (RegistrationSample("sip:1@x", answered(503)), CRITICAL, "sip.unavailable"),
    ],
)
def test_a_registrar_tells_by_its_code(sample: RegistrationSample, state: State, text: str) -> None:
    (found,) = registration.judge(seen("registration", sample), None, registration.Limits())
    assert (found.state, found.message.id) == (state, text)
