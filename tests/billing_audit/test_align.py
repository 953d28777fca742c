"""The customer's clock is found as it was planted: zones, offsets, drift, steps, two time marks; or nothing is assumed."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from billing_audit.ledger import MISSING, Names
from billing_audit.matching.align import IDENTITY, Alignment
from billing_audit.matching.learn import learn
from tests.billing_audit.two_bills import DAY_MS, START, Calls, calls, ledger, masked, some

HOUR_MS = 3_600_000


def learned(told: Calls, start: np.ndarray, zone: str = "UTC", *, seed: int = 1, missing: float = 0.05, **columns: np.ndarray) -> Alignment:
    rng = np.random.default_rng(seed)
    local = some(rng, ledger(rng, told, 0), missing)
    customer = some(rng, ledger(rng, told, 1, start=start, **columns), missing)
    return learn(local, customer, Names(), zone).alignment


def worst(alignment: Alignment, told: Calls, start: np.ndarray, share: float = 1.0) -> int:
    """Return the largest error of the corrected times (ms), of the best `share` of calls."""
    return int(np.quantile(np.abs(alignment.correct(start) - told.start), share))


@pytest.mark.parametrize(
    ("late_ms", "shift_ms", "zone", "cause"),
    [
        (0, 0, "UTC", ""),
        (-3_700, 0, "UTC", ""),
        (449_000, 0, "UTC", ""),
        (451_000, 900_000, "UTC+0:15", "timezone"),
        (8 * HOUR_MS + 12_000, 8 * HOUR_MS, "UTC+8", "timezone"),
        (-HOUR_MS * 7 // 2 - 1_500, -HOUR_MS * 7 // 2, "UTC-3:30", "timezone"),
        (14 * HOUR_MS, 14 * HOUR_MS, "UTC+14", "timezone"),
    ],
)
@pytest.mark.parametrize("count", [60, 5_000])
def test_a_constant_offset_is_split_into_zone_and_clock(late_ms: int, shift_ms: int, zone: str, cause: str, count: int) -> None:
    told = calls(np.random.default_rng(count), count)
    found = learned(told, told.start + late_ms)
    assert (found.shift_ms, found.offset_ms, found.zone, found.zone_cause) == (shift_ms, late_ms - shift_ms, zone, cause)
    assert found.steps == ()
    assert found.drift_ppb == 0
    assert worst(found, told, told.start + late_ms) == 0


@pytest.mark.parametrize("ppb", [-50_000, -4_000, 2_000, 20_000, 100_000])
@pytest.mark.parametrize("days", [3, 30])
def test_a_drift_is_found(ppb: int, days: int) -> None:
    rng = np.random.default_rng(3)
    told = calls(rng, 20_000, days=days)
    drift = (told.start - START) * ppb // 10**9
    start = told.start + 20_000 + drift + rng.integers(-500, 501, len(told))
    found = learned(told, start)
    assert worst(found, told, start) <= 1_500
    if abs(ppb) * days * DAY_MS >= 3e12:
        assert found.drift_ppb == pytest.approx(ppb, rel=0.05, abs=300)
    assert found.steps == ()


@pytest.mark.parametrize("delta_ms", [-HOUR_MS, -40_000, -8_000, 5_000, 30_000, 90_000, HOUR_MS, 8 * HOUR_MS])
@pytest.mark.parametrize("day", [1.3, 12.7, 29.0])
def test_a_clock_that_was_set_is_a_step(delta_ms: int, day: float) -> None:
    rng = np.random.default_rng(4)
    told = calls(rng, 20_000)
    at = START + int(day * DAY_MS)
    start = told.start - 5_000 + np.where(told.start >= at, delta_ms, 0) + rng.integers(-500, 501, len(told))
    found = learned(told, start)
    assert len(found.steps) == 1
    assert abs(found.steps[0][1] - delta_ms) <= 600
    assert abs(found.steps[0][0] - (at - 5_000 + delta_ms // 2)) <= 30 * 60_000 + abs(delta_ms)
    assert worst(found, told, start, 0.995) <= 1_500


def test_drift_and_a_setting_of_the_clock_together() -> None:
    rng = np.random.default_rng(5)
    told = calls(rng, 20_000)
    at = START + 14 * DAY_MS
    start = told.start + (told.start - START) * 20_000 // 10**9 - np.where(told.start >= at, 24_000, 0) + rng.integers(-500, 501, len(told))
    found = learned(told, start)
    assert found.drift_ppb == pytest.approx(20_000, rel=0.05)
    assert [abs(delta + 24_000) <= 1_000 for _, delta in found.steps] == [True]
    assert worst(found, told, start, 0.99) <= 1_500


def read_through(wall: np.ndarray, zone: str) -> np.ndarray:
    """Return UTC ms of naive wall times (ms) read in a zone, as a reader does (the first of two times, the gap by the offset before)."""
    place = ZoneInfo(zone)
    made = [datetime.fromtimestamp(at / 1000, UTC).replace(tzinfo=place).timestamp() for at in wall.tolist()]
    return (np.array(made) * 1000).astype(np.int64)


def wall_of(times: np.ndarray, zone: str) -> np.ndarray:
    place = ZoneInfo(zone)
    return np.array(
        [at + int(datetime.fromtimestamp(at / 1000, UTC).astimezone(place).utcoffset().total_seconds() * 1000) for at in times.tolist()]
    )  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("away_h", "zone", "name", "cause"),
    [
        (0, "Europe/Berlin", "UTC", "timezone"),
        (1, "Europe/Berlin", "UTC+1", "dst"),
        (2, "Europe/Berlin", "UTC+2", "dst"),
        (8, "Europe/Berlin", "UTC+8", "timezone"),
        (-5, "America/New_York", "UTC-5", "dst"),
        (0, "America/New_York", "UTC", "timezone"),
        (0, "Asia/Shanghai", "UTC", "timezone"),
    ],
)
@pytest.mark.parametrize("days", [60])
def test_a_fixed_zone_read_through_summer_time_is_recognised(away_h: int, zone: str, name: str, cause: str, days: int) -> None:
    told = calls(np.random.default_rng(6), 6_000, days=days)  # October and November: clocks go back on the way
    start = read_through(told.start + away_h * HOUR_MS + 2_000, zone)
    found = learned(told, start, zone)
    assert (found.zone, found.zone_cause) == (name, cause)
    assert worst(found, told, start, 0.99) == 0
    assert abs((found.shift_ms + found.offset_ms) % 900_000 - 2_000) <= 0


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_who_keeps_the_contracts_zone_has_no_cause(zone: str) -> None:
    told = calls(np.random.default_rng(6), 6_000, days=60)
    found = learned(told, told.start + 2_000, zone)
    assert (found.zone, found.zone_cause, found.shift_ms, found.offset_ms, found.steps) == (zone, "", 0, 2_000, ())


def test_a_customer_with_summer_time_under_a_contract_without_is_recognised() -> None:
    told = calls(np.random.default_rng(7), 6_000, days=60)
    start = wall_of(told.start, "Europe/London")
    found = learned(told, start, "UTC")
    assert (found.zone, found.zone_cause) == ("Europe/London", "dst")
    assert [delta for _, delta in found.steps] == [-HOUR_MS]
    assert worst(found, told, start, 0.995) == 0


def test_standard_time_all_summer_is_dst_not_a_mapping() -> None:
    told = calls(np.random.default_rng(8), 2_000, days=10)  # October: Berlin keeps summer time to the 25th
    found = learned(told, read_through(told.start + HOUR_MS, "Europe/Berlin"), "Europe/Berlin")
    assert (found.shift_ms, found.zone, found.zone_cause) == (-HOUR_MS, "UTC+1", "dst")


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("absent", [False, True])
def test_masked_callers_and_missing_rows_do_not_hide_the_offset(missing: float, absent: bool) -> None:
    rng = np.random.default_rng(9)
    told = calls(rng, 10_000, redials=0.2)
    found = learned(told, told.start + 7_000, missing=missing, caller=masked(rng, told.caller, 1.0, absent=absent))
    assert found.offset_ms == 7_000
    assert found.pairs > 500


def test_an_invite_time_is_known_by_the_ring_time_of_the_other_bill() -> None:
    rng = np.random.default_rng(10)
    told = calls(rng, 10_000)
    told.ring = rng.exponential(8_000, len(told)).astype(np.int64)
    with_ring = ledger(rng, told, 0, ring_ms=told.ring)
    found = learn(with_ring, ledger(rng, told, 1, start=told.start - told.ring), Names(), "UTC").alignment
    assert (found.ring, found.offset_ms) == ("local", 0)
    assert found.core_ms <= 1_000
    counted = learned(told, told.start - told.ring, talk=told.talk + told.ring)
    assert (counted.ring, counted.ends, counted.offset_ms) == ("", True, 0)  # calls end together: no clock is wrong
    silent = learned(told, told.start - told.ring)
    assert not silent.ends
    assert silent.ring == ""
    assert 15_000 <= silent.spread_ms <= 60_000
    assert silent.core_ms < silent.spread_ms
    assert silent.tolerance_ms >= silent.spread_ms


def test_few_calls_are_enough_when_they_agree_and_too_few_leave_everything_as_it_is() -> None:
    told = calls(np.random.default_rng(11), 8)
    assert learned(told, told.start + 61_000, missing=0.0).offset_ms == 61_000
    few = calls(np.random.default_rng(11), 3)
    assert learned(few, few.start + 61_000, missing=0.0) == IDENTITY
    assert learned(calls(np.random.default_rng(1), 0), np.zeros(0, np.int64)) == IDENTITY


def test_missing_times_stay_missing() -> None:
    moved = Alignment(shift_ms=HOUR_MS, drift_ppb=1_000, steps=((START, 5),))
    assert moved.correct(np.array([MISSING, START - 1 + 0, START], np.int64)).tolist()[0] == MISSING


def test_learning_does_not_depend_on_the_order_of_rows() -> None:
    rng = np.random.default_rng(12)
    told = calls(rng, 5_000, redials=0.2)
    local, customer = ledger(rng, told, 0), ledger(rng, told, 1, start=told.start + rng.integers(0, 9_000, len(told)))
    turned = (pd.DataFrame(frame.iloc[::-1].reset_index(drop=True)) for frame in (local, customer))
    assert learn(local, customer, Names(), "UTC") == learn(*turned, Names(), "UTC")


@pytest.mark.parametrize(("share", "said"), [(0.0, False), (0.01, False), (0.3, True)])
def test_two_gateways_that_keep_different_clocks_are_told(share: float, said: bool) -> None:
    rng = np.random.default_rng(7)
    told = calls(rng, 4_000)
    other = rng.random(4_000) < share
    start = told.start + np.where(other, -2 * HOUR_MS, 9_000)
    found = learn(ledger(rng, told, 0), ledger(rng, told, 1, start=start), Names(), "UTC")
    assert found.alignment.shift_ms + found.alignment.offset_ms == 9_000
    notes = [note.values for note in found.notes if note.id == "audit.note.two_clocks"]
    assert bool(notes) == said
    if said:
        assert abs(int(notes[0]["seconds"]) + 7_209) <= 1
        assert abs(int(notes[0]["calls"]) - other.sum()) < 50
