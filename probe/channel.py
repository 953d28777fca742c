"""Bytes to and from a peer over a connected socket, plain or in TLS; no buffers or threads of its own."""

import asyncio
import socket
import ssl

_AT_MOST = 65536
MOST_UNREAD = 1 << 20  # octets of TLS that lead to nothing to read; a handshake with the longest chain that OpenSSL takes has 100 KiB


class Channel:
    """A connected, non-blocking socket."""

    def __init__(self, sock: socket.socket):
        self.sock = sock
        self.loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        """Send all of `data`; OSError."""
        await self.loop.sock_sendall(self.sock, data)

    async def receive(self) -> bytes:
        """Return what comes next, b"" when the peer has finished; OSError."""
        return await self._next()

    async def _next(self) -> bytes:
        # What is there already is returned without waiting: a peer that never pauses would stop the loop, and our deadline with it.
        await asyncio.sleep(0)
        return await self.loop.sock_recv(self.sock, _AT_MOST)


class TlsChannel(Channel):
    """The same inside TLS; `handshake` comes first. ssl.SSLError is an OSError, too."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, server_name: str | None):
        super().__init__(sock)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=server_name)
        self._unread = 0

    async def handshake(self) -> None:
        """Shake hands (RFC 8446 2); ssl.SSLError says what the peer or its certificate lacks, ConnectionError that it hung up."""
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
            except ssl.SSLError:
                await self._flush()  # the alert that tells the peer why
                raise
            else:
                await self._flush()
                return

    async def send(self, data: bytes) -> None:
        """Send all of `data`; OSError."""
        self.tls.write(data)
        await self._flush()

    async def receive(self) -> bytes:
        """Return what comes next, b"" when the peer has finished, with or without close_notify; OSError."""
        while True:
            try:
                data = self.tls.read(_AT_MOST)
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""
            else:
                self._unread = 0
                return data

    def say_goodbye(self) -> None:
        """Send close_notify (RFC 8446 6.1) if that does not mean waiting: many servers log an end without it as an attack."""
        try:
            self.tls.unwrap()
        except OSError:  # the peer's own goodbye, for which we do not wait
            pass
        try:
            self.sock.send(self.outgoing.read())
        except OSError:
            pass

    async def _flush(self) -> None:
        if self.outgoing.pending:
            await self.loop.sock_sendall(self.sock, self.outgoing.read())

    async def _fill(self) -> None:
        data = await self._next()
        self._unread += len(data)
        if self._unread > MOST_UNREAD:  # OpenSSL passes over HelloRequests, tickets and key updates without end
            raise ssl.SSLError(ssl.SSL_ERROR_SSL, f"{MOST_UNREAD} octets of TLS came, and nothing in them")
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()
