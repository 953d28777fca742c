from datetime import UTC, datetime, timedelta
from functools import reduce
from timeit import repeat
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.finding import Finding, Levels, Message, State
from checks.history import RULE, Change, Rule, Track, fold, lose
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation

START = datetime(2026, 3, 1, tzinfo=UTC)
KEY = ("agent", "web-1", "tcp/port", "80")
LETTERS = {".": State.OK, "w": State.WARNING, "c": State.CRITICAL, "?": State.UNKNOWN}
LEVELS = Levels(100.0, 200.0, "ms", "test", margin=0.1)

readings = st.text(alphabet=".wc?", max_size=60)


def finding(letter: str, number: int, value: float | None = None) -> Finding:
    seen = Observation("agent", "web-1", "tcp", START + timedelta(minutes=number), 1.0, Failure(Kind.TIMEOUT), "80")
    return Finding("tcp/port", seen, LETTERS[letter], Message("tcp.open"), LEVELS, value=value)


def run(letters: str, track: Track | None = None, rule: Rule = RULE) -> tuple[Track, list[Change]]:
    track = track or Track(KEY)
    changes = []
    for number, letter in enumerate(letters):
        track, change = fold(track, finding(letter, number), rule)
        changes.append(change)
    return track, changes


def said(letters: str, rule: Rule = RULE) -> list[str]:
    return [change.value for change in run(letters, rule=rule)[1] if change not in (Change.NONE, Change.SOFT)]


@pytest.mark.parametrize(
    ("letters", "hard", "changes"),
    [
        ("", "unknown", []),
        (".", "ok", []),
        ("?", "unknown", []),
        (".cc", "ok", []),
        (".ccc", "critical", ["raised"]),
        ("ccc", "critical", ["raised"]),
        (".wcw", "warning", ["raised"]),
        (".wwc", "critical", ["raised"]),
        (".cc.cc", "ok", []),
        (".cc?c", "critical", ["raised"]),
        (".cc??c", "critical", ["raised"]),
        (".cc???c", "ok", []),
        (".cc???ccc", "critical", ["raised"]),
        (".ccc.", "critical", ["raised"]),
        (".ccc..", "ok", ["raised", "recovered"]),
        (".ccc.c.c", "critical", ["raised"]),
        (".ccc???", "critical", ["raised"]),
        (".ccc???.", "critical", ["raised"]),
        (".ccc.???.", "critical", ["raised"]),
        (".ccc???..", "ok", ["raised", "recovered"]),
        (".wwwcc", "warning", ["raised"]),
        (".wwwccc", "critical", ["raised", "raised"]),
        (".wwwcwcwc", "warning", ["raised"]),
        (".cccw", "critical", ["raised"]),
        (".cccww", "warning", ["raised", "eased"]),
        (".cccww..", "ok", ["raised", "eased", "recovered"]),
    ],
)
def test_what_is_believed_after_a_run_of_readings(letters: str, hard: str, changes: list[str]) -> None:
    assert (run(letters)[0].hard.value, said(letters)) == (hard, changes)


def test_each_bad_reading_that_is_not_yet_believed_asks_for_another() -> None:
    track, changes = run(".cc")
    assert changes == [Change.NONE, Change.SOFT, Change.SOFT]
    assert track.doubtful
    assert not run(".ccc")[0].doubtful
    assert run(".wwwc")[0].doubtful
    assert not run(".")[0].doubtful


def test_a_problem_lasts_since_its_first_bad_reading_and_a_good_time_since_its_first_good_one() -> None:
    assert run("..ccc")[0].since == START + timedelta(minutes=2)
    assert run("..wwwccc")[0].since == START + timedelta(minutes=2)
    assert run("..cccww")[0].since == START + timedelta(minutes=2)
    assert run("..ccc..")[0].since == START + timedelta(minutes=5)
    assert run("...")[0].since == START
    assert run("??..")[0].since == START + timedelta(minutes=2)


def test_what_could_not_be_seen_for_long_is_shown_as_unknown_while_the_belief_is_kept() -> None:
    assert run(".??")[0].shown is State.OK
    blind = run(".???")[0]
    assert (blind.shown, blind.hard, blind.blind_since) == (State.UNKNOWN, State.OK, START + timedelta(minutes=1))
    assert run(".???.")[0].shown is State.OK
    assert run(".ccc???")[0].shown is State.UNKNOWN
    assert run(".ccc???.")[0].shown is State.CRITICAL
    lost = lose(run(".")[0], START)
    assert (lost.shown, lost.hard) == (State.UNKNOWN, State.OK)
    assert lose(lost, START) is lost


@pytest.mark.parametrize(
    ("hard", "value", "letter", "still"),
    [
        ("www", 91.0, ".", State.WARNING),
        ("www", 90.0, ".", State.WARNING),
        ("www", 89.9, ".", State.OK),
        ("ccc", 181.0, "w", State.CRITICAL),
        ("ccc", 179.0, "w", State.WARNING),
        ("ccc", 95.0, ".", State.WARNING),
        ("ccc", 89.0, ".", State.OK),
        ("...", 95.0, ".", State.OK),
    ],
)
def test_a_value_within_the_margin_of_its_limit_is_still_bad(hard: str, value: float, letter: str, still: State) -> None:
    track, _ = run(hard)
    for number in range(2):
        track, _ = fold(track, finding(letter, 10 + number, value))
    assert track.soft is still
    assert track.hard is still


def test_a_series_that_turns_at_every_reading_flaps_and_is_withheld() -> None:
    track, changes = run("." + "c." * 10)
    assert track.flapping
    assert [change for change in changes if change is not Change.SOFT and change is not Change.NONE] == [Change.FLAPPING]
    held, more = run("cccc", track)
    assert held.hard is State.OK
    assert Change.RAISED not in more
    raised, more = run("c" * 21, track)
    assert (raised.hard, raised.flapping) == (State.CRITICAL, False)
    assert more.count(Change.RAISED) == 1
    settled, more = run("." * 21, track)
    assert (settled.hard, settled.flapping, more.count(Change.SETTLED)) == (State.OK, False, 1)


def test_a_raised_problem_that_flaps_stays_and_recovers_when_it_settled() -> None:
    track, _ = run(".ccc" + ".c" * 8)
    assert (track.hard, track.flapping) == (State.CRITICAL, True)
    _, changes = run("." * 21, track)
    assert changes[1] is not Change.RECOVERED
    assert changes.count(Change.RECOVERED) == 1


def test_flapping_weighs_new_changes_more_than_old_ones() -> None:
    rule = Rule(flap_start=0.5, flap_stop=0.25)
    eight, nine = run("." + "c." * 4)[0], run("." + "c." * 4 + "c")[0]
    assert not eight.flapping
    assert nine.flapping  # 9 of 20 changes, but the newest: 1.2 + 1.18 + … = 10.04 of 20
    assert rule == RULE


@pytest.mark.parametrize("values", [{"hard_after": 0}, {"recover_after": 21}, {"flap_start": 0.2}, {"flap_stop": 0.0}])
def test_a_rule_that_can_not_work_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"_after|flap"):
        Rule(**values)


@given(readings)
@settings(deadline=None)
def test_unknown_never_changes_what_is_believed(letters: str) -> None:
    track, _ = run(letters)
    after, change = fold(track, finding("?", 99))
    assert (after.hard, after.flapping, after.recent, after.since) == (track.hard, track.flapping, track.recent, track.since)
    assert change is Change.NONE


@given(readings)
@settings(deadline=None)
def test_nothing_is_raised_without_enough_bad_readings_in_a_row(letters: str) -> None:
    _, changes = run(letters)
    for at, change in enumerate(changes):
        if change is Change.RAISED:
            known = [letter for letter in letters[: at + 1] if letter != "?"]
            assert all(letter in "wc" for letter in known[-RULE.hard_after :])
            assert len(known) >= RULE.hard_after


@given(readings)
@settings(deadline=None)
def test_recovery_follows_a_raise_and_needs_good_readings(letters: str) -> None:
    _, changes = run(letters)
    raised = False
    for at, change in enumerate(changes):
        if change is Change.RAISED:
            raised = True
        if change is Change.RECOVERED:
            assert raised
            assert [letter for letter in letters[: at + 1] if letter != "?"][-2:] == [".", "."]
            raised = False
        assert change is not Change.EASED or raised


@given(readings)
@settings(deadline=None)
def test_raised_twice_without_recovery_means_that_it_got_worse(letters: str) -> None:
    track, believed = Track(KEY), State.OK
    for number, letter in enumerate(letters):
        track, change = fold(track, finding(letter, number))
        if change is Change.RAISED:
            assert believed is State.OK or (believed, track.hard) == (State.WARNING, State.CRITICAL)
        assert track.bad or change is not Change.RAISED
        believed = track.hard if track.bad else State.OK


@given(readings, readings, st.integers(0, 60))
@settings(deadline=None)
def test_a_track_that_was_stored_and_read_again_goes_on_the_same(first: str, second: str, start: int) -> None:
    whole = reduce(lambda track, step: fold(track, finding(step[1], step[0]))[0], enumerate(first + second), Track(KEY))
    part = run(first)[0]
    part = msgspec.json.decode(msgspec.json.encode(part), type=Track)
    for number, letter in enumerate(second):
        part, _ = fold(part, finding(letter, len(first) + number))
    assert part == whole


@given(readings)
@settings(deadline=None)
def test_a_steady_series_gets_its_own_track_back(letters: str) -> None:
    for steady in ".wc?":
        track, _ = run(letters + steady * 45)
        again, change = fold(track, finding(steady, 999))
        assert again is track or track.doubtful
        assert change in (Change.NONE, Change.SOFT)


def test_the_fast_path_says_what_the_long_way_says() -> None:
    track, _ = run("." * 3)
    again, change = fold(track, finding(".", 50))
    assert again is track
    assert change is Change.NONE


def test_what_kind_of_bad_it_is_is_believed_as_slowly_as_that_it_is_bad() -> None:
    track, _ = run(".cc")
    words = ["refused", "silent", "silent", "refused", "silent", "silent", "silent", "refused"]
    said = []
    for number, word in enumerate(words):
        bad = msgspec.structs.replace(finding("c", 10 + number), message=Message(word))
        track, _ = fold(track, bad)
        said.append(track.said)
    assert said == ["refused", "refused", "refused", "refused", "refused", "refused", "silent", "silent"]
    assert run("..", track)[0].said == ""


def test_a_steady_good_reading_costs_next_to_nothing() -> None:
    track, good = run("..")[0], finding(".", 1)
    each = min(repeat(lambda: fold(track, good), number=2000, repeat=5)) / 2000
    assert each < 5e-6  # measured 0.2 µs; a busy machine is given room
