"""The pump: takes what is due from the outbox and hands it to the feeds, each feed in a task of its own.

At least once: an event is settled only after its feed returned, so what was in the air when the program ended goes out again. In order:
the next event of a case waits until the one before it is delivered or given up. Trouble is kept apart: a feed that hangs or is down
delays nobody else. A try in vain is repeated after 5 s, doubling to at most 15 min, with jitter, never before the time that the other side
named (up to 6 h). What was refused 8 times, or could not be delivered for 3 days (and 8 times), is given up, stays visible as "dead" with
its reason, and can be made due again.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import msgspec

from checks.finding import Message
from reports.feeds.feed import Feed, Later, Refused, Text, feed_event
from reports.feeds.options import Clock
from reports.locale.text import printable
from reports.store.errors import StoreError
from reports.store.values import Due

log = logging.getLogger(__name__)

FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 900.0
LONGEST_RETRY_AFTER_S = 6 * 3600.0
TRIES = 8
KEPT_TRYING = timedelta(days=3)
BATCH = 50
FAILURES_IN_A_ROW = 3
DEADLINE_S = 60.0
LOOKS_EVERY_S = 60.0

R = TypeVar("R")


class Outbox(Protocol):
    """The part of the store that the pump uses."""

    def due(self, feed: str, now: datetime, limit: int = ...) -> list[Due]: ...  # noqa: D102
    def next_due_at(self, feed: str) -> datetime | None: ...  # noqa: D102
    def delivered(self, one: Due) -> None: ...  # noqa: D102
    def failed(self, one: Due, next_at: datetime, error: str) -> None: ...  # noqa: D102
    def dead(self, one: Due, reason: str) -> None: ...  # noqa: D102


def wait_s(attempts: int, retry_after_s: float | None, chance: random.Random) -> float:
    """Return how long to wait after `attempts` tries in vain (1 …): doubling, jittered down to the half, not before `retry_after_s`."""
    doubled: float = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(attempts - 1, 20))
    jittered = doubled * chance.uniform(0.5, 1.0)
    return max(jittered, min(retry_after_s or 0.0, LONGEST_RETRY_AFTER_S))


class Pump:
    """Runs until it is cancelled; `wake` after the store accepted something, or it looks once a minute."""

    def __init__(self, store: Outbox, feeds: Sequence[Feed], now: Clock, text: Text, chance: random.Random | None = None) -> None:
        self._store = store
        self._feeds = tuple(feeds)
        self._now = now
        self._text = text
        self._chance = chance or random.Random()  # noqa: S311 - jitter, not a secret
        self._woken = {feed.name: asyncio.Event() for feed in self._feeds}
        self._unsettled: dict[str, dict[tuple[int, int], Due]] = {feed.name: {} for feed in self._feeds}

    def wake(self) -> None:
        """Let every feed look now."""
        for woken in self._woken.values():
            woken.set()

    async def run(self) -> None:
        """Deliver what becomes due, for ever. Cancelling is safe at any time."""
        async with asyncio.TaskGroup() as group:
            for feed in self._feeds:
                group.create_task(self._serve(feed), name=f"feed {feed.name}")

    async def _serve(self, feed: Feed) -> None:
        away = 0
        while True:
            woken = self._woken[feed.name]
            woken.clear()
            try:
                pause = await self.once(feed)
                away = 0
            except StoreError as why:
                away += 1
                log.log(logging.WARNING if away == 1 else logging.DEBUG, "feed %s waits for the store: %s", feed.name, why)
                await _first_of(
                    woken.wait(), min(wait_s(away, None, self._chance), LOOKS_EVERY_S)
                )  # woken: the store has accepted something
                continue
            if pause is None:
                pause = await self._until_due(feed)
                await _first_of(woken.wait(), pause)
            else:
                await asyncio.sleep(pause)

    async def once(self, feed: Feed) -> float | None:
        """Deliver one batch of what is due; returns seconds to leave the feed alone, None when it may be served at once. StoreError."""
        await self._settle_late(feed)
        in_a_row = 0
        for one in await asyncio.to_thread(self._store.due, feed.name, self._now(), BATCH):
            try:
                await self._hand_over(feed, one)
                in_a_row = 0
            except Refused as why:
                await self._refused(feed, one, why)
            except Later as why:
                in_a_row += 1
                await self._later(feed, one, why)
                if why.retry_after_s:
                    return min(why.retry_after_s, LONGEST_RETRY_AFTER_S)
                if in_a_row >= FAILURES_IN_A_ROW:  # it is the other side that is down, not this event: leave the rest for later
                    return wait_s(max(1, one.attempts), None, self._chance)
        return None

    async def _hand_over(self, feed: Feed, one: Due) -> None:
        try:
            event = feed_event(one.event, self._say)
        except (msgspec.ValidationError, KeyError, ValueError) as why:
            raise Refused(f"this event cannot be read: {why}", final=True) from why
        try:
            async with asyncio.timeout(DEADLINE_S):
                await feed.deliver(event)
        except TimeoutError as why:
            raise Later(f"no end after {DEADLINE_S:.0f} s") from why
        except (Later, Refused):
            raise
        except Exception as why:
            log.exception("feed %s failed", feed.name)
            raise Later(f"the feed itself failed: {why!r}") from why
        self._unsettled[feed.name][one.event.case, one.event.number] = one
        await self._settle_late(feed)

    def _say(self, message: Message) -> str:
        """Return the English of a message; what cannot be said in words is told by its id: an event is not lost for a text."""
        try:
            return self._text(message)
        except Exception:
            log.exception("no text for %s", message.id)
            return f"{message.id} {message.values}"

    async def _settle_late(self, feed: Feed) -> None:
        """Settle what was delivered, also what the store could not note at the time, so that it does not go out twice without need."""
        unsettled = self._unsettled[feed.name]
        for key, one in list(unsettled.items()):
            await asyncio.to_thread(self._store.delivered, one)
            del unsettled[key]

    async def _later(self, feed: Feed, one: Due, why: Later) -> None:
        now, tries = self._now(), one.attempts + 1
        if tries >= TRIES and now - one.accepted_at > KEPT_TRYING:
            await self._give_up(feed, one, f"not delivered in {tries} tries: {_words(why)}")
            return
        wait = timedelta(seconds=wait_s(tries, why.retry_after_s, self._chance))
        log.info("feed %s: case %d event %d later (%s)", feed.name, one.event.case, one.event.number, _words(why))
        await asyncio.to_thread(self._store.failed, one, now + wait, _words(why))

    async def _refused(self, feed: Feed, one: Due, why: Refused) -> None:
        tries = one.attempts + 1
        if why.final or tries >= TRIES:
            await self._give_up(feed, one, _words(why))
            return
        wait = timedelta(seconds=wait_s(tries, None, self._chance))
        log.warning("feed %s refuses case %d event %d: %s", feed.name, one.event.case, one.event.number, _words(why))
        await asyncio.to_thread(self._store.failed, one, self._now() + wait, _words(why))

    async def _give_up(self, feed: Feed, one: Due, reason: str) -> None:
        log.error("feed %s gives up case %d event %d: %s", feed.name, one.event.case, one.event.number, reason)
        await asyncio.to_thread(self._store.dead, one, reason)

    async def _until_due(self, feed: Feed) -> float:
        try:
            at = await asyncio.to_thread(self._store.next_due_at, feed.name)
        except StoreError:
            return FIRST_WAIT_S
        if at is None:
            return LOOKS_EVERY_S
        return max(0.0, min(LOOKS_EVERY_S, (at - self._now()).total_seconds()))


def _words(why: Exception) -> str:
    """Return a reason that every store takes: the other side's words may hold what no database keeps."""
    return printable(str(why))


async def _first_of(woken: Awaitable[R], pause_s: float) -> None:
    try:
        await asyncio.wait_for(woken, pause_s)
    except TimeoutError:
        pass
