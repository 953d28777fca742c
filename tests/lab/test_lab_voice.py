"""Softswitch, test call and gateways, with the faults of each: what the checks of voice say before, during and after."""

from typing import Any

import pytest

from tests.lab import topology
from tests.lab.lab import NEEDS, Lab, Look

pytestmark = NEEDS

GATEWAY: dict[str, Any] = {
    "agreed": "the customer's Ms Li, on the telephone",
    "nat_address": topology.SITE_A,
    "registrar": topology.SOFT,
    "number": "1001",
    "models": ["LabGate"],
    "min_firmware": "1.2",
    "codecs": ["PCMA", "G729"],
}
CALL: dict[str, Any] = {"number": "02155556666", "allowed": ["02155556666"], "at_once": True, "talk_s": 0.5, "caller": "1001"}


@pytest.mark.parametrize(
    ("fault", "state", "message"),
    [
        ("sip_503", "critical", "sip.unavailable-until"),
        ("sip_403", "ok", "sip.forbids"),
        ("sip_silent", "critical", "failure.timeout"),
        ("sip_blocked", "critical", "failure.timeout"),
        ("sip_prohibited", "critical", "sip.blocked"),
        ("sip_refused", "critical", "failure.refused"),
    ],
)
def test_softswitch_is_read_by_what_it_answers(lab: Lab, fault: str, state: str, message: str) -> None:
    before, during, after = lab.through(fault, "sip", topology.SOFT, timeout_s=1)
    found = during.of("sip/answer")
    assert (found.state, found.message) == (state, message)
    assert {one.of("sip/answer").message for one in (before, after)} == {"sip.ok"}


def test_silent_softswitch_is_still_there_by_echo(lab: Lab) -> None:
    with lab.fault("sip_silent"):
        assert not lab.look("icmp", topology.SOFT, count=3).bad


def test_registration_is_shown_and_its_registrar_missed(lab: Lab) -> None:
    before, during, after = lab.through("sip_refused", "registration", topology.SOFT, timeout_s=2, number="1001")
    assert [one.of("registration/state").message for one in (before, during, after)] == [
        "registration.bound-for",
        "failure.refused",
        "registration.bound-for",
    ]


def test_number_that_never_registered_is_told(lab: Lab) -> None:
    found = lab.look("registration", topology.SOFT, number="1999").of("registration/state")
    assert found.state == "critical"


def gateway_through(lab: Lab, fault: str) -> Look:
    before, during, after = lab.through(fault, "gateway", topology.GATEWAY_A, **GATEWAY)
    assert not before.bad
    assert not after.bad
    return during


def test_wrong_dmz_is_told_by_the_way_that_fails_alone(lab: Lab) -> None:
    during = gateway_through(lab, "dmz_wrong")
    assert during.of("gateway/answer").state == "ok"
    found = during.of("gateway/nat")
    assert (found.state, found.message in {"gateway.nat-silent", "gateway.nat-blocked", "gateway.nat-fails"}) == ("critical", True)


def test_alg_is_told_by_what_it_rewrote(lab: Lab) -> None:
    during = gateway_through(lab, "sip_alg")
    assert during.of("gateway/nat").state == "ok"
    found = during.of("gateway/alg")
    assert (found.state, found.message) == ("warning", "gateway.alg-contact")
    assert found.values == {"before": topology.GATEWAY_A, "after": topology.SITE_A}


@pytest.mark.parametrize("fault", ["gateway_off", "gateway_refuses"])
def test_dead_gateway_is_not_blamed_on_its_router(lab: Lab, fault: str) -> None:
    during = gateway_through(lab, fault)
    assert during.of("gateway/answer").state == "critical"
    assert during.of("gateway/nat").state == "unknown"


def test_customers_own_gateway_is_held_to_the_standard(lab: Lab) -> None:
    own = {**GATEWAY, "nat_address": topology.SITE_B, "number": "1002"}
    assert lab.look("gateway", topology.GATEWAY_B, **own).bad == {("gateway/standard", "model"), ("gateway/standard", "firmware")}


def test_gateway_of_a_customer_who_did_not_agree_is_left_alone(lab: Lab) -> None:
    found = lab.look("gateway", topology.GATEWAY_A, nat_address=topology.SITE_A).of("gateway/answer")
    assert (found.state, found.message) == ("unknown", "gateway.held-back")


def test_test_call_is_answered_heard_and_rated(lab: Lab) -> None:
    call = lab.look("call", topology.SOFT, timeout_s=30, **CALL)
    assert not call.bad
    assert call.of("call/audio").message == "call.echo"
    assert (call.of("call/quality").value or 0) > 4.3


def test_call_without_voice_is_told(lab: Lab) -> None:
    with lab.fault("no_audio"):
        call = lab.look("call", topology.SOFT, timeout_s=30, **CALL)
    assert call.of("call/answer").state == "ok"
    assert (call.of("call/audio").state, call.of("call/audio").message) == ("critical", "call.silent")
