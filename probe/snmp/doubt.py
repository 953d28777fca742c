"""Asks what gufo-snmp can't: who answers, from where, with which error-status or report, when a session has had no proper answer.

One unconnected socket a family for all devices: a connected one, as sessions have, never sees an answer from another address or port.
What is learned here becomes words or an anomaly, never a reading: these answers are not authenticated.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from probe.snmp import ber
from probe.snmp.ber import INTEGER, NULL, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, Malformed
from probe.snmp.credential import Credential
from probe.snmp.digest import DIGESTS
from probe.snmp.session import Session

WAIT_S = 1.0
MOST_AT_ONCE = 64
_GET, _GET_NEXT, _RESPONSE, _REPORT = 0xA0, 0xA1, 0xA2, 0xA8
SYS_UP_TIME = "1.3.6.1.2.1.1.3.0"

# RFC 3416 3
ERROR_STATUS = (
    "noError", "tooBig", "noSuchName", "badValue", "readOnly", "genErr", "noAccess", "wrongType", "wrongLength", "wrongEncoding",
    "wrongValue", "noCreation", "inconsistentValue", "resourceUnavailable", "commitFailed", "undoFailed", "authorizationError",
    "notWritable", "inconsistentName",
)  # fmt: skip
_USM_STATS = "1.3.6.1.6.3.15.1.1."  # SNMP-USER-BASED-SM-MIB (RFC 3414 5)


class Reply(NamedTuple):
    """What came back: from where, its error-status (a name) or the OID that a report carries, and of v3 the engine's ID, boots and time."""

    address: str
    port: int
    status: str
    report: str
    engine: tuple[bytes, int, int] | None


class Doubts:
    """The sockets, opened when first needed, and the questions under way."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._socks: dict[int, socket.socket] = {}
        self._waiting: dict[int, asyncio.Future[Reply | None]] = {}

    def close(self) -> None:
        """Close the sockets; whoever waits is told that nothing came."""
        for ident in tuple(self._waiting):
            self._answer(ident, None)
        for sock in self._socks.values():
            self._loop.remove_reader(sock)
            sock.close()
        self._socks.clear()

    async def error_status(self, session: Session, oid: str) -> str | None:
        """Return the error-status of a GETNEXT; None for noError, for noSuchName (v1's end of a walk), and where it can't be seen."""
        if session.credential.version == "v3":
            return None
        reply = await self._ask(session, lambda ident: community_question(ident, session.credential, _GET_NEXT, oid))
        return None if reply is None or reply.status in {"noError", "noSuchName"} else reply.status

    def alive(self, session: Session) -> "asyncio.Future[Reply | None]":
        """Return who answers the least question there is (sysUpTime; of a v3 engine its identity); None for silence."""
        if session.credential.version == "v3":
            return self._ask(session, lambda ident: user_question(ident, session.credential, None))
        return self._ask(session, lambda ident: community_question(ident, session.credential, _GET, SYS_UP_TIME))

    async def user_report(self, session: Session, engine: tuple[bytes, int, int]) -> str | None:
        """Return the usmStats counter (its number in RFC 3414 5) that a question of our user with a wrong digest raises, None for none.

        5 (usmStatsWrongDigests) is what a right user meets here; 3 is an unknown one, 1 one that may not ask at this level.
        """
        reply = await self._ask(session, lambda ident: user_question(ident, session.credential, engine))
        return reply.report.removeprefix(_USM_STATS).partition(".")[0] if reply and reply.report.startswith(_USM_STATS) else None

    def _ask(self, session: Session, make: Callable[[int], bytes]) -> "asyncio.Future[Reply | None]":
        """Send a question at once; the answer, or None after WAIT_S, is in the future; no task, for there may be a thousand."""
        future: asyncio.Future[Reply | None] = self._loop.create_future()
        sock = self._sock(session.family)
        ident = int.from_bytes(os.urandom(4), "big") & 0x7FFFFFFF
        if sock is None or ident in self._waiting:
            future.set_result(None)
            return future
        self._waiting[ident] = future
        try:
            host, _, zone = session.address.partition("%")
            to = (host, session.port, 0, _zone(zone)) if session.family == socket.AF_INET6 else (host, session.port)
            sock.sendto(make(ident), to)
        except OSError:
            self._answer(ident, None)
        else:
            self._loop.call_later(WAIT_S, self._answer, ident, None)
        return future

    def _answer(self, ident: int, reply: Reply | None) -> None:
        future = self._waiting.pop(ident, None)
        if future is not None and not future.done():
            future.set_result(reply)

    def _sock(self, family: int) -> socket.socket | None:
        sock = self._socks.get(family)
        if sock is None:
            try:
                sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            except OSError:
                return None
            self._socks[family] = sock
            self._loop.add_reader(sock, self._read, sock)
        return sock

    def _read(self, sock: socket.socket) -> None:
        for _ in range(MOST_AT_ONCE):
            try:
                data, source = sock.recvfrom(65535)
            except BlockingIOError:
                return
            except OSError:
                continue
            try:
                ident, reply = read_reply(data, source[0], source[1])
            except Malformed:
                continue
            self._answer(ident, reply)


def _zone(text: str) -> int:
    return int(text) if text.isdigit() else socket.if_nametoindex(text) if text else 0


def number(value: int) -> bytes:
    """Return a non-negative INTEGER."""
    return ber.element(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


@lru_cache(256)
def object_identifier(oid: str) -> bytes:
    """Return an OBJECT IDENTIFIER of dotted numbers."""
    first, second, *arcs = map(int, oid.split("."))
    octets = bytearray()
    for arc in (40 * first + second, *arcs):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        octets += bytes(reversed(groups))
    return ber.element(OBJECT_IDENTIFIER, bytes(octets))


def pdu(kind: int, ident: int, *oids: str) -> bytes:
    """Return a request (RFC 3416 3) for these objects."""
    null = ber.element(NULL, b"")
    variables = b"".join(ber.element(SEQUENCE, object_identifier(oid) + null) for oid in oids)
    return ber.element(kind, number(ident) + number(0) + number(0) + ber.element(SEQUENCE, variables))


def community_question(ident: int, credential: Credential, kind: int, oid: str) -> bytes:
    """Return a question of v1 or v2c (RFC 1157, RFC 3416)."""
    community = ber.element(OCTET_STRING, credential.community.encode())
    return ber.element(SEQUENCE, number(0 if credential.version == "v1" else 1) + community + pdu(kind, ident, oid))


def user_question(ident: int, credential: Credential, engine: tuple[bytes, int, int] | None) -> bytes:
    """Return a v3 question (RFC 3412 6, RFC 3414 2.4): to an unknown engine for its identity, to a known one as our user, digest zero."""
    octets = DIGESTS[credential.auth][1] if engine is not None and credential.auth != "none" else 0
    encrypted = octets > 0 and credential.privacy != "none"
    flags = bytes((4 | (octets > 0) | 2 * encrypted,))
    head = number(ident) + number(65507) + ber.element(OCTET_STRING, flags) + number(3)
    name, boots, time = engine or (b"", 0, 0)
    user = credential.user.encode() if engine else b""
    words = [ber.element(OCTET_STRING, word) for word in (user, bytes(octets), bytes(8 * encrypted))]
    security = ber.element(SEQUENCE, ber.element(OCTET_STRING, name) + number(boots) + number(time) + b"".join(words))
    scoped = ber.element(OCTET_STRING, name) + ber.element(OCTET_STRING, b"")
    asked = pdu(_GET, ident, *([SYS_UP_TIME] if engine else []))
    data = ber.element(OCTET_STRING, bytes(48)) if encrypted else ber.element(SEQUENCE, scoped + asked)
    return ber.element(SEQUENCE, number(3) + ber.element(SEQUENCE, head) + ber.element(OCTET_STRING, security) + data)


def read_reply(data: bytes, address: str, port: int) -> tuple[int, Reply]:
    """Return the identifier of the question (msgID for v3, else request-id) and the reply; Malformed."""
    start, end = ber.expect(data, 0, len(data), SEQUENCE)
    version, at = _number(data, start, end)
    if version != 3:
        _, at = ber.expect(data, at, end, OCTET_STRING)
        ident, status, report = _read_pdu(data, at, end)
        return ident, Reply(address, port, status, report, None)
    head, at = ber.expect(data, at, end, SEQUENCE)
    ident, _ = _number(data, head, at)
    outer, at = ber.expect(data, at, end, OCTET_STRING)
    start, stop = ber.expect(data, outer, at, SEQUENCE)
    first, after = ber.expect(data, start, stop, OCTET_STRING)
    boots, then = _number(data, after, stop)
    time, _ = _number(data, then, stop)
    engine = (data[first:after], boots, time)
    tag, start, stop = ber.read(data, at, end)
    if tag != SEQUENCE:  # encrypted
        return ident, Reply(address, port, "", "", engine)
    for _ in range(2):  # contextEngineID, contextName
        _, start = ber.expect(data, start, stop, OCTET_STRING)
    _, status, report = _read_pdu(data, start, stop)
    return ident, Reply(address, port, status, report, engine)


def _number(data: bytes, at: int, end: int) -> tuple[int, int]:
    start, stop = ber.expect(data, at, end, INTEGER)
    return ber.integer(data, start, stop), stop


def _read_pdu(data: bytes, at: int, end: int) -> tuple[int, str, str]:
    """Return request-id, the name of the error-status, and of a report the OID of its counter ("" for a response)."""
    tag, start, end = ber.read(data, at, end)
    if tag not in (_RESPONSE, _REPORT):
        raise Malformed(f"a message of kind {tag:#04x} is no answer")
    ident, at = _number(data, start, end)
    status, at = _number(data, at, end)
    report = ""
    if tag == _REPORT:
        _, at = _number(data, at, end)
        for _ in range(2):  # the list, its first pair
            at, end = ber.expect(data, at, end, SEQUENCE)
        report = ber.object_identifier(data, *ber.expect(data, at, end, OBJECT_IDENTIFIER))
    return ident, ERROR_STATUS[status] if 0 <= status < len(ERROR_STATUS) else f"error-status {status}", report
