"""The demo's softswitch and gateways: OPTIONS and REGISTER over UDP (RFC 3261), as much as a check and a gateway need."""

import asyncio
import re
import time
from collections import OrderedDict

from probe.agent.demo.datagrams import Answering

EXPIRES_S, RENEWED_S = 20, 5.0
MOST_NUMBERS = 64
_HEADER = re.compile(r"^([A-Za-z-]+)[ \t]*:[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_EXPIRES = re.compile(r";\s*expires=(\d+)", re.IGNORECASE)
_CODECS = "m=audio 40000 RTP/AVP 8 0\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"

Peer = tuple[str, int]


class Agent(Answering):
    """Answers OPTIONS as a device of this name; with `registers` = (registrar, number) it registers there from the same port."""

    def __init__(self, address: str, port: int, name: str, registers: tuple[Peer, str] | None = None) -> None:
        self._address, self._port, self._name, self._registers = address, port, name, registers
        self._number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, and register where that is asked for."""
        super().connection_made(transport)
        if self._registers is not None:
            self._register(*self._registers)

    def datagram_received(self, data: bytes, addr: Peer) -> None:
        """Answer a request; answers to our own are left alone."""
        text = data.decode("utf-8", "replace")
        method = text.partition(" ")[0]
        if method not in ("SIP/2.0", "ACK") and "\r\n" in text:
            self.send(self.answer(method, text, time.monotonic()).encode(), addr)

    def answer(self, method: str, text: str, now: float) -> str:
        """Return the answer to a request at the monotonic time `now`."""
        del now
        return self.reply(text, 200, "OK", body=_session(self._address)) if method == "OPTIONS" else self.reply(text, 405, "Not Allowed")

    def reply(self, text: str, code: int, reason: str, contacts: list[str] | None = None, body: str = "") -> str:
        """Return an answer that carries the headers which must come back."""
        found: dict[str, list[str]] = {}
        for name, value in _HEADER.findall(text.partition("\r\n\r\n")[0]):
            found.setdefault(name.lower(), []).append(value)
        to = next(iter(found.get("to", [])), "")
        own = [f"<sip:{self._address}:{self._port}>"] if contacts is None else contacts
        lines = [
            f"SIP/2.0 {code} {reason}",
            *(f"Via: {via}" for via in found.get("via", [])),
            *(f"From: {one}" for one in found.get("from", [])[:1]),
            f"To: {to}" if ";tag=" in to else f"To: {to};tag=demo",
            *(f"Call-ID: {one}" for one in found.get("call-id", [])[:1]),
            *(f"CSeq: {one}" for one in found.get("cseq", [])[:1]),
            *(f"Contact: {one}" for one in own),
            "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, REGISTER",
            f"Server: {self._name}",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join(lines) + "\r\n\r\n" + body

    def _register(self, registrar: Peer, number: str) -> None:
        self._number += 1
        me = f"sip:{number}@{registrar[0]}"
        lines = [
            f"REGISTER sip:{registrar[0]} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._address}:{self._port};branch=z9hG4bK{number}{self._number};rport",
            f"From: <{me}>;tag=r{self._number}",
            f"To: <{me}>",
            f"Call-ID: {number}@{self._address}",
            f"CSeq: {self._number} REGISTER",
            f"Contact: <sip:{number}@{self._address}:{self._port}>;expires={EXPIRES_S}",
            f"User-Agent: {self._name}",
            "Max-Forwards: 70",
            "Content-Length: 0",
        ]
        if not self.over:
            self.send(("\r\n".join(lines) + "\r\n\r\n").encode(), registrar)
            asyncio.get_running_loop().call_later(RENEWED_S, self._register, registrar, number)


class Registrar(Agent):
    """A softswitch: it also keeps who registered from where, until that expires; the oldest goes where there are too many."""

    def __init__(self, address: str, port: int, name: str) -> None:
        super().__init__(address, port, name)
        self._bound: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def answer(self, method: str, text: str, now: float) -> str:
        """Return the answer to a request; a REGISTER without Contact only asks (RFC 3261 10.2.3)."""
        if method != "REGISTER":
            return super().answer(method, text, now)
        headers = {name.lower(): value for name, value in _HEADER.findall(text)}
        number = headers.get("to", "").partition("sip:")[2].partition("@")[0]
        contact = headers.get("contact")
        if contact is not None:
            given = _EXPIRES.search(contact)
            lasts_s = min(int(given[1]), 3600) if given else EXPIRES_S
            self._bound.pop(number, None)
            self._bound[number] = (contact.partition(";expires")[0], now + lasts_s)
            if len(self._bound) > MOST_NUMBERS:
                self._bound.popitem(last=False)
        where, until = self._bound.get(number, ("", 0.0))
        return self.reply(text, 200, "OK", [f"{where};expires={round(until - now)}"] if until > now else [])


def _session(address: str) -> str:
    return f"v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n{_CODECS}"
