"""CPU of one sweep of host, interfaces and sockets with judging, against one scrape of prometheus-node-exporter.

Run: python bench/host.py [--processes N] [--sockets N] [--rounds N]. Both are measured in turns; medians and their ratio are printed.
The exporter's CPU is read from /proc/PID/stat, in ticks of 10 ms, so each of its rounds is many scrapes. Needs the Debian package
prometheus-node-exporter; without it only our own figures are printed.
"""

import argparse
import asyncio
import os
import resource
import shutil
import socket
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from checks import host as host_checks
from checks import interfaces as interfaces_checks
from checks import sockets as sockets_checks
from probe.inventory import Node
from probe.observation.observation import Observation
from probe.probers import host, interfaces, sockets

EXPORTER = "prometheus-node-exporter"
TICKS = os.sysconf("SC_CLK_TCK")
AT = datetime(2026, 1, 1, tzinfo=UTC)


@contextmanager
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


@contextmanager
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


class Exporter:
    """A child on a free port of loopback."""

    def __init__(self, program: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/metrics"
        self.child = subprocess.Popen(
            [program, f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                self.scrape()
                return
            except OSError:
                time.sleep(0.05)
        self.child.kill()
        raise SystemExit(f"{program} does not answer at {self.url}")

    def scrape(self) -> int:
        """Return the size of one answer."""
        with urllib.request.urlopen(self.url, timeout=10) as answer:
            return len(answer.read())

    def cpu_s(self) -> float:
        """Return the CPU time of the exporter so far."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_bytes().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def round_ms(self, count: int) -> float:
        """Return the CPU of one scrape, mean of many."""
        before = self.cpu_s()
        for _ in range(count):
            self.scrape()
        return (self.cpu_s() - before) * 1000 / count


class Ours:
    """The three probers and their judgements with one set of options."""

    def __init__(self, whole: bool) -> None:
        self.parts: list[tuple[str, Any, Any, Any]] = [
            ("host", host, host_checks, host.Options(processes=whole)),
            ("interfaces", interfaces, interfaces_checks, interfaces.Options()),
            ("sockets", sockets, sockets_checks, sockets.Options(table=whole)),
        ]
        self.open: dict[str, Any] = {}
        self.before: dict[str, Observation] = {}

    async def start(self, stack: AsyncExitStack) -> None:
        """Open the probers and look once, so that the rest has a look before."""
        for name, prober, _, _ in self.parts:
            self.open[name] = await stack.enter_async_context(prober.open())
        await self.sweep()

    async def sweep(self) -> int:
        """Measure and judge once; return the number of findings."""
        count = 0
        node = Node("here")
        for name, _, checks, options in self.parts:
            outcome = await self.open[name].ask(node, options)
            seen = Observation("bench", "here", name, AT, 0.0, outcome)
            count += len(list(checks.judge(seen, self.before.get(name), checks.Limits())))
            self.before[name] = seen
        return count

    async def round_ms(self, count: int) -> float:
        """Return the CPU of one sweep, mean of many."""
        before = time.process_time()
        for _ in range(count):
            await self.sweep()
        return (time.process_time() - before) * 1000 / count


async def measure(rounds: int, exporter: Exporter | None) -> None:
    """Measure all in turns and print the medians."""
    async with AsyncExitStack() as stack:
        lean, whole = Ours(whole=False), Ours(whole=True)
        await lean.start(stack)
        await whole.start(stack)
        took: dict[str, list[float]] = {"lean": [], "whole": [], EXPORTER: []}
        for _ in range(rounds):
            took["lean"].append(await lean.round_ms(20))
            took["whole"].append(await whole.round_ms(20))
            if exporter:
                took[EXPORTER].append(exporter.round_ms(40))
        print(f"{len(os.listdir('/proc'))} entries in /proc; {await whole.sweep()} findings; medians of {rounds} rounds, CPU ms a sweep")
        base = statistics.median(took[EXPORTER]) if exporter else None
        for name, values in took.items():
            if values:
                median = statistics.median(values)
                print(f"{name:26} {median:7.2f} ms{'' if base is None else f'   {median / base:5.2f} x {EXPORTER}'}")


def main() -> None:
    """Read the options, hold the load, measure."""
    read = argparse.ArgumentParser(description=__doc__)
    read.add_argument("--processes", type=int, default=200)
    read.add_argument("--sockets", type=int, default=500)
    read.add_argument("--rounds", type=int, default=9)
    options = read.parse_args()
    program = shutil.which(EXPORTER)
    if program is None:
        print(f"{EXPORTER} is missing (apt-get install {EXPORTER}): no ratio")
    with processes(options.processes), connections(options.sockets):
        exporter = Exporter(program) if program else None
        try:
            print(f"{options.processes} further processes, {options.sockets} sockets")
            asyncio.run(measure(options.rounds, exporter))
        finally:
            if exporter:
                exporter.child.kill()
                exporter.child.wait()


if __name__ == "__main__":
    main()
