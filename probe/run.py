"""Runs jobs: one deadline each, exceptions become Failures, concurrency is bounded, bursts go together."""

import asyncio
import errno
import logging
import ssl
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from time import monotonic
from types import TracebackType
from typing import Any, Self

from probe.deadline import within
from probe.job import Job
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation, Outcome
from probe.probers import catalogue
from probe.probers.prober import BurstProber, Prober
from probe.resolve import Unresolved

log = logging.getLogger(__name__)

IN_FLIGHT = 1000  # sockets that single measurements may hold at once; more wait their turn
BURST_GRACE_S = 2.0  # a burst keeps its own time; this much later it is taken for stuck

Deliver = Callable[[list[tuple[Job, Observation]]], None]

_KIND_OF_ERRNO = {
    errno.ECONNREFUSED: Kind.REFUSED,
    errno.ECONNRESET: Kind.REJECTED,
    errno.EPIPE: Kind.REJECTED,
    errno.EHOSTUNREACH: Kind.UNREACHABLE,
    errno.EHOSTDOWN: Kind.UNREACHABLE,
    errno.ETIMEDOUT: Kind.TIMEOUT,
    errno.ENETUNREACH: Kind.UPLINK,
    errno.ENETDOWN: Kind.UPLINK,
    errno.EADDRNOTAVAIL: Kind.UPLINK,
    errno.EACCES: Kind.DENIED,
    errno.EPERM: Kind.DENIED,
    errno.EMFILE: Kind.DENIED,
    errno.ENFILE: Kind.DENIED,
    errno.ENOBUFS: Kind.DENIED,
    errno.ENOMEM: Kind.DENIED,
}


def failure_of(why: BaseException, job: Job) -> Failure:
    """Return what an exception of a prober means; one that is not expected is a `broken` Failure, its traceback in the log."""
    match why:
        case Unresolved():
            return why.failure
        case TimeoutError():
            return Failure(Kind.TIMEOUT, f"> {job.timeout_s:g} s")
        case ssl.SSLError():  # an OSError whose numbers are OpenSSL's own: 1 is not EPERM
            return Failure(Kind.REJECTED, why.reason or "TLS failed")
        case OSError() if why.errno in _KIND_OF_ERRNO:
            return Failure(_KIND_OF_ERRNO[why.errno], why.strerror or str(why))
        case ConnectionError() | asyncio.IncompleteReadError():
            return Failure(Kind.REJECTED, "connection closed before the answer was complete")
    log.error("prober %s on %s raised", job.prober, job.node.name, exc_info=why)
    return Failure(Kind.BROKEN, f"{type(why).__name__} in prober {job.prober}; the traceback is in the log")


async def observe(job: Job, prober: Prober, now: Callable[[], datetime]) -> Observation:
    """Run one job under its deadline; what went wrong is the outcome."""
    at, start = now(), monotonic()
    outcome: Outcome
    try:
        with within(job.timeout_s):
            async with asyncio.timeout(job.timeout_s):
                outcome = await prober.ask(job.node, job.options)
    except Exception as why:  # noqa: BLE001  a broken prober must not end the service
        outcome = failure_of(why, job)
    return _observation(job, at, start, outcome)


def _observation(job: Job, at: datetime, start: float, outcome: Outcome) -> Observation:
    took_ms = (monotonic() - start) * 1000
    return Observation(job.agent, job.node.name, job.prober, at, took_ms, outcome, job.options.item)


async def observe_all(jobs: Sequence[Job], prober: BurstProber, now: Callable[[], datetime], deliver: Deliver) -> None:
    """Run jobs as one burst; each is delivered once, as soon as it is known, and none is left out."""
    at, start = now(), monotonic()
    waiting = {job.key: job for job in jobs}
    try:
        async with asyncio.timeout(max(job.timeout_s for job in jobs) + BURST_GRACE_S):
            async for outcomes in prober.ask_all(jobs):
                deliver([(job, _observation(job, at, start, outcome)) for job, outcome in outcomes])
                for job, _ in outcomes:
                    waiting.pop(job.key, None)
    except Exception as why:  # noqa: BLE001  as above
        deliver([(job, _observation(job, at, start, failure_of(why, job))) for job in waiting.values()])
        return
    if waiting:
        lost = RuntimeError(f"{len(waiting)} jobs of a burst were never answered")
        deliver([(job, _observation(job, at, start, failure_of(lost, job))) for job in waiting.values()])


class Runner:
    """Open probers and the measurements under way. Use as an async context manager; leaving it cancels what still runs."""

    def __init__(self, now: Callable[[], datetime], in_flight: int = IN_FLIGHT) -> None:
        self._now = now
        self._places = asyncio.Semaphore(in_flight)
        self._open: dict[str, Any] = {}
        self._bursts: set[str] = set()  # asked once: isinstance with a Protocol looks at all its members each time
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, why: BaseException | None, trace: TracebackType | None) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    async def prober(self, name: str) -> Any:
        """Return the open prober `name`, opening it on first use; what `open()` raises goes to the caller."""
        if name not in self._open:
            async with self._opening:
                if name not in self._open:
                    self._open[name] = prober = await self._stack.enter_async_context(catalogue.load(name).open())
                    if isinstance(prober, BurstProber):
                        self._bursts.add(name)
        return self._open[name]

    def start(self, jobs: Sequence[Job], deliver: Deliver) -> None:
        """Begin to measure; `deliver` is called in the loop with what is finished, every job exactly once."""
        by_prober: dict[str, list[Job]] = {}
        for job in jobs:
            by_prober.setdefault(job.prober, []).append(job)
        for name, group in by_prober.items():
            task = asyncio.create_task(self._run_group(name, group, deliver), name=f"measure {name}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run_group(self, name: str, jobs: list[Job], deliver: Deliver) -> None:
        at, start = self._now(), monotonic()
        try:
            prober = await self.prober(name)
        except Exception as why:  # noqa: BLE001  as above
            deliver([(job, _observation(job, at, start, failure_of(why, job))) for job in jobs])
            return
        if name in self._bursts:
            await observe_all(jobs, prober, self._now, deliver)
        elif len(jobs) == 1:
            await self._run_one(jobs[0], prober, deliver)
        else:
            async with asyncio.TaskGroup() as group:
                for job in jobs:
                    group.create_task(self._run_one(job, prober, deliver))

    async def _run_one(self, job: Job, prober: Prober, deliver: Deliver) -> None:
        async with self._places:
            seen = await observe(job, prober, self._now)
        deliver([(job, seen)])
