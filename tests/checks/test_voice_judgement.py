"""What a conversation over a path would be worth: G.107's figures at both sides of each limit, by path and by each way of STAMP."""

from datetime import UTC, datetime

import pytest

from checks import path, stamp
from checks.finding import Finding, State
from checks.voice import QUALITY, Voice, judge_voice
from probe.observation.observation import Observation, Outcome
from probe.observation.path import PathSample
from probe.observation.stamp import StampSample

AT = datetime(2026, 11, 21, tzinfo=UTC)


def seen(prober: str, outcome: Outcome) -> Observation:
    return Observation("a", "far", prober, AT, 1.0, outcome)


def of_path(mean_ms: float | None, answered: int = 20, sent: int = 20) -> Finding | None:
    sample = PathSample("192.0.2.1", "192.0.2.2", "icmp", answered > 0, sent, answered, (), mean_ms, mean_ms, mean_ms)
    found = path.judge(seen("path", sample), None, path.Limits())
    return next((one for one in found if one.check == "path/voice"), None)


def of_stamp(**fields: float) -> Finding | None:
    sample = StampSample("192.0.2.1", 862, **{"sent": 100, "answered": 100, "lost_out": 0, "lost_back": 0, "rtt_ms": 20.0, **fields})
    found = stamp.judge(seen("stamp", sample), None, stamp.Limits())
    return next((one for one in found if one.check == "stamp/voice"), None)


@pytest.mark.parametrize(
    ("mean_ms", "answered", "state"),
    [
        (20.0, 20, State.OK),
        (300.0, 20, State.OK),  # 150 ms one way (G.114): most talk is not disturbed
        (500.0, 20, State.OK),
        (600.0, 20, State.OK),
        (640.0, 20, State.WARNING),
        (800.0, 20, State.WARNING),
        (900.0, 20, State.CRITICAL),
        (20.0, 19, State.OK),
        (20.0, 18, State.WARNING),
        (20.0, 17, State.CRITICAL),
        (300.0, 18, State.WARNING),  # neither is bad by itself
    ],
)
def test_delay_and_loss_make_the_worth_of_a_call(mean_ms: float, answered: int, state: State) -> None:
    found = of_path(mean_ms, answered)
    assert found is not None
    assert (found.state, found.levels) == (state, QUALITY)


@pytest.mark.parametrize(("mean_ms", "answered"), [(None, 0), (None, 20)])
def test_a_path_without_an_answer_has_no_worth_and_none_is_made_up(mean_ms: float | None, answered: int) -> None:
    assert of_path(mean_ms, answered) is None


def test_the_worse_way_counts() -> None:
    good, out, back = of_stamp(), of_stamp(lost_out=20, answered=80), of_stamp(lost_back=20, answered=80)
    assert good is not None
    assert out is not None
    assert back is not None
    assert good.state is State.OK
    assert out.state is back.state is not State.OK


def test_jitter_costs_what_the_buffer_adds() -> None:
    calm = of_stamp(jitter_out_ms=0.1, jitter_back_ms=0.1)
    rough = of_stamp(jitter_out_ms=0.1, jitter_back_ms=60.0)
    assert calm is not None
    assert rough is not None
    assert calm.value is not None
    assert rough.value is not None
    assert rough.value < calm.value


def test_a_session_without_any_time_is_not_rated() -> None:
    sample = StampSample("192.0.2.1", 862, sent=100, answered=100)
    assert all(one.check != "stamp/voice" for one in stamp.judge(seen("stamp", sample), None, stamp.Limits()))


def test_the_best_path_is_worth_what_g_107_says_of_its_defaults() -> None:
    found = judge_voice("path/voice", seen("path", PathSample("x", "y", "icmp", True, 1, 1, ())), (Voice(0.0, 0.0),), QUALITY)
    assert found.value == pytest.approx(4.41, abs=0.03)
