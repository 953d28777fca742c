"""Many cases at once: rows go in by the hundred, and each step counts or is left out by itself, as when written one by one."""

from collections.abc import Iterator

import pytest

from reports.case import EventKind
from reports.opening import plan
from reports.store import accept
from reports.store.store import Store, open_store

MANY = 2 * accept.AT_ONCE + 7


@pytest.fixture
def many(place: str) -> Iterator[Store]:
    with open_store(place, agent="pop-1", feeds=("jsonl", "mail"), service=True) as opened:
        yield opened


def test_hundreds_of_cases_come_in_with_their_events_and_deliveries(many: Store, making) -> None:
    steps = plan([making.diagnose(f"web-{n}") for n in range(MANY)], {}, [], making.START)
    events = many.accept(steps, making.START)
    assert [event.body["case"]["element"] for event in events] == [f"web-{n}" for n in range(MANY)]
    assert len({event.case for event in events}) == MANY
    cases = {case.id: case for case in many.cases()}
    for event in events:
        assert cases[event.case].element == event.body["case"]["element"]
    assert many.events(events[-1].case) == [events[-1]]
    assert [(one.feed, one.pending) for one in many.backlog()] == [("jsonl", MANY), ("mail", MANY)]
    assert many.integrity() == []


def test_what_is_open_already_is_left_out_and_the_others_come_in(many: Store, making) -> None:
    first = many.accept(plan([making.diagnose("web-3")], {}, [], making.START), making.START)
    steps = plan([making.diagnose(f"web-{n}") for n in range(6)], {}, [], making.START)
    events = many.accept([*steps, steps[5]], making.START)
    assert [event.body["case"]["element"] for event in events] == ["web-0", "web-1", "web-2", "web-4", "web-5"]
    assert len(many.cases()) == 6
    assert many.case(first[0].case) in many.cases()
    assert many.integrity() == []


def test_openings_and_endings_of_one_call_keep_their_order_and_episodes(many: Store, making) -> None:
    story = making.story(many, "web-1")
    opened = many.accept(plan([making.diagnose("web-2")], {}, [], making.START), making.START)
    (case,) = [one for one in many.cases() if one.id == opened[0].case]
    (cleared,) = plan([], making.good(case), [case], making.START)
    again, other = plan([making.diagnose("web-1"), making.diagnose("web-3")], {}, [], making.START)
    events = many.accept([again, cleared, other], making.START)
    assert [(event.kind, event.body["case"]["element"], event.body["case"]["episode"]) for event in events] == [
        (EventKind.OPENED, "web-1", 2),
        (EventKind.CLEARED, "web-2", 1),
        (EventKind.OPENED, "web-3", 1),
    ]
    assert events[0].case != story[0].case
