"""Gets case events out: opens the configured feeds and runs the pump over the store's outbox."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from probe.agent.settings.settings import Settings
from reports.feeds import catalogue
from reports.feeds.feed import Feed
from reports.feeds.outbox import Pump
from reports.locale.text import texts
from reports.render.notice import notice
from reports.store.errors import StoreError
from reports.store.store import Store
from reports.store.values import Backlog

log = logging.getLogger(__name__)

LOOK_S = 10.0
LATE = timedelta(seconds=60)  # an event that waits longer than this shows as trouble


class Telling:
    """The telling half of the service; `backlog` is how far each feed is behind."""

    def __init__(self, settings: Settings, store: Store, now: Callable[[], datetime]) -> None:
        self._store, self._now = store, now
        self.backlog: list[Backlog] = []
        self._changed = asyncio.Event()
        self.apply(settings)

    def apply(self, settings: Settings) -> None:
        """Put the feeds of a configuration in force; ValueError when one contradicts itself, and then the old ones stay."""
        feeds = open_feeds(settings, self._now)
        self._store.feeds = tuple(feed.name for feed in feeds)
        english = texts("en")
        self._pump = Pump(self._store, feeds, self._now, english.say)
        self._changed.set()

    def wake(self) -> None:
        """Say that the store has accepted something."""
        self._pump.wake()

    async def run(self) -> None:
        """Deliver until cancelled; a new configuration gets a new pump."""
        while True:
            self._changed.clear()
            pump = asyncio.create_task(self._pump.run(), name="pump")
            changed = asyncio.create_task(self._changed.wait(), name="feeds changed")
            try:
                await asyncio.wait({pump, changed}, return_when=asyncio.FIRST_COMPLETED)
                if pump.done() and not changed.done():
                    pump.result()  # a pump without feeds ends at once, one that raised says why
                    await changed
            finally:
                for task in (pump, changed):
                    task.cancel()
                await asyncio.gather(pump, changed, return_exceptions=True)

    async def look(self) -> None:
        """Keep the backlog's figures and see to it that nothing waits for a time that our clock has left again, until cancelled."""
        while True:
            try:
                if await asyncio.to_thread(self._store.clock_set_back, self._now()):
                    log.warning("our clock was set back: what waits to be told is due now")
                    self.wake()
                self.backlog = await asyncio.to_thread(self._store.backlog)
            except StoreError:
                log.debug("no backlog while the store is away")
            await asyncio.sleep(LOOK_S)

    def late(self, now: datetime) -> list[Backlog]:
        """Return the feeds that do not get rid of their events."""
        return [one for one in self.backlog if one.oldest_at is not None and now - one.oldest_at > LATE]


def open_feeds(settings: Settings, now: Callable[[], datetime]) -> list[Feed]:
    """Return the open feeds of a configuration; ValueError when the options of one contradict themselves."""
    return [catalogue.load(feed.kind).open(feed.name, feed.options, now=now, render=notice) for feed in settings.feeds]
