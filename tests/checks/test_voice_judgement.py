"""What answers, registrations, test calls and gateways are judged to mean."""

from datetime import UTC, datetime

import msgspec
import pytest

from checks import call, gateway, registration, sip
from checks.causes import cause_of
from checks.finding import Finding, State
from checks.verdict import CaseKind
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation, Outcome
from probe.observation.sip import AudioSample, Binding, CallSample, GatewaySample, RegistrationSample, SipSample, Standard

AT = datetime(2026, 1, 1, tzinfo=UTC)
OK, WARNING, CRITICAL, UNKNOWN = State.OK, State.WARNING, State.CRITICAL, State.UNKNOWN
SILENT, REFUSED = Failure(Kind.TIMEOUT, "no answer"), Failure(Kind.REFUSED)


def judged(module, outcome: Outcome) -> dict[tuple[str, str], Finding]:
    """Return the findings by check and item."""
    seen = Observation("a", "n", module.__name__.rpartition(".")[2], AT, 1.0, outcome)
    found = list(module.judge(seen, None, module.Limits()))
    assert {one.check for one in found} <= {check.name for check in module.CHECKS}
    for one in found:
        assert msgspec.json.decode(msgspec.json.encode(one.seen), type=Observation) == seen  # what is kept as evidence comes back the same
    return {(one.check, one.item): one for one in found}


def said(module, outcome: Outcome, check: str, item: str = "") -> tuple[State, str]:
    one = judged(module, outcome)[check, item]
    return one.state, one.message.id


def answer(code: int | None, **more) -> SipSample:
    return SipSample("192.0.2.1", 5060, "UDP", code, "Words", None if code is None else 10.0, **more)


# sip


@pytest.mark.parametrize(
    ("code", "state", "text"),
    [
        (200, OK, "sip.ok"),
        (202, OK, "sip.ok"),
        (302, OK, "sip.alive"),
        (400, WARNING, "sip.not-understood"),
        (401, OK, "sip.alive"),
        (403, OK, "sip.forbids"),
        (404, OK, "sip.alive"),
        (405, OK, "sip.alive"),
        (407, OK, "sip.alive"),
        (408, CRITICAL, "sip.behind-silent"),
        (480, WARNING, "sip.not-there"),
        (482, CRITICAL, "sip.loop"),
        (483, CRITICAL, "sip.loop"),
        (486, OK, "sip.alive"),
        (488, OK, "sip.alive"),
        (500, CRITICAL, "sip.server-error"),
        (501, OK, "sip.alive"),
        (503, CRITICAL, "sip.unavailable"),
        (504, CRITICAL, "sip.behind-silent"),
        (505, CRITICAL, "sip.server-error"),
        (600, OK, "sip.alive"),
    ],
)
def test_what_each_answer_means(code: int, state: State, text: str) -> None:
    assert said(sip, answer(code), "sip/answer") == (state, text)


def test_an_answer_is_told_with_all_that_it_says() -> None:
    found = judged(sip, answer(503, retry_after_s=30, cause="Q.850;cause=34", warning='399 x "y"'))["sip/answer", ""]
    assert (found.state, found.message.id) == (CRITICAL, "sip.unavailable-until")
    assert found.message.values == {"answer": '503 Words; Q.850;cause=34; 399 x "y"', "seconds": 30}


@pytest.mark.parametrize(("ms", "state"), [(1.0, OK), (499.9, OK), (500.0, WARNING), (3999.9, WARNING), (4000.0, CRITICAL)])
def test_answers_get_late_at_the_timers_of_the_standard(ms: float, state: State) -> None:
    found = judged(sip, msgspec.structs.replace(answer(200), answer_ms=ms))["sip/time", ""]
    assert (found.state, found.value, found.seasonal) == (state, ms, True)


def test_the_five_ways_to_be_without_service_are_told_apart() -> None:
    """The faults of the lab: 503, hung or dropped, rejected, dead; each with its own cause."""
    causes = {}
    for name, outcome in {
        "503": answer(503),
        "hung or dropped": SILENT,
        "rejected": answer(None, blocked_by="10.0.0.1", blocked="communication administratively prohibited"),
        "dead": REFUSED,
        "error": answer(500),
    }.items():
        state, text = said(sip, outcome, "sip/answer")
        assert state is CRITICAL
        cause = cause_of("sip/answer", text)
        causes[name] = cause.code if cause else None
    assert causes == {
        "503": "sip_unavailable", "hung or dropped": "service_silent", "rejected": "sip_blocked", "dead": "process_down", "error": "sip_error",
    }  # fmt: skip


@pytest.mark.parametrize("module", [sip, registration, call, gateway])
@pytest.mark.parametrize("kind", list(Kind))
def test_a_failure_is_critical_unless_it_is_ours(module, kind: Kind) -> None:
    (found,) = judged(module, Failure(kind, "words")).values()
    assert found.state is (UNKNOWN if Failure(kind).ours else CRITICAL)
    assert found.message.values == {"detail": "words"}


# registration


def bound(*bindings: Binding, code: int = 200, authenticated: bool = True) -> RegistrationSample:
    return RegistrationSample("sip:1@x", answer(code), bindings, authenticated)


@pytest.mark.parametrize(
    ("seen", "state", "text", "cause"),
    [
        (bound(Binding("sip:1@10.0.0.1", "10.0.0.1", 600)), OK, "registration.bound-for", None),
        (bound(Binding("sip:1@10.0.0.1", "10.0.0.1", None)), OK, "registration.bound", None),
        (bound(), CRITICAL, "registration.none", "registration_lost"),
        (bound(code=401, authenticated=False), UNKNOWN, "registration.no-password", None),
        (bound(code=401), CRITICAL, "registration.wrong-password", "account"),
        (bound(code=407), CRITICAL, "registration.wrong-password", "account"),
        (bound(code=403), CRITICAL, "registration.forbidden", "account"),
        (bound(code=404), CRITICAL, "registration.unknown", "account"),
        (bound(code=503), CRITICAL, "sip.unavailable", "sip_unavailable"),
        (bound(code=500), CRITICAL, "sip.server-error", "registration_lost"),
        (bound(code=405), UNKNOWN, "registration.not-told", None),
        (RegistrationSample("sip:1@x", answer(None, blocked_by="10.0.0.1", blocked="x")), CRITICAL, "sip.blocked", "sip_blocked"),
    ],
)
def test_what_a_registrar_says(seen: RegistrationSample, state: State, text: str, cause: str | None) -> None:
    assert said(registration, seen, "registration/state") == (state, text)
    if cause:
        found = cause_of("registration/state", text)
        assert found is not None
        assert found.code == cause


# call


def made(code: int | None = 200, audio: AudioSample | None = None, **more) -> CallSample:
    up = code is not None and code < 300
    first = more.pop("answer", answer(code))
    sample = CallSample(
        "8888", first, 20.0, 400.0, 900.0 if up else None, up, "PCMA" if up else None, audio, True, 5.0, "bye" if up else "refused"
    )
    return msgspec.structs.replace(sample, **more)


GOOD = AudioSample(250, 250, True, 0.0, None, 1.0, 20.0)


@pytest.mark.parametrize(
    ("code", "q850", "state", "text"),
    [
        (486, None, WARNING, "call.busy"),
        (404, None, CRITICAL, "call.no-such-number"),
        (484, None, CRITICAL, "call.no-such-number"),
        (403, None, CRITICAL, "call.rejected"),
        (480, None, CRITICAL, "call.not-reached"),
        (488, None, CRITICAL, "call.no-codec"),
        (503, None, CRITICAL, "call.congestion"),
        (500, None, CRITICAL, "call.failed"),
        (480, 17, WARNING, "call.busy"),  # the exchange behind knows it better than the gateway's code
        (503, 1, CRITICAL, "call.no-such-number"),
        (500, 34, CRITICAL, "call.congestion"),
        (503, 41, CRITICAL, "call.congestion"),
        (500, 127, CRITICAL, "call.failed"),
    ],
)
def test_why_a_call_did_not_come_about(code: int, q850: int | None, state: State, text: str) -> None:
    seen = made(code, answer=answer(code, q850=q850))
    assert said(call, seen, "call/answer") == (state, text)
    assert set(judged(call, seen)) == {("call/answer", ""), ("call/pdd", "")}


def test_a_call_that_nobody_takes_and_one_that_is_blocked() -> None:
    assert said(call, made(None, pdd_ms=None), "call/answer") == (CRITICAL, "call.no-answer")
    blocked = made(None, pdd_ms=None, answer=answer(None, blocked_by="10.0.0.1", blocked="x"))
    assert said(call, blocked, "call/answer") == (CRITICAL, "sip.blocked")


def test_a_good_call_is_good_throughout() -> None:
    found = judged(call, made(audio=GOOD))
    assert {key[0]: one.state for key, one in found.items()} == dict.fromkeys(
        ("call/answer", "call/pdd", "call/audio", "call/quality", "call/release"), OK
    )
    assert found["call/quality", ""].message.id == "call.quality"
    assert found["call/quality", ""].value == pytest.approx(4.36, abs=0.03)


@pytest.mark.parametrize(("ms", "state"), [(4999.0, OK), (5000.0, WARNING), (7999.0, WARNING), (8000.0, CRITICAL)])
def test_ringing_late_is_judged_by_e721(ms: float, state: State) -> None:
    assert said(call, made(audio=GOOD, pdd_ms=ms), "call/pdd") == (state, "call.pdd")


@pytest.mark.parametrize(
    ("loss", "rtt", "state"), [(0.0, 20.0, OK), (0.02, 20.0, OK), (0.07, 40.0, OK), (0.09, 40.0, WARNING), (0.13, 40.0, CRITICAL), (0.0, 500.0, OK), (0.0, 700.0, WARNING), (0.0, 900.0, CRITICAL)]
)  # fmt: skip
def test_quality_falls_with_loss_and_delay(loss: float, rtt: float, state: State) -> None:
    heard = msgspec.structs.replace(GOOD, loss_ratio=loss, rtt_ms=rtt, mean_burst=1.0 if loss else None)
    assert said(call, made(audio=heard), "call/quality") == (state, "call.quality")


def test_without_an_echo_the_rating_says_that_it_is_at_best() -> None:
    heard = msgspec.structs.replace(GOOD, echoed=False, rtt_ms=None)
    assert said(call, made(audio=heard), "call/quality") == (OK, "call.quality-at-best")
    assert said(call, made(audio=heard), "call/audio") == (OK, "call.heard")


def test_a_call_without_sound_is_critical_and_has_no_rating() -> None:
    silent = AudioSample(250, 0, False, None, None, None, None)
    assert said(call, made(audio=silent), "call/audio") == (CRITICAL, "call.silent")
    assert ("call/quality", "") not in judged(call, made(audio=silent))
    assert ("call/audio", "") not in judged(call, made(audio=silent, audio_wanted=False))


@pytest.mark.parametrize(
    ("ended", "state", "text"), [("bye", OK, "call.ended"), ("peer", WARNING, "call.cut"), ("unconfirmed", WARNING, "call.bye-unanswered")]
)
def test_how_a_call_ends(ended: str, state: State, text: str) -> None:
    assert said(call, made(audio=GOOD, ended=ended), "call/release") == (state, text)


def test_a_call_that_may_not_be_made_now_is_unknown() -> None:
    assert said(call, Failure(Kind.DENIED, "24 calls a day"), "call/answer") == (UNKNOWN, "call.held-back")


# gateway

HT = answer(200, server="Grandstream HT814 1.0.41.2", contact_host="192.168.50.10", allow=("INVITE", "BYE"), codecs=("PCMA", "G729"))


def site(direct: SipSample | Failure | None = HT, nat: SipSample | Failure | None = HT, **more) -> GatewaySample:
    return GatewaySample("Ms Li", "192.168.50.10", "203.0.113.5", direct, nat, **more)


@pytest.mark.parametrize(
    ("direct", "nat", "state", "text"),
    [
        (HT, HT, OK, "gateway.nat-open"),
        (HT, answer(404), OK, "gateway.nat-open"),
        (HT, SILENT, CRITICAL, "gateway.nat-silent"),
        (HT, REFUSED, CRITICAL, "gateway.nat-refused"),
        (HT, Failure(Kind.UNREACHABLE), CRITICAL, "gateway.nat-fails"),
        (HT, answer(None, blocked_by="203.0.113.5", blocked="x"), CRITICAL, "gateway.nat-blocked"),
        (HT, Failure(Kind.UPLINK), UNKNOWN, "failure.uplink"),
        (HT, answer(200, server="Camera 7"), CRITICAL, "gateway.other-device"),
        (SILENT, SILENT, UNKNOWN, "gateway.both-fail"),
        (SILENT, HT, OK, "gateway.nat-open"),
        (None, SILENT, CRITICAL, "gateway.nat-alone"),
        (Failure(Kind.UPLINK), SILENT, CRITICAL, "gateway.nat-alone"),
        (None, HT, OK, "gateway.nat-open"),
    ],
)
def test_whether_the_public_address_leads_to_the_gateway(direct, nat, state: State, text: str) -> None:
    assert said(gateway, site(direct, nat), "gateway/nat") == (state, text)


def test_a_wrong_dmz_is_an_equipment_case_and_a_dead_gateway_is_not() -> None:
    dmz = cause_of("gateway/nat", "gateway.nat-silent")
    assert dmz is not None
    assert (dmz.code, dmz.kind) == ("dmz", CaseKind.EQUIPMENT)
    assert said(gateway, site(SILENT, SILENT), "gateway/answer") == (CRITICAL, "failure.timeout")
    assert said(gateway, site(answer(503), HT), "gateway/answer") == (CRITICAL, "sip.unavailable")


PUBLIC = msgspec.structs.replace(HT, contact_host="203.0.113.5")


@pytest.mark.parametrize(
    ("direct", "nat", "standard", "sees"),
    [
        (HT, HT, Standard(), (OK, "gateway.alg-none")),
        (HT, PUBLIC, Standard(), (WARNING, "gateway.alg-contact")),
        (PUBLIC, PUBLIC, Standard(), (OK, "gateway.alg-none")),  # the gateway itself knows its public address
        (HT, msgspec.structs.replace(HT, via_changed=True), Standard(), (WARNING, "gateway.alg-via")),
        (msgspec.structs.replace(HT, via_changed=True), msgspec.structs.replace(HT, via_changed=True), Standard(), (OK, "gateway.alg-none")),
        (msgspec.structs.replace(HT, audio_host="192.168.50.10"), msgspec.structs.replace(HT, audio_host="203.0.113.5"), Standard(), (WARNING, "gateway.alg-audio")),
        (None, PUBLIC, Standard(), None),
        (None, PUBLIC, Standard(nat_mode="private"), (WARNING, "gateway.alg-contact")),
        (HT, SILENT, Standard(), None),
        (HT, answer(200, server="Camera 7", contact_host="192.168.50.20"), Standard(), None),
        (answer(200), answer(200), Standard(), None),
    ],
)  # fmt: skip
def test_an_alg_is_seen_by_what_it_rewrites(direct, nat, standard: Standard, sees) -> None:
    found = judged(gateway, site(direct, nat, standard=standard)).get(("gateway/alg", ""))
    assert (found and (found.state, found.message.id)) == sees


@pytest.mark.parametrize(
    ("standard", "item", "state", "text"),
    [
        (Standard(models=("HT814", "HT818")), "model", OK, "gateway.model"),
        (Standard(models=("ht814",)), "model", OK, "gateway.model"),
        (Standard(models=("HT812",)), "model", WARNING, "gateway.model-wrong"),
        (Standard(min_firmware="1.0.41.2"), "firmware", OK, "gateway.firmware"),
        (Standard(min_firmware="1.0.41.3"), "firmware", WARNING, "gateway.firmware-old"),
        (Standard(min_firmware="1.0.5"), "firmware", OK, "gateway.firmware"),
        (Standard(min_firmware="latest"), "firmware", UNKNOWN, "gateway.firmware-untold"),
        (Standard(codecs=("pcma",)), "codecs", OK, "gateway.offers"),
        (Standard(codecs=("PCMA", "OPUS")), "codecs", WARNING, "gateway.lacks"),
        (Standard(methods=("INVITE", "UPDATE")), "methods", WARNING, "gateway.lacks"),
        (Standard(nat_mode="private"), "nat", OK, "gateway.contact"),
        (Standard(nat_mode="public"), "nat", WARNING, "gateway.contact-private"),
    ],
)
def test_a_gateway_is_held_to_the_standard(standard: Standard, item: str, state: State, text: str) -> None:
    assert said(gateway, site(standard=standard), "gateway/standard", item) == (state, text)


def test_what_a_gateway_does_not_show_is_unknown_never_wrong() -> None:
    standard = Standard(("HT814",), "1.0", ("PCMA",), ("INVITE",), "private")
    found = judged(gateway, site(answer(200), answer(200), standard=standard))
    seen = {key[1]: (one.state, one.message.id) for key, one in found.items() if key[0] == "gateway/standard"}
    assert seen == {
        "model": (UNKNOWN, "gateway.nameless"),
        "firmware": (UNKNOWN, "gateway.nameless"),
        "codecs": (UNKNOWN, "gateway.codecs-untold"),
        "methods": (UNKNOWN, "gateway.methods-untold"),
        "nat": (UNKNOWN, "gateway.contact-untold"),
    }
    assert not [key for key in judged(gateway, site(SILENT, SILENT, standard=standard)) if key[0] == "gateway/standard"]
    assert said(gateway, site(PUBLIC, None, standard=Standard(nat_mode="private")), "gateway/standard", "nat") == (
        WARNING,
        "gateway.contact-public",
    )


@pytest.mark.parametrize(
    ("seen", "state", "text"),
    [
        (bound(Binding("sip:1@x", "x", 60)), OK, "registration.bound-for"),
        (bound(), CRITICAL, "registration.none"),
        (Failure(Kind.TIMEOUT), UNKNOWN, "failure.timeout"),
    ],
)
def test_registration_is_part_of_the_standard(seen, state: State, text: str) -> None:
    outcome = site(registration=seen, standard=Standard(registration=True))
    assert said(gateway, outcome, "gateway/standard", "registration") == (state, text)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("Grandstream HT814 1.0.41.2", (1, 0, 41, 2)), ("Yeastar/45.8.0.16 TA800", (45, 8, 0, 16)), ("x 1.0.0", (1,)), ("7", (7,)), ("no number", None), ("HT814", None)],
)  # fmt: skip
def test_firmware_is_the_last_number_with_dots(text: str, numbers: tuple[int, ...] | None) -> None:
    assert gateway.version(text) == numbers


def test_every_level_has_a_source() -> None:
    assert all(check.levels.source for module in (sip, call) for check in module.CHECKS if check.levels)
