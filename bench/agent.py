"""The service as it is started, with 50 checks every 6 s of loopback targets: its share of one core and its memory."""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
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


@contextlib.contextmanager
def started(folder: Path, port: int, text: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the service by a configuration within the block; RuntimeError when it ends by itself."""
    (folder / "firstline.toml").write_text(text)
    command = [str(Path(sys.executable).with_name("firstline")), "run", "--config", str(folder / "firstline.toml")]
    with (folder / "journal").open("wb") as journal:
        process = subprocess.Popen(command, stdout=journal, stderr=journal, stdin=subprocess.DEVNULL)
    try:
        ready(lambda: process.poll() is not None or listens(port), "the service")
        alive(process, folder)
        yield process
    finally:
        process.terminate()
        process.wait(20)


def alive(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Refuse a service that has ended: RuntimeError with its last words."""
    if process.poll() is not None:
        raise RuntimeError(f"the service ended: {(folder / 'journal').read_text()[-500:]}")


async def share_of_a_core(process: subprocess.Popen[bytes], folder: Path, warm_up_s: float, measured_s: float) -> float:
    """Return what the service uses, once it is warm."""
    await asyncio.sleep(warm_up_s)
    before, start = cpu_s(process.pid), time.monotonic()
    await asyncio.sleep(measured_s)
    alive(process, folder)
    return (cpu_s(process.pid) - before) / (time.monotonic() - start)


async def run(folder: Path) -> list[Row]:
    """Start the service, let it warm up, and measure."""
    port = free_port()
    with serving() as (web, names), started(folder, port, configuration(folder, port, web, names)) as process:
        share = await share_of_a_core(process, folder, WARM_UP_S, MEASURED_S)
        memory = rss_mb(process.pid)
    return [
        Row("the agent, 50 checks every 6 s: share of one core", share * 100, "%", goal=1.0),
        Row("the same: resident memory", memory, "MB", goal=100.0),
    ]
