"""Which job is due when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.inventory import Node
from probe.job import Job, Options
from probe.schedule import Timetable, next_due, phase


def job(name: str = "a", every_s: float = 6.0) -> Job:
    return Job("agent", Node(name), "icmp", Options(), every_s)


@given(st.text(max_size=8), st.sampled_from([5.0, 6.0, 60.0, 86400.0]), st.floats(0, 1e9))
def test_next_round_is_later_and_at_most_one_period_away(name: str, every_s: float, after: float) -> None:
    due = next_due(job(name, every_s), after)
    assert after < due <= after + every_s + 1e-6


def test_rounds_keep_their_moment_after_a_restart() -> None:
    one = job("a", 60.0)
    first = next_due(one, 1000.0)
    assert next_due(one, first) == pytest.approx(first + 60.0)
    assert next_due(one, first - 0.001) == pytest.approx(first)


def test_ten_thousand_jobs_are_spread_evenly() -> None:
    jobs = [job(f"node-{n}", 60.0) for n in range(10_000)]
    seconds = [0] * 60
    for one in jobs:
        seconds[int(phase(one))] += 1
    assert min(seconds) > 110
    assert max(seconds) < 230


def test_running_job_is_not_due_again_until_done() -> None:
    one = job()
    table = Timetable([one], now=0.0, first_within_s=1.0)
    assert table.take(1.0) == [one]
    assert table.take(100.0) == []
    assert table.next_at() is None
    table.done(one, started=1.0, now=1.2)
    assert table.next_at() == next_due(one, 1.2)


def test_soft_failure_is_repeated_soon_but_never_later_than_planned() -> None:
    one = job(every_s=60.0)
    table = Timetable([one], now=0.0)
    moment = next_due(one, 0.0)
    table.take(moment)
    table.done(one, moment, moment + 0.1, again_in_s=1.5)
    assert table.next_at() == pytest.approx(moment + 1.6)
    table.take(moment + 2)
    table.done(one, moment + 2, moment + 59.5, again_in_s=1.5)
    assert table.next_at() == pytest.approx(moment + 60.0)


def test_rounds_missed_by_a_slow_job_are_counted() -> None:
    one = job(every_s=6.0)
    table = Timetable([one], now=0.0)
    moment = next_due(one, 0.0)
    table.take(moment)
    table.done(one, moment, moment + 13.0)
    assert table.overruns == 2
    quick = next_due(one, moment + 13.0)
    table.take(quick)
    table.done(one, quick, quick + 0.5)
    assert table.overruns == 2


def test_a_repeat_that_runs_across_the_moment_of_a_round_is_that_round_and_no_overrun() -> None:
    one = job(every_s=60.0)
    table = Timetable([one], now=0.0)
    moment = next_due(one, 0.0)
    table.take(moment)
    table.done(one, moment, moment + 58.0, again_in_s=1.0)
    assert table.take(moment + 59.0) == [one]
    table.done(one, moment + 59.0, moment + 64.0)
    assert table.overruns == 0
    assert table.next_at() == pytest.approx(moment + 120.0)
    table.take(moment + 120.0)
    table.done(one, moment + 120.0, moment + 185.0)
    assert table.overruns == 1


def test_a_repeat_that_takes_longer_than_a_round_is_an_overrun() -> None:
    one = job(every_s=6.0)
    table = Timetable([one], now=0.0)
    table.hasten(one.key, 0.0)
    table.take(0.0)
    table.done(one, 0.0, 13.0)
    assert table.overruns == 1


def test_hasten_moves_a_waiting_job_forward_only() -> None:
    one = job(every_s=60.0)
    table = Timetable([one], now=0.0)
    planned = table.next_at()
    assert planned is not None
    table.hasten(one.key, planned + 5)
    assert table.next_at() == planned
    table.hasten(one.key, planned - 1)
    assert table.next_at() == planned - 1
    assert table.take(planned) == [one]
    assert table.take(planned + 60) == []


def test_job_of_an_older_configuration_is_not_put_back() -> None:
    old, new = job(every_s=6.0), job(every_s=60.0)
    table = Timetable([new], now=0.0)
    table.done(old, 0.0, 1.0)
    assert table.next_at() == next_due(new, 0.0)


def test_same_key_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="two jobs"):
        Timetable([job(), job(every_s=60.0)], now=0.0)


@given(st.lists(st.tuples(st.text(min_size=1, max_size=4), st.sampled_from([5.0, 6.0, 60.0])), unique_by=lambda pair: pair[0], max_size=30))
def test_every_job_runs_once_in_every_period(pairs: list[tuple[str, float]]) -> None:
    jobs = [job(name, every_s) for name, every_s in pairs]
    table = Timetable(jobs, now=0.0)
    runs = dict.fromkeys((one.key for one in jobs), 0)
    while (at := table.next_at()) is not None and at <= 120.0:
        for one in table.take(at):
            runs[one.key] += 1
            table.done(one, at, at)
    for one in jobs:
        assert abs(runs[one.key] - 120.0 / one.every_s) <= 1
