"""What a machine's kernel says of its memory and its processors, kept by us: the machine under the lab is no part of the operator.

`kernel.py STAT…` keeps files in the form of /proc/stat: their clocks run on; all idle, or all busy where a file `busy` lies beside one.
It ends when its input does.
"""

import select
import sys
import time
from pathlib import Path

CORES, TICKS_A_SECOND, EVERY_S = 2, 100, 0.5
USUAL_LOAD = 0.12  # tasks that run or wait
GIB_KB = 1024 * 1024
TOTAL_KB = 16 * GIB_KB


def memory(available_kb: int = 11 * GIB_KB) -> str:
    """Return a /proc/meminfo of 16 GiB."""
    free = available_kb * 4 // 5
    values = {
        "MemTotal": TOTAL_KB,
        "MemFree": free,
        "MemAvailable": available_kb,
        "Buffers": available_kb // 50,
        "Cached": available_kb - free,
        "SwapCached": 0,
        "Shmem": 20_000,
        "SReclaimable": available_kb // 100,
        "SwapTotal": 0,
        "SwapFree": 0,
    }
    return "".join(f"{name + ':':15}{value:>9} kB\n" for name, value in values.items())


def stat(idle: float, user: float) -> str:
    """Return a /proc/stat after so many seconds of each processor idle and at work."""
    idle_ticks, user_ticks = (int(seconds * TICKS_A_SECOND) for seconds in (idle, user))
    words = "{user:>12} 0 {system:>12} {idle:>12} 0 0 0 0 0 0"
    one = words.format(user=user_ticks, system=1000, idle=idle_ticks)
    every = words.format(user=user_ticks * CORES, system=1000 * CORES, idle=idle_ticks * CORES)
    lines = [f"cpu  {every}", *(f"cpu{number} {one}" for number in range(CORES))]
    return "\n".join([*lines, "intr 1000", "ctxt 1000", "btime 1700000000", "processes 5000", "procs_running 1", "procs_blocked 0", ""])


def main(paths: list[Path]) -> None:
    spent = {path: [10_000.0, 500.0] for path in paths}
    before = time.monotonic()
    while not select.select([sys.stdin], [], [], EVERY_S)[0]:
        now = time.monotonic()
        for path, times in spent.items():
            times[path.with_name("busy").exists()] += now - before
            with path.open("r+b") as file:
                file.write(stat(*times).encode())
        before = now


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]])
