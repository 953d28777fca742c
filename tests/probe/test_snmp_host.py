"""Servers by HOST-RESOURCES-MIB and UCD-SNMP-MIB, and the processors and pools of other devices."""

import asyncio
from collections.abc import Mapping

import pytest

from probe.observation.host import CpuSample, ExpectedProcess, HostSample, MemorySample
from probe.snmp.mibs import host
from probe.snmp.mibs.host import HostLook, Since, is_server, read_host
from probe.snmp.mibs.storage import path_of
from probe.snmp.talk import Value
from tests.probe.recorded_talk import RecordedTalk

NET_SNMP, WINDOWS, SWITCH = "1.3.6.1.4.1.8072.3.2.10", "1.3.6.1.4.1.311.1.1.3.1.2", "1.3.6.1.4.1.9.1.1208"
TYPES, STORAGE, FS, DISK = "1.3.6.1.2.1.25.2.1", "1.3.6.1.2.1.25.2.3.1", "1.3.6.1.2.1.25.3.8.1", "1.3.6.1.4.1.2021.9.1"


def stored(index: int, type_: int, descr: str, unit: int, size: int, used: int) -> dict[str, Value]:
    row: tuple[Value, ...] = (f"{TYPES}.{type_}", descr.encode(), unit, size, used)
    return {f"{STORAGE}.{column}.{index}": value for column, value in enumerate(row, 2)}


def look(values: Mapping[str, Value], object_id: str = NET_SNMP, before: HostLook | None = None, *expected: str) -> HostLook:
    talk = RecordedTalk(values)
    scalars = {oid: values[oid] for oid in host.SCALARS if oid in values}
    server = is_server(object_id, scalars)
    return asyncio.run(read_host(talk, scalars, server, expected, before, Since(60.0, True, 3600.0, 1_800_000_000.0)))


def server(values: Mapping[str, Value], before: HostLook | None = None, *expected: str) -> HostSample:
    found = look(values, NET_SNMP, before, *expected).host
    assert found is not None
    return found


def ticks(**numbers: int) -> dict[str, Value]:
    return {getattr(host, name.upper()): value for name, value in numbers.items()}


LINUX = {
    **ticks(user=1000, nice=0, system=500, idle=8000, wait=100, kernel=0, interrupt=0, soft=50, steal=0),
    host.CORES: 2,
    **dict(zip(host.LOADS, (b"0.42", b"0.30", b"0.10"), strict=True)),
    host.TOTAL: 8_000_000, host.FREE: 1_000_000, host.BUFFERS: 200_000, host.CACHED: 3_000_000, host.SHARED: 100_000,
    host.SWAP_TOTAL: 2_000_000, host.SWAP_FREE: 1_500_000,
    host.PROCESSES: 155,
}  # fmt: skip


def test_shares_of_the_processors_come_from_ticks() -> None:
    first = look(LINUX)
    assert first.host is not None
    assert first.host.cpu == CpuSample(2, None, None, None, None, None, 0.42, 0.30, 0.10)
    later = LINUX | ticks(user=1030, system=510, idle=8050, wait=105, soft=55)
    assert server(later, first).cpu == CpuSample(2, 0.45, 0.30, 0.15, 0.05, 0.0, 0.42, 0.30, 0.10)


def test_ticks_that_wrap_or_start_anew() -> None:
    near = LINUX | ticks(idle=2**32 - 10)
    cpu = server(LINUX | ticks(idle=40, user=1050), look(near)).cpu
    assert cpu is not None
    assert cpu.busy_ratio == 0.5
    quiet = server(LINUX | ticks(idle=100, user=7), look(LINUX)).cpu
    assert quiet is not None
    assert quiet.busy_ratio is None  # everything fell: nothing is known of the time in between


def test_wait_within_the_system_counter_is_not_counted_twice() -> None:
    later = LINUX | ticks(system=600, kernel=40, wait=160, idle=8100)  # Solaris: system is kernel and wait
    cpu = server(later, look(LINUX)).cpu
    assert cpu is not None
    assert cpu.system_ratio == 0.2
    assert cpu.iowait_ratio == 0.3


def test_available_memory_is_the_kernels_estimate_or_ours() -> None:
    assert server(LINUX).memory == MemorySample(
        8_192_000_000, (1_000_000 + 200_000 + 3_000_000 - 100_000) * 1024, 2_048_000_000, 512_000_000
    )
    told = server({**LINUX, host.AVAILABLE: 4_200_000}).memory
    assert told is not None
    assert told.available_bytes == 4_200_000 * 1024


def test_size_of_more_than_two_gigablocks_is_put_right() -> None:
    large = {**LINUX, **stored(31, 4, "/data", 4096, -1_000_000_000, 1_000_000)}
    (data,) = server(large).filesystems
    assert data.total_bytes == (2**32 - 1_000_000_000) * 4096


def test_memory_without_ucd_takes_cache_for_free() -> None:
    values = {
        **stored(1, 2, "Physical memory", 1024, 1000, 900),
        **stored(6, 1, "Memory buffers", 1024, 1000, 100),
        **stored(7, 1, "Cached memory", 1024, 500, 500),
        **stored(8, 1, "Shared memory", 1024, 50, 50),
        **stored(10, 3, "Swap space", 1024, 2000, 20),
    }
    assert server(values).memory == MemorySample(1024_000, (100 + 100 + 500 - 50) * 1024, 2_048_000, 20_480)
    newer = {**values, **stored(11, 1, "Available memory", 1024, 640, 0)}
    assert server(newer).memory == MemorySample(1024_000, 640 * 1024, 2_048_000, 20_480)


ROOT = {
    **stored(36, 4, "/", 4096, 1000, 400),
    **{f"{FS}.{column}.6": value for column, value in ((3, b""), (4, "1.3.6.1.2.1.25.3.9.23"), (5, 1), (7, 36))},
    **{f"{DISK}.{column}.1": value for column, value in ((2, b"/"), (7, 2000), (10, 97))},
}


def test_file_systems_with_what_a_user_may_write_and_inodes() -> None:
    (root,) = server({**LINUX, **ROOT}).filesystems
    assert (root.mount, root.fstype, root.total_bytes, root.available_bytes) == ("/", "ext", 4_096_000, 2_048_000)
    assert (root.inodes_total, root.inodes_used_ratio, root.read_only, root.remounted_read_only) == (None, 0.97, False, False)
    bare = {oid: value for oid, value in ROOT.items() if not oid.startswith((FS, DISK))}
    (root,) = server({**LINUX, **bare}).filesystems
    assert (root.available_bytes, root.inodes_used_ratio) == (600 * 4096, None)
    (root,) = server({**LINUX, **ROOT, f"{DISK}.7.1": 2**31 - 1}).filesystems
    assert root.available_bytes == 600 * 4096  # "2 TiB or more" is no size


def test_file_system_that_turns_read_only() -> None:
    first = look({**LINUX, **ROOT})
    second = look({**LINUX, **ROOT, f"{FS}.5.6": 2}, NET_SNMP, first)
    assert second.host is not None
    assert second.host.filesystems[0].remounted_read_only
    third = server({**LINUX, **ROOT, f"{FS}.5.6": 2}, second)
    assert third.filesystems[0].remounted_read_only
    (meant,) = server({**LINUX, **ROOT, f"{FS}.5.6": 2}).filesystems
    assert (meant.read_only, meant.remounted_read_only) == (True, False)


def test_file_system_of_which_a_table_cut_short_told_nothing_was_not_writable() -> None:
    untold = {oid: value for oid, value in ROOT.items() if oid != f"{FS}.5.6"}
    (after,) = server({**LINUX, **ROOT, f"{FS}.5.6": 2}, look({**LINUX, **untold})).filesystems
    assert (after.read_only, after.remounted_read_only) == (True, False)


def test_what_is_no_storage_is_left_out() -> None:
    values = {
        **stored(1, 4, "/proc/sys", 4096, 10, 10),
        **stored(2, 7, "/media/cdrom", 2048, 100, 100),
        **stored(3, 4, "/empty", 4096, 0, 0),
        **stored(4, 4, "/snap/core/1", 4096, 10, 10),
        **stored(5, 4, "/odd", 4096, 10, 11),
    }
    assert server({**LINUX, **values}).filesystems == ()


def test_windows() -> None:
    loads = {f"{host.PROCESSOR_LOAD}.{index}": load for index, load in ((6, 10), (7, 30))}
    values = {
        **loads,
        **stored(1, 4, "C:\\ Label:System  Serial Number 1f", 4096, 1000, 250),
        **stored(4, 2, "Physical Memory", 65536, 100, 40),
    }
    found = look(values, WINDOWS).host
    assert found is not None
    assert found.cpu == CpuSample(2, 0.2, None, None, None, None, None, None, None)
    assert found.memory == MemorySample(6_553_600, 60 * 65536, None, None)
    assert [(one.mount, one.available_bytes) for one in found.filesystems] == [("C:\\", 750 * 4096)]


@pytest.mark.parametrize(
    ("descr", "path"),
    [("/dev/da0s1a, mounted on: /var", "/var"), ("C:\\ Label:  Serial Number 1", "C:\\"), ("/home", "/home"), ("flash:", "flash:")],
)
def test_mount_points_within_descriptions(descr: str, path: str) -> None:
    assert path_of(descr) == path


RUNS = "1.3.6.1.2.1.25.4.2.1"


def test_processes_are_counted_where_it_was_asked() -> None:
    table: dict[str, Value] = {}
    for pid, name, path, parameters, state in ((1, "systemd", "/sbin/init", "splash", 2), (7, "kamailio", "/usr/sbin/kamailio", "-f a", 2)):
        table |= {
            f"{RUNS}.2.{pid}": name.encode(),
            f"{RUNS}.4.{pid}": path.encode(),
            f"{RUNS}.5.{pid}": parameters.encode(),
            f"{RUNS}.7.{pid}": state,
        }
    table |= {f"{RUNS}.2.9": b"kamailio", f"{RUNS}.4.9": b"kamailio", f"{RUNS}.7.9": 4}  # has ended
    found = server({**LINUX, **table}, None, "kamailio >= 2", "*splash*", "asterisk").expected
    assert found == (ExpectedProcess("kamailio >= 2", 1, 2), ExpectedProcess("*splash*", 1, 1), ExpectedProcess("asterisk", 0, 1))
    unseen = server(LINUX, None, "kamailio")
    assert unseen.expected == (ExpectedProcess("kamailio", None, 1),)  # can't see is not "none runs"
    assert "processes" in unseen.missing


def test_part_that_was_there_and_is_not_now_is_named() -> None:
    first = look({**LINUX, **ROOT})
    now = server({host.PROCESSES: 3}, first)
    assert (now.cpu, now.memory, now.filesystems) == (None, None, ())
    assert set(now.missing) == {"cpu", "memory", "filesystems"}
    assert server({host.PROCESSES: 3}).missing == {}


def test_operating_system_that_shows_nothing_is_no_reading() -> None:
    assert look({}).host is None


def test_device_that_is_no_server_has_processors_and_pools() -> None:
    values = {
        **{f"{host.PROCESSOR_LOAD}.{index}": load for index, load in ((1, 10), (2, 200), (3, b"x"))},
        **{f"{host.DEVICE_DESCR}.{index}": b"ARM core" for index in (1, 2, 3)},
        **stored(1, 2, "main memory", 1024, 1000, 250),
        **stored(2, 9, "flash", 1024, 1000, 900),
        **stored(3, 4, "/dev/md1, mounted on: /packages/mnt/jbase", 1024, 10, 10),
    }
    talk = RecordedTalk(values)
    found = asyncio.run(read_host(talk, {}, is_server(SWITCH, {}), (), None, Since()))
    assert found.host is None
    assert [(one.name, one.busy_ratio) for one in found.processors] == [("CPU 1", 0.1), ("CPU 2", None), ("CPU 3", None)]
    assert [(one.kind, one.name, one.used_ratio) for one in found.pools] == [("memory", "main memory", 0.25), ("storage", "flash", 0.9)]
    assert found.pools[1].oid == f"{STORAGE}.6.2"
    assert talk.oddities == {("hrProcessorTable", "out-of-range"): 1, ("hrProcessorTable", "not-a-number"): 1}
