"""SIP over UDP: one socket for each address family, shared by all conversations, which are told apart by Call-ID.

The kernel reports ICMP errors on it with the address they are about (ip(7), IP_RECVERR), so that each reaches its own conversation; and
with the address of the host that sent them: a refusal that does not come from the peer itself is a firewall's.
"""

import asyncio
import errno
import os
import socket
import struct
import sys

from probe.dial import DialError, failure_of
from probe.sip.message import MalformedError, parse
from probe.sip.wire import MOST_PENDING, Arrived, BlockedError

MOST_AT_ONCE = 64  # datagrams taken before others have their turn
MOST_CONVERSATIONS = 4096
RECEIVE_BUFFER = 1 << 20

_RECVERR = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}  # linux/in.h, in6.h
_EXTENDED = struct.Struct("=IBBBBII")  # struct sock_extended_err: errno, origin, type, code, pad, info, data
_FROM_ICMP = frozenset({2, 3})  # SO_EE_ORIGIN_ICMP, _ICMP6
_PORT_UNREACHABLE = frozenset({(2, 3, 3), (3, 1, 4)})
# who says one of these will not pass the packet on by rule, however well the peer is (RFC 1812 5.2.7.1, RFC 4443 3.1)
_PROHIBITED = {
    (2, 3, 9): "network administratively prohibited",
    (2, 3, 10): "host administratively prohibited",
    (2, 3, 13): "communication administratively prohibited",
    (3, 1, 1): "communication administratively prohibited",
    (3, 1, 5): "source address failed the policy",
    (3, 1, 6): "reject route to the destination",
}


class UdpWire:
    """One conversation over the shared socket."""

    transport = "UDP"
    reliable = False

    def __init__(self, endpoint: "Endpoint", call_id: str, peer: tuple[str, int], local: tuple[str, int]) -> None:
        self._endpoint, self._call_id = endpoint, call_id
        self.peer, self.local = as_kernel(peer), local
        self._inbox: asyncio.Queue[Arrived | Exception] = asyncio.Queue(MOST_PENDING)

    async def send(self, data: bytes) -> None:
        """Send one datagram."""
        self._endpoint.send(data, self.peer)

    async def receive(self) -> Arrived:
        """Return the next message of this Call-ID."""
        got = await self._inbox.get()
        if isinstance(got, Exception):
            raise got
        return got

    def put(self, got: Arrived | Exception) -> None:
        """Hand in what came; dropped when nobody has read the ones before."""
        try:
            self._inbox.put_nowait(got)
        except asyncio.QueueFull:
            pass

    def move(self, peer: tuple[str, int]) -> None:
        """Go on with another address of the peer."""
        self._endpoint.forget(self)
        self.peer = as_kernel(peer)
        self._endpoint.know(self)

    def close(self) -> None:
        """Take no more."""
        self._endpoint.conversations.pop(self._call_id, None)
        self._endpoint.forget(self)


class Endpoint:
    """The shared socket of one address family."""

    def __init__(self, family: int) -> None:
        self.family = family
        self.conversations: dict[str, UdpWire] = {}
        self._peers: dict[tuple[str, int], set[UdpWire]] = {}
        self.loop = asyncio.get_running_loop()
        self.sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            if family == socket.AF_INET6:
                self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self.sock.setsockopt(*_RECVERR[socket.AddressFamily(family)], 1)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            self.sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 0))  # noqa: S104  answers come from any address
        except BaseException:
            self.sock.close()
            raise
        self.port: int = self.sock.getsockname()[1]
        self.loop.add_reader(self.sock, self._read)

    def close(self) -> None:
        """Close the socket; whoever still waits is told."""
        self.loop.remove_reader(self.sock)
        self.sock.close()
        for wire in list(self.conversations.values()):
            wire.put(ConnectionAbortedError(errno.ECONNABORTED, "the prober was closed"))
        self.conversations.clear()
        self._peers.clear()

    def wire(self, call_id: str, peer: tuple[str, int]) -> UdpWire:
        """Return the wire of a new conversation; DialError when there is no way to the peer, or too many are under way."""
        if len(self.conversations) >= MOST_CONVERSATIONS:
            raise DialError(failure_of(OSError(errno.ENOBUFS, f"{MOST_CONVERSATIONS} SIP conversations are under way"), at_once=True))
        made = self.conversations[call_id] = UdpWire(self, call_id, peer, (source_towards(self.family, peer), self.port))
        self.know(made)
        return made

    def know(self, wire: UdpWire) -> None:
        """Remember with whom a conversation is."""
        self._peers.setdefault(wire.peer, set()).add(wire)

    def forget(self, wire: UdpWire) -> None:
        """Undo `know`."""
        known = self._peers.get(wire.peer, set())
        known.discard(wire)
        if not known:
            self._peers.pop(wire.peer, None)

    def send(self, data: bytes, peer: tuple[str, int]) -> None:
        """Send; DialError when the kernel does not let it out."""
        for last in (False, True):
            try:
                self.sock.sendto(data, peer)
            except OSError as why:  # it may be about an earlier datagram, to whomever, reported only now
                self._drain()
                if last:
                    raise DialError(failure_of(why, at_once=True)) from None
            else:
                return

    def _read(self) -> None:
        for _ in range(MOST_AT_ONCE):
            try:
                data, source = self.sock.recvfrom(65_535)
            except BlockingIOError:
                return
            except OSError:
                self._drain()
                continue
            self._deliver(data, (source[0], source[1]))

    def _deliver(self, data: bytes, source: tuple[str, int]) -> None:
        if not data.strip(b"\r\n\0 "):
            return  # a keep-alive
        try:
            message = parse(data)
        except MalformedError as why:
            self._tell(source, why)
            return
        wire = self.conversations.get(message.first("call-id") or "")
        if wire:
            wire.put(Arrived(message, source))

    def _tell(self, peer: tuple[str, int], why: Exception) -> None:
        for wire in self._peers.get(peer, ()):
            wire.put(why)

    def _drain(self) -> None:
        """Empty the queue of errors, each to those whom it concerns."""
        for _ in range(MOST_AT_ONCE):
            try:
                _, notes, _, about = self.sock.recvmsg(1, 256, socket.MSG_ERRQUEUE)
            except OSError:
                return
            for level, kind, value in notes:
                if (level, kind) == _RECVERR[socket.AddressFamily(self.family)] and len(value) >= _EXTENDED.size and about:
                    self._tell((about[0], about[1]), _meaning(value, about[0]))


def _meaning(value: bytes, about: str) -> Exception:
    """Return what an error of the queue says of the peer `about`."""
    code, origin, kind, sub, *_ = _EXTENDED.unpack_from(value)
    offender = _offender(value[_EXTENDED.size :])
    if origin in _FROM_ICMP:
        what = (origin, kind, sub)
        if what in _PROHIBITED:
            return BlockedError(offender, _PROHIBITED[what])
        if what in _PORT_UNREACHABLE and offender not in {"", about}:
            return BlockedError(offender, "port unreachable, on behalf of another host")
    return OSError(code, os.strerror(code))


def _offender(raw: bytes) -> str:
    if len(raw) < 8:
        return ""
    family = int.from_bytes(raw[:2], sys.byteorder)
    if family == socket.AF_INET:
        return socket.inet_ntop(family, raw[4:8])
    return socket.inet_ntop(family, raw[8:24]) if family == socket.AF_INET6 and len(raw) >= 24 else ""


def as_kernel(peer: tuple[str, int]) -> tuple[str, int]:
    """Return an address as the kernel writes it, so that it compares with where answers and errors come from."""
    address, percent, zone = peer[0].partition("%")
    if ":" in address:
        address = socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, address))
    if zone.isascii() and zone.isdecimal():
        try:
            zone = socket.if_indextoname(int(zone))
        except (OSError, OverflowError):
            pass  # there is no such interface, and no way
    return f"{address}{percent}{zone}", peer[1]


def source_towards(family: int, peer: tuple[str, int]) -> str:
    """Return our address on the way to a peer, by the kernel's routes; DialError when there is none."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.connect(peer)
            return str(sock.getsockname()[0])
    except OSError as why:
        raise DialError(failure_of(why, at_once=True)) from None


class Endpoints:
    """Both endpoints, each made when first needed."""

    def __init__(self) -> None:
        self._made: dict[int, Endpoint] = {}

    def wire(self, family: int, call_id: str, peer: tuple[str, int]) -> UdpWire:
        """Return the wire of a new conversation over UDP; DialError."""
        if family not in self._made:
            try:
                self._made[family] = Endpoint(family)
            except OSError as why:
                raise DialError(failure_of(why, at_once=True)) from None
        return self._made[family].wire(call_id, peer)

    def close(self) -> None:
        """Close what was made."""
        for endpoint in self._made.values():
            endpoint.close()
        self._made.clear()
