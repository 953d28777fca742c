"""Probes of a trace over UDP: one pair of ports for all of them, and for the next trace; the answers are ICMP errors (RFC 792, RFC 4443).

A probe is known by its length, the one field of those quoted in an error that neither shares load nor is rewritten on the way. A checksum
would be: network drivers fill it in later than an error of our own side quotes it.
"""

import asyncio
import errno
import socket
import struct
import time
from typing import NamedTuple

from probe.observation.failure import Failure, Kind
from probe.observation.path import Said
from probe.probers.hop_channel import Aim, Answer, Tell, round_trip_ms
from probe.probers.icmp_batch import Oddity, Receiver
from probe.probers.icmp_socket import CURE
from probe.probers.icmp_wire import HopError, describe

SHORTEST, LONGEST = 24, 500  # bytes of payload
_SO_TIMESTAMPNS_NEW, _SOL_RAW, _ICMP_FILTER = 64, 255, 1
_PORT_UNREACHABLE = {socket.AF_INET: (3, 3), socket.AF_INET6: (1, 4)}
_EXCEEDED = {socket.AF_INET: 11, socket.AF_INET6: 3}
_HEARD = {socket.AF_INET: (3, 11), socket.AF_INET6: (1, 3)}


class _Waiting(NamedTuple):
    sent_ns: int
    mono_ns: int
    tell: Tell


class UdpSender:
    """The probes of one trace, from one port to one port."""

    def __init__(self, to: Aim, port: int, own_port: int = 0) -> None:
        """`own_port`: the one of an earlier trace, kept if nobody has taken it. OSError: EPERM or EACCES without CAP_NET_RAW, by which
        alone the answers can be heard.
        """
        self._to, self._port, self._family = to, port, socket.AddressFamily(to.family)
        self._loop = asyncio.get_running_loop()
        v4 = self._family == socket.AF_INET
        self._hop_limit = (socket.IPPROTO_IP, socket.IP_TTL) if v4 else (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)
        self._waiting: dict[int, _Waiting] = {}
        self._length = SHORTEST
        protocol = socket.IPPROTO_ICMP if v4 else socket.IPPROTO_ICMPV6
        self._ear = socket.socket(self._family, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
        try:
            self._mouth = socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        except OSError:
            self._ear.close()
            raise
        try:
            self._prepare(v4, own_port)
        except OSError:
            self.close()
            raise
        self._receiver = Receiver(self._ear.fileno(), self._family, 20 if v4 else 0)
        self._loop.add_reader(self._ear, self._readable)

    def _prepare(self, v4: bool, own_port: int) -> None:
        wanted = _HEARD[self._family]
        if v4:
            self._ear.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", 0xFFFFFFFF & ~sum(1 << kind for kind in wanted)))
        else:
            blocked = [0xFFFFFFFF] * 8
            for kind in wanted:
                blocked[kind >> 5] &= ~(1 << (kind & 31))
            self._ear.setsockopt(socket.IPPROTO_ICMPV6, 1, struct.pack("=8I", *blocked))
        try:
            self._ear.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS_NEW, 1)
        except OSError:
            pass  # a kernel before 5.1: our own clock is read when we wake up
        everywhere = "0.0.0.0" if v4 else "::"  # noqa: S104  the source port alone
        try:
            self._mouth.bind((everywhere, own_port))
        except OSError:
            self._mouth.bind((everywhere, 0))
        self.own_port = int(self._mouth.getsockname()[1])

    def close(self) -> None:
        """Close both sockets; nobody is told any more."""
        self._waiting.clear()
        self._loop.remove_reader(self._ear)
        self._ear.close()
        self._mouth.close()

    def send(self, to: Aim, ttl: int, tell: Tell) -> int:
        """Send one probe; return its number for `forget`. OSError when the kernel refuses."""
        for _ in range(LONGEST - SHORTEST):
            self._length = SHORTEST + (self._length + 1 - SHORTEST) % (LONGEST - SHORTEST)
            if self._length not in self._waiting:
                break
        else:
            raise OSError(errno.ENOBUFS, "too many probes wait for an answer")
        limit = [(*self._hop_limit, struct.pack("=i", ttl))]
        self._waiting[self._length] = _Waiting(time.time_ns(), time.monotonic_ns(), tell)
        try:
            self._mouth.sendmsg([bytes(self._length)], limit, socket.MSG_DONTWAIT, (to.sockaddr[0], self._port, *to.sockaddr[2:]))
        except OSError:
            del self._waiting[self._length]
            raise
        return self._length

    def forget(self, seq: int) -> None:
        """Wait for this probe no more."""
        self._waiting.pop(seq, None)

    def _readable(self) -> None:
        for _ in range(8):
            count = self._receiver.take()
            for at in range(count):
                self._read(self._receiver.whole(at))
            if not count:
                return

    def _read(self, packet: Oddity) -> None:
        quoted = quoted_udp(self._family, packet)
        if quoted is None:
            return
        error, own, theirs, length = quoted
        sent = self._waiting.get(length)
        if sent is None or (own, theirs, error.target) != (self.own_port, self._port, self._to.packed):
            return
        del self._waiting[length]
        words, said = "", Said.EXCEEDED
        if (error.kind, error.code) == _PORT_UNREACHABLE[self._family] and error.hop == error.target:
            said = Said.REPLY
        elif error.kind != _EXCEEDED[self._family]:
            said, words = Said.UNREACHABLE, describe(self._family, error)
        sent.tell(Answer(said, error.hop, round_trip_ms(sent.sent_ns, sent.mono_ns, packet.stamp), words))


def quoted_udp(family: int, packet: Oddity) -> tuple[HopError, int, int, int] | None:
    """Return an ICMP error about a UDP datagram with its ports and the length of its payload; None when it is about something else."""
    data = packet.data
    if family == socket.AF_INET:
        start = (data[0] & 0xF) * 4 if data else 0
        inner = start + 8
        if len(data) < inner + 20 or data[inner + 9] != socket.IPPROTO_UDP:
            return None
        udp, source, target, hop = (
            inner + (data[inner] & 0xF) * 4,
            data[inner + 12 : inner + 16],
            data[inner + 16 : inner + 20],
            data[12:16],
        )
    else:
        start, udp = 0, 48
        if len(data) < 48 or data[14] != socket.IPPROTO_UDP:
            return None
        source, target, hop = data[16:32], data[32:48], packet.source
    if len(data) < udp + 8:
        return None
    own, theirs, length = struct.unpack_from("!HHH", data, udp)
    return HopError(data[start], data[start + 1], hop, target, 0, hop == source), own, theirs, length - 8


def open_udp(to: Aim, port: int, own_port: int = 0) -> UdpSender | Failure:
    """Return a sender for one trace; Failure(DENIED) with the cure where raw sockets are not allowed."""
    try:
        return UdpSender(to, port, own_port)
    except PermissionError:
        return Failure(Kind.DENIED, CURE.partition(" or a group")[0])
