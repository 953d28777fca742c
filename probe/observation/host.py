"""What one look at a host saw; filled by psutil and /proc here, by SNMP or another agent elsewhere."""

from datetime import datetime

import msgspec


class CpuSample(msgspec.Struct, frozen=True):
    """Shares of all cores' time since the look before, 0 … 1 (None at the first look); load averages are plain numbers."""

    cores: int
    busy_ratio: float | None
    user_ratio: float | None
    system_ratio: float | None
    iowait_ratio: float | None
    steal_ratio: float | None
    load_1min: float | None
    load_5min: float | None
    load_15min: float | None


class PressureSample(msgspec.Struct, frozen=True):
    """Pressure stall information (Linux PSI): share of the last 60 s in which some or all tasks stalled, 0 … 1."""

    resource: str
    some_ratio: float
    full_ratio: float | None


class MemorySample(msgspec.Struct, frozen=True):
    """Bytes; `available` is the kernel's own estimate (MemAvailable), None where it is not offered."""

    total_bytes: int
    available_bytes: int | None
    swap_total_bytes: int | None
    swap_used_bytes: int | None


class FilesystemSample(msgspec.Struct, frozen=True):
    """One mounted file system; `available_bytes` is what an ordinary user may still write; inodes None where there are none.

    `read_only` is its state now; `remounted_read_only` True when it was writable at an earlier look or fstab says that it should be.
    `required` tells that its being mounted was asked for. inodes_used_ratio: where only a share of them is told (UCD-SNMP-MIB).
    """

    mount: str
    device: str
    fstype: str
    total_bytes: int
    available_bytes: int
    inodes_total: int | None
    inodes_free: int | None
    read_only: bool
    remounted_read_only: bool
    required: bool = False
    inodes_used_ratio: float | None = None


class DiskSample(msgspec.Struct, frozen=True):
    """One block device: rates since the look before; latencies per operation; None at the first look or without operations."""

    device: str
    read_bps: float | None
    write_bps: float | None
    read_latency_ms: float | None
    write_latency_ms: float | None
    utilisation_ratio: float | None


class ProcessSample(msgspec.Struct, frozen=True):
    """One process among the largest: CPU share of one core since the look before, resident bytes."""

    pid: int
    name: str
    cpu_ratio: float | None
    rss_bytes: int


class ExpectedProcess(msgspec.Struct, frozen=True):
    """A process that should run: its pattern as configured, how many match now (None: can't see), and the least there should be."""

    pattern: str
    running: int | None
    expected: int


class ClockSample(msgspec.Struct, frozen=True):
    """The kernel clock by adjtimex(2): synchronised or not, and its own estimate of its error."""

    synchronised: bool
    offset_ms: float | None
    max_error_ms: float | None


class HostSample(msgspec.Struct, frozen=True, tag="host"):
    """One host. A part that could not be read is None (or empty) and named in `missing` with the reason: part → reason.

    A part that this kernel does not offer (PSI, systemd) is None or empty and *not* in `missing`. `zombies` and `uninterruptible` are
    processes in state Z and D now, `stuck` those that were in D at the look before too without any CPU time in between (None at the
    first). `unmounted` are the mount points that should be there by configuration and are not. `oom_kills_recent` are the
    kernel's kills for want of memory in the last 10 minutes, as far as was looked: an event would be over before it is believed.
    `uptime_s` runs through suspend and does not follow the wall clock.
    """

    cpu: CpuSample | None
    pressure: tuple[PressureSample, ...]
    memory: MemorySample | None
    filesystems: tuple[FilesystemSample, ...]
    disks: tuple[DiskSample, ...]
    descriptors_used: int | None
    descriptors_max: int | None
    processes: int | None
    zombies: int | None
    uninterruptible: int | None
    top_cpu: tuple[ProcessSample, ...]
    top_memory: tuple[ProcessSample, ...]
    expected: tuple[ExpectedProcess, ...]
    oom_kills_recent: int | None
    clock: ClockSample | None
    booted_at: datetime | None
    failed_units: tuple[str, ...] | None
    missing: dict[str, str] = {}
    over_s: float | None = None
    stuck: int | None = None
    unmounted: tuple[str, ...] = ()
    uptime_s: float | None = None
