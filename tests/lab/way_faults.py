"""Faults of the way: on our own segment, at the carrier's PoP, behind it."""

import random
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from tests.lab import gateway, topology
from tests.lab.truth import NO_FAULT, Truth, fault, truth

if TYPE_CHECKING:
    from tests.lab.lab import Lab
    from tests.lab.node import Node

SMALL_MTU = 1300
BEYOND = "pop carrier pop-carrier carrier-dc"  # what the PoP's far side and the carrier's own network are called


@contextmanager
def _mtu(lab: "Lab", draw: random.Random, black_hole: bool) -> Iterator[Truth]:
    mtu = draw.randint(SMALL_MTU, 1480)
    ends = ((lab.node["pop"], "dc0"), (lab.node["carrier"], "eth0"))
    rule = "icmp type destination-unreachable icmp code frag-needed" + (" drop" if black_hole else " accept")
    for node, port in ends:
        node.ip(f"link set {port} mtu {mtu}")
    try:
        with lab.node["pop"].filtered("output", rule):
            yield truth("mtu_black_hole" if black_hole else "mtu_small", "carrier", BEYOND)
    finally:
        for node, port in ends:
            node.ip(f"link set {port} mtu 1500")
        for name in ("agent", "edge"):
            lab.node[name].ip("route flush cache")  # what was learned of a small path is forgotten


def mtu_black_hole(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """Large packets vanish beyond the PoP, and nobody says so."""
    return _mtu(lab, draw, True)


def mtu_honest(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """Large packets do not pass beyond the PoP, and it says so: fragmentation needed."""
    return _mtu(lab, draw, False)


def _mac(node: "Node") -> str:
    found = re.search(r"link/ether (\S+)", node.run("ip", "link", "show", "eth0"))
    assert found
    return found[1]


def _announce(lab: "Lab", name: str, address: str) -> None:
    """Let a machine tell the segment that this address is its own, until those who speak to it believe so."""
    node, mac = lab.node[name], _mac(lab.node[name])

    def believed() -> bool:
        node.run("arping", "-q", "-U", "-c", "1", "-w", "1", "-I", "eth0", address, check=False)
        return mac in lab.node["agent"].run("ip", "neigh", "show", address)

    lab.node["agent"].run("ping", "-c1", "-W1", address, check=False)
    lab.until(believed, "gratuitous ARP")


@contextmanager
def duplicate_address(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """A machine that nobody knows has a server's address: it answers echoes, and no service."""
    stranger, name = lab.node["stranger"], draw.choice(("soft", "db"))
    address = topology.ADDRESS[name]
    stranger.ip(f"addr add {address}/24 dev eth0", "link set eth0 up", f"route add default via {topology.EDGE}")
    _announce(lab, "stranger", address)
    try:
        yield truth("duplicate_address", "company", name)
    finally:
        stranger.ip("addr flush dev eth0", "link set eth0 down")
        _announce(lab, name, address)


@contextmanager
def routing_loop(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """The PoP sends what is for the carrier's switch back to us, and we to the PoP."""
    route = f"{topology.CARRIER}/32 via {topology.EDGE_FIB0}"
    lab.node["pop"].ip(f"route add {route}")
    try:
        yield truth("routing_loop", "carrier company", "pop edge fib0 carrier")
    finally:
        lab.node["pop"].ip(f"route del {route}")


@contextmanager
def far_end_down(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """The PoP's port towards the carrier's own network is down."""
    pop = lab.node["pop"]
    pop.ip("link set dc0 down")
    try:
        yield truth("carrier_network", "carrier", BEYOND)
    finally:
        pop.ip("link set dc0 up")
        lab.until(lambda: lab.node["agent"].succeeds("ping", "-c1", "-W1", topology.CARRIER), "the carrier's switch")


@contextmanager
def _filtered(lab: "Lab", told: Truth, hook: str, *rules: str) -> Iterator[Truth]:
    with lab.node["pop"].filtered(hook, *rules):
        yield told


def carrier_drops(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """The PoP answers, and drops without a word what is for the carrier's own network."""
    return _filtered(lab, truth("carrier_network", "carrier", BEYOND), "forward", f"ip daddr {topology.CARRIER} drop")


def hop_silent(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """The PoP hardly ever says that a packet's time is exceeded; it forwards all of them."""
    return _filtered(lab, NO_FAULT, "output", "icmp type time-exceeded drop")


def no_audio(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """The carrier lets signalling through, and no voice."""
    told = truth("test_call_audio voice_one_way carrier_network", "carrier company", f"soft {BEYOND}")
    return _filtered(lab, told, "forward", f"udp dport {gateway.RTP} drop", f"udp sport {gateway.RTP} drop")


FAULTS = (
    *map(
        fault,
        (
            mtu_black_hole,
            mtu_honest,
            duplicate_address,
            routing_loop,
            far_end_down,
            carrier_drops,
            hop_silent,
        ),
    ),
    fault(no_audio, "statistical"),  # a test call a minute, believed after the third
)
