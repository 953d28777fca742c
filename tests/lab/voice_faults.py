"""Faults of the softswitch, and of the customer's router and gateway."""

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from tests.lab import daemons, topology
from tests.lab.topology import HOMES, Home
from tests.lab.truth import Truth, fault, truth

if TYPE_CHECKING:
    from tests.lab.lab import Lab

SILENT = "service_hung service_blocked"  # what can't be told apart from outside


@contextmanager
def _answering(lab: "Lab", code: int, causes: str) -> Iterator[Truth]:
    daemons.softswitch_answers(lab.node["soft"], code)
    try:
        yield truth(causes, "company", "soft")
    finally:
        daemons.softswitch_answers(lab.node["soft"], 200)


def sip_503(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """The softswitch says that it is overloaded, or broken."""
    return _answering(lab, draw.choice((503, 500)), "service_error")


def sip_403(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """The softswitch forbids every request."""
    return _answering(lab, 403, "service_error account service_blocked")


def sip_silent(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """The softswitch takes every request and answers none."""
    return _answering(lab, 0, SILENT)


@contextmanager
def _filtered(lab: "Lab", causes: str, verdict: str) -> Iterator[Truth]:
    with lab.node["soft"].filtered("input", f"udp dport 5060 {verdict}", f"tcp dport 5060 {verdict}"):
        yield truth(causes, "company", "soft")


def sip_blocked(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """A filter before the softswitch drops SIP."""
    return _filtered(lab, SILENT, "drop")


def sip_prohibited(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """A filter before the softswitch refuses SIP and says so: administratively prohibited."""
    return _filtered(lab, "service_blocked", "reject with icmp type admin-prohibited")


@contextmanager
def sip_refused(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """The SIP server's process has ended."""
    soft = lab.node["soft"]
    soft.daemons["kamailio"].stop()
    try:
        yield truth("process_down", "company", "soft")
    finally:
        daemons.kamailio(soft, topology.SOFT)


def at_home(home: Home, causes: str) -> Truth:
    """Return the truth of a fault at a customer's, of his router or gateway."""
    return truth(causes, "customer", f"{home.router} {home.gateway}", home.customer)


@contextmanager
def _translated(lab: "Lab", draw: random.Random, causes: str, to: str = "", more: str = "") -> Iterator[Truth]:
    home = draw.choice(HOMES)
    lab.translate(home, to and home.gateway_address.rpartition(".")[0] + to, more)
    try:
        yield at_home(home, causes)
    finally:
        lab.translate(home)


def dmz_wrong(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """The customer's router sends what is for the gateway to an address that nobody has."""
    return _translated(lab, draw, "nat_dmz", f".{draw.randint(99, 240)}")


def sip_alg(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """The customer's router rewrites SIP on its way (the kernel's own SIP helper)."""
    helper = 'ct helper sip { type "sip" protocol udp; }\nchain help { type filter hook prerouting priority 0; udp dport 5060 ct helper set "sip"; }'
    return _translated(lab, draw, "sip_alg", more=helper)


@contextmanager
def gateway_off(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """A customer's gateway has no network."""
    home = draw.choice(HOMES)
    node = lab.node[home.gateway]
    node.ip("link set eth0 down")
    try:
        yield truth("gateway_down", "customer", f"{home.gateway} {home.lan} {home.router}:lan0", home.customer)
    finally:
        node.ip("link set eth0 up", f"route add default via {home.inside}")
        lab.until(lambda: lab.node["agent"].succeeds("ping", "-c1", "-W1", home.gateway_address), "the gateway")


@contextmanager
def gateway_refuses(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """A gateway is there, and no program listens on its SIP port."""
    home = draw.choice(HOMES)
    lab.node[home.gateway].daemons["gateway"].kill()
    try:
        yield truth("gateway_down process_down", "customer", home.gateway, home.customer)
    finally:
        lab.start_gateway(home.gateway)


FAULTS = (
    *map(
        fault,
        (
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
        ),
    ),
)
