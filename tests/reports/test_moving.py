"""Symptoms that turn out to belong to another cause: they move there, and a case of which nothing else is left becomes a part of it."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.finding import Key, Message, State
from checks.history import Track
from checks.verdict import Diagnosis, Urgency
from reports.case import DONE, Case, CaseState, EventKind, Step
from reports.moving import moves
from reports.opening import explaining, join, plan

MINUTE = timedelta(minutes=1)
MAKING: list = []  # hypothesis wants no fixtures of function scope


@pytest.fixture(autouse=True)
def _making(making) -> None:
    MAKING[:] = [making]


def key(node: str, question: str = "icmp/loss") -> Key:
    return ("pop-1", node, question, "")


def found(cause: str, element: str, *keys: Key, **more) -> Diagnosis:
    (making,) = MAKING
    return making.diagnose(element, cause, keys=keys, findings=(), **more)


def bad(one: Key, since: datetime) -> Track:
    return Track(one, hard=State.CRITICAL, soft=State.CRITICAL, streak=3, since=since, soft_since=since)


def accepted(cases: Iterable[Case], steps: Iterable[Step]) -> list[Case]:
    """Do to values what the store does to rows."""
    after = {case.id: case for case in cases}
    numbers = {}
    for step in steps:
        case = step.case
        if step.kind is EventKind.OPENED:
            numbers[case.id] = len(after) + 1
            assert not [one for one in after.values() if one.identity == case.identity and one.cleared_at is None]
            episode = 1 + sum(one.identity == case.identity for one in after.values())
            case = msgspec.structs.replace(case, id=len(after) + 1, episode=episode)
        else:
            assert after[case.id].events == case.events
        whole = numbers.get(case.merged_into, case.merged_into)
        after[case.id] = msgspec.structs.replace(case, events=case.events + 1, merged_into=whole)
    return list(after.values())


class Desk:
    """Cases as they follow diagnoses; `go` plans and accepts, once, and returns the steps: after that nothing is left to do."""

    def __init__(self) -> None:
        self.cases: list[Case] = []
        self.now: datetime = MAKING[0].START

    def go(self, diagnoses: list[Diagnosis], standing: dict[Key, Track] | None = None) -> list[Step]:
        self.now += MINUTE
        steps = plan(diagnoses, standing or {}, self.cases, self.now)
        self.cases = accepted(self.cases, steps)
        assert plan(diagnoses, standing or {}, self.cases, self.now) == []
        return steps

    @property
    def open(self) -> list[Case]:
        return [case for case in self.cases if case.cleared_at is None]


def kinds(steps: list[Step]) -> list[tuple[EventKind, str]]:
    return [(step.kind, step.case.element) for step in steps]


def test_a_case_that_another_cause_explains_becomes_a_part_of_it() -> None:
    desk = Desk()
    web, far = key("web-1"), key("far")
    early = MAKING[0].START - 30 * MINUTE
    desk.go([found("host_down", "web-1", web, since=early)])
    steps = desk.go([found("interface_down", "sw-1:7", web, far)])
    assert kinds(steps) == [(EventKind.OPENED, "sw-1:7"), (EventKind.MERGED, "web-1")]
    part, whole = desk.cases
    assert (part.state, part.cleared_at, part.cleared_by_itself, part.merged_into) == (CaseState.RESOLVED, desk.now, False, whole.id)
    assert (whole.merged_into, whole.cleared_at, whole.since, whole.keys) == (None, None, early, (far, web))
    assert steps[0].body == {"came": [{"case": 1, "keys": (web,)}], "merged": [1]}
    assert steps[1].body == {"into": -1, "gone": [{"case": -1, "keys": [web]}]}
    assert steps[0].together == steps[1].together != 0


def test_a_case_that_is_open_already_takes_another_one_in() -> None:
    desk = Desk()
    web, far = key("web-1"), key("far")
    early = MAKING[0].START - 30 * MINUTE
    desk.go([found("interface_down", "sw-1:7", far), found("host_down", "web-1", web, since=early)])
    steps = desk.go([found("interface_down", "sw-1:7", web, far)])
    assert kinds(steps) == [(EventKind.UPDATED, "sw-1:7"), (EventKind.MERGED, "web-1")]
    assert steps[0].body == {"changed": ["keys", "since"], "came": [{"case": 2, "keys": (web,)}], "merged": [2]}
    assert steps[1].body == {"into": 1, "gone": [{"case": 1, "keys": [web]}]}
    assert (desk.open[0].since, desk.cases[1].merged_into) == (early, 1)


def test_what_only_waits_for_a_measurement_stays_untouched() -> None:
    desk = Desk()
    web, far = key("web-1"), key("far")
    desk.go([found("host_down", "web-1", web)])
    standing = {web: bad(web, desk.now)}
    steps = desk.go([found("site_power", "dc-1", far)], standing)
    assert kinds(steps) == [(EventKind.OPENED, "dc-1")]
    assert [case.keys for case in desk.open] == [(web,), (far,)]


def test_of_a_case_that_lost_only_some_symptoms_the_rest_stays() -> None:
    desk = Desk()
    ping, port = key("web-1"), key("web-1", "tcp/port")
    desk.go([found("host_down", "web-1", ping, port)])
    steps = desk.go([found("host_down", "web-1", ping), found("process_down", "web-1:443", port)])
    assert kinds(steps) == [(EventKind.OPENED, "web-1:443"), (EventKind.UPDATED, "web-1")]
    assert [(case.element, case.keys, case.merged_into) for case in desk.open] == [("web-1", (ping,), None), ("web-1:443", (port,), None)]
    assert steps[0].body == {"came": [{"case": 1, "keys": (port,)}]}
    assert steps[1].body == {"changed": ["keys"], "gone": [{"case": -1, "keys": [port]}]}


def test_a_held_case_loses_the_symptom_that_is_explained_and_keeps_the_one_that_is_not() -> None:
    desk = Desk()
    ping, port = key("web-1"), key("web-1", "tcp/port")
    desk.go([found("host_down", "web-1", ping, port)])
    desk.go([found("process_down", "web-1:443", port)], {ping: bad(ping, desk.now), port: bad(port, desk.now)})
    assert [(case.element, case.keys) for case in desk.open] == [("web-1", (ping,)), ("web-1:443", (port,))]


def test_what_is_neither_good_nor_bad_goes_along_and_keeps_the_whole_from_clearing() -> None:
    desk = Desk()
    web, gone = key("web-1"), key("web-1", "http/status")
    desk.go([found("host_down", "web-1", web, gone)])
    switch = [found("interface_down", "sw-1:7", web)]
    desk.go(switch, {web: bad(web, desk.now)})
    (whole,) = desk.open
    assert whole.keys == (gone, web)
    good = MAKING[0].good(whole, desk.now)
    del good[gone]
    assert desk.go([], good) == []
    assert kinds(desk.go([], MAKING[0].good(whole, desk.now))) == [(EventKind.CLEARED, "sw-1:7")]


def test_a_case_whose_culprit_is_measured_good_is_cleared_and_not_a_part_of_what_is_left() -> None:
    desk = Desk()
    switch, web = key("sw-1", "snmp/answer"), key("web-1")
    desk.go([found("host_down", "sw-1", switch, web)])
    standing = {switch: MAKING[0].good(desk.cases[0], desk.now)[switch], web: bad(web, desk.now)}
    steps = desk.go([found("host_down", "web-1", web)], standing)
    assert kinds(steps) == [(EventKind.OPENED, "web-1"), (EventKind.CLEARED, "sw-1")]
    cleared, left = desk.cases
    assert (cleared.cleared_by_itself, cleared.merged_into, cleared.keys) == (True, None, (switch,))
    assert left.keys == (web,)


@pytest.mark.parametrize(("good", "merged"), [(1, True), (2, False)])
def test_a_site_that_is_mostly_good_again_recovered(good: int, merged: bool) -> None:
    desk = Desk()
    keys = [key(f"n{at}") for at in range(4)]
    desk.go([found("site_power", "dc-1", *keys)])
    standing = {one: bad(one, desk.now) for one in keys} | {
        one: track for one, track in MAKING[0].good(desk.cases[0], desk.now).items() if one in keys[:good]
    }
    desk.go([found("interface_down", "sw-1:7", *keys[good:])], standing)
    part = desk.cases[0]
    assert (part.merged_into == 2, part.cleared_by_itself) == (merged, not merged)


def test_a_case_goes_where_most_of_it_goes() -> None:
    desk = Desk()
    keys = [key(f"n{at}") for at in range(3)]
    desk.go([found("site_power", "dc-1", *keys)])
    desk.go([found("interface_down", "sw-1:7", *keys[1:]), found("host_down", "n0", keys[0])], {one: bad(one, desk.now) for one in keys})
    assert (desk.cases[0].merged_into, [case.keys for case in desk.open]) == (2, [tuple(keys[1:]), (keys[0],)])


def test_of_two_that_take_as_much_the_one_that_is_open_already_takes_it_in() -> None:
    desk = Desk()
    a, b, c = key("a"), key("b"), key("c")
    desk.go([found("site_power", "dc-1", a, b), found("fibre_cut", "fib-1", c)])
    desk.go([found("host_down", "a", a), found("fibre_cut", "fib-1", b, c)], {one: bad(one, desk.now) for one in (a, b, c)})
    assert desk.cases[0].merged_into == 2


def test_a_merged_case_comes_back_only_by_a_diagnosis_of_its_own_and_never_by_itself() -> None:
    desk = Desk()
    web = key("web-1")
    host, power = [found("host_down", "web-1", web)], [found("site_power", "dc-1", web)]
    standing = {web: bad(web, desk.now)}
    for turn in range(4):
        assert [kind for kind, _ in kinds(desk.go([host, power][turn % 2], standing)) if kind is EventKind.OPENED] == [EventKind.OPENED]
        for _ in range(3):
            assert desk.go([host, power][turn % 2], standing) == []
            assert desk.go([], standing) == []  # held: nothing is decided, nothing changes
    assert [(case.element, case.episode, case.merged_into) for case in desk.cases] == [
        ("web-1", 1, 2),
        ("dc-1", 1, 3),
        ("web-1", 2, 4),
        ("dc-1", 2, None),
    ]


def test_another_agents_case_neither_gives_nor_takes() -> None:
    desk = Desk()
    web = key("web-1")
    desk.go([found("host_down", "web-1", web)])
    theirs = msgspec.structs.replace(desk.cases[0], id=7, agent="pop-2", keys=(("pop-2", "web-1", "icmp/loss", ""),), element="dc-1")
    theirs = msgspec.structs.replace(theirs, cause="site_power")
    desk.cases.append(theirs)
    assert desk.go([found("site_power", "dc-1", web)], {web: bad(web, desk.now)}) == []  # their case of that name: they speak for it
    assert desk.go([], {theirs.keys[0]: bad(theirs.keys[0], desk.now)}) == []
    desk.cases = [msgspec.structs.replace(theirs, keys=(web,))]
    steps = desk.go([found("fibre_cut", "fib-1", web)], {web: bad(web, desk.now)})
    assert kinds(steps) == [(EventKind.OPENED, "fib-1")]


def test_of_a_part_nothing_more_is_said_though_it_is_no_longer_measured() -> None:
    desk = Desk()
    web, old = key("web-1"), key("web-1", "http/status")
    desk.go([found("host_down", "web-1", web, old)])
    steps = plan([found("site_power", "dc-1", web)], {web: bad(web, desk.now)}, desk.cases, desk.now, unwatched={old})
    assert kinds(steps) == [(EventKind.OPENED, "dc-1"), (EventKind.MERGED, "web-1")]
    assert (steps[0].case.keys, steps[0].case.unwatched) == ((old, web), (old,))


def test_a_symptom_that_two_cases_hold_from_before_is_left_with_the_one_that_explains_it() -> None:
    desk = Desk()
    web, far = key("web-1"), key("far")
    desk.go([found("host_down", "web-1", web, far), found("site_power", "dc-1", web)])
    assert [case.keys for case in desk.open] == [(far, web), (web,)]
    steps = desk.go([found("host_down", "web-1", far), found("site_power", "dc-1", web)])
    assert kinds(steps) == [(EventKind.UPDATED, "web-1"), (EventKind.UPDATED, "dc-1")]
    assert steps[1].body == {"changed": [], "came": [{"case": 1, "keys": (web,)}]}
    assert [case.keys for case in desk.open] == [(far,), (web,)]


def test_what_a_person_had_in_hand_stays_in_hand() -> None:
    desk = Desk()
    web = key("web-1")
    desk.go([found("host_down", "web-1", web)])
    desk.cases = [msgspec.structs.replace(desk.cases[0], state=CaseState.WAITING_CARRIER)]
    desk.go([found("fibre_cut", "fib-1", web)], {web: bad(web, desk.now)})
    assert [case.state for case in desk.cases] == [CaseState.RESOLVED, CaseState.WAITING_CARRIER]
    desk.go([found("site_power", "dc-1", key("far")), found("fibre_cut", "fib-1", web)], {web: bad(web, desk.now)})
    steps = desk.go([found("site_power", "dc-1", key("far"), web)], {web: bad(web, desk.now)})
    assert steps[1].body["changed"] == ["state", "keys"]
    assert desk.open[0].state is CaseState.WAITING_CARRIER


def test_complaints_and_those_who_complained_go_along() -> None:
    desk = Desk()
    web = key("web-1")
    desk.go([found("host_down", "web-1", web, affected=())])
    complaint = MAKING[0].complaint("harbour")
    desk.cases = accepted(desk.cases, [join(desk.cases[0], complaint, desk.now)])
    assert (desk.cases[0].affected, desk.cases[0].complainants) == (("harbour",), ("harbour",))
    assert desk.go([found("host_down", "web-1", web, affected=())]) == []
    desk.go([found("site_power", "dc-1", web, affected=("bank",))])
    (whole,) = desk.open
    assert (whole.affected, whole.complainants) == (("bank", "harbour"), ("harbour",))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"alternatives": ("service_blocked",)}, "alternatives"),
        ({"elsewhere": ("sw-2",)}, "elsewhere"),
        ({"decides": Message("ask.parent")}, "decides"),
    ],
)
def test_what_it_can_t_be_told_from_is_an_update(change: dict, named: str) -> None:
    desk = Desk()
    desk.go([found("host_down", "web-1", key("web-1"))])
    (step,) = desk.go([found("host_down", "web-1", key("web-1"), **change)])
    assert step.body == {"changed": [named]}
    assert getattr(step.case, named) == change[named]


@pytest.mark.parametrize(
    ("affected", "change", "major"),
    [
        (("a", "b"), {"urgency": Urgency.URGENT}, False),
        (("a", "b", "c"), {"urgency": Urgency.NORMAL}, True),
        (("a", "b", "c"), {"urgency": Urgency.NORMAL, "state": State.WARNING}, False),
        ((), {"urgency": Urgency.EMERGENCY}, True),
        (("a",), {"urgency": Urgency.EMERGENCY}, False),
        (("a", "b"), {"urgency": Urgency.EMERGENCY}, True),
    ],
)
def test_many_customers_by_one_cause_is_a_major_case(affected: tuple[str, ...], change: dict, major: bool) -> None:
    desk = Desk()
    desk.go([found("host_down", "web-1", key("web-1"), affected=affected, **change)])
    assert desk.cases[0].major is major


def test_many_who_complain_make_a_major_case_of_a_warning() -> None:
    desk = Desk()
    desk.go([found("host_down", "web-1", key("web-1"), affected=(), state=State.WARNING, urgency=Urgency.NORMAL)])
    for at in range(3):
        assert desk.cases[0].major is False
        desk.cases = accepted(desk.cases, [join(desk.cases[0], MAKING[0].complaint(f"c{at}"), desk.now)])
    assert desk.cases[0].major is True


def test_a_symptom_that_two_diagnoses_name_stays_where_it_is() -> None:
    desk = Desk()
    web, far = key("web-1"), key("far")
    host = found("host_down", "web-1", web, far)
    desk.go([host])
    assert kinds(desk.go([found("site_power", "dc-1", web), host])) == [(EventKind.OPENED, "dc-1")]
    assert [case.keys for case in desk.open] == [(far, web), (web,)]


def test_an_open_case_explains_what_is_of_its_cause_or_among_its_symptoms() -> None:
    desk = Desk()
    web, far, other = key("web-1"), key("far"), key("other")
    desk.go([found("site_power", "dc-1", web, far), found("host_down", "other", other)])
    power, host = desk.cases
    assert explaining(found("site_power", "dc-1"), desk.cases) == power
    assert explaining(found("gateway_down", "far", far, other, web), desk.cases) == power
    assert explaining(found("gateway_down", "other", other), desk.cases) == host
    assert explaining(found("gateway_down", "new", key("new")), desk.cases) is None
    assert explaining(found("gateway_down", "new"), desk.cases) is None
    over = [msgspec.structs.replace(case, cleared_at=desk.now) for case in desk.cases]
    assert explaining(found("site_power", "dc-1", web), over) is None


NODES = ("a", "b", "c", "d")
KEYS = tuple(key(node, question) for node in NODES for question in ("icmp/loss", "tcp/port"))
CAUSES = (*((cause, node) for node in NODES for cause in ("host_down", "process_down")), ("site_power", "dc"), ("fibre_cut", "fib-1"))
HELD, GOOD, BLIND, GONE = "held", "good", "blind", "gone"
ROUND = st.tuples(*(st.sampled_from([*CAUSES, *CAUSES, HELD, GOOD, GOOD, BLIND, GONE]) for _ in KEYS))


class World:
    """Tracks as a fold would leave them, and who explains what is bad."""

    def __init__(self) -> None:
        self.standing: dict[Key, Track] = {}

    def see(self, readings: tuple, now: datetime) -> list[Diagnosis]:
        groups: dict[tuple[str, str], list[Key]] = {}
        for one, reading in zip(KEYS, readings, strict=True):
            old = self.standing.get(one, Track(one))
            if reading == GONE:
                self.standing.pop(one, None)
            elif reading == BLIND:
                self.standing[one] = msgspec.structs.replace(old, blind_since=old.blind_since or now)
            else:
                state = State.OK if reading == GOOD else State.CRITICAL
                since = old.since if old.hard is state else now
                self.standing[one] = Track(one, hard=state, soft=state, streak=1, since=since, soft_since=since)
                if reading not in (GOOD, HELD):
                    groups.setdefault(reading, []).append(one)
        return [
            found(cause, element, *keys, since=min(self.standing[one].since for one in keys)) for (cause, element), keys in groups.items()
        ]


def holders(cases: Iterable[Case], one: Key) -> list[Case]:
    return [case for case in cases if case.cleared_at is None and one in case.keys]


@settings(max_examples=250, deadline=None)
@given(rounds=st.lists(ROUND, min_size=1, max_size=12), complaints=st.lists(st.integers(0, 9), max_size=4))
def test_laws_of_whatever_moves(rounds: list[tuple], complaints: list[int]) -> None:
    """Planning comes to rest; every explained symptom is in the one case of its diagnosis; no case and no complaint is lost."""
    world, desk = World(), Desk()
    told: dict[str, int] = {}
    for at, readings in enumerate(rounds):
        before = list(desk.cases)
        diagnoses = world.see(readings, desk.now + MINUTE)
        was_bad = {one for one, track in world.standing.items() if track.bad and holders(before, one)}
        steps = desk.go(diagnoses, world.standing)
        for step in steps:
            if step.kind is EventKind.CLEARED:
                assert all(readings[KEYS.index(one)] == GOOD for one in step.case.keys)
        fresh = {(one.cause, one.element) for one in diagnoses} - {(case.cause, case.element) for case in before if case.cleared_at is None}
        opened = [(step.case.cause, step.case.element) for step in steps if step.kind is EventKind.OPENED]
        assert sorted(opened) == sorted(fresh)

        for diagnosis in diagnoses:
            for one in diagnosis.keys:
                (case,) = holders(desk.cases, one)
                assert (case.cause, case.element) == (diagnosis.cause, diagnosis.element)
        assert all(len(holders(desk.cases, one)) == 1 for one in was_bad)

        now = {case.id: case for case in desk.cases}
        assert {case.id for case in before} <= now.keys()
        assert len({case.identity for case in desk.open}) == len(desk.open)
        for case in desk.cases:
            if case.merged_into is not None:
                assert (case.cleared_at is None, case.state in DONE, case.cleared_by_itself) == (False, True, False)
                whole = now[case.merged_into]
                assert case.id != whole.id
                assert whole.since <= case.since
                assert set(case.complainants) <= set(whole.complainants)

        for number in complaints:
            if number == at and desk.open:
                told[f"customer {at}"] = desk.open[-1].id
                step = join(desk.open[-1], MAKING[0].complaint(f"customer {at}"), desk.now)
                desk.cases = accepted(desk.cases, [step])
    now = {case.id: case for case in desk.cases}
    for customer, number in told.items():
        case = now[number]
        while case.merged_into is not None:
            case = now[case.merged_into]
        assert customer in case.complainants
        assert customer in case.affected


def test_nothing_moves_in_both_directions() -> None:
    desk = Desk()
    ping, port = key("a"), key("a", "tcp/port")
    desk.go([found("host_down", "a", ping), found("process_down", "a", port)])
    uncleared = {case.identity: case for case in desk.cases}
    host, process = found("host_down", "a", port), found("process_down", "a", ping)
    current = {(one.kind, one.cause, one.element): one for one in (host, process)}
    moving = moves(current, uncleared, {}, {})
    assert moving.into == {}
    assert len(set(moving.together.values())) == 1
    desk.go([host, process])
    assert [case.keys for case in desk.open] == [(port,), (ping,)]


def test_thousands_of_cases_become_a_part_of_one_within_a_second_or_two() -> None:
    import time

    desk = Desk()
    keys = [key(f"n{at}") for at in range(3000)]
    desk.go([found("host_down", one[1], one) for one in keys])
    begun = time.process_time()
    desk.go([found("fibre_cut", "fib-1", *keys)], {one: bad(one, desk.now) for one in keys})
    assert time.process_time() - begun < 3
    assert [case.element for case in desk.open] == ["fib-1"]
