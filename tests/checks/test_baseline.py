import random
from datetime import UTC, datetime
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.baseline import (
    MIN_DAYS,
    MIN_READINGS,
    SIGMA,
    Baseline,
    HourSummary,
    K,
    combine,
    departure,
    is_usual,
    summarise,
)
from checks.finding import Finding, Levels, Message, State
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation
from reports.locale.text import texts

HOUR = datetime(2026, 3, 15, 9, tzinfo=UTC)
numbers = st.floats(-1e6, 1e6)


def finding(value: float | None, low: bool = False, unit: str = "ms") -> Finding:
    seen = Observation("agent", "web-1", "icmp", HOUR, 1.0, Failure(Kind.TIMEOUT))
    return Finding("icmp/latency", seen, State.OK, Message("x"), Levels(1e9, 2e9, unit, "t", low=low), "i", value, True)


def test_an_hour_is_summed_up_by_median_and_mad() -> None:
    assert summarise([5.0]) == HourSummary(1, 5.0, 0.0)
    assert summarise([1.0, 2.0, 3.0, 4.0, 100.0]) == HourSummary(5, 3.0, 1.0)
    assert summarise([]) is None


def test_too_few_days_or_readings_are_no_baseline() -> None:
    many = HourSummary(MIN_READINGS, 1.0, 0.1)
    assert combine([many] * (MIN_DAYS - 1)) is None
    assert combine([many] * MIN_DAYS) is not None
    few = HourSummary(MIN_READINGS // MIN_DAYS, 1.0, 0.1)
    assert combine([few] * MIN_DAYS) is not None
    assert combine([few] * (MIN_DAYS - 1) + [HourSummary(few.count - 1, 1.0, 0.1)]) is None


def test_one_wild_day_does_not_move_what_is_usual_and_days_that_differ_widen_it() -> None:
    calm = [HourSummary(60, 10.0, 1.0)] * 7
    assert combine([*calm, HourSummary(60, 500.0, 90.0)]) == Baseline(10.0, 1.0, 480, 8)
    mixed = combine([HourSummary(60, 10.0, 1.0)] * 3 + [HourSummary(60, 14.0, 1.0)] * 4)
    assert mixed == Baseline(14.0, 1.0, 420, 7)
    assert combine([HourSummary(60, value, 1.0) for value in (8.0, 9.0, 10.0, 11.0, 12.0)]) == Baseline(10.0, 2.0, 300, 5)


@pytest.mark.parametrize(
    ("value", "low", "state"),
    [
        (100 + K * SIGMA * 10 - 0.01, False, State.OK),
        (100 + K * SIGMA * 10, False, State.WARNING),
        (1e6, False, State.WARNING),
        (0.0, False, State.OK),
        (100 - K * SIGMA * 10 + 0.01, True, State.OK),
        (100 - K * SIGMA * 10, True, State.WARNING),
        (1e6, True, State.OK),
    ],
)
def test_only_the_bad_direction_beyond_the_limit_is_a_departure(value: float, low: bool, state: State) -> None:
    usual = Baseline(100.0, 10.0, 600, 10)
    found = departure(finding(value, low), usual)
    assert found is not None
    assert (found.state, found.check, found.item, found.value) == (state, "icmp/latency.usual", "i", value)
    assert found.levels is not None
    assert found.levels.source == "median of 600 readings in 10 days"
    assert is_usual(finding(value, low), usual) is (state is State.OK)


@pytest.mark.parametrize(("value", "state"), [(124.9, State.OK), (125.0, State.WARNING)])
def test_less_than_a_quarter_of_the_median_is_never_worth_a_word(value: float, state: State) -> None:
    found = departure(finding(value), Baseline(100.0, 0.0, 600, 10))
    assert found is not None
    assert found.state is state


@pytest.mark.parametrize(
    ("value", "unit", "state"),
    [(2.09, "ms", State.OK), (2.11, "ms", State.WARNING), (0.149, "ratio", State.OK), (0.16, "ratio", State.WARNING)],
)
def test_tiny_departures_in_ms_or_ratio_are_usual(value: float, unit: str, state: State) -> None:
    found = departure(finding(value, unit=unit), Baseline(0.1, 0.0, 600, 10))
    assert found is not None
    assert found.state is state


def test_where_nothing_can_be_said_nothing_is() -> None:
    assert departure(finding(None), Baseline(1.0, 0.1, 600, 10)) is None
    assert departure(finding(0.0, unit="1/s"), Baseline(0.0, 0.0, 600, 10)) is None
    assert departure(finding(5.0, unit="1/s"), Baseline(0.0, 0.0, 600, 10)) is None


@given(st.lists(numbers, min_size=1, max_size=50), numbers)
@settings(deadline=None)
def test_the_summary_does_not_depend_on_order_and_moves_with_its_values(values: list[float], by: float) -> None:
    one = summarise(values)
    assert one is not None
    assert summarise(sorted(values)) == one
    assert min(values) <= one.median <= max(values)
    assert one.mad >= 0


@given(st.lists(st.tuples(st.integers(1, 100), numbers, st.floats(0, 1e3)), min_size=MIN_DAYS, max_size=14))
@settings(deadline=None)
def test_the_middle_is_one_of_the_days(days: list[tuple[int, float, float]]) -> None:
    found = combine([HourSummary(*day) for day in days])
    if sum(day[0] for day in days) >= MIN_READINGS:
        assert found is not None
        assert found.median in [day[1] for day in days]
        assert combine([HourSummary(*day) for day in days[::-1]]) == found


@given(st.integers(0, 10_000))
@settings(deadline=None)
def test_ordinary_noise_seldom_departs(seed: int) -> None:
    noise = random.Random(seed)
    usual = combine([found for _ in range(14) if (found := summarise([noise.gauss(50, 5) for _ in range(60)]))])
    assert usual is not None
    beyond = sum(not is_usual(finding(noise.gauss(50, 5)), usual) for _ in range(500))
    assert beyond <= 5  # 3.5 robust standard deviations: 1 in 4,000
    assert abs(usual.median - 50) < 3
    assert median([usual.mad * SIGMA, 5.0]) < 8


def test_a_share_that_departs_is_told_as_a_share() -> None:
    seen = Observation("agent", "web-1", "interfaces", HOUR, 1.0, Failure(Kind.TIMEOUT))
    share = Finding("interfaces/utilisation", seen, State.OK, Message("x"), Levels(0.8, 0.95, "ratio", "t"), "eth0", 0.6)
    found = departure(share, Baseline(0.2, 0.01, 600, 10))
    assert found is not None
    assert texts("en").say(found.message) == "60.0%, higher than usual at this hour (median 20.0% of 10 days)"
