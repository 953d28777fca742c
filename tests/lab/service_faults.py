"""Faults of what runs on our servers, and of what these run on: processes, filters, names, time, certificates, disks, memory."""

import os
import random
import resource
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from tests.lab import daemons, kernel, servers, topology
from tests.lab.topology import SERVICES
from tests.lab.truth import Truth, fault, truth

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.lab import Lab

SILENT = "service_hung service_blocked"  # what can't be told apart from outside
OTHERS = ("https", "postgresql", "dns")  # than the softswitch, which has faults of its own
PLENTY = 1024  # descriptors of a web server's process
BUSY_TASKS = 9.5


def ours(causes: str, node: str) -> Truth:
    return truth(causes, "company", node)


@contextmanager
def process_down(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """A server's program has ended."""
    name = draw.choice(OTHERS)
    service = SERVICES[name]
    daemon = lab.node[service.node].daemons[service.daemon]
    daemon.signal(signal.SIGQUIT if name == "postgresql" else signal.SIGTERM)
    daemon.wait()
    try:
        yield ours("process_down dns" if name == "dns" else "process_down", service.node)
    finally:
        lab.start_service(name)


@contextmanager
def process_hung(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """A server's program stands still; the kernel still takes connections for it."""
    name = draw.choice((*OTHERS, "sip"))
    service = SERVICES[name]
    daemon = lab.node[service.node].daemons[service.daemon]
    daemon.pause()
    try:
        yield ours(f"{SILENT} dns" if name == "dns" else SILENT, service.node)
    finally:
        daemon.resume()
        lab.until(lambda: lab.serves(name), name)


@contextmanager
def _filtered(lab: "Lab", draw: random.Random, causes: str, verdict: str) -> Iterator[Truth]:
    name = draw.choice(OTHERS)
    service = SERVICES[name]
    rules = [f"{protocol} dport {service.port} {verdict}" for protocol in ("tcp", "udp")]
    with lab.node[service.node].filtered("input", *rules):
        yield ours(f"{causes} dns" if name == "dns" else causes, service.node)
    lab.until(lambda: lab.serves(name), name)


def service_dropped(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """A filter before a service drops what is for it."""
    return _filtered(lab, draw, SILENT, "drop")


def service_prohibited(lab: "Lab", draw: random.Random) -> AbstractContextManager[Truth]:
    """A filter before a service refuses what is for it and says so: administratively prohibited."""
    return _filtered(lab, draw, "service_blocked", "reject with icmp type admin-prohibited")


@contextmanager
def web_error(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """The web server answers every request with an error."""
    soft, code = lab.node["soft"], draw.choice((503, 500, 502, 403))

    def answers(wanted: int) -> bool:
        return lab.look("http", topology.SOFT, 1).seen.get("status") == wanted

    soft.write("answer.conf", servers.answering(code))
    servers.reload_nginx(soft)
    lab.until(lambda: answers(code), "the error")
    try:
        yield ours("service_error", "soft")
    finally:
        soft.write("answer.conf", servers.answering(200))
        servers.reload_nginx(soft)
        lab.until(lambda: answers(200), "the page")


@contextmanager
def certificate(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """The web server's certificate has expired, or will within days."""
    age = draw.choice((servers.GOOD_DAYS + 2, servers.GOOD_DAYS - 3)) + draw.randint(0, 2)
    _certified(lab, age)
    try:
        yield ours("certificate", "soft")
    finally:
        _certified(lab, 0)


def _certified(lab: "Lab", age: int) -> None:
    servers.certify(lab.node["soft"], age)
    servers.reload_nginx(lab.node["soft"])
    left = servers.GOOD_DAYS - age

    def shown() -> bool:
        look = lab.look("tls", topology.SOFT, 2, server_name=topology.PORTAL)
        found = [one.value for one in look.findings if one.check == "tls/days-left"]
        return bool(found) and found[0] is not None and abs(found[0] - left) < 1

    lab.until(shown, f"a certificate with {left} days left")


@contextmanager
def descriptors(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """The web server may open no more files: connections are taken by the kernel, and nobody speaks."""
    workers = lab.node["soft"].daemons["nginx"].family[1:]
    few = draw.randint(3, 5)  # what is open already stays open
    for pid in workers:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, PLENTY))
    try:
        lab.until(lambda: not lab.serves("https"), "no answer")
        yield ours(f"descriptors {SILENT}", "soft")
    finally:
        for pid in workers:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (PLENTY, PLENTY))
        lab.until(lambda: lab.serves("https"), "https")


@contextmanager
def too_many_clients(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """The database has no session left for another client."""
    client = lab.node[draw.choice(("soft", "branch-1"))]
    load = client.start_python("load", "load.py", "clients", topology.DB, "5432")
    try:
        lab.until(lambda: "full" in load.log and not lab.serves("postgresql"), "the database is full")
        yield ours("connections database", "db")
    finally:
        load.kill()
        lab.until(lambda: lab.serves("postgresql"), "room")


@contextmanager
def dns_upstream(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """The carrier's resolver has ended or is not heard: ours knows its own names alone."""
    carrier, how = lab.node["carrier"], draw.choice(("dead", "filtered"))

    def known() -> bool:
        return not lab.look("dns", topology.SOFT, 3, name=topology.OUTSIDE_NAME).bad

    told = truth("dns process_down" if how == "dead" else "dns", "company carrier", "soft carrier")
    if how == "filtered":
        with carrier.filtered("input", "udp dport 53 drop", "tcp dport 53 drop"):
            yield told
    else:
        carrier.daemons["unbound"].kill()
        try:
            yield told
        finally:
            servers.carriers_resolver(carrier)
    lab.until(known, "names of outside")


@contextmanager
def clock_wrong(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """The time server's clock is wrong."""
    soft, wrong_by_s = lab.node["soft"], draw.choice((90, -90, 3)) + draw.randint(0, 5)
    soft.daemons["chronyd"].kill()
    servers.chronyd(soft, wrong_by_s)
    try:
        lab.until(lambda: lab.serves("ntp"), "a time server that is wrong")
        yield ours("clock time_server", "soft")
    finally:
        soft.daemons["chronyd"].kill()
        lab.start_service("ntp")


def _fill(place: "Path", leave: float) -> None:
    """Write a file that leaves this share of a file system's bytes."""
    room = os.statvfs(place)
    with (place / "full").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, int(room.f_bavail * room.f_frsize - leave * room.f_blocks * room.f_frsize)))


@contextmanager
def disk_full(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """The database's disk is full but for a small rest."""
    place = lab.node["db"].root / servers.DATA.lstrip("/")
    _fill(place, draw.uniform(0.01, 0.03))
    try:
        yield ours("disk_full", "db")
    finally:
        (place / "full").unlink()


@contextmanager
def inodes(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """The database's disk has room, and no more files can be made there but a few."""
    place = lab.node["db"].root / servers.DATA.lstrip("/")
    folder = place / "many"
    folder.mkdir()
    for number in range(os.statvfs(place).f_favail - int(servers.DISK_NODES * draw.uniform(0.005, 0.03))):
        (folder / str(number)).touch()
    try:
        yield ours("inodes", "db")
    finally:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


SERVERS = ("db", "soft", "branch-1", "branch-2")


@contextmanager
def memory(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """A server has hardly any memory left."""
    name = draw.choice(SERVERS)
    lab.node[name].rewrite("meminfo", kernel.memory(draw.randint(100_000, 300_000)))
    try:
        yield ours("memory", name)
    finally:
        lab.node[name].rewrite("meminfo", kernel.memory())


@contextmanager
def cpu(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """A server's processors never rest, and work queues."""
    name = draw.choice(SERVERS)
    node = lab.node[name]
    node.write("busy", "")
    daemons.say_load(node, BUSY_TASKS + draw.randint(0, 20))
    try:
        yield ours("cpu", name)
    finally:
        (node.files / "busy").unlink()
        daemons.say_load(node, kernel.USUAL_LOAD)


FAULTS = (
    fault(process_down),
    fault(process_hung),
    fault(service_dropped),
    fault(service_prohibited),
    fault(web_error),
    fault(certificate, "cached"),
    fault(descriptors),
    fault(too_many_clients),
    fault(dns_upstream),
    fault(clock_wrong),
    fault(disk_full, "cached"),
    fault(inodes, "cached"),
    fault(memory, "cached"),
    fault(cpu, "cached"),
)
