"""Every fault the lab can have: made when its context is entered, undone when it is left; both wait until they hold."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from tests.lab import daemons, gateway, recordings, topology
from tests.lab.daemons import wait_until

if TYPE_CHECKING:
    from tests.lab.lab import Lab
    from tests.lab.node import Node

NO_FAULT = "table inet fault\ndelete table inet fault\n"
WEAK_DBM, FEW_ERRORS, SMALL_MTU, HOT_C = -28.0, 500, 1300, 78


def _has_carrier(node: "Node", port: str) -> bool:
    return "LOWER_UP" in node.run("ip", "link", "show", port)


def _led_around(lab: "Lab", fibres: tuple[str, ...]) -> bool:
    """Tell whether neither end still sends anything over these fibres."""
    there = lab.node["edge"].run("ip", "route", "show", "203.0.113.0/24") + lab.node["pop"].run("ip", "route", "show", "10.0.0.0/24")
    return not any(f"dev {name}" in there for name in fibres) and (len(fibres) > 1 or lab.routed(topology.POP_FIB1))


@contextmanager
def _cut(lab: "Lab", *fibres: str) -> Iterator[None]:
    edge = lab.node["edge"]
    for name in fibres:
        lab.wire[name].set(carrier=False)
    wait_until(lambda: not any(_has_carrier(edge, name) for name in fibres), "no carrier")
    wait_until(lambda: _led_around(lab, fibres), "no route over what is cut")
    try:
        yield
    finally:
        for name in fibres:
            lab.wire[name].set()
        wait_until(lab.healthy, "BGP over the mended fibre")


def fibre_cut(lab: "Lab") -> AbstractContextManager[None]:
    """The first fibre is cut; the second carries on."""
    return _cut(lab, "fib0")


def both_fibres_cut(lab: "Lab") -> AbstractContextManager[None]:
    """No fibre to the carrier is left."""
    return _cut(lab, "fib0", "fib1")


@contextmanager
def admin_down(lab: "Lab") -> Iterator[None]:
    """Somebody has shut the first fibre's port; the far end has no light, and the second fibre carries on."""
    lab.node["edge"].ip("link set fib0 down")
    try:
        with _cut(lab, "fib0"):
            yield
            lab.node["edge"].ip("link set fib0 up")
    finally:
        lab.node["edge"].ip("link set fib0 up")


@contextmanager
def flap(lab: "Lab") -> Iterator[None]:
    """The first fibre loses its light three times and has it again."""
    edge = lab.node["edge"]
    for _ in range(3):
        lab.wire["fib0"].set(carrier=False)
        wait_until(lambda: not _has_carrier(edge, "fib0"), "no carrier")
        lab.wire["fib0"].set()
        wait_until(lab.both_peers, "BGP again")
    yield
    wait_until(lab.healthy, "the preferred route")


@contextmanager
def _recorded(lab: "Lab", node: str, name: str, bad: str, good: str) -> Iterator[None]:
    lab.node[node].write(name, bad)
    try:
        yield
    finally:
        lab.node[node].write(name, good)


def degraded_optics(lab: "Lab") -> AbstractContextManager[None]:
    """Less light arrives at the first fibre than its module asks for; the port stays up."""
    return _recorded(lab, "edge", "edge.snmprec", recordings.edge(lab.ports, {"fib0": WEAK_DBM}), recordings.edge(lab.ports))


@contextmanager
def crc(lab: "Lab") -> Iterator[None]:
    """The first fibre's port counts damaged frames, and goes on from there when it is mended."""
    edge, port = lab.node["edge"], lab.ports["fib0"]
    before = _errors(lab)
    edge.write("errors.snmprec", recordings.errors(lab.edge_ports, port, f"{before}+{FEW_ERRORS}/s"))
    try:
        yield
    finally:
        edge.write("errors.snmprec", recordings.errors(lab.edge_ports, port, str(_errors(lab))))


def _errors(lab: "Lab") -> int:
    oid = f"{daemons.IF_IN_ERRORS}.{lab.ports['fib0']}"
    return int(lab.node["agent"].run("snmpget", "-v2c", "-c", daemons.COMMUNITY, "-Oqv", topology.EDGE, oid))


@contextmanager
def bgp_down(lab: "Lab") -> Iterator[None]:
    """The PoP's router no longer speaks BGP over the first fibre; the fibre itself is good."""
    with _filtered(lab, "pop", "input", "iifname fib0 tcp dport 179 drop", "iifname fib0 tcp sport 179 drop"):
        wait_until(lambda: lab.peer_states()[:1] not in ([], ["6"]), "hold timer")
        yield
    wait_until(lab.healthy, "BGP again")


@contextmanager
def bgp_unreadable(lab: "Lab") -> Iterator[None]:
    """The router's agent has no BGP4-MIB: its BGP speaker ended, and with it the table."""
    edge = lab.node["edge"]
    edge.daemons["bgpd"].kill()
    wait_until(lambda: "6" not in lab.peer_states(), "no table")
    try:
        yield
    finally:
        daemons.start_bgpd(edge)
        wait_until(lab.healthy, "BGP again", 30)


@contextmanager
def _mtu(lab: "Lab", black_hole: bool) -> Iterator[None]:
    ends = ((lab.node["pop"], "dc0"), (lab.node["carrier"], "eth0"))
    rule = "icmp type destination-unreachable icmp code frag-needed" + (" drop" if black_hole else " accept")
    for node, port in ends:
        node.ip(f"link set {port} mtu {SMALL_MTU}")
    try:
        with _filtered(lab, "pop", "output", rule):
            yield
    finally:
        for node, port in ends:
            node.ip(f"link set {port} mtu 1500")
        for name in ("agent", "edge"):
            lab.node[name].ip("route flush cache")  # what was learned of a small path is forgotten


def mtu_black_hole(lab: "Lab") -> AbstractContextManager[None]:
    """Large packets vanish beyond the PoP, and nobody says so."""
    return _mtu(lab, True)


def mtu_honest(lab: "Lab") -> AbstractContextManager[None]:
    """Large packets do not pass beyond the PoP, and it says so: fragmentation needed."""
    return _mtu(lab, False)


def _mac(node: "Node") -> str:
    found = re.search(r"link/ether (\S+)", node.run("ip", "link", "show", "eth0"))
    assert found
    return found[1]


def _announce(lab: "Lab", name: str) -> None:
    """Let a machine tell the segment that the softswitch's address is its own, until those who speak to it believe so."""
    node, mac = lab.node[name], _mac(lab.node[name])

    def believed() -> bool:
        node.run("arping", "-q", "-U", "-c", "1", "-w", "1", "-I", "eth0", topology.SOFT, check=False)
        return mac in lab.node["agent"].run("ip", "neigh", "show", topology.SOFT)

    lab.node["agent"].run("ping", "-c1", "-W1", topology.SOFT, check=False)
    wait_until(believed, "gratuitous ARP")


@contextmanager
def duplicate_address(lab: "Lab") -> Iterator[None]:
    """A machine that nobody knows has the softswitch's address: it answers echoes, and no service."""
    stranger = lab.node["stranger"]
    stranger.ip(f"addr add {topology.SOFT}/24 dev eth0", "link set eth0 up", f"route add default via {topology.EDGE}")
    _announce(lab, "stranger")
    try:
        yield
    finally:
        stranger.ip("addr flush dev eth0", "link set eth0 down")
        _announce(lab, "soft")


@contextmanager
def _route(lab: "Lab", node: str, route: str) -> Iterator[None]:
    lab.node[node].ip(f"route add {route}")
    try:
        yield
    finally:
        lab.node[node].ip(f"route del {route}")


def routing_loop(lab: "Lab") -> AbstractContextManager[None]:
    """The PoP sends what is for the carrier's switch back to us, and we to the PoP."""
    return _route(lab, "pop", f"{topology.CARRIER}/32 via {topology.EDGE_FIB0}")


@contextmanager
def far_end_down(lab: "Lab") -> Iterator[None]:
    """The PoP's port towards the carrier's own network is down."""
    pop = lab.node["pop"]
    pop.ip("link set dc0 down")
    try:
        yield
    finally:
        pop.ip("link set dc0 up")
        wait_until(lambda: lab.node["agent"].succeeds("ping", "-c1", "-W1", topology.CARRIER), "the carrier's switch")


@contextmanager
def _filtered(lab: "Lab", node: str, hook: str, *rules: str) -> Iterator[None]:
    lines = "\n".join(rules)
    lab.node[node].nft(f"table inet fault {{ chain faulty {{ type filter hook {hook} priority -5\n{lines}\n}}\n}}\n")
    try:
        yield
    finally:
        lab.node[node].nft(NO_FAULT)


def carrier_drops(lab: "Lab") -> AbstractContextManager[None]:
    """The PoP answers, and drops without a word what is for the carrier's own network."""
    return _filtered(lab, "pop", "forward", f"ip daddr {topology.CARRIER} drop")


def hop_silent(lab: "Lab") -> AbstractContextManager[None]:
    """The PoP hardly ever says that a packet's time is exceeded; it forwards all of them."""
    return _filtered(lab, "pop", "output", "icmp type time-exceeded drop")


@contextmanager
def _wired(lab: "Lab", **settings: Any) -> Iterator[None]:
    for wire in lab.wire.values():
        wire.set(**settings)
    try:
        yield
    finally:
        for wire in lab.wire.values():
            wire.set()
        wait_until(lab.healthy, "BGP over the mended fibres")


def no_audio(lab: "Lab") -> AbstractContextManager[None]:
    """The carrier lets signalling through, and no voice."""
    return _filtered(lab, "pop", "forward", f"udp dport {gateway.RTP} drop", f"udp sport {gateway.RTP} drop")


def lossy(lab: "Lab") -> AbstractContextManager[None]:
    """Both fibres lose three of ten frames of each direction."""
    return _wired(lab, loss=0.3)


def slow(lab: "Lab") -> AbstractContextManager[None]:
    """Both fibres take 150 ms, up to 60 ms more at random."""
    return _wired(lab, delay_ms=150, jitter_ms=60)


@contextmanager
def _answering(lab: "Lab", code: int) -> Iterator[None]:
    daemons.softswitch_answers(lab.node["soft"], code)
    try:
        yield
    finally:
        daemons.softswitch_answers(lab.node["soft"], 200)


def sip_503(lab: "Lab") -> AbstractContextManager[None]:
    """The softswitch says that it is overloaded."""
    return _answering(lab, 503)


def sip_403(lab: "Lab") -> AbstractContextManager[None]:
    """The softswitch forbids every request."""
    return _answering(lab, 403)


def sip_silent(lab: "Lab") -> AbstractContextManager[None]:
    """The softswitch takes every request and answers none."""
    return _answering(lab, 0)


def sip_blocked(lab: "Lab") -> AbstractContextManager[None]:
    """A filter before the softswitch drops SIP."""
    return _filtered(lab, "soft", "input", "udp dport 5060 drop", "tcp dport 5060 drop")


def sip_prohibited(lab: "Lab") -> AbstractContextManager[None]:
    """A filter before the softswitch refuses SIP and says so: administratively prohibited."""
    refuse = "reject with icmp type admin-prohibited"
    return _filtered(lab, "soft", "input", f"udp dport 5060 {refuse}", f"tcp dport 5060 {refuse}")


@contextmanager
def sip_refused(lab: "Lab") -> Iterator[None]:
    """The SIP server's process has ended."""
    soft = lab.node["soft"]
    soft.daemons["kamailio"].stop()
    try:
        yield
    finally:
        daemons.kamailio(soft, topology.SOFT)
        wait_until(lambda: daemons.registered(soft) == 2, "both gateways registered")


@contextmanager
def _translated(lab: "Lab", to: str, more: str = "") -> Iterator[None]:
    lab.translate("site-a", to, more)
    try:
        yield
    finally:
        lab.translate("site-a", topology.GATEWAY_A)


def dmz_wrong(lab: "Lab") -> AbstractContextManager[None]:
    """The customer's router sends what is for the gateway to an address that nobody has."""
    return _translated(lab, "192.168.50.99")


def sip_alg(lab: "Lab") -> AbstractContextManager[None]:
    """The customer's router rewrites SIP on its way (the kernel's own SIP helper)."""
    helper = 'ct helper sip { type "sip" protocol udp; }\nchain help { type filter hook prerouting priority 0; udp dport 5060 ct helper set "sip"; }'
    return _translated(lab, topology.GATEWAY_A, helper)


@contextmanager
def gateway_off(lab: "Lab") -> Iterator[None]:
    """The company's gateway at the first customer has no network."""
    node = lab.node["gw-a"]
    node.ip("link set eth0 down")
    try:
        yield
    finally:
        node.ip("link set eth0 up", "route add default via 192.168.50.1")
        wait_until(lambda: lab.node["agent"].succeeds("ping", "-c1", "-W1", topology.GATEWAY_A), "the gateway")


@contextmanager
def gateway_refuses(lab: "Lab") -> Iterator[None]:
    """The gateway is there, and no program listens on its SIP port."""
    lab.node["gw-a"].daemons["gateway"].kill()
    try:
        yield
    finally:
        lab.start_gateway()


@contextmanager
def snmp_dead(lab: "Lab") -> Iterator[None]:
    """The database server's SNMP agent has ended; the server works."""
    lab.node["db"].daemons["snmpd"].kill()
    try:
        yield
    finally:
        lab.restart_snmp("db")


@contextmanager
def snmp_restarted(lab: "Lab") -> Iterator[None]:
    """The database server's SNMP agent began anew; the server did not."""
    lab.node["db"].daemons["snmpd"].kill()
    lab.restart_snmp("db")
    yield


def overheated(lab: "Lab") -> AbstractContextManager[None]:
    """The core switch is hot."""
    return _recorded(lab, "core", "core.snmprec", recordings.core(celsius=HOT_C), recordings.core())


def fan_stopped(lab: "Lab") -> AbstractContextManager[None]:
    """A fan of the core switch stands still, and its sensor says that it does not work (RFC 3433: nonoperational)."""
    return _recorded(lab, "core", "core.snmprec", recordings.core(rpm=0, fan_status=3), recordings.core())


def on_battery(lab: "Lab") -> AbstractContextManager[None]:
    """The UPS has no mains, and minutes left."""
    return _recorded(lab, "core", "core.snmprec", recordings.core(ups_output=5, minutes=4), recordings.core())


FAULTS: dict[str, Callable[["Lab"], AbstractContextManager[None]]] = {
    make.__name__: make
    for make in (
        fibre_cut,
        both_fibres_cut,
        admin_down,
        flap,
        degraded_optics,
        crc,
        bgp_down,
        bgp_unreadable,
        mtu_black_hole,
        mtu_honest,
        duplicate_address,
        routing_loop,
        far_end_down,
        carrier_drops,
        hop_silent,
        no_audio,
        lossy,
        slow,
        sip_503,
        sip_403,
        sip_silent,
        sip_blocked,
        sip_prohibited,
        sip_refused,
        dmz_wrong,
        sip_alg,
        gateway_off,
        gateway_refuses,
        snmp_dead,
        snmp_restarted,
        overheated,
        fan_stopped,
        on_battery,
    )
}
