"""What a packet meets on its way: how large it may be, who claims an address, which way it is lost; before, during and after each fault."""

from typing import Any

import pytest

from tests.lab import topology
from tests.lab.lab import NEEDS, Lab, Look
from tests.lab.way_faults import SMALL_MTU

pytestmark = NEEDS
SESSION: dict[str, Any] = {"count": 60, "interval_ms": 10, "wait_ms": 500}


def mtu_through(lab: Lab, fault: str) -> Look:
    before, during, after = lab.through(fault, "pmtu", topology.CARRIER, timeout_s=20, wait_ms=300, expected=1500)
    assert {one.of("pmtu/mtu").value for one in (before, after)} == {1500}
    assert not before.bad | after.bad
    return during


def test_black_hole_is_critical_and_told_with_the_hop_behind_which_packets_vanish(lab: Lab) -> None:
    found = mtu_through(lab, "mtu_black_hole").of("pmtu/black-hole")
    assert (found.state, found.message) == ("critical", "pmtu.vanishes.after")
    assert found.values == {"mtu": SMALL_MTU, "hop": topology.POP_FIB0}


def test_small_mtu_that_is_told_is_no_black_hole(lab: Lab) -> None:
    during = mtu_through(lab, "mtu_honest")
    assert during.of("pmtu/black-hole").state == "ok"
    assert (during.of("pmtu/mtu").state, during.of("pmtu/mtu").message) == ("warning", "pmtu.below")
    assert during.seen["told"] == [{"hop": topology.POP_FIB0, "mtu": SMALL_MTU}]


def test_duplicate_address_is_told_by_arp_while_echoes_are_good_and_services_refuse(lab: Lab) -> None:
    with lab.series("arp", topology.SOFT) as looks:
        assert not looks.first.bad
        with lab.fault("duplicate_address"):
            during = looks.next()
            assert not lab.look("icmp", topology.SOFT, count=3).bad, "whoever answers: an echo comes back"
            assert lab.look("sip", topology.SOFT, 2).of("sip/answer").message == "failure.refused"
        after = looks.next()
    found = during.of("arp/duplicate")
    assert (found.state, found.message, len(found.values["macs"].split(", "))) == ("critical", "arp.duplicate", 2)
    assert [holder["answers"] > 0 for holder in after.seen["holders"]].count(True) == 1
    found = after.of("arp/duplicate")
    assert (found.state, found.message) == ("warning", "arp.claimed"), "an hour long it is known that another one claimed it"
    assert lab.look("sip", topology.SOFT, 2).of("sip/answer").message == "sip.ok"


@pytest.mark.parametrize(
    ("fault", "bad", "good"),
    [("lossy_outwards", "stamp/loss-out", "stamp/loss-back"), ("lossy_inwards", "stamp/loss-back", "stamp/loss-out")],
)
def test_responder_at_the_far_end_tells_which_way_loses(lab: Lab, fault: str, bad: str, good: str) -> None:
    before, during, after = lab.through(fault, "stamp", topology.CARRIER, 20, **SESSION)
    assert (during.of(bad).state, during.of(good).value) == ("critical", 0)
    for one in (before, after):
        assert (one.of(bad).value, one.of(good).value) == (0, 0)
