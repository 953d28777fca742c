"""Connects to a TCP port and hangs up: one three-way handshake, timed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from msgspec import Meta

from probe import job
from probe.dial import FAMILIES, DialError, address_of, dial, hang_up
from probe.inventory import Node
from probe.observation.observation import Outcome
from probe.observation.tcp import ConnectSample
from probe.target import read_address_and_port


class Options(job.Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set for a `tcp` check."""

    port: Annotated[int, Meta(description="TCP port to connect to", ge=1, le=65535)]
    family: Annotated[
        Literal["any", "ipv4", "ipv6"], Meta(description="which addresses of a name to use; the first of them is measured")
    ] = "any"

    @property
    def item(self) -> str:
        """The port."""
        return str(self.port)


class TcpProber:
    """Holds nothing: each question is a connection of its own."""

    async def ask(self, node: Node, options: Options) -> Outcome:
        """Return how long the handshake took, or why there was none."""
        try:
            to = await dial(address_of(node), options.port, FAMILIES[options.family])
        except DialError as why:
            return why.failure
        hang_up(to.sock)
        return ConnectSample(to.address, options.port, to.connect_ms)


@asynccontextmanager
async def open() -> AsyncIterator[TcpProber]:
    """Yield the prober."""
    yield TcpProber()


def read_target(text: str) -> tuple[str, dict[str, Any]]:
    """Read `host:port` or `[::1]:port`; ValueError says what is missing."""
    address, port = read_address_and_port(text)
    return address, {"port": port}
