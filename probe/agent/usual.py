"""What is usual at this hour: gathers the hour's readings, keeps their summaries, and has the baselines at hand."""

import asyncio
import logging
from array import array
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta

from checks.baseline import Baseline, HourSummary, combine, summarise
from checks.finding import Key
from reports.store.values import Hour

log = logging.getLogger(__name__)

MOST_SERIES = 5000  # as many as the store keeps; later ones are judged by their limits alone
MOST_READINGS = 720  # of one series in one hour: one each 5 s
SLICE = 100


class Usual:
    """The readings of the running hour, and the baselines of this hour of the day.

    `dropped` counts the readings of series beyond the bound. A service that is killed loses the readings of its running hour, no more.
    """

    def __init__(self) -> None:
        self.baselines: dict[Key, Baseline] = {}
        self.dropped = 0
        self._hour: datetime | None = None
        self._hour_ends = datetime.max.replace(tzinfo=UTC)
        self._values: dict[Key, array[float]] = {}
        self._full: list[tuple[datetime, dict[Key, array[float]]]] = []

    @property
    def series(self) -> int:
        """How many series the running hour has."""
        return len(self._values)

    def add(self, at: datetime, values: Iterable[tuple[Key, float]]) -> None:
        """Take the readings of one observation."""
        if self._hour is None or not self._hour <= at < self._hour_ends:  # two comparisons; making the hour of each reading cost more
            self._begin(at.replace(minute=0, second=0, microsecond=0))
        series = self._values
        for key, value in values:
            kept = series.get(key)
            if kept is None:
                if len(series) >= MOST_SERIES:
                    self.dropped += 1
                    continue
                kept = series[key] = array("f")
            if len(kept) < MOST_READINGS:
                kept.append(value)

    def _begin(self, hour: datetime) -> None:
        if self._hour is not None and self._values:
            self._full.append((self._hour, self._values))
        self._hour, self._hour_ends, self._values = hour, hour + timedelta(hours=1), {}

    async def close_hours(self) -> list[Hour]:
        """Return the summaries of the hours that ended since the last call, made in slices so that nothing waits for them."""
        hours = []
        while self._full:
            at, series = self._full.pop(0)
            for number, (key, values) in enumerate(series.items()):
                summary = summarise(values)
                if summary is not None:
                    hours.append(Hour(key, at, summary.count, summary.median, summary.mad))
                if number % SLICE == SLICE - 1:
                    await asyncio.sleep(0)
        return hours

    async def recall(self, hours: Iterable[Hour]) -> None:
        """Make the baselines of one hour of the day from what the store kept of it."""
        by_key: dict[Key, list[HourSummary]] = {}
        for hour in hours:
            by_key.setdefault(hour.key, []).append(HourSummary(hour.count, hour.median, hour.mad))
        made = {}
        for number, (key, summaries) in enumerate(by_key.items()):
            baseline = combine(summaries)
            if baseline is not None:
                made[key] = baseline
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)
        self.baselines = made

    async def run(
        self,
        now: Callable[[], datetime],
        save: Callable[[list[Hour]], Awaitable[None]],
        read: Callable[[int], Awaitable[list[Hour]]],
    ) -> None:
        """Keep the baselines of the present hour in force and store what has ended, until cancelled."""
        current: int | None = None
        while True:
            ended = await self.close_hours()
            try:
                if ended:
                    await save(ended)
                if now().hour != current:
                    await self.recall(await read(now().hour))
                    current = now().hour
            except OSError as why:
                log.warning("baselines wait for the store: %s", why)
            await asyncio.sleep(_until_next_look(now()))


def _until_next_look(now: datetime) -> float:
    """Return the seconds to shortly after the next full hour, a minute at most: clocks are set sometimes."""
    after = now.astimezone(UTC).replace(minute=0, second=2, microsecond=0) + timedelta(hours=1)
    return min(60.0, max(1.0, (after - now).total_seconds()))
