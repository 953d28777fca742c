"""Are file systems full, read-only or gone, and are disks slow?"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from checks.finding import Finding, Levels, Message, State
from probe.observation.host import DiskSample, FilesystemSample, HostSample
from probe.observation.observation import Observation


class Fullness(NamedTuple):
    """A share that is full, and the room that is enough whatever the share."""

    share: Levels
    room: Levels


DISK = Fullness(
    Levels(0.85, 0.95, "ratio", "our choice, with a floor in bytes for large disks; 1.0 is when an ordinary user can write no more"),
    Levels(
        50e9, 10e9, "bytes", "our choice: with this much left a disk is not full, whatever the share; its trend is watched too", low=True
    ),
)
INODES = Levels(0.85, 0.95, "ratio", "our choice: at 1.0 no file can be made, however many bytes are left")
LATENCY = Levels(
    200.0, 2000.0, "ms", "our choice: ten times a slow spinning disk's seek, and what a database's users notice; mean of two looks"
)
BUSY = Levels(
    0.95, None, "ratio", "iostat(1): close to 100 % a device that serves one request at a time is saturated; only with long waits"
)
WAIT = Levels(50.0, None, "ms", "our choice: below it a device that is always busy keeps up, as SSD and RAID do")

STUCK_S = 5.0  # shorter looks may fall between the ends of two long requests


class StorageLimits(Protocol):
    """The part of the host's limits that is judged here."""

    @property
    def disk(self) -> Levels:
        """Used share of the bytes."""

    @property
    def disk_room(self) -> Levels:
        """Free bytes that are enough."""

    @property
    def inodes(self) -> Levels:
        """Used share of the inodes."""

    @property
    def disk_latency(self) -> Levels:
        """Milliseconds an operation."""

    @property
    def disk_busy(self) -> Levels:
        """Share of the time with a request under way."""


def roomy(share: Levels, room: Levels, total: float) -> Levels:
    """Return the share's levels for something of `total` size, moved up to where only `room` is left; the margin shrinks with it.

    So "85 % used and less than 50 GB free" stays one number with one limit, in which hysteresis and trend are told too.
    """
    warning, critical = _moved(share.warning, room.warning, total), _moved(share.critical, room.critical, total)
    if (warning, critical) == (share.warning, share.critical):
        return share
    top = max(warning or 0.0, critical or 0.0)
    return Levels(warning, critical, share.unit, share.source, share.low, min(share.margin, 0.25 * (1 - top) / top))


def _moved(share: float | None, room: float | None, total: float) -> float | None:
    return share if share is None or room is None or total <= 0 else max(share, 1 - room / total)


def judge_storage(seen: Observation, host: HostSample, limits: StorageLimits) -> Iterator[Finding]:
    """Judge each file system and each disk; the item is the mount point or the device."""
    for mount in host.unmounted:
        yield Finding("host/mount", seen, State.CRITICAL, Message("host.unmounted", {"mount": mount}), item=mount)
    for system in host.filesystems:
        yield from _filesystem(seen, system, limits)
    for disk in host.disks:
        yield from _disk(seen, disk, limits, host.over_s)


def _filesystem(seen: Observation, system: FilesystemSample, limits: StorageLimits) -> Iterator[Finding]:
    item = system.mount
    if system.required:
        yield Finding("host/mount", seen, State.OK, Message("host.mounted", {"mount": item}), item=item)
    if system.remounted_read_only:
        yield Finding(
            "host/read-only", seen, State.CRITICAL, Message("host.remounted", {"mount": item, "device": system.device}), item=item
        )
    elif system.read_only:
        return  # meant so: it can't become full
    else:
        yield Finding("host/read-only", seen, State.OK, Message("host.writable", {"mount": item}), item=item)
    if system.total_bytes > 0:
        used = 1 - system.available_bytes / system.total_bytes
        levels = roomy(limits.disk, limits.disk_room, system.total_bytes)
        text = Message("host.disk", {"mount": item, "ratio": used, "free_gb": system.available_bytes / 1e9})
        yield Finding("host/disk", seen, levels.judge(used), text, levels, item, used, full_at=1.0)
    if system.inodes_total and system.inodes_free is not None:
        used = 1 - system.inodes_free / system.inodes_total
        text = Message("host.inodes", {"mount": item, "ratio": used, "free": system.inodes_free})
        yield Finding("host/inodes", seen, limits.inodes.judge(used), text, limits.inodes, item, used, full_at=1.0)
    elif (share := system.inodes_used_ratio) is not None:
        text = Message("host.inodes-share", {"mount": item, "ratio": share})
        yield Finding("host/inodes", seen, limits.inodes.judge(share), text, limits.inodes, item, share, full_at=1.0)


def _disk(seen: Observation, disk: DiskSample, limits: StorageLimits, over_s: float | None) -> Iterator[Finding]:
    """Judge the slower of reading and writing; a disk that is busy all the time and completes nothing is critical."""
    item, busy = disk.device, disk.utilisation_ratio
    took = max((ms for ms in (disk.read_latency_ms, disk.write_latency_ms) if ms is not None), default=None)
    if took is not None:
        text = Message("host.disk-latency", {"device": item, "ms": took})
        yield Finding("host/disk-latency", seen, limits.disk_latency.judge(took), text, limits.disk_latency, item, took)
    elif busy is not None and busy >= 0.99 and over_s is not None and over_s >= STUCK_S:
        text = Message("host.disk-stuck", {"device": item, "seconds": over_s})
        yield Finding("host/disk-latency", seen, State.CRITICAL, text, limits.disk_latency, item)
    elif busy is not None and busy < 0.01:
        yield Finding("host/disk-latency", seen, State.OK, Message("host.disk-idle", {"device": item}), limits.disk_latency, item)
    if busy is not None:
        keeps_up = took is not None and WAIT.judge(took) is State.OK
        state = State.OK if keeps_up else limits.disk_busy.judge(busy)
        text = Message("host.disk-busy", {"device": item, "ratio": busy})
        yield Finding("host/disk-busy", seen, state, text, limits.disk_busy, item, busy, gated=keeps_up)
