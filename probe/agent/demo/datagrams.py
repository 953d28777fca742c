"""What the demo's servers that answer by datagrams have in common."""

import asyncio
import contextlib
from typing import Any


class Answering(asyncio.DatagramProtocol):
    """Sends datagrams once it has its socket; what can't go out is lost, as on any network."""

    _transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport

    def send(self, data: bytes, to: tuple[str, int]) -> None:
        """Send one datagram."""
        with contextlib.suppress(OSError):
            self._transport.sendto(data, to)

    @property
    def over(self) -> bool:
        """Tell whether its socket is closed."""
        return self._transport is None or bool(self._transport.is_closing())
