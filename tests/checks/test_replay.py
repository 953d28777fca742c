"""Recorded readings are played as the service would have lived them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from checks import tcp
from checks.assess import Memory, assess
from checks.correlate import RULES
from checks.history import RULE
from checks.patience import Patience, deliberate
from checks.recording import VERSION, Forgotten, Job, Line, Reading, Recording, Stale
from checks.replay import GATHER, IDLE_LOOKS, Kind, Misfit, Replay, Told
from checks.strand import rules_of, said_of, start_of
from checks.topology import Topology
from checks.verdict import Side
from probe.inventory import Inventory, Link, Node
from probe.observation.failure import Failure
from probe.observation.failure import Kind as Why
from probe.observation.observation import Observation, Outcome
from probe.observation.tcp import ConnectSample

START = datetime(2026, 3, 1, tzinfo=UTC)
GOOD, REFUSED, SILENT = ConnectSample("192.0.2.1", 80, 1.0), Failure(Why.REFUSED), Failure(Why.TIMEOUT)
INVENTORY = Inventory(
    "here",
    {"here": Node("here"), **{name: Node(name, "192.0.2.1") for name in ("web-1", "web-2")}},
    links={name: Link(name, "here", name) for name in ("web-1", "web-2")},
)
HEAD = Recording(VERSION, RULES, "agent", INVENTORY, (("web-1", "tcp", "80"), ("web-2", "tcp", "80")))


def job(node: str = "web-1", memory: Memory | None = None) -> Job:
    memory = memory or Memory()
    limits: dict[str, object] = msgspec.to_builtins(tcp.Limits())
    return Job(node, "tcp", "80", limits, RULE, None, 60.0, start_of(memory), said_of(memory.found))


def readings(outcomes: list[Outcome], node: str = "web-1", first: int = 0) -> Iterator[Reading]:
    for number, outcome in enumerate(outcomes, first):
        at = START + timedelta(minutes=number)
        yield Reading(at + timedelta(milliseconds=1), Observation("agent", node, "tcp", at, 1.0, outcome, "80"))


def play(*lines: Line, replay: Replay | None = None) -> list[Told]:
    replay = replay or Replay()
    return [told for line in lines for told in replay.take(line)] + list(replay.end())


def brief(told: list[Told]) -> list[tuple[Kind, str, str]]:
    return [(one.kind, one.diagnosis.cause, one.diagnosis.element.partition(":")[0]) for one in told]


def test_a_diagnosis_is_born_when_it_is_believed_and_ends_when_it_is_good_again() -> None:
    told = play(HEAD, job(), *readings([GOOD, REFUSED, REFUSED, REFUSED, REFUSED, GOOD, GOOD, GOOD]))
    assert brief(told) == [(Kind.BORN, "process_down", "web-1"), (Kind.ENDED, "process_down", "web-1")]
    assert [one.at for one in told] == [START + timedelta(minutes=minute, milliseconds=1) + GATHER for minute in (3, 5)]
    assert told[0].diagnosis.side is Side.COMPANY


def test_what_was_bad_when_the_recording_began_is_told_with_the_first_reading() -> None:
    memory = Memory()
    for one in readings([REFUSED] * 4):
        memory, _ = assess(one.seen, memory, rules_of("tcp", {}, job()))
    told = play(HEAD, job("web-1", memory), job("web-2"), *readings([GOOD, GOOD], "web-2", 5))
    assert brief(told) == [(Kind.BORN, "process_down", "web-1")]


def test_another_cause_of_the_same_reading_takes_its_place() -> None:
    told = play(HEAD, job(), *readings([GOOD, *[SILENT] * 4, *[REFUSED] * 5]))
    ended, born = told[-2:]
    assert (ended.kind, born.kind, ended.at) == (Kind.ENDED, Kind.BORN, born.at)
    assert ended.into == (born.diagnosis.kind, born.diagnosis.cause, born.diagnosis.element)
    assert (told[0].diagnosis.cause, born.diagnosis.cause) == ("service_hung", "process_down")


def test_a_diagnosis_that_changes_side_or_reach_is_told_and_a_newer_reading_alone_is_not() -> None:
    told = play(HEAD, job(), *readings([GOOD, *[REFUSED] * 15]))
    assert brief(told) == [(Kind.BORN, "process_down", "web-1")]


def test_what_the_recording_leaves_open_is_told_as_such() -> None:
    last = list(readings([GOOD, SILENT, SILENT, SILENT]))
    told = play(HEAD, job(), job("web-2"), *last)
    assert told
    assert {one.held for one in told} <= {True, False}
    assert told[-1].at <= last[-1].at + timedelta(minutes=1)


def test_a_gap_of_weeks_costs_a_few_looks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[datetime] = []

    def looked(memories: Any, topology: Topology, patience: Patience, now: datetime, *more: Any) -> Any:
        looks.append(now)
        return deliberate(memories, topology, patience, now, *more)

    monkeypatch.setattr("checks.replay.deliberate", looked)
    play(HEAD, job(), *readings([GOOD, REFUSED, REFUSED, REFUSED]), *readings([REFUSED], first=40_000))
    assert len(looks) < 3 * IDLE_LOOKS


def test_a_clock_that_was_set_back_is_lived_through() -> None:
    lines = list(readings([GOOD, REFUSED, REFUSED, REFUSED, REFUSED]))
    back = [msgspec.structs.replace(one, at=one.at - timedelta(days=1)) for one in readings([GOOD, GOOD, GOOD], first=5)]
    told = play(HEAD, job(), *lines, *back)
    assert brief(told) == [(Kind.BORN, "process_down", "web-1"), (Kind.ENDED, "process_down", "web-1")]
    assert told[1].at < told[0].at


def test_no_data_is_no_recovery_and_a_job_measured_for_once_is_forgotten() -> None:
    replay = Replay()
    stale = Stale(START + timedelta(hours=1), "web-1", "tcp", "80")
    assert brief(play(HEAD, job(), *readings([GOOD, REFUSED, REFUSED, REFUSED]), stale, replay=replay)) == [
        (Kind.BORN, "process_down", "web-1")
    ]
    assert replay.memories["web-1", "tcp", "80"].tracks["tcp/port", "80"].lost
    assert list(replay.take(Forgotten(START + timedelta(hours=2), "web-1", "tcp", "80"))) == []
    assert replay.memories == {}


def test_a_reload_keeps_what_is_still_measured() -> None:
    replay = Replay()
    play(HEAD, job(), job("web-2"), *readings([GOOD, REFUSED, REFUSED, REFUSED]), replay=replay)
    list(replay.take(msgspec.structs.replace(HEAD, jobs=(("web-1", "tcp", "80"),))))
    assert list(replay.memories) == [("web-1", "tcp", "80")]


@pytest.mark.parametrize("lines", [[job()], [HEAD, *readings([GOOD])], [HEAD, Stale(START, "web-1", "tcp", "80")]])
def test_lines_that_do_not_fit_are_refused(lines: list[Line]) -> None:
    with pytest.raises(Misfit, match="first line"):
        play(*lines)
