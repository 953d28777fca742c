import random
from datetime import UTC, datetime, timedelta
from functools import reduce

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.finding import Finding, Levels, Message, State
from checks.trend import EMPTY, FLOOR, KEPT, Trend, grow, growth, judge_trend, until
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation

START = datetime(2026, 3, 1, tzinfo=UTC)


def follow(values: list[float], every_s: float = 60.0, full_at: float = 1.0) -> Trend:
    return reduce(lambda trend, step: grow(trend, step[0] * every_s, step[1], full_at), enumerate(values), EMPTY)


def finding(value: float | None, full_at: float | None = 1.0) -> Finding:
    seen = Observation("agent", "web-1", "host", START, 1.0, Failure(Kind.TIMEOUT))
    return Finding("host/disk", seen, State.OK, Message("x"), Levels(0.9, 0.95, "ratio", "t"), "/var", value, full_at=full_at)


def test_a_steady_growth_is_foretold_to_the_minute() -> None:
    trend = follow([0.6 + 0.001 * minute for minute in range(60)])
    left = until(trend, 1.0)
    assert left is not None
    assert left / 60 == pytest.approx((1 - trend.points[-1][1]) / 0.001, rel=0.01)


@pytest.mark.parametrize(
    ("per_hour", "hours", "state"),
    [
        (0.2, 2.0, State.CRITICAL),
        (0.09, 3.0, State.CRITICAL),
        (0.05, 3.0, State.WARNING),
        (0.017, 6.0, State.WARNING),
        (0.005, 20.0, State.OK),
        (0.0, 20.0, State.OK),
        (-0.01, 20.0, State.OK),
    ],
)
def test_hours_left_are_judged(per_hour: float, hours: float, state: State) -> None:
    values = [0.55 + per_hour * minute / 60 for minute in range(int(hours * 60))]
    found = judge_trend(finding(values[-1]), follow(values))
    assert found is not None
    assert (found.check, found.item, found.state) == ("host/disk.trend", "/var", state)


def test_a_trend_goes_on_after_a_clock_that_was_wrong_for_a_while() -> None:
    rising = follow([0.5 + 0.002 * minute for minute in range(40)])
    lost = grow(rising, 5e9, 0.581, 1.0)
    found = reduce(lambda trend, minute: grow(trend, minute * 60.0, 0.5 + 0.002 * minute, 1.0), range(41, 100), lost)
    assert until(found, 1.0) == pytest.approx(60 * (0.302 / 0.002), rel=0.05)


def test_a_trend_needs_its_time_and_its_points() -> None:
    rising = [0.6 + 0.002 * minute for minute in range(60)]
    assert judge_trend(finding(0.66), follow(rising[:30])) is None
    assert judge_trend(finding(0.66), follow(rising[:11], every_s=600)) is None
    assert judge_trend(finding(0.66), follow(rising[:12], every_s=600)) is not None
    assert judge_trend(finding(0.66), follow(rising[:31])) is not None
    assert judge_trend(finding(None), follow(rising)) is None
    assert judge_trend(finding(0.6, None), follow(rising)) is None


def test_nothing_is_foretold_further_than_twelve_times_the_time_seen() -> None:
    values = [0.55 + 0.012 * minute / 60 for minute in range(40)]  # full in 37 h, seen for 40 min
    assert growth(follow(values)) is not None
    assert until(follow(values), 1.0) is None


def test_what_is_less_than_half_full_is_left_alone() -> None:
    values = [FLOOR - 0.2 + 0.002 * minute for minute in range(99)]
    found = judge_trend(finding(values[-1]), follow(values))
    assert found is not None
    assert (found.state, found.message.id) == (State.OK, "trend.steady")
    found = judge_trend(finding(FLOOR), follow(values))
    assert found is not None
    assert found.message.id == "trend.full-in"


def test_a_drop_begins_anew() -> None:
    values = [0.6 + 0.002 * minute for minute in range(90)]
    trend = grow(follow(values), 90 * 60.0, 0.5, 1.0)
    assert trend == Trend(((90 * 60.0, 0.5),))
    assert judge_trend(finding(0.5), trend) is None


def test_what_is_full_already_has_no_time_left() -> None:
    values = [0.8 + 0.003 * minute for minute in range(67)]
    found = judge_trend(finding(1.0), follow([*values, 1.0, 1.0, 1.0]))
    assert found is not None
    assert (found.state, found.value) == (State.CRITICAL, 0.0)


def test_wild_points_do_not_move_it() -> None:
    values = [0.6 + 0.001 * minute + (0.015 if minute % 7 == 0 else 0.0) for minute in range(120)]
    left = until(follow(values), 1.0)
    assert left is not None
    assert left / 3600 == pytest.approx((1 - 0.719) / 0.06, rel=0.15)


def test_points_too_close_change_nothing() -> None:
    trend = follow([0.6, 0.61])
    assert grow(trend, 60.0 + 59.0, 0.62, 1.0) is trend
    assert grow(trend, 60.0 - 5.0, 0.62, 1.0) is trend


@given(st.lists(st.floats(0, 1), max_size=300), st.sampled_from([20.0, 60.0, 600.0, 7200.0]))
@settings(deadline=None)
def test_points_are_bounded_in_order_and_survive_the_store(values: list[float], every_s: float) -> None:
    trend = follow(values, every_s)
    assert len(trend.points) <= KEPT
    assert [at for at, _ in trend.points] == sorted({at for at, _ in trend.points})
    assert msgspec.json.decode(msgspec.json.encode(trend), type=Trend) == trend
    left = until(trend, 1.0)
    assert left is None or left >= 0


@given(st.integers(0, 100_000), st.floats(0.5, 0.95), st.floats(0.0001, 0.04))
@settings(max_examples=60, deadline=None)
def test_noise_is_never_a_trend(seed: int, level: float, width: float) -> None:
    noise = random.Random(seed)
    trend = EMPTY
    for minute in range(240):
        value = level + noise.uniform(-width, width)
        grown = grow(trend, minute * 60.0, value, 1.0)
        if grown is not trend:
            found = judge_trend(finding(value), grown)
            assert found is None or found.state is State.OK
        trend = grown


def test_days_of_growth_are_kept_thinly() -> None:
    trend = follow([0.5 + 0.1 * minute / (72 * 60) for minute in range(72 * 60)])
    assert trend.points[-1][0] - trend.points[0][0] > 30 * 3600
    assert growth(trend) is not None
    assert timedelta(seconds=trend.spacing_s) <= timedelta(hours=5)
