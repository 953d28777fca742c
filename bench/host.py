"""One sweep of host, interfaces and sockets against one scrape of prometheus-node-exporter, with further processes and sockets about."""

import contextlib
import resource
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Row, Scraped, free_port, in_turns, ready, running
from bench.pipeline import job, pipeline

OTHER = "prometheus-node-exporter"
PROCESSES, SOCKETS = 200, 500
TURNS, SWEEPS, SCRAPES = 11, 10, 30


@contextlib.contextmanager
def processes(count: int) -> Iterator[None]:
    """Hold that many idle processes."""
    held = [subprocess.Popen(["sleep", "3600"]) for _ in range(count)]
    try:
        yield
    finally:
        for one in held:
            one.kill()
        for one in held:
            one.wait()


@contextlib.contextmanager
def connections(count: int) -> Iterator[None]:
    """Hold that many sockets, two to a connection over loopback."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(4096, count + 1000), resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    server = socket.create_server(("127.0.0.1", 0), backlog=1024)
    held = [server]
    for _ in range(count // 2):
        held.append(socket.create_connection(server.getsockname()))
        held.append(server.accept()[0])
    try:
        yield
    finally:
        for one in held:
            one.close()


async def run(folder: Path) -> list[Row]:
    """Return a row for the lean sweep (no process and no socket tables) and one for the whole."""
    sweeps = {
        "lean": [
            job("host", "localhost", "lean", processes=False),
            job("interfaces", "localhost", "lean"),
            job("sockets", "localhost", "lean", table=False),
        ],
        "whole": [job(prober, "localhost", "whole") for prober in ("host", "interfaces", "sockets")],
    }
    port = free_port()
    with contextlib.ExitStack() as stack:
        stack.enter_context(processes(PROCESSES))
        stack.enter_context(connections(SOCKETS))
        exporter = stack.enter_context(running(OTHER, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error", folder=folder))
        theirs = Scraped(exporter, port) if exporter else None
        if theirs:
            ready(lambda: theirs.get("/metrics"), OTHER)
            theirs.rest()
        async with pipeline((one for jobs in sweeps.values() for one in jobs), folder / "state") as service:

            async def lean() -> float:
                return await service.cost_s(sweeps["lean"], SWEEPS) * 3e3

            async def whole() -> float:
                return await service.cost_s(sweeps["whole"], SWEEPS) * 3e3

            async def other() -> float:
                return theirs.cost_s("/metrics", SCRAPES) * 1e3 if theirs else 0.0

            first, second, their = await in_turns(TURNS, lean, whole, other)
    return [
        Row("host, interfaces, sockets without tables", first, "ms", their or None, OTHER, 1.0),
        Row(f"the same whole, {PROCESSES} processes and {SOCKETS} sockets more", second, "ms", their or None, OTHER, 2.5),
    ]
