"""Faults of the fibres, of what their ends speak to each other, and of how well they carry."""

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from tests.lab import daemons, recordings, topology
from tests.lab.daemons import wait_until
from tests.lab.truth import Truth, fault, truth

if TYPE_CHECKING:
    from tests.lab.lab import Lab
    from tests.lab.node import Node

FIBRES = ("fib0", "fib1")
PEER = {"fib0": topology.POP_FIB0, "fib1": topology.POP_FIB1}
ALL_FIBRES = "fib0 fib1 pop edge:fib0 edge:fib1"
QUALITY = "loss delay carrier_quality path_voice"


def has_carrier(node: "Node", port: str) -> bool:
    return "LOWER_UP" in node.run("ip", "link", "show", port)


def _led_around(lab: "Lab", fibres: tuple[str, ...]) -> bool:
    """Tell whether neither end still sends anything over these fibres."""
    there = lab.node["edge"].run("ip", "route", "show", "203.0.113.0/24") + lab.node["pop"].run("ip", "route", "show", "10.0.0.0/24")
    left = [PEER[name] for name in FIBRES if name not in fibres]
    return not any(f"dev {name}" in there for name in fibres) and all(lab.routed(peer) for peer in left)


@contextmanager
def _cut(lab: "Lab", told: Truth, *fibres: str, dark: tuple[str, ...] = ()) -> Iterator[Truth]:
    edge = lab.node["edge"]
    for name in fibres:
        lab.wire[name].set(carrier=False)
    edge.write("edge.snmprec", recordings.edge(lab.ports, dict.fromkeys(fibres, recordings.NO_LIGHT), dark))
    try:
        wait_until(lambda: not any(has_carrier(edge, name) for name in fibres), "no carrier")
        wait_until(lambda: _led_around(lab, fibres), "no route over what is cut")
        yield told
    finally:
        for name in fibres:
            lab.wire[name].set()
        edge.write("edge.snmprec", recordings.edge(lab.ports))
        wait_until(lab.healthy, "BGP over the mended fibre")


def fibre_cut(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """A fibre is cut; the other carries on."""
    name = draw.choice(FIBRES)
    return _cut(lab, truth("redundancy_lost", "carrier", f"{name} edge:{name} pop:{name}"), name)


def both_fibres_cut(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """No fibre to the carrier is left."""
    return _cut(lab, truth("fibre_cut", "carrier", ALL_FIBRES), *FIBRES)


@contextmanager
def admin_down(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """Somebody has shut a fibre's port; the far end has no light, and the other fibre carries on."""
    name, edge = draw.choice(FIBRES), lab.node["edge"]
    edge.ip(f"link set {name} down")
    try:
        with _cut(lab, truth("interface_admin_down", "company", f"edge:{name} {name} edge"), name, dark=(name,)) as told:
            yield told
            edge.ip(f"link set {name} up")
    finally:
        edge.ip(f"link set {name} up")


@contextmanager
def flap(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """A fibre loses its light some times and has it again."""
    name = draw.choice(FIBRES)
    place = FIBRES.index(name)
    for _ in range(draw.randint(2, 3)):
        lab.wire[name].set(carrier=False)
        wait_until(lambda: lab.peer_states()[place : place + 1] not in ([], ["6"]), "the peer is lost")
        lab.wire[name].set()
        wait_until(lab.both_peers, "BGP again")
    yield truth("link_flapping bgp_flapping", "carrier", f"{name} edge:{name} edge:{PEER[name]}")
    wait_until(lab.healthy, "the preferred route")


@contextmanager
def bgp_down(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """The PoP's router no longer speaks BGP over a fibre; the fibre itself is good."""
    name = draw.choice(FIBRES)
    place = FIBRES.index(name)
    with lab.node["pop"].filtered("input", f"iifname {name} tcp dport 179 drop", f"iifname {name} tcp sport 179 drop"):
        wait_until(lambda: lab.peer_states()[place : place + 1] not in ([], ["6"]), "hold timer")
        yield truth("bgp_down", "company carrier", f"edge:{PEER[name]} {name} pop")
    wait_until(lab.healthy, "BGP again")


@contextmanager
def bgp_unreadable(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """The router's BGP speaker ended: its sessions fell, its routes went, and its agent has no BGP4-MIB any more."""
    edge = lab.node["edge"]
    edge.daemons["bgpd"].kill()
    wait_until(lambda: "6" not in lab.peer_states(), "no table")
    try:
        yield truth("bgp_down process_down path_own_side", "company", f"edge edge:{topology.POP_FIB0} edge:{topology.POP_FIB1}")
    finally:
        daemons.start_bgpd(edge)
        wait_until(lab.healthy, "BGP again", 30)


@contextmanager
def _wired(lab: "Lab", told: Truth, **settings: Any) -> Iterator[Truth]:
    for wire in lab.wire.values():
        wire.set(**settings)
    try:
        yield told
    finally:
        for wire in lab.wire.values():
            wire.set()
        wait_until(lab.healthy, "BGP over the mended fibres")


def _lossy(lab: "Lab", draw: random.Random, way: str) -> AbstractContextManager[Truth]:
    return _wired(lab, truth(QUALITY, "carrier", ALL_FIBRES), **{way: draw.choice((0.3, 0.2, 0.1))})


def lossy(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """Both fibres lose some of ten frames of each direction."""
    return _lossy(lab, draw, "loss")


def lossy_outwards(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """Both fibres lose some of ten frames from us to the PoP, and none of the other direction."""
    return _lossy(lab, draw, "loss_ab")


def lossy_inwards(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """Both fibres lose some of ten frames from the PoP to us, and none of the other direction."""
    return _lossy(lab, draw, "loss_ba")


def slow(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """Both fibres take 150 ms, up to 60 ms more at random."""
    told = truth(QUALITY, "carrier", ALL_FIBRES)
    return _wired(lab, told, delay_ms=draw.choice((150, 180, 220)), jitter_ms=60)


FAULTS = tuple(
    fault(plant)
    for plant in (
        fibre_cut,
        both_fibres_cut,
        admin_down,
        flap,
        bgp_down,
        bgp_unreadable,
        lossy,
        lossy_outwards,
        lossy_inwards,
        slow,
    )
)
