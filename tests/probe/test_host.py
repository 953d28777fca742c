import asyncio
import threading
import time
from collections import namedtuple
from pathlib import Path

import msgspec
import pytest

from probe.inventory import Node
from probe.observation.failure import Failure, Kind
from probe.observation.host import HostSample
from probe.probers import host, worker
from probe.probers.counters import difference, ratio
from probe.probers.host import Options, Sweep
from probe.probers.host_kernel import (
    cpu_shares,
    parse_descriptors,
    parse_memory,
    parse_oom_kills,
    parse_pressure,
    read_clock,
    read_pressure,
)
from probe.probers.host_units import Units, parse_units
from probe.probers.procfs import Procfs
from probe.probers.worker import StuckError, Worker

HERE = Node("here")
Times = namedtuple("Times", "user nice system idle iowait irq softirq steal guest guest_nice")


def test_second_look_has_everything_and_spans_the_time_between() -> None:
    async def twice() -> tuple[object, object]:
        async with host.open() as prober:
            first = await prober.ask(HERE, Options())
            sum(range(3_000_000))  # something for the processor to do
            await asyncio.sleep(0.05)
            return first, await prober.ask(HERE, Options())

    first, second = asyncio.run(twice())
    assert isinstance(first, HostSample)
    assert isinstance(second, HostSample)
    assert first.over_s is None
    assert first.cpu is not None
    assert first.cpu.busy_ratio is None
    assert first.oom_kills_recent is None
    assert second.missing == {}
    assert second.over_s is not None
    assert second.over_s >= 0.05
    assert second.cpu is not None
    assert second.cpu.busy_ratio is not None
    assert 0 < second.cpu.busy_ratio <= 1
    assert second.oom_kills_recent == 0
    assert second.memory is not None
    assert second.memory.total_bytes > 0
    assert "/" in [one.mount for one in second.filesystems]
    assert second.processes is not None
    assert second.uptime_s is not None
    assert msgspec.json.decode(msgspec.json.encode(second), type=HostSample) == second


def test_it_is_this_machine_that_is_measured_whatever_address_it_is_known_by() -> None:
    async def ask(address: str) -> object:
        async with host.open() as prober:
            return await prober.ask(Node("web-1", address=address), Options(processes=False))

    assert isinstance(asyncio.run(ask("192.0.2.77")), HostSample), "behind address translation, this is how others reach it"


def test_without_the_table_no_process_is_read_and_expected_ones_read_it_all_the_same() -> None:
    sweep = Sweep()
    lean = sweep.look(Options(processes=False))
    assert (lean.processes, lean.top_memory, lean.missing) == (None, (), {})
    watched = sweep.look(Options(processes=False, expected=("no-such-program >= 2",)))
    assert [(one.pattern, one.running, one.expected) for one in watched.expected] == [("no-such-program >= 2", 0, 2)]
    assert watched.top_memory == ()
    sweep.close()


def test_part_that_breaks_is_missing_with_its_reason_and_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object, expected: object, top: int) -> None:
        raise PermissionError(13, "Permission denied", "/proc")

    monkeypatch.setattr(host.Processes, "look", refuse)
    monkeypatch.setattr(host, "parse_memory", lambda raw: {}["MemTotal"])
    sample = Sweep().look(Options(expected=("nginx",)))
    assert sample.missing.keys() == {"processes", "memory"}
    assert "Permission denied" in sample.missing["processes"]
    assert (sample.memory, sample.processes, sample.zombies) == (None, None, None)
    assert [one.running for one in sample.expected] == [None]
    assert sample.cpu is not None


def test_hung_reading_is_ours_and_does_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "PATIENCE_S", 0.1)
    back = threading.Event()

    async def ask() -> list[object]:
        async with host.open() as prober:
            monkeypatch.setattr(Sweep, "look", lambda self, options, units: back.wait(10))
            hung = [await prober.ask(HERE, Options()) for _ in range(3)]
            back.set()
            return hung

    start = time.monotonic()
    outcomes = asyncio.run(ask())
    assert time.monotonic() - start < 2
    assert all(isinstance(one, Failure) and one.kind is Kind.BROKEN and one.ours and "come back" in one.detail for one in outcomes)


def test_worker_hands_back_results_and_errors_and_serves_on_after_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "PATIENCE_S", 0.2)
    back = threading.Event()

    async def work() -> None:
        one = Worker("test")
        assert await one.run(lambda: 7) == 7
        with pytest.raises(ZeroDivisionError):
            await one.run(lambda: 1 // 0)
        for _ in range(2):
            with pytest.raises(StuckError):
                await one.run(lambda: back.wait(10))
        with pytest.raises(StuckError, match="begun"):  # refused at once: nothing more is queued behind a hang
            await one.run(lambda: back.wait(10))
        back.set()
        for _ in range(100):
            try:
                assert await one.run(lambda: 8) == 8
                break
            except StuckError:
                await asyncio.sleep(0.01)
        else:
            pytest.fail("never came back")
        one.close()

    asyncio.run(work())


def test_shares_are_of_all_time_and_guests_count_once() -> None:
    before = Times(100, 0, 50, 800, 50, 0, 0, 0, 40, 0)
    now = Times(130, 10, 60, 820, 60, 5, 5, 10, 60, 0)
    assert cpu_shares(now, before) == pytest.approx((0.7, 0.4, 0.2, 0.1, 0.1))


def test_fallen_counters_count_as_nothing_and_no_time_as_none() -> None:
    before = Times(100, 0, 50, 800, 50, 0, 0, 0, 0, 0)
    assert cpu_shares(before._replace(user=110, iowait=40), before) == (1.0, 1.0, 0.0, 0.0, 0.0)
    assert cpu_shares(before, before) == (None,) * 5
    assert cpu_shares(before, None) == (None,) * 5


def test_pressure_is_a_share_and_full_may_be_absent() -> None:
    both = parse_pressure("io", b"some avg10=1.29 avg60=50.00 avg300=0.44 total=5988951\nfull avg10=0.00 avg60=12.50 avg300=0.00 total=0\n")
    assert (both.some_ratio, both.full_ratio) == (0.5, 0.125)
    assert parse_pressure("cpu", b"some avg10=0.00 avg60=100.00 avg300=0.00 total=1\n").full_ratio is None


def test_kernel_without_pressure_is_no_fault(tmp_path: Path) -> None:
    assert read_pressure(Procfs(f"{tmp_path}/")) == ()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 400 kB\nSwapTotal: 10 kB\nSwapFree: 4 kB\n", (1024000, 409600, 10240, 6144)),
        (b"MemTotal: 1000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n", (1024000, None, 0, 0)),
        (b"MemTotal:\t1000 kB\nHugePages_Total: 0\n", (1024000, None, None, None)),
    ],
)
def test_memory_that_is_not_told_is_none_not_zero(raw: bytes, expected: tuple[int | None, ...]) -> None:
    assert msgspec.structs.astuple(parse_memory(raw)) == expected


def test_memory_without_a_total_is_an_error() -> None:
    with pytest.raises(KeyError):
        parse_memory(b"MemFree: 1 kB\n")


def test_descriptors_and_kills_are_read() -> None:
    assert parse_descriptors(b"1632\t32\t9223372036854775807\n") == (1600, 9223372036854775807)
    assert parse_oom_kills(b"nr_free_pages 1\noom_kill 12\nunstable 3\n") == 12
    assert parse_oom_kills(b"nr_free_pages 1\nswap_oom_killer 9\n") is None


def test_clock_is_read_and_never_set() -> None:
    before = time.time() - time.monotonic()
    clock = read_clock()
    assert clock.max_error_ms is not None
    assert clock.max_error_ms >= 0
    assert abs(time.time() - time.monotonic() - before) < 0.1


@pytest.mark.parametrize(
    ("now", "before", "grown"),
    [
        (5, 3, 2),
        (3, 3, 0),
        (None, 3, None),
        (3, None, None),
        (10, 2**32 - 5, 15),
        (10, 2**64 - 5, 15),
        (10, 1000, None),
        (2**31, 2**32 - 5, None),
        (0, 2**32, None),
        (2**32 + 1, 2**32 - 1, 2),
    ],
)
def test_reset_is_told_from_wrap(now: int | None, before: int | None, grown: int | None) -> None:
    assert difference(now, before) == grown


def test_ratio_of_nothing_is_none() -> None:
    assert (ratio(1, 0), ratio(None, 2), ratio(1, None), ratio(0, 2)) == (None, None, None, 0.0)


def test_failed_units_are_listed_once_a_minute(tmp_path: Path) -> None:
    script, count = tmp_path / "systemctl", tmp_path / "count"
    script.write_text(
        f"#!/bin/sh\necho x >> {count}\necho 'nginx.service loaded failed failed A web server'\necho '● cups.path not-found failed failed cups.path'\n"
    )
    script.chmod(0o755)
    units = Units((str(script),), running=str(tmp_path))
    assert units.due()
    units.ask()
    assert units.answer == ("nginx.service", "cups.path")
    assert not units.due()
    assert count.read_text() == "x\n"


@pytest.mark.parametrize(
    ("script", "reason"),
    [("echo 'Failed to connect to bus: Host is down' >&2; exit 1", "Host is down"), ("exit 4", "4"), ("exec sleep 30", "timed out")],
)
def test_systemctl_that_fails_is_a_reason_not_an_empty_list(
    tmp_path: Path, script: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probe.probers.host_units.TIMEOUT_S", 0.5)
    units = Units(("sh", "-c", script), running=str(tmp_path))
    units.ask()
    assert isinstance(units.answer, str)
    assert reason in units.answer
    sample = Sweep().look(Options(processes=False), units.answer)
    assert sample.failed_units is None
    assert sample.missing == {"units": units.answer}


def test_missing_systemctl_is_a_reason_and_no_systemd_is_no_fault(tmp_path: Path) -> None:
    units = Units(("/no/such/systemctl",), running=str(tmp_path))
    units.ask()
    assert "No such file" in str(units.answer)
    none = Units(running=str(tmp_path / "none"))
    assert not none.due()
    assert none.answer is None
    assert parse_units(b"\n  \n") == ()


def test_systemctl_that_never_comes_back_leaves_the_rest_of_the_host_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "PATIENCE_S", 0.2)
    back = threading.Event()

    class Hung(Units):
        def ask(self) -> None:
            super().ask()
            back.wait(10)

    async def look() -> list[object]:
        async with host.open() as prober:
            prober._units = Hung(("true",), running=str(tmp_path))
            try:
                return [await prober.ask(HERE, Options(processes=False)) for _ in range(2)]
            finally:
                back.set()

    for sample in asyncio.run(look()):
        assert isinstance(sample, HostSample)
        assert sample.memory is not None
        assert sample.failed_units is None
        assert "has not come back" in sample.missing["units"]


@pytest.mark.parametrize(
    ("looks", "recent"),
    [
        ([(0, 5)], [None]),
        ([(0, 5), (60, 5), (120, 6), (180, 6)], [None, 0, 1, 1]),
        ([(0, 5), (60, 7), (660, 7), (700, 7)], [None, 2, 0, 0]),
        ([(0, 5), (60, 2), (120, 3)], [None, None, 1]),
        ([(0, None), (60, 3), (120, 3)], [None, None, 0]),
    ],
)
def test_kills_are_told_for_ten_minutes(looks: list[tuple[float, int | None]], recent: list[int | None]) -> None:
    sweep = host.Sweep()
    assert [sweep._recent(at, kills) for at, kills in looks] == recent


def test_kills_of_ten_minutes_are_remembered_in_few_steps() -> None:
    sweep = host.Sweep()
    for second in range(3600):
        sweep._recent(float(second), 0)
    assert len(sweep._kills) <= 102
