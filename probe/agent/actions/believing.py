"""Measures until it is believed: each job now, a reading that changes what is believed at once again, as often as the rules want."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from checks import catalogue as judges
from checks.ask import Ask
from checks.assess import Memory, Rules, Scene, assess
from checks.baseline import Baseline
from checks.finding import Key, State
from checks.sight import Sight
from probe.agent.actions.check import CheckProblem, known_job, measure
from probe.agent.eyes import Eyes
from probe.agent.settings.settings import Settings
from probe.inventory import Inventory
from probe.job import Job
from probe.observation.observation import Observation
from probe.probers.catalogue import BY_HAND, TOLD
from probe.run import Runner
from probe.schedule import JobKey

AT_ONCE = 64  # jobs measured at the same time
PAUSE_S = 0.15  # between two looks at the same thing: what is over in a moment is no fault
NOT_NOW = frozenset({"call"})  # each costs one of the day's test calls: what the last one said counts

_NOTHING = Memory()


class Believing:
    """What is believed while a complaint is looked into. `memories` begin as the service's, if one runs, and stay this complaint's own.

    Use as a context manager; what is still being measured at its end is given up.
    """

    def __init__(
        self,
        settings: Settings,
        runner: Runner,
        now: Callable[[], datetime],
        memories: Mapping[JobKey, Memory] = {},
        sight: Sight = Sight(),  # noqa: B008
        baselines: Mapping[Key, Baseline] = {},
    ) -> None:
        self.memories = dict(memories)
        self.measured: set[JobKey] = set()
        self.rules: dict[JobKey, Rules] = {}
        self.refused: dict[JobKey, str] = {}
        self._settings, self._runner, self._now, self._baselines = settings, runner, now, baselines
        self._eyes = Eyes(settings, sight)
        self._jobs = {job.key: job for job in settings.jobs}
        self._tasks: dict[JobKey, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._looked = asyncio.Event()  # at ourselves
        self._own = [job.key for job in settings.jobs if job.node.name == settings.inventory.here and job.prober == "interfaces"]

    @property
    def inventory(self) -> Inventory:
        """The inventory in force."""
        return self._settings.inventory

    def __enter__(self) -> "Believing":
        return self

    def __exit__(self, *_: object) -> None:
        for task in self._tasks.values():
            task.cancel()
        self._eyes.close()

    def ask(self, ask: Ask) -> "asyncio.Task[None] | None":
        """Begin to measure (once); None when it can't be asked, and `refused` says why."""
        key = key_of(ask)
        if key not in self._tasks:
            job = self._job(ask)
            if job is None:
                return None
            key = job.key
            if key not in self._tasks:
                self._tasks[key] = asyncio.create_task(self._believe(job), name=f"believe {key}")
        return self._tasks[key]

    def all_of(self, node: str, prober: str) -> list[JobKey]:
        """Return the configured jobs of a prober at a node."""
        return [key for key in self._jobs if key[:2] == (node, prober)]

    def _job(self, ask: Ask) -> Job | None:
        if ask.prober in NOT_NOW | BY_HAND:
            return None
        job = self._jobs.get(key_of(ask))
        if job is not None:
            return job
        if ask.prober in TOLD or (ask.item and self.all_of(ask.node, ask.prober)):
            return None  # it needs options that only a configuration gives
        try:
            return known_job(self._settings, ask.prober, ask.node, {})
        except (CheckProblem, KeyError) as why:
            self.refused[key_of(ask)] = str(why)
            return None

    async def _believe(self, job: Job) -> None:
        own = job.key in self._own
        try:
            if own:  # others wait for it: it must not wait for a place that they hold
                await self._measure(job, own)
                return
            async with self._places:
                await self._measure(job, own)
        finally:
            if own:
                self._looked.set()

    async def _measure(self, job: Job, own: bool) -> None:
        rules = self.rules[job.key] = self._rules(job)
        most = rules.rule.hard_after + rules.rule.recover_after
        for turn in range(most):
            if turn:
                if self._own and not own:
                    await self._look_at_ourselves()
                await asyncio.sleep(PAUSE_S)
            first, seen = await measure(self._runner, job, self._now)
            if first is not None:
                self._take(job, first, rules)
            self._take(job, seen, rules)
            if not undecided(self.memories[job.key]):
                return

    async def _look_at_ourselves(self) -> None:
        """Before something bad is believed of another, our own interfaces are measured."""
        for node, prober, item in self._own:
            self.ask(Ask(node, prober, item))
        await self._looked.wait()

    def _take(self, job: Job, seen: Observation, rules: Rules) -> None:
        self._eyes.look(job, seen)
        scene = Scene(self._eyes.sight, self._baselines)
        self.memories[job.key], _ = assess(seen, self.memories.get(job.key, _NOTHING), rules, scene)
        self.measured.add(job.key)

    def _rules(self, job: Job) -> Rules:
        module = judges.load(job.prober)
        limits: Any = self._settings.limits.get(job.key) or module.Limits()
        return Rules(module.judge, limits, self._settings.rules, self._eyes.look_up(job.node))


def key_of(ask: Ask) -> JobKey:
    """Return the key of the job that is asked for."""
    return (ask.node, ask.prober, ask.item)


def undecided(memory: Memory) -> bool:
    """Tell whether what was seen last is worse or better than what is believed: then another look decides."""
    for found in memory.found:
        track = memory.tracks.get((found.check, found.item or found.seen.item))
        if track is None or track.flapping or found.state is State.UNKNOWN:
            continue
        if track.doubtful or (track.bad and track.soft is State.OK):
            return True
    return False
