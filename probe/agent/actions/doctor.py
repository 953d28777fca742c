"""Examines this installation: what would keep firstline from measuring, storing or telling, and the cure."""

import os
import socket
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import msgspec

from checks.finding import Message, State
from probe.agent.client import ServiceProblem, ask, find_socket
from probe.agent.settings.load import SettingsError, load

ROOMS = ("probe", "checks", "billing_audit", "reports")


class Point(msgspec.Struct, frozen=True):
    """One thing examined; the message says what was found and, where it is not ok, the cure."""

    name: str
    state: State
    message: Message


def examine(config: str | None) -> Iterator[Point]:
    """Yield one point after another; nothing is changed and no packet is sent."""
    yield python()
    yield from packages()
    yield echo()
    yield configuration(config)
    yield service()


def python() -> Point:
    """Return whether this Python is new enough."""
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    if good:
        return Point("python", State.OK, Message("doctor.python", {"version": version}))
    return Point("python", State.CRITICAL, Message("doctor.python-old", {"version": version}))


def packages() -> Iterator[Point]:
    """Yield whether the four package names are this distribution's; another one under the same name would be imported instead."""
    owners = metadata.packages_distributions()
    for room in ROOMS:
        others = sorted(set(owners.get(room, ())) - {"firstline"})
        if others:
            yield Point("packages", State.CRITICAL, Message("doctor.package-taken", {"name": room, "other": ", ".join(others)}))
    if not any(set(owners.get(room, ())) - {"firstline"} for room in ROOMS):
        yield Point("packages", State.OK, Message("doctor.packages"))


def echo() -> Point:
    """Return whether ICMP echo can be sent from here, and by which right."""
    for kind, name in ((socket.SOCK_RAW, "raw"), (socket.SOCK_DGRAM, "datagram")):
        try:
            socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP).close()
        except OSError:
            continue
        return Point("icmp", State.OK, Message(f"doctor.icmp-{name}"))
    return Point("icmp", State.WARNING, Message("doctor.icmp-denied", {"user": str(os.geteuid())}))


def configuration(config: str | None) -> Point:
    """Return whether the configuration that would be used is free of problems."""
    try:
        settings = load(config)
    except SettingsError as why:
        return Point("configuration", State.CRITICAL, Message("doctor.configuration-bad", {"n": len(why.problems)}))
    if settings.file is None:
        return Point("configuration", State.OK, Message("doctor.configuration-none"))
    return Point("configuration", State.OK, Message("doctor.configuration", {"file": settings.file, "n": len(settings.jobs)}))


def service() -> Point:
    """Return whether a service runs here and answers."""
    place = find_socket()
    if place is None or not Path(place).exists():
        return Point("service", State.OK, Message("doctor.service-none"))
    try:
        ask("GET", "/v1/status")
    except ServiceProblem as why:
        return Point("service", State.CRITICAL, Message("doctor.service-bad", {"why": str(why)}))
    return Point("service", State.OK, Message("doctor.service", {"socket": str(place)}))
