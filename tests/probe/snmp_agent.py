"""An SNMP agent of our own over real UDP (v1, v2c) that can be told to misbehave; its BER is written apart from the project's."""

import contextlib
import socket
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

Oid = tuple[int, ...]
GET, GET_NEXT, RESPONSE, GET_BULK = 0xA0, 0xA1, 0xA2, 0xA5
NO_SUCH_OBJECT, END_OF_MIB_VIEW = b"\x80\x00", b"\x82\x00"
TOO_BIG, NO_SUCH_NAME, GEN_ERR = 1, 2, 5


def numbers(text: str) -> Oid:
    return tuple(int(part) for part in text.split("."))


def tlv(tag: int, body: bytes) -> bytes:
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    return bytes([tag, 0x82]) + size.to_bytes(2, "big") + body


def integer(value: int, tag: int = 2) -> bytes:
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def counter(value: int) -> bytes:
    return integer(value, 0x41)


def counter64(value: int) -> bytes:
    return integer(value, 0x46)


def ticks(value: int) -> bytes:
    return integer(value, 0x43)


def octets(value: bytes | str) -> bytes:
    return tlv(4, value.encode() if isinstance(value, str) else value)


def oid(value: str | Oid, tag: int = 6) -> bytes:
    parts = numbers(value) if isinstance(value, str) else value
    body = b""
    for part in (40 * parts[0] + parts[1], *parts[2:]):
        piece = bytes([part & 127])
        while part := part >> 7:
            piece = bytes([128 | part & 127]) + piece
        body += piece
    return tlv(tag, body)


class Question(NamedTuple):
    version: int
    community: bytes
    kind: int
    ident: int
    repetitions: int
    oids: tuple[Oid, ...]


def parse(data: bytes) -> Question:
    def take(at: int) -> tuple[int, int, int]:
        size, start = data[at + 1], at + 2
        if size & 128:
            count = size & 127
            size, start = int.from_bytes(data[start : start + count], "big"), start + count
        return data[at], start, start + size

    def whole(at: int) -> tuple[int, int]:
        _, start, stop = take(at)
        return int.from_bytes(data[start:stop], "big", signed=True), stop

    at = take(0)[1]
    version, at = whole(at)
    _, start, at = take(at)
    community = data[start:at]
    kind, at, _ = take(at)
    ident, at = whole(at)
    _, at = whole(at)
    repetitions, at = whole(at)
    _, at, end = take(at)
    names = []
    while at < end:
        _, start, at = take(at)
        _, start, stop = take(start)
        parts, part = [], 0
        for octet in data[start:stop]:
            part = part << 7 | octet & 127
            if not octet & 128:
                parts.append(part)
                part = 0
        names.append((parts[0] // 40, parts[0] % 40, *parts[1:]))
    return Question(version, community, kind, ident, repetitions, tuple(names))


def answer(asked: Question, rows: Iterable[tuple[Oid, bytes]], status: int = 0, index: int = 0, ident: int | None = None) -> bytes:
    """Return an answer with these variables, whatever was asked."""
    variables = b"".join(tlv(0x30, oid(name) + value) for name, value in rows)
    body = integer(asked.ident if ident is None else ident) + integer(status) + integer(index) + tlv(0x30, variables)
    return tlv(0x30, integer(asked.version) + octets(asked.community) + tlv(RESPONSE, body))


class Mib:
    """What an agent in order knows: rows by OID."""

    def __init__(self, rows: dict[str, bytes]):
        self.rows = sorted((numbers(name), value) for name, value in rows.items())
        self.names = [name for name, _ in self.rows]

    def get(self, name: Oid) -> bytes:
        at = bisect_right(self.names, name) - 1
        return self.rows[at][1] if at >= 0 and self.names[at] == name else NO_SUCH_OBJECT

    def after(self, name: Oid, count: int) -> list[tuple[Oid, bytes]]:
        at = bisect_right(self.names, name)
        some = self.rows[at : at + count]
        return some if len(some) == count else [*some, (some[-1][0] if some else name, END_OF_MIB_VIEW)]

    def reply(self, asked: Question) -> bytes:
        """Answer as an agent should."""
        if asked.kind == GET_BULK:
            return answer(asked, [row for name in asked.oids for row in self.after(name, asked.repetitions)])
        rows = [(name, self.get(name)) if asked.kind == GET else self.after(name, 1)[0] for name in asked.oids]
        bad = next((at for at, row in enumerate(rows) if row[1] in (NO_SUCH_OBJECT, END_OF_MIB_VIEW)), None)
        if asked.version == 0 and bad is not None:  # RFC 1157: the request comes back
            return answer(asked, [(name, b"\x05\x00") for name in asked.oids], NO_SUCH_NAME, bad + 1)
        return answer(asked, rows)


Habit = Callable[[Question, bytes], list[bytes] | None]
"""Given a question and its honest answer: the datagrams to send instead, None for the honest one."""


class Agent:
    """A running agent: its port, and the questions that came."""

    def __init__(self, mib: Mib, habit: Habit | None, community: bytes, host: str):
        self.mib, self.habit, self.community = mib, habit, community
        self.asked: list[Question] = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.bind((host, 0))
        self.sock.settimeout(0.05)
        self.port = self.sock.getsockname()[1]
        self.other = socket.socket(family, socket.SOCK_DGRAM)  # to answer from elsewhere
        self.other.bind((host, 0))
        self.elsewhere = False

    def serve(self, over: threading.Event) -> None:
        while not over.is_set():
            try:
                data, peer = self.sock.recvfrom(65535)
            except OSError:
                continue
            asked = parse(data)
            if asked.version == 3 or asked.community != self.community:
                continue
            self.asked.append(asked)
            honest = self.mib.reply(asked)
            sent = self.habit(asked, honest) if self.habit else None
            for datagram in [honest] if sent is None else sent:
                with contextlib.suppress(OSError):
                    (self.other if self.elsewhere else self.sock).sendto(datagram, peer)


@contextlib.contextmanager
def agent(rows: dict[str, bytes], habit: Habit | None = None, community: bytes = b"public", host: str = "127.0.0.1") -> Iterator[Agent]:
    """Run an agent in a thread for the time of the block."""
    running = Agent(Mib(rows), habit, community, host)
    over = threading.Event()
    thread = threading.Thread(target=running.serve, args=(over,))
    thread.start()
    try:
        yield running
    finally:
        over.set()
        thread.join()
        running.sock.close()
        running.other.close()


SYSTEM = {
    "1.3.6.1.2.1.1.1.0": octets("a switch of the tests"),
    "1.3.6.1.2.1.1.2.0": oid("1.3.6.1.4.1.99999.1"),
    "1.3.6.1.2.1.1.3.0": ticks(123_456_700),
    "1.3.6.1.2.1.1.5.0": octets("sw1"),
}


def table(column: str, count: int, make: Callable[[int], bytes] = counter) -> dict[str, bytes]:
    """Return a column of `count` rows with indexes from 1."""
    return {f"{column}.{index}": make(index) for index in range(1, count + 1)}
