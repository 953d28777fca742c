"""One cause behind many symptoms: readings of an operator's network, told good and bad, and what is said of them."""

import random
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.patience import Patience, deliberate
from checks.topology import Topology
from checks.verdict import Side
from probe.inventory import Node
from probe.observation.failure import Failure, Kind
from probe.observation.icmp import EchoSample
from probe.observation.interfaces import InterfacesSample
from probe.observation.path import Hop, PathSample, Said
from probe.observation.sip import RegistrationSample, SipSample
from tests.checks.operators_world import (
    ALIVE,
    BEHIND_FIBRES,
    BUSY,
    HARBOUR,
    INVENTORY,
    NAME,
    NODES,
    REFUSED,
    SILENT,
    TOPOLOGY,
    World,
    cut_off,
    device,
    lossy,
    own_port,
    port,
)

CASES = {
    "host": (lambda w: cut_off(w, "p2", dark=["soft"], node="core"), "host_down", "soft", Side.COMPANY, {"Harbour", "Clinic"}),
    "host whose port is up": (lambda w: w.silence("db"), "host_down", "db", Side.COMPANY, set()),
    "process": (lambda w: w.tell("soft", "sip", REFUSED), "process_down", "soft:sip", Side.COMPANY, {"Harbour", "Clinic"}),
    "hung": (lambda w: w.tell("soft", "sip", SILENT), "service_hung", "soft:sip", Side.COMPANY, {"Harbour", "Clinic"}),
    "error": (lambda w: w.tell("soft", "sip", BUSY), "service_error", "soft:sip", Side.COMPANY, {"Harbour", "Clinic"}),
    "web": (
        lambda w: w.tell("soft", "tcp", REFUSED, "80").tell("soft", "tcp", REFUSED, "443"),
        "process_down",
        "soft:web",
        Side.COMPANY,
        set(),
    ),
    "one fibre": (lambda w: cut_off(w, "fib0", peers={"10.255.0.2": "idle"}), "redundancy_lost", "fib0", Side.CARRIER, set()),
    "both fibres": (
        lambda w: cut_off(w, "fib0", "fib1", dark=BEHIND_FIBRES, peers={"10.255.0.2": "idle", "10.255.0.6": "idle"}),
        "fibre_cut",
        "fib0+fib1",
        Side.CARRIER,
        {"Harbour", "Clinic"},
    ),
    "carrier": (lambda w: w.silence("carrier"), "carrier_network", "carrier", Side.CARRIER, {"Harbour", "Clinic"}),
    "PoP": (lambda w: w.silence(*BEHIND_FIBRES), "carrier_network", "pop", Side.CARRIER, {"Harbour", "Clinic"}),
    "sessions": (
        lambda w: w.silence("carrier").tell("edge", "snmp", device("edge", peers={"10.255.0.2": "idle", "10.255.0.6": "active"})),
        "bgp_down",
        None,
        Side.CARRIER,
        None,
    ),
    "line": (lambda w: cut_off(w, "cust0", dark=HARBOUR), "customer_line", "line-a", Side.CUSTOMER, {"Harbour"}),
    "router": (lambda w: w.silence(*HARBOUR), "customer_router", "site-a", Side.CUSTOMER, {"Harbour"}),
    "gateway": (lambda w: w.silence("gw-a"), "gateway_down", "gw-a", Side.CUSTOMER, {"Harbour"}),
    "gateway's SIP": (lambda w: w.tell("gw-b", "sip", REFUSED), "gateway_down", "gw-b", Side.CUSTOMER, {"Clinic"}),
    "edge": (
        lambda w: cut_off(w, "p3", dark=["edge", *BEHIND_FIBRES, *HARBOUR, "site-b", "gw-b"], node="core"),
        "interface_down",
        "core-edge",
        Side.COMPANY,
        {"Harbour", "Clinic"},
    ),
    "branch": (
        lambda w: cut_off(w, "p6", dark=["branch-sw", "branch-1", "branch-2"], node="core"),
        "site_power",
        "branch",
        Side.COMPANY,
        set(),
    ),
    "switched off": (
        lambda w: w.tell("edge", "snmp", device("edge", off=["fib0"])),
        "interface_admin_down",
        "fib0",
        Side.COMPANY,
        set(),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_fault_is_one_diagnosis_with_its_side_and_who_is_affected(name: str) -> None:
    make, cause, element, side, customers = CASES[name]
    world = make(World())
    world.measure(4)
    found = world.said()
    if name == "sessions":  # two peers are two sessions of one fault
        assert {one.cause for one in found} == {"bgp_down"}
        assert {one.side for one in found} == {side}
        return
    (one,) = found
    assert (one.cause, one.element, one.side) == (cause, element, side)
    assert set(one.affected) == customers
    assert one.confidence is not None


@pytest.mark.parametrize("name", CASES)
def test_every_bad_reading_is_in_exactly_one_diagnosis_and_all_is_well_again_without_it(name: str) -> None:
    world = CASES[name][0](World())
    world.measure(4)
    bad = {one.track.key for memory in world.memories.values() for one in memory.standing}
    explained = [key for one in world.said() for key in one.keys]
    assert sorted(explained) == sorted(bad)
    healthy = World()
    world.jobs = healthy.jobs
    world.measure(4)
    assert world.said() == []


def test_what_is_dark_and_what_is_only_slow_to_be_measured_is_not_mistaken_for_it() -> None:
    world = World()
    world.silence(*HARBOUR)
    world.measure(3, without=[("edge", "snmp", ""), ("edge", "icmp", "")])
    waiting = [ask.job for ask in world.correlated().asks]
    assert ("edge", "snmp", "") in waiting
    world.measure(1)
    assert world.correlated().asks == ()


def test_two_faults_at_once_stay_two() -> None:
    world = cut_off(World(), "cust0", dark=HARBOUR).tell("soft", "sip", REFUSED)
    world.measure(4)
    assert {(one.cause, one.element) for one in world.said()} == {("customer_line", "line-a"), ("process_down", "soft:sip")}


def test_a_branch_without_power_takes_no_fault_of_the_softswitch() -> None:
    refused = RegistrationSample("sip:1001@x", SipSample("x", 5060, "udp", 403, "Forbidden", 1.0))
    world = cut_off(World(), "p6", dark=["branch-sw", "branch-1", "branch-2"], node="core").tell("soft", "registration", refused, "1001")
    world.measure(4)
    assert {(one.cause, one.element) for one in world.said()} == {("site_power", "branch"), ("account", "soft:sip")}


def test_a_refused_account_follows_from_the_softswitch_and_not_from_the_resolver_beside_it() -> None:
    refused = RegistrationSample("sip:1001@x", SipSample("x", 5060, "udp", 403, "Forbidden", 1.0))
    world = World().tell("soft", "registration", refused, "1001").tell("soft", "dns", REFUSED, "www.example. A")
    world.measure(4)
    assert {(one.cause, one.element) for one in world.said()} == {("process_down", "soft:dns"), ("account", "soft:sip")}
    world = World().tell("soft", "registration", refused, "1001").tell("soft", "sip", REFUSED)
    world.measure(4)
    assert world.one().cause == "process_down"


def test_a_fault_behind_a_fault_is_told_when_the_first_is_mended() -> None:
    world = cut_off(World(), "cust0", dark=HARBOUR)
    world.measure(4)
    world.jobs = World().jobs
    world.silence("gw-a")
    world.measure(4)
    assert (world.one().cause, world.one().element) == ("gateway_down", "gw-a")


def test_our_own_cable_is_our_blindness_and_nothing_else() -> None:
    world = World()
    world.tell("agent", "interfaces", InterfacesSample((port("eth0"),)))
    world.measure(2)
    world.tell("agent", "interfaces", InterfacesSample((port("eth0", up=False),)))
    for key in world.jobs:
        if key[0] != "agent":
            world.jobs[key] = Failure(Kind.UPLINK, "no route")
    world.measure(4)
    assert (world.one().cause, world.one().element, world.one().side) == ("agent_blind", "agent", Side.COMPANY)


def test_our_own_port_that_is_down_is_our_blindness_only_when_nothing_has_answered_since() -> None:
    world = own_port(World(), up=True)
    world.measure(2)
    own_port(world, up=False)
    only = [key for key in world.jobs if key[0] != "agent"]
    world.measure(3, without=only)  # of all the others the last reading is good, and from before
    waiting = world.correlated()
    assert [one.cause for one in waiting.diagnoses] == ["agent_blind"]
    assert {one.node for one in waiting.asks} >= {"core", "edge", "soft"}
    assert deliberate(world.memories, TOPOLOGY, Patience(), world.now)[0].diagnoses == ()

    sees = msgspec.structs.replace(ALIVE, address="x")
    world.take(("core", "icmp", ""), sees, world.now)  # there is another way
    assert (world.one().cause, world.one().element) == ("interface_down", "agent-core")


def test_witnesses_of_our_blindness_are_nodes_that_answered_before() -> None:
    dead = {"core", "edge", "soft", "db", "branch-sw", "branch-1", "branch-2", "pop", "site-a", "site-b"}
    world = own_port(World(), up=True).silence(*dead)
    world.measure(3)
    own_port(world, up=False)
    world.measure(3, without=[key for key in world.jobs if key[0] != "agent"])
    assert {one.node for one in world.correlated().asks} >= {"gw-a", "gw-b", "carrier"}


def test_without_a_port_of_ours_too_our_own_loopback_is_no_sight() -> None:
    inventory = msgspec.structs.replace(INVENTORY, nodes={**INVENTORY.nodes, "resolver": Node("resolver", "localhost", "dc")})
    world = World().tell("resolver", "dns", NAME, "www.example. A").silence(*(node.name for node in NODES[1:]))
    world.measure(4)
    assert [one.cause for one in world.correlated(Topology(inventory)).diagnoses] == ["agent_blind"]


def test_a_blind_agent_looks_out_for_its_sight_and_for_nothing_else() -> None:
    world = own_port(World(), up=True)
    world.measure(2)
    assert world.correlated().asks == ()
    own_port(world, up=False)
    for key in world.jobs:
        if key[0] != "agent":
            world.jobs[key] = Failure(Kind.UPLINK, "no route")
    world.measure(4)
    assert {one.job for one in world.correlated().asks} == {
        ("agent", "interfaces", ""),
        *((node, "icmp", "") for node in ("core", "branch-sw", "db")),
    }


def test_what_our_own_loopback_answers_is_no_sight() -> None:
    inventory = msgspec.structs.replace(INVENTORY, nodes={**INVENTORY.nodes, "resolver": Node("resolver", "127.0.0.1", "dc")})
    world = own_port(World(), up=True).tell("resolver", "dns", NAME, "www.example. A")
    world.measure(2)
    own_port(world, up=False)
    for key in world.jobs:
        if key[0] not in {"agent", "resolver"}:
            world.jobs[key] = Failure(Kind.UPLINK, "no route")
    world.measure(4)
    assert [one.cause for one in world.correlated(Topology(inventory)).diagnoses] == ["agent_blind"]


def test_when_nothing_at_all_answers_we_suspect_ourselves_first() -> None:
    world = World().silence(*(node.name for node in NODES[1:]))
    world.measure(4)
    assert world.one().cause == "agent_blind"
    assert world.one().alternatives == ("site_power",)
    assert world.one().elsewhere == ("dc",)


def test_a_reading_of_loss_is_placed_where_the_clean_ones_end() -> None:
    world = World()
    for node in ("site-a", "gw-a"):
        world.tell(node, "icmp", EchoSample("x", 5, 3, 0.2, 0.3, 0.4, 0.01))
    world.measure(6)
    assert (world.one().cause, world.one().element, world.one().side) == ("loss", "line-a", Side.CUSTOMER)


def test_loss_of_everything_behind_the_fibres_is_the_carriers() -> None:
    world = World()
    for node in ("pop", "carrier"):
        world.tell(node, "icmp", EchoSample("x", 5, 3, 0.2, 0.3, 0.4, 0.01))
    world.measure(6)
    found = world.one()
    assert (found.cause, found.side) == ("loss", Side.CARRIER)
    assert found.element in {"fib0", "fib1"}


def test_a_short_delay_does_not_clear_what_varies() -> None:
    unsteady = msgspec.structs.replace(ALIVE, max_rtt_ms=90.0, mean_rtt_ms=30.0, jitter_ms=40.0)
    hops = (
        Hop(1, "10.0.0.1", 3, 3, Said.EXCEEDED, "", 1.0, 1.0, 1.0, 1.0),
        Hop(2, "10.255.0.2", 20, 20, Said.REPLY, "", 9.0, 9.0, 9.0, 9.0),
    )
    trace = PathSample("10.255.0.2", "10.0.0.10", "icmp", True, 20, 20, hops, 9.0, 9.0, 9.0)
    world = World().tell("pop", "path", trace)
    for node in BEHIND_FIBRES:
        world.tell(node, "icmp", unsteady)
    world.measure(6)
    found = world.one()
    assert ({key[2] for key in found.keys}, found.side) == ({"icmp/jitter"}, Side.CARRIER)
    assert {found.element, *found.elsewhere} >= {"fib0", "fib1"}


def test_against_a_customer_one_reading_is_not_enough() -> None:
    world = World()
    del world.jobs["gw-b", "sip", ""], world.memories["gw-b", "sip", ""]
    world.silence("gw-b")
    world.measure(4)
    assert (world.one().cause, world.one().side) == ("gateway_down", Side.UNDETERMINED)
    assert world.one().decides is not None


def test_the_carrier_is_cleared_by_what_answers_behind_it() -> None:
    world = World().silence("pop")
    world.measure(4)
    assert (world.one().cause, world.one().element) == ("service_hung", "pop:icmp")


def test_a_hung_service_names_what_it_cannot_be_told_from_and_the_test_that_would() -> None:
    world = World().tell("soft", "sip", SILENT)
    world.measure(4)
    assert "service_blocked" in world.one().alternatives
    assert world.one().decides is not None
    assert [found.seen.node for found in world.one().ruled_out] == ["soft"]


def test_a_node_that_begins_to_answer_again_is_no_hung_service_of_echoes() -> None:
    world = World().silence("db")
    world.measure(4)
    assert world.one().cause == "host_down"
    some = EchoSample("x", 5, 2, 0.2, 0.3, 0.4, 0.01)
    world.jobs = World().tell("db", "icmp", some).jobs
    world.measure(1)
    assert world.said() == []
    world.measure(6)
    assert (world.one().cause, world.one().element) == ("loss", "db")


@settings(max_examples=60, deadline=None)
@given(st.sets(st.sampled_from([node.name for node in NODES[1:]]), max_size=6), st.integers(0, 10**6))
def test_whatever_is_silent_each_bad_reading_is_told_once_and_no_order_matters(nodes: set[str], seed: int) -> None:
    world = World().silence(*sorted(nodes))
    world.measure(4)
    bad = {one.track.key for memory in world.memories.values() for one in memory.standing}
    found = world.said()
    assert sorted(key for one in found for key in one.keys) == sorted(bad)
    keys = list(world.memories)
    random.Random(seed).shuffle(keys)
    world.memories = {key: world.memories[key] for key in keys}
    assert world.said() == found


@settings(max_examples=60, deadline=None)
@given(st.sets(st.sampled_from([node.name for node in NODES[1:]]), max_size=4))
def test_no_element_is_blamed_for_being_gone_behind_which_something_answers(nodes: set[str]) -> None:
    world = World().silence(*sorted(nodes))
    world.measure(4)
    for one in world.said():
        if one.cause in {"host_down", "customer_router", "gateway_down", "carrier_network"} and one.element in INVENTORY.nodes:
            assert set(TOPOLOGY.behind(one.element)) <= nodes, one.element


def test_a_loss_that_lasts_is_why_a_session_is_down_and_one_of_a_moment_follows_from_it() -> None:
    peers = {"10.255.0.2": "idle"}
    lasting = lossy(World().tell("edge", "snmp", device("edge", peers=peers)), 2)
    lasting.measure(4)
    assert (lasting.one().cause, {key[2] for key in lasting.one().keys}) == ("loss", {"icmp/loss", "snmp/bgp"})
    short = lossy(World().tell("edge", "snmp", device("edge", peers=peers)), 2)
    for number in range(4):
        for key in (*((node, "icmp", "") for node in BEHIND_FIBRES), ("edge", "snmp", "")):
            short.take(key, short.jobs[key], short.now + timedelta(seconds=number))
    assert short.one().cause == "bgp_down"


def test_a_lost_packet_of_a_sound_measurement_speaks_for_either_of_two_lines() -> None:
    world = World()
    world.tell("carrier", "icmp", EchoSample("x", 100, 80, 0.2, 0.3, 0.4, 0.01))
    world.tell("pop", "icmp", EchoSample("x", 100, 85, 0.2, 0.3, 0.4, 0.01))  # below the level at which it is bad
    for node in ("edge", "core", "site-a", "soft"):
        world.tell(node, "icmp", EchoSample("x", 100, 100, 0.2, 0.3, 0.4, 0.01))
    world.measure(6)
    assert (world.one().cause, world.one().side) == ("loss", Side.CARRIER)
    assert world.one().element in {"fib0", "fib1"}
