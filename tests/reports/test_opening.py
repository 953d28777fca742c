"""Diagnoses against open cases: what opens, what is said, what clears and what never does."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.finding import Key, Message, State
from checks.history import Track
from checks.verdict import Area, Side, Urgency
from reports.case import Case, CaseState, EventKind, Step
from reports.opening import plan, recovered

MINUTE = timedelta(minutes=1)
MAKING: list = []  # hypothesis wants no fixtures of function scope


@pytest.fixture(autouse=True)
def _making(making) -> None:
    MAKING[:] = [making]


def accepted(cases: Iterable[Case], steps: Iterable[Step]) -> list[Case]:
    """Do to values what the store does to rows."""
    after = {case.id: case for case in cases}
    for step in steps:
        case = step.case
        if step.kind is EventKind.OPENED:
            assert not [one for one in after.values() if one.identity == case.identity and one.cleared_at is None]
            episode = 1 + sum(one.identity == case.identity for one in after.values())
            case = msgspec.structs.replace(case, id=len(after) + 1, episode=episode)
        else:
            assert after[case.id].events == case.events
        after[case.id] = msgspec.structs.replace(case, events=case.events + 1)
    return list(after.values())


def one_open(making, **changes) -> Case:
    (case,) = accepted([], plan([making.diagnose(**changes)], {}, [], making.START))
    return case


def test_a_diagnosis_opens_a_case_with_all_it_says(making) -> None:
    (step,) = plan([making.diagnose(confidence=0.9)], {}, [], making.START + MINUTE)
    case = step.case
    assert step.kind is EventKind.OPENED
    assert (case.state, case.severity, case.side, case.area) == (CaseState.OPEN, State.CRITICAL, Side.COMPANY, Area.SERVER)
    assert (case.urgency, case.confidence, case.affected, case.agent) == (Urgency.URGENT, 0.9, ("shop",), "pop-1")
    assert (case.since, case.opened_at, case.cleared_at) == (making.START, making.START + MINUTE, None)
    assert case.keys == (("pop-1", "web-1", "tcp/port", ""),)


def test_two_causes_of_one_element_are_two_cases_and_a_repeated_diagnosis_is_one(making) -> None:
    steps = plan([making.diagnose(), making.diagnose(cause="tls.expired"), making.diagnose()], {}, [], making.START)
    assert [step.case.cause for step in steps] == ["tcp.silent", "tls.expired"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"state": State.WARNING}, "severity"),
        ({"side": Side.CARRIER}, "side"),
        ({"area": Area.FIBRE}, "area"),
        ({"urgency": Urgency.EMERGENCY}, "urgency"),
        ({"affected": ("shop", "bank")}, "affected"),
        ({"questions": ("tcp/port", "tcp/connect")}, "keys"),
        ({"action": Message("action.call_carrier")}, "action"),
    ],
)
def test_what_a_person_cares_about_is_an_update(making, change: dict, named: str) -> None:
    (step,) = plan([making.diagnose(**change)], {}, [one_open(making)], making.START + MINUTE)
    assert (step.kind, step.body) == (EventKind.UPDATED, {"changed": [named]})
    assert step.case.updated_at == making.START + MINUTE


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"summary": Message("failure.timeout", {"detail": "other words"})},
        {"confidence": 0.7},
        {"affected": ("shop", "shop")},
        {"action": Message("action.look", {"node": "web-1, rack 2"})},
        {"since": datetime.fromisoformat("2025-12-31T23:00:00Z")},
    ],
)
def test_what_nobody_cares_about_is_no_event(making, change: dict) -> None:
    assert plan([making.diagnose(**change)], {}, [one_open(making)], making.START + MINUTE) == []


@pytest.mark.parametrize("unsure", [State.UNKNOWN, State.OK])
def test_a_reading_that_could_not_be_made_never_makes_a_case_less_grave(making, unsure: State) -> None:
    grave = making.diagnose()
    blind = tuple(msgspec.structs.replace(finding, state=unsure) for finding in grave.findings)
    assert plan([making.diagnose(findings=blind, state=State.UNKNOWN)], {}, [one_open(making)], making.START) == []


GOOD_AT = timedelta(minutes=5)


@pytest.mark.parametrize(
    ("change", "is_good"),
    [
        ({}, True),
        ({"hard": State.WARNING}, False),
        ({"hard": State.UNKNOWN}, False),
        ({"soft": State.CRITICAL}, False),
        ({"soft": State.UNKNOWN}, False),
        ({"flapping": True}, False),
        ({"blind_since": datetime.fromisoformat("2026-01-01T00:06:00Z")}, False),
        ({"since": None}, False),
        ({"since": datetime.fromisoformat("2026-01-01T00:00:00Z")}, False),
        ({"since": datetime.fromisoformat("2026-01-01T00:00:01Z")}, True),
    ],
)
def test_a_case_clears_by_good_measurements_only(making, change: dict, is_good: bool) -> None:
    case = one_open(making)
    track = msgspec.structs.replace(making.good(case)[case.keys[0]], **change)
    assert recovered(track, case.since) is is_good
    assert [step.kind for step in plan([], {track.key: track}, [case], making.START + 9 * MINUTE)] == [EventKind.CLEARED] * is_good


def test_no_track_and_no_diagnosis_is_not_good_news(making) -> None:
    assert plan([], {}, [one_open(making)], making.START + 9 * MINUTE) == []


def test_every_key_must_be_good(making) -> None:
    case = one_open(making, questions=("tcp/port", "tcp/connect"))
    standing = making.good(case)
    first = {key: standing[key] for key in case.keys[:1]}
    assert plan([], first, [case], making.START + 9 * MINUTE) == []
    assert [step.kind for step in plan([], standing, [case], making.START + 9 * MINUTE)] == [EventKind.CLEARED]


def test_an_untouched_case_that_clears_is_resolved_by_itself_never_closed(making) -> None:
    case = one_open(making)
    (step,) = plan([], making.good(case), [case], making.START + 9 * MINUTE)
    assert (step.case.state, step.case.cleared_by_itself) == (CaseState.RESOLVED, True)
    assert step.case.cleared_at == making.START + 9 * MINUTE


@pytest.mark.parametrize("state", [state for state in CaseState if state is not CaseState.OPEN])
def test_a_case_in_a_persons_hands_keeps_its_state_when_it_clears(making, state: CaseState) -> None:
    case = msgspec.structs.replace(one_open(making), state=state)
    (step,) = plan([], making.good(case), [case], making.START + 9 * MINUTE)
    assert (step.kind, step.case.state, step.case.cleared_by_itself) == (EventKind.CLEARED, state, False)


def test_a_key_that_is_dropped_from_the_diagnosis_without_being_good_stays_in_the_case(making) -> None:
    case = one_open(making, questions=("tcp/port", "tcp/connect"))
    assert plan([making.diagnose()], {}, [case], making.START + MINUTE) == []
    (step,) = plan([making.diagnose()], making.good(case), [case], making.START + MINUTE)
    assert step.body == {"changed": ["keys"]}


def test_what_nothing_measures_any_more_is_said_once_and_the_case_stays(making) -> None:
    case = one_open(making)
    steps = plan([], {}, [case], making.START, unwatched=set(case.keys))
    assert [(step.kind, step.body) for step in steps] == [(EventKind.UNWATCHED, {"keys": list(case.keys)})]
    (said,) = accepted([case], steps)
    assert said.cleared_at is None
    assert plan([], {}, [said], making.START + MINUTE, unwatched=set(case.keys)) == []
    assert [step.kind for step in plan([], {}, [said], making.START + MINUTE)] == [EventKind.WATCHED]


def test_the_same_fault_again_after_it_cleared_is_a_new_episode(making) -> None:
    case = one_open(making)
    cases = accepted([case], plan([], making.good(case), [case], making.START + 9 * MINUTE))
    cases = accepted(cases, plan([making.diagnose()], {}, cases, making.START + 20 * MINUTE))
    assert [(one.episode, one.cleared_at is None) for one in cases] == [(1, False), (2, True)]


def test_another_agents_case_is_neither_opened_twice_nor_changed(making) -> None:
    case = msgspec.structs.replace(one_open(making), agent="pop-2")
    assert plan([making.diagnose(side=Side.CARRIER)], {}, [case], making.START) == []


ELEMENTS = ("web-1", "web-2")
QUESTIONS = ("tcp/port", "tcp/connect")
READINGS = st.lists(
    st.fixed_dictionaries(
        {(element, question): st.sampled_from(["good", "bad", "unknown", "gone"]) for element in ELEMENTS for question in QUESTIONS}
    ),
    min_size=1,
    max_size=25,
)


@dataclass
class World:
    """Tracks as a fold would leave them; a bad key belongs to its element's diagnosis."""

    standing: dict[Key, Track] = field(default_factory=dict)

    def see(self, key: Key, reading: str, now: datetime) -> None:
        old = self.standing.get(key, Track(key))
        if reading == "gone":
            self.standing.pop(key, None)
        elif reading == "unknown":
            self.standing[key] = msgspec.structs.replace(old, blind_since=old.blind_since or now)
        else:
            state = State.OK if reading == "good" else State.CRITICAL
            since = old.since if old.hard is state else now
            self.standing[key] = Track(key, hard=state, soft=state, streak=1, since=since, soft_since=since)


@settings(max_examples=200, deadline=None)
@given(rounds=READINGS, unwatched=st.sets(st.sampled_from([("pop-1", element, "tcp/port", "") for element in ELEMENTS])))
def test_laws_of_any_interleaving(rounds: list[dict], unwatched: set[Key]) -> None:
    """One open episode at most an identity; cleared only by good readings of every key; planning twice gives nothing the second time."""
    (making,) = MAKING
    world, cases, now = World(), [], making.START
    for readings in rounds:
        now += MINUTE
        for (element, question), reading in readings.items():
            world.see(("pop-1", element, question, ""), reading, now)
        diagnoses = []
        for element in ELEMENTS:
            bad = [track for key, track in world.standing.items() if key[1] == element and track.hard is State.CRITICAL]
            if bad:
                questions = tuple(track.key[2] for track in bad)
                diagnoses.append(making.diagnose(element, questions=questions, since=min(track.since for track in bad)))
        steps = plan(diagnoses, world.standing, cases, now, unwatched)
        for step in steps:
            if step.kind is EventKind.CLEARED:
                assert all(readings[key[1], key[2]] == "good" for key in step.case.keys)
                assert step.case.state is CaseState.RESOLVED
        cases = accepted(cases, steps)
        assert plan(diagnoses, world.standing, cases, now + MINUTE, unwatched) == []
        uncleared = [case.identity for case in cases if case.cleared_at is None]
        assert len(uncleared) == len(set(uncleared))
