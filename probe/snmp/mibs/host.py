"""A server without an agent of ours, by HOST-RESOURCES-MIB (RFC 2790) and UCD-SNMP-MIB; the processors and pools of other devices."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from probe.observation.device import PoolSample, ProcessorSample
from probe.observation.host import CpuSample, ExpectedProcess, HostSample, MemorySample
from probe.probers.counters import difference
from probe.probers.host_processes import matches, read_expected
from probe.snmp.mibs.storage import memory_of, pools_of, read_filesystems, read_storage
from probe.snmp.talk import Talk, Value
from probe.snmp.values import natural, number, real, text, unsigned

UCD = "1.3.6.1.4.1.2021"
SWAP_TOTAL, SWAP_FREE, TOTAL, FREE = (f"{UCD}.4.{number}.0" for number in (3, 4, 5, 6))
SHARED, BUFFERS, CACHED, AVAILABLE = (f"{UCD}.4.{number}.0" for number in (13, 14, 15, 27))  # kB, like those above
LOADS = tuple(f"{UCD}.10.1.3.{number}" for number in (1, 2, 3))  # laLoad of 1, 5 and 15 minutes, as text
USER, NICE, SYSTEM, IDLE = (f"{UCD}.11.{number}.0" for number in (50, 51, 52, 53))  # ssCpuRaw*: ticks
WAIT, KERNEL, INTERRUPT, SOFT, STEAL = (f"{UCD}.11.{number}.0" for number in (54, 55, 56, 61, 64))
CORES = f"{UCD}.11.67.0"
PROCESSES = "1.3.6.1.2.1.25.1.6.0"
TICKS = (USER, NICE, SYSTEM, IDLE, WAIT, KERNEL, INTERRUPT, SOFT, STEAL)
SCALARS = (SWAP_TOTAL, SWAP_FREE, TOTAL, FREE, SHARED, BUFFERS, CACHED, AVAILABLE, *LOADS, *TICKS, CORES, PROCESSES)

PROCESSOR_LOAD, DEVICE_DESCR = "1.3.6.1.2.1.25.3.3.1.2", "1.3.6.1.2.1.25.3.2.1.3"
RUN_NAME, RUN_PATH, RUN_PARAMETERS, RUN_STATUS = (f"1.3.6.1.2.1.25.4.2.1.{column}" for column in (2, 4, 5, 7))
INVALID = 4  # hrSWRunStatus of what has ended

SERVERS = (  # whose sysObjectID means an operating system for all purposes; UCD-SNMP-MIB's memory says so too
    "1.3.6.1.4.1.311.1.1.3",  # Windows
    "1.3.6.1.4.1.8072.3.2",  # net-snmp
    "1.3.6.1.4.1.2021.250",  # ucd-snmp
    "1.3.6.1.4.1.6876.4.1",  # VMware ESX
    "1.3.6.1.4.1.42.2.1.1",  # Solaris
    "1.3.6.1.4.1.2.3.1.2.1.1",  # AIX
)


class HostLook(msgspec.Struct, frozen=True):
    """One look: `host` of a server, else processors and pools; and what the next look needs."""

    host: HostSample | None = None
    processors: tuple[ProcessorSample, ...] = ()
    pools: tuple[PoolSample, ...] = ()
    ticks: dict[str, int] = {}
    writable: frozenset[str] = frozenset()


class Since(msgspec.Struct, frozen=True):
    """What is known of the time: how long ago the look before was, that the device ran through, its uptime, our clock."""

    over_s: float | None = None
    unbroken: bool = True
    uptime_s: float | None = None
    now_s: float | None = None


def is_server(object_id: str, values: Mapping[str, Value]) -> bool:
    """Tell whether a device is a server: by its sysObjectID, or because it tells its memory as servers do."""
    return TOTAL in values or any(object_id == kind or object_id.startswith(kind + ".") for kind in SERVERS)


async def read_host(
    talk: Talk, values: Mapping[str, Value], server: bool, expected: Sequence[str], before: HostLook | None, since: Since
) -> HostLook:
    """Return one look; `values` are those of SCALARS that the agent has."""
    loads = await talk.walk(PROCESSOR_LOAD)
    storage = await read_storage(talk)
    if not server:
        return HostLook(processors=await _processors(talk, loads), pools=pools_of(storage))
    ticks = {oid: ticked for oid in TICKS if (ticked := natural(values.get(oid))) is not None}
    earlier = before.ticks if before is not None and since.unbroken else {}
    held = before.writable if before is not None else frozenset()
    filesystems, told_writable = await read_filesystems(talk, storage, held)
    missing: dict[str, str] = {}
    cpu = cpu_of(values, ticks, earlier, list(loads.values()))
    memory = _memory(values) or memory_of(storage)
    running = await _expected(talk, expected, missing)
    if before is not None and before.host is not None:
        lost = {
            "cpu": before.host.cpu is not None and cpu is None,
            "memory": before.host.memory is not None and memory is None,
            "filesystems": bool(before.host.filesystems) and not filesystems,
        }
        missing.update({part: "it was told at the look before" for part, gone in lost.items() if gone})
    told = (cpu, memory, values.get(PROCESSES))
    if all(part is None for part in told) and not filesystems and not running and not missing:
        return HostLook(ticks=ticks, writable=held)  # an operating system that shows nothing of itself
    host = HostSample(
        cpu, (), memory, filesystems, (), None, None, natural(values.get(PROCESSES)), None, None, (), (), running, None, None,
        _booted(since), None, missing, since.over_s if before is not None else None, None, (), since.uptime_s,
    )  # fmt: skip
    return HostLook(host, ticks=ticks, writable=held | told_writable)


def _booted(since: Since) -> datetime | None:
    if since.uptime_s is None or since.now_s is None or since.uptime_s > since.now_s:
        return None
    return datetime.fromtimestamp(round(since.now_s - since.uptime_s), UTC)


def cpu_of(values: Mapping[str, Value], now: Mapping[str, int], before: Mapping[str, int], loads: Sequence[Value]) -> CpuSample | None:
    """Return the processors' shares since the look before, by ticks (ssCpuRaw*); their last minute (hrProcessorLoad) without those.

    Where there is a kernel's counter, "system" is it and the waiting together (UCD-SNMP-MIB), and is left out.
    """
    one, five, fifteen = (real(values.get(oid)) for oid in LOADS)
    cores = natural(values.get(CORES)) or len(loads)
    if not cores:
        return None
    grown = {oid: difference(now.get(oid), before.get(oid)) or 0 for oid in TICKS}
    system = (grown[KERNEL] or grown[SYSTEM]) + grown[INTERRUPT] + grown[SOFT]
    user, idle, wait, steal = grown[USER] + grown[NICE], grown[IDLE], grown[WAIT], grown[STEAL]
    total = user + system + idle + wait + steal
    if IDLE in now:
        if not before or total <= 0:
            return CpuSample(cores, None, None, None, None, None, one, five, fifteen)
        busy_share, *shares = (part / total for part in (user + system + steal, user, system, wait, steal))
        return CpuSample(cores, busy_share, shares[0], shares[1], shares[2], shares[3], one, five, fifteen)
    busy = [share for load in loads if (share := number(load)) is not None and 0 <= share <= 100]
    mean = sum(busy) / len(busy) / 100 if busy else None
    return CpuSample(cores, mean, None, None, None, None, one, five, fifteen)


def _memory(values: Mapping[str, Value]) -> MemorySample | None:
    """Return UCD-SNMP-MIB's memory: MemAvailable where it is told, else what is free, buffers and cache less what is shared."""
    total, free = unsigned(values.get(TOTAL)), unsigned(values.get(FREE))
    if not total:
        return None
    available = unsigned(values.get(AVAILABLE))
    if available is None and free is not None:
        lent = sum(unsigned(values.get(oid)) or 0 for oid in (BUFFERS, CACHED)) - (unsigned(values.get(SHARED)) or 0)
        available = free + max(0, lent)
    swap, swap_free = unsigned(values.get(SWAP_TOTAL)), unsigned(values.get(SWAP_FREE))
    return MemorySample(
        total * 1024,
        min(available, total) * 1024 if available is not None else None,
        swap * 1024 if swap is not None else None,
        max(0, swap - swap_free) * 1024 if swap is not None and swap_free is not None else None,
    )


async def _processors(talk: Talk, loads: Mapping[str, Value]) -> tuple[ProcessorSample, ...]:
    """Return hrProcessorTable; names that are all the same are numbered instead."""
    if not loads:
        return ()
    descrs = await talk.walk(DEVICE_DESCR, keep=True)
    names = [text(descrs.get(index)) for index in loads]
    if len(set(names)) < len(names) or not all(names):
        names = [f"CPU {place}" for place in range(1, len(names) + 1)]
    found = []
    for name, (index, load) in zip(names, loads.items(), strict=True):
        busy = number(load)
        if busy is None or not 0 <= busy <= 100:
            talk.odd("hrProcessorTable", "not-a-number" if busy is None else "out-of-range", index)
            busy = None
        found.append(ProcessorSample(name, busy / 100 if busy is not None else None, f"{PROCESSOR_LOAD}.{index}"))
    return tuple(found)


async def _expected(talk: Talk, patterns: Sequence[str], missing: dict[str, str]) -> tuple[ExpectedProcess, ...]:
    """Return how many processes match each pattern; None where the table can't be read. Read only where it was asked for."""
    if not patterns:
        return ()
    names = await talk.walk(RUN_NAME)
    wanted = [(pattern, *read_expected(pattern)) for pattern in patterns]
    if not names:
        missing["processes"] = "the agent shows no hrSWRunTable"
        return tuple(ExpectedProcess(told, None, least) for told, _, least in wanted)
    paths, parameters, states = await talk.walk_all((RUN_PATH, RUN_PARAMETERS, RUN_STATUS))
    running = [
        (text(name), f"{text(paths.get(index))} {text(parameters.get(index))}".strip())
        for index, name in names.items()
        if states.get(index) != INVALID
    ]
    return tuple(
        ExpectedProcess(told, sum(matches(pattern, name, command) for name, command in running), least) for told, pattern, least in wanted
    )
