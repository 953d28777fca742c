"""The router, the switch and a server by SNMP, with the faults that they tell: before, during and after each."""

from typing import Any

import pytest

from tests.lab import daemons, topology
from tests.lab.device_faults import HOT_C, WEAK_DBM
from tests.lab.lab import NEEDS, Lab, Look

pytestmark = NEEDS

WAY = {"community": daemons.COMMUNITY, "wait_ms": 300}
ROUTER: dict[str, Any] = {**WAY, "parts": ["system", "interfaces", "environment", "routing"], "ports": ["fib0", "fib1"]}
SWITCH: dict[str, Any] = {**WAY, "parts": ["system", "environment"]}
SERVER: dict[str, Any] = {**WAY, "parts": ["system"]}
SETTLING = {("snmp/bgp-flaps", topology.POP_FIB0), ("snmp/bgp-flaps", topology.POP_FIB1)}  # told for ten minutes after each loss


def router_through(lab: Lab, fault: str) -> Look:
    """Return what the router tells during a fault; before and after it nothing is bad but that a BGP session is young."""
    before, during, after = lab.through(fault, "snmp", topology.EDGE, timeout_s=20, **ROUTER)
    assert before.bad <= SETTLING, before
    assert after.bad <= SETTLING, after
    assert after.of("interfaces/oper", "fib0").message == "interfaces.up"
    return during


def test_cut_fibre_is_a_port_without_light_and_a_lost_peer(lab: Lab) -> None:
    during = router_through(lab, "fibre_cut")
    port, light, peer = (
        during.of("interfaces/oper", "fib0"),
        during.of("snmp/rx-power", "fib0 rx"),
        during.of("snmp/bgp", topology.POP_FIB0),
    )
    assert (port.state, port.message) == ("critical", "interfaces.down")
    assert (light.state, light.message) == ("critical", "snmp.rx-dark-down")
    assert (peer.state, during.of("snmp/bgp", topology.POP_FIB1).state) == ("critical", "ok")
    assert not [found for found in during.bad if "fib1" in found[1]], "the other fibre is well"


def test_port_that_was_shut_is_told_so_and_its_darkness_is_no_fault(lab: Lab) -> None:
    during = router_through(lab, "admin_down")
    port = during.of("interfaces/oper", "fib0")
    assert (port.state, port.message) == ("critical", "interfaces.admin-down")
    for check, item in (("snmp/rx-power", "fib0 rx"), ("snmp/tx-power", "fib0 tx")):
        assert (during.of(check, item).state, during.of(check, item).message) == ("ok", "snmp.dark-off")


def test_flap_between_two_looks_is_told_by_the_bgp_session_that_fell(lab: Lab) -> None:
    during = router_through(lab, "flap")
    assert during.of("interfaces/oper", "fib0").state == "ok", "when it is looked at, the port is up"
    found = during.of("snmp/bgp-flaps", topology.POP_FIB0)
    assert (found.state, found.message) == ("warning", "snmp.bgp-back")
    first, second = (peer["transitions_since"] for peer in during.seen["bgp_peers"])
    assert (first >= 2, second) == (True, 0), "each end may begin anew once more while the other still holds the old session"


def test_weak_light_is_judged_by_the_module_s_own_limit_while_the_port_is_up(lab: Lab) -> None:
    during = router_through(lab, "degraded_optics")
    assert during.of("interfaces/oper", "fib0").state == "ok"
    found = during.of("snmp/rx-power", "fib0 rx")
    assert (found.state, found.message, found.value) == ("critical", "snmp.reading-low", WEAK_DBM)
    assert during.of("snmp/rx-power", "fib1 rx").state == "ok"


def test_damaged_frames_are_told_while_they_come_and_not_for_ever(lab: Lab) -> None:
    with lab.series("snmp", topology.EDGE, 20, **ROUTER) as looks:
        assert looks.first.bad <= SETTLING
        with lab.fault("crc"):
            found = looks.next().of("interfaces/errors", "fib0")
        looks.next()  # what came until it was mended
        assert looks.next().bad <= SETTLING, "a counter that stands still is no error"
    assert (found.state, found.message) == ("critical", "interfaces.errors")


def test_bgp_that_fell_alone_leaves_port_and_light_good(lab: Lab) -> None:
    during = router_through(lab, "bgp_down")
    found = during.of("snmp/bgp", topology.POP_FIB0)
    assert (found.state, found.values["error"]) == ("critical", "4/0"), "RFC 4271: hold timer expired"
    assert during.bad - SETTLING == {("snmp/bgp", topology.POP_FIB0)}


def test_table_that_went_away_is_unknown_and_no_lost_peer(lab: Lab) -> None:
    during = router_through(lab, "bgp_unreadable")
    assert during.bad <= SETTLING
    found = [one for one in during.findings if one.check == "snmp/bgp missing" or one.message == "snmp.missing"]
    assert [one.state for one in found] == ["unknown"], during


@pytest.mark.parametrize(
    ("fault", "node", "check", "state", "message"),
    [
        ("overheated", "core", "snmp/temperature", "warning", "snmp.reading-high"),
        ("fan_stopped", "core", "snmp/fan", "unknown", "snmp.fan-stands"),  # critical once it was seen turning, which tracks know
        ("on_battery", "ups", "snmp/ups-minutes", "critical", "snmp.ups-minutes"),
    ],
)
def test_devices_tell_heat_fans_and_power(lab: Lab, fault: str, node: str, check: str, state: str, message: str) -> None:
    before, during, after = lab.through(fault, "snmp", topology.ADDRESS[node], timeout_s=20, **SWITCH)
    assert (during.of(check).state, during.of(check).message) == (state, message)
    assert (before.of(check).state, after.of(check).state) == ("ok", "ok")
    assert fault != "overheated" or during.of(check).value == HOT_C


def test_dead_agent_and_wrong_community_are_told_apart(lab: Lab) -> None:
    before, during, after = lab.through("snmp_dead", "snmp", topology.DB, timeout_s=20, **SERVER)
    found = during.of("snmp/answer")
    assert (found.state, found.message) == ("critical", "failure.refused")
    assert {one.of("snmp/answer").state for one in (before, after)} == {"ok"}
    wrong = lab.look("snmp", topology.DB, 20, **{**SERVER, "community": "wrong"}).of("snmp/answer")
    assert (wrong.state, wrong.message) == ("critical", "failure.timeout")
    assert "community is wrong" in wrong.values["detail"]


@pytest.mark.parametrize(("fault", "restart", "days"), [("snmp_restarted", "agent", 31), ("rebooted", "device", 0)])
def test_restart_of_the_agent_and_of_the_machine_are_told_apart(lab: Lab, fault: str, restart: str, days: int) -> None:
    before, during, after = lab.through(fault, "snmp", topology.DB, timeout_s=20, **SERVER)
    assert (before.seen["restart"], during.seen["restart"]) == ("none", restart)
    assert int(during.seen["host_uptime_s"] / 86400) == days
    assert after.of("snmp/answer").state == "ok"
