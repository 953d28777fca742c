"""Captures made by hand: frames of every kind in pcap and pcapng, for the tests of what reads them."""

import struct
from collections.abc import Iterable, Sequence

A, B = b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02"
START_S = 1_700_000_000

Packet = tuple[float, bytes]


def udp(payload: bytes, source: int = 6000, target: int = 6100, a: bytes = A, b: bytes = B, identity: int = 1, place: int = 0) -> bytes:
    """An IPv4 or IPv6 packet by the length of its addresses; `place` is the field of flags and fragment offset."""
    body = struct.pack("!HHHH", source, target, 8 + len(payload), 0) + payload
    return ip(body, 17, a, b, identity, place)


def ip(body: bytes, protocol: int, a: bytes = A, b: bytes = B, identity: int = 1, place: int = 0) -> bytes:
    if len(a) == 16:
        return struct.pack("!IHBB", 6 << 28, len(body), protocol, 64) + a + b + body
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), identity, place, 64, protocol, 0) + a + b + body


def tcp(payload: bytes, number: int, source: int = 5060, target: int = 5070) -> bytes:
    return ip(struct.pack("!HHIIBBHHH", source, target, number & 0xFFFFFFFF, 0, 0x50, 0x18, 1000, 0, 0) + payload, 6)


def rtp(seq: int, stamp: int, ssrc: int = 7, payload: int = 8, size: int = 160) -> bytes:
    return struct.pack("!BBHII", 0x80, payload, seq & 0xFFFF, stamp & 0xFFFFFFFF, ssrc) + b"\xd5" * size


def ethernet(packet: bytes) -> bytes:
    return b"\x02" * 12 + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00") + packet


LINKS = {
    1: ethernet,
    0: lambda packet: b"\x02\x00\x00\x00" + packet,
    101: lambda packet: packet,
    113: lambda packet: b"\x00" * 14 + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00") + packet,
    276: lambda packet: (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00") + b"\x00" * 18 + packet,
}


def vlan(packet: bytes) -> bytes:
    return b"\x02" * 12 + b"\x81\x00\x00\x64\x08\x00" + packet


def two_tags(packet: bytes) -> bytes:
    return b"\x02" * 12 + b"\x88\xa8\x00\x64\x81\x00\x00\x65\x08\x00" + packet


def pcap(packets: Iterable[Packet], link: int = 1, endian: str = "<", nano: bool = False) -> bytes:
    """A pcap; the packets' times are seconds from the start."""
    parts = [struct.pack(endian + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, 262_144, link)]
    for at, data in packets:
        ticks = round(at * (10**9 if nano else 10**6))
        seconds, part = divmod(ticks, 10**9 if nano else 10**6)
        parts.append(struct.pack(endian + "IIII", START_S + seconds, part, len(data), len(data)) + data)
    return b"".join(parts)


def pcapng(packets: Iterable[Packet], link: int = 1, endian: str = "<", resolution: int | None = None) -> bytes:
    options = b"" if resolution is None else struct.pack(endian + "HHBxxxHH", 9, 1, resolution, 0, 0)
    parts = [block(endian, 0x0A0D0D0A, struct.pack(endian + "IHHq", 0x1A2B3C4D, 1, 0, -1))]
    parts.append(block(endian, 1, struct.pack(endian + "HHI", link, 0, 0) + options))
    per_s = 10**6 if resolution is None else 10**resolution
    for at, data in packets:
        ticks = START_S * per_s + round(at * per_s)
        head = struct.pack(endian + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
        parts.append(block(endian, 6, head + data + b"\0" * (-len(data) % 4)))
    return b"".join(parts)


def block(endian: str, kind: int, body: bytes) -> bytes:
    return struct.pack(endian + "II", kind, len(body) + 12) + body + struct.pack(endian + "I", len(body) + 12)


def voice(
    packets: int, after: float = 0.0, back: bool = False, skip: Sequence[int] = (), ports: tuple[int, int] = (6000, 6100), **more: int
) -> list[Packet]:
    """RTP packets from caller to callee (or `back`), one in 20 ms, those of `skip` left out; as IP packets with their time."""
    ends = (*reversed(ports), B, A) if back else (*ports, A, B)
    return [(after + count * 0.02, udp(rtp(65_530 + count, count * 160, **more), *ends)) for count in range(packets) if count not in skip]


def framed(packets: Iterable[Packet], link: int = 1) -> list[Packet]:
    return [(at, LINKS[link](packet)) for at, packet in packets]


def sdp(port: int, address: str = "10.0.0.1", direction: str = "sendrecv", rtpmap: str = "8 PCMA/8000") -> str:
    number = rtpmap.partition(" ")[0]
    return f"v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\nm=audio {port} RTP/AVP {number}\r\na=rtpmap:{rtpmap}\r\na={direction}\r\n"


def sip(first: str, cseq: str, body: str = "", call: str = "one@lab", to_tag: str = "", from_tag: str = "a", extra: str = "") -> bytes:
    head = (
        f"{first}\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{cseq.replace(' ', '')}\r\nFrom: <sip:02155556666@10.0.0.1>;tag={from_tag}\r\n"
    )
    head += f"To: <sip:13800138000@10.0.0.2>{';tag=' + to_tag if to_tag else ''}\r\nCall-ID: {call}\r\nCSeq: {cseq}\r\n{extra}"
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return f"{head}{kind}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def call(
    call_id: str = "one@lab", start: float = 0.0, seconds: float = 5.0, ports: tuple[int, int] = (6000, 6100), **own: str
) -> list[Packet]:
    """The messages of an answered call, without voice: INVITE, 180, 200, ACK, BYE by the caller, 200."""
    mine, theirs = sdp(ports[0], own.get("address", "10.0.0.1")), sdp(ports[1], "10.0.0.2", own.get("direction", "sendrecv"))
    steps = [
        (0.0, sip("INVITE sip:13800138000@10.0.0.2 SIP/2.0", "1 INVITE", mine, call_id), True),
        (1.0, sip("SIP/2.0 180 Ringing", "1 INVITE", "", call_id, "b"), False),
        (2.0, sip("SIP/2.0 200 OK", "1 INVITE", theirs, call_id, "b"), False),
        (2.1, sip("ACK sip:13800138000@10.0.0.2 SIP/2.0", "1 ACK", "", call_id, "b"), True),
        (2.0 + seconds, sip("BYE sip:13800138000@10.0.0.2 SIP/2.0", "2 BYE", "", call_id, "b"), True),
        (2.0 + seconds + 0.1, sip("SIP/2.0 200 OK", "2 BYE", "", call_id, "b"), False),
    ]
    return [(start + at, udp(text, 5060, 5060, *((A, B) if asks else (B, A)))) for at, text, asks in steps]
