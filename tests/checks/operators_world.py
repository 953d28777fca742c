"""An operator whose measurements are told, good and bad: a softswitch, a branch, two fibres to the carrier, two customers."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from checks import catalogue
from checks.assess import Memory, Rules, assess
from checks.correlate import Correlation, correlate
from checks.topology import Topology
from checks.verdict import Diagnosis
from probe.inventory import Carrier, Customer, Inventory, Link, Node, Owner, Site
from probe.observation.device import DeviceSample, Identity
from probe.observation.dns import DnsSample
from probe.observation.failure import Failure, Kind
from probe.observation.icmp import EchoSample
from probe.observation.interfaces import InterfaceSample, InterfacesSample
from probe.observation.observation import Observation, Outcome
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


def own_port(world: World, up: bool) -> World:
    return world.tell("agent", "interfaces", InterfacesSample((port("eth0", up=up),)))


def lossy(world: World, received: int) -> World:
    for node in BEHIND_FIBRES:
        world.tell(node, "icmp", EchoSample("x", 5, received, 0.2, 0.3, 0.4, 0.01))
    return world
