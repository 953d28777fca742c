"""The demo's SNMP agent (v2c, RFC 3416) and what its devices tell: ports and files as they are, all else made up, and it says so."""

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from probe.agent.demo.datagrams import Answering
from probe.snmp import ber
from probe.snmp.ber import Malformed, element

COMMUNITY = b"demo"
KEPT_S = 0.3
MOST_REPETITIONS = 50
LONGEST = 1400
_GET, _GET_NEXT, _RESPONSE, _GET_BULK = 0xA0, 0xA1, 0xA2, 0xA5
_NO_SUCH_OBJECT, _END = b"\x80\x00", b"\x82\x00"

Oid = tuple[int, ...]
Rows = Mapping[Oid, bytes]


def number(value: int, tag: int = ber.INTEGER) -> bytes:
    """Return a number as BER."""
    return element(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def text(value: str) -> bytes:
    """Return an OCTET STRING."""
    return element(ber.OCTET_STRING, value.encode())


def name(oid: Oid) -> bytes:
    """Return an OBJECT IDENTIFIER."""
    body = b""
    for arc in (40 * oid[0] + oid[1], *oid[2:]):
        piece = bytes((arc & 0x7F,))
        while arc := arc >> 7:
            piece = bytes((0x80 | arc & 0x7F,)) + piece
        body += piece
    return element(ber.OBJECT_IDENTIFIER, body)


def oid(dotted: str) -> Oid:
    """Return the numbers of a dotted text."""
    return tuple(map(int, dotted.split(".")))


class _Question(NamedTuple):
    kind: int
    ident: int
    repetitions: int
    names: tuple[Oid, ...]


class SnmpAgent(Answering):
    """Answers from rows that are made anew when they are older than KEPT_S."""

    def __init__(self, rows: Callable[[], Rows]) -> None:
        self._make = rows
        self._rows: Rows = {}
        self._names: list[Oid] = []
        self._until = 0.0

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer who knows the community; anything else gets no answer."""
        try:
            asked = _read(data)
        except Malformed:
            return
        if asked is None:
            return
        if time.monotonic() > self._until:
            self._rows, self._until = self._make(), time.monotonic() + KEPT_S
            self._names = sorted(self._rows)
        self.send(self._answer(asked), addr)

    def _answer(self, asked: _Question) -> bytes:
        pairs: list[bytes] = []
        size = 0
        for key, value in self._found(asked):
            pair = element(ber.SEQUENCE, name(key) + value)
            size += len(pair)
            if size > LONGEST and pairs:
                break
            pairs.append(pair)
        body = number(asked.ident) + number(0) + number(0) + element(ber.SEQUENCE, b"".join(pairs))
        return element(ber.SEQUENCE, number(1) + element(ber.OCTET_STRING, COMMUNITY) + element(_RESPONSE, body))

    def _found(self, asked: _Question) -> Iterator[tuple[Oid, bytes]]:
        if asked.kind == _GET:
            yield from ((one, self._rows.get(one, _NO_SUCH_OBJECT)) for one in asked.names)
            return
        ahead = list(asked.names)
        for _ in range(asked.repetitions if asked.kind == _GET_BULK else 1):
            for place, before in enumerate(ahead):
                at = bisect_right(self._names, before)
                if at < len(self._names):
                    ahead[place] = self._names[at]
                    yield ahead[place], self._rows[ahead[place]]
                else:
                    yield before, _END


def _read(data: bytes) -> _Question | None:
    at, end = ber.expect(data, 0, len(data), ber.SEQUENCE)
    version, community, pdu = ber.elements(data, at, end)
    if ber.integer(data, *version[1:]) != 1 or data[community[1] : community[2]] != COMMUNITY or pdu[0] not in (_GET, _GET_NEXT, _GET_BULK):
        return None
    ident, _, repetitions, pairs = ber.elements(data, *pdu[1:])
    names = []
    for _, start, stop in ber.elements(data, *pairs[1:]):
        key, *_ = ber.elements(data, start, stop)
        names.append(oid(ber.object_identifier(data, *key[1:])))
    count = min(max(0, ber.integer(data, *repetitions[1:])), MOST_REPETITIONS)
    return _Question(pdu[0], ber.integer(data, *ident[1:]), count, tuple(names))
