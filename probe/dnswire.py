"""DNS messages to bytes and back (RFC 1035, 2782, 3596, 6891, 8659); pure."""

import functools
import ipaddress
import socket
import struct

import msgspec

TYPES = {
    "A": 1,
    "NS": 2,
    "CNAME": 5,
    "SOA": 6,
    "PTR": 12,
    "MX": 15,
    "TXT": 16,
    "AAAA": 28,
    "SRV": 33,
    "HTTPS": 65,
    "CAA": 257,
}
_NAMES = {number: name for name, number in TYPES.items()}
_RCODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE")
# EDNS0 with the buffer that passes unfragmented everywhere (dnsflagday 2020, RFC 9715 3.1)
_OPT = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)
MOST_LABELS = 127  # of a name of 255 octets; with a pointer before each, that many
MOST_ANSWERS = 1000
_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_PRINTABLE = {byte: chr(byte) for byte in range(0x21, 0x7F)} | {ord(c): "\\" + c for c in '."\\;()@$'}


class MalformedError(ValueError):
    """The bytes are not a DNS message; the text says what and at which octet."""


class Record(msgspec.Struct, frozen=True):
    """One resource record: owner, type by name ("TYPE99" when we have no name for it), seconds to live, and its data as text."""

    name: str
    rrtype: str
    ttl_s: int
    data: str


class Reply(msgspec.Struct, frozen=True):
    """One response: header, the question as echoed (None when left out) and the answer section in the order sent."""

    ident: int
    rcode: str
    authoritative: bool
    truncated: bool
    recursion_available: bool
    question: tuple[str, int] | None
    answers: tuple[Record, ...]


@functools.lru_cache(1024)
def encode_name(text: str) -> bytes:
    r"""Return the wire form of a name as people write it (IDNA for other scripts, `\.` and `\DDD` escapes); ValueError when it is none."""
    labels, label, foreign = [], bytearray(), False
    rest = iter(text.removesuffix(".") if not text.endswith("\\.") else text)
    for char in rest:
        if char == ".":
            labels.append(_label(bytes(label), foreign, text))
            label, foreign = bytearray(), False
        elif char == "\\":
            first = next(rest, "")
            digits = first + next(rest, "") + next(rest, "") if first.isdecimal() else ""
            if not first or (digits and not (digits.isascii() and len(digits) == 3 and digits.isdecimal() and int(digits) < 256)):
                raise ValueError(f"{text!r}: a backslash is followed by one character or by three digits up to 255")
            label += bytes([int(digits)]) if digits else first.encode()
        else:
            foreign = foreign or not char.isascii()
            label += char.encode()
    if label or labels:
        labels.append(_label(bytes(label), foreign, text))
    wire = b"".join(labels) + b"\0"
    if len(wire) > 255:
        raise ValueError(f"{text[:40]!r}…: a name has at most 255 octets (RFC 1035 3.1), this one {len(wire)}")
    return wire


def _label(label: bytes, foreign: bool, text: str) -> bytes:
    if foreign:
        try:
            label = label.decode().encode("idna")
        except UnicodeError as why:
            raise ValueError(f"{text[:80]!r} is no international name (RFC 3490): {why}") from None
    if not 0 < len(label) < 64:
        raise ValueError(f"{text[:80]!r}: a label has 1 to 63 octets (RFC 1035 3.1)")
    return bytes([len(label)]) + label


def reverse(address: str) -> str:
    """Return the name under which PTR records of an IP address stand (RFC 1035 3.5, RFC 3596 2.5)."""
    return ipaddress.ip_address(address).reverse_pointer


def encode_query(ident: int, name: str, rrtype: str, *, recursion: bool = True, edns: bool = True) -> bytes:
    """Return a query for one name; ValueError when the name is none, KeyError for a type not in TYPES."""
    head = _HEADER.pack(ident, 0x0100 if recursion else 0, 1, 0, 0, 1 if edns else 0)
    return head + encode_name(name) + struct.pack("!HH", TYPES[rrtype], 1) + (_OPT if edns else b"")


def decode(packet: bytes) -> Reply:
    """Return the response in `packet`; MalformedError when it is not one. Authority and additional sections are not read."""
    if len(packet) < 12:
        raise MalformedError(f"{len(packet)} octets are no DNS message, which has at least 12")
    ident, flags, questions, answers, _, _ = _HEADER.unpack_from(packet)
    if not flags & 0x8000:
        raise MalformedError("a query came back instead of a response (QR is 0)")
    if questions > 1:
        raise MalformedError(f"{questions} questions are echoed, one was asked")
    if answers > MOST_ANSWERS and not flags & 0x0200:
        raise MalformedError(f"{answers} answers; at most {MOST_ANSWERS} are read")
    at, question = 12, None
    records = []
    try:
        if questions:
            name, at = decode_name(packet, at)
            question = (name, struct.unpack_from("!H", packet, at)[0])
            at += 4
        for _ in range(min(answers, MOST_ANSWERS)):
            record, at = _record(packet, at)
            records.append(record)
    except (struct.error, IndexError):
        if not flags & 0x0200:  # a truncated message may end anywhere (RFC 2181 9)
            raise MalformedError(f"the message ends within a record ({len(packet)} octets)") from None
    code = flags & 15
    return Reply(
        ident,
        _RCODES[code] if code < len(_RCODES) else f"RCODE{code}",
        bool(flags & 0x0400),
        bool(flags & 0x0200),
        bool(flags & 0x0080),
        question,
        tuple(records),
    )


def decode_name(packet: bytes, at: int) -> tuple[str, int]:
    """Return the name at octet `at` and the octet after it; every pointer must lead further back, so that none can loop."""
    labels, total, end, bound, hops = [], 0, -1, at, 0
    while length := packet[at]:
        if length >= 0xC0:
            target = (length & 0x3F) << 8 | packet[at + 1]
            if end < 0:
                end = at + 2
            hops += 1
            if target >= bound or hops > MOST_LABELS:
                raise MalformedError(f"the compression pointer at octet {at} does not lead back to a name")
            at = bound = target
            continue
        if length > 63:
            raise MalformedError(f"unknown label type at octet {at}")
        label = packet[at + 1 : at + 1 + length]
        total += length + 1
        if total > 254:
            raise MalformedError("a name is longer than 255 octets")
        labels.append(_text(label))
        at += length + 1
    return ".".join(labels) or ".", at + 1 if end < 0 else end


@functools.lru_cache(2048)
def _text(label: bytes) -> str:
    return "".join(_PRINTABLE.get(byte) or f"\\{byte:03}" for byte in label)


def _record(packet: bytes, at: int) -> tuple[Record, int]:
    name, at = decode_name(packet, at)
    number, _, ttl, length = _RECORD.unpack_from(packet, at)
    at += 10
    end = at + length
    if end > len(packet):
        raise IndexError
    try:
        data = _data(number, packet, at, end)
    except (struct.error, IndexError):
        raise MalformedError(f"the data of the {_NAMES.get(number, number)} record at octet {at} is shorter than its fields") from None
    return Record(name, _NAMES.get(number) or f"TYPE{number}", ttl, data), end


def _data(number: int, packet: bytes, at: int, end: int) -> str:
    match _NAMES.get(number):
        case "A" | "AAAA" as kind:
            size, family = (4, socket.AF_INET) if kind == "A" else (16, socket.AF_INET6)
            if end - at != size:
                raise MalformedError(f"an {kind} record of {end - at} octets at octet {at}")
            return socket.inet_ntop(family, packet[at:end])
        case "NS" | "CNAME" | "PTR":
            return _inside(packet, at, end)[0]
        case "MX":
            return f"{struct.unpack_from('!H', packet, at)[0]} {_inside(packet, at + 2, end)[0]}"
        case "SRV":
            priority, weight, port = struct.unpack_from("!HHH", packet, at)
            return f"{priority} {weight} {port} {_inside(packet, at + 6, end)[0]}"
        case "SOA":
            primary, at = _inside(packet, at, end)
            contact, at = _inside(packet, at, end)
            if end - at != 20:
                raise MalformedError(f"the SOA record at octet {at} does not end with five numbers")
            return " ".join((primary, contact, *(str(number) for number in struct.unpack_from("!IIIII", packet, at))))
        case "TXT":
            return _strings(packet, at, end)
        case "CAA":
            length = packet[at + 1]
            if at + 2 + length > end:
                raise IndexError
            tag = _text(packet[at + 2 : at + 2 + length])
            return f"{packet[at]} {tag} {_quoted(packet[at + 2 + length : end])}"
    return packet[at:end].hex()


def _inside(packet: bytes, at: int, end: int) -> tuple[str, int]:
    name, after = decode_name(packet, at)
    if after > end:
        raise IndexError
    return name, after


def _strings(packet: bytes, at: int, end: int) -> str:
    parts = []
    while at < end:
        length = packet[at]
        if at + 1 + length > end:
            raise IndexError
        parts.append(_quoted(packet[at + 1 : at + 1 + length]))
        at += 1 + length
    return " ".join(parts)


def _quoted(octets: bytes) -> str:
    return '"' + "".join(chr(b) if 0x20 <= b < 0x7F and b not in {0x22, 0x5C} else f"\\{b:03}" for b in octets) + '"'
