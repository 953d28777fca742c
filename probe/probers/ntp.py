"""Asks a time server once, as an NTP client (RFC 5905, mode 3, version 4), and compares its clock with ours.

One exchange tells how far the two clocks are apart, give or take half the round trip; it can't tell which of them is wrong.
Each exchange has a socket of its own: a random port (RFC 9109), and a closed one answers "refused".
"""

import asyncio
import secrets
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from probe import job
from probe.dial import FAMILIES, DialError, address_of, failure_of
from probe.inventory import Node
from probe.observation.failure import Failure, Kind
from probe.observation.ntp import NtpSample
from probe.observation.observation import Outcome
from probe.resolve import Unresolved, resolve
from probe.target import read_address_and_port

PORT = 123
UNIX_EPOCH = 2_208_988_800  # seconds from 1900 to 1970
PACKET = struct.Struct("!BBbbII4sQQQQ")
SERVER = 4  # the mode of an answer
SO_TIMESTAMPNS = getattr(socket, "SO_TIMESTAMPNS", 35)
AFTER_NONSENSE_S = 0.5  # a forger's datagram must not end the wait for the true one, nor prolong it for ever
MOST_NONSENSE = 32

# RFC 5905 7.4: who is told so must stop asking, or ask less often, and less again each time
STOP = frozenset({"DENY", "RSTR"})
SLOWER = "RATE"
STOP_S = 3600.0
SLOWER_S = 64.0


class Options(job.Options, frozen=True, kw_only=True):
    """What can be set for an `ntp` check."""

    port: Annotated[int, Meta(description="UDP port", ge=1, le=65535)] = PORT
    family: Annotated[
        Literal["any", "ipv4", "ipv6"], Meta(description="which addresses of a name to use; the first of them is measured")
    ] = "any"

    @property
    def item(self) -> str:
        """Return the port where it is not the usual one."""
        return "" if self.port == PORT else str(self.port)


class Silence(msgspec.Struct, frozen=True):
    """What a server has asked of us: not to be asked before `until` (monotonic)."""

    code: str
    until: float
    length_s: float


class NtpProber:
    """Remembers which servers have asked not to be asked."""

    def __init__(self) -> None:
        self._silences: dict[tuple[str, int], Silence] = {}

    async def ask(self, node: Node, options: Options) -> Outcome:
        """Return what one exchange saw, a kiss-o'-death included; within the silence that a kiss demands, DENIED."""
        try:
            family, address = (await resolve(address_of(node), FAMILIES[options.family]))[0]
        except (DialError, Unresolved) as why:
            return why.failure
        peer = (address, options.port)
        silence = self._silences.get(peer)
        if silence and silence.until > time.monotonic():
            left_s = silence.until - time.monotonic()
            return Failure(Kind.DENIED, f"the server has answered {silence.code}: it is not asked again for {left_s:.0f} s")
        outcome = await _exchange(family, peer)
        if isinstance(outcome, NtpSample):
            self._heed(peer, kiss(outcome))
        return outcome

    def _heed(self, peer: tuple[str, int], code: str | None) -> None:
        if code in STOP:
            length_s = STOP_S
        elif code == SLOWER:
            before = self._silences.get(peer)
            length_s = min(before.length_s * 2, STOP_S) if before else SLOWER_S
        else:
            self._silences.pop(peer, None)
            return
        self._silences[peer] = Silence(code, time.monotonic() + length_s, length_s)


@asynccontextmanager
async def open() -> AsyncIterator[NtpProber]:
    """Yield the prober."""
    yield NtpProber()


def read_target(text: str) -> tuple[str, dict[str, Any]]:
    """Read `host` or `host:port`; ValueError says what is wrong."""
    address, port = read_address_and_port(text, PORT)
    return address, {"port": port}


def kiss(sample: NtpSample) -> str | None:
    """Return the kiss code (RFC 5905 7.4), None when the answer is none."""
    return sample.reference_id if sample.stratum == 0 else None


def stamp(unix_ns: int) -> int:
    """Return the NTP timestamp (64 bits, 32 of them fraction, modulo the era of 2^32 s) of a Unix time in ns."""
    seconds, rest = divmod(unix_ns, 1_000_000_000)
    return ((seconds + UNIX_EPOCH) << 32 | (rest << 32) // 1_000_000_000) & 0xFFFF_FFFF_FFFF_FFFF


def apart_s(later: int, earlier: int) -> float:
    """Return `later` - `earlier` in seconds; right across the end of an era (2036) as long as the two are within 68 years."""
    ticks = (later - earlier) & 0xFFFF_FFFF_FFFF_FFFF
    return (ticks - (1 << 64) if ticks >> 63 else ticks) / 2**32


async def _exchange(family: int, peer: tuple[str, int]) -> Outcome:
    try:
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    except OSError as why:
        return failure_of(why, at_once=True)
    with sock:
        # What we send as our time is a random number: the server only echoes it, a forger can't guess it, and nobody learns our clock.
        cookie = secrets.randbits(64) | 1
        try:
            _want_kernel_stamps(sock)
            sock.connect(peer)
            sent_ns = time.time_ns()
            sock.send(PACKET.pack(0x23, 0, 0, 0, 0, 0, b"", 0, 0, 0, cookie))
        except OSError as why:
            return failure_of(why, at_once=True)
        try:
            return await _answer(sock, peer[0], cookie, sent_ns)
        except OSError as why:
            return failure_of(why)


async def _answer(sock: socket.socket, address: str, cookie: int, sent_ns: int) -> Outcome:
    """Wait for the answer to our question; what is none is passed over, but not for ever."""
    nonsense = ""
    for _ in range(MOST_NONSENSE):
        try:
            async with asyncio.timeout(AFTER_NONSENSE_S if nonsense else None):
                data, received_ns = await _receive(sock)
        except TimeoutError:
            break
        read = read_answer(data, address, cookie, sent_ns, received_ns)
        if isinstance(read, NtpSample):
            return read
        nonsense = read
    return Failure(Kind.REJECTED, nonsense)


def read_answer(data: bytes, server: str, cookie: int, sent_ns: int, received_ns: int) -> NtpSample | str:
    """Return what the server's datagram says, or why it is no answer to our question (RFC 5905 8, the sanity checks)."""
    if len(data) < PACKET.size:
        return f"answered {len(data)} bytes, too few for NTP"
    first, stratum, _, precision, root_delay, root_dispersion, reference, _, origin, t2, t3 = PACKET.unpack_from(data)
    if first & 7 != SERVER or not 1 <= first >> 3 & 7 <= 4:
        return f"answered in mode {first & 7}, version {first >> 3 & 7}"
    if origin != cookie:
        return "answered another question than ours"
    if stratum and (not t2 or not t3):
        return "answered without a time"
    offset_ms = delay_ms = None
    if t2 and t3:
        t1, t4 = stamp(sent_ns), stamp(received_ns)
        offset_ms = (apart_s(t2, t1) + apart_s(t3, t4)) / 2 * 1000
        # not below the server's own resolution (RFC 5905 8): a coarse clock there, or a step of ours, must not give a negative trip
        delay_ms = max(apart_s(t4, t1) - apart_s(t3, t2), 2.0 ** min(precision, 0)) * 1000
    return NtpSample(
        server=server,
        offset_ms=offset_ms,
        delay_ms=delay_ms,
        stratum=stratum,
        leap=first >> 6,
        root_delay_ms=root_delay / 65.536,
        root_dispersion_ms=root_dispersion / 65.536,
        reference_id=_reference(reference, stratum),
    )


def _reference(raw: bytes, stratum: int) -> str:
    """A kiss code or the name of a clock (stratum 0 and 1) is text; from stratum 2 on it is an address, or a part of its digest."""
    if stratum > 1:
        return socket.inet_ntoa(raw)
    return "".join(char for char in raw.decode("ascii", "replace") if char.isprintable() and char != "\ufffd").strip()


def _want_kernel_stamps(sock: socket.socket) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    except OSError:
        pass  # then our own clock is read when we wake up


async def _receive(sock: socket.socket) -> tuple[bytes, int]:
    """Return the next datagram and when the kernel got it (Unix ns)."""
    while True:
        try:
            data, notes, _, _ = sock.recvmsg(1024, socket.CMSG_SPACE(16))
        except BlockingIOError:
            await _readable(sock)
            continue
        for level, kind, value in notes:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(value) == 16:
                seconds, rest = struct.unpack("@qq", value)
                return data, seconds * 1_000_000_000 + rest
        return data, time.time_ns()


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(sock, _wake, ready)
    try:
        await ready
    finally:
        loop.remove_reader(sock)


def _wake(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
