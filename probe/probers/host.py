"""The machine that the agent runs on: CPU, pressure, memory, file systems, disks, processes, clock, boot and units."""

import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar

from msgspec import Meta

from probe import job
from probe.inventory import Node
from probe.observation.failure import Failure, Kind
from probe.observation.host import ExpectedProcess, HostSample
from probe.observation.observation import Outcome
from probe.probers.host_disks import Filesystems, read_disks
from probe.probers.host_kernel import (
    parse_descriptors,
    parse_memory,
    parse_oom_kills,
    read_boot,
    read_clock,
    read_cpu,
    read_pressure,
)
from probe.probers.host_processes import Processes, read_expected
from probe.probers.host_units import Units
from probe.probers.procfs import Procfs
from probe.probers.worker import StuckError, Worker

T = TypeVar("T")

RECENT_S = 600.0  # kept in steps of a hundredth, and one for each change

_Pattern = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]


class Options(job.Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to look at on this host."""

    expected: Annotated[
        tuple[_Pattern, ...],
        Meta(description="processes that should run: a glob for name, program or whole command line, `postgres >= 2` for a least number"),
    ] = ()
    mounts: Annotated[
        tuple[_Pattern, ...], Meta(description="globs of the only mount points to look at; one without wildcards has to be mounted")
    ] = ()
    ignore_mounts: Annotated[tuple[_Pattern, ...], Meta(description="globs of mount points to leave out")] = ()
    processes: Annotated[bool, Meta(description="read the process table (about 0.01 ms of CPU a process)")] = True
    top: Annotated[int, Meta(ge=0, le=50, description="how many of the largest processes to name")] = 5


@asynccontextmanager
async def open() -> AsyncIterator["HostProber"]:
    """Yield the prober; it keeps files of /proc open and the counters of the look before."""
    prober = HostProber()
    try:
        yield prober
    finally:
        prober.close()


class HostProber:
    """Looks at this machine in a thread, because a file system may hang."""

    def __init__(self) -> None:
        self._worker = Worker("host")
        self._systemctl = Worker("systemctl")
        self._units = Units()
        self._sweeps: dict[str, Sweep] = {}

    async def ask(self, node: Node, options: Options) -> Outcome:
        """Return a HostSample of this machine; its rates span the time since the look before under this node's name."""
        sweep = self._sweeps.get(node.name)
        if sweep is None:
            sweep = self._sweeps[node.name] = Sweep()
        try:
            if self._units.due():
                await self._systemctl.run(self._units.ask)
        except StuckError as why:
            self._units.answer = str(why)
        try:
            return await self._worker.run(lambda: sweep.look(options, self._units.answer))
        except StuckError as why:
            return Failure(Kind.BROKEN, str(why))

    def close(self) -> None:
        """Let the threads end; the files are closed by the thread that reads them."""
        self._systemctl.close()
        self._worker.close(*(sweep.close for sweep in self._sweeps.values()))


class Sweep:
    """The looks at one node: each part on its own, so that one that fails leaves the others."""

    def __init__(self) -> None:
        self._files = Procfs()
        self._filesystems = Filesystems(self._files)
        self._processes = Processes()
        self._at: float | None = None
        self._cpu: Any = None
        self._disks: dict[str, Any] = {}
        self._disk_names: dict[str, bool] = {}
        self._kills: deque[tuple[float, int]] = deque()
        self._missing: dict[str, str] = {}

    def look(self, options: Options, units: tuple[str, ...] | str | None = None) -> HostSample:
        """Return one sample; blocks as long as the kernel does."""
        at = time.monotonic()
        over_s = None if self._at is None else at - self._at
        self._missing = {}
        files = self._files
        disks = self._part("disks", lambda: read_disks(self._disks, over_s, self._disk_names))
        cpu = self._part("cpu", lambda: read_cpu(self._cpu))
        oom_kills = self._part("oom", lambda: parse_oom_kills(files.read("proc/vmstat")))
        filesystems = self._part("filesystems", lambda: self._filesystems.look(options.mounts, options.ignore_mounts, self._missing))
        table = None
        if options.processes or options.expected:
            table = self._part("processes", lambda: self._processes.look(options.expected, options.top if options.processes else 0))
        descriptors = self._part("descriptors", lambda: parse_descriptors(files.read("proc/sys/fs/file-nr")))
        boot = self._part("boot", read_boot)
        if isinstance(units, str):
            self._missing["units"] = units
        sample = HostSample(
            cpu=cpu and cpu[0],
            pressure=self._part("pressure", lambda: read_pressure(files)) or (),
            memory=self._part("memory", lambda: parse_memory(files.read("proc/meminfo"))),
            filesystems=filesystems[0] if filesystems else (),
            disks=disks[0] if disks else (),
            descriptors_used=descriptors and descriptors[0],
            descriptors_max=descriptors and descriptors[1],
            processes=table and table.processes,
            zombies=table and table.zombies,
            uninterruptible=table and table.uninterruptible,
            top_cpu=table.top_cpu if table else (),
            top_memory=table.top_memory if table else (),
            expected=table.expected if table else _unseen(options),
            oom_kills_recent=self._recent(at, oom_kills),
            clock=self._part("clock", read_clock),
            booted_at=boot and boot[0],
            failed_units=None if isinstance(units, str) else units,
            missing=self._missing,
            over_s=over_s,
            stuck=table and table.stuck,
            unmounted=filesystems[1] if filesystems else (),
            uptime_s=boot and boot[1],
        )
        self._at = at
        self._cpu = cpu and cpu[1]
        self._disks = disks[1] if disks else {}
        return sample

    def _recent(self, at: float, kills: int | None) -> int | None:
        """Return the kills since the oldest look of the last RECENT_S; None at the first, and where the kernel does not count them."""
        if kills is None:
            return None
        recent = self._kills
        while recent and (at - recent[0][0] > RECENT_S or recent[-1][1] > kills):
            recent.popleft()
        first = recent[0][1] if recent else None
        if not recent or recent[-1][1] != kills or at - recent[-1][0] > RECENT_S / 100:
            recent.append((at, kills))
        return None if first is None else kills - first

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    def _part(self, name: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except (OSError, ValueError, LookupError, RuntimeError, NotImplementedError) as why:
            self._missing[name] = f"{type(why).__name__}: {why}"
            return None


def _unseen(options: Options) -> tuple[ExpectedProcess, ...]:
    return tuple(ExpectedProcess(text, None, read_expected(text)[1]) for text in options.expected)
