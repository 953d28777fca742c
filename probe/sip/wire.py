"""What a SIP conversation runs over: the form of a wire, and the wire that is a stream (TCP, TLS; RFC 3261 18)."""

import asyncio
import ssl
import time
from typing import Protocol

import msgspec

from probe.channel import Channel, TlsChannel
from probe.dial import Dialled, dial, hang_up
from probe.resolve import literal_family
from probe.sip.message import MOST_BYTES, MalformedError, SipMessage, length_of, parse, split_head, unfold

KEEP_ALIVE = b"\r\n"
MOST_PENDING = 64  # messages that wait to be read; more are dropped, as by a full socket


class Arrived(msgspec.Struct, frozen=True, gc=False):
    """A message, and the address and port from which it came."""

    message: SipMessage
    source: tuple[str, int]


class BlockedError(Exception):
    """Something on the way refuses to pass our packets on, and says so by ICMP: `by` its address, the text what it says."""

    def __init__(self, by: str, text: str) -> None:
        super().__init__(text)
        self.by = by


class Wire(Protocol):
    """One conversation's way to its peer."""

    transport: str
    reliable: bool
    local: tuple[str, int]
    peer: tuple[str, int]

    async def send(self, data: bytes) -> None:
        """Send one message; OSError, DialError."""
        ...

    async def receive(self) -> Arrived:
        """Return the next message; MalformedError for what is none, OSError and BlockedError for what the network says."""
        ...

    def close(self) -> None:
        """Give up whatever is held."""
        ...


class StreamWire:
    """A connection to the peer; messages are cut by their Content-Length (RFC 3261 18.3)."""

    reliable = True

    def __init__(self, to: Dialled, port: int, transport: str) -> None:
        self.transport = transport
        self.peer = (to.address, port)
        here = to.sock.getsockname()
        self.local: tuple[str, int] = (here[0], here[1])
        self.connect_ms = to.connect_ms
        self.tls_ms: float | None = None
        self.tls_version: str | None = None
        self._sock = to.sock
        self._channel: Channel | TlsChannel = Channel(to.sock)
        self._data = bytearray()
        self._whole = 0  # octets of the message that is coming, once its head has told: it is read but once, however it trickles in

    async def start_tls(self, context: ssl.SSLContext, server_name: str | None) -> None:
        """Shake hands; ssl.SSLError, OSError."""
        channel = TlsChannel(self._sock, context, server_name)
        start = time.perf_counter()
        await channel.handshake()
        self.tls_ms = (time.perf_counter() - start) * 1e3
        self.tls_version = channel.tls.version()
        self._channel = channel

    async def send(self, data: bytes) -> None:
        """Send one message."""
        await self._channel.send(data)

    async def receive(self) -> Arrived:
        """Return the next message; ConnectionError when the peer hung up before it was whole."""
        while True:
            message = self._cut()
            if message is not None:
                return Arrived(message, self.peer)
            part = await self._channel.receive()
            if not part:
                raise ConnectionResetError(104, "the peer closed the connection" + (" within a message" if self._data else ""))
            self._data += part

    def _cut(self) -> SipMessage | None:
        """Take one whole message off the front, None while it is not whole."""
        while self._data[:2] == KEEP_ALIVE:
            del self._data[:2]
        if len(self._data) < self._whole:
            return None
        raw = bytes(self._data)
        head, body = split_head(raw)
        if len(head) == len(raw.lstrip(b"\r\n")):  # its empty line has not come
            if len(raw) > MOST_BYTES:
                raise MalformedError(f"no end of the headers within {MOST_BYTES} octets")
            return None
        length = _announced(head)
        if len(head) + length > MOST_BYTES:
            raise MalformedError(f"a message of {len(head) + length} octets is announced")
        if len(body) < length:
            self._whole = len(raw) - len(body) + length
            return None
        self._whole = 0
        end = len(raw) - len(body) + length
        del self._data[:end]
        return parse(raw[:end])

    def close(self) -> None:
        """Hang up."""
        if isinstance(self._channel, TlsChannel):
            self._channel.say_goodbye()
        hang_up(self._sock)


def _announced(head: bytes) -> int:
    """Return the length of the body; a stream without Content-Length can't be cut (RFC 3261 18.3), so 0 then."""
    for line in unfold(head)[1:]:
        name, _, value = line.partition(":")
        if name.strip().lower() in {"content-length", "l"}:
            return length_of((("content-length", value.strip()),)) or 0
    return 0


async def connect(host: str, port: int, family: int, context: ssl.SSLContext | None) -> StreamWire:
    """Return a connection over TCP, or over TLS with a context; DialError, ssl.SSLError, OSError."""
    to = await dial(host, port, family)
    wire = StreamWire(to, port, "TLS" if context else "TCP")
    if context:
        try:
            await wire.start_tls(context, None if literal_family(host) else host.removesuffix("."))
        except (OSError, asyncio.CancelledError):
            wire.close()
            raise
    return wire
