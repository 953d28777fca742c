"""ICMP on the wire: building an echo request, reading what an error says and which echo it is about (RFC 792, RFC 4443)."""

import socket
import struct
from typing import NamedTuple

ECHO_REQUEST = {socket.AF_INET: 8, socket.AF_INET6: 128}
ECHO_REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}
ERRORS = {socket.AF_INET: (3, 11, 12), socket.AF_INET6: (1, 2, 3, 4)}
HEADER = struct.Struct("!BBHHH")
TOKEN_BYTES = 8
"""Every burst's payload begins with this many random bytes: an answer that does not carry them is not ours."""

_WORDS = {
    socket.AF_INET: {
        3: "destination unreachable",
        (3, 0): "network unreachable",
        (3, 1): "host unreachable",
        (3, 2): "protocol unreachable",
        (3, 3): "port unreachable",
        (3, 4): "fragmentation needed",
        (3, 9): "network prohibited",
        (3, 10): "host prohibited",
        (3, 13): "communication prohibited",
        11: "time to live exceeded",
        12: "parameter problem",
    },
    socket.AF_INET6: {
        1: "destination unreachable",
        (1, 0): "no route",
        (1, 1): "communication prohibited",
        (1, 2): "beyond scope of source address",
        (1, 3): "address unreachable",
        (1, 4): "port unreachable",
        (1, 5): "source address failed policy",
        (1, 6): "route rejected",
        2: "packet too big",
        3: "hop limit exceeded",
        4: "parameter problem",
    },
}


class HopError(NamedTuple):
    """An ICMP error: who sent it, about the echo `seq` to `target` (packed addresses), and whether our own kernel made it.

    `own` is None where the echo's sender is not told with the error.
    """

    kind: int
    code: int
    hop: bytes
    target: bytes
    seq: int
    own: bool | None


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071) of `data`, 0 … 65535."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


def echo_request(family: int, ident: int, seq: int, payload: bytes) -> bytes:
    """Return one echo request; for IPv6 the kernel fills in the checksum, which covers the addresses."""
    kind = ECHO_REQUEST[socket.AddressFamily(family)]
    bare = HEADER.pack(kind, 0, 0, ident, seq) + payload
    if family == socket.AF_INET6:
        return bare
    return HEADER.pack(kind, 0, checksum(bare), ident, seq) + payload


def payload(token: bytes, size: int) -> bytes:
    """Return `size` bytes that begin with `token` and go on with a pattern in which every byte differs from its neighbours."""
    return (token + bytes(index & 0xFF for index in range(size)))[:size]


def words(family: int, kind: int, code: int) -> str:
    """Return what an ICMP error of this type and code says, in words."""
    known = _WORDS[socket.AddressFamily(family)]
    return known.get((kind, code)) or known.get(kind) or f"ICMP type {kind} code {code}"


def describe(family: int, error: HopError) -> str:
    """Return the sentence for a sample's `error`: what was said and by which hop."""
    said = f"{words(family, error.kind, error.code)} from {socket.inet_ntop(family, error.hop)}"
    if not (_is_ours(family, error.hop) if error.own is None else error.own):
        return said
    return f"{said} (this host: no answer to {'ARP' if family == socket.AF_INET else 'neighbour discovery'})"


def _is_ours(family: int, address: bytes) -> bool:
    """Tell whether an address is one of this host's: only those can be bound to."""
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((socket.inet_ntop(family, address), 0))
        except OSError:
            return False
    return True


def read_error4(packet: bytes) -> HopError | None:
    """Read an IPv4 packet with an ICMP error in it; None when it is no error about an echo request of anyone's."""
    start = (packet[0] & 0xF) * 4 if packet else 0
    inner = start + 8
    if len(packet) < inner + 20 or packet[start] not in ERRORS[socket.AF_INET]:
        return None
    echo = inner + (packet[inner] & 0xF) * 4
    if packet[inner + 9] != socket.IPPROTO_ICMP or len(packet) < echo + 8 or packet[echo] != 8:
        return None
    hop, source, target = packet[12:16], packet[inner + 12 : inner + 16], packet[inner + 16 : inner + 20]
    return HopError(packet[start], packet[start + 1], hop, target, int.from_bytes(packet[echo + 6 : echo + 8], "big"), hop == source)


def read_error6(packet: bytes, hop: bytes) -> HopError | None:
    """Read an ICMPv6 error from `hop`; None when it is no error about an echo request of anyone's."""
    if len(packet) < 56 or packet[0] not in ERRORS[socket.AF_INET6] or packet[14] != socket.IPPROTO_ICMPV6 or packet[48] != 128:
        return None
    return HopError(packet[0], packet[1], hop, packet[32:48], int.from_bytes(packet[54:56], "big"), hop == packet[16:32])
