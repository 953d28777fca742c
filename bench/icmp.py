"""CPU of echo bursts, ours against fping's, on loopback: user and system time, interleaved, medians.

`python bench/icmp.py [repeats]` (root, or ping_group_range). Ours is what the process itself consumed while `ask_all` ran, fping's all that
its process consumed. `floor` is fping sending without pause (-i0), its cheapest way; its usual pause of 10 ms costs it a wake-up an echo.
"""

import asyncio
import gc
import os
import resource
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from probe.inventory import Node
from probe.job import Job
from probe.observation.icmp import EchoSample
from probe.observation.observation import Observation
from probe.probers import icmp

SIZES = (5, 50, 200, 1000)
COUNTS = (5, 1)
INTERVAL_MS = 20


class Row(NamedTuple):
    """CPU in µs for one size: ours, ours with the pipeline, fping as usual, fping without pauses (None: no fping)."""

    targets: int
    echoes: int
    ours: float
    piped: float | None
    usual: float | None
    floor: float | None


def addresses(number: int) -> list[str]:
    """Return so many loopback addresses."""
    return [f"127.0.{1 + at // 250}.{1 + at % 250}" for at in range(number)]


def cpu_us() -> float:
    """Return the user and system time of this process in µs."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1e6


async def ours(prober: icmp.IcmpProber, jobs: list[Job], pipeline: Callable[[Observation], None] | None) -> float:
    """Return the CPU of one burst to all; `pipeline` gets each observation (judge, state, store). RuntimeError on any false loss."""
    at = datetime.now(UTC)
    before = cpu_us()
    whole = 0
    async for some in prober.ask_all(jobs):
        for job, seen in some:
            whole += isinstance(seen, EchoSample) and seen.received == job.options.count
            if pipeline:
                pipeline(Observation(job.agent, job.node.name, job.prober, at, 0.0, seen))
    used = cpu_us() - before
    if whole != len(jobs):
        raise RuntimeError(f"false loss: only {whole} of {len(jobs)} loopback targets answered every echo")
    return used


def fping(targets: list[str], count: int, *more: str) -> float:
    """Return the CPU of one fping run."""
    command = ["fping", "-q", f"-c{count}", f"-p{INTERVAL_MS}", *more, *targets]
    with open(os.devnull, "w") as nowhere:
        child = subprocess.Popen(command, stdout=nowhere, stderr=nowhere)
        _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"fping ended with {child.returncode}")
    return (used.ru_utime + used.ru_stime) * 1e6


async def measure(repeats: int, pipeline: Callable[[Observation], None] | None = None) -> list[Row]:
    """Measure every size; the usual fping, which is slow, only a third as often."""
    have = shutil.which("fping")
    rows = []
    async with icmp.open() as prober:
        for number in SIZES:
            for count in COUNTS:
                options = icmp.Options(count=count, interval_ms=INTERVAL_MS)
                targets = addresses(number)
                jobs = [Job("bench", Node(address, address), "icmp", options) for address in targets]
                await ours(prober, jobs, pipeline)
                gc.collect()
                bare, piped, usual, floor = [], [], [], []
                for turn in range(repeats):
                    bare.append(await ours(prober, jobs, None))
                    if pipeline:
                        piped.append(await ours(prober, jobs, pipeline))
                    if have:
                        floor.append(fping(targets, count, "-i0"))
                        if turn % 3 == 0:
                            usual.append(fping(targets, count))
                middle = [statistics.median(each) if each else None for each in (bare, piped, usual, floor)]
                rows.append(Row(number, count, middle[0] or 0.0, *middle[1:]))
    return rows


def show(rows: list[Row]) -> None:
    """Print µs of CPU an echo, and ratios."""
    print("targets x echoes   ours us/echo   with pipeline   fping us/echo  (floor)   ours/fping  (ours/floor)")
    for row in rows:
        sent = row.targets * row.echoes
        full = row.piped if row.piped is not None else row.ours

        def each(value: float | None, sent: int = sent) -> str:
            return "-" if value is None else f"{value / sent:.1f}"

        def ratio(value: float | None, full: float = full) -> str:
            return "-" if value is None else f"{full / value:.2f}"

        print(
            f"{row.targets:7} x {row.echoes}        {each(row.ours):>9}       {each(row.piped):>9}       {each(row.usual):>9}"
            f"  {each(row.floor):>8}     {ratio(row.usual):>8}     {ratio(row.floor):>8}"
        )


def main() -> None:
    """Measure and print."""
    if not shutil.which("fping"):
        print("fping is not installed (apt-get install fping): only our own side is measured", file=sys.stderr)
    show(asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5)))


if __name__ == "__main__":
    main()
