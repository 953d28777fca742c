"""Is the machine itself well: processor, memory, processes, clock, boot and services?"""

from collections.abc import Iterator

import msgspec

from checks.failure import judge_failure
from checks.finding import Check, Finding, Levels, Message, State, Value
from checks.host_storage import BUSY, DISK, INODES, LATENCY, judge_storage, roomy
from probe.observation.failure import Failure
from probe.observation.host import CpuSample, ExpectedProcess, HostSample, MemorySample, ProcessSample
from probe.observation.observation import Observation

CPU = Levels(0.95, None, "ratio", "our choice: never critical, for a build server works at 100 %; a warning only when work also queues")
IOWAIT = Levels(0.60, None, "ratio", "our choice: most of the processors' time goes by waiting for disks")
STEAL = Levels(0.10, 0.50, "ratio", "our choice: the hypervisor withholds a tenth, half of the processors that were asked for")
LOAD = Levels(
    4.0, None, "per core", "our choice: four tasks want each core for 5 minutes; more is common only where work is queued on purpose"
)
QUEUE = Levels(1.0, None, "per core", "our choice: as many tasks as cores over 5 minutes; with fewer nothing waits")
STALL_MEMORY = Levels(0.20, 0.60, "ratio", "systemd-oomd.conf(5): DefaultMemoryPressureLimit=60%; the warning is our choice, a third of it")
STALL_IO = Levels(0.80, None, "ratio", "our choice: nothing but waiting for disks for most of a minute")
STALL_CPU = Levels(None, None, "ratio", "our choice: not judged, for a busy machine's tasks wait for each other; kept as evidence")
MEMORY = Levels(0.90, 0.97, "ratio", "our choice, with a floor in bytes for large machines")
MEMORY_ROOM = Levels(4e9, 1e9, "bytes", "our choice: with this much available nothing is short, whatever the share", low=True)
SWAP = Levels(0.90, None, "ratio", "our choice: swap full of cold pages is no fault, so only while memory is short too")
SHORT = Levels(0.20, None, "ratio", "our choice: less than a fifth of memory available", low=True)
DESCRIPTORS = Levels(0.80, 0.95, "ratio", "our choice, of fs.file-max; proc_sys_fs(5): at the limit system calls fail with ENFILE")
ZOMBIES = Levels(50, None, "processes", "our choice: a few are normal for a moment, many are a parent that does not wait(2)")
STUCK = Levels(3, 20, "processes", "our choice: without any progress between two looks; one or two are ordinary disk traffic")
OOM = Levels(1, None, "kills", "our choice: the kernel kills only when memory can't be had, so every kill is worth knowing")
BOOT = Levels(600.0, None, "s", "our choice: ten minutes, long enough to be believed and to be seen", low=True, margin=0.0)


class Limits(msgspec.Struct, frozen=True):
    """What can be set for a `host` check."""

    cpu: Levels = CPU
    queue: Levels = QUEUE
    iowait: Levels = IOWAIT
    steal: Levels = STEAL
    load: Levels = LOAD
    stall_cpu: Levels = STALL_CPU
    stall_memory: Levels = STALL_MEMORY
    stall_io: Levels = STALL_IO
    memory: Levels = MEMORY
    memory_room: Levels = MEMORY_ROOM
    swap: Levels = SWAP
    short: Levels = SHORT
    disk: Levels = DISK.share
    disk_room: Levels = DISK.room
    inodes: Levels = INODES
    disk_latency: Levels = LATENCY
    disk_busy: Levels = BUSY
    descriptors: Levels = DESCRIPTORS
    zombies: Levels = ZOMBIES
    uninterruptible: Levels = STUCK
    oom: Levels = OOM
    boot: Levels = BOOT


CHECKS = (
    Check("host/cpu", CPU),
    Check("host/iowait", IOWAIT),
    Check("host/steal", STEAL),
    Check("host/load", LOAD),
    Check("host/pressure", STALL_MEMORY),
    Check("host/memory", MEMORY),
    Check("host/swap", SWAP),
    Check("host/disk", DISK.share),
    Check("host/inodes", INODES),
    Check("host/read-only"),
    Check("host/mount"),
    Check("host/disk-latency", LATENCY),
    Check("host/disk-busy", BUSY),
    Check("host/descriptors", DESCRIPTORS),
    Check("host/process"),
    Check("host/zombies", ZOMBIES),
    Check("host/uninterruptible", STUCK),
    Check("host/oom", OOM),
    Check("host/clock-sync"),
    Check("host/boot", BOOT),
    Check("host/units"),
)

# a part that could not be read → the check that can't be answered
_CHECK_OF = {
    "filesystems": "host/disk",
    "disks": "host/disk-latency",
    "processes": "host/zombies",
    "clock": "host/clock-sync",
}


def judge(seen: Observation, before: Observation | None, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001
    """Judge one look at a host. What could not be read is unknown with the reason; what needs two looks is left out at the first."""
    match seen.outcome:
        case Failure() as why:
            yield judge_failure("host/cpu", seen, why)
        case HostSample() as host:
            yield from _missing(seen, host)
            if host.cpu is not None:
                yield from _cpu(seen, host.cpu, host.top_cpu, limits)
            yield from _pressure(seen, host, limits)
            if host.memory is not None:
                yield from _memory(seen, host.memory, host.top_memory, limits)
            yield from judge_storage(seen, host, limits)
            yield from _processes(seen, host, limits)
            yield from _kernel(seen, host, limits)
            yield from _boot(seen, host, limits)


def _missing(seen: Observation, host: HostSample) -> Iterator[Finding]:
    for part, reason in host.missing.items():
        kind, _, item = part.partition(":")
        check = "host/disk" if kind == "mount" else _CHECK_OF.get(part, f"host/{part}")
        yield Finding(check, seen, State.UNKNOWN, Message("host.missing", {"part": item or part, "reason": reason}), item=item)


def _cpu(seen: Observation, cpu: CpuSample, top: tuple[ProcessSample, ...], limits: Limits) -> Iterator[Finding]:
    per_core = None if cpu.load_5min is None else cpu.load_5min / cpu.cores
    if cpu.busy_ratio is not None:
        alone = per_core is not None and limits.queue.judge(per_core) is State.OK  # a busy minute is work, not a fault
        state = State.OK if alone else limits.cpu.judge(cpu.busy_ratio)
        text = _blame("host.cpu", state, {"ratio": cpu.busy_ratio}, top)
        yield Finding("host/cpu", seen, state, text, limits.cpu, value=cpu.busy_ratio, gated=alone)
    for check, levels, value in (("iowait", limits.iowait, cpu.iowait_ratio), ("steal", limits.steal, cpu.steal_ratio)):
        if value is not None:
            text = Message(f"host.{check}", {"ratio": value})
            yield Finding(f"host/{check}", seen, levels.judge(value), text, levels, value=value)
    if per_core is not None:
        text = Message("host.load", {"load": cpu.load_5min, "cores": cpu.cores, "per_core": per_core})
        yield Finding("host/load", seen, limits.load.judge(per_core), text, limits.load, value=per_core)


def _pressure(seen: Observation, host: HostSample, limits: Limits) -> Iterator[Finding]:
    """Judge cpu by the time in which some tasks waited, memory and io by that in which all did."""
    levels_of = {"cpu": limits.stall_cpu, "memory": limits.stall_memory, "io": limits.stall_io}
    for pressure in host.pressure:
        levels = levels_of.get(pressure.resource)
        value = pressure.some_ratio if pressure.resource == "cpu" else pressure.full_ratio
        if levels is not None and value is not None:
            text = Message(f"host.pressure-{pressure.resource}", {"ratio": value})
            yield Finding("host/pressure", seen, levels.judge(value), text, levels, pressure.resource, value)


def _memory(seen: Observation, memory: MemorySample, top: tuple[ProcessSample, ...], limits: Limits) -> Iterator[Finding]:
    available = memory.available_bytes
    if available is not None and memory.total_bytes > 0:
        used = 1 - available / memory.total_bytes
        levels = roomy(limits.memory, limits.memory_room, memory.total_bytes)
        state = levels.judge(used)
        text = _blame("host.memory", state, {"ratio": used, "free_gb": available / 1e9}, top)
        yield Finding("host/memory", seen, state, text, levels, value=used)
    if memory.swap_total_bytes and memory.swap_used_bytes is not None:
        swapped = memory.swap_used_bytes / memory.swap_total_bytes
        plenty = available is not None and memory.total_bytes > 0 and limits.short.judge(available / memory.total_bytes) is State.OK
        state = State.OK if plenty else limits.swap.judge(swapped)
        yield Finding("host/swap", seen, state, Message("host.swap", {"ratio": swapped}), limits.swap, value=swapped, gated=plenty)


def _blame(text: str, state: State, values: dict[str, Value], top: tuple[ProcessSample, ...]) -> Message:
    """Return the message, with the largest process when there is something to complain about."""
    if state is State.OK or not top:
        return Message(text, values)
    return Message(f"{text}-by", {**values, "process": top[0].name, "pid": top[0].pid})


def _processes(seen: Observation, host: HostSample, limits: Limits) -> Iterator[Finding]:
    for process in host.expected:
        yield _expected(seen, process, host.missing.get("processes", "?"))
    if host.zombies is not None:
        text = Message("host.zombies", {"count": host.zombies})
        yield Finding("host/zombies", seen, limits.zombies.judge(host.zombies), text, limits.zombies, value=host.zombies)
    if host.stuck is not None:
        text = Message("host.stuck", {"count": host.stuck})
        levels = limits.uninterruptible
        yield Finding("host/uninterruptible", seen, levels.judge(host.stuck), text, levels, value=host.stuck)


def _expected(seen: Observation, process: ExpectedProcess, reason: str) -> Finding:
    """None running is critical, too few is a warning."""
    item, running = process.pattern, process.running
    if running is None:
        return Finding("host/process", seen, State.UNKNOWN, Message("host.missing", {"part": item, "reason": reason}), item=item)
    if running >= process.expected:
        return Finding(
            "host/process", seen, State.OK, Message("host.process", {"pattern": item, "count": running}), item=item, value=running
        )
    state = State.WARNING if running else State.CRITICAL
    text = Message("host.process-short", {"pattern": item, "count": running, "expected": process.expected})
    return Finding("host/process", seen, state, text, item=item, value=running)


def _kernel(seen: Observation, host: HostSample, limits: Limits) -> Iterator[Finding]:
    if host.descriptors_used is not None and host.descriptors_max:
        used = host.descriptors_used / host.descriptors_max
        text = Message("host.descriptors", {"used": host.descriptors_used, "most": host.descriptors_max, "ratio": used})
        yield Finding("host/descriptors", seen, limits.descriptors.judge(used), text, limits.descriptors, value=used)
    if host.oom_kills_recent is not None:
        kills = host.oom_kills_recent
        yield Finding("host/oom", seen, limits.oom.judge(kills), Message("host.oom", {"count": kills}), limits.oom, value=kills)
    if host.clock is not None:
        state = State.OK if host.clock.synchronised else State.WARNING
        yield Finding("host/clock-sync", seen, state, Message("host.clock" if host.clock.synchronised else "host.clock-unsynchronised"))
    if host.failed_units is not None:
        units = host.failed_units
        text = Message("host.units-failed", {"count": len(units), "names": ", ".join(units)}) if units else Message("host.units")
        yield Finding("host/units", seen, State.WARNING if units else State.OK, text, value=len(units))


def _boot(seen: Observation, host: HostSample, limits: Limits) -> Iterator[Finding]:
    """Tell a reboot by a short uptime: it survives the agent's own restart, and does not follow a clock that is set."""
    if host.uptime_s is None:
        return
    state = limits.boot.judge(host.uptime_s)
    days, minutes = {"days": host.uptime_s / 86400}, {"minutes": host.uptime_s / 60}
    text = Message("host.up", {**days}) if state is State.OK else Message("host.rebooted", {**minutes})
    yield Finding("host/boot", seen, state, text, limits.boot, value=host.uptime_s)
