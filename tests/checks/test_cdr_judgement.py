"""Each question about call records, on both sides of its limit."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from checks.causes import cause_of
from checks.cdr import ENOUGH_ANSWERED, ENOUGH_CALLS, judge
from checks.cdr import Limits as CdrLimits
from checks.finding import Finding, State
from probe.observation.cdr import CdrGroup, CdrSample
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation

OK, WARNING, CRITICAL, UNKNOWN = State.OK, State.WARNING, State.CRITICAL, State.UNKNOWN
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
ALL = CdrGroup("all", "", 1000, 500, 950, 60_000.0, 4.0, {"16": 900}, {}, 50, 100)
SAMPLE = CdrSample("cdr.csv", 900.0, (ALL,), 1000, 1000, 0, {}, 5.0, 0)


def seen(outcome: Any) -> Observation:
    return Observation("here", "switch", "cdr", AT, 1.0, outcome)


def found(outcome: Any, before: Any = None) -> list[Finding]:
    return list(judge(seen(outcome), None if before is None else seen(before), CdrLimits()))


def sample(**changes: Any) -> CdrSample:
    return msgspec.structs.replace(SAMPLE, **changes)


def of(check: str, **changes: Any) -> list[tuple[State, str]]:
    """Judge the group of all calls with something changed; return states and messages of the check."""
    findings = found(sample(groups=(msgspec.structs.replace(ALL, **changes),)))
    return [(one.state, one.message.id) for one in findings if one.check == f"cdr/{check}"]


def test_good_records_are_good_in_every_question() -> None:
    assert {one.check: one.state for one in found(SAMPLE)} == dict.fromkeys(
        ["cdr/fresh", "cdr/lines", "cdr/calls", "cdr/asr", "cdr/ner", "cdr/acd", "cdr/pdd", "cdr/concurrent"], OK
    )


@pytest.mark.parametrize(("answered", "state"), [(251, OK), (250, WARNING), (51, WARNING), (50, CRITICAL)])
def test_answer_seizure_ratio(answered: int, state: State) -> None:
    assert of("asr", answered=answered) == [(state, "cdr.asr")]


@pytest.mark.parametrize(("effective", "state"), [(901, OK), (900, WARNING), (701, WARNING), (700, CRITICAL)])
def test_network_effectiveness_ratio(effective: int, state: State) -> None:
    assert of("ner", effective=effective) == [(state, "cdr.ner")]


def test_records_that_tell_no_cause_give_no_effectiveness() -> None:
    assert of("ner", effective=None) == []
    assert of("asr", effective=None) == [(OK, "cdr.asr")]


def test_what_did_not_get_through_is_named_by_its_most_frequent_cause() -> None:
    (one,) = [one for one in found(sample(groups=(msgspec.structs.replace(ALL, faults={"503": 20, "34": 30}),))) if one.check == "cdr/ner"]
    assert (one.message.id, one.message.values["cause"], one.message.values["count"]) == ("cdr.ner-cause", "34", 30)


@pytest.mark.parametrize(("talk_s", "state"), [(10_001.0, OK), (10_000.0, WARNING), (0.0, WARNING)])
def test_average_call_duration(talk_s: float, state: State) -> None:
    assert of("acd", talk_s=talk_s) == [(state, "cdr.acd")]


@pytest.mark.parametrize(("pdd_s", "state"), [(7.9, OK), (8.0, WARNING), (10.9, WARNING), (11.0, CRITICAL)])
def test_post_selection_delay(pdd_s: float, state: State) -> None:
    assert of("pdd", pdd_s=pdd_s) == [(state, "cdr.pdd")]
    assert of("pdd", pdd_s=None) == []


@pytest.mark.parametrize(("peak", "state"), [(0, OK), (79, OK), (80, WARNING), (94, WARNING), (95, CRITICAL), (120, CRITICAL)])
def test_calls_at_once_against_the_limit(peak: int, state: State) -> None:
    assert of("concurrent", peak=peak) == [(state, "cdr.licence")]
    assert of("concurrent", peak=peak, limit=None) == []


@pytest.mark.parametrize(("kind", "message", "cause"), [("all", "cdr.licence", "licence_full"), ("trunk", "cdr.concurrent", "trunk_full")])
def test_a_full_licence_is_another_cause_than_a_full_trunk(kind: str, message: str, cause: str) -> None:
    group = msgspec.structs.replace(ALL, kind=kind, name="" if kind == "all" else "t", peak=95)
    (one,) = [one for one in found(sample(groups=(group,))) if one.check == "cdr/concurrent"]
    told = cause_of(one.check, one.message.id)
    assert (one.state, one.message.id, told.code if told else None) == (CRITICAL, message, cause)


def test_few_calls_are_no_ratio_and_that_is_not_good() -> None:
    few: dict[str, Any] = {"attempts": ENOUGH_CALLS - 1, "answered": 0, "effective": 0, "talk_s": 0.0}
    assert of("asr", **few) == [(UNKNOWN, "cdr.few")]
    assert of("ner", **few) == of("pdd", **few) == of("acd", **few) == []
    assert of("asr", **{**few, "attempts": ENOUGH_CALLS}) == [(CRITICAL, "cdr.asr")]
    assert of("acd", answered=ENOUGH_ANSWERED - 1) == []
    trunk = msgspec.structs.replace(ALL, kind="trunk", name="t", **few)
    assert [one.check for one in found(sample(groups=(ALL, trunk))) if one.item == "trunk t"] == ["cdr/concurrent"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"newest_age_s": 5.0}, (OK, "cdr.newest")),
        ({"newest_age_s": 900.0}, (OK, "cdr.newest")),
        ({"newest_age_s": 901.0}, (UNKNOWN, "cdr.none-new")),
        ({"newest_age_s": 43_199.0}, (UNKNOWN, "cdr.none-new")),  # a quiet night is no fault
        ({"newest_age_s": 43_200.0}, (WARNING, "cdr.newest")),
        ({"newest_age_s": None}, (UNKNOWN, "cdr.none")),
        ({"newest_age_s": 5.0, "behind_bytes": 9}, (UNKNOWN, "cdr.behind")),
    ],
)
def test_records_that_stop_are_never_good_news(changes: dict[str, Any], said: tuple[State, str]) -> None:
    assert [(one.state, one.message.id) for one in found(sample(**changes)) if one.check == "cdr/fresh"] == [said]


@pytest.mark.parametrize("changes", [{"newest_age_s": None}, {"behind_bytes": 9}])
def test_what_is_counted_of_a_part_is_not_judged(changes: dict[str, Any]) -> None:
    assert [one.check for one in found(sample(**changes))] == ["cdr/fresh", "cdr/lines"]


@pytest.mark.parametrize(
    ("lines", "refused", "state"),
    [(1000, 9, OK), (1000, 10, WARNING), (1000, 199, WARNING), (1000, 200, CRITICAL), (50, 10, OK), (50, 50, CRITICAL)],
)
def test_lines_that_can_not_be_read(lines: int, refused: int, state: State) -> None:
    (one,) = [one for one in found(sample(lines=lines, refused={"time": refused})) if one.check == "cdr/lines"]
    assert (one.state, one.message.id) == (state, "cdr.refused.time")


def test_only_the_lines_since_the_look_before_count() -> None:
    before = sample(lines=1000, refused={"time": 900})
    (one,) = [one for one in found(sample(lines=2000, refused={"time": 900}), before) if one.check == "cdr/lines"]
    assert (one.state, one.value) == (OK, 0.0)


def test_calls_ratios_and_delay_are_held_against_their_usual_hour_the_small_ones_downward() -> None:
    seasonal = {one.check: one.levels.low for one in found(SAMPLE) if one.seasonal and one.levels}
    assert seasonal == {"cdr/calls": True, "cdr/asr": True, "cdr/ner": True, "cdr/acd": True, "cdr/pdd": False}


def test_calls_at_once_have_a_trend_towards_the_limit() -> None:
    assert [one.full_at for one in found(SAMPLE) if one.check == "cdr/concurrent"] == [1.0]


def test_a_file_that_can_not_be_opened_is_unknown() -> None:
    assert [one.state for one in found(Failure(Kind.DENIED, "cdr.csv: Permission denied"))] == [UNKNOWN]
