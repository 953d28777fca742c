"""Measures all the time: takes what is due, has it measured, judges it, and keeps what is believed."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from checks import catalogue as judges
from checks.assess import Assessment, Memory, Rules, Scene, assess, stale
from checks.finding import Finding, Key
from checks.history import Change, Track
from probe.agent.eyes import Eyes
from probe.agent.settings.settings import Settings
from probe.agent.usual import Usual
from probe.job import Job
from probe.observation.failure import Failure
from probe.observation.observation import Observation
from probe.run import Runner
from probe.schedule import JobKey, Timetable

log = logging.getLogger(__name__)

TICK_S = 0.1  # jobs that fall due within one tick start together, so that echoes leave in bursts
FIRST_WITHIN_S = 5.0  # after a start every check comes once within this time, or within its period if that is shorter
REPEAT_S = 1.5  # a bad reading that is not believed yet is repeated this soon
STALE_SWEEP_S = 10.0
SLICE = 200  # jobs looked at before the loop is given back
SECOND_LOOK_S = 1.0


class Tally(msgspec.Struct):
    """Counted since the start, for the metrics."""

    observations: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)
    seconds: dict[str, float] = msgspec.field(default_factory=dict)


class Watch:
    """The measuring half of the service. `on_change` is called in the loop when what is believed has changed."""

    def __init__(
        self, settings: Settings, runner: Runner, usual: Usual, now: Callable[[], datetime], on_change: Callable[[], None]
    ) -> None:
        self._runner, self._usual, self._now, self._on_change = runner, usual, now, on_change
        self._poke = asyncio.Event()
        self._started: dict[JobKey, float] = {}
        self.memories: dict[JobKey, Memory] = {}
        self.latest: dict[JobKey, tuple[Finding, ...]] = {}
        self.moved: dict[Key, Track] = {}
        self.forgotten: set[Key] = set()
        self.tally = Tally()
        self._turned = self._now_s()
        self.apply(settings)

    def apply(self, settings: Settings, tracks: Mapping[Key, Track] | None = None) -> None:
        """Put a configuration in force; what is believed of checks that stay is kept, and `tracks` of earlier runs are taken up."""
        loop = asyncio.get_running_loop()
        self.settings = settings
        self.eyes = Eyes(settings)
        self.rules = {job.key: _rules(job, settings, self.eyes) for job in settings.jobs}
        self._by_node: dict[str, list[Job]] = {}
        for job in settings.jobs:
            self._by_node.setdefault(job.node.name, []).append(job)
        here = settings.inventory.here
        self._own_jobs = [job.key for job in settings.jobs if job.node.name == here and job.prober == "interfaces"]
        self._gateway_jobs: dict[str, list[JobKey]] = {}
        for job in settings.jobs:
            if job.prober == "icmp" and job.node.address is not None:
                self._gateway_jobs.setdefault(job.node.address, []).append(job.key)
        self._own_look = 0.0
        self.timetable = Timetable(settings.jobs, loop.time(), FIRST_WITHIN_S)
        self.memories = {key: memory for key, memory in self.memories.items() if key in self.rules}
        self.latest = {key: found for key, found in self.latest.items() if key in self.rules}
        if tracks:
            self._take_up(tracks)
        self._poke.set()

    def _take_up(self, tracks: Mapping[Key, Track]) -> None:
        for job in self.settings.jobs:
            if job.key not in self.memories:
                own = {key[2:]: track for key, track in tracks.items() if owns(job, key)}
                if own:
                    self.memories[job.key] = Memory(tracks=own)

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._turned = loop.time()
            self._poke.clear()
            at = self.timetable.next_at()
            if at is None or at > loop.time():
                wait_s = TICK_S if at is None else max(TICK_S, at - loop.time())
                try:
                    async with asyncio.timeout(min(wait_s, STALE_SWEEP_S)):
                        await self._poke.wait()
                except TimeoutError:
                    pass
            due = self.timetable.take(loop.time())
            if due:
                started = loop.time()
                self._started.update((job.key, started) for job in due)
                self._runner.start(due, self._deliver)

    def _deliver(self, results: list[tuple[Job, Observation]]) -> None:
        changed = False
        for job, seen in results:
            try:
                changed |= self._take(job, seen)
            except Exception:  # a judgement that raises must cost its own check only
                log.exception("judging %s of %s raised", job.prober, job.node.name)
                self.timetable.done(job, self._now_s(), self._now_s())
        if changed:
            self._on_change()
        self._poke.set()

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()

    def _take(self, job: Job, seen: Observation) -> bool:
        """Judge one observation; return whether something is believed now that was not before."""
        key, now = job.key, self._now_s()
        rules = self.rules.get(key)
        if rules is None:
            return False  # no longer configured
        self.eyes.look(job, seen)
        first = key not in self.memories
        scene = Scene(self.eyes.sight, self._usual.baselines)
        old = self.memories.get(key) or Memory()
        memory, result = assess(seen, old, rules, scene)
        self.memories[key], self.latest[key] = memory, result.findings
        self._note(job, seen, result)
        soon = REPEAT_S if result.repeat else None
        if first and getattr(seen.outcome, "over_s", 0.0) is None:
            soon = SECOND_LOOK_S  # rates need two looks
        self.timetable.done(job, self._started.pop(key, now), now, soon)
        if result.repeat:
            self._look_at_ourselves(rules, now)
        return _matters(result, old)

    def _look_at_ourselves(self, rules: Rules, now: float) -> None:
        """Before something bad is believed of another, the agent's own interface and gateway are measured freshly."""
        if rules.route is None or now - self._own_look < 1.0:
            return
        self._own_look = now
        for key in self._own_jobs:
            self.timetable.hasten(key, now)
        if rules.route.gateway is not None:
            for key in self._gateway_jobs.get(rules.route.gateway, ()):
                self.timetable.hasten(key, now)

    def _note(self, job: Job, seen: Observation, result: Assessment) -> None:
        kind = seen.outcome.kind.value if isinstance(seen.outcome, Failure) else "sample"
        self.tally.observations[job.prober, kind] += 1
        self.tally.seconds[job.prober] = self.tally.seconds.get(job.prober, 0.0) + seen.took_ms / 1000
        if result.values:
            self._usual.add(seen.at, result.values)
        for track in result.moved:
            self.moved[track.key] = track
        for gone in result.forgotten:
            self.moved.pop(gone, None)
            self.forgotten.add(gone)

    def idle_s(self) -> float:
        """Return how long ago the measuring loop last turned, in seconds."""
        return self._now_s() - self._turned

    async def sweep(self) -> None:
        """Look for checks that bring no observations any more, until cancelled: they become unknown, not good."""
        while True:
            await asyncio.sleep(STALE_SWEEP_S)
            now, changed = self._now(), False
            for number, job in enumerate(self.settings.jobs):
                memory = self.memories.get(job.key)
                if memory is not None and memory.last_at is not None and memory.last_at > now:
                    # our clock was set back: the age of the reading can't be told, so it starts anew
                    self.memories[job.key] = msgspec.structs.replace(memory, last_at=now)
                    continue
                gone = stale(memory, job.every_s, now) if memory is not None else None
                if gone is not None:
                    self.memories[job.key], result = gone
                    self.latest[job.key] = result.findings
                    self.moved.update((track.key, track) for track in result.moved)
                    changed |= bool(result.moved)
                if number % SLICE == SLICE - 1:
                    await asyncio.sleep(0)
            if changed:
                self._on_change()

    def tracks_of(self, keys: Iterable[Key], memories: Mapping[JobKey, Memory]) -> dict[Key, Track]:
        """Return the tracks of some keys in these memories; a key that is not measured has none."""
        found = {}
        for key in keys:
            for job in self.jobs_of(key[1]):
                memory = memories.get(job.key)
                track = memory.tracks.get(key[2:]) if memory is not None else None
                if track is not None and track.key == key:
                    found[key] = track
        return found

    def unwatched(self, keys: Iterable[Key]) -> set[Key]:
        """Return those keys that no configured job can measure."""
        return {key for key in keys if not any(owns(job, key) for job in self.jobs_of(key[1]))}

    def take_moved(self) -> tuple[list[Track], list[Key]]:
        """Return the tracks that changed and those that ended since the last call, for the store."""
        moved, gone = list(self.moved.values()), list(self.forgotten)
        self.moved.clear()
        self.forgotten.clear()
        return moved, gone

    def put_back(self, moved: list[Track], gone: list[Key]) -> None:
        """Take back what the store could not keep; what has changed since then is newer."""
        self.moved = {**{track.key: track for track in moved}, **self.moved}
        self.forgotten.update(key for key in gone if key not in self.moved)

    def jobs_of(self, node: str) -> list[Job]:
        """Return the checks of one node."""
        return self._by_node.get(node, [])

    def oldest(self, now: datetime) -> timedelta | None:
        """Return the age of the oldest last observation; None while some check was never measured."""
        ages = [now - memory.last_at for memory in self.memories.values() if memory.last_at is not None]
        return max(ages) if ages and len(ages) == len(self.settings.jobs) else None


def _matters(result: Assessment, old: Memory) -> bool:
    """Tell whether an observation changed what is believed: a state, what it says, or that it is there at all."""
    if result.forgotten or any(change is not Change.SOFT for _, _, change in result.changes):
        return True
    for track in result.moved:
        before = old.tracks.get(track.key[2:])
        if track.bad and before is not None and before.said != track.said:
            return True
    return False


def _rules(job: Job, settings: Settings, eyes: Eyes) -> Rules:
    module = judges.load(job.prober)
    limits: Any = settings.limits.get(job.key) or module.Limits()
    return Rules(module.judge, limits, settings.rules, eyes.route(job.node))


def owns(job: Job, key: Key) -> bool:
    """Tell whether a key's readings come from this job."""
    _, node, check, item = key
    base = check.removesuffix(".usual").removesuffix(".trend")
    names = {one.name for one in judges.load(job.prober).CHECKS}
    return node == job.node.name and base in names and job.options.item in ("", item)
