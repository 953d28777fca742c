"""STAMP's test packets in unauthenticated mode: RFC 8762 4.2.1 and 4.3.1, with the session identifier of RFC 8972 3."""

import struct
import time
from typing import NamedTuple

from probe.probers.ntp import UNIX_EPOCH, stamp

PORT = 862
SIZE = 44  # of both packets, which is what makes a reflector no amplifier
HOPS = 255  # RFC 8762 4.2.1: the reflector tells what is left of it
_SENDER = struct.Struct("!IQHH28x")
_REFLECTED = struct.Struct("!IQHHQIQHHB3x")
_SYNCHRONISED, _PTP = 0x8000, 0x4000
_CLOCK_S = 16.0  # how long one reading of the kernel's clock state is good for


class Error(NamedTuple):
    """An error estimate (RFC 4656 4.1.2): whether the clock is synchronised to UTC, its format, and its error in seconds."""

    synchronised: bool
    ptp: bool
    seconds: float


class Question(NamedTuple):
    """What a session sender sent."""

    seq: int
    stamp: int
    error: int
    session: int


class Reflection(NamedTuple):
    """What a session reflector answered: its own count, when it sent (T3) and received (T2) as Unix ns, and the sender's packet."""

    seq: int
    sent_ns: int
    received_ns: int
    error: Error
    session: int
    asked: Question
    hops_left: int


def question(seq: int, unix_ns: int, error: int, session: int) -> bytes:
    """Return a session sender's packet."""
    return _SENDER.pack(seq, stamp(unix_ns), error, session)


def read_question(data: bytes) -> Question | None:
    """Read a session sender's packet; None when it is too short. What follows the first 44 octets (TLVs, padding) is not read."""
    return Question(*_SENDER.unpack_from(data)) if len(data) >= SIZE else None


def reflection(asked: Question, seq: int, received_ns: int, sent_ns: int, error: int, hops_left: int) -> bytes:
    """Return a session reflector's packet."""
    times = stamp(sent_ns), stamp(received_ns)
    return _REFLECTED.pack(seq & 0xFFFFFFFF, times[0], error, asked.session, times[1], asked.seq, asked.stamp, asked.error, 0, hops_left)


def read_reflection(data: bytes, near_ns: int) -> Reflection | None:
    """Read a session reflector's packet, None when it is too short; `near_ns` (Unix ns) decides the era of its times."""
    if len(data) < SIZE:
        return None
    seq, t3, error, session, t2, asked, asked_stamp, asked_error, _, hops_left = _REFLECTED.unpack_from(data)
    how = read_error(error)
    t3_ns, t2_ns = unix_ns(t3, how.ptp, near_ns), unix_ns(t2, how.ptp, near_ns)
    return Reflection(seq, t3_ns, t2_ns, how, session, Question(asked, asked_stamp, asked_error, session), hops_left)


def error_of(synchronised: bool, seconds: float) -> int:
    """Return the 16 bits of an error estimate, rounded up; the greatest that can be said when it is larger."""
    scale, multiplier = 0, max(1, round(seconds * 2**32 + 0.5))
    while multiplier > 0xFF and scale < 0x3F:
        scale, multiplier = scale + 1, (multiplier + 1) >> 1
    return (_SYNCHRONISED if synchronised else 0) | scale << 8 | min(multiplier, 0xFF)


def read_error(bits: int) -> Error:
    """Read the 16 bits of an error estimate."""
    return Error(bool(bits & _SYNCHRONISED), bool(bits & _PTP), (bits & 0xFF) * 2.0 ** ((bits >> 8 & 0x3F) - 32))


def unix_ns(value: int, ptp: bool, near_ns: int) -> int:
    """Return a timestamp as Unix ns: NTP's (of the era nearest to `near_ns`), or PTP's truncated one (seconds since 1970, ns)."""
    if ptp:
        return (value >> 32) * 1_000_000_000 + (value & 0xFFFFFFFF)
    seconds = (value >> 32) - UNIX_EPOCH
    era = round((near_ns / 1e9 - seconds) / 2**32)
    return (seconds + era * 2**32) * 1_000_000_000 + ((value & 0xFFFFFFFF) * 1_000_000_000 >> 32)


class OwnClock:
    """What the kernel says of this host's clock, read now and then."""

    def __init__(self) -> None:
        self._until = 0.0
        self.bits = error_of(False, 1.0)
        self.synchronised = False
        self.error_s: float | None = None

    def look(self) -> int:
        """Return the error estimate for our packets."""
        now = time.monotonic()
        if now >= self._until:
            from probe.probers.host_kernel import read_clock  # psutil is not needed by who never measures this

            self._until = now + _CLOCK_S
            try:
                seen = read_clock()
            except OSError:  # a container may not read it: then it is not synchronised as far as we know
                self.synchronised, self.error_s = False, None
            else:
                self.synchronised = seen.synchronised
                self.error_s = None if seen.max_error_ms is None else seen.max_error_ms / 1e3
            self.bits = error_of(self.synchronised, 1.0 if self.error_s is None else self.error_s)
        return self.bits
