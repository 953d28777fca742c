"""RTP (RFC 3550) of a test call: packets of a tone out, and what comes back counted by sequence number, with the kernel's own times."""

import asyncio
import itertools
import math
import secrets
import socket
import statistics
import struct
import time

import msgspec

from probe.observation.sip import AudioSample

HEADER = struct.Struct("!BBHII")
PACKET_S = 0.02
SAMPLES = 160  # of 20 ms at 8 kHz
MOST_SOURCES = 8
MOST_PACKETS = 10_000  # of one call: two minutes and more
MOST_AT_ONCE = 64
MOST_UNHEARD = 50  # packets (a second) to an address that is not the peer's own and of which nothing is heard: it may be a third party's
LAST_WAIT_S = 0.5  # for what is still under way when we stop sending
SO_TIMESTAMPNS = getattr(socket, "SO_TIMESTAMPNS", 35)
_TONE_HZ, _TONE_PEAK = 400, 8000


class Packet(msgspec.Struct, frozen=True, gc=False):
    """The header of one RTP packet that came, and when (Unix ns)."""

    ssrc: int
    sequence: int
    timestamp: int
    kind: int
    at_ns: int


def read(data: bytes, at_ns: int) -> Packet | None:
    """Return the header of a datagram, None when it is no RTP of version 2 with a payload."""
    if len(data) <= HEADER.size:
        return None
    first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    kind = second & 0x7F
    if first >> 6 != 2 or 72 <= kind <= 76:  # RFC 5761 4: RTCP on the same port
        return None
    return Packet(ssrc, sequence, timestamp, kind, at_ns)


class Heard:
    """What came of one source: RFC 3550 A.1 (sequence over its wrap), A.3 (loss)."""

    def __init__(self, first: Packet) -> None:
        self.base = self.highest = first.sequence
        self.seen: dict[int, Packet] = {}
        self.duplicates = self.reordered = self.count = 0

    def take(self, packet: Packet) -> None:
        """Count one packet."""
        self.count += 1
        extended = self.highest + ((packet.sequence - self.highest + 0x8000) & 0xFFFF) - 0x8000
        if extended in self.seen:
            self.duplicates += 1
        elif len(self.seen) < MOST_PACKETS:
            self.seen[extended] = packet
            if extended > self.highest:
                self.highest = extended
            elif extended < self.highest:
                self.reordered += 1
                self.base = min(self.base, extended)

    @property
    def expected(self) -> int:
        """How many were sent as far as their numbers tell: none before the first or after the last that came."""
        return self.highest - self.base + 1


class Audio:
    """A socket that sends a tone and listens; use `address` in the offer, then `send_to` as often as wanted, then `sample`."""

    def __init__(self, family: int, host: str, codec_kind: int = 0) -> None:
        self.loop = asyncio.get_running_loop()
        self.sock = _bound(family, host)
        try:
            try:
                self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            except OSError:
                pass  # then our own clock is read when we wake up
        except BaseException:
            self.sock.close()
            raise
        self.port: int = self.sock.getsockname()[1]
        self.kind = codec_kind
        self.ssrc, self.first = secrets.randbits(32), secrets.randbits(15)
        self.stamp = secrets.randbits(31)
        self.sent_ns: list[int] = []
        self.cut = False  # what was sent last was given no time to come back
        self.sources: dict[int, Heard] = {}
        self._hosts: set[str] = set()  # from which RTP came
        self.loop.add_reader(self.sock, self._read)

    def close(self) -> None:
        """Close the socket."""
        self.loop.remove_reader(self.sock)
        self.sock.close()

    async def send(self, to: tuple[str, int], seconds: float, until: asyncio.Event, *, trusted: bool) -> None:
        """Send the tone at its pace for so long, or until the event; then wait a little for what is under way.

        To an address that is not `trusted` no more than MOST_UNHEARD packets go out before RTP has come from it.
        """
        tone = payload(self.kind)
        start = self.loop.time()
        for number in range(min(round(seconds / PACKET_S), MOST_PACKETS)):
            wait_s = start + number * PACKET_S - self.loop.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            if until.is_set():
                self.cut = True
                return
            if len(self.sent_ns) >= MOST_UNHEARD and not trusted and to[0] not in self._hosts:
                continue
            mark = 0x80 if number == 0 else 0
            sequence, stamp = (self.first + len(self.sent_ns)) & 0xFFFF, (self.stamp + number * SAMPLES) & 0xFFFF_FFFF
            packet = HEADER.pack(0x80, self.kind | mark, sequence, stamp, self.ssrc) + tone
            self.sent_ns.append(time.time_ns())
            try:
                self.sock.sendto(packet, to)
            except OSError:
                pass  # an ICMP error about an earlier one, or a full queue: it counts as sent, and is missed
        if not self.sent_ns:
            return
        try:
            async with asyncio.timeout(max(start + seconds - self.loop.time(), 0.0) + LAST_WAIT_S):
                await until.wait()
        except TimeoutError:
            pass

    def _read(self) -> None:
        for _ in range(MOST_AT_ONCE):
            try:
                data, notes, _, where = self.sock.recvmsg(2048, socket.CMSG_SPACE(16))
            except BlockingIOError:
                return
            except OSError:
                continue
            packet = read(data, _stamped(notes))
            if packet is None:
                continue
            if len(self._hosts) < MOST_SOURCES:
                self._hosts.add(where[0])
            source = self.sources.get(packet.ssrc)
            if source is None:
                if len(self.sources) >= MOST_SOURCES:
                    continue
                source = self.sources[packet.ssrc] = Heard(packet)
            source.take(packet)

    def sample(self) -> AudioSample:
        """Return what was heard: our own packets if they came back, else the source that sent most."""
        sent = len(self.sent_ns)
        echo = self.sources.get(self.ssrc)
        if echo is not None:
            return self._echoed(echo, sent)
        theirs = max(self.sources.values(), key=lambda one: one.count, default=None)
        if theirs is None:
            return AudioSample(sent, 0, False, None, None, None, None)
        got = len(theirs.seen)
        ratio = 1 - got / theirs.expected if got > 1 else None
        present = [number in theirs.seen for number in range(theirs.base, theirs.highest + 1)] if theirs.expected <= MOST_PACKETS else []
        jitter = jitter_ms([(one.at_ns / 1e6, one.timestamp / 8) for one in theirs.seen.values()])
        return AudioSample(sent, got, False, ratio, mean_burst(present), jitter, None, theirs.duplicates, theirs.reordered)

    def _echoed(self, echo: Heard, sent: int) -> AudioSample:
        back = {(packet.sequence - self.first) & 0xFFFF: packet for packet in echo.seen.values()}
        back = {number: packet for number, packet in back.items() if number < sent}
        if self.cut:
            sent = max(back, default=-1) + 1
        trips = [(packet.at_ns - self.sent_ns[number]) / 1e6 for number, packet in back.items()]
        trips = [one for one in trips if one >= 0]  # a clock that was set back in between
        jitter = jitter_ms([(packet.at_ns / 1e6, self.sent_ns[number] / 1e6) for number, packet in back.items()])
        ratio = 1 - len(back) / sent if sent else None
        present = [number in back for number in range(sent)]
        rtt = statistics.median(trips) if trips else None
        return AudioSample(sent, len(back), True, ratio, mean_burst(present), jitter, rtt, echo.duplicates, echo.reordered)


def _bound(family: int, host: str) -> socket.socket:
    """Return a socket with a port of its own, an even one (RFC 3550 11) if a few tries find one."""
    for left in reversed(range(8)):
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            sock.bind((host, 0))
        except BaseException:
            sock.close()
            raise
        if sock.getsockname()[1] % 2 == 0 or not left:
            return sock
        sock.close()
    raise AssertionError


def _stamped(notes: list[tuple[int, int, bytes]]) -> int:
    for level, kind, value in notes:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(value) == 16:
            seconds, rest = struct.unpack("@qq", value)
            return int(seconds * 1_000_000_000 + rest)
    return time.time_ns()


def jitter_ms(times: list[tuple[float, float]]) -> float | None:
    """Return the interarrival jitter (RFC 3550 6.4.1) of (arrived, sent) in ms, in the order of arrival; None with fewer than two."""
    jitter = 0.0
    transits = [arrived - sent for arrived, sent in times]
    for before, after in itertools.pairwise(transits):
        change = abs(after - before)
        if change < 1000 * 60:  # a source that began its timestamps anew
            jitter += (change - jitter) / 16
    return jitter if len(transits) > 1 else None


def mean_burst(present: list[bool]) -> float | None:
    """Return the mean length of the runs of lost packets, None when none was lost."""
    runs, length = [], 0
    for one in [*present, True]:
        if one and length:
            runs.append(length)
            length = 0
        elif not one:
            length += 1
    return sum(runs) / len(runs) if runs else None


def payload(kind: int) -> bytes:
    """Return 20 ms of a 400 Hz tone (8 whole waves, so packets join without a step) in G.711: kind 0 µ-law, 8 A-law."""
    encode = alaw if kind == 8 else ulaw
    return bytes(encode(round(_TONE_PEAK * math.sin(2 * math.pi * _TONE_HZ * n / 8000))) for n in range(SAMPLES))


def ulaw(sample: int) -> int:
    """Return a 16-bit sample in µ-law (ITU-T G.711)."""
    sign, size = (0x80, -sample) if sample < 0 else (0, sample)
    size = min(size, 32_635) + 132
    exponent = size.bit_length() - 8
    return ~(sign | exponent << 4 | size >> (exponent + 3) & 15) & 0xFF


def alaw(sample: int) -> int:
    """Return a 16-bit sample in A-law (ITU-T G.711)."""
    sign, size = (0, -sample - 1) if sample < 0 else (0x80, sample)
    size = min(size, 32_767)
    exponent = max(size.bit_length() - 8, 0)
    mantissa = size >> (exponent + 3 if exponent else 4) & 15
    return (sign | exponent << 4 | mantissa) ^ 0x55
