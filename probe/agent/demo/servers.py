"""The demo's other servers: names (RFC 1035), a page, and a database's greeting (the protocol of PostgreSQL, version 3)."""

import asyncio
import contextlib
import socket
import struct

from probe.agent.demo.datagrams import Answering

PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
_RECORD = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04"  # the name asked for has an A record for 60 s
_QUESTION_AT, _A = 12, 1
_SSL_REQUEST = 80877103
_PASSWORD_WANTED = b"R" + struct.pack(">II", 8, 3)  # AuthenticationCleartextPassword
_PATIENCE_S, _MOST_GREETING = 5.0, 1024


class Names(Answering):
    """A resolver that knows one address for every name."""

    def __init__(self, address: str) -> None:
        self._address = socket.inet_aton(address)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a question for an A record; what is none gets no answer."""
        end = data.find(b"\0", _QUESTION_AT) + 5
        if end < _QUESTION_AT + 5 or len(data) < end:
            return
        wanted = struct.unpack_from(">H", data, end - 4)[0] == _A
        head = data[:2] + struct.pack(">HHHHH", 0x8580, 1, int(wanted), 0, 0)  # response, authoritative, recursion available
        self.send(head + data[_QUESTION_AT:end] + (_RECORD + self._address if wanted else b""), addr)


async def speak_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request."""
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        async with asyncio.timeout(_PATIENCE_S):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(PAGE)
            await writer.drain()
    writer.close()


async def speak_postgresql(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Refuse TLS, and ask who begins for a password: a greeting, behind which there is nothing."""
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                length, word = struct.unpack(">II", await reader.readexactly(8))
                if word != _SSL_REQUEST:
                    break
                writer.write(b"N")
            await reader.readexactly(min(max(0, length - 8), _MOST_GREETING))
            writer.write(_PASSWORD_WANTED)
            await writer.drain()
            await reader.read(1)
    writer.close()
