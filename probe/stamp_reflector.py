"""A STAMP session reflector (RFC 8762): answers test packets of allowed networks, so that another agent can tell loss and delay each way.

It is stateful: each session has a count of its own. It is no amplifier: an answer is exactly as long as what was asked, a source that
may not ask gets none, and two buckets bound how many there are. It never answers a reflector: two of them would go on for ever.
"""

import asyncio
import ipaddress
import logging
import socket
import struct
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from probe.stamp_wire import HOPS, PORT, SIZE, OwnClock, Question, read_question, reflection

log = logging.getLogger(__name__)

MOST_SESSIONS = 1024
SESSION_S = 900.0  # RFC 8762 3, REFWAIT: a session that was silent for so long has ended
MOST_PER_S, MOST_PER_SOURCE = 2000.0, 500.0  # packets a second; 500 is a session of one every 2 ms
MOST_SOURCES = 1024
LONGEST = 1472  # a larger one would be fragmented
_AT_ONCE = 64

_IP_PKTINFO, _IP_RECVTTL, _IPV6_RECVPKTINFO, _IPV6_PKTINFO, _IPV6_RECVHOPLIMIT = 8, 12, 49, 50, 51
_SO_TIMESTAMPNS = 35
Peer = tuple[str, int, int]


@dataclass
class Counts:
    """How many packets were answered, came from whom it is not for, were too many, or were no test packets."""

    answered: int = 0
    refused: int = 0
    limited: int = 0
    malformed: int = 0


class Bucket:
    """A token bucket that holds one second's worth."""

    __slots__ = ("at", "left", "per_s")

    def __init__(self, per_s: float, now: float) -> None:
        self.per_s, self.left, self.at = per_s, per_s, now

    def take(self, now: float) -> bool:
        """Tell whether one more is within the rate, and count it if so."""
        self.left = min(self.per_s, self.left + (now - self.at) * self.per_s)
        self.at = now
        if self.left < 1.0:
            return False
        self.left -= 1.0
        return True


class Reflector:
    """One open socket, the sessions on it, and what came."""

    def __init__(self, sock: socket.socket, allowed: Sequence[str]) -> None:
        self._sock, self._v4 = sock, sock.family == socket.AF_INET
        self._allowed = [ipaddress.ip_network(network, strict=False) for network in allowed]
        self._sessions: OrderedDict[Peer, tuple[int, float]] = OrderedDict()
        self._all = Bucket(MOST_PER_S, time.monotonic())
        self._sources: OrderedDict[str, Bucket] = OrderedDict()
        self._clock = OwnClock()
        self.counts = Counts()
        self.port = int(sock.getsockname()[1])

    def readable(self) -> None:
        """Answer what has come, at most _AT_ONCE packets; the loop calls again while there are more."""
        for _ in range(_AT_ONCE):
            try:
                data, notes, _, source = self._sock.recvmsg(65536, 256)
            except OSError:  # nothing more, or the ICMP error of an earlier answer
                return
            self._handle(data, notes, source)

    def _handle(self, data: bytes, notes: list[tuple[int, int, bytes]], source: tuple[str, int]) -> None:
        asked = read_question(data)
        if asked is None or len(data) > LONGEST:
            self.counts.malformed += 1
            return
        if source[1] in (PORT, self.port) or not self.allows(source[0]):
            self.counts.refused += 1
            return
        now = time.monotonic()
        if not self._bucket(source[0], now).take(now) or not self._all.take(now):
            self.counts.limited += 1
            return
        received_ns, hops, to = _read_notes(notes, self._v4)
        count = self._count((source[0], source[1], asked.session), now)
        answer = self._answer(asked, count, received_ns, hops) + data[SIZE:]
        try:
            self._sock.sendmsg([answer], to, 0, source)
        except OSError:  # the way back is gone or the buffer full: the packet is lost on the way back, which the sender will see
            return
        self.counts.answered += 1

    def _answer(self, asked: Question, count: int, received_ns: int | None, hops: int) -> bytes:
        error = self._clock.look()
        now_ns = time.time_ns()
        return reflection(asked, count, received_ns or now_ns, now_ns, error, hops)

    def allows(self, address: str) -> bool:
        """Tell whether this address may ask."""
        parsed = ipaddress.ip_address(address.partition("%")[0])
        return any(parsed.version == network.version and parsed in network for network in self._allowed)

    def _bucket(self, source: str, now: float) -> Bucket:
        bucket = self._sources.pop(source, None) or Bucket(MOST_PER_SOURCE, now)
        self._sources[source] = bucket
        if len(self._sources) > MOST_SOURCES:
            self._sources.popitem(last=False)
        return bucket

    def _count(self, peer: Peer, now: float) -> int:
        """Return how many packets of this session came before."""
        count, at = self._sessions.pop(peer, (0, now))
        if now - at >= SESSION_S:
            count = 0
        self._sessions[peer] = (count + 1, now)
        if len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return count


def _read_notes(notes: list[tuple[int, int, bytes]], v4: bool) -> tuple[int | None, int, list[tuple[int, int, bytes]]]:
    """Return the kernel's receive stamp, what was left of the hop limit (0: not told), and what makes the answer leave from the address
    that was asked.
    """
    received_ns, hops, to = None, 0, []
    for level, kind, value in notes:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(value) == 16:
            seconds, rest = struct.unpack("@qq", value)
            received_ns = seconds * 1_000_000_000 + rest
        elif (level, kind) in ((socket.IPPROTO_IP, socket.IP_TTL), (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)):
            hops = struct.unpack("=i", value)[0]
        elif v4 and (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
            to = [(level, kind, struct.pack("=i4s4s", 0, value[4:8], bytes(4)))]
        elif (level, kind) == (socket.IPPROTO_IPV6, _IPV6_PKTINFO):
            to = [(level, kind, value)]
    return received_ns, hops, to


@asynccontextmanager
async def reflecting(host: str, port: int, allowed: Sequence[str]) -> AsyncIterator[Reflector]:
    """Answer test packets on `host`:`port` (an IP address; "0.0.0.0" or "::" for all of its family; port 0: any) as long as this is open.

    `allowed` are networks as "192.0.2.0/24"; nobody else gets an answer. OSError when the address can't be listened on, ValueError for
    what is no network.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    loop = asyncio.get_running_loop()
    try:
        if family == socket.AF_INET:
            _set(sock, socket.IPPROTO_IP, (_IP_PKTINFO, 1), (_IP_RECVTTL, 1), (socket.IP_TTL, HOPS))
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            _set(sock, socket.IPPROTO_IPV6, (_IPV6_RECVPKTINFO, 1), (_IPV6_RECVHOPLIMIT, 1), (socket.IPV6_UNICAST_HOPS, HOPS))
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        sock.bind((host, port))
        reflector = Reflector(sock, allowed)
        loop.add_reader(sock, reflector.readable)
        try:
            yield reflector
        finally:
            loop.remove_reader(sock)
    finally:
        sock.close()


def _set(sock: socket.socket, level: int, *options: tuple[int, int]) -> None:
    for name, value in options:
        sock.setsockopt(level, name, value)
