"""Small servers on loopback for the agent to measure: one TCP port that also speaks HTTP, and a DNS server; in a thread of the bench."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nok\n"
RECORD = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01"  # the name asked for has A 192.0.2.1 (RFC 1035 4.1.3)


class _Names(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        end = data.index(b"\0", 12) + 5  # the question: name, type, class
        head = data[:2] + b"\x85\x80\x00\x01\x00\x01\x00\x00\x00\x00"  # answer, authoritative, one record
        self._transport.sendto(head + data[12:end] + RECORD, address)


@contextlib.contextmanager
def serving() -> Iterator[tuple[int, int]]:
    """Yield the ports (TCP and HTTP, DNS) at which something answers within the block."""
    loop, ports, ready = asyncio.new_event_loop(), [], threading.Event()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
            await writer.drain()
        writer.close()

    async def start() -> None:
        server = await asyncio.start_server(speak, "127.0.0.1", 0, backlog=1024)
        transport, _ = await loop.create_datagram_endpoint(_Names, ("127.0.0.1", 0))
        ports.extend((server.sockets[0].getsockname()[1], transport.get_extra_info("sockname")[1]))
        ready.set()

    def work() -> None:
        loop.run_until_complete(start())
        loop.run_forever()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield ports[0], ports[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
