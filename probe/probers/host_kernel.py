"""What the kernel says of itself: CPU, load, pressure, memory, descriptors, OOM kills, clock and boot."""

import ctypes
import errno
import os
import time
from datetime import UTC, datetime
from typing import Any

import psutil

from probe.observation.host import ClockSample, CpuSample, MemorySample, PressureSample
from probe.probers.procfs import Procfs

STA_UNSYNC, STA_NANO = 0x0040, 0x2000  # adjtimex(2)
TIME_ERROR = 5


def read_cpu(before: Any) -> tuple[CpuSample, Any]:
    """Return the shares of CPU time since the times `before` (None: first look), and the times now."""
    now = psutil.cpu_times()
    load: tuple[float | None, ...]
    try:
        load = os.getloadavg()
    except OSError:
        load = (None, None, None)
    return CpuSample(os.cpu_count() or 1, *cpu_shares(now, before), *load), now


def cpu_shares(now: Any, before: Any) -> tuple[float | None, ...]:
    """Return busy, user (with nice), system (with interrupts), iowait and steal as shares 0 … 1; None without a look before.

    A counter that fell counts as nothing: iowait and idle may fall (proc_stat(5)).
    """
    if before is None:
        return (None,) * 5

    def grown(*fields: str) -> float:
        return sum(max(0.0, getattr(now, field, 0.0) - getattr(before, field, 0.0)) for field in fields)

    user, system = grown("user", "nice"), grown("system", "irq", "softirq")  # guest time is within user and nice
    idle, iowait, steal = grown("idle"), grown("iowait"), grown("steal")
    total = user + system + idle + iowait + steal
    if total <= 0:
        return (None,) * 5
    return tuple(min(1.0, part / total) for part in (user + system + steal, user, system, iowait, steal))


def read_pressure(files: Procfs) -> tuple[PressureSample, ...]:
    """Return the pressure of cpu, memory and io; nothing on a kernel without PSI."""
    found = []
    for resource in ("cpu", "memory", "io"):
        try:
            raw = files.offered(f"proc/pressure/{resource}")
        except OSError as why:
            if why.errno != errno.EOPNOTSUPP:  # built in and switched off (psi=0)
                raise
            raw = None
        if raw is not None:
            found.append(parse_pressure(resource, raw))
    return tuple(found)


def parse_pressure(resource: str, raw: bytes) -> PressureSample:
    """Return one file of /proc/pressure: lines `some avg10=0.00 avg60=0.00 …`, per cent; `full` is absent for cpu before Linux 5.13."""
    shares = {}
    for line in raw.splitlines():
        kind, *fields = line.split()
        values = dict(field.split(b"=", 1) for field in fields if b"=" in field)
        if b"avg60" in values:
            shares[kind] = float(values[b"avg60"]) / 100
    return PressureSample(resource, shares[b"some"], shares.get(b"full"))


def parse_memory(raw: bytes) -> MemorySample:
    """Return /proc/meminfo in bytes; MemAvailable is None before Linux 3.14, swap None in a kernel without it."""
    kib = {}
    for line in raw.splitlines():
        name, _, rest = line.partition(b":")
        if name in (b"MemTotal", b"MemAvailable", b"SwapTotal", b"SwapFree"):
            kib[name] = int(rest.split()[0]) * 1024
    swap, free = kib.get(b"SwapTotal"), kib.get(b"SwapFree")
    used = None if swap is None or free is None else swap - free
    return MemorySample(kib[b"MemTotal"], kib.get(b"MemAvailable"), swap, used)


def parse_descriptors(raw: bytes) -> tuple[int, int]:
    """Return used and most file descriptors from /proc/sys/fs/file-nr: allocated, free, maximum."""
    allocated, free, most = raw.split()
    return int(allocated) - int(free), int(most)


def parse_oom_kills(raw: bytes) -> int | None:
    """Return `oom_kill` of /proc/vmstat; None before Linux 4.13."""
    at = raw.find(b"\noom_kill ")
    return None if at < 0 else int(raw[at + 10 :].split(None, 1)[0])


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        *((name, ctypes.c_long) for name in ("offset", "freq", "maxerror", "esterror")),
        ("status", ctypes.c_int),
        *((name, ctypes.c_long) for name in ("constant", "precision", "tolerance", "sec", "usec", "tick", "ppsfreq", "jitter")),
        ("shift", ctypes.c_int),
        *((name, ctypes.c_long) for name in ("stabil", "jitcnt", "calcnt", "errcnt", "stbcnt")),
        ("tai", ctypes.c_int),
        ("unused", ctypes.c_int * 11),
    )


def read_clock() -> ClockSample:
    """Return the state of the kernel's clock by adjtimex(2) with modes 0, which changes nothing; OSError when it is not allowed."""
    timex = _Timex()
    libc = ctypes.CDLL(None, use_errno=True)
    state = libc.adjtimex(ctypes.byref(timex))
    if state < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), "adjtimex")
    offset_ms = timex.offset / (1e6 if timex.status & STA_NANO else 1e3)
    return ClockSample(state != TIME_ERROR and not timex.status & STA_UNSYNC, offset_ms, timex.maxerror / 1000)


def read_boot() -> tuple[datetime, float]:
    """Return when this machine booted (it follows the wall clock), and the seconds since (they do not)."""
    return datetime.fromtimestamp(int(psutil.boot_time()), UTC), time.clock_gettime(time.CLOCK_BOOTTIME)
