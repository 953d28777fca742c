"""TCP connections for every prober: one attempt to one address, and whose fault it is when it fails."""

import asyncio
import errno
import os
import socket
import struct
import time

import msgspec

from probe.inventory import Node
from probe.observation.failure import Failure, Kind
from probe.resolve import Unresolved, literal_family, resolve

FAMILIES = {"any": 0, "ipv4": int(socket.AF_INET), "ipv6": int(socket.AF_INET6)}

# What the kernel says at once, before a packet leaves, is ours; what it says later came from the network (ICMP, ARP, ND), but for EPERM:
# no ICMP message becomes that, a filter of our own or a full connection table does.
_AT_ONCE = {
    errno.ENETUNREACH: Kind.UPLINK,
    errno.EHOSTUNREACH: Kind.UPLINK,
    errno.ENETDOWN: Kind.UPLINK,
    errno.ENODEV: Kind.UPLINK,
    errno.EINVAL: Kind.UPLINK,  # a blackhole route, or a link-local address without its interface
    errno.EACCES: Kind.DENIED,
    errno.EPERM: Kind.DENIED,
    errno.EADDRNOTAVAIL: Kind.DENIED,  # no local port (or no address of this family) is left for us
    errno.EAGAIN: Kind.DENIED,  # the same for UDP
    errno.EAFNOSUPPORT: Kind.DENIED,
    errno.EMFILE: Kind.DENIED,
    errno.ENFILE: Kind.DENIED,
    errno.ENOBUFS: Kind.DENIED,
    errno.ENOMEM: Kind.DENIED,
    errno.ECONNREFUSED: Kind.REFUSED,  # loopback answers within the call
    errno.ECONNRESET: Kind.REJECTED,
    errno.EPIPE: Kind.REJECTED,
    errno.ECONNABORTED: Kind.REJECTED,
    errno.ETIMEDOUT: Kind.TIMEOUT,
}
_LATER = _AT_ONCE | {
    errno.ENETUNREACH: Kind.UNREACHABLE,
    errno.EHOSTUNREACH: Kind.UNREACHABLE,
    errno.EHOSTDOWN: Kind.UNREACHABLE,
    errno.ENONET: Kind.UNREACHABLE,
    errno.ENOPROTOOPT: Kind.UNREACHABLE,  # ICMP protocol unreachable
    errno.EACCES: Kind.UNREACHABLE,  # ICMPv6 administratively prohibited, RFC 4443 3.1
}

# An ordinary close (FIN) looks to the peer like any client that has what it wanted, and leaves us one TIME_WAIT of 60 s. A reset leaves
# none but is logged by many servers (sshd, databases). So: FIN, until this many within a minute; resets beyond.
MOST_TIME_WAIT = 1000
_RESET = struct.pack("ii", 1, 0)


class DialError(Exception):
    """No connection; `failure` says why and whose fault it is."""

    def __init__(self, failure: Failure):
        super().__init__(failure.detail)
        self.failure = failure


class Dialled(msgspec.Struct, frozen=True):
    """An established connection: its non-blocking socket, the address reached, and the milliseconds of both phases.

    `resolve_ms` is None when the host was an address. Whoever dialled hangs up.
    """

    sock: socket.socket
    address: str
    connect_ms: float
    resolve_ms: float | None


def failure_of(why: OSError, *, at_once: bool = False) -> Failure:
    """Return the Failure for an error of a socket; `at_once` says that the kernel raised it before anything could be sent."""
    kind = (_AT_ONCE if at_once else _LATER).get(why.errno or 0, Kind.BROKEN)
    return Failure(kind, why.strerror or str(why))


def address_of(node: Node) -> str:
    """Return the node's address; DialError when the inventory gives none."""
    if not node.address:
        raise DialError(Failure(Kind.BROKEN, f"{node.name} has no address in the inventory"))
    return node.address


async def dial(host: str, port: int, family: int = 0) -> Dialled:
    """Connect to the first address of `host` in the family asked for (that is measured, not whichever answers). Raises DialError."""
    resolve_ms = None
    address, found = host, literal_family(host)
    if not found or family not in {0, found}:
        start = time.perf_counter()
        try:
            found, address = (await resolve(host, family))[0]
        except Unresolved as why:
            raise DialError(why.failure) from None
        resolve_ms = (time.perf_counter() - start) * 1e3
    start = time.perf_counter()
    sock = await _connect(found, address, port)
    wall_ms = (time.perf_counter() - start) * 1e3
    return Dialled(sock, address, min(wall_ms, kernel_ms(sock) or wall_ms), resolve_ms)


def kernel_ms(sock: socket.socket) -> float | None:
    """Return the milliseconds from SYN to SYN-ACK by the kernel's clock, None when a segment was repeated (tcp(7), TCP_INFO).

    Ours is late by what the loop was busy with in between: a hundred milliseconds with a thousand connections under way.
    """
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    rtt_us, repeated = struct.unpack_from("I", info, 68)[0], struct.unpack_from("I", info, 100)[0]
    return rtt_us / 1e3 if rtt_us and not repeated else None


async def _connect(family: int, address: str, port: int) -> socket.socket:
    try:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    except OSError as why:
        raise DialError(failure_of(why, at_once=True)) from None
    try:
        failure = await _shake_hands(sock, address, port)
    except BaseException:
        sock.close()
        raise
    if failure:
        sock.close()
        raise DialError(failure)
    return sock


async def _shake_hands(sock: socket.socket, address: str, port: int) -> Failure | None:
    try:
        code = sock.connect_ex((address, port))
    except OSError as why:  # an address that the kernel can't read, such as one of a zone that is not there
        return failure_of(why, at_once=True)
    at_once = code != errno.EINPROGRESS
    if not at_once:
        await _writable(sock)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        return failure_of(OSError(code, os.strerror(code)), at_once=at_once)
    here = sock.getsockname()
    if here[1] == port and here[0] == sock.getpeername()[0]:
        # nothing listened, and the kernel had given us that very port: we reached ourselves (RFC 9293 3.5, simultaneous open)
        return Failure(Kind.REFUSED, os.strerror(errno.ECONNREFUSED))
    return None


async def _writable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_writer(sock, _wake, ready)
    try:
        await ready
    finally:
        loop.remove_writer(sock)


def _wake(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)


class _Closed:
    minute = 0
    count = 0


def hang_up(sock: socket.socket) -> None:
    """Close a connection as its peer would least notice; see MOST_TIME_WAIT."""
    minute = int(time.monotonic() / 60)
    if minute != _Closed.minute:
        _Closed.minute, _Closed.count = minute, 0
    _Closed.count += 1
    if _Closed.count > MOST_TIME_WAIT:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    sock.close()
