"""One ICMP socket for probes of any time to live and size: sends an echo, tells what came back for it, and from which hop.

All echoes of one size have one and the same checksum (two bytes of payload balance the sequence number), type, code and identifier: routers
that share load by these fields send them all one way (Augustin et al., "Avoiding traceroute anomalies with Paris traceroute", 2006).
"""

import asyncio
import errno
import os
import socket
import struct
import time
from collections.abc import Callable
from typing import NamedTuple

from probe.dial import DialError, address_of, failure_of
from probe.inventory import Node
from probe.observation.failure import Failure, Kind
from probe.observation.path import Said
from probe.probers.icmp_batch import Oddity, Receiver
from probe.probers.icmp_burst import is_for_many
from probe.probers.icmp_socket import IcmpSocket, open_socket, queued_error
from probe.probers.icmp_wire import ECHO_REPLY, TOKEN_BYTES, HopError, describe, echo_request, read_error4, read_error6
from probe.resolve import Unresolved, resolve
from probe.way import way_to

MOST_UNANSWERED = 50_000  # of the 65,536 sequence numbers
_CALLS_A_TURN = 8
_TRIES = 4  # a datagram socket reports the error of an earlier echo on a later send
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _PROBE = 10, 23, 3  # ip(7): set DF, and believe no path MTU that was learned
_EXTENDED_ERROR = struct.Struct("=IBBBxI")  # struct sock_extended_err, as far as its ee_info
_MAPPED = bytes(10) + b"\xff\xff"  # RFC 4291 2.5.5.2: the IPv4 host of such an address, which no IPv6 packet reaches
_TOO_BIG = {socket.AF_INET: (3, 4), socket.AF_INET6: (2, 0)}
_EXCEEDED = {socket.AF_INET: 11, socket.AF_INET6: 3}


class Aim(NamedTuple):
    """Where probes go: family, address as text, as the socket wants it, and packed as it comes back."""

    family: int
    text: str
    sockaddr: tuple[str, int] | tuple[str, int, int, int]
    packed: bytes


async def aim_at(node: Node, family: int) -> Aim | Failure:
    """Return where to send for a node (`family` 0: whichever its name has first), or why there is nothing to send to one host."""
    try:
        family, text = (await resolve(address_of(node), family))[0]
    except (DialError, Unresolved) as why:
        return why.failure
    zone = text.partition("%")[2]
    if text.startswith("fe80:") and not zone:  # RFC 4007 11.1: behind any interface there may be such a host
        return Failure(Kind.DENIED, f"{text} is link-local; say on which interface, as {text}%eth0")
    try:
        to = aim(family, text)
    except OSError:
        return Failure(Kind.UPLINK, f"{text}: this host has no interface {zone}")
    many = is_for_many(to.family, to.packed)
    try:
        if many is None and way_to(to.text).broadcast:
            many = "the broadcast address of a segment"
    except OSError as why:
        return failure_of(why, at_once=True)
    return to if many is None else Failure(Kind.DENIED, f"{to.text} is {many}; a path leads to one host")


def aim(family: int, text: str) -> Aim:
    """Return where to send for an address as text; OSError (ENODEV) when its zone is no interface of this host."""
    bare, _, zone = text.partition("%")
    packed = socket.inet_pton(family, bare)
    if packed.startswith(_MAPPED):
        family, bare, packed = socket.AF_INET, socket.inet_ntoa(packed[len(_MAPPED) :]), packed[len(_MAPPED) :]
        text = bare
    if family == socket.AF_INET:
        return Aim(family, text, (bare, 0), packed)
    return Aim(family, text, (bare, 0, 0, (int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)) if zone else 0), packed)


class Answer(NamedTuple):
    """What came back for one probe: which hop (packed), how long it took, the words of an error, the next hop's MTU where it told one."""

    said: Said
    hop: bytes
    ms: float
    words: str = ""
    mtu: int | None = None


Tell = Callable[[Answer], None]


class _Waiting(NamedTuple):
    target: bytes
    sent_ns: int
    mono_ns: int
    tell: Tell


class HopChannel:
    """An open ICMP socket and the probes that wait for their answers; each is told once, a late or doubled answer never."""

    def __init__(self, opened: IcmpSocket, whole: bool = False) -> None:
        """`whole`: packets must not be fragmented, whatever path MTU the kernel has learned."""
        self._sock, self._family, self._raw, self._ident = opened.sock, opened.family, opened.raw, opened.ident
        self._loop = asyncio.get_running_loop()
        self._skip = 20 if opened.raw and opened.family == socket.AF_INET else 0
        self._receiver = Receiver(opened.sock.fileno(), opened.family, self._skip)
        self._token = os.urandom(TOKEN_BYTES)
        self._waiting: dict[int, _Waiting] = {}
        self._seq = int.from_bytes(os.urandom(2), "big")  # as the identifier: whoever is not on the path has both to guess
        v4 = opened.family == socket.AF_INET
        self._hop_limit = (socket.IPPROTO_IP, socket.IP_TTL) if v4 else (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)
        if whole:
            place = (socket.IPPROTO_IP, _IP_MTU_DISCOVER) if v4 else (socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER)
            opened.sock.setsockopt(*place, _PROBE)
        self._loop.add_reader(self._sock, self._readable)

    def close(self) -> None:
        """Close the socket; nobody is told any more."""
        self._waiting.clear()
        self._loop.remove_reader(self._sock)
        self._sock.close()

    def send(self, to: Aim, ttl: int, tell: Tell, size: int = 56) -> int:
        """Send one echo with `size` bytes of payload (at least 16); return its number for `forget`. OSError when the kernel refuses."""
        if len(self._waiting) >= MOST_UNANSWERED:
            raise OSError(errno.ENOBUFS, "too many probes wait for an answer")
        seq = self._free()
        body = self._token + struct.pack("!H", 0xFFFF - seq) + bytes(index & 0xFF for index in range(size - TOKEN_BYTES - 2))
        packet = echo_request(self._family, self._ident, seq, body)
        self._waiting[seq] = _Waiting(to.packed, time.time_ns(), time.monotonic_ns(), tell)
        try:
            self._out(packet, to, ttl)
        except OSError:
            del self._waiting[seq]
            raise
        return seq

    def forget(self, seq: int) -> None:
        """Wait for this probe no more."""
        self._waiting.pop(seq, None)

    def _free(self) -> int:
        while True:
            self._seq = (self._seq + 1) & 0xFFFF
            if self._seq not in self._waiting:
                return self._seq

    def _out(self, packet: bytes, to: Aim, ttl: int) -> None:
        limit = [(*self._hop_limit, struct.pack("=i", ttl))]
        for left in range(_TRIES - 1, -1, -1):
            try:
                self._sock.sendmsg([packet], limit, socket.MSG_DONTWAIT, to.sockaddr)
            except OSError:
                # an echo that died on the way may be reported here; what concerns this one comes again
                if self._raw or not left:
                    raise
            else:
                return

    def _readable(self) -> None:
        for _ in range(_CALLS_A_TURN):
            count = self._receiver.take()
            for at in range(count):
                self._read(self._receiver.whole(at))
            failed = 0 if self._raw else self._receiver.take_errors()
            for at in range(failed):
                self._read_queued(self._receiver.whole(at))
            if not count and not failed:
                return

    def _read(self, packet: Oddity) -> None:
        data = packet.data
        start = (data[0] & 0xF) * 4 if self._skip and data else 0
        body = data[start:]
        if len(body) < 8:
            return
        if body[0] != ECHO_REPLY[socket.AddressFamily(self._family)]:
            error = read_error4(data) if self._skip else read_error6(data, packet.source)
            mtu = int.from_bytes(body[6:8] if self._family == socket.AF_INET else body[4:8], "big")
            self._failed(error, packet, mtu)
            return
        seq = int.from_bytes(body[6:8], "big")
        sent = self._waiting.get(seq)
        if sent is None or sent.target != packet.source or body[8 : 8 + TOKEN_BYTES] != self._token:
            return
        if self._raw and int.from_bytes(body[4:6], "big") != self._ident:
            return
        self._answered(seq, Said.REPLY, packet.source, packet)

    def _read_queued(self, packet: Oddity) -> None:
        info = next((data for _, kind, data in packet.control if kind in (11, 25) and len(data) >= _EXTENDED_ERROR.size), None)
        self._failed(queued_error(self._family, packet), packet, _EXTENDED_ERROR.unpack_from(info)[4] if info else 0)

    def _failed(self, error: HopError | None, packet: Oddity, mtu: int) -> None:
        sent = self._waiting.get(error.seq) if error else None
        if error is None or sent is None or sent.target != error.target:
            return
        if error.kind == _EXCEEDED[socket.AddressFamily(self._family)]:
            self._answered(error.seq, Said.EXCEEDED, error.hop, packet)
        elif (error.kind, error.code) == _TOO_BIG[socket.AddressFamily(self._family)]:
            self._answered(error.seq, Said.TOO_BIG, error.hop, packet, describe(self._family, error), mtu or None)
        else:
            self._answered(error.seq, Said.UNREACHABLE, error.hop, packet, describe(self._family, error))

    def _answered(self, seq: int, said: Said, hop: bytes, packet: Oddity, words: str = "", mtu: int | None = None) -> None:
        sent = self._waiting.pop(seq)
        sent.tell(Answer(said, hop, round_trip_ms(sent.sent_ns, sent.mono_ns, packet.stamp), words, mtu))


def round_trip_ms(sent_ns: int, mono_ns: int, stamp: int | None) -> float:
    """Return the milliseconds from sending to the kernel's receive stamp; by the monotonic clock where the wall clock was set between."""
    until_now = time.monotonic_ns() - mono_ns
    took = (stamp or time.time_ns()) - sent_ns
    return (took if 0 <= took <= until_now + 1_000_000 else until_now) / 1e6


class Channels:
    """The channels of a prober, one a family, opened when first needed."""

    def __init__(self, whole: bool = False) -> None:
        self._whole = whole
        self._open: dict[int, HopChannel] = {}

    def of(self, family: int) -> HopChannel | Failure:
        """Return the channel of a family, or why there is none; a refusal is not kept."""
        channel = self._open.get(family)
        if channel is None:
            opened = open_socket(family)
            if isinstance(opened, Failure):
                return opened
            try:
                channel = self._open[family] = HopChannel(opened, self._whole)
            except BaseException:
                opened.sock.close()
                raise
        return channel

    def close(self) -> None:
        """Close them all."""
        for channel in self._open.values():
            channel.close()
        self._open.clear()
