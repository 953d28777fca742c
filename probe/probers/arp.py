"""Asks the local segment who has an IPv4 address, and listens for who else claims it (RFC 826, RFC 5227)."""

import asyncio
import socket
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from msgspec import Meta

from probe import job
from probe.dial import DialError, address_of, failure_of
from probe.inventory import Node
from probe.observation.arp import ArpSample, Holder
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Outcome
from probe.probers.arp_socket import ArpSocket, Heard
from probe.resolve import Unresolved, resolve
from probe.way import Way, mac_text, way_to

MOST_HOLDERS, MOST_TARGETS = 8, 2048
REMEMBERED_S = 3600.0
CURE = (
    "ARP needs CAP_NET_RAW (in a systemd unit AmbientCapabilities=CAP_NET_RAW and AF_PACKET in RestrictAddressFamilies,"
    " by hand run as root)"
)
Mac = Annotated[str, Meta(pattern="^[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}$")]


class Options(job.Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set for an `arp` check."""

    count: Annotated[int, Meta(description="ARP requests of one look", ge=1, le=10)] = 3
    interval_ms: Annotated[float, Meta(description="milliseconds between two of them", ge=10, le=10_000)] = 100.0
    wait_ms: Annotated[float, Meta(description="milliseconds after the last until all who answer have", ge=50, le=10_000)] = 500.0
    expected: Annotated[
        tuple[Mac, ...], Meta(description="MAC addresses that may hold the address, several of one host's own included", max_length=8)
    ] = ()

    @property
    def longest_s(self) -> float:
        """How long one look may take."""
        return max(5.0, (self.count * self.interval_ms + self.wait_ms) / 1e3 + 2.0)


class _Claim:
    """One MAC that claims an address: when it last did, and how often and how soon it answered in the present look."""

    __slots__ = ("answers", "at", "first_ms")

    def __init__(self) -> None:
        self.at, self.answers = 0.0, 0
        self.first_ms: float | None = None


class _Watched:
    """One address: who claims it, who held it before, and since when it is watched."""

    def __init__(self, now: float) -> None:
        self.looking = asyncio.Lock()  # one look at a time: each counts answers
        self.begun = now
        self.asked_at: float | None = None
        self.claims: dict[str, _Claim] = {}
        self.holder = ""
        self.before = ""
        self.changed_at: float | None = None

    def hear(self, mac: str, now: float, answer: bool) -> None:
        """Take one claim; an answer to the present look is counted."""
        claim = self.claims.pop(mac, None) or _Claim()
        claim.at = now
        if answer and self.asked_at is not None:
            claim.answers += 1
            claim.first_ms = claim.first_ms if claim.first_ms is not None else (now - self.asked_at) * 1e3
        self.claims[mac] = claim
        while len(self.claims) > MOST_HOLDERS:
            del self.claims[next(iter(self.claims))]

    def begin(self, now: float) -> None:
        """Begin a look."""
        self.asked_at = now
        for claim in self.claims.values():
            claim.answers, claim.first_ms = 0, None

    def end(self, now: float) -> None:
        """End a look: whoever alone answered holds the address; who did not claim it for long is forgotten."""
        self.asked_at = None
        self.claims = {mac: one for mac, one in self.claims.items() if now - one.at <= REMEMBERED_S}
        answering = [mac for mac, one in self.claims.items() if one.answers]
        if len(answering) == 1 and answering[0] != self.holder:
            if self.holder:
                self.before, self.changed_at = self.holder, now
            self.holder = answering[0]


class ArpProber:
    """Holds a packet socket for each interface that was needed, and hears on it of the addresses that were asked for."""

    def __init__(self) -> None:
        self._sockets: dict[str, ArpSocket] = {}
        self._watched: OrderedDict[tuple[str, bytes], _Watched] = OrderedDict()

    async def ask(self, node: Node, options: Options) -> Outcome:
        """Return who answered now and who claimed the address before; nobody is a sample without holders."""
        try:
            text = (await resolve(address_of(node), socket.AF_INET))[0][1]
            way = way_to(text)
        except (DialError, Unresolved) as why:
            return why.failure
        except OSError as why:
            return failure_of(why, at_once=True)
        interface, own = (way.interface, frozenset[str]()) if not way.local else _ours(text)
        if not interface:
            return Failure(Kind.DENIED, f"{text} is an address of this host alone: no other is asked for it")
        if not way.direct:
            return Failure(Kind.DENIED, f"{text} is not on the local segment of {interface}: ARP reaches no further than a router")
        try:
            sock = self._socket(interface)
        except PermissionError:
            return Failure(Kind.DENIED, CURE)
        except OSError as why:
            return Failure(Kind.UPLINK, f"{interface}: {why.strerror}")
        key = (interface, socket.inet_aton(text))
        watched = self._watch(sock, key)
        try:
            async with watched.looking:
                return await self._look(sock, watched, key, options, way, own)
        except OSError as why:
            self._close(interface)
            return failure_of(why, at_once=True)

    def close(self) -> None:
        """Close the sockets."""
        for interface in list(self._sockets):
            self._close(interface)

    async def _look(
        self, sock: ArpSocket, watched: _Watched, key: tuple[str, bytes], options: Options, way: Way, own: frozenset[str]
    ) -> ArpSample:
        watched.begin(time.monotonic())
        source = bytes(4) if way.local or not way.source else socket.inet_aton(way.source)
        for number in range(options.count):
            if number:
                await asyncio.sleep(options.interval_ms / 1e3)
            sock.ask(key[1], source)
        await asyncio.sleep(options.wait_ms / 1e3)
        now = time.monotonic()
        watched.end(now)
        holders = [Holder(mac, one.answers, one.first_ms, now - one.at) for mac, one in watched.claims.items() if mac not in own]
        return ArpSample(
            address=socket.inet_ntoa(key[1]),
            interface=key[0],
            sent=options.count,
            holders=tuple(sorted(holders, key=lambda one: one.claimed_s)),
            ours=mac_text(sock.mac) if way.local else None,
            expected=tuple(mac.lower().replace("-", ":") for mac in options.expected),
            changed_s=None if watched.changed_at is None else now - watched.changed_at,
            before=watched.before,
            watched_s=now - watched.begun,
        )

    def _watch(self, sock: ArpSocket, key: tuple[str, bytes]) -> _Watched:
        watched = self._watched.pop(key, None) or _Watched(time.monotonic())
        self._watched[key] = watched
        if len(self._watched) > MOST_TARGETS:
            self._watched.popitem(last=False)
        sock.watch(key[1])
        return watched

    def _socket(self, interface: str) -> ArpSocket:
        sock = self._sockets.get(interface)
        if sock is not None and not sock.fits():
            self._close(interface)
            sock = None
        if sock is None:

            def hear(heard: Heard) -> None:
                watched = self._watched.get((interface, heard.address))
                if watched is not None:
                    watched.hear(mac_text(heard.mac), time.monotonic(), watched.asked_at is not None and heard.operation == 2)

            sock = self._sockets[interface] = ArpSocket(interface, hear)
        return sock

    def _close(self, interface: str) -> None:
        sock = self._sockets.pop(interface, None)
        if sock is not None:
            sock.close()


def _ours(address: str) -> tuple[str, frozenset[str]]:
    """Return the interface that has an address of ours, "" when only the loopback has it, and the MACs of all our interfaces: several of
    them on one segment all answer for it.
    """
    import psutil

    found = psutil.net_if_addrs()
    macs = frozenset(one.address for addresses in found.values() for one in addresses if one.family == psutil.AF_LINK)
    for name, addresses in found.items():
        if name != "lo" and any(one.family == socket.AF_INET and one.address == address for one in addresses):
            return str(name), macs
    return "", macs


@asynccontextmanager
async def open() -> AsyncIterator[ArpProber]:
    """Yield the prober; its sockets close with it."""
    prober = ArpProber()
    try:
        yield prober
    finally:
        prober.close()
