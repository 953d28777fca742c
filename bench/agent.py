"""The service as it is started, with 50 checks every 6 s of loopback targets: its share of one core and its memory."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

from bench.measure import Row, cpu_s, free_port, listens, ready, rss_mb
from bench.servers import serving

WARM_UP_S, MEASURED_S = 30.0, 90.0
EVERY = "6s"
MIX = {"icmp": 20, "tcp": 10, "http": 10, "dns": 7}  # and host, interfaces, sockets


def configuration(folder: Path, port: int, web: int, names: int) -> str:
    """Return a configuration of 50 checks."""
    given = {"icmp": "", "tcp": f"port = {web}", "http": f"port = {web}", "dns": f'port = {names}\nname = "a.test"'}
    lines = [
        f'[agent]\nname = "bench"\nnode = "here"\nstate_dir = "{folder}/state"\nlisten = "127.0.0.1:{port}"\nsocket = "{folder}/s.sock"',
        '[[node]]\nname = "here"\naddress = "localhost"',
        *(f'[[node.check]]\nprober = "{prober}"\nevery = "{EVERY}"' for prober in ("host", "interfaces", "sockets")),
    ]
    for prober, count in MIX.items():
        for at in range(count):
            lines.append(f'[[node]]\nname = "{prober}-{at}"\naddress = "127.0.0.{at + 1 if prober == "icmp" else 1}"')
            lines.append(f'[[node.check]]\nprober = "{prober}"\nevery = "{EVERY}"\n{given[prober]}')
    return "\n\n".join(lines) + "\n"


async def run(folder: Path) -> list[Row]:
    """Start the service, let it warm up, and measure."""
    port = free_port()
    with serving() as (web, names):
        (folder / "firstline.toml").write_text(configuration(folder, port, web, names))
        command = [str(Path(sys.executable).with_name("firstline")), "run", "--config", str(folder / "firstline.toml")]
        with (folder / "journal").open("wb") as journal:
            process = subprocess.Popen(  # noqa: ASYNC220  it returns at once
                command, stdout=journal, stderr=journal, stdin=subprocess.DEVNULL
            )
        try:
            ready(lambda: process.poll() is not None or listens(port), "the service")
            if process.poll() is not None:
                raise RuntimeError(f"the service ended: {(folder / 'journal').read_text()[-500:]}")
            await asyncio.sleep(WARM_UP_S)
            before, start = cpu_s(process.pid), time.monotonic()
            await asyncio.sleep(MEASURED_S)
            if process.poll() is not None:
                raise RuntimeError(f"the service ended: {(folder / 'journal').read_text()[-500:]}")
            share = (cpu_s(process.pid) - before) / (time.monotonic() - start)
            memory = rss_mb(process.pid)
        finally:
            process.terminate()
            process.wait(20)
    return [
        Row("the agent, 50 checks every 6 s: share of one core", share * 100, "%", goal=1.0),
        Row("the same: resident memory", memory, "MB", goal=100.0),
    ]
