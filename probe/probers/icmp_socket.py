"""Opening an ICMP socket: raw where we may, else the datagram one; only our own echoes pass its filter."""

import ctypes
import errno
import os
import socket
import struct
from typing import NamedTuple

from probe.observation.failure import Failure, Kind
from probe.probers.icmp_batch import Oddity
from probe.probers.icmp_wire import ECHO_REPLY, ERRORS, HopError

RECEIVE_BUFFER = 8 << 20
_ROOM_PER_PACKET = 2304
"""What one short packet takes of a receive buffer at worst (a driver's 2 KiB buffer and its book-keeping)."""

_SO_RCVBUFFORCE, _SO_ATTACH_FILTER, _SO_MEMINFO = 33, 26, 55
_SO_TIMESTAMPNS_OLD, _SO_TIMESTAMPNS_NEW = 35, 64
_SOL_RAW, _ICMP_FILTER, _ICMP6_FILTER = 255, 1, 1
_IP_RECVERR, _IPV6_RECVERR = 11, 25
_ORIGIN_ICMP, _ORIGIN_ICMP6 = 2, 3

CURE = (
    "ICMP needs CAP_NET_RAW (in a systemd unit AmbientCapabilities=CAP_NET_RAW, by hand run as root) "
    'or a group of this user within sysctl net.ipv4.ping_group_range (sysctl -w net.ipv4.ping_group_range="0 2147483647")'
)


class IcmpSocket(NamedTuple):
    """An open socket: `raw` or datagram, the identifier of our echoes, and how many packets its receive buffer surely holds."""

    sock: socket.socket
    family: int
    raw: bool
    ident: int
    capacity: int

    def drops(self) -> int:
        """Return how many packets the kernel dropped since the opening because this socket's buffer was full."""
        return int(struct.unpack_from("=I", self.sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36), 32)[0])


def open_socket(family: int) -> IcmpSocket | Failure:
    """Open a non-blocking ICMP socket with kernel receive stamps; Failure(DENIED) with the cure, or UPLINK without that family."""
    protocol = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    try:
        try:
            sock, raw = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol), True
        except PermissionError:
            sock, raw = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, protocol), False
    except OSError as why:
        if why.errno in (errno.EPERM, errno.EACCES):
            return Failure(Kind.DENIED, CURE)
        if why.errno in (errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT):
            return Failure(Kind.UPLINK, f"this host has no IPv{4 if family == socket.AF_INET else 6}: {why.strerror}")
        raise
    try:
        ident = _filter_raw(sock, family) if raw else _bind_datagram(sock, family)
        _stamp(sock)
        return IcmpSocket(sock, family, raw, ident, _widen(sock) // _ROOM_PER_PACKET)
    except BaseException:
        sock.close()
        raise


def _stamp(sock: socket.socket) -> None:
    """Ask for receive stamps of 64-bit seconds; kernels before 5.1 know only the older name, which is the same on 64-bit machines."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS_NEW, 1)
    except OSError:
        if ctypes.sizeof(ctypes.c_long) != 8:
            raise
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS_OLD, 1)


def _widen(sock: socket.socket) -> int:
    """Make the receive buffer large, past net.core.rmem_max where we may; return its size in bytes."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def _bind_datagram(sock: socket.socket, family: int) -> int:
    """Have errors reported on the datagram socket and let the kernel choose the identifier; return it."""
    if family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        sock.bind(("0.0.0.0", 0))  # noqa: S104  an ICMP identifier, not a listening port
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        sock.bind(("::", 0))
    return int(sock.getsockname()[1])


def _filter_raw(sock: socket.socket, family: int) -> int:
    """Let through echo replies and errors with our identifier alone; return the identifier, drawn at random."""
    ident = int.from_bytes(os.urandom(2), "big")
    wanted = (ECHO_REPLY[socket.AddressFamily(family)], *ERRORS[socket.AddressFamily(family)])
    if family == socket.AF_INET:
        sock.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", 0xFFFFFFFF & ~sum(1 << kind for kind in wanted)))
        program = _program4(ident)
    else:
        blocked = [0xFFFFFFFF] * 8
        for kind in wanted:
            blocked[kind >> 5] &= ~(1 << (kind & 31))
        sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("=8I", *blocked))
        program = _program6(ident)
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(code)))
    return ident


def _program4(ident: int) -> list[tuple[int, int, int, int]]:
    """Classic BPF over an IPv4 packet: the identifier of the reply, or of the echo inside an error."""
    return [
        (0xB1, 0, 0, 0),  # x = 4 * (packet[0] & 15): where ICMP begins
        (0x50, 0, 0, 0),  # a = type
        (0x15, 6, 0, ECHO_REPLY[socket.AF_INET]),
        (0x50, 0, 0, 8),  # a = first byte of the packet inside the error
        (0x54, 0, 0, 15),
        (0x64, 0, 0, 2),
        (0x0C, 0, 0, 0),  # a += x
        (0x04, 0, 0, 8),
        (0x07, 0, 0, 0),  # x = a: where the echo inside begins
        (0x48, 0, 0, 4),  # a = identifier
        (0x15, 0, 1, ident),
        (0x06, 0, 0, 0xFFFF),
        (0x06, 0, 0, 0),
    ]


def _program6(ident: int) -> list[tuple[int, int, int, int]]:
    """Classic BPF over an ICMPv6 message (the kernel takes the IPv6 header off first)."""
    return [
        (0x30, 0, 0, 0),
        (0x15, 0, 2, ECHO_REPLY[socket.AF_INET6]),
        (0x28, 0, 0, 4),
        (0x05, 0, 0, 1),
        (0x28, 0, 0, 52),  # an error: 8 bytes, the IPv6 header of 40, then the echo
        (0x15, 0, 1, ident),
        (0x06, 0, 0, 0xFFFF),
        (0x06, 0, 0, 0),
    ]


def queued_error(family: int, packet: Oddity) -> HopError | None:
    """Read what a datagram socket's error queue holds (struct sock_extended_err, ip(7)); None when no hop sent it."""
    for level, kind, data in packet.control:
        if (level, kind) not in ((socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)) or len(data) < 24:
            continue
        _, origin, said, code = struct.unpack_from("=IBBB", data)
        if origin not in (_ORIGIN_ICMP, _ORIGIN_ICMP6) or len(packet.data) < 8:
            return None
        hop = data[20:24] if family == socket.AF_INET else data[24:40]
        return HopError(said, code, hop, packet.source, int.from_bytes(packet.data[6:8], "big"), own=None)
    return None
