"""What a test call and a gateway's two ways mean: each class of answer, both sides of each limit, and what may not be told."""

from datetime import UTC, datetime

import msgspec
import pytest

from checks import call, gateway
from checks.finding import Finding, State
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation, Outcome
from probe.observation.sip import AudioSample, CallSample, GatewaySample, SipSample, Standard

OK, WARNING, CRITICAL, UNKNOWN = State.OK, State.WARNING, State.CRITICAL, State.UNKNOWN


def seen(prober: str, outcome: Outcome) -> Observation:
    return Observation("a", "softswitch", prober, datetime(2026, 11, 21, tzinfo=UTC), 1.0, outcome)


def sip(code: int | None, **fields: object) -> SipSample:
    return SipSample("192.0.2.1", 5060, "UDP", code, "said", 10.0, **fields)  # type: ignore[arg-type]


HEARD = AudioSample(250, 250, True, 0.0, None, 1.0, 40.0)
UP = CallSample("8888", sip(200), 15.0, 900.0, 1500.0, True, "PCMA", HEARD, True, 5.0, "bye")
DOWN = msgspec.structs.replace(UP, pick_up_ms=None, audio=None, codec=None, ended="refused")


def judged(sample: CallSample) -> dict[str, Finding]:
    return {found.check: found for found in call.judge(seen("call", sample), None, call.Limits())}


@pytest.mark.parametrize(
    ("answer", "authenticated", "state", "text"),
    [
        (sip(401), False, UNKNOWN, "call.no-password"),
        (sip(407), True, CRITICAL, "call.rejected"),
        (sip(403), False, CRITICAL, "call.rejected"),
        (sip(404), False, CRITICAL, "call.no-such-number"),
        (sip(404, q850=1), False, CRITICAL, "call.no-such-number"),
        (sip(480, q850=18), False, CRITICAL, "call.not-reached"),
        (sip(486), False, WARNING, "call.busy"),
        (sip(480, q850=17), False, WARNING, "call.busy"),
        (sip(488), False, CRITICAL, "call.no-codec"),
        (sip(503), False, CRITICAL, "call.congestion"),
        (sip(500, q850=34), False, CRITICAL, "call.congestion"),
        (sip(500, q850=16), False, CRITICAL, "call.failed"),
        (sip(302), False, CRITICAL, "call.failed"),
        (sip(None), False, CRITICAL, "call.no-answer"),
        (sip(None, blocked_by="192.0.2.9", blocked="prohibited"), False, CRITICAL, "sip.blocked"),
    ],
)
def test_a_call_that_did_not_come_about_says_why(answer: SipSample, authenticated: bool, state: State, text: str) -> None:
    found = judged(msgspec.structs.replace(DOWN, answer=answer, authenticated=authenticated))
    assert (found["call/answer"].state, found["call/answer"].message.id) == (state, text)
    assert not {"call/audio", "call/quality", "call/release"} & found.keys()


@pytest.mark.parametrize(("pdd", "state"), [(4999.0, OK), (5000.0, WARNING), (7999.0, WARNING), (8000.0, CRITICAL)])
def test_post_dial_delay_has_its_limits(pdd: float, state: State) -> None:
    assert judged(msgspec.structs.replace(UP, pdd_ms=pdd))["call/pdd"].state is state


@pytest.mark.parametrize(("loss", "state"), [(0.0, OK), (0.06, OK), (0.12, WARNING), (0.25, CRITICAL)])
def test_what_is_heard_is_rated(loss: float, state: State) -> None:
    found = judged(msgspec.structs.replace(UP, audio=msgspec.structs.replace(HEARD, loss_ratio=loss)))
    assert (found["call/audio"].state, found["call/quality"].state) == (OK, state)


@pytest.mark.parametrize(
    ("audio", "wanted", "state"),
    [(None, True, CRITICAL), (AudioSample(250, 0, False, None, None, None, None), True, CRITICAL), (None, False, None)],
)
def test_silence_is_a_fault_where_something_was_to_be_heard(audio: AudioSample | None, wanted: bool, state: State | None) -> None:
    found = judged(msgspec.structs.replace(UP, audio=audio, audio_wanted=wanted))
    assert (found["call/audio"].state if "call/audio" in found else None) is state
    assert "call/quality" not in found


@pytest.mark.parametrize(("ended", "state"), [("bye", OK), ("peer", WARNING), ("unconfirmed", WARNING)])
def test_a_call_is_to_end_by_our_word(ended: str, state: State) -> None:
    assert judged(msgspec.structs.replace(UP, ended=ended))["call/release"].state is state


def test_a_call_that_may_not_be_made_is_no_fault() -> None:
    (found,) = call.judge(seen("call", Failure(Kind.DENIED, "one a day")), None, call.Limits())
    assert (found.state, found.message.id) == (UNKNOWN, "call.held-back")


NAT = "203.0.113.5"
SILENT, OURS = Failure(Kind.TIMEOUT, "no answer"), Failure(Kind.UPLINK, "no route")
PLAIN = sip(200, server="HT814 1.0.41.2", contact_host="192.168.1.5", allow=("INVITE", "OPTIONS"), codecs=("PCMA",))


@pytest.mark.parametrize(
    ("direct", "nat", "state", "text"),
    [
        (PLAIN, PLAIN, OK, "gateway.nat-open"),
        (PLAIN, SILENT, CRITICAL, "gateway.nat-silent"),
        (PLAIN, Failure(Kind.REFUSED, ""), CRITICAL, "gateway.nat-refused"),
        (PLAIN, OURS, UNKNOWN, "failure.uplink"),
        (SILENT, SILENT, UNKNOWN, "gateway.both-fail"),
        (None, SILENT, CRITICAL, "gateway.nat-alone"),
        (PLAIN, msgspec.structs.replace(PLAIN, server="camera"), CRITICAL, "gateway.other-device"),
        (PLAIN, sip(None, blocked_by=NAT, blocked="prohibited"), CRITICAL, "gateway.nat-blocked"),
    ],
)
def test_the_way_through_nat_is_told_by_the_other(
    direct: SipSample | Failure | None, nat: SipSample | Failure, state: State, text: str
) -> None:
    sample = GatewaySample("Ms Li", "192.168.1.5", NAT, direct, nat)
    found = {one.check: one for one in gateway.judge(seen("gateway", sample), None, gateway.Limits())}
    assert (found["gateway/nat"].state, found["gateway/nat"].message.id) == (state, text)


@pytest.mark.parametrize(
    ("standard", "states"),
    [
        (Standard(), {}),
        (Standard(models=("ht814",), min_firmware="1.0.41.2"), {"model": OK, "firmware": OK}),
        (Standard(models=("HT818",), min_firmware="1.0.41.10"), {"model": WARNING, "firmware": WARNING}),
        (Standard(codecs=("pcma",), methods=("INVITE", "BYE")), {"codecs": OK, "methods": WARNING}),
        (Standard(nat_mode="private"), {"nat": OK}),
        (Standard(nat_mode="public"), {"nat": WARNING}),
    ],
)
def test_a_gateway_is_held_to_the_standard(standard: Standard, states: dict[str, State]) -> None:
    sample = GatewaySample("Ms Li", "192.168.1.5", "", PLAIN, None, None, standard)
    found = gateway.judge(seen("gateway", sample), None, gateway.Limits())
    assert {one.item: one.state for one in found if one.check == "gateway/standard"} == states


def test_what_a_gateway_does_not_tell_is_unknown() -> None:
    standard = Standard(("HT814",), "1.0", ("PCMA",), ("BYE",), "public")
    sample = GatewaySample("Ms Li", "192.168.1.5", "", sip(200), None, None, standard)
    found = [one for one in gateway.judge(seen("gateway", sample), None, gateway.Limits()) if one.check == "gateway/standard"]
    assert {one.state for one in found} == {UNKNOWN}
    assert len(found) == 5
