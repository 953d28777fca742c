"""Reads and writes the few forms of BER (ITU-T X.690) that an SNMP message is made of (RFC 3417 8): definite lengths, low tag numbers.

Reading trusts nothing: every length is held against what is there, and everything wrong is a Malformed.
"""

from collections.abc import Iterator

INTEGER, OCTET_STRING, NULL, OBJECT_IDENTIFIER, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
IP_ADDRESS, COUNTER32, GAUGE32, TIME_TICKS, OPAQUE, COUNTER64 = 0x40, 0x41, 0x42, 0x43, 0x44, 0x46

MOST_ARCS = 128  # RFC 2578 3.5
_NUMBERS = frozenset({INTEGER, COUNTER32, GAUGE32, TIME_TICKS, COUNTER64})
_MOST_INTEGER = 9  # octets: 64 bits and a leading zero

Value = int | str | bytes | None


class Malformed(ValueError):
    """Not BER, or not what belongs here."""


def read(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Return (tag, start, stop) of the element that begins at `at` and must lie before `end`."""
    if at + 2 > end:
        raise Malformed("the message ends within an element")
    tag, length = data[at], data[at + 1]
    start = at + 2
    if length & 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= 4 or start + octets > end:
            raise Malformed("a length that can't be")
        length = int.from_bytes(data[start : start + octets], "big")
        start += octets
    if start + length > end:
        raise Malformed("an element is longer than the message")
    return tag, start, start + length


def expect(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Return (start, stop) of an element that must have this tag."""
    found, start, stop = read(data, at, end)
    if found != tag:
        raise Malformed(f"tag {found:#04x} where {tag:#04x} belongs")
    return start, stop


def elements(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield (tag, start, stop) of the elements that fill `at` … `end`."""
    while at < end:
        tag, start, at = read(data, at, end)
        yield tag, start, at


def integer(data: bytes, start: int, stop: int) -> int:
    """Return a signed number of at most 64 bits."""
    if not 1 <= stop - start <= _MOST_INTEGER:
        raise Malformed("a number of no or too many octets")
    return int.from_bytes(data[start:stop], "big", signed=True)


def object_identifier(data: bytes, start: int, stop: int) -> str:
    """Return an OBJECT IDENTIFIER as dotted numbers."""
    if start == stop or data[stop - 1] & 0x80:
        raise Malformed("an object identifier that breaks off")
    arcs, arc = [], 0
    for octet in data[start:stop]:
        arc = arc << 7 | octet & 0x7F
        if arc >> 32:
            raise Malformed("a part of an object identifier beyond 32 bits")
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    if len(arcs) >= MOST_ARCS:
        raise Malformed("an object identifier of too many parts")
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def value(data: bytes, tag: int, start: int, stop: int) -> Value:
    """Return a variable's value: numbers as int, object identifiers and addresses as text, octets as bytes, all else as None."""
    if tag in _NUMBERS:
        number = integer(data, start, stop)
        return number if tag == INTEGER else number & 0xFFFFFFFFFFFFFFFF  # unsigned, whatever the sender's padding
    if tag == OBJECT_IDENTIFIER:
        return object_identifier(data, start, stop)
    if tag == IP_ADDRESS:
        if stop - start != 4:
            raise Malformed("an address that has not four octets")
        return ".".join(map(str, data[start:stop]))
    if tag in (OCTET_STRING, OPAQUE):
        return data[start:stop]
    return None


def element(tag: int, content: bytes) -> bytes:
    """Return an element."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content
