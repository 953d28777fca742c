"""From the octets of one packet to addresses, ports and payload: link layers, IPv4 with fragments, IPv6, UDP and TCP."""

import struct
from collections.abc import Iterator

import msgspec

from probe.capture.anomalies import Anomalies

ETHERNET, NULL, RAW, RAW_BSD, SLL, LOOP, RAW_4, RAW_6, SLL2 = 1, 0, 101, 12, 113, 108, 228, 229, 276
IP_AT = {ETHERNET: 14, NULL: 4, RAW: 0, RAW_BSD: 0, 14: 0, SLL: 16, LOOP: 4, RAW_4: 0, RAW_6: 0, SLL2: 20}  # without tags
_TYPE_AT = {ETHERNET: 12, SLL: 14, SLL2: 0}
_TAGS = {0x8100, 0x88A8, 0x9100}
_PPPOE = 0x8864
MOST_TAGS = 4
UDP, TCP = 17, 6
MOST_DATAGRAMS = 256  # IP datagrams of which fragments are held
MOST_HELD = 8 << 20  # octets of fragments
_V6_OPTIONS = {0, 43, 60, 135}  # extension headers with a length of their own (RFC 8200 4)
_FRAGMENT = 44


class Datagram(msgspec.Struct, gc=False):
    """UDP or TCP as it came: `key` is source and destination address and the two ports, in octets; `at` is where the payload starts."""

    protocol: int
    key: bytes
    data: bytes
    at: int
    end: int
    segment: int = 0  # where the transport header starts


class Fragments:
    """IPv4 and IPv6 fragments held until their datagram is whole; the oldest go when there is no room."""

    def __init__(self, anomalies: Anomalies) -> None:
        self._parts: dict[tuple[bytes, int, int], dict[int, bytes]] = {}
        self._ends: dict[tuple[bytes, int, int], int] = {}
        self._held = 0
        self._anomalies = anomalies

    def add(self, key: tuple[bytes, int, int], offset: int, last: bool, part: bytes) -> bytes | None:
        """Return the whole payload once every part of it is there."""
        if offset + len(part) > 65_535:
            self._anomalies.note("bad-packet")
            return None
        parts = self._parts.setdefault(key, {})
        if offset not in parts:
            parts[offset] = part
            self._held += len(part)
        if last:
            self._ends[key] = offset + len(part)
        whole = self._whole(parts, self._ends.get(key))
        if whole is not None:
            self._drop(key)
        while len(self._parts) > MOST_DATAGRAMS or self._held > MOST_HELD:
            self._anomalies.note("fragments")
            self._drop(next(iter(self._parts)))
        return whole

    def close(self) -> None:
        """Count what never became whole."""
        if self._parts:
            self._anomalies.note("fragments", count=len(self._parts))

    def _drop(self, key: tuple[bytes, int, int]) -> None:
        self._held -= sum(map(len, self._parts.pop(key).values()))
        self._ends.pop(key, None)

    @staticmethod
    def _whole(parts: dict[int, bytes], end: int | None) -> bytes | None:
        if end is None or 0 not in parts:
            return None
        payload = b""
        while len(payload) < end:
            part = parts.get(len(payload))
            if not part:
                return None
            payload += part
        return payload[:end]


class Frames:
    """Takes packets apart."""

    def __init__(self, anomalies: Anomalies) -> None:
        self._anomalies = anomalies
        self.fragments = Fragments(anomalies)

    def datagrams(self, link: int, data: bytes) -> Iterator[Datagram]:
        """Yield the UDP or TCP in a packet, if any; what contradicts itself is counted, never raised."""
        try:
            found = self._network(link, data)
        except (struct.error, IndexError):
            self._anomalies.note("bad-packet")
            return
        if found is not None:
            yield found

    def _network(self, link: int, data: bytes) -> Datagram | None:
        at = IP_AT.get(link)
        if at is None:
            self._anomalies.note("link")
            return None
        if link in _TYPE_AT:
            kind = int.from_bytes(data[_TYPE_AT[link] : _TYPE_AT[link] + 2], "big")
            for _ in range(MOST_TAGS):
                if kind not in _TAGS:
                    break
                kind = int.from_bytes(data[at + 2 : at + 4], "big")
                at += 4
            if kind == _PPPOE and data[at + 6 : at + 8] in (b"\x00\x21", b"\x00\x57"):
                at += 8
            elif kind not in (0x0800, 0x86DD):
                return None
        version = data[at] >> 4
        if version == 4:
            return self._ipv4(data, at)
        return self._ipv6(data, at) if version == 6 else None

    def _ipv4(self, data: bytes, at: int) -> Datagram | None:
        first, _, total, identity, flags, _, protocol, _ = struct.unpack_from("!BBHHHBBH", data, at)
        if protocol not in (UDP, TCP):
            return None
        start = at + (first & 15) * 4
        end = min(len(data), at + total) if total else len(data)  # 0: the card segments it (TSO)
        addresses = data[at + 12 : at + 20]
        if flags & 0x3FFF:  # more fragments, or an offset
            whole = self.fragments.add((addresses, identity, protocol), (flags & 0x1FFF) * 8, not flags & 0x2000, data[start:end])
            return None if whole is None else self._transport(protocol, addresses, whole, 0, len(whole))
        return self._transport(protocol, addresses, data, start, end)

    def _ipv6(self, data: bytes, at: int) -> Datagram | None:
        length, following = struct.unpack_from("!HB", data, at + 4)
        addresses, start = data[at + 8 : at + 40], at + 40
        end = min(len(data), start + length) if length else len(data)
        for _ in range(8):
            if following in _V6_OPTIONS:
                following, start = data[start], start + (data[start + 1] + 1) * 8
            elif following == _FRAGMENT:
                following, _, place, identity = struct.unpack_from("!BBHI", data, start)
                start += 8
                if place & 0xFFF9:
                    whole = self.fragments.add((addresses, identity, following), place & 0xFFF8, not place & 1, data[start:end])
                    if whole is None:
                        return None
                    data, start, end = whole, 0, len(whole)
            else:
                break
        return self._transport(following, addresses, data, start, end)

    def _transport(self, protocol: int, addresses: bytes, data: bytes, at: int, end: int) -> Datagram | None:
        if protocol == UDP:
            length = int.from_bytes(data[at + 4 : at + 6], "big")
            if end - at < 8 or 0 < length < 8:
                self._anomalies.note("bad-packet")
                return None
            return Datagram(UDP, addresses + data[at : at + 4], data, at + 8, min(end, at + length) if length else end, at)
        if protocol == TCP:
            start = at + (data[at + 12] >> 4) * 4
            if start < at + 20 or start > end:
                self._anomalies.note("bad-packet")
                return None
            return Datagram(TCP, addresses + data[at : at + 4], data, start, end, at)
        return None


def endpoints(key: bytes) -> tuple[tuple[bytes, int], tuple[bytes, int]]:
    """Return source and destination of a datagram's key, each as address octets and port."""
    size = (len(key) - 4) // 2
    source, target = int.from_bytes(key[-4:-2], "big"), int.from_bytes(key[-2:], "big")
    return (key[:size], source), (key[size : 2 * size], target)
