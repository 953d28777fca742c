"""Faults of the fibres, of what their ends speak to each other, and of how well they carry."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from tests.lab import daemons, recordings, topology
from tests.lab.truth import Truth, fault, truth

if TYPE_CHECKING:
    from tests.lab.lab import Lab
    from tests.lab.node import Node
    from tests.lab.wire import Wire

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
        lab.until(lambda: not any(has_carrier(edge, name) for name in fibres), "no carrier")
        lab.until(lambda: _led_around(lab, fibres), "no route over what is cut")
        yield told
    finally:
        for name in fibres:
            lab.wire[name].set()
        edge.write("edge.snmprec", recordings.edge(lab.ports))


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
def _blinking(wire: "Wire", dark_s: float, light_s: float) -> Iterator[None]:
    """Let a fibre lose its light for so long, again and again."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(light_s):
            wire.set(carrier=False)
            over.wait(dark_s)
            wire.set()

    thread = threading.Thread(target=go_on, name="blinking", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def flap(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """A fibre loses its light for longer than a BGP session bears it, again and again."""
    name = draw.choice(FIBRES)
    place = FIBRES.index(name)
    for _ in range(draw.randint(2, 3)):
        lab.wire[name].set(carrier=False)
        lab.until(lambda: lab.peer_states()[place : place + 1] not in ([], ["6"]), "the peer is lost")
        lab.wire[name].set()
        lab.until(lab.both_peers, "BGP again")
    with _blinking(lab.wire[name], draw.uniform(1.5, 3), draw.uniform(8, 14)):
        yield truth("link_flapping bgp_flapping", "carrier", f"{name} edge:{name} edge:{PEER[name]}")


@contextmanager
def bgp_down(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """The PoP's router no longer speaks BGP over a fibre; the fibre itself is good."""
    name = draw.choice(FIBRES)
    place = FIBRES.index(name)
    with lab.node["pop"].filtered("input", f"iifname {name} tcp dport 179 drop", f"iifname {name} tcp sport 179 drop"):
        lab.until(lambda: lab.peer_states()[place : place + 1] not in ([], ["6"]), "hold timer")
        yield truth("bgp_down", "company carrier", f"edge:{PEER[name]} {name} pop")


@contextmanager
def bgp_unreadable(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """The router's BGP speaker ended: its sessions fell, its routes went, and its agent has no BGP4-MIB any more."""
    edge = lab.node["edge"]
    edge.daemons["bgpd"].kill()
    lab.until(lambda: "6" not in lab.peer_states(), "no table")
    try:
        yield truth("bgp_down process_down path_own_side", "company", f"edge edge:{topology.POP_FIB0} edge:{topology.POP_FIB1}")
    finally:
        daemons.start_bgpd(edge)


@contextmanager
def _wired(lab: "Lab", told: Truth, **settings: Any) -> Iterator[Truth]:
    for wire in lab.wire.values():
        wire.set(**settings)
    try:
        yield told
    finally:
        for wire in lab.wire.values():
            wire.set()


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


def jittery(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """Both fibres hold each frame back, each as long as chance will have it."""
    return _wired(lab, truth(QUALITY, "carrier", ALL_FIBRES), jitter_ms=draw.choice((120, 160, 200)))


def loss_small(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """Both fibres lose one frame of a hundred, one way or both."""
    return _wired(lab, truth(QUALITY, "carrier", ALL_FIBRES), **{draw.choice(("loss", "loss_ab", "loss_ba")): 0.01})


@contextmanager
def _losing(lab: "Lab", name: str, rules: str, told: Truth) -> Iterator[Truth]:
    lab.node[name].nft(rules)
    try:
        yield told
    finally:
        lab.node[name].nft(f"delete table {rules.split()[1]} losing\n")


def _drop(percent: int) -> str:
    return f"numgen random mod 100 < {percent} drop"


def loss_beyond(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """The carrier loses packets behind its PoP."""
    rules = f"table inet losing {{ chain through {{ type filter hook forward priority -5; {_drop(draw.choice((30, 20, 10)))}; }}\n}}\n"
    return _losing(lab, "pop", rules, truth(QUALITY, "carrier", "pop carrier pop-carrier carrier-dc"))


def loss_inside(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """The cable between core switch and edge router loses frames of both directions."""
    drop = _drop(draw.choice((30, 20, 10)))
    rules = f"table bridge losing {{ chain through {{ type filter hook forward priority 0; iifname p3 {drop}; oifname p3 {drop}; }}\n}}\n"
    return _losing(lab, "core", rules, truth(f"{QUALITY} interface_errors", "company", "core-edge edge core core:p3 edge:lan0"))


def loss_line(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """A customer's line loses packets of both directions."""
    home, drop = draw.choice(topology.HOMES), _drop(draw.choice((30, 20, 10)))
    hooks = (("prerouting", "iifname"), ("postrouting", "oifname"))
    chains = "".join(f"chain {hook} {{ type filter hook {hook} priority -350; {port} wan0 {drop}; }}\n" for hook, port in hooks)
    elements = f"{home.line} {home.router} {home.site} {home.uplink}:{home.port}"
    told = truth(f"{QUALITY} customer_line customer_router", "customer", elements, home.customer)
    return _losing(lab, home.router, f"table inet losing {{ {chains} }}\n", told)


@contextmanager
def flap_short(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """A fibre loses its light for less than a second, again and again."""
    name, edge = draw.choice(FIBRES), lab.node["edge"]
    wire, dark_s, light_s = lab.wire[name], draw.uniform(0.2, 0.8), draw.uniform(5, 9)
    for _ in range(draw.randint(2, 4)):
        wire.set(carrier=False)
        time.sleep(dark_s)
        wire.set()
        lab.until(lambda: has_carrier(edge, name), "carrier")
        lab.until(lab.both_peers, "BGP again")
    with _blinking(wire, dark_s, light_s):
        yield truth("link_flapping bgp_flapping", "carrier", f"{name} edge:{name} edge:{PEER[name]}")


@contextmanager
def saturation(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """More is sent over the fibre that carries than is hired of it."""
    kbit = round(topology.FIBRE_KBIT * draw.uniform(1.1, 1.4))
    load = None
    with lab.node["carrier"].filtered("input", "udp dport 9 drop"), _wired(lab, truth("", "", ""), rate_kbit=topology.FIBRE_KBIT):
        try:
            load = lab.node["soft"].start_python("load", "load.py", "flood", topology.CARRIER, str(kbit))
            lab.until(lambda: "full" in load.log, "the flood")
            yield truth("saturation", "company", "fib0 edge:fib0 edge")
        finally:
            if load is not None:
                load.kill()


FAULTS = (
    *map(
        fault,
        (
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
            jittery,
            loss_beyond,
            loss_inside,
            loss_line,
            flap_short,
            saturation,
        ),
    ),
    fault(loss_small, "statistical"),
)
