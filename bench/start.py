"""How long `firstline check icmp 127.0.0.1` takes from the shell, beside the bare interpreter; the goal holds on an idle machine."""

import os
import statistics
import sys
from pathlib import Path

from bench.measure import Row, cpu_of

TURNS = 15


async def run(folder: Path) -> list[Row]:  # noqa: ARG001  as every part
    """Return the wall clock's and the CPU's milliseconds."""
    command = [str(Path(sys.executable).with_name("firstline")), "check", "icmp", "127.0.0.1"]
    ours, bare = [], []
    for _ in range(TURNS):
        ours.append(cpu_of(command))
        bare.append(cpu_of([sys.executable, "-c", "pass"]))
    load = os.getloadavg()[0]
    wall, bare_wall = (statistics.median(wall for _, wall in side) * 1e3 for side in (ours, bare))
    cpu, bare_cpu = (statistics.median(cpu for cpu, _ in side) * 1e3 for side in (ours, bare))
    return [
        Row(f"check icmp 127.0.0.1, wall (load {load:.1f}; interpreter alone {bare_wall:.0f})", wall, "ms", goal=150.0),
        Row(f"the same, CPU (interpreter alone {bare_cpu:.0f})", cpu, "ms"),
    ]
