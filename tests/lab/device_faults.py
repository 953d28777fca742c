"""Faults that a device tells by SNMP: its light, its errors, its heat; and faults of its SNMP agent."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from tests.lab import daemons, recordings, topology
from tests.lab.daemons import wait_until

if TYPE_CHECKING:
    from tests.lab.lab import Lab

WEAK_DBM, FEW_ERRORS, HOT_C = -28.0, 500, 78


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
    wait_until(lambda: _errors(lab) > before + FEW_ERRORS, "errors")
    try:
        yield
    finally:
        edge.write("errors.snmprec", recordings.errors(lab.edge_ports, port, str(_errors(lab))))


def _errors(lab: "Lab") -> int:
    oid = f"{daemons.IF_IN_ERRORS}.{lab.ports['fib0']}"
    return int(lab.node["agent"].run("snmpget", "-v2c", "-c", daemons.COMMUNITY, "-Oqv", topology.EDGE, oid))


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
    lab.restart_snmp("db")
    yield


@contextmanager
def rebooted(lab: "Lab") -> Iterator[None]:
    """The database server has just come up again."""
    lab.restart_snmp("db", just_up=True)
    try:
        yield
    finally:
        lab.restart_snmp("db")


def overheated(lab: "Lab") -> AbstractContextManager[None]:
    """The core switch is hot."""
    return _recorded(lab, "core", "core.snmprec", recordings.core(celsius=HOT_C), recordings.core())


def fan_stopped(lab: "Lab") -> AbstractContextManager[None]:
    """A fan of the core switch stands still; its sensor works."""
    return _recorded(lab, "core", "core.snmprec", recordings.core(rpm=0), recordings.core())


def on_battery(lab: "Lab") -> AbstractContextManager[None]:
    """The UPS has no mains, and minutes left."""
    return _recorded(lab, "core", "core.snmprec", recordings.core(ups_output=5, minutes=4), recordings.core())
