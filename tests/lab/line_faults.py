"""Faults of the fibres, of what their ends speak to each other, and of how well they carry."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from tests.lab import daemons, recordings, topology
from tests.lab.daemons import wait_until

if TYPE_CHECKING:
    from tests.lab.lab import Lab
    from tests.lab.node import Node


def _has_carrier(node: "Node", port: str) -> bool:
    return "LOWER_UP" in node.run("ip", "link", "show", port)


def _led_around(lab: "Lab", fibres: tuple[str, ...]) -> bool:
    """Tell whether neither end still sends anything over these fibres."""
    there = lab.node["edge"].run("ip", "route", "show", "203.0.113.0/24") + lab.node["pop"].run("ip", "route", "show", "10.0.0.0/24")
    return not any(f"dev {name}" in there for name in fibres) and (len(fibres) > 1 or lab.routed(topology.POP_FIB1))


@contextmanager
def _cut(lab: "Lab", *fibres: str, dark: tuple[str, ...] = ()) -> Iterator[None]:
    edge = lab.node["edge"]
    for name in fibres:
        lab.wire[name].set(carrier=False)
    edge.write("edge.snmprec", recordings.edge(lab.ports, dict.fromkeys(fibres, recordings.NO_LIGHT), dark))
    wait_until(lambda: not any(_has_carrier(edge, name) for name in fibres), "no carrier")
    wait_until(lambda: _led_around(lab, fibres), "no route over what is cut")
    try:
        yield
    finally:
        for name in fibres:
            lab.wire[name].set()
        edge.write("edge.snmprec", recordings.edge(lab.ports))
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
        with _cut(lab, "fib0", dark=("fib0",)):
            yield
            lab.node["edge"].ip("link set fib0 up")
    finally:
        lab.node["edge"].ip("link set fib0 up")


@contextmanager
def flap(lab: "Lab") -> Iterator[None]:
    """The first fibre loses its light twice and has it again."""
    for _ in range(2):
        lab.wire["fib0"].set(carrier=False)
        wait_until(lambda: lab.peer_states()[:1] not in ([], ["6"]), "the peer is lost")
        lab.wire["fib0"].set()
        wait_until(lab.both_peers, "BGP again")
    yield
    wait_until(lab.healthy, "the preferred route")


@contextmanager
def bgp_down(lab: "Lab") -> Iterator[None]:
    """The PoP's router no longer speaks BGP over the first fibre; the fibre itself is good."""
    with lab.node["pop"].filtered("input", "iifname fib0 tcp dport 179 drop", "iifname fib0 tcp sport 179 drop"):
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
def _wired(lab: "Lab", **settings: Any) -> Iterator[None]:
    for wire in lab.wire.values():
        wire.set(**settings)
    try:
        yield
    finally:
        for wire in lab.wire.values():
            wire.set()
        wait_until(lab.healthy, "BGP over the mended fibres")


def lossy(lab: "Lab") -> AbstractContextManager[None]:
    """Both fibres lose three of ten frames of each direction."""
    return _wired(lab, loss=0.3)


def lossy_outwards(lab: "Lab") -> AbstractContextManager[None]:
    """Both fibres lose three of ten frames from us to the PoP, and none of the other direction."""
    return _wired(lab, loss_ab=0.3)


def lossy_inwards(lab: "Lab") -> AbstractContextManager[None]:
    """Both fibres lose three of ten frames from the PoP to us, and none of the other direction."""
    return _wired(lab, loss_ba=0.3)


def slow(lab: "Lab") -> AbstractContextManager[None]:
    """Both fibres take 150 ms, up to 60 ms more at random."""
    return _wired(lab, delay_ms=150, jitter_ms=60)
