"""Faults that a device tells by SNMP: its light, its errors, its heat; and faults of its SNMP agent."""

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from tests.lab import daemons, recordings, topology
from tests.lab.truth import NO_FAULT, Truth, fault, truth

if TYPE_CHECKING:
    from tests.lab.lab import Lab

WEAK_DBM, FEW_ERRORS, HOT_C = -28.0, 500, 78
FIBRES = ("fib0", "fib1")


@contextmanager
def _recorded(lab: "Lab", node: str, name: str, bad: str, good: str, told: Truth) -> Iterator[Truth]:
    lab.node[node].write(name, bad)
    try:
        yield told
    finally:
        lab.node[node].write(name, good)


def degraded_optics(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """Less light arrives at a fibre than its module asks for; the port stays up."""
    port, dbm = draw.choice(FIBRES), draw.uniform(WEAK_DBM, -25.5)
    told = truth("fibre_degraded", "carrier", f"{port} edge:{port}")
    return _recorded(lab, "edge", "edge.snmprec", recordings.edge(lab.ports, {port: dbm}), recordings.edge(lab.ports), told)


@contextmanager
def crc(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """A fibre's port counts damaged frames, and goes on from there when it is mended."""
    name, a_second = draw.choice(FIBRES), draw.randint(FEW_ERRORS, 4 * FEW_ERRORS)
    edge, port = lab.node["edge"], lab.ports[name]
    before = _errors(lab, port)
    edge.write("errors.snmprec", recordings.errors(lab.edge_ports, port, f"{before}+{a_second}/s"))
    lab.until(lambda: _errors(lab, port) > before + a_second, "errors")
    try:
        yield truth("interface_errors fibre_degraded", "company carrier", f"edge:{name} {name}")
    finally:
        edge.write("errors.snmprec", recordings.errors(lab.edge_ports, port, str(_errors(lab, port))))


def _errors(lab: "Lab", port: int) -> int:
    oid = f"{daemons.IF_IN_ERRORS}.{port}"
    return int(lab.node["agent"].run("snmpget", "-v2c", "-c", daemons.COMMUNITY, "-Oqv", topology.EDGE, oid))


@contextmanager
def snmp_dead(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """A server's SNMP agent has ended; the server works."""
    name = draw.choice(("db", "soft"))
    lab.node[name].daemons["snmpd"].kill()
    try:
        yield truth("snmp_agent", "company", name)
    finally:
        lab.restart_snmp(name)


@contextmanager
def snmp_restarted(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """A server's SNMP agent began anew; the server did not."""
    lab.restart_snmp(draw.choice(("db", "soft")))
    yield NO_FAULT


@contextmanager
def rebooted(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """A server has just come up again."""
    name = draw.choice(("db", "soft"))
    lab.restart_snmp(name, just_up=True)
    try:
        yield truth("reboot", "company", name)
    finally:
        lab.restart_snmp(name)


def overheated(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """The core switch is hot."""
    bad = recordings.core(celsius=draw.randint(HOT_C, 95))
    return _recorded(lab, "core", "core.snmprec", bad, recordings.core(), truth("temperature", "company", "core"))


def fan_stopped(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """A fan of the core switch stands still; its sensor works."""
    return _recorded(lab, "core", "core.snmprec", recordings.core(rpm=0), recordings.core(), truth("fan", "company", "core"))


def on_battery(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """The UPS has no mains, and minutes left."""
    bad = recordings.ups(output=5, minutes=draw.randint(4, 20))
    return _recorded(lab, "ups", "ups.snmprec", bad, recordings.ups(), truth("ups_on_battery", "company", "ups dc"))


FAULTS = (
    fault(degraded_optics),
    fault(crc),
    fault(snmp_dead),
    fault(snmp_restarted),
    fault(rebooted),
    fault(overheated),
    fault(fan_stopped),
    fault(on_battery),
)
