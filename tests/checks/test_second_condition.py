"""What a second condition calls good recovers, however large the value still is."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from checks import catalogue
from checks.finding import Finding, State
from checks.history import Track, fold
from probe.observation.host import CpuSample, DiskSample, HostSample, MemorySample
from probe.observation.interfaces import InterfaceSample, InterfacesSample
from probe.observation.observation import Observation, Outcome
from probe.observation.sockets import SocketsSample

AT = datetime(2026, 1, 1, tzinfo=UTC)
GB = 10**9


def host(cpu: CpuSample | None = None, memory: MemorySample | None = None, disks: tuple[DiskSample, ...] = ()) -> HostSample:
    return HostSample(cpu, (), memory, (), disks, None, None, None, None, None, (), (), (), None, None, None, None, over_s=6.0)


def port(errors: int, discards: int, ratio: float | None = None) -> InterfacesSample:
    counters = [0] * 4 + [errors, 0, discards, 0]
    one = InterfaceSample("eth0", 2, "ethernet", True, True, True, 1500, 10**9, "full", (), 2, *counters, None, None, ratio, None, ratio)
    return InterfacesSample((one,), 6.0)


def sockets(sent: int, again: int) -> SocketsSample:
    return SocketsSample({}, None, None, None, None, None, None, None, sent, again, None, None, None, None, None, None, 6.0)


def cpu(load_5min: float) -> HostSample:
    return host(cpu=CpuSample(4, 1.0, 1.0, 0.0, 0.0, 0.0, load_5min, load_5min, load_5min))


def swap(used: float, available: float) -> HostSample:
    return host(memory=MemorySample(16 * GB, int(available * GB), GB, int(used * GB)))


def disk(latency_ms: float) -> HostSample:
    return host(disks=(DiskSample("sda", 1e6, 1e6, latency_ms, None, 1.0),))


def found(prober: str, check: str, outcome: Outcome, before: Outcome | None, number: int) -> Finding:
    room = catalogue.load(prober)
    seen = Observation("agent", "here", prober, AT + timedelta(seconds=6 * number), 1.0, outcome)
    earlier = None if before is None else Observation("agent", "here", prober, AT, 1.0, before)
    judged: Iterable[Finding] = room.judge(seen, earlier, room.Limits())
    return next(one for one in judged if one.check == check)


@pytest.mark.parametrize(
    ("prober", "check", "before", "bad", "good"),
    [
        ("host", "host/cpu", None, cpu(9.0), cpu(3.9)),
        ("host", "host/swap", None, swap(0.95, 1.0), swap(0.95, 8.0)),
        ("host", "host/swap", None, swap(0.95, 1.0), swap(0.89, 8.0)),
        ("host", "host/disk-busy", None, disk(80.0), disk(20.0)),
        ("interfaces", "interfaces/errors", port(0, 0), port(600, 0, 0.1), port(4, 0, 0.1)),
        ("interfaces", "interfaces/discards", port(0, 0), port(0, 600, 0.1), port(0, 6, 0.1)),
        ("sockets", "sockets/retransmission", None, sockets(1000, 200), sockets(100, 20)),
    ],
)
def test_what_a_second_condition_calls_good_is_not_held_for_bad_by_its_value(
    prober: str, check: str, before: Outcome | None, bad: Outcome, good: Outcome
) -> None:
    track = Track(("agent", "here", check, ""))
    for number in range(3):
        track, _ = fold(track, found(prober, check, bad, before, number))
    assert track.bad
    for number in range(3, 5):
        track, _ = fold(track, found(prober, check, good, before, number))
    assert track.hard is State.OK
