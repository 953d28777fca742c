"""Each question about a capture, on both sides of its limit."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from checks.capture import MOST_TOLD, Limits, judge
from checks.finding import Finding, State
from probe.observation.capture import Anomaly, CallSample, CaptureSample, LadderLine, MediaSide, StreamSample
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation

OK, WARNING, CRITICAL, UNKNOWN = State.OK, State.WARNING, State.CRITICAL, State.UNKNOWN
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
SIDE = MediaSide("192.0.2.1", 6000, "192.0.2.1", True, 500, 2000.0, 12_000.0)
CALL = CallSample(
    1,
    "a@b",
    "1**",
    "2**",
    0.0,
    "answered",
    200,
    "OK",
    16,
    900.0,
    2000.0,
    10_000.0,
    "caller",
    silent_ms=300.0,
    to_caller=SIDE,
    to_callee=SIDE,
)
STREAM = StreamSample(1, "a:1", "b:2", "00000001", "PCMA", 8, 8000, 500, 500, 0, 0, 0, 0, 0, 0.0, 10_000.0, 1.0, 2.0, 25.0, call=1)
SAMPLE = CaptureSample("x.pcap", "pcap", 9, 9, 900, AT, 10_000.0, 1, 1, (CALL,), (STREAM,))


def found(outcome: Any, limits: Limits = Limits()) -> list[Finding]:  # noqa: B008
    return list(judge(Observation("here", "x.pcap", "capture", AT, 1.0, outcome), None, limits))


def of(check: str, **changes: Any) -> tuple[State, str]:
    """Judge the sample with one call or stream changed; return state and message of the check's only finding."""
    call = {key: value for key, value in changes.items() if key in CallSample.__struct_fields__ and key not in ("number",)}
    stream = {key: value for key, value in changes.items() if key in StreamSample.__struct_fields__}
    sample = msgspec.structs.replace(
        SAMPLE,
        calls=(msgspec.structs.replace(CALL, **call),),
        streams=(msgspec.structs.replace(STREAM, **({} if call else stream)),),
    )
    (one,) = [one for one in found(sample) if one.check == f"capture/{check}"]
    return one.state, one.message.id


def test_a_good_capture_is_good_in_every_question() -> None:
    assert {one.check: one.state for one in found(SAMPLE)} == dict.fromkeys(
        [
            "capture/file",
            "capture/calls",
            "capture/setup",
            "capture/release",
            "capture/one-way",
            "capture/loss",
            "capture/jitter",
            "capture/mos",
        ],
        OK,
    )


@pytest.mark.parametrize(("pdd_ms", "state"), [(7999.0, OK), (8000.0, WARNING), (10_999.0, WARNING), (11_000.0, CRITICAL)])
def test_post_selection_delay(pdd_ms: float, state: State) -> None:
    assert of("setup", pdd_ms=pdd_ms) == (state, "capture.pdd")


@pytest.mark.parametrize(("again", "said"), [(2, (UNKNOWN, "capture.unfinished")), (3, (CRITICAL, "capture.unanswered"))])
def test_an_invite_without_answer_is_only_a_fault_when_it_was_repeated_long_enough(again: int, said: tuple) -> None:
    ladder = (LadderLine(0.0, "a", "b", "INVITE", "", again),)
    assert of("setup", outcome="unfinished", pdd_ms=None, code=None, ladder=ladder) == said


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (486, OK),
        (487, OK),
        (603, OK),
        (302, OK),
        (404, WARNING),
        (480, WARNING),
        (403, CRITICAL),
        (408, CRITICAL),
        (503, CRITICAL),
        (407, CRITICAL),
    ],
)
def test_the_final_code_says_whether_it_is_a_fault(code: int, state: State) -> None:
    assert of("release", outcome="failed", code=code, cause=None) == (state, "capture.refused")
    assert of("release", outcome="failed", code=code, cause=34) == (state, "capture.refused-cause")


@pytest.mark.parametrize(("silent_ms", "state"), [(9999.0, OK), (10_000.0, WARNING), (60_000.0, CRITICAL)])
def test_a_bye_that_comes_late(silent_ms: float, state: State) -> None:
    assert of("release", silent_ms=silent_ms)[0] is state


@pytest.mark.parametrize(("after_ms", "state"), [(1999.0, []), (2000.0, [WARNING])])
def test_voice_after_the_bye(after_ms: float, state: list) -> None:
    call = msgspec.structs.replace(CALL, silent_ms=None, voice_after_ms=after_ms)
    findings = found(msgspec.structs.replace(SAMPLE, calls=(call,)))
    assert [one.state for one in findings if one.check == "capture/release"] == state


def side(**changes: Any) -> MediaSide:
    return msgspec.structs.replace(SIDE, **changes)


SILENT = {"packets": 0, "first_ms": None, "last_ms": None}


@pytest.mark.parametrize(
    ("caller", "callee", "said"),
    [
        ({}, {}, (OK, "capture.both-ways")),
        (SILENT, {"packets": 25}, (CRITICAL, "capture.one-way.caller")),
        (SILENT, {"packets": 24}, (OK, "capture.both-ways")),
        ({"packets": 30}, SILENT, (CRITICAL, "capture.one-way.callee")),
        ({**SILENT, "wanted": False}, {}, (OK, "capture.both-ways")),
        ({**SILENT, "address": "192.168.1.5", "signalled_from": "203.0.113.7"}, {}, (CRITICAL, "capture.one-way-nat.caller")),
        ({**SILENT, "address": "192.168.1.5", "signalled_from": "192.168.1.5"}, {}, (CRITICAL, "capture.one-way.caller")),
        ({"last_ms": 7001.0}, {}, (OK, "capture.both-ways")),
        ({"last_ms": 7000.0}, {}, (WARNING, "capture.stopped.caller")),
        (SILENT, SILENT, (UNKNOWN, "capture.no-voice")),
    ],
)
def test_voice_in_both_directions(caller: dict, callee: dict, said: tuple) -> None:
    assert of("one-way", to_caller=side(**caller), to_callee=side(**callee)) == said


@pytest.mark.parametrize(("lost", "state"), [(0, OK), (4, OK), (5, WARNING), (14, WARNING), (15, CRITICAL)])
def test_loss(lost: int, state: State) -> None:
    assert of("loss", lost=lost, packets=500 - lost, loss_runs=lost)[0] is state


@pytest.mark.parametrize(("far", "states"), [(None, [OK]), (0.0, [OK]), (0.009, [OK, OK]), (0.01, [WARNING, OK]), (0.03, [CRITICAL, OK])])
def test_what_the_receiver_lost_is_told_where_it_is_more(far: float | None, states: list[State]) -> None:
    sample = msgspec.structs.replace(SAMPLE, streams=(msgspec.structs.replace(STREAM, far_loss_ratio=far),))
    assert [one.state for one in found(sample) if one.check == "capture/loss"] == states


@pytest.mark.parametrize(("jitter", "state"), [(19.9, OK), (20.0, WARNING), (49.9, WARNING), (50.0, CRITICAL)])
def test_jitter(jitter: float, state: State) -> None:
    assert of("jitter", jitter_mean_ms=jitter)[0] is state


def test_quality_falls_with_loss_and_delay_and_a_codec_without_figures_is_not_rated() -> None:
    def quality(**changes: Any) -> float:
        sample = msgspec.structs.replace(SAMPLE, streams=(msgspec.structs.replace(STREAM, **changes),))
        (one,) = [one for one in found(sample) if one.check == "capture/mos"]
        assert one.value is not None
        return one.value

    assert 4.3 < quality() < 4.5
    assert quality(lost=50, loss_runs=50) < quality(lost=10, loss_runs=10) < quality()
    assert quality(delay_ms=400.0) < quality(delay_ms=50.0)
    assert quality(lost=10, loss_runs=1) < quality(lost=10, loss_runs=10)
    assert of("mos", delay_ms=50.0) == (OK, "capture.mos")
    assert of("mos", codec="OPUS") == (OK, "capture.no-model")


def test_a_stream_of_less_than_a_second_is_not_judged() -> None:
    short = msgspec.structs.replace(STREAM, expected=49, lost=40)
    assert not [one for one in found(msgspec.structs.replace(SAMPLE, streams=(short,))) if one.check == "capture/loss"]


def test_a_damaged_file_warns_and_what_can_not_be_looked_into_is_unknown() -> None:
    sample = msgspec.structs.replace(SAMPLE, anomalies=(Anomaly("cut", 1, 99), Anomaly("tls", 3, None)))
    states = {one.item: one.state for one in found(sample) if one.check == "capture/file"}
    assert states == {"cut": WARNING, "tls": UNKNOWN}


def test_an_empty_capture_is_unknown_not_good() -> None:
    sample = msgspec.structs.replace(SAMPLE, calls=(), streams=(), calls_seen=0, streams_seen=0)
    assert [(one.check, one.state) for one in found(sample)] == [("capture/file", OK), ("capture/calls", UNKNOWN)]


def test_many_bad_calls_are_told_up_to_a_bound_and_the_rest_counted() -> None:
    bad = tuple(msgspec.structs.replace(CALL, number=number, outcome="failed", code=503) for number in range(1, 101))
    told = [one for one in found(msgspec.structs.replace(SAMPLE, calls=bad, calls_seen=100)) if one.check == "capture/release"]
    assert len(told) == MOST_TOLD + 1
    assert (told[-1].item, told[-1].message.values, told[-1].state) == ("others", {"count": 80}, CRITICAL)
    assert len({one.key for one in told}) == len(told)


def test_a_file_that_could_not_be_read_says_nothing_of_the_network() -> None:
    for failure, id in (
        (Failure(Kind.REJECTED, "the file is empty"), "capture.unreadable"),
        (Failure(Kind.BROKEN, "signal 9"), "failure.broken"),
    ):
        assert [(one.state, one.message.id) for one in found(failure)] == [(UNKNOWN, id)]
