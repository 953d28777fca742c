"""A job's memory becomes a strand and comes back: what it believes, what it said last."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from checks import interfaces, tcp
from checks.assess import Memory, Rules, assess, stale
from checks.finding import State
from checks.strand import played, strand_of
from checks.verdict import Start, Strand
from probe.observation.failure import Failure, Kind
from probe.observation.interfaces import InterfaceSample, InterfacesSample
from probe.observation.observation import Observation, Outcome
from probe.observation.tcp import ConnectSample

START = datetime(2026, 3, 1, tzinfo=UTC)
GOOD, DEAD = ConnectSample("192.0.2.1", 80, 1.0), Failure(Kind.TIMEOUT)
JOB = ("web-1", "tcp", "80")
RULES = Rules(tcp.judge, tcp.Limits())
PORTS, PORT_RULES = ("edge", "interfaces", ""), Rules(interfaces.judge, interfaces.Limits())


def run(outcomes: list[Outcome], memory: Memory | None = None, rules: Rules = RULES, job: tuple[str, str, str] = JOB) -> Memory:
    memory = memory or Memory()
    start = 0 if memory.last_at is None else int((memory.last_at - START).total_seconds() // 60) + 1
    for number, outcome in enumerate(outcomes, start):
        memory, _ = assess(Observation("agent", job[0], job[1], START + timedelta(minutes=number), 1.0, outcome, job[2]), memory, rules)
    return memory


def again(strand: Strand) -> Strand:
    return msgspec.json.decode(msgspec.json.encode(strand), type=Strand)


def same(memory: Memory, other: Memory) -> bool:
    parts = ("before", "last_at", "bad", "absent", "found", "standing")
    believed = [{key: (one.hard, one.soft, one.since, one.said, one.lost) for key, one in each.tracks.items()} for each in (memory, other)]
    return all(getattr(memory, part) == getattr(other, part) for part in parts) and believed[0] == believed[1]


@pytest.mark.parametrize(
    "outcomes",
    [[GOOD], [GOOD] * 5, [DEAD] * 3, [GOOD, DEAD], [GOOD, *[DEAD] * 12], [DEAD, DEAD, DEAD, GOOD, GOOD], [Failure(Kind.UPLINK)] * 4],
)
def test_what_was_good_and_what_was_bad_comes_back_as_it_was(outcomes: list[Outcome]) -> None:
    memory = run(outcomes)
    strand = strand_of(JOB, memory, RULES)
    assert same(played(again(strand)), memory)
    assert strand.steps
    assert strand.found == ()


def test_a_good_reading_that_is_changed_is_judged_anew() -> None:
    (step,) = strand_of(JOB, run([GOOD] * 3), RULES).steps
    strand = strand_of(JOB, run([GOOD] * 3), RULES)
    changed = msgspec.structs.replace(strand, steps=(msgspec.structs.replace(step, seen=msgspec.structs.replace(step.seen, outcome=DEAD)),))
    assert [one.state for one in played(changed).found if one.check == "tcp/port"] == [State.CRITICAL]


@pytest.mark.parametrize("outcomes", [[GOOD] * 2, [DEAD] * 3, [GOOD, DEAD], [Failure(Kind.UPLINK)] * 4])
def test_what_has_grown_stale_is_still_stale(outcomes: list[Outcome]) -> None:
    memory = run(outcomes)
    for _ in range(2):
        late = stale(memory, 60.0, START + timedelta(hours=1))
        assert late is not None
        memory = late[0]
        assert {one.state for one in memory.found} == {State.UNKNOWN}
        assert same(played(again(strand_of(JOB, memory, RULES))), memory)


PORT = InterfaceSample(
    *("eth0", 2, "ethernet", True, True, True, 1500, 10**9, "full", (), 2, 100, 100, 10, 10, 0, 0, 0, 0, 1e6, 1e6, 0.0, 0.0, 0.0, 0.0, 0),
    expected=True,
)


def port(errors: int = 0, ratio: float = 0.0, up: bool = True) -> InterfacesSample:
    return InterfacesSample((msgspec.structs.replace(PORT, in_errors=errors, in_error_ratio=ratio, oper_up=up),), 60.0)


def test_a_good_port_is_judged_anew() -> None:
    memory = run([port()] * 3, rules=PORT_RULES, job=PORTS)
    strand = strand_of(PORTS, memory, PORT_RULES)
    assert same(played(again(strand)), memory)
    (step,) = strand.steps
    down = msgspec.structs.replace(step, seen=msgspec.structs.replace(step.seen, outcome=port(up=False)))
    assert [one.state for one in played(msgspec.structs.replace(strand, steps=(down,))).found if one.check == "interfaces/oper"] != [
        State.OK
    ]


def test_what_needs_the_look_before_is_taken_along_as_it_was_said() -> None:
    """Three errors are too few to be judged, but that they are three only the look before can tell."""
    memory = run([port(), port(), port(errors=3, ratio=0.5)], rules=PORT_RULES, job=PORTS)
    assert {one.state for one in memory.found} == {State.OK}
    strand = strand_of(PORTS, memory, PORT_RULES)
    assert strand.found
    assert same(played(again(strand)), memory)


def test_a_short_strand_of_what_is_well_is_its_last_reading_and_says_the_same() -> None:
    memory = run([GOOD] * 4)
    strand = strand_of(JOB, memory, RULES, short=True)
    assert (strand.limits, strand.start, strand.found) == ({}, Start(), ())
    assert played(again(strand)).found == memory.found
    assert len(msgspec.json.encode(strand)) < 350
    other = Rules(tcp.judge, tcp.Limits(msgspec.structs.replace(tcp.CONNECT, warning=2000.0)))
    assert strand_of(JOB, memory, other, short=True).limits
    assert len(strand_of(JOB, run([DEAD] * 3), RULES, short=True).steps) == 3


def test_a_memory_from_an_earlier_run_has_tracks_and_no_reading() -> None:
    memory = Memory(tracks=run([DEAD] * 3).tracks)
    strand = strand_of(JOB, memory, RULES)
    assert (strand.steps, strand.found, strand.start.before) == ((), (), None)
    assert same(played(again(strand)), memory)
