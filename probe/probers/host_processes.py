"""The process table: how many, in which state, the largest, and whether the expected ones run."""

import os
import re
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from heapq import nlargest
from typing import NamedTuple

from probe.observation.host import ExpectedProcess, ProcessSample

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
KERNEL_THREAD = 0x00200000  # PF_KTHREAD, include/linux/sched.h
COMMAND_LINE = 4096  # bytes of it that are looked at
SETTLED_S = 10  # a younger process may still become another program by exec(2)

_AT_LEAST = re.compile(r"(?P<pattern>.*?\S)\s*>=\s*(?P<least>[0-9]{1,6})")


class Stat(NamedTuple):
    """What is used of /proc/PID/stat (proc_pid_stat(5)): CPU time and start in clock ticks, the start since boot."""

    pid: int
    name: bytes
    state: bytes
    parent: int
    kernel: bool
    ticks: int
    started: int
    rss_pages: int


class ProcessTable(NamedTuple):
    """What one look saw; `stuck` is None at the first."""

    processes: int
    zombies: int
    uninterruptible: int
    stuck: int | None
    top_cpu: tuple[ProcessSample, ...]
    top_memory: tuple[ProcessSample, ...]
    expected: tuple[ExpectedProcess, ...]


class HiddenError(OSError):
    """The processes of others can't be seen from here."""


def read_expected(text: str) -> tuple[str, int]:
    """Return pattern and least number of "nginx" or "postgres >= 2"; at least one without a number."""
    match = _AT_LEAST.fullmatch(text.strip())
    return (match["pattern"], int(match["least"])) if match else (text.strip(), 1)


def parse_stat(raw: bytes) -> Stat | None:
    """Return one /proc/PID/stat, None when columns are missing; the name may hold blanks, brackets and line ends."""
    start, end = raw.find(b"("), raw.rfind(b")")
    fields = raw[end + 2 :].split(None, 22)
    if not 0 < start < end or len(fields) < 22:
        return None
    try:
        kernel = int(fields[6]) & KERNEL_THREAD != 0
        ticks = int(fields[11]) + int(fields[12])
        return Stat(int(raw[:start]), raw[start + 1 : end], fields[0], int(fields[1]), kernel, ticks, int(fields[19]), int(fields[21]))
    except ValueError:
        return None


def matches(pattern: str, name: str, command: str) -> bool:
    """Tell whether a pattern (a glob) is the process' name, its program's base name, or its whole command line."""
    program = command.split(" ", 1)[0].rsplit("/", 1)[-1]
    return fnmatchcase(name, pattern) or fnmatchcase(program, pattern) or fnmatchcase(command, pattern)


class Processes:
    """Remembers each process' CPU time, and which patterns it matches, so that its command line is read once."""

    def __init__(self, proc: bytes = b"/proc") -> None:
        self._proc = proc
        self._before: dict[int, Stat] = {}
        self._at: float | None = None
        self._patterns: tuple[str, ...] = ()
        self._matched: dict[int, tuple[int, bytes, frozenset[int]]] = {}

    def look(self, expected: Sequence[str], top: int) -> ProcessTable:
        """Return the table; HiddenError when /proc does not show the processes of others."""
        at = time.monotonic()
        if not os.path.exists(self._proc + b"/1/stat"):
            raise HiddenError("/proc shows only our own processes (hidepid, or ProtectProc= of a service)")
        stats = self._read_all()
        over_s = None if self._at is None else at - self._at
        shares = self._cpu_shares(stats, over_s)
        wanted = tuple(read_expected(text) for text in expected)
        running = self._count(stats, tuple(pattern for pattern, _ in wanted))
        waiting = [stat for stat in stats.values() if stat.state == b"D" and not stat.kernel]
        table = ProcessTable(
            processes=len(stats),
            zombies=sum(stat.state == b"Z" for stat in stats.values()),
            uninterruptible=len(waiting),
            stuck=None if self._at is None else sum(map(self._is_stuck, waiting)),
            top_cpu=tuple(_sample(stats[pid], shares) for pid in nlargest(top, shares, key=shares.__getitem__) if shares[pid]),
            top_memory=tuple(_sample(stat, shares) for stat in nlargest(top, stats.values(), key=lambda stat: stat.rss_pages)),
            expected=tuple(ExpectedProcess(text, count, least) for text, count, (_, least) in zip(expected, running, wanted, strict=True)),
        )
        self._before, self._at = stats, at
        return table

    def _read_all(self) -> dict[int, Stat]:
        stats = {}
        for entry in os.listdir(self._proc):
            if entry.isdigit():
                raw = _read(self._proc + b"/" + entry + b"/stat", 2048)
                stat = parse_stat(raw) if raw else None
                if stat is not None:
                    stats[stat.pid] = stat
        return stats

    def _cpu_shares(self, stats: dict[int, Stat], over_s: float | None) -> dict[int, float]:
        """Return the share of one core by process; one that is younger than the look before has had all its time since then."""
        if not over_s:
            return {}
        shares = {}
        since = time.clock_gettime(time.CLOCK_BOOTTIME) - over_s
        for pid, stat in stats.items():
            was = self._before.get(pid)
            if was is not None and was.started == stat.started:
                used = stat.ticks - was.ticks
            elif stat.started / TICKS >= since:
                used = stat.ticks
            else:
                continue
            shares[pid] = max(0, used) / TICKS / over_s
        return shares

    def _is_stuck(self, stat: Stat) -> bool:
        was = self._before.get(stat.pid)
        return was is not None and (was.started, was.state, was.ticks) == (stat.started, b"D", stat.ticks)

    def _count(self, stats: dict[int, Stat], patterns: tuple[str, ...]) -> list[int]:
        counts = [0] * len(patterns)
        if not patterns:
            return counts
        if patterns != self._patterns:
            self._patterns, self._matched = patterns, {}
        ours = _lineage(stats)
        settled = (time.clock_gettime(time.CLOCK_BOOTTIME) - SETTLED_S) * TICKS
        kept: dict[int, tuple[int, bytes, frozenset[int]]] = {}
        for pid, stat in stats.items():
            if stat.state in (b"Z", b"X"):
                continue
            known = self._matched.get(pid)
            if known is None or known[:2] != (stat.started, stat.name):
                known = (stat.started, stat.name, self._match(stat, patterns, pid in ours))
            if stat.started < settled:
                kept[pid] = known
            for index in known[2]:
                counts[index] += 1
        self._matched = kept
        return counts

    def _match(self, stat: Stat, patterns: tuple[str, ...], ours: bool) -> frozenset[int]:
        name = stat.name.decode("utf-8", "replace")
        raw = None if ours or stat.kernel else _read(self._proc + b"/%d/cmdline" % stat.pid, COMMAND_LINE)
        command = (raw or b"").rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace")
        return frozenset(index for index, pattern in enumerate(patterns) if matches(pattern, name, command))


def _lineage(stats: dict[int, Stat]) -> set[int]:
    """Return us and what started us: `firstline check host --expected '*nginx*'` is no nginx, so their command lines do not count."""
    found: set[int] = set()
    pid = os.getpid()
    while pid in stats and pid not in found:
        found.add(pid)
        pid = stats[pid].parent
    return found


def _read(path: bytes, size: int) -> bytes | None:
    """Return the start of a file, None when its process has gone (also between open and read: ESRCH) or does not let us."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as why:
        if isinstance(why, FileNotFoundError | ProcessLookupError | PermissionError):
            return None
        raise
    try:
        return os.read(file, size)
    except (ProcessLookupError, PermissionError):
        return None
    finally:
        os.close(file)


def _sample(stat: Stat, shares: dict[int, float]) -> ProcessSample:
    return ProcessSample(stat.pid, stat.name.decode("utf-8", "replace"), shares.get(stat.pid), max(0, stat.rss_pages) * PAGE)
