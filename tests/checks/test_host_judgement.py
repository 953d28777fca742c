from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import host
from checks.finding import Finding, Levels, State
from checks.host_storage import roomy
from probe.observation.failure import Failure, Kind
from probe.observation.host import (
    ClockSample,
    CpuSample,
    DiskSample,
    ExpectedProcess,
    FilesystemSample,
    HostSample,
    MemorySample,
    PressureSample,
    ProcessSample,
)
from probe.observation.observation import Observation, Outcome

AT = datetime(2026, 1, 1, tzinfo=UTC)
GB = 10**9
OK, WARNING, CRITICAL, UNKNOWN = State.OK, State.WARNING, State.CRITICAL, State.UNKNOWN

IDLE = CpuSample(4, 0.05, 0.03, 0.02, 0.0, 0.0, 0.1, 0.1, 0.1)
ROOT = FilesystemSample("/", "/dev/sda1", "ext4", 100 * GB, 60 * GB, 1000, 900, False, False)
QUIET = HostSample(
    cpu=IDLE,
    pressure=(PressureSample("cpu", 0.0, 0.0), PressureSample("memory", 0.0, 0.0), PressureSample("io", 0.0, 0.0)),
    memory=MemorySample(16 * GB, 12 * GB, 0, 0),
    filesystems=(ROOT,),
    disks=(DiskSample("sda", 0.0, 0.0, 1.0, 2.0, 0.1),),
    descriptors_used=1000,
    descriptors_max=100000,
    processes=200,
    zombies=0,
    uninterruptible=0,
    top_cpu=(),
    top_memory=(),
    expected=(ExpectedProcess("nginx", 2, 1),),
    oom_kills_recent=0,
    clock=ClockSample(True, 0.0, 5.0),
    booted_at=AT - timedelta(days=3),
    failed_units=(),
    over_s=60.0,
    stuck=0,
    uptime_s=3 * 86400.0,
)


def saw(outcome: Outcome) -> Observation:
    return Observation("agent", "here", "host", AT, 1.0, outcome)


def judged(sample: HostSample, before: HostSample | None = QUIET) -> dict[tuple[str, str], Finding]:
    found = list(host.judge(saw(sample), saw(before) if before else None, host.Limits()))
    by_key = {(one.check, one.item): one for one in found}
    assert len(by_key) == len(found), "two findings about one thing"
    return by_key


def changed(sample: HostSample = QUIET, **changes: object) -> HostSample:
    return msgspec.structs.replace(sample, **changes)


def state(sample: HostSample, check: str, item: str = "") -> State | None:
    found = judged(sample).get((check, item))
    return found.state if found else None


def states(found: Iterable[Finding]) -> set[State]:
    return {one.state for one in found}


def test_quiet_machine_has_nothing_but_ok_and_every_check_speaks() -> None:
    asked = msgspec.structs.replace(ROOT, required=True)
    found = judged(changed(memory=MemorySample(16 * GB, 12 * GB, GB, 0), filesystems=(asked,)))
    assert states(found.values()) == {OK}
    assert {check for check, _ in found} == {check.name for check in host.CHECKS}


def test_busy_build_server_raises_no_alarm() -> None:
    cpu = CpuSample(2, 1.0, 0.8, 0.2, 0.0, 0.0, 6.0, 1.9, 0.8)
    pressure = (PressureSample("cpu", 0.97, 0.0), PressureSample("memory", 0.02, 0.01), PressureSample("io", 0.4, 0.3))
    disks = (DiskSample("vda", 1e9, 2e9, 5.0, 30.0, 1.0),)
    busy = changed(cpu=cpu, pressure=pressure, disks=disks, zombies=5, uninterruptible=6, stuck=1, descriptors_used=50000)
    assert states(judged(busy).values()) == {OK}


@pytest.mark.parametrize(
    ("busy", "load_5min", "expected"),
    [(0.94, 9.0, OK), (0.95, 3.9, OK), (0.95, 4.0, WARNING), (1.0, 99.0, WARNING), (1.0, None, WARNING)],
)
def test_cpu_is_a_warning_only_when_work_queues_too(busy: float, load_5min: float | None, expected: State) -> None:
    cpu = msgspec.structs.replace(IDLE, busy_ratio=busy, load_5min=load_5min)
    assert state(changed(cpu=cpu), "host/cpu") is expected


@pytest.mark.parametrize(
    ("field", "check", "value", "expected"),
    [
        ("iowait_ratio", "host/iowait", 0.59, OK),
        ("iowait_ratio", "host/iowait", 0.6, WARNING),
        ("steal_ratio", "host/steal", 0.09, OK),
        ("steal_ratio", "host/steal", 0.1, WARNING),
        ("steal_ratio", "host/steal", 0.5, CRITICAL),
        ("load_5min", "host/load", 15.9, OK),
        ("load_5min", "host/load", 16.0, WARNING),
        ("iowait_ratio", "host/iowait", None, None),
        ("busy_ratio", "host/cpu", None, None),
        ("load_5min", "host/load", None, None),
    ],
)
def test_processor_limits(field: str, check: str, value: float | None, expected: State | None) -> None:
    assert state(changed(cpu=msgspec.structs.replace(IDLE, **{field: value})), check) is expected


@pytest.mark.parametrize(
    ("pressure", "expected"),
    [
        (PressureSample("cpu", 1.0, 0.0), OK),
        (PressureSample("memory", 1.0, 0.19), OK),
        (PressureSample("memory", 1.0, 0.2), WARNING),
        (PressureSample("memory", 1.0, 0.6), CRITICAL),
        (PressureSample("io", 1.0, 0.79), OK),
        (PressureSample("io", 1.0, 0.8), WARNING),
        (PressureSample("io", 1.0, None), None),
        (PressureSample("irq", 1.0, 1.0), None),
    ],
)
def test_pressure_limits(pressure: PressureSample, expected: State | None) -> None:
    assert state(changed(pressure=(pressure,)), "host/pressure", pressure.resource) is expected


@pytest.mark.parametrize(
    ("total", "available", "expected"),
    [
        (16 * GB, 1.7 * GB, OK),
        (16 * GB, 1.6 * GB, WARNING),
        (16 * GB, 0.48 * GB, CRITICAL),
        (512 * GB, 12 * GB, OK),
        (512 * GB, 4 * GB, WARNING),
        (512 * GB, 1 * GB, CRITICAL),
        (16 * GB, None, None),
    ],
)
def test_memory_is_short_by_share_and_by_bytes(total: int, available: float | None, expected: State | None) -> None:
    memory = MemorySample(int(total), None if available is None else int(available), None, None)
    assert state(changed(memory=memory), "host/memory") is expected


@pytest.mark.parametrize(
    ("available", "swapped", "expected"), [(12, 1.0, OK), (3, 0.89, OK), (3, 0.9, WARNING), (None, 0.9, WARNING), (3.3, 1.0, OK)]
)
def test_full_swap_matters_only_while_memory_is_short(available: float | None, swapped: float, expected: State) -> None:
    memory = MemorySample(16 * GB, None if available is None else int(available * GB), GB, int(swapped * GB))
    assert state(changed(memory=memory), "host/swap") is expected


@pytest.mark.parametrize(
    ("total_gb", "free_gb", "expected"),
    [
        (0.001, 0.0002, OK),
        (0.001, 0.00015, WARNING),
        (0.001, 0, CRITICAL),
        (20, 3.1, OK),
        (20, 3.0, WARNING),
        (20, 1.0, CRITICAL),
        (1000, 51, OK),
        (1000, 50, WARNING),
        (1000, 10.1, WARNING),
        (1000, 10, CRITICAL),
        (20000, 60, OK),
    ],
)
def test_disk_is_full_by_share_and_by_bytes(total_gb: float, free_gb: float, expected: State) -> None:
    system = msgspec.structs.replace(ROOT, total_bytes=int(total_gb * GB), available_bytes=int(free_gb * GB))
    found = judged(changed(filesystems=(system,)))["host/disk", "/"]
    assert found.state is expected
    assert found.full_at == 1.0
    assert found.value == pytest.approx(1 - free_gb / total_gb)


@given(st.floats(1e6, 1e15), st.floats(0, 1))
def test_moved_levels_say_the_same_as_share_and_bytes_together(total: float, used: float) -> None:
    share, room = host.DISK
    both = {share.judge(used), room.judge(total * (1 - used))}
    levels = roomy(share, room, total)
    if all(abs(used - limit) > 1e-9 for limit in (levels.warning or 0, levels.critical or 0, 0.85, 0.95)):
        expected = next(one for one in (OK, WARNING, CRITICAL) if one in both)
        assert levels.judge(used) is expected


def test_margin_of_a_large_disk_is_a_quarter_of_what_is_left_not_of_the_disk() -> None:
    levels = roomy(*host.DISK, 10_000 * GB)
    assert levels.holds(0.9989, CRITICAL)
    assert not levels.holds(0.9985, CRITICAL)


@pytest.mark.parametrize(("free", "expected"), [(151, OK), (150, WARNING), (51, WARNING), (50, CRITICAL), (None, None)])
def test_inode_limits(free: int | None, expected: State | None) -> None:
    system = msgspec.structs.replace(ROOT, inodes_total=1000, inodes_free=free)
    assert state(changed(filesystems=(system,)), "host/inodes", "/") is expected


@pytest.mark.parametrize(("share", "expected"), [(0.84, OK), (0.85, WARNING), (0.94, WARNING), (0.95, CRITICAL), (None, None)])
def test_inodes_told_as_a_share_alone(share: float | None, expected: State | None) -> None:
    system = msgspec.structs.replace(ROOT, inodes_total=None, inodes_free=None, inodes_used_ratio=share)
    assert state(changed(filesystems=(system,)), "host/inodes", "/") is expected


@pytest.mark.parametrize(("read_only", "remounted", "expected"), [(False, False, OK), (True, True, CRITICAL), (True, False, None)])
def test_read_only_is_a_fault_only_when_it_was_writable(read_only: bool, remounted: bool, expected: State | None) -> None:
    system = msgspec.structs.replace(ROOT, read_only=read_only, remounted_read_only=remounted, available_bytes=0)
    found = changed(filesystems=(system,))
    assert state(found, "host/read-only", "/") is expected
    assert state(found, "host/disk", "/") is (None if read_only and not remounted else CRITICAL)


def test_configured_mount_point_that_is_not_mounted_is_critical() -> None:
    assert state(changed(unmounted=("/srv",)), "host/mount", "/srv") is CRITICAL
    assert state(changed(filesystems=(msgspec.structs.replace(ROOT, required=True),)), "host/mount", "/") is OK
    assert state(QUIET, "host/mount", "/") is None  # nobody asked for it


@pytest.mark.parametrize(
    ("disk", "over_s", "latency", "busy"),
    [
        (DiskSample("sda", 0.0, 0.0, 199.0, None, 0.5), 60.0, OK, OK),
        (DiskSample("sda", 0.0, 0.0, 1.0, 200.0, 0.5), 60.0, WARNING, OK),
        (DiskSample("sda", 0.0, 0.0, 2000.0, 1.0, 0.5), 60.0, CRITICAL, OK),
        (DiskSample("sda", 0.0, 0.0, 49.0, None, 1.0), 60.0, OK, OK),
        (DiskSample("sda", 0.0, 0.0, 50.0, None, 0.94), 60.0, OK, OK),
        (DiskSample("sda", 0.0, 0.0, 50.0, None, 0.95), 60.0, OK, WARNING),
        (DiskSample("sda", 0.0, 0.0, None, None, 1.0), 60.0, CRITICAL, WARNING),
        (DiskSample("sda", 0.0, 0.0, None, None, 1.0), 1.0, None, WARNING),
        (DiskSample("sda", 0.0, 0.0, None, None, 0.0), 60.0, OK, OK),
        (DiskSample("sda", None, None, None, None, None), None, None, None),
    ],
)
def test_disk_limits(disk: DiskSample, over_s: float | None, latency: State | None, busy: State | None) -> None:
    sample = changed(disks=(disk,), over_s=over_s)
    assert (state(sample, "host/disk-latency", "sda"), state(sample, "host/disk-busy", "sda")) == (latency, busy)


@pytest.mark.parametrize(
    ("changes", "check", "expected"),
    [
        ({"descriptors_used": 79999}, "host/descriptors", OK),
        ({"descriptors_used": 80000}, "host/descriptors", WARNING),
        ({"descriptors_used": 95000}, "host/descriptors", CRITICAL),
        ({"descriptors_used": None}, "host/descriptors", None),
        ({"zombies": 49}, "host/zombies", OK),
        ({"zombies": 50}, "host/zombies", WARNING),
        ({"zombies": None}, "host/zombies", None),
        ({"stuck": 2}, "host/uninterruptible", OK),
        ({"stuck": 3}, "host/uninterruptible", WARNING),
        ({"stuck": 20}, "host/uninterruptible", CRITICAL),
        ({"stuck": None, "uninterruptible": 500}, "host/uninterruptible", None),
        ({"oom_kills_recent": 0}, "host/oom", OK),
        ({"oom_kills_recent": 1}, "host/oom", WARNING),
        ({"oom_kills_recent": None}, "host/oom", None),
        ({"clock": ClockSample(False, 0.0, 16000.0)}, "host/clock-sync", WARNING),
        ({"clock": None}, "host/clock-sync", None),
        ({"failed_units": ("nginx.service",)}, "host/units", WARNING),
        ({"failed_units": None}, "host/units", None),
    ],
)
def test_kernel_and_service_limits(changes: dict[str, object], check: str, expected: State | None) -> None:
    assert state(changed(**changes), check) is expected


@pytest.mark.parametrize(
    ("running", "least", "expected"), [(1, 1, OK), (5, 2, OK), (1, 2, WARNING), (0, 1, CRITICAL), (0, 0, OK), (None, 1, UNKNOWN)]
)
def test_expected_process_limits(running: int | None, least: int, expected: State) -> None:
    assert state(changed(expected=(ExpectedProcess("nginx", running, least),)), "host/process", "nginx") is expected


@pytest.mark.parametrize(("uptime_s", "expected"), [(10.0, WARNING), (600.0, WARNING), (601.0, OK), (None, None)])
def test_short_uptime_is_a_reboot_whatever_was_seen_before(uptime_s: float | None, expected: State | None) -> None:
    found = judged(changed(uptime_s=uptime_s), None).get(("host/boot", ""))
    assert (found.state if found else None) is expected


def test_a_clock_that_was_set_is_no_reboot() -> None:
    assert judged(changed(booted_at=AT), QUIET)["host/boot", ""].state is OK


def test_part_that_is_missing_is_unknown_with_its_reason() -> None:
    missing = {
        "memory": "KeyError: 'MemTotal'",
        "mount:/mnt/nas": "nfs4 has not answered",
        "filesystems": "x",
        "processes": "hidepid",
        "units": "y",
    }
    sample = changed(memory=None, zombies=None, missing=missing, failed_units=None, expected=(ExpectedProcess("nginx", None, 1),))
    found = judged(sample)
    for key in (
        ("host/memory", ""),
        ("host/disk", "/mnt/nas"),
        ("host/disk", ""),
        ("host/zombies", ""),
        ("host/units", ""),
        ("host/process", "nginx"),
    ):
        assert found[key].state is UNKNOWN, key
        assert found[key].message.id == "host.missing"
    assert found["host/disk", "/mnt/nas"].message.values == {"part": "/mnt/nas", "reason": "nfs4 has not answered"}
    assert found["host/process", "nginx"].message.values["reason"] == "hidepid"


def test_failure_of_ours_is_unknown() -> None:
    (found,) = host.judge(saw(Failure(Kind.BROKEN, "hung")), None, host.Limits())
    assert (found.check, found.state) == ("host/cpu", UNKNOWN)


def test_the_largest_process_is_named_only_when_there_is_a_complaint() -> None:
    hungry = (ProcessSample(77, "java", 0.1, 15 * GB),)
    short = changed(memory=MemorySample(16 * GB, 0, None, None), top_memory=hungry)
    assert judged(short)["host/memory", ""].message.values["process"] == "java"
    assert "process" not in judged(changed(top_memory=hungry))["host/memory", ""].message.values


def test_own_limits_replace_the_defaults() -> None:
    strict = host.Limits(disk=Levels(0.1, None, "ratio", "ours"), disk_room=Levels(None, None, "bytes", "ours", low=True))
    found = {one.check: one for one in host.judge(saw(QUIET), None, strict)}
    assert found["host/disk"].state is WARNING
    assert found["host/disk"].levels == strict.disk


def test_every_level_has_unit_and_source() -> None:
    for levels in msgspec.structs.astuple(host.Limits()):
        assert levels.unit
        assert levels.source
