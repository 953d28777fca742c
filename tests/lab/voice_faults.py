"""Faults of the softswitch, and of the customer's router and gateway."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from tests.lab import daemons, topology
from tests.lab.daemons import wait_until

if TYPE_CHECKING:
    from tests.lab.lab import Lab


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
    return lab.node["soft"].filtered("input", "udp dport 5060 drop", "tcp dport 5060 drop")


def sip_prohibited(lab: "Lab") -> AbstractContextManager[None]:
    """A filter before the softswitch refuses SIP and says so: administratively prohibited."""
    refuse = "reject with icmp type admin-prohibited"
    return lab.node["soft"].filtered("input", f"udp dport 5060 {refuse}", f"tcp dport 5060 {refuse}")


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
