"""Measures all the time: takes what is due, has it measured, judges it, and keeps what is believed."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import msgspec

from checks import catalogue as judges
from checks.ask import Ask
from checks.assess import Assessment, Memory, Rules, Scene, assess, matters, stale
from checks.finding import Finding, Key, State, base
from checks.history import Track
from checks.topology import Topology
from probe.agent.actions.check import CheckProblem, known_job
from probe.agent.eyes import Eyes
from probe.agent.pace import keep_pace
from probe.agent.recording import Recorder
from probe.agent.settings.settings import Settings
from probe.agent.usual import Usual
from probe.job import Job
from probe.observation.failure import Failure
from probe.observation.observation import Observation
from probe.run import Runner
from probe.schedule import JobKey, Timetable

log = logging.getLogger(__name__)

TICK_S = 0.5  # jobs that fall due within one tick start together: waking up costs more CPU than an echo
FIRST_WITHIN_S = 5.0  # after a start every check comes once within this time, or within its period if that is shorter
FIRST_PER_S = 400  # … but no more than so many a second: with thousands the loop would be late, and a store not keep up
REPEAT_S = 1.0  # a bad reading that is not believed yet is repeated this soon, at the next tick
STALE_SWEEP_S = 10.0
CLOCK_STEP_S = 2.0  # a clock that gains or loses more than this between two sweeps was set, not steered
SLICE = 200  # jobs looked at before the loop is given back
SECOND_LOOK_S = 1.0
NEAR = frozenset({"icmp", "snmp", "interfaces"})  # what tells whether a node on the way lives, and whether its ports are up
ONCE_KEPT_S = 120.0
MOST_ONCE = 200

_NOTHING = Memory()


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
        self._asleep: asyncio.Future[None] | None = None
        self._wake_at = 0.0
        self._started: dict[JobKey, float] = {}
        self.memories: dict[JobKey, Memory] = {}
        self.moved: dict[Key, Track] = {}
        self.forgotten: set[Key] = set()
        self.tally = Tally()
        self._scene = Scene()
        self._once: dict[JobKey, float] = {}
        self._looked: dict[str, float] = {}  # by element: when it was last measured out of turn
        self.topology = Topology(settings.inventory)
        self.recorder = Recorder()
        self._applied: Settings | None = None
        self._turned = self._now_s()
        self.apply(settings)

    def apply(self, settings: Settings, tracks: Mapping[Key, Track] | None = None) -> None:
        """Put a configuration in force; what is believed of checks that stay is kept, and `tracks` of earlier runs are taken up."""
        loop = asyncio.get_running_loop()
        self.settings = settings
        if self.topology.inventory is not settings.inventory:
            self.topology = Topology(settings.inventory)
        self.recorder.apply(settings)
        if settings is not self._applied:  # a start applies the same twice, and each route is a question to the kernel
            self.eyes = self._open_eyes(settings)
            self.rules = {job.key: _rules(job, settings, self.eyes) for job in settings.jobs}
            self._applied = settings
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
        self.timetable = Timetable(settings.jobs, loop.time(), max(FIRST_WITHIN_S, len(settings.jobs) / FIRST_PER_S))
        self.memories = {key: memory for key, memory in self.memories.items() if key in self.rules}
        self._once.clear()
        if tracks:
            self._take_up(tracks)
        self._wake()

    def _take_up(self, tracks: Mapping[Key, Track]) -> None:
        by_node: dict[str, list[tuple[Key, Track]]] = {}  # or every job would look at every track: minutes with 12,000 of them
        for key, track in tracks.items():
            by_node.setdefault(key[1], []).append((key, track))
        for job in self.settings.jobs:
            if job.key not in self.memories:
                own = {key[2:]: track for key, track in by_node.get(job.node.name, ()) if owns(job, key)}
                if own:
                    self.memories[job.key] = Memory(tracks=own)

    async def run(self) -> None:
        """Measure until cancelled."""
        keep_pace()
        loop = asyncio.get_running_loop()
        while True:
            self._turned = now = loop.time()
            at = self.timetable.next_at()
            if at is None or at > now:
                latest = now + STALE_SWEEP_S
                await self._sleep_until(latest if at is None else min(max(at, now + TICK_S), latest))
            due = self.timetable.take(loop.time())
            if due:
                started = loop.time()
                for job in due:
                    self._started[job.key] = started
                self._runner.start(due, self._deliver)

    async def _sleep_until(self, at: float) -> None:
        """Sleep until then, or until `_rouse`: a bare timer and future, a third of what asyncio.timeout around an Event costs each tick."""
        loop = asyncio.get_running_loop()
        self._asleep = loop.create_future()
        self._wake_at = at
        timer = loop.call_at(at, self._wake)
        try:
            await self._asleep
        finally:
            timer.cancel()
            self._asleep = None

    def _wake(self) -> None:
        if self._asleep is not None and not self._asleep.done():
            self._asleep.set_result(None)

    def _rouse(self) -> None:
        """Wake the measuring loop when something is due before it would wake by itself: most deliveries leave it asleep."""
        at = self.timetable.next_at()
        if self._asleep is not None and at is not None and at < self._wake_at:
            self._wake()

    def hasten(self, keys: Iterable[JobKey]) -> None:
        """Measure these now instead of at their next regular moment; those under way are left alone."""
        now = self._now_s()
        for key in keys:
            self.timetable.hasten(key, now)
        self._rouse()

    def _deliver(self, results: list[tuple[Job, Observation]]) -> None:
        changed, now = False, self._now_s()
        for job, seen in results:
            try:
                changed |= self._take(job, seen, now)
            except Exception:  # a judgement that raises must cost its own check only
                log.exception("judging %s of %s raised", job.prober, job.node.name)
                self.timetable.done(job, now, now)
        if changed:
            self._on_change()
        self._rouse()

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()

    def _take(self, job: Job, seen: Observation, now: float) -> bool:
        """Judge one observation; return whether something is believed now that was not before."""
        key = job.key
        started = self._started.pop(key, now)
        rules = self.rules.get(key)
        if rules is None:
            return False  # no longer configured
        self.eyes.look(job, seen)
        old = self.memories.get(key)
        memory, result = assess(seen, old or _NOTHING, rules, self._present())
        self.memories[key] = memory
        self.recorder.reading(job, seen, old, rules, self._scene, result.findings)
        self._note(job, seen, result)
        soon = REPEAT_S if result.repeat else None
        if old is None and getattr(seen.outcome, "over_s", 0.0) is None:
            soon = SECOND_LOOK_S  # rates need two looks
        self.timetable.done(job, started, now, soon)
        if result.repeat:
            self._look_at_ourselves(job, rules, now)
            self._look_around(job, now)
        return bool(result.changes or result.moved or result.forgotten) and matters(result, old or _NOTHING)

    def _present(self) -> Scene:
        """Return what holds for all jobs now; made anew only when it changed, which between two observations it hardly ever does."""
        if self._scene.sight is not self.eyes.sight or self._scene.baselines is not self._usual.baselines:
            self._scene = Scene(self.eyes.sight, self._usual.baselines)
        return self._scene

    def ask(self, asks: Iterable[Ask]) -> None:
        """Have measured now what correlation wants to know: a configured check at once, any other for this once.

        What is not configured is kept for `ONCE_KEPT_S`, and no more than `MOST_ONCE` of it.
        """
        now, once = self._now_s(), []
        for one in asks:
            if one.job in self.timetable.jobs:
                self.timetable.hasten(one.job, now)
            elif one.job not in self._once and len(self._once) < MOST_ONCE:
                job = self._job_once(one)
                self._once[one.job] = now
                if job is not None:
                    once.append(job)
        if once:
            self._runner.start(once, self._deliver_once)
        self._rouse()

    def _job_once(self, ask: Ask) -> Job | None:
        try:
            return known_job(self.settings, ask.prober, ask.node, {})
        except CheckProblem as why:
            log.info("%s of %s was wanted and can't be measured: %s", ask.prober, ask.node, why)
            return None

    def _deliver_once(self, results: list[tuple[Job, Observation]]) -> None:
        for job, seen in results:
            if job.key not in self._once:
                continue  # asked for under an earlier configuration: nobody would forget it again
            rules = self.rules.get(job.key) or _rules(job, self.settings, self.eyes)
            self.rules[job.key] = rules
            old = self.memories.get(job.key)
            self.memories[job.key], result = assess(seen, old or _NOTHING, rules, self._present())
            self.recorder.reading(job, seen, old, rules, self._scene, result.findings)
        self._on_change()

    def _forget_once(self) -> None:
        now = self._now_s()
        for key in [key for key, at in self._once.items() if now - at > ONCE_KEPT_S]:
            del self._once[key]
            self.memories.pop(key, None)
            self.rules.pop(key, None)
            self.recorder.forgotten(key)

    def _look_around(self, job: Job, now: float) -> None:
        """Before something bad is believed of a node, all that is measured of it and of what lies on the way to it is measured."""
        for element in self.topology.chain(job.node.name):
            if now - self._looked.get(element, -1.0) < 1.0:
                continue
            self._looked[element] = now
            for other in self.jobs_of(element):
                if other is not job and (element == job.node.name or other.prober in NEAR):
                    self.timetable.hasten(other.key, now)

    def _look_at_ourselves(self, job: Job, rules: Rules, now: float) -> None:
        """Before something bad is believed of another, the way there is looked up, and our own interface and gateway are measured."""
        route = self.eyes.look_up(job.node)
        if route != rules.route:
            rules = self.rules[job.key] = msgspec.structs.replace(rules, route=route)
        if rules.route is None or now - self._own_look < 1.0:
            return
        self._own_look = now
        for key in self._own_jobs:
            self.timetable.hasten(key, now)
        if rules.route.gateway is not None:
            for key in self._gateway_jobs.get(rules.route.gateway, ()):
                self.timetable.hasten(key, now)

    def _note(self, job: Job, seen: Observation, result: Assessment) -> None:
        prober, tally = job.prober, self.tally
        tally.observations[prober, seen.outcome.kind.value if isinstance(seen.outcome, Failure) else "sample"] += 1
        tally.seconds[prober] = tally.seconds.get(prober, 0.0) + seen.took_ms / 1000
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

    def _open_eyes(self, settings: Settings) -> Eyes:
        """Return the eyes for a configuration; what was seen of ourselves stays seen."""
        before: Eyes | None = getattr(self, "eyes", None)
        if before is None:
            return Eyes(settings)
        before.close()
        return Eyes(settings, before.sight)

    async def sweep(self) -> None:
        """Look for checks that bring no observations any more, until cancelled: they become unknown, not good."""
        ahead_s = self._now().timestamp() - self._now_s()
        while True:
            await asyncio.sleep(STALE_SWEEP_S)
            now, changed = self._now(), False
            before_s, ahead_s = ahead_s, now.timestamp() - self._now_s()
            stepped = abs(ahead_s - before_s) > CLOCK_STEP_S
            self._forget_once()
            for number, job in enumerate(self.settings.jobs):
                memory = self.memories.get(job.key)
                if memory is not None and memory.last_at is not None and (stepped or memory.last_at > now):
                    # our clock was set: the age of the reading can't be told, so it starts anew
                    self.memories[job.key] = msgspec.structs.replace(memory, last_at=now)
                    continue
                gone = stale(memory, job.every_s, now) if memory is not None else None
                if gone is not None:
                    self.recorder.stale(job, now)
                    self.memories[job.key], result = gone
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

    def found(self, job: JobKey) -> tuple[Finding, ...]:
        """Return what the last observation of a job said; nothing before the first one of this run."""
        memory = self.memories.get(job)
        return memory.found if memory is not None else ()

    def good_now(self, key: Key) -> bool:
        """Tell whether the last observation of this run says that a key is good."""
        found = (one for job in self.jobs_of(key[1]) for one in self.found(job.key) if one.key == key)
        return any(one.state is State.OK for one in found)

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
        ages = [now - memory.last_at for memory in list(self.memories.values()) if memory.last_at is not None]
        return max(ages) if ages and len(ages) == len(self.settings.jobs) else None


def _rules(job: Job, settings: Settings, eyes: Eyes) -> Rules:
    module = judges.load(job.prober)
    limits: Any = settings.limits.get(job.key) or module.Limits()
    return Rules(module.judge, limits, settings.rules, eyes.route(job.node))


def owns(job: Job, key: Key) -> bool:
    """Tell whether a key's readings come from this job."""
    _, node, check, item = key
    if node != job.node.name or base(check) not in _names(job.prober):
        return False
    return job.options.item in ("", item) or _has_parts(job.prober)


@cache
def _names(prober: str) -> frozenset[str]:
    module = judges.load(prober)
    return frozenset(one.name for one in (*module.CHECKS, *getattr(module, "ALSO", ())))


@cache
def _has_parts(prober: str) -> bool:
    return getattr(judges.load(prober), "PARTS", False)
