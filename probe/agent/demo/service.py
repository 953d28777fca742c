"""The agent's machine: the real service with the demo's configuration, and a way to its page from outside."""

import asyncio
import contextlib
import logging
import os
import socket
from pathlib import Path

from probe.agent.demo.kernel import CLONE_NEWNS, mount, unshare

MOST_CALLERS = 64
PIECE = 1 << 16
JOURNAL = "journal"


def serve(config: Path, outside: socket.socket, own_place: bool) -> None:
    """Run the service until it ends; callers of the socket `outside`, which stands in the newcomer's network, are led to its page.

    `own_place`: this process has namespaces of its own.
    """
    from probe.agent.places import state_folder
    from probe.agent.service import Service
    from probe.agent.settings.load import load

    for name in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY", "NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "WATCHDOG_USEC"):
        os.environ.pop(name, None)  # the newcomer's own service may have been started by systemd; this one is not
    if own_place:
        unshare(CLONE_NEWNS)
        for kind in ("proc", "sysfs"):  # so that it reads of its own processes and ports, where that may be had
            mount(kind, Path("/proc" if kind == "proc" else "/sys"))
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = load(str(config))

    async def run() -> int:
        relay = await asyncio.start_server(Relay(settings.agent.host, settings.agent.port).lead, sock=outside)
        try:
            return await Service(str(config), state_folder(settings), settings).run()
        finally:
            relay.close()  # without waiting for callers, who may stay as long as they like

    asyncio.run(run())


class Relay:
    """Leads callers from outside to where the service listens at its own machine."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._callers = 0

    async def lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what a caller says and what is answered, until both are done."""
        self._callers += 1
        try:
            if self._callers <= MOST_CALLERS:
                inner_reader, inner_writer = await asyncio.open_connection(self._host, self._port)
                await asyncio.gather(_pass_on(reader, inner_writer), _pass_on(inner_reader, writer))
        except OSError:  # the page is not there yet, or any more
            pass
        finally:
            self._callers -= 1
            writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(PIECE):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()
