"""Faults of the way: on our own segment, at the carrier's PoP, behind it."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from tests.lab import gateway, topology
from tests.lab.daemons import wait_until

if TYPE_CHECKING:
    from tests.lab.lab import Lab
    from tests.lab.node import Node

SMALL_MTU = 1300


@contextmanager
def _mtu(lab: "Lab", black_hole: bool) -> Iterator[None]:
    ends = ((lab.node["pop"], "dc0"), (lab.node["carrier"], "eth0"))
    rule = "icmp type destination-unreachable icmp code frag-needed" + (" drop" if black_hole else " accept")
    for node, port in ends:
        node.ip(f"link set {port} mtu {SMALL_MTU}")
    try:
        with lab.node["pop"].filtered("output", rule):
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


def carrier_drops(lab: "Lab") -> AbstractContextManager[None]:
    """The PoP answers, and drops without a word what is for the carrier's own network."""
    return lab.node["pop"].filtered("forward", f"ip daddr {topology.CARRIER} drop")


def hop_silent(lab: "Lab") -> AbstractContextManager[None]:
    """The PoP hardly ever says that a packet's time is exceeded; it forwards all of them."""
    return lab.node["pop"].filtered("output", "icmp type time-exceeded drop")


def no_audio(lab: "Lab") -> AbstractContextManager[None]:
    """The carrier lets signalling through, and no voice."""
    return lab.node["pop"].filtered("forward", f"udp dport {gateway.RTP} drop", f"udp sport {gateway.RTP} drop")
