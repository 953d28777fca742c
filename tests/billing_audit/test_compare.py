"""The five comparisons, sums and samples: the same however the calls are divided, to the last unit."""

import itertools
from functools import reduce
from operator import add
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_audit import compare as comparing
from billing_audit.compare import Way, by_day, by_prefix, compare, histogram, lead_label, leading, none, scatter
from billing_audit.days import days, iso
from billing_audit.engine.sums import MOST_SAMPLES, merged, summed, total
from billing_audit.engine.tables import grouped, nothing
from billing_audit.ledger import MISSING, PAIRS, Names, empty
from billing_audit.numbers import encode

BEGIN = 1_790_812_800_000  # 2026-10-01 00:00 UTC
DAY = 86_400_000
WAY = Way(ZoneInfo("UTC"), lambda ms: ms, None, 1_000)


def pairs_of(rows: int, seed: int = 1) -> pd.DataFrame:
    """Return pairs of which a tenth is only ours and a tenth only theirs."""
    random = np.random.default_rng(seed)
    frame = empty(PAIRS, rows)
    who = random.random(rows)
    ours, theirs = who >= 0.1, who < 0.9
    start = BEGIN + random.integers(0, 5 * DAY, rows)
    talk = random.integers(0, 300, rows) * 1000
    frame["callee"] = 10**18 + 10**13 + random.integers(0, 20, rows) * 10**9 + random.integers(0, 50, rows)
    frame["caller"] = 10**18 + 10**11 + random.integers(0, 50, rows)
    for side, there, late in (("l", ours, 0), ("c", theirs, random.integers(-1500, 1500, rows))):
        charge = random.integers(0, 10**8, rows)
        told = {
            "source": np.arange(rows),
            "start_ms": start + late,
            "duration_ms": talk,
            "charge_micro": charge,
            "parts": np.ones(rows, np.int64),
        }
        for name, values in told.items():
            frame[f"{side}_{name}"] = np.where(there, values, MISSING)
    return frame


def test_pair_that_differs_is_counted_once_and_in_what() -> None:
    frame = empty(PAIRS, 6)
    equal = {"source": 1, "start_ms": BEGIN, "duration_ms": 60_000, "billed_ms": 60_000, "rate_nano": 5, "charge_micro": 100, "parts": 1}
    for side in "lc":
        for name, value in equal.items():
            frame[f"{side}_{name}"] = value
    frame["callee"] = 10**18 + 10**11
    frame.loc[1, "c_rate_nano"] = 6
    frame.loc[2, "c_duration_ms"] = 60_999  # a cut or rounded second is the same duration
    frame.loc[3, "c_duration_ms"] = 61_000
    frame.loc[4, ["c_charge_micro", "c_billed_ms"]] = [101, 61_000]
    frame.loc[5, "c_start_ms"] = BEGIN + 1_001
    told = compare(frame, WAY)
    assert dict(zip(comparing.DIFFERS, told.differs, strict=True)) == {"rate": 1, "duration": 1, "billed": 1, "charge": 1, "time": 1}
    assert told.counts == (6, 0, 0, 6, 6, 4)


def test_what_one_side_does_not_say_does_not_differ() -> None:
    frame = empty(PAIRS, 1)
    for name in ("l_source", "c_source", "l_parts", "c_parts"):
        frame[name] = 1
    frame[["l_start_ms", "c_start_ms", "callee"]] = [BEGIN, BEGIN, 0]
    frame["l_charge_micro"] = 5
    told = compare(frame, WAY)
    assert told.differs == (0, 0, 0, 0, 0)
    assert by_day(told)[0].c_micro is None
    assert by_day(told)[0].l_micro == 5


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 300), st.lists(st.integers(0, 300), max_size=4))
def test_comparison_does_not_depend_on_how_calls_are_divided(rows: int, cuts: list[int]) -> None:
    frame = pairs_of(rows)
    edges = [0, *sorted(cut for cut in cuts if cut < rows), rows]
    parts = [compare(frame.iloc[first:last].reset_index(drop=True), WAY) for first, last in itertools.pairwise(edges)]
    whole, sum_ = compare(frame, WAY), reduce(add, parts[::-1], none())
    assert whole.counts == sum_.counts
    assert by_day(whole) == by_day(sum_)
    assert by_prefix(whole, lead_label) == by_prefix(sum_, lead_label)
    assert histogram(whole) == histogram(sum_)
    assert scatter(whole) == scatter(sum_)


def test_slices_add_up_to_the_bills() -> None:
    frame = pairs_of(2_000)
    told = compare(frame, WAY)
    for slices in (by_day(told), by_prefix(told, lead_label)):
        assert sum(one.l_micro for one in slices) == total(frame["l_charge_micro"].to_numpy())
        assert sum(one.c_micro for one in slices) == total(frame["c_charge_micro"].to_numpy())
        assert sum(one.l_records for one in slices) == int((frame["l_source"] != MISSING).sum())
        assert sum(one.matched for one in slices) == told.counts[0]
    assert [one.key for one in by_day(told)] == [f"2026-10-0{day}" for day in range(1, 6)]


def test_sums_beyond_a_float_are_exact() -> None:
    big = np.array([2**53 + 1, 1, -5, 2**55 + 3], np.int64)
    table = grouped(np.array([3, 3, 3, 900], np.int64), [big], np.ones(4, np.int64))
    assert table.keys.tolist() == [3, 900]
    assert table.sums.tolist() == [[3, 0, 0, 2**53 - 3], [1, 0, 0, 2**55 + 3]]
    sparse = grouped(np.array([-(2**40), 2**40], np.int64), [big[:2]], np.ones(2, np.int64))
    assert (sparse + table).sums[:, 3].tolist() == [2**53 + 1, 2**53 - 3, 2**55 + 3, 1]
    assert len(nothing(4) + nothing(4)) == 0


@given(st.lists(st.integers(-(2**62), 2**62), max_size=50))
def test_total_is_exact_and_missing_is_not_zero_point(values: list[int]) -> None:
    assert total(np.array([*values, MISSING], np.int64)) == sum(values)


@pytest.mark.parametrize(
    ("zone", "ms", "day"),
    [
        ("UTC", BEGIN - 1, "2026-09-30"),
        ("UTC", BEGIN, "2026-10-01"),
        ("Asia/Shanghai", BEGIN - 8 * 3_600_000, "2026-10-01"),
        ("Asia/Shanghai", BEGIN - 8 * 3_600_000 - 1, "2026-09-30"),
        ("Europe/Berlin", 1_792_879_199_999, "2026-10-24"),
        ("Europe/Berlin", 1_792_879_200_000, "2026-10-25"),  # 25 hours long
        ("Europe/Berlin", 1_792_969_199_999, "2026-10-25"),
        ("Europe/Berlin", 1_792_969_200_000, "2026-10-26"),
    ],
)
def test_day_is_that_of_the_zone(zone: str, ms: int, day: str) -> None:
    assert iso(int(days(np.array([ms, ms], np.int64), ZoneInfo(zone))[0])) == day


def test_leading_digits_of_short_long_and_no_numbers() -> None:
    names = Names()
    told = leading(np.array([encode(text, names) for text in ("8613812345678", "+86138", "110", "", "138****5678")], np.int64))
    assert [lead_label(key)[0] for key in told.tolist() if key] == ["8613", "8613", "110"]
    assert told.tolist()[3:] == [0, 0]


def test_histogram_keeps_far_offsets_in_the_outermost_bins() -> None:
    frame = pairs_of(1_000)
    frame = frame[(frame["l_source"] != MISSING) & (frame["c_source"] != MISSING)].reset_index(drop=True)
    frame.loc[0, "c_start_ms"] = frame.loc[0, "l_start_ms"] + 3_600_000
    told = histogram(compare(frame, WAY))
    assert len(told.edges) == len(told.counts) + 1 <= comparing.MOST_BINS + 1
    assert sum(told.counts) == len(frame)
    assert told.edges[-1] > 3_600_000
    assert list(told.edges) == sorted(told.edges)


def test_samples_are_the_largest_and_then_the_earliest_however_divided() -> None:
    frame = pairs_of(500)
    amount = np.where(np.arange(500) % 3 == 0, 7, 0)
    amount[100] = -50
    amounts = pd.DataFrame({"rate/company": amount, "timezone/none": np.zeros(500, np.int64)})
    applies = pd.DataFrame({"rate/company": amount != 0, "timezone/none": np.ones(500, bool)})
    whole = summed(frame, amounts, applies)
    cuts = [summed(*(one.iloc[at].reset_index(drop=True) for one in (frame, amounts, applies))) for at in (slice(0, 130), slice(130, None))]
    assert merged(cuts[1], cuts[0]) == whole
    rate = whole["rate/company"]
    assert (rate.amount_micro, rate.records) == (7 * 167 - 50, 168)
    assert [one.amount_micro for one in rate.samples] == [-50] + [7] * (MOST_SAMPLES - 1)
    assert whole["timezone/none"].records == 500
    start = np.where(frame["l_source"] != MISSING, frame["l_start_ms"], frame["c_start_ms"])
    shown = whole["timezone/none"].samples
    assert [max(one.l_source, one.c_source) for one in shown] == np.argsort(start, kind="stable")[:MOST_SAMPLES].tolist()
