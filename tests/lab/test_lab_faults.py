"""Every fault of the lab: seen by a check from the agent's place, undone without a trace, its truth in the inventory's words."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from checks import causes
from tests.lab import daemons, topology
from tests.lab.faults import FAULTS, Truth
from tests.lab.lab import NEEDS, Lab
from tests.lab.machine_faults import MOST_TRACKED, guarded

pytestmark = NEEDS
ROOT = Path(__file__).parents[2]
SOFT, DB, EDGE, CORE = topology.SOFT, topology.DB, topology.EDGE, topology.CORE

BY_SNMP: dict[str, Any] = {"community": daemons.COMMUNITY, "wait_ms": 300}
EDGES_PORTS = {**BY_SNMP, "ports": ["fib0", "fib1", "cust0", "cust1"]}
CORES_PORTS = {**BY_SNMP, "ports": ["p4", "p6"]}
PORTAL = {"server_name": topology.PORTAL}
FOUR_ECHOES = {"count": 4, "interval_ms": 10, "wait_ms": 300}
MANY = {"count": 60, "interval_ms": 10, "wait_ms": 500}
SIP_GATEWAY = {
    "agreed": "the customer's Ms Li",
    "nat_address": topology.SITE_A,
    "models": ["LabGate"],
    "min_firmware": "1.2",
    "codecs": ["PCMA"],
}

SEEN: list[tuple[str, str, str, dict[str, Any], str, set[str]]] = [  # fault, prober, target, options, the check and what it may say
    ("process_down", "tls", SOFT, PORTAL, "tls/handshake", {"failure.refused"}),
    ("process_hung", "tls", SOFT, PORTAL, "tls/handshake", {"failure.timeout"}),
    ("service_dropped", "tls", SOFT, PORTAL, "tls/handshake", {"failure.timeout"}),
    ("service_prohibited", "tls", SOFT, PORTAL, "tls/handshake", {"failure.unreachable", "failure.rejected"}),
    ("descriptors", "tls", SOFT, PORTAL, "tls/handshake", {"failure.timeout"}),
    ("certificate", "tls", SOFT, PORTAL, "tls/days-left", {"tls.expired"}),
    ("web_error", "http", SOFT, {}, "http/status", {"http.status-wrong"}),
    ("too_many_clients", "postgresql", DB, {"user": "postgres", "database": "postgres"}, "database/answer", {"database.full"}),
    ("dns_upstream", "dns", SOFT, {"name": topology.OUTSIDE_NAME}, "dns/answer", {"dns.servfail", "failure.timeout"}),
    ("clock_wrong", "ntp", SOFT, {}, "ntp/offset", {"ntp.offset.ahead"}),
    ("host_down", "icmp", DB, FOUR_ECHOES, "icmp/loss", {"icmp.no-reply"}),
    ("host_hung", "icmp", DB, FOUR_ECHOES, "icmp/loss", {"icmp.no-reply"}),
    ("uplink_cut", "icmp", EDGE, FOUR_ECHOES, "icmp/loss", {"icmp.no-reply"}),
    ("agent_cable", "interfaces", "agent", {"names": ["eth0"]}, "interfaces/oper", {"interfaces.no-carrier"}),
    ("switch_hung", "icmp", SOFT, FOUR_ECHOES, "icmp/loss", {"icmp.no-reply"}),
    ("port_shut", "snmp", CORE, CORES_PORTS, "interfaces/oper", {"interfaces.admin-down"}),
    ("branch_power", "snmp", CORE, CORES_PORTS, "interfaces/oper", {"interfaces.down"}),
    ("branch_cut", "snmp", CORE, CORES_PORTS, "interfaces/oper", {"interfaces.down"}),
    ("line_cut", "snmp", EDGE, EDGES_PORTS, "interfaces/oper", {"interfaces.down"}),
    ("customer_power", "snmp", EDGE, EDGES_PORTS, "interfaces/oper", {"interfaces.down"}),
    ("router_hung", "icmp", topology.SITE_A, FOUR_ECHOES, "icmp/loss", {"icmp.no-reply"}),
    ("gateway_hung", "sip", topology.GATEWAY_A, {}, "sip/answer", {"failure.timeout"}),
    ("gateway_unregistered", "registration", SOFT, {"number": "1001"}, "registration/state", {"registration.none"}),
    ("gateway_not_standard", "gateway", topology.GATEWAY_A, SIP_GATEWAY, "gateway/standard", {"gateway.firmware-old"}),
    ("power_supply", "snmp", EDGE, BY_SNMP, "snmp/power-supply", {"snmp.state"}),
    ("wrong_community", "snmp", DB, BY_SNMP, "snmp/answer", {"failure.timeout"}),
    ("loss_beyond", "stamp", topology.CARRIER, MANY, "stamp/loss-out", {"stamp.loss.out"}),
    ("loss_inside", "icmp", EDGE, MANY, "icmp/loss", {"icmp.loss"}),
    ("loss_line", "icmp", topology.SITE_A, MANY, "icmp/loss", {"icmp.loss"}),
    ("jittery", "stamp", topology.CARRIER, {**MANY, "wait_ms": 900}, "stamp/jitter", {"stamp.jitter"}),
]
CACHED = [  # what the device itself reads every few seconds only, or what needs two looks
    ("disk_full", DB, {**BY_SNMP, "every_s": 3}, "host/disk", "host.disk"),
    ("inodes", DB, {**BY_SNMP, "every_s": 3}, "host/inodes", "host.inodes-share"),
    ("memory", DB, {**BY_SNMP, "every_s": 3}, "host/memory", "host.memory"),
    ("cpu", DB, {**BY_SNMP, "every_s": 3}, "host/cpu", "host.cpu"),
    ("saturation", EDGE, {**EDGES_PORTS, "every_s": 3}, "interfaces/utilisation", "interfaces.utilisation"),
    ("flap_short", EDGE, {**EDGES_PORTS, "every_s": 3}, "snmp/bgp-flaps", "snmp.bgp-back"),
]
CACHED_S = 45.0
LONG = {  # what is like another one, or takes longest
    "service_dropped",
    "dns_upstream",
    "branch_cut",
    "customer_power",
    "wrong_community",
    "switch_hung",
    "loss_inside",
    "flap_short",
    "inodes",
    "memory",
    "saturation",
    "cpu",
}


def rows(table: list[Any]) -> list[Any]:
    """Return a table's rows as parameters, named by their faults."""
    return [pytest.param(*row, id=row[0], marks=[pytest.mark.long] if row[0] in LONG else []) for row in table]


@pytest.mark.parametrize(("name", "prober", "target", "options", "check", "says"), rows(SEEN))
def test_fault_is_seen_from_outside_and_gone_when_it_is_undone(
    lab: Lab, name: str, prober: str, target: str, options: dict[str, Any], check: str, says: set[str]
) -> None:
    timeout_s = {"snmp": 20.0, "dns": 3.0, "stamp": 20.0}.get(prober, 1.5)
    before, during, after = lab.through(name, prober, target, timeout_s, **options)
    found = [one for one in during.findings if one.check == check and one.state in {"warning", "critical"}]
    assert found, during
    assert {one.message for one in found} <= says, during
    for other in (before, after):
        assert not {one[0] for one in other.bad} & {check}, other


@pytest.mark.parametrize(("name", "target", "options", "check", "says"), rows(CACHED))
def test_fault_that_a_device_tells_late_is_seen_in_time(
    lab: Lab, name: str, target: str, options: dict[str, Any], check: str, says: str
) -> None:
    with lab.series("snmp", target, 20, **options) as looks, lab.fault(name):
        end = time.monotonic() + CACHED_S
        while not (found := [one for one in looks.next().findings if one.check == check and one.state in {"warning", "critical"}]):
            assert time.monotonic() < end, f"{check} is good"
        assert {one.message for one in found} == {says}


def names() -> set[str]:
    """Return everything that the inventory names."""
    links = {cable.name for cable in topology.CABLES if cable.name} | {fibre.name for fibre in topology.FIBRES}
    return {*topology.NODES, *topology.SITES, *links}


def is_sound(truth: Truth) -> None:
    """Hold a truth to the words of the catalogue of causes and of the inventory."""
    if not truth.causes:
        assert truth == Truth(frozenset(), frozenset(), frozenset())
        return
    assert truth.causes <= {cause.code for cause in causes.CAUSES}, truth
    assert truth.side, truth
    assert truth.side <= {"company", "carrier", "customer"}, truth
    assert truth.elements, truth
    assert {element.partition(":")[0] for element in truth.elements} <= names(), truth
    assert truth.customers <= {home.customer for home in topology.HOMES}, truth


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_can_be_planted_anywhere_and_leaves_the_lab_healthy(lab: Lab, name: str, seed: int) -> None:
    with FAULTS[name].plant(lab, random.Random(seed)) as truth:
        is_sound(truth)
    assert not lab.ills()
    assert lab.healthy()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "name", ["fibre_cut", "dmz_wrong", "host_hung", "port_shut", "router_hung", "service_dropped", "loss_line", "memory"]
)
def test_drawn_fault_leaves_the_lab_healthy(lab: Lab, name: str, seed: int) -> None:
    with FAULTS[name].plant(lab, random.Random(seed)) as truth:
        is_sound(truth)
    assert not lab.ills()


def test_same_seed_plants_the_same_and_another_one_elsewhere(lab: Lab) -> None:
    def planted(seed: int) -> Truth:
        with lab.fault("router_hung", seed) as truth:
            return truth

    assert planted(5) == planted(5)
    assert len({planted(seed) for seed in (1, 2, 3, 4)}) > 1


def test_two_faults_stand_beside_each_other_and_the_first_is_undone_while_the_second_stands(lab: Lab) -> None:
    with lab.fault("fibre_cut"):
        with lab.fault("gateway_off"):
            assert lab.standing == 2
            assert lab.ills()
        assert not lab.carried()
    assert not lab.ills()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_setting_of_the_whole_machine_is_put_back_when_the_test_dies(tmp_path: Path, end: signal.Signals) -> None:
    setting = tmp_path / "setting"
    setting.write_text("1000\n")
    program = f"""
from pathlib import Path
from tests.lab.machine_faults import guarded
with guarded(Path({str(setting)!r}), "150"):
    print("set", flush=True)
    import time; time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "set\n"
        assert setting.read_text() == "150"
        running.send_signal(end)
    patience = time.monotonic() + 5
    while setting.read_text() != "1000\n":
        assert time.monotonic() < patience, "it stays"
        time.sleep(0.02)


def test_connections_used_up_are_told_by_the_agents_own_machine_and_given_back(lab: Lab) -> None:
    before = MOST_TRACKED.read_text()
    with guarded(MOST_TRACKED, before):
        pass
    with lab.fault("conntrack"):
        seen = lab.look("sockets", "agent")
        assert ("sockets/conntrack", "") in seen.bad, seen
    assert MOST_TRACKED.read_text() == before
