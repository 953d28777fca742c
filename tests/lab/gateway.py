"""A voice gateway, or the carrier's switch: answers SIP over UDP and echoes RTP. `gateway.py ADDRESS AGENT CODECS [REGISTRAR USER]`.

OPTIONS and INVITE are answered 200 with a Contact and a session description of its own address; what it receives as RTP in a call it sends
back. With REGISTRAR it registers USER there from the same port, for `EXPIRES_S`, and again every `RENEWED_S`. CODECS are RTP payload types ("8 0 18"; "" is all).
"""

import re
import selectors
import socket
import sys
import time

SIP, RTP, EXPIRES_S, RENEWED_S = 5060, 40000, 60, 1.0
NAMES = {"8": "PCMA", "0": "PCMU", "18": "G729"}  # RFC 3551


def header(message: str, name: str) -> str:
    """Return all lines of a header, joined as they came."""
    return "\r\n".join(re.findall(rf"^({name}:[^\r\n]*)", message, re.MULTILINE | re.IGNORECASE))


def answer(message: str, address: str, agent: str, codecs: list[str]) -> str | None:
    """Return the response to a request, or None where none is due."""
    method = message.partition(" ")[0]
    if method in {"ACK", "SIP/2.0"}:
        return None
    code, reason, body = 200, "OK", ""
    if method in {"OPTIONS", "INVITE"}:
        body = (
            f"v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
            f"m=audio {RTP} RTP/AVP {' '.join(codecs)}\r\n" + "".join(f"a=rtpmap:{one} {NAMES[one]}/8000\r\n" for one in codecs)
        )
    elif method not in {"BYE", "CANCEL"}:
        code, reason = 405, "Method Not Allowed"
    to = header(message, "To")
    lines = [
        f"SIP/2.0 {code} {reason}",
        header(message, "Via"),
        header(message, "Record-Route"),
        header(message, "From"),
        to if ";tag=" in to else f"{to};tag=gw",
        header(message, "Call-ID"),
        header(message, "CSeq"),
        f"Contact: <sip:gateway@{address}:{SIP}>",
        "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS",
        f"Server: {agent}",
        *(["Content-Type: application/sdp"] if body else []),
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(line for line in lines if line) + "\r\n\r\n" + body


def registration(address: str, agent: str, registrar: str, user: str, number: int) -> str:
    return "\r\n".join(
        [
            f"REGISTER sip:{registrar} SIP/2.0",
            f"Via: SIP/2.0/UDP {address}:{SIP};branch=z9hG4bK{number};rport",
            f"From: <sip:{user}@{registrar}>;tag=r{number}",
            f"To: <sip:{user}@{registrar}>",
            f"Call-ID: register@{address}",
            f"CSeq: {number} REGISTER",
            f"Contact: <sip:{user}@{address}:{SIP}>;expires={EXPIRES_S}",
            f"User-Agent: {agent}",
            "Max-Forwards: 70",
            "Content-Length: 0",
            "",
            "",
        ]
    )


def main(address: str, agent: str, codecs: str, registrar: str = "", user: str = "") -> None:
    voice, media = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    voice.bind((address, SIP))
    media.bind((address, RTP))
    selector = selectors.DefaultSelector()
    for sock in (voice, media):
        sock.setblocking(False)
        selector.register(sock, selectors.EVENT_READ)
    number, due = 0, time.monotonic()
    while True:
        if registrar and time.monotonic() >= due:
            number, due = number + 1, time.monotonic() + RENEWED_S
            try:
                voice.sendto(registration(address, agent, registrar, user, number).encode(), (registrar, SIP))
            except OSError:  # it has no network: again at the next turn
                pass
        for key, _ in selector.select(RENEWED_S):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            try:
                data, peer = sock.recvfrom(65535)
                if sock is media:
                    media.sendto(data, peer)
                elif text := answer(data.decode("utf-8", "replace"), address, agent, codecs.split() or list(NAMES)):
                    voice.sendto(text.encode(), peer)
            except OSError:  # the network is down, or a peer's port is closed
                continue


if __name__ == "__main__":
    main(*sys.argv[1:])
