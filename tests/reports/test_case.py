"""A case as a value and as a row."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.finding import Message, State
from checks.verdict import Area, CaseKind, Side, Urgency
from reports.case import Case, CaseEvent, CaseState, EventKind, as_it_stood, case_from_row, case_row, event_from_row, event_row

TIMES = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))
TEXTS = st.text(max_size=20)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), TEXTS)
MESSAGES = st.builds(Message, TEXTS, st.dictionaries(TEXTS, VALUES, max_size=3))
KEYS = st.lists(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS), max_size=3).map(tuple)
CASES = st.builds(
    Case,
    id=st.integers(0, 2**31),
    kind=st.sampled_from(CaseKind),
    cause=TEXTS,
    element=TEXTS,
    episode=st.integers(0, 99),
    state=st.sampled_from(CaseState),
    severity=st.sampled_from(State),
    side=st.sampled_from(Side),
    area=st.sampled_from(Area),
    urgency=st.sampled_from(Urgency),
    confidence=st.one_of(st.none(), st.floats(0, 1)),
    opened_at=TIMES,
    since=TIMES,
    updated_at=TIMES,
    cleared_at=st.one_of(st.none(), TIMES),
    cleared_by_itself=st.booleans(),
    affected=st.lists(TEXTS, max_size=3).map(tuple),
    summary=MESSAGES,
    action=MESSAGES,
    agent=TEXTS,
    keys=KEYS,
    unwatched=KEYS,
    rules=TEXTS,
    events=st.integers(0, 99),
)


@given(CASES)
def test_a_case_comes_back_from_its_row_as_it_was(case: Case) -> None:
    assert case_from_row(case_row(case)) == case


@given(CASES)
def test_an_event_holds_the_whole_case_and_comes_back_from_its_row(case: Case) -> None:
    event = CaseEvent(case.id, 3, case.opened_at, EventKind.UPDATED, msgspec.json.decode(msgspec.json.encode({"case": case})))
    assert event_from_row(event_row(event)) == event
    assert as_it_stood(event) == case


@given(CASES)
def test_a_row_holds_plain_values_only(case: Case) -> None:
    assert {type(value) for value in case_row(case).values()} <= {int, str, float, bool, datetime, type(None)}


def test_unknown_confidence_stays_unknown(making) -> None:
    row = case_row(a_case(making, confidence=None))
    assert row["confidence"] is None
    assert case_from_row(row).confidence is None


def test_a_row_with_a_foreign_word_is_an_error_not_a_guess(making) -> None:
    row = case_row(a_case(making))
    with pytest.raises(ValueError, match="lost"):
        case_from_row(row | {"state": "lost"})
    with pytest.raises(msgspec.ValidationError):
        case_from_row(row | {"keys": '[["a", "b"]]'})


def test_identity_leaves_the_episode_out(making) -> None:
    case = a_case(making)
    later = msgspec.structs.replace(case, episode=7, id=9, opened_at=case.opened_at + timedelta(days=1))
    assert later.identity == case.identity == (CaseKind.SERVICE, "tcp.silent", "web-1")


def a_case(making, **changes) -> Case:
    from reports.opening import plan

    (step,) = plan([making.diagnose()], {}, [], making.START)
    return msgspec.structs.replace(step.case, **changes)
