"""Several agents on one store as several places to look from: each tells the others what it sees of the nodes, and takes in what they see.

Times in the store are the database's. Each exchange measures how far our clock is from it, within half of the time that the question took;
a sign of life is dated back by that, so that it is never taken to be later than it was.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from checks.assess import Memory
from checks.correlation.signs import Sign, signs
from checks.correlation.view import View
from probe.agent.casework import Casework
from probe.agent.watching import NEAR, Watch
from probe.schedule import JobKey
from reports.store import sight
from reports.store.errors import StoreError
from reports.store.store import Store

log = logging.getLogger(__name__)

READ_S = 2.0  # what others see is taken in this often
WRITE_S = 5.0  # what we see, when it changed
BUSY_S = 1.0  # both, while a verdict waits or another agent has just lost sight of something that we measure
RENEW = timedelta(seconds=15)  # a sign of life that only grew newer is told this often
WANTED = timedelta(seconds=60)  # … and at once for so long after another agent lost sight of its node
AROUND = timedelta(seconds=20)  # … and of all nodes for so long after another one lost sight of ourselves
OVERLAP_US = 10_000_000  # rows are read again for this long: transactions end in another order than they began
WHOLE_EVERY_S = 300.0  # all rows are read, and all that we see is told anew
MOST_HASTENED = 200  # nodes measured at once because another agent lost sight of them, or the nearest when it lost sight of us


class Clock(msgspec.Struct, frozen=True):
    """How far the database's clock is ahead of ours, at most `unsure` wrong."""

    ahead: timedelta
    unsure: timedelta

    def theirs(self, at: datetime) -> int:
        """Return our time by the database's clock, in microseconds."""
        return sight.micros(at + self.ahead)

    def ours(self, micros: int) -> datetime:
        """Return a time of the database's clock by ours."""
        return sight.instant(micros) - self.ahead


class Vantage:
    """The exchange. It hands the views to the casework, and has measured at once what another agent has just lost sight of."""

    def __init__(self, watch: Watch, casework: Casework, store: Store, now: Callable[[], datetime]) -> None:
        self._watch, self._casework, self._store, self._now = watch, casework, store, now
        self._told: dict[str, tuple[Sign, datetime]] = {}
        self._rows: dict[tuple[str, str], sight.Sight] = {}
        self._wanted: dict[str, datetime] = {}  # by node of ours: when another agent was first heard to have lost it
        self._around_at: datetime | None = None  # when we looked around, for another agent had lost sight of ourselves
        self._clock: Clock | None = None
        self._since = 0
        self._whole_at = self._write_at = 0.0
        self._seen: frozenset[tuple[str, str]] = frozenset()
        self._away = False

    async def run(self) -> None:
        """Exchange until cancelled; nothing at all when the store is one agent's own."""
        if not self._store.shared:
            await asyncio.Event().wait()
        loop = asyncio.get_running_loop()
        while True:
            busy = self._casework.waits.is_set() or any(self._now() - at <= WANTED / 3 for at in self._wanted.values())
            with suppress(TimeoutError):
                async with asyncio.timeout(BUSY_S if busy else READ_S):
                    await (asyncio.Event() if busy else self._casework.waits).wait()
            now_s = loop.time()
            whole, write = now_s >= self._whole_at, busy or now_s >= self._write_at
            try:
                lost, news = await asyncio.to_thread(self._exchange, dict(self._watch.memories), whole, write)
            except StoreError as why:
                if not self._away:
                    log.warning("what other agents see is not known for now: %s", why)
                self._away = True
                continue
            self._away = False
            self._whole_at = now_s + WHOLE_EVERY_S if whole else self._whole_at
            self._write_at = now_s + WRITE_S if write else self._write_at
            if news:
                self._casework.wake()
            self._watch.hasten(job.key for node in lost for job in self._watch.jobs_of(node) if job.prober in NEAR)

    def _exchange(self, memories: Mapping[JobKey, Memory], whole: bool, write: bool) -> tuple[list[str], bool]:
        """Take in and tell; return the nodes of ours that another agent has newly lost sight of, and whether others say new things of what
        is dark to us.
        """
        lost = self._read(memories, whole)
        if write or whole or lost:
            topology = self._watch.topology
            own = {node: one for node, one in signs(memories).items() if not topology.local(node)}  # each has a loopback of its own
            now, settings = self._now(), self._watch.settings
            own[settings.inventory.here] = Sign(now, None)  # that we tell anything is our own sign of life
            self._tell(own, now, whole)
            return lost, self._hand_over(own, now)
        return lost, False

    def _read(self, memories: Mapping[JobKey, Memory], whole: bool) -> list[str]:
        before = self._now()
        at, rows = self._store.sights(0 if whole else self._since)
        after = self._now()
        self._clock = Clock(sight.instant(at) - before - (after - before) / 2, abs(after - before) / 2)
        self._since = at - OVERLAP_US
        if whole:
            self._rows.clear()
        self._rows.update(((one.agent, one.node), one) for one in rows)
        here = self._watch.settings.inventory.here
        dark = {one.node for one in self._rows.values() if one.dark_since is not None}
        ours = {node for node, _, _ in memories} | {here}
        lost = sorted((dark - self._wanted.keys()) & ours)[:MOST_HASTENED]
        self._wanted = {node: at for node, at in self._wanted.items() if node in dark} | dict.fromkeys(lost, after)
        if here not in lost:
            return lost
        self._around_at = after  # perhaps we are the one that is blind
        far = self._watch.topology.distance
        return sorted(ours, key=lambda node: (far.get(node, len(far)), node))[:MOST_HASTENED]

    def _tell(self, own: Mapping[str, Sign], now: datetime, whole: bool) -> None:
        assert self._clock is not None
        settings = self._watch.settings
        if whole:
            self._told.clear()
        news = {node: one for node, one in own.items() if self._is_news(node, one, now)}
        agent, here = settings.agent.name, settings.inventory.here
        rows = [sight.Sight(agent, here, node, self._alive(one), self._dark(one)) for node, one in news.items()]
        if rows or whole:
            self._store.tell_sight(rows, whole)
        self._told.update((node, (one, now)) for node, one in news.items())

    def _is_news(self, node: str, one: Sign, now: datetime) -> bool:
        told = self._told.get(node)
        if told is None or (one.dark_since is None) is not (told[0].dark_since is None):
            return True
        if one == told[0]:
            return False
        if now - told[1] >= RENEW or now < told[1]:
            return True
        wanted = self._wanted.get(node)
        return (wanted is not None and now - wanted <= WANTED) or (self._around_at is not None and now - self._around_at <= AROUND)

    def _alive(self, one: Sign) -> int | None:
        assert self._clock is not None
        return self._clock.theirs(one.alive_at - self._clock.unsure) if one.alive_at is not None else None

    def _dark(self, one: Sign) -> int | None:
        assert self._clock is not None
        return self._clock.theirs(one.dark_since) if one.dark_since is not None else None

    def _hand_over(self, own: Mapping[str, Sign], now: datetime) -> bool:
        """Give the casework what the others see now; return whether that says something new of what is dark to us."""
        assert self._clock is not None
        clock = self._clock
        parts: dict[tuple[str, str], tuple[dict[str, datetime], dict[str, datetime]]] = {}
        for one in self._rows.values():
            alive, dark = parts.setdefault((one.agent, one.here), ({}, {}))
            if one.alive_at is not None:
                alive[one.node] = clock.ours(one.alive_at) - clock.unsure
            if one.dark_since is not None:
                dark[one.node] = clock.ours(one.dark_since)
        views = tuple(View(agent, here, alive, dark) for (agent, here), (alive, dark) in sorted(parts.items()))
        self._casework.views = views
        silent = [(node, one.dark_since) for node, one in own.items() if one.dark_since is not None]
        seen = frozenset((view.agent, node) for view in views for node, since in silent if view.sees(node, since) or node in view.dark)
        before, self._seen = self._seen, seen
        return seen != before
