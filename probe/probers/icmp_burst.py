"""What is under way on one ICMP socket: bursts, their echoes and targets, and what a finished target has seen."""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

from probe.dial import failure_of
from probe.observation.failure import Failure, Kind
from probe.observation.icmp import EchoSample
from probe.observation.observation import Outcome
from probe.probers.icmp_wire import TOKEN_BYTES, payload


class Destination(NamedTuple):
    """Where echoes go: family, address as text, as struct sockaddr, and packed as it comes back in a reply."""

    family: int
    text: str
    sockaddr: bytes
    packed: bytes


Tell = Callable[[Any, Outcome], None]


class Echo:
    """One echo request to every target of a burst: what its reply looks like, and when it was sent to each (ns since 1970)."""

    __slots__ = ("bit", "burst", "find", "key", "length", "packet", "postponed", "sent_ns", "seq", "stamps", "stepped")

    def __init__(self, burst: "Burst", seq: int, packet: bytes, key: bytes, length: int) -> None:
        self.burst, self.find, self.bit = burst, burst.find, 1 << burst.sent
        self.seq, self.packet, self.key, self.length = seq, packet, key, length
        self.stamps: list[int] = []
        self.sent_ns = 0  # of the monotonic clock
        self.stepped = False  # the wall clock was set while this echo was under way
        self.postponed = 0


class Bunch:
    """Targets that wait to be sent to; each finished one is told as `tells[at](tokens[at], outcome)`."""

    __slots__ = ("destinations", "tells", "tokens")

    def __init__(self) -> None:
        self.destinations: list[Destination] = []
        self.tells: list[Tell] = []
        self.tokens: list[object] = []

    def add(self, destination: Destination, tell: Tell, token: object) -> None:
        """Add a target."""
        self.destinations.append(destination)
        self.tells.append(tell)
        self.tokens.append(token)

    def forget(self, tell: Tell, token: object | None) -> None:
        """Leave out the targets of `tell`, or the one that it knows as `token`."""
        keep = [at for at, other in enumerate(self.tells) if other is not tell or token not in (None, self.tokens[at])]
        self.destinations = [self.destinations[at] for at in keep]
        self.tells = [self.tells[at] for at in keep]
        self.tokens = [self.tokens[at] for at in keep]

    def split(self, most: int) -> "list[Bunch]":
        """Return the same targets in bunches of at most `most`, no address twice in one."""
        bunches: list[tuple[Bunch, set[bytes]]] = []
        first = 0
        for destination, tell, token in zip(self.destinations, self.tells, self.tokens, strict=True):
            while first < len(bunches) and len(bunches[first][1]) >= most:
                first += 1
            place = next((at for at in range(first, len(bunches)) if destination.packed not in bunches[at][1]), None)
            if place is None:
                place = len(bunches)
                bunches.append((Bunch(), set()))
            bunches[place][0].add(destination, tell, token)
            bunches[place][1].add(destination.packed)
        return [bunch for bunch, _ in bunches]


class Burst:
    """`count` echoes to each target of a bunch, sent together.

    What came back stands in columns, not in an object a target: with 10,000 of them the garbage collector would cost more than the replies.
    `find` holds the places of those that are not finished, by packed address. Round trips are in ns, in the order of arrival.
    """

    def __init__(self, bunch: Bunch, count: int, interval_s: float, wait_s: float, size: int) -> None:
        self.bunch, self.size, self.count = bunch, len(bunch.tokens), count
        self.find = {destination.packed: at for at, destination in enumerate(bunch.destinations)}
        self.names = b"".join([destination.sockaddr for destination in bunch.destinations])
        self.interval_s, self.wait_s, self.wait_ns = interval_s, wait_s, int(wait_s * 1e9)
        self.payload = payload(os.urandom(TOKEN_BYTES), size)
        self.full = (1 << count) - 1
        self.seen = [0] * self.size
        self.got = [0] * self.size
        self.round_trips = [0] * (self.size * count)
        self.failed: dict[int, int] = {}
        self.unsent: dict[int, int] = {}
        self.refused: dict[int, int] = {}
        self.duplicates: dict[int, int] = {}
        self.errors: dict[int, str] = {}
        self.echoes: list[Echo] = []
        self.sent = 0
        self.due = self.until = 0.0
        self.lost_before = 0
        self.timer: asyncio.TimerHandle | None = None

    def complete(self, at: int) -> bool:
        """Tell whether every echo to a target was answered, failed or was refused."""
        return self.seen[at] | self.failed.get(at, 0) == self.full

    def outcome(self, at: int) -> Outcome:
        """Return what a target has seen so far; a Failure when the kernel let no echo out to it."""
        sent, text, got = self.sent, self.bunch.destinations[at].text, self.got[at]
        if at in self.unsent:
            sent -= self.unsent[at]
            if not sent:
                return refusal(text, self.refused[at])
        if not got:
            return EchoSample(text, sent, 0, error=self.errors.get(at))
        start = at * self.count
        if got == 1:
            only = self.round_trips[start] / 1e6
            return EchoSample(text, sent, 1, only, only, only, None, self.duplicates.get(at, 0), self.errors.get(at))
        found = self.round_trips[start : start + got]
        jitter = jitter_ns(found)
        return EchoSample(
            text,
            sent,
            got,
            min(found) / 1e6,
            sum(found) / got / 1e6,
            max(found) / 1e6,
            None if jitter is None else jitter / 1e6,
            self.duplicates.get(at, 0),
            self.errors.get(at),
        )


def jitter_ns(round_trips: list[int]) -> float | None:
    """Return the smoothed interarrival jitter (RFC 3550 6.4.1): J += (|D| - J) / 16 over answers as they arrived; None below two."""
    if len(round_trips) < 2:
        return None
    jitter = 0.0
    before = round_trips[0]
    for now in round_trips:
        jitter += (abs(now - before) - jitter) / 16
        before = now
    return jitter


def refusal(text: str, why: int) -> Failure:
    """Return the Failure for an address to which the kernel sent nothing: no route is ours, and so is a filter or a broadcast address."""
    failure = failure_of(OSError(why, os.strerror(why)), at_once=True)
    if failure.kind is Kind.DENIED:
        reasons = "our own packet filter, a prohibiting route, or a broadcast address"
        return Failure(Kind.DENIED, f"{text}: {failure.detail} ({reasons})")
    return Failure(failure.kind, f"{text}: {failure.detail}")


def is_for_many(family: int, packed: bytes) -> str | None:
    """Return what is wrong with an address that is no single host's ("a multicast address"), None for a good one."""
    if not any(packed):
        return "the unspecified address"
    if family == socket.AF_INET6:
        return "a multicast address" if packed[0] == 0xFF else None
    if packed == b"\xff\xff\xff\xff":
        return "the broadcast address"
    return "a multicast address" if 224 <= packed[0] < 240 else None
