"""Sends a session of test packets to a STAMP reflector and tells loss, delay and jitter each way (RFC 8762, unauthenticated mode)."""

import asyncio
import os
import socket
import struct
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta

from probe import job
from probe.dial import FAMILIES, DialError, address_of, failure_of
from probe.inventory import Node
from probe.observation.failure import Failure
from probe.observation.observation import Outcome
from probe.observation.stamp import StampSample
from probe.probers.hop_channel import round_trip_ms
from probe.probers.stamp_history import History
from probe.resolve import Unresolved, resolve
from probe.stamp_wire import HOPS, PORT, OwnClock, Reflection, question, read_reflection
from probe.target import read_address_and_port

SKIPPED = 1  # this sequence number is never sent: a stateful reflector's count lags behind from there on, a stateless one's does not
_SO_TIMESTAMPNS = 35
_AT_ONCE = 64


class Options(job.Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set for a `stamp` check."""

    port: Annotated[int, Meta(description="UDP port of the reflector", ge=1, le=65535)] = PORT
    count: Annotated[int, Meta(description="test packets of one session", ge=2, le=10_000)] = 100
    interval_ms: Annotated[float, Meta(description="milliseconds between two of them; voice sends one every 20", ge=5, le=10_000)] = 20.0
    wait_ms: Annotated[float, Meta(description="milliseconds after the last until what has not come is lost", ge=50, le=10_000)] = 1000.0
    family: Annotated[
        Literal["any", "ipv4", "ipv6"], Meta(description="which addresses of a name to use; the first of them is measured")
    ] = "any"

    @property
    def item(self) -> str:
        """Return the port where it is not the usual one."""
        return "" if self.port == PORT else str(self.port)

    @property
    def longest_s(self) -> float:
        """How long one session may take."""
        return max(5.0, (self.count * self.interval_ms + self.wait_ms) / 1e3 + 2.0)


class Came(NamedTuple):
    """One reflected packet: which of ours (`seq`), what the reflector had `counted`, and its times: there and back in ns, with the clocks'
    difference in them, and the round trip without the reflector's own time.
    """

    seq: int
    counted: int
    out_ns: int
    back_ns: int
    rtt_ms: float


class Losses(NamedTuple):
    """How many packets were lost which way; see StampSample."""

    stateful: bool | None
    out: int | None
    back: int | None
    unknown: int


class StampProber:
    """Holds what is known of our own clock, and the last sessions with each target; each session has a socket of its own."""

    def __init__(self) -> None:
        self._clock = OwnClock()
        self._history = History()

    async def ask(self, node: Node, options: Options) -> Outcome:
        """Return what one session saw, and the last ones together. Silence is a sample with `answered` 0."""
        target, start = f"{node.name} {options.port}", time.monotonic()
        seen = await self._session(node, options)
        if isinstance(seen, StampSample):
            return self._history.note(target, start, seen)
        if not seen.ours:
            self._history.forget(target)
        return seen

    async def _session(self, node: Node, options: Options) -> StampSample | Failure:
        try:
            family, address = (await resolve(address_of(node), FAMILIES[options.family]))[0]
        except (DialError, Unresolved) as why:
            return why.failure
        try:
            session = _Session(family, address, options, self._clock)
        except OSError as why:
            return failure_of(why, at_once=True)
        try:
            return await session.run()
        except OSError as why:
            return failure_of(why)
        finally:
            session.close()


class _Session:
    """One session: the packets sent, and those that came back."""

    def __init__(self, family: int, address: str, options: Options, clock: OwnClock) -> None:
        self._address, self._options, self._clock = address, options, clock
        self._id = int.from_bytes(os.urandom(2), "big") or 1  # RFC 8972 3: not 0
        self._sent: dict[int, tuple[int, int]] = {}
        self._came: dict[int, Came] = {}
        self._their_error_s: float | None = None
        self._error: OSError | None = None
        self._done = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            v4 = family == socket.AF_INET
            level, name = (socket.IPPROTO_IP, socket.IP_TTL) if v4 else (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)
            self._sock.setsockopt(level, name, HOPS)
            self._sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            self._sock.connect((address, options.port))
        except BaseException:
            self._sock.close()
            raise
        self._loop.add_reader(self._sock, self._readable)

    def close(self) -> None:
        self._loop.remove_reader(self._sock)
        self._sock.close()

    async def run(self) -> StampSample:
        """Send all, wait for the last; OSError when the peer refuses and nothing was answered."""
        start, interval_s = self._loop.time(), self._options.interval_ms / 1e3
        for number in range(self._options.count):
            await asyncio.sleep(max(0.0, start + number * interval_s - self._loop.time()))
            self._send(number if number < SKIPPED else number + 1)
            if self._error and not self._came:
                raise self._error
        try:
            async with asyncio.timeout(self._options.wait_ms / 1e3):
                await self._done.wait()
        except TimeoutError:
            pass
        if self._error and not self._came:
            raise self._error
        return self._sample()

    def _send(self, seq: int) -> None:
        bits, now_ns = self._clock.look(), time.time_ns()
        self._sent[seq] = (now_ns, time.monotonic_ns())
        try:
            self._sock.send(question(seq, now_ns, bits, self._id))
        except BlockingIOError:
            pass  # our own buffer is full: it is not on its way, and counts as lost on the way out
        except OSError as why:
            self._error = why

    def _readable(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                data, notes, _, _ = self._sock.recvmsg(2048, socket.CMSG_SPACE(16))
            except BlockingIOError:
                return
            except OSError as why:
                self._error = why
                self._done.set()
                return
            stamps = [struct.unpack("@qq", value) for _, kind, value in notes if kind == _SO_TIMESTAMPNS and len(value) == 16]
            now_ns = time.time_ns()
            self._take(read_reflection(data, now_ns), stamps[0][0] * 1_000_000_000 + stamps[0][1] if stamps else now_ns)

    def _take(self, seen: Reflection | None, at_ns: int) -> None:
        sent = self._sent.get(seen.asked.seq) if seen else None
        if seen is None or sent is None or seen.asked.seq in self._came or seen.session not in (0, self._id):
            return  # not ours, or a copy; a reflector of RFC 8762 alone returns no session identifier
        sent_ns, mono_ns = sent
        whole_ms = round_trip_ms(sent_ns, mono_ns, at_ns)
        stayed_ms = (seen.sent_ns - seen.received_ns) / 1e6
        rtt_ms = whole_ms - stayed_ms if 0.0 <= stayed_ms <= whole_ms else whole_ms  # else its clock was set in between
        self._came[seen.asked.seq] = Came(seen.asked.seq, seen.seq, seen.received_ns - sent_ns, at_ns - seen.sent_ns, rtt_ms)
        self._their_error_s = seen.error.seconds if seen.error.synchronised else None
        if len(self._came) == self._options.count:
            self._done.set()

    def _sample(self) -> StampSample:
        came = [self._came[seq] for seq in sorted(self._came)]
        lost = losses(list(self._sent), came)
        ours, theirs = self._clock.error_s if self._clock.synchronised else None, self._their_error_s
        common = ours is not None and theirs is not None
        return StampSample(
            address=self._address,
            port=self._options.port,
            sent=len(self._sent),
            answered=len(came),
            stateful=lost.stateful,
            lost_out=lost.out,
            lost_back=lost.back,
            lost_unknown=lost.unknown,
            min_rtt_ms=min((one.rtt_ms for one in came), default=None),
            rtt_ms=_mean([one.rtt_ms for one in came]),
            out_ms=_mean([one.out_ns / 1e6 for one in came]) if common else None,
            back_ms=_mean([one.back_ns / 1e6 for one in came]) if common else None,
            clock_error_ms=(ours + theirs) * 1e3 if ours is not None and theirs is not None else None,
            jitter_out_ms=jitter_ms([one.out_ns for one in came]),
            jitter_back_ms=jitter_ms([one.back_ns for one in came]),
        )


def losses(sent: Sequence[int], came: Sequence[Came]) -> Losses:
    """Return how many packets were lost which way, by the reflector's count of what reached it.

    Up to the last packet that came back, what the reflector did not count was lost on the way out, what it counted and did not come on the
    way back. Behind that one nobody knows. A count that equals our number behind the one we skip is a copy of it: a stateless reflector.
    """
    behind = [one for one in came if one.seq > SKIPPED]
    place = {seq: at for at, seq in enumerate(sent)}
    last = max((place[one.seq] for one in came), default=-1)
    unknown = len(sent) - 1 - last
    if not behind:
        return Losses(None, None, None, len(sent) - len(came))
    if all(one.counted == one.seq for one in behind):
        return Losses(False, None, None, len(sent) - len(came))
    if len({one.counted for one in came}) < len(came):  # it began anew in between: what it counted before is gone
        return Losses(None, None, None, len(sent) - len(came))
    first = min(came, key=lambda one: place[one.seq])
    before = max(0, first.counted - place[first.seq])  # packets of another session that the reflector counts to this one
    reached = min(last + 1, max(one.counted for one in came) + 1 - before)
    return Losses(True, last + 1 - reached, max(0, reached - len(came)), unknown)


def jitter_ms(transits_ns: Sequence[int]) -> float | None:
    """Return the smoothed jitter (RFC 3550 6.4.1) of transit times in ms; how the clocks differ falls out. None below two packets."""
    if len(transits_ns) < 2:
        return None
    jitter = 0.0
    for before, now in pairwise(transits_ns):
        jitter += (abs(now - before) - jitter) / 16
    return jitter / 1e6


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


@asynccontextmanager
async def open() -> AsyncIterator[StampProber]:
    """Yield the prober."""
    yield StampProber()


def read_target(text: str) -> tuple[str, dict[str, Any]]:
    """Read `host` or `host:port`; ValueError says what is wrong."""
    address, port = read_address_and_port(text, PORT)
    return address, {"port": port}
