"""Faults of whole machines, of cables and of power: ours, our branch's, the customer's; and of the agent's own eyes."""

import random
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from tests.lab import daemons, recordings, topology
from tests.lab.line_faults import has_carrier
from tests.lab.topology import HOMES, Home
from tests.lab.truth import Truth, fault, truth

if TYPE_CHECKING:
    from tests.lab.lab import Lab

AT_CUSTOMER = "customer_line customer_router site_power"  # what can't be told apart while the port has no light and nothing answers
CABLE_OF = {
    "db": "db-core core:p4",
    "ups": "ups-core core:p7",
    "branch-1": "branch-1-sw branch-sw:p2",
    "branch-2": "branch-2-sw branch-sw:p3",
}
SILENCE = """table arp mute {
  chain in { type filter hook input priority 0; drop; }
  chain out { type filter hook output priority 0; drop; }
}
table inet mute {
  chain in { type filter hook input priority -300; drop; }
  chain through { type filter hook forward priority -300; drop; }
  chain out { type filter hook output priority -300; drop; }
}
"""


def _far_end(port: tuple[str, str]) -> tuple[str, str] | None:
    """Return machine and port at the other end of a cable; None of what is no end of one."""
    for cable in topology.CABLES:
        if port in ((cable.a, cable.a_port), (cable.b, cable.b_port)):
            return (cable.b, cable.b_port) if port == (cable.a, cable.a_port) else (cable.a, cable.a_port)
    return None


@contextmanager
def _shut(lab: "Lab", told: Truth, ports: Sequence[tuple[str, str]], back: Sequence[tuple[str, str]] = ()) -> Iterator[Truth]:
    """Take these machines' ports away for a while. back: the routes of machines that go with them."""
    for name, port in ports:
        lab.node[name].ip(f"link set {port} down")
    for end in (end for end in map(_far_end, ports) if end is not None):  # the kernel tells the other end a little later
        lab.until(lambda end=end: not has_carrier(lab.node[end[0]], end[1]), "no light at the other end")
    try:
        yield told
    finally:
        for name, port in ports:
            lab.node[name].ip(f"link set {port} up")
        for name, route in back:
            lab.node[name].ip(f"route replace {route}")


def host_down(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """A machine is off, or its cable is out."""
    name = draw.choice(tuple(CABLE_OF))
    told = truth("host_down interface_down", "company", f"{name} {CABLE_OF[name]}")
    return _shut(lab, told, [(name, "eth0")], [(name, f"default via {topology.EDGE}")])


@contextmanager
def _muted(lab: "Lab", told: Truth, name: str) -> Iterator[Truth]:
    lab.node[name].nft(SILENCE)
    try:
        yield told
    finally:
        lab.node[name].nft("delete table arp mute\ndelete table inet mute\n")


def host_hung(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """A machine stands still: its port has light, and nothing answers."""
    name = draw.choice(tuple(CABLE_OF))
    return _muted(lab, truth("host_down", "company", f"{name} {CABLE_OF[name]}"), name)


def uplink_cut(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """The only cable between core switch and edge router is out, or the router is off: nothing behind it can be seen."""
    homes = [home for home in HOMES if home.uplink == "edge"]
    told = truth("interface_down host_down", "company", "core-edge edge core:p3", *(home.customer for home in homes))
    back = [("edge", f"192.168.70.0/24 via {topology.SITE_C}")]
    return _shut(lab, told, [("edge", "lan0")], back)


def port_shut(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """Somebody has shut a port of ours with one way behind it."""
    port = draw.choice(("p4", "p6", "cust0", "cust1"))
    if port in {"p4", "p6"}:
        names, customers = {"p4": ("db-core", ()), "p6": ("core-branch", ("Quay Foods",))}[port]
        return _shut(lab, truth("interface_admin_down", "company", f"core:{port} core {names}", *customers), [("core", port)])
    home = next(home for home in HOMES if home.port == port)
    told = truth("interface_admin_down", "company", f"edge:{port} edge {home.line}", home.customer)
    return _shut(lab, told, [("edge", port)], [("edge", f"{home.network} via {home.public}")])


def agent_cable(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """The agent's own cable is pulled."""
    return _shut(lab, truth("agent_blind", "company", "agent agent-core core:p1 core"), [("core", "p1")])


def switch_hung(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """The core switch forwards nothing; its ports have light."""
    back = [("core", f"default via {topology.EDGE}")]
    return _shut(lab, truth("agent_blind host_down", "company", "agent agent-core core dc"), [("core", "br0")], back)


BRANCH = "site_power host_down interface_down"  # power, switch or cable: behind one port without light nothing answers


def branch_power(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """Our branch has no power: its switch, its servers, and the customer's line that ends there."""
    told = truth(BRANCH, "company", "branch branch-sw core-branch core:p6", "Quay Foods")
    ports = [*(("branch-sw", port) for port in topology.PORTS_OF_BRANCH), ("branch-1", "eth0"), ("branch-2", "eth0")]
    return _shut(lab, told, ports, [(name, f"default via {topology.EDGE}") for name in ("branch-1", "branch-2")])


def branch_cut(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """The only cable to our branch is out."""
    told = truth(BRANCH, "company", "branch branch-sw core-branch core:p6", "Quay Foods")
    return _shut(lab, told, [("branch-sw", "p1")])


def _at(home: Home, causes: str, *more: str) -> Truth:
    return truth(causes, "customer", " ".join((home.line, home.router, home.site, *more)), home.customer)


def line_cut(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """A customer's access line is cut: our port has no light."""
    home = draw.choice(HOMES)
    told = _at(home, AT_CUSTOMER, f"{home.uplink}:{home.port}")
    return _shut(lab, told, [(home.router, "wan0")], [(home.router, f"default via {home.way_out}")])


def customer_power(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """A customer's site has no power: router and gateway are off."""
    home = draw.choice(HOMES)
    told = _at(home, AT_CUSTOMER, f"{home.uplink}:{home.port}")
    ports = [(home.router, "wan0"), (home.router, "lan0"), (home.gateway, "eth0")]
    return _shut(lab, told, ports, [(home.router, f"default via {home.way_out}"), (home.gateway, f"default via {home.inside}")])


def router_hung(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """A customer's router stands still: our port has light, and nothing behind it answers."""
    home = draw.choice(HOMES)
    return _muted(lab, _at(home, "customer_router customer_line"), home.router)


@contextmanager
def gateway_hung(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """A customer's gateway answers echoes, and no SIP."""
    home = draw.choice(HOMES)
    daemon = lab.node[home.gateway].daemons["gateway"]
    daemon.pause()
    try:
        yield truth("gateway_down service_hung service_blocked", "customer", home.gateway, home.customer)
    finally:
        daemon.resume()


@contextmanager
def _other_gateway(lab: "Lab", home: Home, causes: str, registers: bool = True, **more: str) -> Iterator[Truth]:
    lab.node[home.gateway].daemons["gateway"].kill()
    lab.start_gateway(home.gateway, registers=registers, **more)
    if not registers:
        lab.node["soft"].run("kamcmd", "-s", daemons.SOFTSWITCH_CONTROL, "ul.rm", "location", f"s:{home.number}")
    try:
        lab.until(lambda: not lab.look("sip", home.gateway_address, 1).bad, "the gateway")
        yield truth(causes, "customer", home.gateway, home.customer)
    finally:
        lab.node[home.gateway].daemons["gateway"].kill()
        lab.start_gateway(home.gateway)


def gateway_unregistered(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """A customer's gateway works, and does not register."""
    return _other_gateway(lab, draw.choice(HOMES), "gateway_registration", registers=False)


def gateway_not_standard(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """A gateway that the company supplied has old firmware, or not the codec that is agreed."""
    home = draw.choice([home for home in HOMES if home.software.startswith("LabGate")])
    if draw.choice(("firmware", "codec")) == "firmware":
        return _other_gateway(lab, home, "gateway_standard", software=f"LabGate 4/1.{draw.randint(0, 1)}.9")
    return _other_gateway(lab, home, "gateway_standard", codecs=draw.choice(("18", "0 18")))


@contextmanager
def power_supply(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """One of the edge router's two power supplies gives nothing; the other carries it."""
    dead, edge = draw.choice((1, 2)), lab.node["edge"]
    edge.write("edge.snmprec", recordings.edge(lab.ports, dead=(dead,)))
    try:
        yield truth("power_supply", "company", "edge")
    finally:
        edge.write("edge.snmprec", recordings.edge(lab.ports))


@contextmanager
def wrong_community(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """Somebody has changed a device's SNMP community: it is silent to ours."""
    name = draw.choice(("db", "soft", "branch-1", "branch-2", "ups"))
    lab.restart_snmp(name, community="changed")
    try:
        yield truth("snmp_credentials snmp_silent snmp_agent", "company", name)
    finally:
        lab.restart_snmp(name)


FAULTS = (
    *map(
        fault,
        (
            host_down,
            host_hung,
            uplink_cut,
            port_shut,
            agent_cable,
            switch_hung,
            branch_power,
            branch_cut,
            line_cut,
            customer_power,
            router_hung,
            gateway_hung,
            gateway_unregistered,
            gateway_not_standard,
            power_supply,
            wrong_community,
        ),
    ),
)
