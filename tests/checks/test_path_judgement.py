"""What is made of one trace: where a path ends, loses and delays, and what changed."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.finding import Finding, State
from checks.path import CHECKS, Limits, Stage, judge, last_answer
from probe.observation.failure import OURS, Failure, Kind
from probe.observation.observation import Observation
from probe.observation.path import Hop, Mark, PathSample, Route, Said

FAR, EDGE, POP, POP2 = "203.0.113.10", "10.0.0.1", "10.255.0.2", "10.255.1.2"
ROUTE = (EDGE, POP, "198.51.100.1", FAR)
OK, WARNING, CRITICAL, UNKNOWN = State.OK, State.WARNING, State.CRITICAL, State.UNKNOWN


def judged(outcome) -> dict[str, Finding]:
    seen = Observation("here", "far", "path", datetime(2026, 1, 1, tzinfo=UTC), 1.0, outcome)
    return {finding.check: finding for finding in judge(seen, None, Limits())}


def mark(place: str, address: str | None, answered: int = 20, ms: float = 1.0) -> Mark:
    return Mark(place, "x", address, 20 if address else 0, answered, ms if answered else None, ms if answered else None)


def hops(*addresses: str | None, reply: bool = False) -> tuple[Hop, ...]:
    made = [Hop(n, a, 3, 3, Said.EXCEEDED, "", n, n, n, n) if a else Hop(n, None, 3, 0) for n, a in enumerate(addresses, 1)]
    if reply:
        n = len(made)
        made[-1] = Hop(n, FAR, 20, 20, Said.REPLY, "", n, n, n, n)
    return tuple(made)


def broken(*addresses: str | None, marks=(), routes=(), **more) -> PathSample:
    return PathSample(FAR, "10.0.0.2", "icmp", False, 20, 0, hops(*addresses), marks=tuple(marks), routes=tuple(routes), **more)


def whole(sent=20, answered=20, ms=10.0, way=ROUTE, marks=(), routes=(), **more) -> PathSample:
    times = (ms, ms, ms) if answered else (None, None, None)
    return PathSample(
        FAR, "10.0.0.2", "icmp", True, sent, answered, hops(*way, reply=True), *times, (), tuple(marks), tuple(routes), **more
    )


def refused(by: str, words: str = "host unreachable from x", **more) -> PathSample:
    said = Hop(2, by, 3, 3, Said.UNREACHABLE, words, 1.0, 1.0, 1.0, 1.0)
    return PathSample(FAR, "", "icmp", False, 20, 0, (*hops(EDGE), said), **more)


BOTH = (mark("edge", EDGE), mark("pop", POP))
POP_DEAD = (mark("edge", EDGE), mark("pop", POP, 0))
POP_QUIET = (mark("edge", EDGE), msgspec.structs.replace(mark("pop", POP, 0), quiet=True))


def near(path: PathSample) -> PathSample:
    """Return the same path to a target on our own segment."""
    return msgspec.structs.replace(path, neighbour=True)


ALL_DEAD = (mark("edge", EDGE, 0), mark("pop", POP, 0))
WAS = Route(ROUTE, 900.0, 60.0, 5, 1.4)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (broken(EDGE, POP, None, marks=BOTH), "path.ends.beyond"),
        (broken(EDGE, POP, "198.51.100.7", None, marks=BOTH), "path.ends.beyond"),
        (broken(EDGE, POP, "198.51.100.1", None, marks=BOTH, routes=[WAS]), "path.ends.target"),
        (broken(EDGE, None, None, marks=BOTH), "path.ends.beyond"),  # the PoP answers echoes, if not probes that end there
        (broken(EDGE, None, marks=POP_DEAD), "path.ends.line"),
        (
            broken(EDGE, None, marks=POP_QUIET),
            "path.ends.outside",
        ),  # it never answers: whether the line or what lies behind it, nobody knows
        (broken(EDGE, None, marks=(*POP_QUIET, mark("pop", POP2))), "path.ends.beyond"),
        (broken(EDGE, None, marks=(mark("edge", EDGE), msgspec.structs.replace(mark("pop", POP), quiet=True))), "path.ends.beyond"),
        (broken(EDGE, None, marks=(*POP_DEAD, mark("pop", POP2))), "path.ends.beyond"),
        (broken(EDGE, None, marks=(*POP_DEAD, mark("pop", POP2)), routes=[WAS]), "path.ends.line"),  # the second line carried nothing
        (broken("10.0.0.9", None, marks=ALL_DEAD), "path.ends.our-side"),
        (broken("10.0.0.9", None, marks=ALL_DEAD, routes=[Route(("10.0.0.9", FAR), 9.0, 9.0, 1)]), "path.ends.before-pop"),
        (broken("10.0.0.9", None, marks=[mark("pop", POP, 0)]), "path.ends.before-pop"),
        (broken(EDGE, None, marks=[mark("edge", EDGE)]), "path.ends.outside"),
        (broken(EDGE, POP, None), "path.ends.anywhere"),
        (broken(EDGE, POP, "198.51.100.1", None, routes=[WAS]), "path.ends.target"),
        (broken(None, None), "path.silent"),
        (PathSample(FAR, "", "icmp", False, 20, 0, (Hop(1, None, 0, 0), Hop(2, None, 3, 0))), "path.unasked"),
        (broken(EDGE, POP, EDGE, POP, loop=(EDGE, POP)), "path.loop"),
        (refused(POP, marks=BOTH), "path.unreachable.beyond"),
        (refused(EDGE, marks=BOTH), "path.unreachable.line"),  # whatever answers by another way: our port itself has nowhere to send
        (refused("10.0.0.7"), "path.unreachable.anywhere"),
        (refused("10.0.0.2", "host unreachable from 10.0.0.2 (this host: no answer to ARP)"), "path.next-hop"),
        (near(refused("10.0.0.2", "host unreachable from 10.0.0.2 (this host: no answer to ARP)")), "path.neighbour.gone"),
        (near(broken(None, None)), "path.neighbour.silent"),
        (near(broken(None, marks=BOTH)), "path.neighbour.silent"),
        (near(refused("10.0.0.7")), "path.unreachable.anywhere"),
    ],
)
def test_end_of_a_path_is_told_with_its_stage(path, message) -> None:
    reach = judged(path)["path/reach"]
    assert (reach.state, reach.message.id) == (CRITICAL, message)


@pytest.mark.parametrize("kind", list(Kind))
def test_what_we_could_not_see_is_no_outage(kind) -> None:
    found = judged(Failure(kind, "x"))
    assert {check: finding.state for check, finding in found.items()} == {"path/reach": UNKNOWN if kind in OURS else CRITICAL}


def test_broken_path_has_no_loss_and_no_delay_to_tell() -> None:
    found = judged(broken(EDGE, None))
    for check in ("path/loss", "path/delay"):
        assert (found[check].state, found[check].value) == (UNKNOWN, None)


@pytest.mark.parametrize(
    ("answered", "state"), [(20, OK), (19, OK), (18, WARNING), (17, WARNING), (16, CRITICAL), (1, CRITICAL), (0, UNKNOWN)]
)
def test_loss_is_judged_at_the_end(answered, state) -> None:
    assert judged(whole(answered=answered))["path/loss"].state is state


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        ((mark("edge", EDGE, 15), mark("pop", POP, 15)), "path.loss.our-side"),
        ((mark("edge", EDGE), mark("pop", POP, 16)), "path.loss.line"),
        (BOTH, "path.loss.beyond"),
        ((mark("edge", EDGE),), "path.loss.outside"),
        ((mark("pop", POP, 15),), "path.loss.before-pop"),
        ((mark("edge", EDGE), mark("pop", POP, 0)), "path.loss.outside"),  # a PoP that answers no echo tells nothing
        ((mark("edge", EDGE), mark("pop", POP, 10), mark("pop", POP2)), "path.loss.beyond"),
        ((mark("edge", None),), "path.loss"),
        ((), "path.loss"),
    ],
)
def test_loss_is_laid_to_the_stage_that_has_half_of_it(marks, message) -> None:
    assert judged(whole(answered=12, marks=marks))["path/loss"].message.id == message


@pytest.mark.parametrize(
    ("answered", "begins"),
    [
        ((1, 1, 1), EDGE),
        ((3, 1, 1), POP),
        ((1, 3, 1), "198.51.100.1"),
        ((3, 3, 1), "198.51.100.1"),
        ((1, 1, 3), None),  # loss that does not last to the end
        ((0, 1, 1), POP),
        ((3, 3, 2), None),  # one of three is too little to say so
    ],
)
def test_loss_begins_where_it_persists_from(answered, begins) -> None:
    made = whole(answered=12)
    way = [Hop(h.ttl, h.address if n else None, 3, n) for h, n in zip(made.hops, answered, strict=False)]
    path = PathSample(FAR, "", "icmp", True, 20, 12, (*way, made.hops[-1]), 1.0, 1.0, 1.0)
    message = judged(path)["path/loss"].message
    assert message.values.get("hop") == begins


@pytest.mark.parametrize(
    ("ms", "marks", "state", "message"),
    [
        (299.0, (), OK, "path.delay"),
        (300.0, (), WARNING, "path.delay.from"),
        (800.0, (), CRITICAL, "path.delay.from"),
        (400.0, BOTH, WARNING, "path.delay.beyond"),
        (400.0, (mark("edge", EDGE), mark("pop", POP, ms=390.0)), WARNING, "path.delay.line"),
        (400.0, (mark("edge", EDGE, ms=380.0), mark("pop", POP, ms=390.0)), WARNING, "path.delay.our-side"),
        (400.0, (mark("pop", POP, ms=390.0),), WARNING, "path.delay.before-pop"),
        (400.0, (mark("edge", EDGE),), WARNING, "path.delay.outside"),
    ],
)
def test_delay_by_its_levels_and_where_most_of_it_is(ms, marks, state, message) -> None:
    delay = judged(whole(ms=ms, marks=marks))["path/delay"]
    assert (delay.state, delay.value, delay.message.id, delay.seasonal) == (state, ms, message, True)


NOW, THEN = Route(ROUTE, 100.0, 0.0, 3, 5.0), Route((EDGE, POP2, "198.51.100.1", FAR), 900.0, 100.0, 9, 1.4)


def aged(since_s: float) -> tuple[Route, Route]:
    return (Route(ROUTE, since_s, 0.0, 3, 5.0), THEN)


@pytest.mark.parametrize(
    ("routes", "changes", "state", "message"),
    [
        ((), 0, UNKNOWN, "path.before.none"),
        ((Route(ROUTE, 0.0, 0.0, 1),), 0, OK, "path.first"),
        ((NOW,), 0, OK, "path.steady"),
        (aged(900.0), 1, WARNING, "path.changed"),
        (aged(900.1), 1, OK, "path.changed"),
        (aged(5000.0), 2, OK, "path.changed"),
        (aged(5000.0), 3, WARNING, "path.unstable"),
        ((NOW, Route((EDGE, FAR), 9.0, 9.0, 1)), 1, WARNING, "path.changed.untimed"),
    ],
)
def test_change_is_told_for_a_quarter_of_an_hour(routes, changes, state, message) -> None:
    change = judged(whole(routes=routes, changes=changes))["path/change"]
    assert (change.state, change.message.id) == (state, message)


def test_change_names_the_first_place_that_differs() -> None:
    assert judged(whole(routes=(NOW, THEN)))["path/change"].message.values == {
        "age": 100.0, "ttl": 2, "new": POP, "old": POP2, "hops": 4, "ms": 1.4,
    }  # fmt: skip


def test_broken_path_says_what_was_before_and_judges_no_change() -> None:
    change = judged(broken(EDGE, None, routes=[WAS]))["path/change"]
    assert (change.state, change.message.id, change.message.values) == (UNKNOWN, "path.before", {"age": 60.0, "hops": 4, "ms": 1.4})


addresses = st.sampled_from([None, EDGE, POP, POP2, "198.51.100.1"])
marks_ = st.lists(st.builds(mark, st.sampled_from(["edge", "pop"]), addresses, st.integers(0, 20)), max_size=4)
routes_ = st.lists(
    st.builds(Route, st.lists(addresses, min_size=1).map(tuple), st.floats(0, 9e3), st.floats(0, 9e3), st.just(2)), max_size=4
)


@given(st.lists(addresses, max_size=8), marks_, routes_)
def test_every_broken_path_is_critical_in_words_that_exist(way, marks, routes) -> None:
    path = broken(*way, marks=marks, routes=routes)
    reach = judged(path)["path/reach"]
    assert reach.state is CRITICAL
    assert reach.message.id in {f"path.ends.{stage}" for stage in Stage} | {"path.silent"}
    assert (reach.message.id == "path.silent") == (last_answer(path) is None)


@given(st.integers(1, 50), st.integers(1, 50), marks_, routes_)
def test_every_whole_path_is_judged_in_full(sent, answered, marks, routes) -> None:
    found = judged(whole(sent=max(sent, answered), answered=answered, marks=marks, routes=routes))
    assert list(found) == [check.name for check in CHECKS]
    assert all(check.levels is None or check.levels.source for check in CHECKS)
