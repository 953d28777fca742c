"""The service without its HTTP side: real prober, scheduler, judging, state, casework and store, so that the figures are the service's."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from probe.agent.casework import Casework
from probe.agent.planned import Planned
from probe.agent.settings.settings import Agent, Settings
from probe.agent.usual import Usual
from probe.agent.watching import Watch
from probe.inventory import Inventory, Node
from probe.job import Job
from probe.observation.failure import Failure
from probe.observation.observation import Observation
from probe.probers import catalogue
from probe.run import Runner
from reports.store.store import Store, open_store

AGENT = "bench"
SELDOM_S = 86_400.0  # the bench decides when something is due, not the period


def utc_now() -> datetime:
    """Return the time, as the service hands it to every room."""
    return datetime.now(UTC)


class Counting(Watch):
    """The service's own Watch, which also says when a round is finished."""

    left = 0
    finished: asyncio.Event

    def _deliver(self, results: list[tuple[Job, Observation]]) -> None:
        super()._deliver(results)
        self.left -= len(results)
        if self.left <= 0:
            self.finished.set()


class Pipeline:
    """A running service of these jobs, measured in rounds."""

    def __init__(self, watch: Counting, store: Store) -> None:
        self._watch, self._store = watch, store

    async def round(self, jobs: Sequence[Job], patience_s: float = 60.0) -> None:
        """Measure these jobs now, once each, as the scheduler does with what falls due together; returns when all is judged."""
        watch = self._watch
        watch.left, watch.finished = len(jobs), asyncio.Event()
        watch.hasten(job.key for job in jobs)
        await asyncio.wait_for(watch.finished.wait(), patience_s)

    async def cost_s(self, jobs: Sequence[Job], rounds: int) -> float:
        """Return the CPU seconds (user and system, all threads) of one job, mean of some rounds."""
        start = time.process_time()
        for _ in range(rounds):
            await self.round(jobs)
        return (time.process_time() - start) / (rounds * len(jobs))

    def failures(self) -> list[Observation]:
        """Return the last observations that are failures: a bench of failures measures nothing."""
        last = (memory.before for memory in self._watch.memories.values())
        return [seen for seen in last if seen is not None and isinstance(seen.outcome, Failure)]


def job(prober: str, address: str, name: str = "", /, **options: object) -> Job:
    """Return one check of one node, named after its address unless it has a name."""
    return Job(AGENT, Node(name or f"{prober}-{address}", address), prober, catalogue.load(prober).Options(**options), SELDOM_S)


@asynccontextmanager
async def pipeline(jobs: Iterable[Job], folder: Path) -> AsyncIterator[Pipeline]:
    """Run the service's parts for these jobs on a store in `folder`; the first readings of all are over when the block begins."""
    jobs = tuple(jobs)
    nodes = {one.node.name: one.node for one in jobs}
    settings = Settings(Agent(AGENT), Inventory("here", {"here": Node("here", "localhost"), **nodes}), jobs)
    async with AsyncExitStack() as stack:
        store = stack.enter_context(open_store(folder, agent=AGENT, service=True))
        runner = await stack.enter_async_context(Runner(utc_now))
        usual = Usual()
        casework: list[Casework] = []
        watch = Counting(settings, runner, usual, utc_now, lambda: casework[0].wake())  # noqa: PLW0108  there is none yet
        watch.finished = asyncio.Event()
        casework.append(Casework(watch, store, Planned(settings), utc_now, lambda: None))
        save, read = partial(_save, store), partial(_read, store)
        parts = (watch.run(), watch.sweep(), casework[0].run(), usual.run(utc_now, save, read))
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            one = Pipeline(watch, store)
            for _ in range(3):  # the third good reading in a row leaves nothing to be stored
                await one.round(jobs)
            await asyncio.sleep(1.0)
            yield one
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _save(store: Store, hours: list) -> None:  # type: ignore[type-arg]
    await asyncio.to_thread(store.save_hours, hours)


async def _read(store: Store, hour: int) -> list:  # type: ignore[type-arg]
    return await asyncio.to_thread(store.hours, hour, AGENT)
