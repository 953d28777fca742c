"""Which job is due when: spread by a stable hash, on a clock that is handed in; no clock of its own."""

import heapq
from collections.abc import Iterable
from zlib import crc32

from probe.job import Job

JobKey = tuple[str, str, str]


def phase(job: Job) -> float:
    """Return where in its period a job stands, in seconds: the same after every restart, even over many jobs."""
    return crc32("\0".join(job.key).encode()) / 2**32 * job.every_s


def next_due(job: Job, after: float) -> float:
    """Return the first moment later than `after` at which the job is due; moments are phase + k · period."""
    return _next(phase(job), job.every_s, after)


def _next(start: float, every_s: float, after: float) -> float:
    return start + ((after - start) // every_s + 1) * every_s


class Timetable:
    """All jobs and when each is due next. A job that was taken is not due again before it is given back with `done`.

    `overruns` counts the rounds that were left out because the job before was still running. A first or repeated measurement is made
    between the rounds; when it runs across the moment of one, it is that round's.
    """

    def __init__(self, jobs: Iterable[Job], now: float, first_within_s: float | None = None) -> None:
        """Plan all jobs; with `first_within_s` each one's first round comes within that time, in the same order."""
        self.jobs: dict[JobKey, Job] = {}
        self.overruns = 0
        self._heap: list[tuple[float, JobKey]] = []
        self._due: dict[JobKey, float] = {}
        self._between: set[JobKey] = set()  # jobs whose next or present measurement is not at its regular moment
        self._phases: dict[JobKey, float] = {}  # hashed once, not after each measurement
        for job in jobs:
            if job.key in self.jobs:
                raise ValueError(f"two jobs with the key {job.key}")
            self.jobs[job.key] = job
            start = self._phases[job.key] = phase(job)
            regular = _next(start, job.every_s, now)
            soon = now + start / job.every_s * first_within_s if first_within_s is not None else regular
            self._plan(job.key, soon, regular)

    def _plan(self, key: JobKey, soon: float | None, regular: float) -> None:
        if soon is not None and soon < regular:
            self._between.add(key)
            self._push(key, soon)
        else:
            self._push(key, regular)

    def _push(self, key: JobKey, at: float) -> None:
        self._due[key] = at
        heapq.heappush(self._heap, (at, key))

    def next_at(self) -> float | None:
        """Return when the next job is due; None when all are running or there are none."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> list[Job]:
        """Return the jobs due by `now` and take them off the table."""
        taken = []
        while (at := self.next_at()) is not None and at <= now:
            key = heapq.heappop(self._heap)[1]
            del self._due[key]
            taken.append(self.jobs[key])
        return taken

    def done(self, job: Job, started: float, now: float, again_in_s: float | None = None) -> None:
        """Put a job that ended at `now` back: at its next regular moment, or sooner when it is to be repeated."""
        key, every_s = job.key, job.every_s
        if self.jobs.get(key) is not job:
            return  # the configuration changed while it ran
        start = self._phases[key]
        regular = _next(start, every_s, now)
        missed = (regular - _next(start, every_s, started)) / every_s
        if missed >= 0.5:  # a period or more; less is the rounding of floats
            self.overruns += round(missed) - (key in self._between)
        self._between.discard(key)
        self._plan(key, None if again_in_s is None else now + again_in_s, regular)

    def hasten(self, key: JobKey, at: float) -> None:
        """Make a job due at `at` if that is sooner than planned; a running or unknown one is left alone."""
        if key in self._due and at < self._due[key]:
            self._between.add(key)
            self._push(key, at)
