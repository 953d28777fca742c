"""The pump: at least once, in order, patient, and one feed's trouble is its own."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.finding import Message
from reports.feeds import outbox
from reports.feeds.feed import FeedEvent, Later, Refused
from reports.feeds.outbox import Pump, wait_s
from reports.store.errors import StoreAway
from reports.store.store import Store, open_store
from reports.store.values import Due

HOUR = timedelta(hours=1)


class Script:
    """A feed that does what it is told, one by one, then takes everything."""

    def __init__(self, name: str, *answers: object) -> None:
        self.name = name
        self.answers = list(answers)
        self.calls: list[tuple[int, int]] = []
        self.got: list[tuple[int, int]] = []

    async def deliver(self, event: FeedEvent) -> None:
        self.calls.append((event.case, event.number))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, BaseException):
            raise answer
        if answer == "hang":
            await asyncio.Event().wait()
        self.got.append((event.case, event.number))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path, agent="pop-1", feeds=("one", "two"), service=True) as opened:
        yield opened


class Clock:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


def say(message: Message) -> str:
    return message.id


def pump(store: object, *feeds: Script, now: datetime) -> tuple[Pump, Clock]:
    clock = Clock(now)
    return Pump(store, feeds, clock, say, random.Random(1)), clock


def rounds(store: Store, feed: Script, now: datetime, times: int, step: timedelta = timedelta(0)) -> Clock:
    async def go() -> Clock:
        one, clock = pump(store, feed, now=now)
        for _ in range(times):
            await one.once(feed)
            clock.at += step
        return clock

    return asyncio.run(go())


def test_the_events_of_a_case_go_out_in_their_order(store: Store, making) -> None:
    making.story(store)
    making.story(store, "web-2")
    feed = Script("one")
    rounds(store, feed, making.START + HOUR, 4)
    assert [number for case, number in feed.got if case == 1] == [1, 2, 3]
    assert [number for case, number in feed.got if case == 2] == [1, 2, 3]
    assert len(feed.calls) == 6


def test_an_event_in_trouble_holds_back_its_own_case_only(store: Store, making) -> None:
    making.story(store)
    making.story(store, "web-2")
    feed = Script("one", Later("busy"))
    rounds(store, feed, making.START + HOUR, 4)
    assert feed.got == [(2, 1), (2, 2), (2, 3)]
    rounds(store, feed, making.START + 2 * HOUR, 3)
    assert feed.got[3:] == [(1, 1), (1, 2), (1, 3)]


@pytest.mark.parametrize("trouble", [Later, Refused, lambda words: Refused(words, final=True)])
def test_words_that_no_database_keeps_do_not_end_the_feed(store: Store, making, trouble: Callable[[str], Exception]) -> None:
    making.story(store)
    feed = Script("one", trouble("500 \0 \udcff"))
    rounds(store, feed, making.START + HOUR, 1)
    rounds(store, feed, making.START + 2 * HOUR, 3)
    assert feed.got[-2:] == [(1, 2), (1, 3)]
    assert [one.reason for one in store.given_up()] in ([], ["500 \\x00 \\xdcff"])


def test_a_restart_goes_on_where_it_was(tmp_path: Path, making) -> None:
    feed = Script("one")
    with open_store(tmp_path, feeds=("one",), service=True) as store:
        making.story(store)
        rounds(store, feed, making.START + HOUR, 1)
    with open_store(tmp_path, feeds=("one",), service=True) as store:
        rounds(store, feed, making.START + HOUR, 3)
    assert feed.calls == [(1, 1), (1, 2), (1, 3)]


@pytest.mark.parametrize(("asked", "waits"), [(None, 5.0), (120.0, 120.0), (1e9, 6 * 3600.0)])
def test_the_other_sides_time_is_honoured(store: Store, making, asked: float | None, waits: float) -> None:
    making.story(store)
    now = making.START + HOUR
    feed = Script("one", Later("429", asked))
    rounds(store, feed, now, 1)
    due = store.next_due_at("one")
    assert due is not None
    assert due - now >= timedelta(seconds=waits / 2 if asked is None else waits)
    rounds(store, feed, due - timedelta(microseconds=1), 1)
    assert feed.got == []
    rounds(store, feed, due, 1)
    assert feed.got == [(1, 1)]


def test_after_retry_after_nothing_else_is_sent_either(store: Store, making) -> None:
    for element in ("a", "b", "c"):
        making.story(store, element)

    async def go() -> None:
        feed = Script("one", Later("429", 60.0))
        one, _ = pump(store, feed, now=making.START + HOUR)
        assert await one.once(feed) == 60.0
        assert len(feed.calls) == 1

    asyncio.run(go())


def test_a_feed_that_is_down_is_left_alone_after_three_tries(store: Store, making) -> None:
    for element in ("a", "b", "c", "d", "e"):
        making.story(store, element)

    async def go() -> None:
        feed = Script("one", *[Later("refused")] * 9)
        one, _ = pump(store, feed, now=making.START + HOUR)
        assert await one.once(feed) is not None
        assert len(feed.calls) == 3

    asyncio.run(go())


def test_what_is_refused_eight_times_is_dead_with_its_reason_and_the_next_goes_on(store: Store, making) -> None:
    making.story(store)
    feed = Script("one", *[Refused("no such mailbox")] * 8)
    rounds(store, feed, making.START + HOUR, 7, HOUR)
    assert store.given_up() == []
    rounds(store, feed, making.START + 9 * HOUR, 3, HOUR)
    assert [(one.case, one.number, one.attempts, one.reason) for one in store.given_up()] == [(1, 1, 8, "no such mailbox")]
    assert feed.got == [(1, 2), (1, 3)]


def test_a_final_refusal_is_dead_at_once(store: Store, making) -> None:
    making.story(store)
    rounds(store, Script("one", Refused("gone", final=True)), making.START + HOUR, 1)
    assert [one.attempts for one in store.given_up()] == [1]


@pytest.mark.parametrize(("hours", "dead"), [(9.0, 0), (100.0, 1)])
def test_trouble_is_given_up_after_three_days_only(store: Store, making, hours: float, dead: int) -> None:
    making.story(store)
    step = timedelta(hours=hours / 10)
    rounds(store, Script("one", *[Later("down")] * 20), making.START, 11, step)
    assert len(store.given_up()) == dead


def test_an_agent_that_was_off_for_a_week_still_tries(store: Store, making) -> None:
    making.story(store)
    feed = Script("one", Later("down"))
    rounds(store, feed, making.START + timedelta(days=7), 2, HOUR)
    assert feed.got == [(1, 1)]


def test_a_feed_with_a_bug_is_later_not_the_end_of_the_pump(store: Store, making, caplog: pytest.LogCaptureFixture) -> None:
    making.story(store)
    feed = Script("one", ZeroDivisionError("bug"))
    rounds(store, feed, making.START + HOUR, 2, HOUR)
    assert feed.got == [(1, 1)]
    assert "ZeroDivisionError" in caplog.text


def test_a_message_without_words_is_told_by_its_id(store: Store, making, caplog: pytest.LogCaptureFixture) -> None:
    making.story(store)
    seen: list[FeedEvent] = []

    class Keep(Script):
        async def deliver(self, event: FeedEvent) -> None:
            seen.append(event)

    def no_words(message: Message) -> str:
        raise KeyError(message.id)

    feed = Keep("one")
    asyncio.run(Pump(store, [feed], lambda: making.START + HOUR, no_words).once(feed))
    assert seen[0].summary.text == "failure.timeout {'detail': '没有应答'}"
    assert "no text for" in caplog.text


class Forgetful:
    """The store, away for the first `times` calls that settle."""

    def __init__(self, store: Store, times: int) -> None:
        self._store, self._left = store, times

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def delivered(self, one: Due) -> None:
        if self._left:
            self._left -= 1
            raise StoreAway("the disk is full", "there", "free some")
        self._store.delivered(one)


def test_what_was_delivered_while_the_store_was_away_does_not_go_out_again(store: Store, making) -> None:
    making.story(store)
    feed = Script("one")

    async def go() -> None:
        one, _ = pump(Forgetful(store, 2), feed, now=making.START + HOUR)
        for _ in range(2):
            with pytest.raises(StoreAway):
                await one.once(feed)
        for _ in range(3):
            await one.once(feed)

    asyncio.run(go())
    assert feed.calls == [(1, 1), (1, 2), (1, 3)]


def test_a_feed_that_hangs_delays_nobody_and_is_ended_by_its_deadline(store: Store, making, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "DEADLINE_S", 0.3)
    making.story(store)
    stuck, fine = Script("one", "hang"), Script("two")

    async def go() -> None:
        both, _ = pump(store, stuck, fine, now=making.START + HOUR)
        running = asyncio.create_task(both.run())
        try:
            async with asyncio.timeout(10):
                while len(fine.got) < 3:
                    await asyncio.sleep(0.01)
                assert stuck.got == []
                while store.due("one", making.START + HOUR):
                    await asyncio.sleep(0.01)
        finally:
            await ended(running)

    asyncio.run(go())
    assert stuck.calls == [(1, 1)]
    assert store.next_due_at("one") is not None


async def ended(task: asyncio.Task) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_waking_delivers_at_once(store: Store, making) -> None:
    feed = Script("one")

    async def go() -> None:
        one, _ = pump(store, feed, now=making.START + HOUR)
        running = asyncio.create_task(one.run())
        try:
            await asyncio.sleep(0.1)
            making.story(store)
            begun = time.monotonic()
            one.wake()
            async with asyncio.timeout(10):
                while len(feed.got) < 3:
                    await asyncio.sleep(0.005)
            assert time.monotonic() - begun < 5
        finally:
            await ended(running)

    asyncio.run(go())


def test_an_event_that_must_wait_for_its_turn_does_not_keep_the_pump_busy(store: Store, making, monkeypatch: pytest.MonkeyPatch) -> None:
    making.story(store)
    looks = []
    due = store.due
    monkeypatch.setattr(store, "due", lambda *of: looks.append(of) or due(*of))
    feed = Script("one", Later("busy"))

    async def go() -> None:
        one, _ = pump(store, feed, now=making.START + HOUR)
        running = asyncio.create_task(one.run())
        await asyncio.sleep(0.3)
        await ended(running)

    asyncio.run(go())
    assert len(looks) <= 3


def test_the_pump_outlives_a_store_that_is_away(store: Store, making, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "FIRST_WAIT_S", 0.01)
    making.story(store)
    feed = Script("one")

    async def go() -> None:
        one, _ = pump(Forgetful(store, 3), feed, now=making.START + HOUR)
        running = asyncio.create_task(one.run())
        async with asyncio.timeout(10):
            while len(feed.got) < 3:
                await asyncio.sleep(0.01)
        await ended(running)

    asyncio.run(go())
    assert feed.calls == [(1, 1), (1, 2), (1, 3)]


@given(st.integers(1, 1000), st.one_of(st.none(), st.floats(0, 1e9)), st.integers())
def test_waits_are_bounded_and_never_shorter_than_asked(attempts: int, asked: float | None, seed: int) -> None:
    waits = wait_s(attempts, asked, random.Random(seed))
    assert 2.5 <= waits <= max(outbox.LONGEST_WAIT_S, outbox.LONGEST_RETRY_AFTER_S)
    assert waits >= min(asked or 0, outbox.LONGEST_RETRY_AFTER_S)
    assert asked or waits <= outbox.LONGEST_WAIT_S


def test_waits_double() -> None:
    class Whole(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return b

    assert [wait_s(tries, None, Whole()) for tries in (1, 2, 3, 8, 9, 50)] == [5.0, 10.0, 20.0, 640.0, 900.0, 900.0]


CHILD = """
import asyncio, random, sys
from datetime import UTC, datetime
from pathlib import Path
from reports.feeds import jsonl
from reports.feeds.outbox import Pump
from reports.store.store import open_store
now = lambda: datetime(2027, 1, 1, tzinfo=UTC)
with open_store(sys.argv[1], feeds=("one",), service=True) as store:
    feed = jsonl.open("one", jsonl.Options(path=sys.argv[2]), now=now, render=lambda event, language: ("", ""))
    print("ready", flush=True)
    asyncio.run(Pump(store, [feed], now, lambda message: message.id).run())
"""


def test_every_event_arrives_though_the_pump_is_killed_again_and_again(tmp_path: Path, making) -> None:
    import json

    with open_store(tmp_path / "state", feeds=("one",), service=True) as store:
        for at in range(60):
            making.story(store, f"n{at}")
    path = tmp_path / "cases.jsonl"
    for life in range(400):  # on a busy machine a life delivers little
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path / "state"), str(path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(((life * 7919) % 100) / 1500)
        child.kill()
        child.wait()
        child.stdout.close()
        with open_store(tmp_path / "state", feeds=("one",), service=True) as store:
            if store.backlog()[0].pending == 0:
                break
    assert life >= 3
    lines = []
    for line in path.read_text().split("\n"):
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    got = [(line["case"], line["number"]) for line in lines]
    assert set(got) == {(case, number) for case in range(1, 61) for number in (1, 2, 3)}
    assert len(got) <= 180 + 40
    first = list(dict.fromkeys(got))
    assert all(first.index((case, number)) < first.index((case, number + 1)) for case in range(1, 61) for number in (1, 2))
