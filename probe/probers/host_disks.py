"""How full file systems are, and how busy disks."""

import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil

from probe.observation.host import DiskSample, FilesystemSample
from probe.probers.counters import difference, ratio
from probe.probers.host_mounts import Mount, choose, parse_fstab, parse_mountinfo, unmounted
from probe.probers.procfs import Procfs

BOUND_S = 1.0  # for all file systems of other machines together, below every sensible deadline
NOT_DISKS = re.compile(r"(?:loop|ram|zram|sr|fd|dm-|nbd)\d")  # dm is counted with the disk beneath it

Statvfs = Callable[[bytes], os.statvfs_result]


class Filesystems:
    """Remembers which file systems were writable, and which have not answered yet."""

    def __init__(self, files: Procfs, statvfs: Statvfs = os.statvfs) -> None:
        self._files = files
        self._statvfs = statvfs
        self._table: tuple[bytes, Sequence[str], Sequence[str]] | None = None
        self._chosen: list[Mount] = []
        self._unmounted: tuple[str, ...] = ()
        self._fstab: frozenset[bytes] = frozenset()
        self._writable: set[tuple[str, bytes]] = set()
        self._asked: dict[bytes, _Asked] = {}

    def look(
        self, only: Sequence[str], ignore: Sequence[str], missing: dict[str, str]
    ) -> tuple[tuple[FilesystemSample, ...], tuple[str, ...]]:
        """Return the file systems and the mount points that are not there; one that can't be read goes to `missing` as `mount:<path>`."""
        self._read_table(only, ignore)
        remote = [mount for mount in self._chosen if mount.may_hang]
        for mount in remote:
            if mount.path not in self._asked:
                self._asked[mount.path] = _Asked(self._statvfs, mount.path)
        answers: dict[bytes, os.statvfs_result | OSError] = {}
        for mount in self._chosen:
            if not mount.may_hang:
                answers[mount.path] = _try(self._statvfs, mount.path)
        until = time.monotonic() + BOUND_S
        for mount in remote:
            asked = self._asked[mount.path]
            answer = asked.wait(until)
            if answer is None:
                missing[f"mount:{mount.name}"] = f"{mount.fstype} has not answered statvfs for {time.monotonic() - asked.since:.0f} s"
            else:
                answers[mount.path] = answer
                del self._asked[mount.path]
        found, writable = [], set()
        for mount in self._chosen:
            key = (mount.device, mount.path)
            if not mount.read_only or key in self._writable:
                writable.add(key)
            answer = answers.get(mount.path)
            if isinstance(answer, OSError):
                missing[f"mount:{mount.name}"] = str(answer.strerror or answer)
            elif answer is not None and answer.f_blocks:
                was = mount.read_only and (key in self._writable or mount.path in self._fstab)
                found.append(_sample(mount, answer, was, mount.name in only))
        self._writable = writable
        return tuple(found), self._unmounted

    def _read_table(self, only: Sequence[str], ignore: Sequence[str]) -> None:
        raw = self._files.read("proc/self/mountinfo")
        if self._table == (raw, only, ignore):
            return
        mounts = parse_mountinfo(raw)
        self._chosen, self._unmounted = choose(mounts, only, ignore), unmounted(mounts, only)
        self._fstab = parse_fstab(self._files.offered("etc/fstab") or b"")
        self._table = (raw, only, ignore)


class _Asked:
    """One question to a file system that may never answer."""

    def __init__(self, statvfs: Statvfs, path: bytes) -> None:
        self.since = time.monotonic()
        self._answer: os.statvfs_result | OSError | None = None
        self._done = threading.Event()
        threading.Thread(target=self._ask, args=(statvfs, path), name="statvfs", daemon=True).start()

    def _ask(self, statvfs: Statvfs, path: bytes) -> None:
        self._answer = _try(statvfs, path)
        self._done.set()

    def wait(self, until: float) -> os.statvfs_result | OSError | None:
        """Return the answer, or None when there is none at the time `until`."""
        return self._answer if self._done.wait(max(0.0, until - time.monotonic())) else None


def _try(statvfs: Statvfs, path: bytes) -> os.statvfs_result | OSError:
    try:
        return statvfs(path)
    except OSError as why:
        return why


def _sample(mount: Mount, answer: os.statvfs_result, remounted: bool, required: bool) -> FilesystemSample:
    inodes = answer.f_files or None
    return FilesystemSample(
        mount=mount.name,
        device=mount.source,
        fstype=mount.fstype,
        total_bytes=answer.f_blocks * answer.f_frsize,
        available_bytes=answer.f_bavail * answer.f_frsize,
        inodes_total=inodes,
        inodes_free=None if inodes is None else answer.f_favail,
        read_only=mount.read_only,
        remounted_read_only=remounted,
        required=required,
    )


def read_disks(before: dict[str, Any], over_s: float | None, known: dict[str, bool]) -> tuple[tuple[DiskSample, ...], dict[str, Any]]:
    """Return the disks with their rates since the counters `before`, and the counters now; `known` remembers what is a disk."""
    now = psutil.disk_io_counters(perdisk=True, nowrap=False) or {}
    disks = {name: counters for name, counters in now.items() if known.get(name) or (name not in known and _is_disk(name, known))}
    return tuple(disk_rates(name, counters, before.get(name), over_s) for name, counters in sorted(disks.items())), disks


def _is_disk(name: str, known: dict[str, bool]) -> bool:
    known[name] = not NOT_DISKS.match(name) and os.path.isdir(f"/sys/block/{name}")
    return known[name]


def disk_rates(name: str, now: Any, before: Any, over_s: float | None) -> DiskSample:
    """Return what one disk did between two looks (counters of psutil: bytes, operations, milliseconds)."""
    if before is None or not over_s:
        return DiskSample(name, None, None, None, None, None)

    def grown(field: str) -> int | None:
        return difference(getattr(now, field, None), getattr(before, field, None))

    busy = ratio(grown("busy_time"), over_s * 1000)
    return DiskSample(
        device=name,
        read_bps=ratio(_times(8, grown("read_bytes")), over_s),
        write_bps=ratio(_times(8, grown("write_bytes")), over_s),
        read_latency_ms=ratio(grown("read_time"), grown("read_count")),
        write_latency_ms=ratio(grown("write_time"), grown("write_count")),
        utilisation_ratio=None if busy is None else min(1.0, busy),
    )


def _times(factor: int, value: int | None) -> int | None:
    return None if value is None else factor * value
