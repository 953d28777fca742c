"""What the service tells of itself: the status screen's value and the metrics' snapshot."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from importlib import metadata

from checks.assess import STALE_AFTER, Memory
from checks.finding import Message, State, worst
from probe.agent.casework import Casework
from probe.agent.inbox import Inboxes
from probe.agent.planned import Planned
from probe.agent.settings.settings import Settings
from probe.agent.telling import Telling
from probe.agent.traps import Traps
from probe.agent.watching import Watch
from reports.case import CaseState
from reports.metrics import Lag, Series, Snapshot
from reports.render.status import FeedTrouble, Maintenance, NotFresh, Status

VERSION = metadata.version("firstline")


class Reloads:
    """How the last reload went, and when a configuration was last taken."""

    def __init__(self, at: datetime) -> None:
        self.ok, self.at = True, at

    def note(self, ok: bool, at: datetime) -> None:
        """Keep the outcome of a reload."""
        self.ok = ok
        self.at = at if ok else self.at


class Showing:
    """Reads the parts of the service; keeps nothing itself."""

    def __init__(self, watch: Watch, casework: Casework, telling: Telling, planned: Planned, lag: Lag, started: datetime) -> None:
        self._watch, self._casework, self._telling, self._planned = watch, casework, telling, planned
        self._lag, self._started = lag, started
        self.reloads = Reloads(started)
        self.left_out: tuple[Message, ...] = ()
        self.traps: Traps | None = None
        self.inboxes: Inboxes | None = None

    @property
    def settings(self) -> Settings:
        """The configuration in force."""
        return self._watch.settings

    def measured_all(self) -> bool:
        """Tell whether every check was measured at least once since the start."""
        memories = self._watch.memories
        return all(job.key in memories and memories[job.key].last_at is not None for job in self.settings.jobs)

    def status(self, now: datetime) -> Status:
        """Return what the status screen shows."""
        watch = self._watch
        return Status(
            agent=self.settings.agent.name,
            version=VERSION,
            at=now,
            started_at=self._started,
            checks=len(self.settings.jobs),
            oldest_s=_seconds(watch.oldest(now)),
            cases=tuple(case for case in self._casework.open if case.cleared_at is None),
            stale=tuple(self._stale(now)),
            feeds=tuple(
                FeedTrouble(one.feed, one.pending, (now - one.oldest_at).total_seconds())
                for one in self._telling.late(now)
                if one.oldest_at is not None
            ),
            maintenance=tuple(self._maintenance(now)),
            problems=tuple(self._problems()),
            left_out=self.left_out,
        )

    def _stale(self, now: datetime) -> Iterator[NotFresh]:
        for job in self.settings.jobs:
            memory = self._watch.memories.get(job.key)
            age_s = _seconds(now - memory.last_at) if memory is not None and memory.last_at is not None else None
            limit_s = STALE_AFTER * job.every_s
            if (age_s is None and now - self._started > timedelta(seconds=limit_s)) or (age_s is not None and age_s > limit_s):
                yield NotFresh(job.node.name, job.prober, job.options.item, age_s, job.every_s)

    def _maintenance(self, now: datetime) -> Iterator[Maintenance]:
        for work in self._planned.announced:
            if work.starts_at <= now < work.ends_at:
                yield Maintenance(work.node, work.ends_at, work.reason, work.who)

    def _problems(self) -> Iterator[Message]:
        if self._casework.store_problem is not None:
            yield Message("status.store-away", {"why": self._casework.store_problem})
        if self._casework.broken:
            yield Message("status.casework-broken")
        if not self.reloads.ok:
            yield Message("status.reload-refused")
        yield from self._blind()

    def _blind(self) -> Iterator[Message]:
        """Yield once each why others can't be seen from here just now."""
        doubted = (one.message for memory in list(self._watch.memories.values()) for one in memory.found if one.state is State.UNKNOWN)
        yield from {message.id + str(message.values): message for message in doubted if message.id.startswith("sight.")}.values()

    def snapshot(self, now: datetime) -> Snapshot:
        """Return what the metrics show; for a thread: with 12,000 checks it takes 60 ms. What changes meanwhile is copied first."""
        watch = self._watch
        checks: Counter[tuple[str, State]] = Counter()
        for job in self.settings.jobs:
            found = watch.found(job.key)
            checks[job.prober, worst({one.state for one in found})] += 1
        kinds = {(prober, "ok" if kind == "sample" else kind): n for (prober, kind), n in list(watch.tally.observations.items())}
        cases = Counter((case.state, case.urgency, case.side) for case in self._casework.open if case.cleared_at is None)
        major = sum(case.major for case in self._casework.open if case.cleared_at is None)
        outbox = {}
        for one in self._telling.backlog:
            outbox[one.feed, "waiting"], outbox[one.feed, "dead"] = one.pending, one.dead
        return Snapshot(
            version=VERSION,
            agent=self.settings.agent.name,
            checks=checks,
            oldest_s=_seconds(watch.oldest(now)),
            observations=kinds,
            probe_seconds=dict(watch.tally.seconds),
            cases={(CaseState(state), urgency, side): n for (state, urgency, side), n in cases.items()},
            overruns=watch.timetable.overruns,
            lag=self._lag.read(),
            reload_ok=self.reloads.ok,
            reloaded_at=self.reloads.at,
            store_up=self._casework.store_problem is None,
            tracks=sum(len(memory.tracks) for memory in list(watch.memories.values())),
            outbox=outbox,
            notifications=self.traps.tally.counts() if self.traps is not None else None,
            audits=dict(self.inboxes.tally) if self.inboxes is not None and self.settings.inboxes else None,
            major=major,
            series=_series(list(watch.memories.values())) if self.settings.agent.per_target_metrics else None,
        )


def _series(memories: Iterable[Memory]) -> Iterator[Series]:
    for memory in memories:
        for one in memory.found:
            unit = one.levels.unit if one.levels is not None else ""
            yield Series(one.seen.node, one.check, one.item or one.seen.item, unit, one.value, one.state)


def _seconds(age: timedelta | None) -> float | None:
    return age.total_seconds() if age is not None else None
