"""Loss too small for one session: 1 % is said within five minutes, 0.1 % never, and a burst is no loss of a line."""

import random
from datetime import UTC, datetime, timedelta
from math import inf, log, log1p

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.assess import Memory, Rules, assess
from checks.causes import Sort, cause_of, sort_of
from checks.finding import Finding, State
from checks.stamp import ALLOWED, LATELY, Limits, is_over, judge, least
from probe.observation.observation import Observation
from probe.observation.stamp import Lost, StampSample
from probe.probers.stamp_history import History, lost_in

OK, WARNING, CRITICAL = State.OK, State.WARNING, State.CRITICAL
AT = datetime(2026, 1, 1, tzinfo=UTC)
EVEN = {"error": 0.0, "clean": 0}


def judged(sample: StampSample) -> Finding | None:
    seen = Observation("here", "far", "stamp", AT, 1.0, sample)
    return next((one for one in judge(seen, None, Limits()) if one.check == "stamp/loss-lately"), None)


def session(out: int | None = 0, back: int | None = 0, sent: int = 100, unknown: int = 0) -> StampSample:
    answered = sent - (out or 0) - (back or 0) - unknown
    ways = (out, back) if out is not None and back is not None else (None, None)
    return StampSample("192.0.2.1", 862, sent, answered, ways[0] is not None, *ways, unknown)


def told(both: Lost, out: Lost | None = None, back: Lost | None = None) -> StampSample:
    lately = {"lately_s": 300.0, "lately_sessions": 30, "lately_both": both, "lately_out": out, "lately_back": back}
    return msgspec.structs.replace(session(), **lately)


@pytest.mark.parametrize(
    ("out", "back", "state", "words"),
    [
        (0, 0, OK, "stamp.lately.out"),
        (3, 0, OK, "stamp.lately.out"),
        (17, 0, OK, "stamp.lately.out"),
        (18, 0, WARNING, "stamp.lately.out"),
        (0, 17, OK, "stamp.lately.back"),
        (0, 18, WARNING, "stamp.lately.back"),
        (20, 40, WARNING, "stamp.lately.back"),
        (120, 0, WARNING, "stamp.lately.out"),
        (123, 0, CRITICAL, "stamp.lately.out"),
    ],
)
def test_of_3000_packets_18_lost_are_shown_to_be_too_many(out, back, state, words) -> None:
    found = judged(told(Lost(3000, out + back, **EVEN), Lost(3000, out, **EVEN), Lost(3000, back, **EVEN)))
    assert (found.state, found.message.id) == (state, words)


@pytest.mark.parametrize(("lost", "state"), [(6, OK), (22, OK), (23, WARNING)])
def test_where_the_ways_are_not_known_apart_the_other_may_lose_what_it_is_allowed(lost, state) -> None:
    found = judged(told(Lost(3000, lost, **EVEN)))
    assert (found.state, found.message.id) == (state, "stamp.lately.both")


@pytest.mark.parametrize(("lost", "state"), [(9, OK), (10, WARNING)])
def test_where_few_are_sent_ten_must_be_lost(lost, state) -> None:
    found = judged(told(Lost(500, lost, **EVEN), Lost(500, lost, **EVEN), Lost(500, 0, **EVEN)))
    assert found.state is state


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.floats(0, 1))
def test_what_is_shown_is_never_more_than_what_was_seen(sent, lost, error) -> None:
    lost = min(lost, sent)
    shown = least(Lost(sent, lost, error, 0))
    assert 0 <= shown <= lost / sent
    assert shown <= least(Lost(sent, lost, 0.0, 0))
    assert shown <= least(Lost(sent, min(sent, lost + 1), error, 0)) + 1e-12


COUNTS = st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 1000)).map(lambda of: (of[0], min(of))), min_size=2, max_size=40)


@given(COUNTS)
def test_sums_lose_no_packet_and_do_not_ask_for_the_order(counts) -> None:
    lost = lost_in(counts)
    assert (lost.sent, lost.lost) == (sum(sent for sent, _ in counts), sum(gone for _, gone in counts))
    again = lost_in(list(reversed(counts)))
    assert again.error == pytest.approx(lost.error)
    assert lost.clean == lost.sent or any(gone for _, gone in counts)


@given(st.integers(5, 300), st.integers(2, 10_000), st.data())
def test_a_burst_inside_one_session_is_never_the_line_s_loss(sessions, count, data) -> None:
    counts = [(count, 0)] * sessions
    counts[data.draw(st.integers(0, sessions - 1))] = (count, data.draw(st.integers(1, count)))
    assert least(lost_in(counts)) == 0.0


@given(st.integers(20, 31), st.integers(1, 99), st.integers(1, 99))
def test_an_interruption_between_two_sessions_is_not_either(sessions, end, start) -> None:
    assert least(lost_in([(100, 0)] * (sessions - 3) + [(100, end), (100, start), (100, 0)])) < LATELY.warning


@pytest.mark.parametrize(("clean", "over"), [(0, False), (1000, False), (1100, True), (3000, False)])
def test_loss_is_over_when_so_much_came_through_since(clean, over) -> None:
    """1 % of what came before: 1,000 packets come through by chance once in 36,000 times, 1,100 once in 100,000."""
    lost = Lost(3000, round((3000 - clean) * 0.0105), 0.0, clean)
    assert is_over(lost) is over


def test_what_is_over_is_good_at_once_and_not_held_for_bad() -> None:
    lost = Lost(3000, 60, 0.0, 700)
    found = judged(told(lost, lost, Lost(3000, 0, **EVEN)))
    assert (found.state, found.message.id, found.gated) == (OK, "stamp.lately.over", True)


def test_few_sessions_tell_nothing_and_old_ones_are_gone() -> None:
    history = History()
    few = [history.note("a", number * 10.0, session(back=1)) for number in range(4)]
    assert all((one.lately_both, one.lately_sent, one.lately_answered) == (None, None, None) for one in few)
    assert judged(few[-1]) is None
    fifth = history.note("a", 40.0, session(out=2))
    assert (fifth.lately_s, fifth.lately_sessions, fifth.lately_sent, fifth.lately_answered) == (40.0, 5, 500, 494)
    assert (fifth.lately_out.lost, fifth.lately_back.lost, fifth.lately_back.sent) == (2, 4, 498)
    last = [history.note("a", at, session()) for at in (310.0, 330.0, 340.0, 341.0)]
    assert [one.lately_sessions for one in last] == [5, None, None, None]


def test_a_silent_responder_and_another_address_begin_anew() -> None:
    history = History()
    for number in range(9):
        history.note("a", float(number), session(out=5))
    silent = history.note("a", 9.0, StampSample("192.0.2.1", 862, 100, 0))
    assert silent.lately_both is None
    assert [history.note("a", 10.0 + number, session()).lately_sent for number in range(5)] == [None] * 4 + [500]
    moved = msgspec.structs.replace(session(), address="192.0.2.2")
    assert [history.note("a", 20.0 + number, moved).lately_sent for number in range(5)] == [None] * 4 + [500]
    history.forget("a")
    assert history.note("a", 30.0, moved).lately_sent is None


def test_ways_are_told_only_where_every_session_knows_them() -> None:
    history = History()
    for number in range(9):
        history.note("a", float(number), session(out=1))
    mixed = history.note("a", 9.0, session(out=None))
    assert (mixed.lately_out, mixed.lately_back, mixed.lately_both.lost) == (None, None, 9)


def test_history_is_bounded_in_targets_and_sessions() -> None:
    history = History()
    for number in range(400):
        seen = history.note("a", number / 10, session())
    assert seen.lately_sessions == 300
    for number in range(2048):
        history.note(f"b{number}", 40.0, session())
    assert history.note("a", 41.0, session()).lately_sent is None


def test_older_evidence_is_read_as_it_was() -> None:
    old = msgspec.json.decode(b'{"type":"stamp","address":"192.0.2.1","port":862,"sent":100,"answered":99}', type=StampSample)
    assert (old.lately_both, old.lately_sent) == (None, None)
    new = told(Lost(3000, 30, 0.001, 0), Lost(3000, 30, 0.001, 0), Lost(2970, 0, 0.0, 2970))
    assert msgspec.json.decode(msgspec.json.encode(new), type=StampSample) == new


def test_its_cause_is_loss_a_poor_answer() -> None:
    assert cause_of("stamp/loss-lately", "stamp.lately.out").code == "loss"
    assert sort_of("stamp/loss-lately", "stamp.lately.out") is Sort.POOR


# Simulated lines


def lost_of(draw: random.Random, sent: int, ratio: float) -> int:
    """Return how many of so many packets are lost, each by the same chance: from one loss to the next."""
    if not ratio:
        return 0
    scale, at, lost = log1p(-ratio), -1, 0
    while (at := at + 1 + int(log(1 - draw.random()) / scale)) < sent:
        lost += 1
    return lost


def session_of(draw: random.Random, out: float, back: float, stateful: bool = True) -> StampSample:
    there = lost_of(draw, 100, out)
    returning = lost_of(draw, 100 - there, back)
    return session(there, returning) if stateful else StampSample("192.0.2.1", 862, 100, 100 - there - returning, False)


def said_after(seed: int, before: float, out: float, back: float) -> float:
    """Return the seconds from the beginning of a loss until it is believed, with the service's own repetitions; `inf` beyond 300."""
    draw, history, memory, rules = random.Random(seed), History(), Memory(), Rules(judge, Limits())
    at = draw.uniform(-10, 0) - 400
    while at < 300:
        sample = history.note("a", at, session_of(draw, *((out, back) if at >= 0 else (before, before))))
        took = 2.0 if sample.answered == sample.sent else 3.0
        memory, said = assess(Observation("here", "far", "stamp", AT + timedelta(seconds=at), took * 1e3, sample), memory, rules)
        track = memory.tracks.get(("stamp/loss-lately", ""))
        if track is not None and track.bad:
            return at + took
        at += took + 1.0 if said.repeat else 10.0
    return inf


@pytest.mark.parametrize(("out", "back"), [(0.01, 0.0), (0.0, 0.01), (0.01, 0.01)])
def test_1_percent_is_said_within_300_s(out: float, back: float) -> None:
    times = [said_after(seed, 0.0, out, back) for seed in range(120)]
    assert all(at > 0 for at in times)
    assert sum(at <= 295 for at in times) / len(times) >= 0.95


def windows_beyond(draw: random.Random, sessions: int, ratio: float, stateful: bool, every_s: float = 10.0) -> int:
    """Return how many single readings of a line with this loss each way were a warning: three in a row would have been believed."""
    history, beyond = History(), 0
    for number in range(sessions):
        sample = history.note("a", number * every_s, session_of(draw, ratio, ratio, stateful))
        if sample.lately_out is not None and sample.lately_back is not None:
            beyond += max(least(sample.lately_out), least(sample.lately_back)) >= LATELY.warning
        elif sample.lately_both is not None:
            beyond += least(sample.lately_both) - ALLOWED >= LATELY.warning
    return beyond


@pytest.mark.parametrize("stateful", [True, False])
def test_a_tenth_of_a_percent_is_never_said_in_a_day(stateful: bool) -> None:
    assert windows_beyond(random.Random(1), 8_640, 0.001, stateful) == 0


@pytest.mark.long
@pytest.mark.parametrize("stateful", [True, False])
@pytest.mark.parametrize("every_s", [10.0, 60.0])
def test_a_tenth_of_a_percent_is_never_said_in_a_month(every_s: float, stateful: bool) -> None:
    assert windows_beyond(random.Random(2), round(30 * 86_400 / every_s), 0.001, stateful, every_s) == 0
