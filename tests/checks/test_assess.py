from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from timeit import repeat
from typing import Any

import pytest

from checks import tcp
from checks.assess import FORGET_AFTER, GONE_AFTER, KEPT, Assessment, Memory, Rules, Scene, assess, stale
from checks.baseline import Baseline
from checks.finding import Finding, Levels, Message, State
from checks.history import Change, Track
from checks.sight import Look, Route, Sight
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation, Outcome
from probe.observation.tcp import ConnectSample

START = datetime(2026, 3, 1, tzinfo=UTC)
GOOD = ConnectSample("192.0.2.1", 80, 1.0)
SLOW = ConnectSample("192.0.2.1", 80, 1500.0)
DEAD = Failure(Kind.TIMEOUT)
BLIND = Failure(Kind.UPLINK)
RULES = Rules(tcp.judge, tcp.Limits(), route=Route("eth0", "192.0.2.254"))
PORT, CONNECT = ("tcp/port", "80"), ("tcp/connect", "80")


def seen(outcome: Outcome, minute: int) -> Observation:
    return Observation("agent", "web-1", "tcp", START + timedelta(minutes=minute), 1.0, outcome, "80")


def run(
    *outcomes: Outcome, memory: Memory | None = None, scene: Scene | None = None, rules: Rules = RULES, at: int = 0
) -> tuple[Memory, list[Assessment]]:
    memory, said = memory or Memory(), []
    for number, outcome in enumerate(outcomes):
        memory, one = assess(seen(outcome, at + number), memory, rules, scene or Scene())
        said.append(one)
    return memory, said


def changes(said: list[Assessment]) -> list[tuple[str, Change]]:
    return [(track.key[2], change) for one in said for _, track, change in one.changes]


def test_a_dead_port_is_raised_at_its_third_reading_and_repeated_until_then() -> None:
    memory, said = run(GOOD, DEAD, DEAD, DEAD, DEAD)
    assert changes(said) == [("tcp/port", Change.SOFT), ("tcp/port", Change.SOFT), ("tcp/port", Change.RAISED)]
    assert [one.repeat for one in said] == [False, True, True, False, False]
    assert [(one.finding.message.id, one.track.hard) for one in memory.standing] == [("failure.timeout", State.CRITICAL)]


def test_what_is_believed_bad_stands_with_its_last_bad_finding_while_it_can_not_be_seen() -> None:
    memory, _ = run(DEAD, DEAD, DEAD, BLIND, BLIND, BLIND)
    assert memory.tracks[PORT].shown is State.UNKNOWN
    assert [one.finding.message.id for one in memory.standing] == ["failure.timeout"]
    memory, said = run(GOOD, GOOD, memory=memory, at=6)
    assert Change.RECOVERED in [change for _, change in changes(said)]
    assert memory.standing == ()


def test_readings_since_all_was_well_are_kept_and_bounded() -> None:
    assert run(GOOD, GOOD)[0].recent == ()
    memory, _ = run(GOOD, DEAD, DEAD)
    assert [moment.seen.outcome for moment in memory.recent] == [DEAD, DEAD]
    assert memory.origin is not None
    assert memory.origin.tracks[PORT].hard is State.OK
    memory, _ = run(*[DEAD] * 30)
    assert len(memory.recent) == KEPT
    assert memory.recent[-1].seen.at == START + timedelta(minutes=29)
    memory, _ = run(*[GOOD] * 3, memory=memory, at=30)
    assert memory.recent == ()


@pytest.mark.parametrize("length", [1, 3, KEPT, KEPT + 1, 30])
def test_the_kept_moments_lead_from_their_origin_to_the_memory(length: int) -> None:
    course = [GOOD, GOOD, *([DEAD, DEAD, SLOW, BLIND, DEAD] * 6)[:length]]
    memory, _ = run(*course)
    assert memory.origin is not None
    assert len(memory.recent) == min(length, KEPT)
    again = memory.origin
    for moment in memory.recent:
        again, _ = assess(moment.seen, again, moment.rules, Scene(moment.sight, dict(moment.usual)))
    for name in ("before", "tracks", "trends", "bad", "absent"):
        assert getattr(again, name) == getattr(memory, name), name


def test_the_fast_path_says_what_the_long_way_says() -> None:
    quick, _ = run(GOOD, GOOD)
    slow = Memory(quick.before, quick.last_at, quick.tracks, quiet=False)
    assert quick.quiet
    assert run(GOOD, memory=quick, at=2) == run(GOOD, memory=slow, at=2)


def test_one_bad_reading_among_good_ones_takes_the_long_way() -> None:
    memory, _ = run(GOOD, GOOD)
    _, said = run(SLOW, memory=memory, at=2)
    assert [(finding.check, finding.state) for finding in said[0].findings] == [
        ("tcp/port", State.OK),
        ("tcp/connect", State.WARNING),
    ]
    assert said[0].repeat


def test_only_tracks_that_changed_are_to_be_stored() -> None:
    memory, said = run(GOOD, GOOD)
    assert [len(one.moved) for one in said] == [2, 0]
    _, said = run(DEAD, memory=memory, at=2)
    assert [track.key[2] for track in said[0].moved] == ["tcp/port"]


def test_a_check_that_is_no_longer_answered_becomes_unknown_and_comes_back() -> None:
    memory, said = run(GOOD, *[DEAD] * GONE_AFTER)
    assert [(found.check, found.message.id) for found in said[-1].findings][1:] == [("tcp/connect", "freshness.gone")]
    assert [found.check for found in said[-2].findings] == ["tcp/port"]
    assert memory.tracks[CONNECT].shown is State.UNKNOWN
    assert memory.tracks[CONNECT].hard is State.OK
    memory, _ = run(GOOD, memory=memory, at=9)
    assert memory.tracks[CONNECT].shown is State.OK


def test_a_failure_forgets_nothing_however_long() -> None:
    memory, said = run(GOOD, *[DEAD] * (FORGET_AFTER + 10))
    assert CONNECT in memory.tracks
    assert [one.forgotten for one in said] == [()] * len(said)


def mounts(names: dict[str, State]) -> Any:
    def judge(one: Observation, before: Observation | None, limits: object) -> Iterator[Finding]:
        for name, state in names.items():
            yield Finding("host/disk", one, state, Message("host.disk"), item=name)

    return judge


def test_a_vanished_mount_that_was_good_is_forgotten_in_time_and_one_that_was_bad_is_not() -> None:
    rules = Rules(mounts({"/": State.OK, "/a": State.OK, "/b": State.CRITICAL}), None)
    memory, _ = run(GOOD, GOOD, GOOD, rules=rules)
    memory, said = run(*[GOOD] * (FORGET_AFTER - 1), memory=memory, rules=Rules(mounts({"/": State.OK}), None), at=3)
    assert {found.message.id for found in said[-1].findings} == {"host.disk", "freshness.gone"}
    assert {key[1]: track.shown for key, track in memory.tracks.items()} == {"/": State.OK, "/a": State.UNKNOWN, "/b": State.UNKNOWN}
    memory, said = run(GOOD, memory=memory, rules=Rules(mounts({"/": State.OK}), None), at=40)
    assert [key[3] for key in said[0].forgotten] == ["/a"]
    assert {key[1] for key in memory.tracks} == {"/", "/b"}
    assert [one.finding.item for one in memory.standing] == ["/b"]


def test_restored_tracks_go_on_where_they_stood() -> None:
    before, _ = run(DEAD, DEAD, DEAD)
    restored = Memory(tracks=before.tracks)
    memory, said = run(DEAD, memory=restored, at=5)
    assert changes(said) == []
    assert len(memory.standing) == 1
    assert memory.standing[0].track.since == START
    memory, said = run(GOOD, GOOD, memory=restored, at=5)
    assert ("tcp/port", Change.RECOVERED) in changes(said)


def test_bad_readings_of_others_are_unknown_while_the_uplink_is_down() -> None:
    sight = Sight(interfaces={"eth0": Look(False, START)})
    memory, said = run(GOOD, DEAD, DEAD, scene=Scene(sight))
    assert [one.findings[0].message.id for one in said] == ["tcp.open", "sight.uplink", "sight.uplink"]
    assert not any(one.repeat for one in said)
    assert memory.tracks[PORT].hard is State.OK
    assert memory.tracks[PORT].blind == 2


def test_an_unusual_reading_is_a_warning_of_its_own_which_ends_when_it_is_usual_again() -> None:
    usual = {("agent", "web-1", "tcp/connect", "80"): Baseline(10.0, 1.0, 600, 10)}
    odd = ConnectSample("192.0.2.1", 80, 50.0)
    memory, said = run(GOOD, GOOD, odd, odd, odd, scene=Scene(baselines=usual))
    assert [found.check for found in said[1].findings] == ["tcp/port", "tcp/connect"]
    assert [(found.check, found.state) for found in said[2].findings][2:] == [("tcp/connect.usual", State.WARNING)]
    assert ("tcp/connect.usual", Change.RAISED) in changes(said)
    memory, said = run(*[GOOD] * 30, memory=memory, scene=Scene(baselines=usual), at=5)
    assert ("tcp/connect.usual", Change.RECOVERED) in changes(said)
    assert ("tcp/connect.usual", "80") not in memory.tracks
    assert [key[2] for one in said for key in one.forgotten] == ["tcp/connect.usual"]
    assert memory.quiet


def test_readings_for_the_baselines_are_handed_out() -> None:
    _, said = run(GOOD, GOOD, DEAD)
    key = ("agent", "web-1", "tcp/connect", "80")
    assert [one.values for one in said] == [((key, 1.0),), ((key, 1.0),), ()]


def filling(share: float) -> Any:
    def judge(one: Observation, before: Observation | None, limits: object) -> Iterator[Finding]:
        yield Finding("host/disk", one, State.OK, Message("host.disk"), Levels(0.9, 0.95, "ratio", "t"), "/", share, full_at=1.0)

    return judge


def test_a_disk_that_fills_is_told_before_it_is_full() -> None:
    memory, found = Memory(), []
    for minute in range(90):
        memory, said = assess(seen(GOOD, minute), memory, Rules(filling(0.6 + minute * 0.001), None))
        found += [one for one in said.findings if one.check == "host/disk.trend"]
    assert found[-1].state is State.WARNING  # 0.311 left at 0.06 an hour
    assert found[-1].value == pytest.approx(5.2, abs=0.1)
    assert memory.tracks[("host/disk.trend", "/")].hard is State.WARNING


def test_a_job_without_observations_for_three_periods_is_unknown_and_what_was_believed_is_kept() -> None:
    memory, _ = run(GOOD)
    assert stale(memory, 60.0, START + timedelta(seconds=179)) is None
    late = stale(memory, 60.0, START + timedelta(seconds=180))
    assert late is not None
    after, said = late
    assert [(found.key[2:], found.state, found.message.id) for found in said.findings] == [
        (PORT, State.UNKNOWN, "freshness.no-data"),
        (CONNECT, State.UNKNOWN, "freshness.no-data"),
    ]
    assert {track.shown for track in after.tracks.values()} == {State.UNKNOWN}
    assert {track.hard for track in after.tracks.values()} == {State.OK}
    assert len(said.moved) == 2
    again = stale(after, 60.0, START + timedelta(seconds=240))
    assert again is not None
    assert again[1].moved == ()
    assert stale(Memory(), 60.0, START) is None


def test_an_all_good_observation_of_three_findings_is_cheap() -> None:
    levels = Levels(100.0, 200.0, "ms", "t")

    def judge(one: Observation, before: Observation | None, limits: object) -> Iterator[Finding]:
        for check in ("icmp/loss", "icmp/latency", "icmp/jitter"):
            yield Finding(check, one, levels.judge(1.0), Message("x", {"ms": 1.0}), levels, value=1.0, seasonal=True)

    rules, one = Rules(judge, None), seen(GOOD, 0)
    memory, _ = assess(one, Memory(), rules)
    memory, _ = assess(one, memory, rules)
    assert memory.quiet
    each = min(repeat(lambda: assess(one, memory, rules), number=1000, repeat=5)) / 1000
    assert each < 60e-6  # measured about 6 µs; a busy machine is given room


def test_a_restored_track_keeps_its_key() -> None:
    track = Track(("agent", "web-1", "tcp/port", "80"), State.OK, State.OK, 1, START, START, same=1)
    memory, _ = run(GOOD, memory=Memory(tracks={PORT: track}))
    assert memory.tracks[PORT] is track
