"""Restarts of a device, of its agent alone, and clocks that wrap: told apart."""

from calendar import timegm

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.observation.device import Restart
from probe.snmp.mibs.system import (
    ENGINE_BOOTS,
    ENGINE_TIME,
    HOST_DATE,
    HOST_UP_TIME,
    SYS_UP_TIME,
    SystemLook,
    read_system,
    restart_of,
    seconds_of,
)
from probe.snmp.talk import Value
from tests.probe.recorded_talk import RecordedTalk

DAY = 86400 * 100  # in ticks
WRAP = 1 << 32


@pytest.mark.parametrize(
    ("before", "now", "restart"),
    [
        (SystemLook(5 * DAY, 9 * DAY), SystemLook(5 * DAY + 6000, 9 * DAY + 6000), Restart.NONE),
        (SystemLook(5 * DAY, 9 * DAY), SystemLook(1500, 9 * DAY + 6000), Restart.AGENT),
        (SystemLook(5 * DAY, 9 * DAY), SystemLook(1500, 3000), Restart.DEVICE),
        (SystemLook(WRAP - 1000), SystemLook(5000), Restart.NONE),  # after 497 days
        (SystemLook(WRAP - 1000, WRAP - 1000), SystemLook(5000, 5000), Restart.NONE),
        (SystemLook(WRAP - 1000, 9 * DAY), SystemLook(1500, 9 * DAY + 6000), Restart.AGENT),  # not where the wrap would have led
        (SystemLook(5 * DAY), SystemLook(1500), Restart.DEVICE),
        (SystemLook(5 * DAY, None, 7, 432000), SystemLook(1500, None, 7, 432060), Restart.AGENT),  # the engine ran through
        (SystemLook(5 * DAY, None, 7, 432000), SystemLook(1500, None, 8, 15), Restart.DEVICE),
        (SystemLook(5900, 9 * DAY), SystemLook(5890, 9 * DAY + 6000), Restart.AGENT),  # young, and did not go on
        (SystemLook(2000, 2000), SystemLook(4500, 4500), Restart.DEVICE),  # restarted in the first minute: it did not even fall
        (SystemLook(5 * DAY, 9 * DAY), SystemLook(5 * DAY + 5000, 9 * DAY + 5000), Restart.NONE),  # a guest that was stopped for 10 s
        (SystemLook(5 * DAY), SystemLook(None), Restart.NONE),
        (SystemLook(5 * DAY, 9 * DAY), SystemLook(1500, None), Restart.DEVICE),
    ],
)
def test_restarts(before: SystemLook, now: SystemLook, restart: Restart) -> None:
    assert restart_of(now, before, 60.0) is restart


def test_restart_between_two_looks_that_follow_each_other_closely() -> None:
    assert restart_of(SystemLook(12, 9 * DAY + 30), SystemLook(40, 9 * DAY), 0.3) is Restart.AGENT
    assert restart_of(SystemLook(69, 9 * DAY + 30), SystemLook(40, 9 * DAY), 0.3) is Restart.NONE
    assert restart_of(SystemLook(39, 9 * DAY + 30), SystemLook(40, 9 * DAY), 0.3) is Restart.NONE  # a clock that is not quite even


@given(st.integers(0, WRAP - 1), st.floats(1, 86400), st.floats(-0.4, 0.4))
def test_clock_that_runs_on_is_no_restart_wherever_it_stands(before: int, over_s: float, late_s: float) -> None:
    now = (before + round((over_s + late_s) * 100)) % WRAP
    assert restart_of(SystemLook(now, now), SystemLook(before, before), over_s) is Restart.NONE


@given(st.integers(100 * DAY, 400 * DAY), st.floats(1, 86400), st.floats(0, 1))
def test_restart_between_two_looks_is_seen_whenever_it_was(before: int, over_s: float, share: float) -> None:
    now = round(share * over_s * 100)
    assert restart_of(SystemLook(now, now), SystemLook(before, before), over_s) is Restart.DEVICE


NOON = timegm((2026, 3, 1, 12, 0, 0))
DATE = b"\x07\xea\x03\x01\x0c\x00\x00\x00"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (DATE + b"+\x00\x00", NOON),
        (DATE + b"+\x08\x00", NOON - 8 * 3600),
        (DATE + b"-\x05\x1e", NOON + 5 * 3600 + 30 * 60),
        (b"\x07\xea\x03\x01\x0c\x00\x3c\x05+\x00\x00", NOON + 60.5),  # a leap second, and tenths
        (DATE, None),  # names no zone
        (b"", None),
        (b"\x00" * 11, None),
        (DATE + b"\x00\x00\x00", None),
        (b"\x07\xea\x0d\x01\x0c\x00\x00\x00+\x00\x00", None),
        (b"2026-3-1,12:0:0", None),
        (17, None),
        (None, None),
    ],
)
def test_date_and_time(value: bytes | int | None, seconds: float | None) -> None:
    assert seconds_of(value) == seconds


def look(values: dict[str, Value], ours_s: float | None = 0.0) -> SystemLook:
    return read_system(RecordedTalk(values), values, ours_s, None, None)


def test_clock_is_compared_with_ours() -> None:
    assert look({SYS_UP_TIME: 100, HOST_DATE: DATE + b"+\x00\x00"}, NOON + 1.0).clock_offset_s == -1.0
    assert look({SYS_UP_TIME: 100, HOST_DATE: DATE + b"+\x00\x00"}, None).clock_offset_s is None


def test_uptime_of_the_device_is_not_cut_at_497_days() -> None:
    days = 600 * DAY
    seen = look({SYS_UP_TIME: days % WRAP, HOST_UP_TIME: days % WRAP, ENGINE_BOOTS: 3, ENGINE_TIME: days // 100})
    assert seen.host_uptime_s == 600 * 86400
    assert seen.uptime_s == 600 * 86400


def after(before: SystemLook, values: dict[str, Value], over_s: float) -> SystemLook:
    return read_system(RecordedTalk(values), values, 0.0, before, over_s)


@pytest.mark.parametrize("engine", [{}, {ENGINE_BOOTS: 3, ENGINE_TIME: 12}])  # one that has no such time, one whose time began anew
def test_a_wrap_that_was_seen_is_no_fresh_start(engine: dict[str, Value]) -> None:
    before = look({SYS_UP_TIME: WRAP - 1000, HOST_UP_TIME: WRAP - 500, **engine})
    seen = after(before, {SYS_UP_TIME: 5000, HOST_UP_TIME: 5500, **engine}, 60.0)
    assert seen.restart is Restart.NONE
    assert seen.uptime_s == (WRAP + 5000) / 100
    assert seen.host_uptime_s == (WRAP + 5500) / 100
    later = after(seen, {SYS_UP_TIME: 11000, HOST_UP_TIME: 11500, **engine}, 60.0)
    assert later.uptime_s == (WRAP + 11000) / 100


def test_what_starts_after_a_wrap_is_fresh() -> None:
    old = SystemLook(9 * DAY, 9 * DAY, turns=1, host_turns=1)
    agent = after(old, {SYS_UP_TIME: 1500, HOST_UP_TIME: 9 * DAY + 6000}, 60.0)
    assert (agent.restart, agent.uptime_s, agent.host_uptime_s) == (Restart.AGENT, 15.0, (WRAP + 9 * DAY + 6000) / 100)
    device = after(old, {SYS_UP_TIME: 1500, HOST_UP_TIME: 1600}, 60.0)
    assert (device.restart, device.uptime_s, device.host_uptime_s) == (Restart.DEVICE, 15.0, 16.0)
    alone = after(SystemLook(9 * DAY, turns=1), {SYS_UP_TIME: 1500}, 60.0)
    assert (alone.restart, alone.uptime_s) == (Restart.DEVICE, 15.0)


def test_engine_time_stands_in_for_a_missing_uptime_of_the_device() -> None:
    assert look({SYS_UP_TIME: 500, ENGINE_TIME: 4242}).host_uptime_s == 4242.0


def test_agent_without_uptime_is_noted() -> None:
    talk = RecordedTalk({HOST_UP_TIME: 100})
    assert read_system(talk, talk.values, None, None, None).uptime_s is None
    assert talk.oddities == {("sysUpTime", "absent"): 1}


def test_times_of_more_than_32_bits_are_none() -> None:
    seen = look({SYS_UP_TIME: 2**32, HOST_UP_TIME: 2**70, ENGINE_TIME: 2**64})
    assert (seen.uptime_s, seen.host_uptime_s) == (None, None)
