"""One way to measure for all parts: CPU (user and system), in turns with the other program, medians, and rows for one table."""

import contextlib
import http.client
import os
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/sbin:/bin"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Row(NamedTuple):
    """One comparison. Without `theirs` it is our figure alone, and the goal is its limit; else the goal is the limit of the ratio."""

    what: str
    ours: float
    unit: str
    theirs: float | None = None
    other: str = ""
    goal: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours divided by theirs."""
        return self.ours / self.theirs if self.theirs else None

    @property
    def met(self) -> str:
        """ "yes" or "no"; nothing where there is no goal, or nothing to compare with."""
        figure = self.ratio if self.other else self.ours
        return "" if self.goal is None or figure is None else "yes" if figure <= self.goal else "no"


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| what | ours | beside | | ratio | goal | met |", "|---|--:|---|--:|--:|--:|---|"]
    for row in rows:
        theirs = "" if row.theirs is None else f"{row.theirs:.3g} {row.unit}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        goal = "" if row.goal is None else f"≤ {row.goal:g}" + ("" if row.other else f" {row.unit}")
        other = row.other if row.theirs is not None or not row.other else f"{row.other}: missing"
        lines.append(f"| {row.what} | {row.ours:.3g} {row.unit} | {other} | {theirs} | {ratio} | {goal} | {row.met} |")
    return "\n".join(lines)


MISSING: dict[str, str] = {}
"""Programs that were looked for in vain, and the Debian packages that bring them."""


def find(name: str, package: str = "") -> str | None:
    """Return where a program is; None, and a note of it, when it is not installed."""
    found = shutil.which(name, path=PATH)
    if found is None:
        MISSING[name] = package or name
    return found


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process and its threads so far, in ticks of mostly 10 ms (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_of(command: Sequence[str]) -> tuple[float, float]:
    """Run a program to its end; return the CPU seconds that it took, its start included, and the seconds on the wall."""
    start = time.perf_counter()
    with open(os.devnull, "w") as nowhere:
        child = subprocess.Popen(command, stdout=nowhere, stderr=nowhere, stdin=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)[:80]} ended with {child.returncode}")
    return used.ru_utime + used.ru_stime, time.perf_counter() - start


async def in_turns(times: int, *sides: Callable[[], Awaitable[float]]) -> list[float]:
    """Measure every side once, then again, and return the median of each: what else runs here then hits all of them alike."""
    found: list[list[float]] = [[] for _ in sides]
    for _ in range(times):
        for side, figures in zip(sides, found, strict=True):
            figures.append(await side())
    return [statistics.median(figures) for figures in found]


@contextlib.contextmanager
def running(name: str, *arguments: str, folder: Path) -> Iterator[subprocess.Popen[bytes] | None]:
    """Run a server within the block; None when it is not installed."""
    program = find(name)
    if program is None:
        yield None
        return
    with (folder / f"{name}.out").open("wb") as out:
        process = subprocess.Popen([program, *arguments], stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


class Scraped:
    """An exporter of which every scrape goes over one kept connection; the CPU that it uses by itself is taken off."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.pid = process.pid
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._idle = 0.0

    def get(self, path: str) -> bytes:
        """Return the body of one answer."""
        try:
            self._connection.request("GET", path)
            return self._connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            self._connection.close()  # or no later request could be sent
            raise

    def rest(self, seconds: float = 2.0) -> None:
        """Measure what it uses without being asked."""
        start = cpu_s(self.pid)
        time.sleep(seconds)
        self._idle = (cpu_s(self.pid) - start) / seconds

    def cost_s(self, path: str, times: int) -> float:
        """Return the CPU seconds of one scrape, mean of many: the kernel counts in ticks of 10 ms."""
        start, wall = cpu_s(self.pid), time.monotonic()
        for _ in range(times):
            self.get(path)
        return (cpu_s(self.pid) - start - self._idle * (time.monotonic() - wall)) / times


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port on which nothing listens."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def listens(port: int) -> bool:
    """Tell whether somebody accepts connections there; OSError when not."""
    socket.create_connection(("127.0.0.1", port), 1).close()
    return True


def ready(attempt: Callable[[], object], what: str, within_s: float = 20.0) -> None:
    """Wait until `attempt` gives something true; SystemExit when it does not in time."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if attempt():
                return
        time.sleep(0.05)
    raise SystemExit(f"{what} does not answer")
