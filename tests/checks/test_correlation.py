"""One cause behind many symptoms: readings of an operator's network, told good and bad, and what is said of them."""

import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks import catalogue
from checks.assess import Memory, Rules, assess
from checks.correlate import Correlation, correlate
from checks.patience import ECHO, HOLD, Patience, deliberate, recalled
from checks.proof import fault_of, prove
from checks.topology import Topology
from checks.verdict import Diagnosis, Side
from probe.inventory import Carrier, Customer, Inventory, Link, Node, Owner, Site
from probe.observation.device import DeviceSample, Identity
from probe.observation.dns import DnsSample
from probe.observation.failure import Failure, Kind
from probe.observation.icmp import EchoSample
from probe.observation.interfaces import InterfaceSample, InterfacesSample
from probe.observation.observation import Observation, Outcome
from probe.observation.path import Hop, PathSample, Said
from probe.observation.routing import BgpPeer
from probe.observation.sip import SipSample
from probe.observation.tcp import ConnectSample

START = datetime(2026, 3, 1, tzinfo=UTC)
THEIRS, CUSTOMERS = Owner.CARRIER, Owner.CUSTOMER
NODES = (
    Node("agent", "10.0.0.10", "dc"),
    Node("core", "10.0.0.2", "dc", "switch"),
    Node("edge", "10.0.0.1", "dc", "router"),
    Node("soft", "10.0.0.20", "dc", role="softswitch"),
    Node("db", "10.0.0.30", "dc"),
    Node("branch-sw", "10.0.1.1", "branch", "switch"),
    Node("branch-1", "10.0.1.2", "branch"),
    Node("branch-2", "10.0.1.3", "branch"),
    Node("pop", "10.255.0.2", "pop", "carrier", owner=THEIRS),
    Node("carrier", "203.0.113.10", "far", "carrier", owner=THEIRS),
    Node("site-a", "10.254.0.2", "harbour", "router", owner=CUSTOMERS),
    Node("gw-a", "192.168.50.10", "harbour", "gateway", owner=CUSTOMERS, supplied_by=Owner.COMPANY),
    Node("site-b", "10.254.0.6", "clinic", "router", owner=CUSTOMERS),
    Node("gw-b", "192.168.60.10", "clinic", "gateway", owner=CUSTOMERS),
)
LINKS = (
    Link("agent-core", "agent", "core", ("eth0", "p1")),
    Link("soft-core", "soft", "core", ("eth0", "p2")),
    Link("db-core", "db", "core", ("eth0", "p4")),
    Link("core-edge", "core", "edge", ("p3", "lan0")),
    Link("core-branch", "core", "branch-sw", ("p6", "up0")),
    Link("branch-1-sw", "branch-1", "branch-sw", ("eth0", "p1")),
    Link("branch-2-sw", "branch-2", "branch-sw", ("eth0", "p2")),
    Link("fib0", "edge", "pop", ("fib0", "fib0"), "fibre", "CarrierOne"),
    Link("fib1", "edge", "pop", ("fib1", "fib1"), "fibre", "CarrierOne"),
    Link("backhaul", "pop", "carrier"),
    Link("line-a", "edge", "site-a", ("cust0", "wan0")),
    Link("lan-a", "site-a", "gw-a"),
    Link("line-b", "edge", "site-b", ("cust1", "wan0")),
    Link("lan-b", "site-b", "gw-b"),
)
INVENTORY = Inventory(
    "agent",
    {node.name: node for node in NODES},
    {
        "dc": Site("dc"),
        "branch": Site("branch"),
        "pop": Site("pop", "pop"),
        "far": Site("far", "carrier"),
        "harbour": Site("harbour", "customer", customer="Harbour"),
        "clinic": Site("clinic", "customer", customer="Clinic"),
    },
    {link.name: link for link in LINKS},
    {"CarrierOne": Carrier("CarrierOne")},
    {"Harbour": Customer("Harbour", "key", accounts=("1001",)), "Clinic": Customer("Clinic", accounts=("1002",))},
)
TOPOLOGY = Topology(INVENTORY)
PORTS = {"core": ("p1", "p2", "p3", "p4", "p6"), "edge": ("lan0", "fib0", "fib1", "cust0", "cust1"), "branch-sw": ("up0", "p1", "p2")}
SILENT, REFUSED = Failure(Kind.TIMEOUT, "none within 2 s"), Failure(Kind.REFUSED)
DEAF = EchoSample("x", 5, 0)
ALIVE = EchoSample("x", 5, 5, 0.2, 0.3, 0.4, 0.01)
SIP = SipSample("x", 5060, "udp", 200, "OK", 1.0)
NAME = DnsSample("x", "www.example.", "A", "NOERROR", True, False, True, ("www.example. A 192.0.2.1",), 2.0)
BUSY = SipSample("x", 5060, "udp", 503, "Service Unavailable", 1.0)


def port(name: str, up: bool = True, admin: bool = True) -> InterfaceSample:
    return InterfaceSample(
        name,
        1,
        "ethernet",
        admin,
        up and admin,
        None,
        1500,
        10**9,
        "full",
        (),
        None,
        *[None] * 8,
        expected=True,
        oper="up" if up else "down",
    )


def device(node: str, down: Iterable[str] = (), off: Iterable[str] = (), peers: Mapping[str, str] | None = None) -> DeviceSample:
    ports = tuple(port(name, name not in set(down), name not in set(off)) for name in PORTS[node])
    told = {"10.255.0.2": "established", "10.255.0.6": "established", **(peers or {})} if node == "edge" else {}
    sessions = tuple(BgpPeer(peer, 64512, state, True, transitions=1, since_s=90000.0) for peer, state in told.items())
    return DeviceSample(
        Identity("1.3.6.1.4.1.9.1.1", "x"), uptime_s=1e6, interfaces=InterfacesSample(ports, over_s=10.0), bgp_peers=sessions
    )


class World:
    """An operator whose measurements are told: all good, then some bad; a minute is three readings."""

    def __init__(self) -> None:
        self.jobs: dict[tuple[str, str, str], Outcome] = {}
        for node in NODES:
            if node.name != "agent":
                self.jobs[node.name, "icmp", ""] = msgspec.structs.replace(ALIVE, address=str(node.address))
        for node in ("core", "edge", "branch-sw"):
            self.jobs[node, "snmp", ""] = device(node)
        for node in ("soft", "gw-a", "gw-b", "carrier"):
            self.jobs[node, "sip", ""] = SIP
        self.jobs["soft", "dns", "www.example. A"] = NAME
        for item in ("80", "443"):
            self.jobs["soft", "tcp", item] = ConnectSample("x", int(item), 1.0)
        self.jobs["db", "tcp", "5432"] = ConnectSample("x", 5432, 1.0)
        self.memories: dict[tuple[str, str, str], Memory] = {}
        self.now = START
        self.measure(2)

    def measure(self, times: int = 3, without: Iterable[tuple[str, str, str]] = ()) -> None:
        """Measure everything so many times, 5 s apart, but some."""
        left = set(without)
        for _ in range(times):
            for number, (key, outcome) in enumerate(self.jobs.items()):
                if key not in left:
                    self.take(key, outcome, self.now + timedelta(milliseconds=10 * number))
            self.now += timedelta(seconds=5)

    def take(self, key: tuple[str, str, str], outcome: Outcome, at: datetime) -> None:
        node, prober, item = key
        room = catalogue.load(prober)
        seen = Observation("agent", node, prober, at, 1.0, outcome, item)
        self.memories[key], _ = assess(seen, self.memories.get(key) or Memory(), Rules(room.judge, room.Limits()))

    def silence(self, *nodes: str) -> "World":
        """Everything of these nodes falls silent."""
        for key in self.jobs:
            if key[0] in nodes:
                self.jobs[key] = msgspec.structs.replace(DEAF, address="x") if key[1] == "icmp" else SILENT
        return self

    def tell(self, node: str, prober: str, outcome: Outcome, item: str = "") -> "World":
        self.jobs[node, prober, item] = outcome
        return self

    def said(self, **more: Any) -> list[Diagnosis]:
        return list(self.correlated(**more).diagnoses)

    def correlated(self, topology: Topology = TOPOLOGY) -> Correlation:
        return correlate(self.memories, topology)

    def one(self) -> Diagnosis:
        found = self.said()
        assert len(found) == 1, [(one.cause, one.element) for one in found]
        return found[0]


BEHIND_FIBRES = ("pop", "carrier")
HARBOUR = ("site-a", "gw-a")


def cut_off(world: World, *down: str, dark: Iterable[str] = (), node: str = "edge", peers: Mapping[str, str] | None = None) -> World:
    return world.tell(node, "snmp", device(node, down, peers=peers)).silence(*dark)


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


def own_port(world: World, up: bool) -> World:
    return world.tell("agent", "interfaces", InterfacesSample((port("eth0", up=up),)))


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


def test_what_broke_while_we_were_blind_is_told_as_soon_as_it_was_measured_by_eyes_that_see() -> None:
    world = own_port(World(), up=True)
    world.measure(2)
    own_port(world, up=False).silence(*(node.name for node in NODES[1:]))
    world.measure(4)
    _, patience = deliberate(world.memories, TOPOLOGY, Patience(), world.now)
    world.jobs = own_port(World(), up=True).silence("gw-a").jobs
    world.measure(1, without=[key for key in world.jobs if key[0] == "gw-a"])
    blind, patience = deliberate(world.memories, TOPOLOGY, patience, world.now)
    world.measure(1)
    early, patience = deliberate(world.memories, TOPOLOGY, patience, world.now)  # within seconds: the way there may be back late
    world.measure(1)
    assert (blind.diagnoses, early.diagnoses) == ((), ())
    seen, _ = deliberate(world.memories, TOPOLOGY, patience, world.now)
    assert [(one.cause, one.element) for one in seen.diagnoses] == [("gateway_down", "gw-a")]


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


def test_a_verdict_waits_for_what_it_asked_for_but_not_for_ever() -> None:
    world = World().silence(*HARBOUR)
    without = [key for key in world.jobs if key[0] in {"edge", "core"}]
    world.measure(3, without)
    held, patience = deliberate(world.memories, TOPOLOGY, Patience(), world.now)
    assert held.diagnoses == ()
    assert held.asks
    told, patience = deliberate(world.memories, TOPOLOGY, patience, world.now + HOLD)
    assert [one.cause for one in told.diagnoses] == ["customer_router"]


def test_what_a_fault_leaves_behind_is_no_fault_of_its_own() -> None:
    peers = {"10.255.0.2": "idle", "10.255.0.6": "idle"}
    world = cut_off(World(), "fib0", "fib1", dark=BEHIND_FIBRES, peers=peers)
    world.measure(4)
    _, patience = deliberate(world.memories, TOPOLOGY, Patience(), world.now)
    world.jobs = World().jobs
    world.tell("edge", "snmp", device("edge", peers=peers))  # the light is back, the sessions are not yet
    world.measure(4)
    after, patience = deliberate(world.memories, TOPOLOGY, patience, world.now)
    assert after.diagnoses == ()
    late, _ = deliberate(world.memories, TOPOLOGY, patience, world.now + timedelta(seconds=120))
    assert {one.cause for one in late.diagnoses} == {"bgp_down"}


@pytest.mark.parametrize("cleared_s", [None, 5])
def test_what_a_fault_leaves_behind_is_known_after_a_restart_too(cleared_s: float | None) -> None:
    peers = {"10.255.0.2": "idle", "10.255.0.6": "idle"}
    world = cut_off(World(), "fib0", "fib1", dark=BEHIND_FIBRES, peers=peers)
    world.measure(4)
    rules = {key: Rules((room := catalogue.load(key[1])).judge, room.Limits()) for key in world.memories}
    proof = prove(world.one(), world.memories, rules, INVENTORY)
    cleared = None if cleared_s is None else world.now + timedelta(seconds=cleared_s)

    after = World()
    after.now = world.now + timedelta(seconds=10)
    back = [BgpPeer(peer, 64512, "established", True, transitions=2, since_s=8.0) for peer in peers]
    after.tell("edge", "snmp", msgspec.structs.replace(device("edge"), bgp_peers=tuple(back)))
    after.measure(3)
    forgotten, _ = deliberate(after.memories, TOPOLOGY, Patience(), after.now)
    assert {one.cause for one in forgotten.diagnoses} == {"bgp_flapping"}
    known, patience = deliberate(after.memories, TOPOLOGY, recalled([(*fault_of(proof), cleared)]), after.now)
    assert known.diagnoses == ()
    late, _ = deliberate(after.memories, TOPOLOGY, patience, after.now + ECHO + timedelta(seconds=1))
    assert {one.cause for one in late.diagnoses} == {"bgp_flapping"}


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


def test_a_second_cut_takes_all_of_the_first_into_one_fault() -> None:
    world = cut_off(World(), "fib0", peers={"10.255.0.2": "idle"})
    world.measure(9)
    first, patience = deliberate(world.memories, TOPOLOGY, Patience(), world.now)
    assert [one.cause for one in first.diagnoses] == ["redundancy_lost"]
    cut_off(world, "fib0", "fib1", dark=BEHIND_FIBRES, peers={"10.255.0.2": "idle", "10.255.0.6": "idle"})
    for _ in range(4):
        world.measure(1)
        now, patience = deliberate(world.memories, TOPOLOGY, patience, world.now)
    (one,) = now.diagnoses
    assert (one.cause, one.element) == ("fibre_cut", "fib0+fib1")
    assert set(first.diagnoses[0].keys) <= set(one.keys)


def test_what_comes_back_in_steps_is_no_fault_of_its_own() -> None:
    """A customer's site has its power again: the router answers first, what was measured of the gateway is still believed bad."""
    world = cut_off(World(), "cust0", dark=HARBOUR)
    world.measure(4)
    _, patience = deliberate(world.memories, TOPOLOGY, Patience(), world.now)
    world.jobs = World().jobs
    world.measure(2, without=[key for key in world.jobs if key[0] == "gw-a"])
    now, patience = deliberate(world.memories, TOPOLOGY, patience, world.now)
    assert now.diagnoses == ()
    world.silence("gw-a")
    world.measure(8)
    late, _ = deliberate(world.memories, TOPOLOGY, patience, world.now + timedelta(seconds=30))
    assert [(one.cause, one.element) for one in late.diagnoses] == [("gateway_down", "gw-a")]


def test_what_another_fault_of_the_same_machine_left_is_not_its_ending() -> None:
    """A session was gone for a moment: that it has come back is said in the same breath in which it is good again."""
    down = device("edge", peers={"10.255.0.2": "idle"})
    back = (BgpPeer("10.255.0.2", 64512, "established", True, transitions=2, since_s=1.0), *device("edge").bgp_peers[1:])
    world, patience, told = World(), Patience(), []
    for outcome in (*[down] * 3, *[msgspec.structs.replace(down, bgp_peers=back)] * 3):
        world.now += timedelta(seconds=1)
        world.take(("edge", "snmp", ""), outcome, world.now)
        now, patience = deliberate(world.memories, TOPOLOGY, patience, world.now)
        told.append({one.cause for one in now.diagnoses})
    assert told[2:] == [{"bgp_down"}, set(), set(), {"bgp_flapping"}]


def lossy(world: World, received: int) -> World:
    for node in BEHIND_FIBRES:
        world.tell(node, "icmp", EchoSample("x", 5, received, 0.2, 0.3, 0.4, 0.01))
    return world


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


def test_of_two_episodes_of_one_fault_the_last_is_recalled() -> None:
    world = cut_off(World(), "cust0", dark=HARBOUR)
    world.measure(4)
    (fault,) = world.correlated().faults.values()
    known_by = world.one().identity
    ended = [(known_by, fault, START), (known_by, fault, START + timedelta(hours=2))]
    assert recalled(ended).past[known_by].seen == START + timedelta(hours=2)
    assert (recalled(ended).there, recalled([(known_by, fault, None)]).there) == (frozenset(), {known_by})
    assert recalled([(known_by, fault, None), *ended]).there == frozenset()


def test_a_clock_that_is_set_back_holds_nothing_longer() -> None:
    world = World().silence(*HARBOUR)
    world.measure(3, [key for key in world.jobs if key[0] in {"edge", "core"}])
    _, patience = deliberate(world.memories, TOPOLOGY, Patience(), world.now)
    back = world.now - timedelta(hours=1)
    held, patience = deliberate(world.memories, TOPOLOGY, patience, back)
    assert held.diagnoses == ()
    told, _ = deliberate(world.memories, TOPOLOGY, patience, back + HOLD)
    assert [one.cause for one in told.diagnoses] == ["customer_router"]


def test_after_a_restart_half_of_a_fault_is_not_told_as_another() -> None:
    world = CASES["edge"][0](World())
    world.measure(4)
    whole = world.one()
    seen = {key for key in world.memories if key[0] in {"edge", "core"} and key[1] == "icmp"}
    restored = {key: one if key in seen else Memory(tracks=one.tracks) for key, one in world.memories.items()}
    half, patience = deliberate(restored, TOPOLOGY, Patience(), world.now)
    assert half.diagnoses == ()
    now, _ = deliberate(world.memories, TOPOLOGY, patience, world.now)
    assert [(one.cause, one.element) for one in now.diagnoses] == [(whole.cause, whole.element)]


def test_a_lost_packet_of_a_sound_measurement_speaks_for_either_of_two_lines() -> None:
    world = World()
    world.tell("carrier", "icmp", EchoSample("x", 100, 80, 0.2, 0.3, 0.4, 0.01))
    world.tell("pop", "icmp", EchoSample("x", 100, 85, 0.2, 0.3, 0.4, 0.01))  # below the level at which it is bad
    for node in ("edge", "core", "site-a", "soft"):
        world.tell(node, "icmp", EchoSample("x", 100, 100, 0.2, 0.3, 0.4, 0.01))
    world.measure(6)
    assert (world.one().cause, world.one().side) == ("loss", Side.CARRIER)
    assert world.one().element in {"fib0", "fib1"}
