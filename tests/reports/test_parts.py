"""Merging and complaints in the store, on both databases: whole or not at all, at any instant."""

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from checks.finding import State
from checks.history import Track
from reports.case import CaseState, EventKind
from reports.complaint import Complaint, known
from reports.opening import explaining, join, open_for, plan
from reports.store import connect
from reports.store.store import Store, open_store

MINUTE = timedelta(minutes=1)
WEB = ("pop-1", "web-1", "icmp/loss", "")
FAR = ("pop-1", "far", "icmp/loss", "")


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    with open_store(place, agent="pop-1", feeds=("jsonl",), service=True) as opened:
        yield opened


def two(store: Store, making) -> tuple[list, list]:
    """Let a host be down, and its site without power; return what the site's diagnosis leads to when it explains the host too."""
    host = making.diagnose("web-1", "host_down", keys=(WEB,))
    power = making.diagnose("dc-1", "site_power", keys=(FAR,))
    for one in (host, power):
        store.accept(plan([host, power] if one is power else [host], {}, store.cases(), making.START), making.START)
    power = making.diagnose("dc-1", "site_power", keys=(WEB, FAR))
    return [power], plan([power], {}, store.cases(), making.START + MINUTE)


def test_a_new_case_and_those_that_are_a_part_of_it_are_written_at_once(store: Store, making) -> None:
    store.accept(plan([making.diagnose("web-1", "host_down", keys=(WEB,))], {}, [], making.START), making.START)
    store.accept([join(store.case(1), making.complaint(), making.START)], making.START)
    steps = plan([making.diagnose("dc-1", "site_power", keys=(WEB, FAR))], {}, store.cases(), making.START + MINUTE)
    opened, merged = store.accept(steps, making.START + MINUTE)
    assert (opened.kind, opened.case, opened.body["merged"], opened.body["came"]) == (
        EventKind.OPENED,
        2,
        [1],
        [{"case": 1, "keys": [list(WEB)]}],
    )
    assert (merged.kind, merged.body["into"], merged.body["gone"]) == (EventKind.MERGED, 2, [{"case": 2, "keys": [list(WEB)]}])
    assert merged.body["case"]["merged_into"] == store.case(1).merged_into == 2
    assert ([one.customer for one in store.complaints(2)], store.case(2).affected) == (["harbour"], ("harbour", "shop"))
    assert store.integrity() == []


def test_a_case_that_can_t_open_takes_nothing_from_others(store: Store, making) -> None:
    """The other cases of the same call are not held up by it."""
    store.accept(plan([making.diagnose("web-1", "host_down", keys=(WEB,))], {}, [], making.START), making.START)
    power, other = making.diagnose("dc-1", "site_power", keys=(WEB,)), making.diagnose("db-1", "host_down", questions=("icmp/loss",))
    steps = plan([power, other], {}, store.cases(), making.START + MINUTE)
    store.accept(plan([power], {}, [], making.START), making.START)  # it was opened meanwhile
    assert [event.body["case"]["element"] for event in store.accept(steps, making.START + MINUTE)] == ["db-1"]
    assert store.case(1).merged_into is None

    unfit = plan([making.diagnose("nul \0", "site_power", keys=(WEB,))], {}, store.cases(), making.START + MINUTE)
    assert store.accept(unfit[:1], making.START + MINUTE) == store.accept(unfit, making.START + MINUTE) == []
    assert store.case(1).merged_into is None


def test_a_new_case_waits_while_one_that_is_to_be_a_part_of_it_was_overtaken(store: Store, making) -> None:
    store.accept(plan([making.diagnose("web-1", "host_down", keys=(WEB,))], {}, [], making.START), making.START)
    power = making.diagnose("dc-1", "site_power", keys=(WEB, FAR))
    steps = plan([power], {}, store.cases(), making.START + MINUTE)
    store.accept([join(store.case(1), making.complaint(), making.START)], making.START)
    assert store.accept(steps, making.START + MINUTE) == []
    assert len(store.accept(plan([power], {}, store.cases(), making.START + MINUTE), making.START + MINUTE)) == 2
    assert [one.case for one in store.complaints(2)] == [2]


def test_a_merged_case_ends_as_a_part_of_the_other_and_both_say_so(store: Store, making) -> None:
    _, steps = two(store, making)
    events = store.accept(steps, making.START + MINUTE)
    assert [(event.kind, event.case) for event in events] == [(EventKind.MERGED, 1), (EventKind.UPDATED, 2)]
    assert [event.body.get("into") for event in events] == [2, None]
    assert [event.body.get("merged") for event in events] == [None, [1]]
    part, whole = store.case(1), store.case(2)
    assert (part.merged_into, part.state, part.cleared_at, part.cleared_by_itself) == (2, CaseState.RESOLVED, making.START + MINUTE, False)
    assert (whole.keys, whole.cleared_at) == ((FAR, WEB), None)
    assert store.parts(2) == [part]
    assert store.parts(1) == []
    assert store.cases(open_only=True) == [whole]
    assert store.backlog()[0].pending == 4
    assert store.integrity() == []


def test_parts_of_parts_are_parts(store: Store, making) -> None:
    _, steps = two(store, making)
    store.accept(steps, making.START + MINUTE)
    cut = making.diagnose("fib-1", "fibre_cut", keys=(WEB, FAR))
    store.accept(plan([cut], {}, store.cases(), making.START + 2 * MINUTE), making.START + 2 * MINUTE)
    assert [case.id for case in store.parts(3)] == [1, 2]
    assert [case.merged_into for case in store.parts(3)] == [2, 3]


@pytest.mark.parametrize("overtaken", [1, 2])
def test_when_one_of_both_was_overtaken_neither_changes(store: Store, making, overtaken: int) -> None:
    diagnoses, steps = two(store, making)
    store.accept([join(store.case(overtaken), making.complaint(), making.START)], making.START)
    before = (store.case(1), store.case(2))
    assert store.accept(steps, making.START + MINUTE) == []
    assert (store.case(1), store.case(2)) == before
    store.accept(plan(diagnoses, {}, store.cases(), making.START + MINUTE), making.START + MINUTE)
    assert (store.case(1).merged_into, store.case(2).complainants) == (2, ("harbour",))
    assert [one.case for one in store.complaints(2)] == [2]
    assert store.integrity() == []


def test_a_later_step_of_a_case_that_was_overtaken_is_left_out_too(store: Store, making) -> None:
    store.accept(plan([making.diagnose()], {}, [], making.START), making.START)
    (case,) = store.cases()
    steps = plan([making.diagnose(affected=("bank",))], {}, [case], making.START, unwatched=set(case.keys))
    assert [step.kind for step in steps] == [EventKind.UPDATED, EventKind.UNWATCHED]
    store.accept([join(case, making.complaint(), making.START)], making.START)
    assert store.accept(steps, making.START) == []  # the second was planned on the first, though its number fits
    assert store.cases()[0].complainants == ("harbour",)


def test_nothing_that_was_planned_on_a_group_that_is_left_out_is_written(store: Store, making) -> None:
    diagnoses, _ = two(store, making)
    steps = plan(diagnoses, {}, store.cases(), making.START + MINUTE, unwatched={FAR})
    assert [(step.kind, step.case.id) for step in steps] == [
        (EventKind.MERGED, 1),
        (EventKind.UPDATED, 2),
        (EventKind.UNWATCHED, 2),
    ]
    store.accept([join(store.case(2), making.complaint(), making.START)], making.START)
    before = store.case(2)
    assert store.accept(steps, making.START + MINUTE) == []  # the last one's number fits by chance
    assert store.case(2) == before


def test_other_cases_go_on_while_a_group_is_left_out(store: Store, making) -> None:
    diagnoses, _ = two(store, making)
    other = making.diagnose("db-1", "host_down", questions=("icmp/loss",))
    steps = plan([*diagnoses, other], {}, store.cases(), making.START + MINUTE)
    store.accept([join(store.case(2), making.complaint(), making.START)], making.START)
    assert [event.body["case"]["element"] for event in store.accept(steps, making.START + MINUTE)] == ["db-1"]


def test_a_complaint_joins_and_is_counted_once(store: Store, making) -> None:
    store.accept(plan([making.diagnose(affected=())], {}, [], making.START), making.START)
    (case,) = store.cases()
    complaint = making.complaint(text="打不通电话")
    (event,) = store.accept([join(case, complaint, making.START + MINUTE)], making.START + MINUTE)
    assert (event.kind, event.number, event.body["complaint"]["customer"]) == (EventKind.JOINED, 2, "harbour")
    (kept,) = store.complaints(case.id)
    assert kept == msgspec.structs.replace(known(complaint), case=case.id) == store.complaint(kept.id)
    assert store.case(case.id).affected == ("harbour",)
    again = join(store.case(case.id), complaint, making.START + 2 * MINUTE)
    assert store.accept([again], making.START + 2 * MINUTE) == []
    assert store.case(case.id).events == 2
    assert store.complaint("none") is None


def test_one_complaint_never_hangs_on_two_cases(store: Store, making) -> None:
    store.accept(plan([making.diagnose(), making.diagnose("web-2")], {}, [], making.START), making.START)
    one, other = store.cases()
    assert len(store.accept([join(one, making.complaint(), making.START)], making.START)) == 1
    assert store.accept([join(other, making.complaint(), making.START)], making.START) == []
    assert (store.complaints(other.id), store.case(other.id)) == ([], other)


def test_a_complaint_joins_no_case_that_was_overtaken(store: Store, making) -> None:
    store.accept(plan([making.diagnose()], {}, [], making.START), making.START)
    (case,) = store.cases()
    store.accept([join(case, making.complaint(), making.START)], making.START)
    assert store.accept([join(case, making.complaint("bank"), making.START)], making.START) == []
    assert [one.customer for one in store.complaints(case.id)] == ["harbour"]
    assert len(store.accept([join(store.case(case.id), making.complaint("bank"), making.START)], making.START)) == 1


def test_a_case_opens_with_the_complaint_that_led_to_it(store: Store, making) -> None:
    events = store.accept(open_for(making.diagnose(affected=()), making.complaint(), making.START), making.START)
    assert [(event.kind, event.number) for event in events] == [(EventKind.OPENED, 1), (EventKind.JOINED, 2)]
    (case,) = store.cases()
    assert (case.affected, case.events, [one.customer for one in store.complaints(case.id)]) == (("harbour",), 2, ["harbour"])
    late = open_for(making.diagnose(affected=()), making.complaint("bank"), making.START)
    assert store.accept(late, making.START) == []
    explained = explaining(making.diagnose(), store.cases(open_only=True))
    assert len(store.accept([join(explained, making.complaint("bank"), making.START)], making.START)) == 1
    assert store.integrity() == []


def test_complaints_move_with_their_case(store: Store, making) -> None:
    diagnoses, _ = two(store, making)
    store.accept([join(store.case(1), making.complaint(), making.START)], making.START)
    store.accept(plan(diagnoses, {}, store.cases(), making.START + MINUTE), making.START + MINUTE)
    assert (store.complaints(1), [one.customer for one in store.complaints(2)]) == ([], ["harbour"])
    assert "harbour" in store.case(2).affected


def test_a_complaint_that_no_database_takes_holds_nobody_up(store: Store, making, caplog: pytest.LogCaptureFixture) -> None:
    store.accept(plan([making.diagnose()], {}, [], making.START), making.START)
    (case,) = store.cases()
    bad, good = making.complaint(text="nul \0"), making.complaint("bank")
    assert len(store.accept([join(case, bad, making.START), join(case, good, making.START)], making.START)) == 1
    assert "cannot be kept" in caplog.text


def test_many_complaints_at_once_all_join_once(store: Store, making) -> None:
    store.accept(plan([making.diagnose(affected=())], {}, [], making.START), making.START)
    (case,) = store.cases()

    def complain() -> None:
        for at in range(8):
            while store.complaint(known(making.complaint(f"c{at}")).id) is None:
                store.accept([join(store.case(case.id), making.complaint(f"c{at}"), making.START)], making.START)

    threads = [threading.Thread(target=complain) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.complaints(case.id)) == len(store.case(case.id).affected) == 8
    assert (store.case(case.id).events, store.integrity()) == (9, [])


def test_the_same_complaint_has_the_same_id_and_another_one_not(making) -> None:
    one = known(making.complaint())
    assert known(making.complaint(text="more words", contact="", by="", taken_at=making.START + MINUTE)).id == one.id
    others = [
        making.complaint("bank"),
        making.complaint(symptoms=("echo",)),
        making.complaint(since=making.START + MINUTE),
        making.complaint(since=None),
        making.complaint(since=None, taken_at=making.START + 1440 * MINUTE),
        making.complaint(id="T-17"),
    ]
    assert len({one.id, *(known(other).id for other in others)}) == 7
    assert known(making.complaint(since=None, taken_at=making.START + MINUTE)).id == known(making.complaint(since=None)).id
    assert known(making.complaint(id="T-17")).id == "T-17"
    assert known(Complaint(customer="", number="1", taken_at=making.START)) != known(
        Complaint(customer="", number="2", taken_at=making.START)
    )


def test_a_store_of_the_first_release_says_nothing_of_parts(store: Store, making) -> None:
    store.accept(plan([making.diagnose()], {}, [], making.START), making.START)
    (event,) = store.events(1)
    old = {name: value for name, value in event.body["case"].items() if name not in ("alternatives", "elsewhere", "decides", "merged_into")}
    assert msgspec.convert(old, type(store.case(1))) == store.case(1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("merged_into = 9", "case 1 is part of case 9, which is none"),
        ("merged_into = 1", "case 1 is part of case 1, which is none"),
        ("cleared_at = NULL", "case 1 is part of case 2 and has not ended"),
    ],
)
def test_a_store_in_which_a_part_is_not_right_says_so(store: Store, place: str, making, change: str, said: str) -> None:
    _, steps = two(store, making)
    store.accept(steps, making.START + MINUTE)
    engine = connect.connect(connect.address(place), durable=True)
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE cases SET {change} WHERE id = 1"))
    engine.dispose()
    assert store.integrity() == [said]


NODES = ("a", "b", "c")
CAUSES = (("host_down", "a"), ("host_down", "b"), ("process_down", "b"), ("site_power", "dc"), ("fibre_cut", "fib-1"))


def a_life(store: Store, making, chance: random.Random, rounds: int) -> None:
    """Let causes explain symptoms as chance has it, and complaints come in between; hold the laws after every round."""
    keys = [("pop-1", node, question, "") for node in NODES for question in ("icmp/loss", "tcp/port")]
    now = making.START + timedelta(days=len(store.cases()))
    complained = {one.customer for case in store.cases() for one in store.complaints(case.id)}
    for at in range(rounds):
        now += MINUTE
        groups: dict = {}
        standing = {}
        for key in keys:
            cause = chance.choice([*CAUSES, None, "held"])
            state = State.CRITICAL if cause else State.OK
            standing[key] = Track(key, hard=state, soft=state, streak=3, since=now, soft_since=now)
            if cause not in (None, "held"):
                groups.setdefault(cause, []).append(key)
        diagnoses = [making.diagnose(element, cause, keys=tuple(mine)) for (cause, element), mine in groups.items()]
        store.accept(plan(diagnoses, standing, store.cases(open_only=True), now), now)
        cases = store.cases()
        uncleared = [case for case in cases if case.cleared_at is None]
        assert plan(diagnoses, standing, cases, now) == []
        assert len({key for case in uncleared for key in case.keys}) == sum(len(case.keys) for case in uncleared)
        for one in diagnoses:
            for key in one.keys:
                assert [(case.cause, case.element) for case in uncleared if key in case.keys] == [(one.cause, one.element)]
        if uncleared and at % 3 == 0:
            case = chance.choice(uncleared)
            name = f"customer {len(complained)}"
            assert len(store.accept([join(case, making.complaint(name), now)], now)) == 1
            complained.add(name)
        assert store.integrity() == []
    hanging = {one.customer: case for case in store.cases() for one in store.complaints(case.id)}
    assert hanging.keys() == complained
    assert all(name in case.affected and case.merged_into is None for name, case in hanging.items())


def test_a_long_life_obeys_the_laws_on_both_databases(store: Store, making) -> None:
    a_life(store, making, random.Random(5), 40)


CHILD = """
import random, sys
from datetime import UTC, datetime
from types import SimpleNamespace
import importlib.util
def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
made = load("made", sys.argv[2] + "/conftest.py")
parts = load("parts_test", sys.argv[2] + "/test_parts.py")
making = SimpleNamespace(START=made.START, diagnose=made.diagnose, complaint=made.complain)
with parts.open_store(sys.argv[1], agent="pop-1", feeds=("jsonl",), service=True) as store:
    print("ready", flush=True)
    parts.a_life(store, making, random.Random(int(sys.argv[3])), 10**6)
"""


def test_no_case_and_no_complaint_is_lost_to_kill_9_at_any_instant(place: str, making) -> None:
    """Children are killed at seeded instants in the middle of merging; what they leave obeys the laws and can be gone on with."""
    tests = Path(__file__).parent
    for life in range(4):
        command = [sys.executable, "-c", CHILD, place, str(tests), str(life)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tests.parents[1])
        assert child.stdout.readline() == "ready\n", child.stderr.read()
        time.sleep(0.05 + ((life * 7919) % 100) / 400)
        child.send_signal(signal.SIGKILL)
        _, said = child.communicate()
        assert said == ""
        with open_store(place, agent="pop-1", feeds=("jsonl",), service=True) as store:
            assert store.integrity() == []
            cases = {case.id: case for case in store.cases()}
            for case in cases.values():
                for complaint in store.complaints(case.id):
                    assert case.merged_into is None
                    assert complaint.customer in case.affected
                if case.merged_into is not None:
                    assert set(case.complainants) <= set(cases[case.merged_into].complainants)
                    assert store.events(case.id)[-1].kind is EventKind.MERGED
    with open_store(place, agent="pop-1", feeds=("jsonl",), service=True) as store:
        assert any(case.merged_into for case in store.cases())
        a_life(store, making, random.Random(99), 3)
