"""A conversation with a server that may be hostile: plain first, TLS when both sides agree, every read bounded.

The deadline comes from outside (`probe.run`); what is bounded here is how many bytes a peer can make us hold or work through.
"""

import functools
import socket
import ssl
from time import perf_counter

from probe.channel import Channel, TlsChannel
from probe.dial import Dialled
from probe.observation.failure import Kind

MOST_BYTES = 64 * 1024  # of one whole exchange; an honest one takes less than 4 KiB


class RefusedError(Exception):
    """The peer answered, and the answer is a refusal or nonsense; or (`kind` DENIED) we decline to go on.

    `code` is the peer's own code ("53300", "1040"), empty when it has none.
    """

    def __init__(self, words: str, code: str = "", kind: Kind = Kind.REJECTED):
        super().__init__(f"{code} {words}" if code else words)
        self.code = code
        self.kind = kind


class TlsError(RefusedError):
    """TLS was agreed upon and failed."""


def count(text: str | None) -> int:
    """Return a number of connections as a server tells it; RefusedError when it is none, or no such number can be."""
    if text is None or not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise RefusedError("answered the statement with something else than was asked for")
    return int(text)


class Connection:
    """A dialled socket; after `start_tls` all goes through TLS. Whoever dialled hangs up."""

    def __init__(self, to: Dialled, port: int):
        self.address, self.port, self.connect_ms = to.address, port, to.connect_ms
        self.encrypted = False
        # else our small packets wait for the peer's delayed acknowledgement: 40 ms that are not the server's
        to.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._since = perf_counter()
        self._channel = Channel(to.sock)
        self._left = MOST_BYTES
        self._received = bytearray()

    def elapsed_ms(self) -> float:
        """Return the milliseconds since the first SYN."""
        return self.connect_ms + (perf_counter() - self._since) * 1000

    async def exactly(self, count: int) -> bytes:
        """Return the next `count` bytes; RefusedError when the peer hangs up before, or has sent more than is bearable."""
        while len(self._received) < count:
            try:
                data = await self._channel.receive()
            except ssl.SSLError as why:
                raise _tls_refusal(why) from None
            except ConnectionError:
                data = b""
            if not data:
                raise RefusedError("closed the connection in the middle of its answer")
            self._left -= len(data)
            if self._left < 0:
                raise RefusedError(f"sent more than {MOST_BYTES} bytes")
            self._received += data
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken

    async def send(self, data: bytes) -> None:
        """Send all of `data`; RefusedError when the peer has hung up."""
        try:
            await self._channel.send(data)
        except ssl.SSLError as why:
            raise _tls_refusal(why) from None
        except ConnectionError:
            raise RefusedError("closed the connection while we were speaking") from None

    async def start_tls(self, context: ssl.SSLContext, server_name: str) -> None:
        """Do the TLS handshake; RefusedError with the library's words when it fails."""
        if self._received:
            # sent before the handshake, so by anybody: it must not be taken for what was said inside (CVE-2021-23222)
            raise RefusedError("sent plain text after agreeing to TLS")
        channel = TlsChannel(self._channel.sock, context, server_name)
        try:
            await channel.handshake()
        except ssl.SSLError as why:
            raise _tls_refusal(why) from None
        except ConnectionError:
            raise TlsError("closed the connection in the TLS handshake") from None
        self._channel, self.encrypted = channel, True

    async def take_leave(self) -> None:
        """Tell a TLS peer that we go: without it, servers log "connection reset by peer"."""
        if not isinstance(self._channel, TlsChannel):
            return
        try:
            self._channel.tls.unwrap()
        except ssl.SSLError:
            pass  # its own farewell is not waited for
        try:
            await self._channel.loop.sock_sendall(self._channel.sock, self._channel.outgoing.read())
        except OSError:
            pass  # it went first


def _tls_refusal(why: ssl.SSLError) -> TlsError:
    """An SSLError is an OSError whose errno is no errno (1 is not EPERM): it must not be read as one."""
    return TlsError(f"TLS: {why.reason or 'handshake failed'}")


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Return the context for a login: any certificate will do.

    Whether a certificate is good is the question of the tls prober; here TLS is the envelope of a password. And MySQL counts a
    handshake that ends in "unknown certificate" towards `max_connect_errors`.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
