"""Asks a SIP server or device what it can do: one OPTIONS (RFC 3261 11) over UDP, TCP or TLS. Any answer proves that it lives."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from msgspec import Meta

from probe.dial import DialError, address_of
from probe.inventory import Node
from probe.observation.observation import Outcome
from probe.sip.client import SipOptions, ask_options
from probe.sip.datagram import Endpoints
from probe.target import read_address_and_port


class Options(SipOptions, frozen=True, kw_only=True):
    """What can be set for a `sip` check."""

    user: Annotated[str, Meta(description="user part of the URI asked; without it the server itself is asked")] = ""

    def __post_init__(self) -> None:
        """Refuse what could not be sent; ValueError."""
        self.check_texts(user=self.user)

    @property
    def item(self) -> str:
        """Transport, port and user, where they are not the usual ones."""
        return f"{self.at} {self.user}".strip()


class SipProber:
    """Keeps one UDP socket for each address family."""

    def __init__(self) -> None:
        self._endpoints = Endpoints()

    async def ask(self, node: Node, options: Options) -> Outcome:
        """Return the final answer, whatever its code; over TCP and TLS each question is a connection of its own."""
        try:
            host = address_of(node)
        except DialError as why:
            return why.failure
        return await ask_options(self._endpoints, host, options, options.user)

    def close(self) -> None:
        """Close the sockets."""
        self._endpoints.close()


@asynccontextmanager
async def open() -> AsyncIterator[SipProber]:
    """Yield the prober; its sockets are closed at the end."""
    prober = SipProber()
    try:
        yield prober
    finally:
        prober.close()


def read_target(text: str) -> tuple[str, dict[str, Any]]:
    """Read `host`, `host:port` or `[::1]:port`; ValueError says what is wrong."""
    address, port = read_address_and_port(text, 0)
    return address, {"port": port} if port else {}
