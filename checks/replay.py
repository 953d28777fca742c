"""A recorded stretch of observations through history, correlation and diagnosis, as the service runs them: a wrong verdict as a test.

replay = Replay()
for line in lines:
    for told in replay.take(line): ...
for told in replay.end(): ...
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from checks.assess import Memory, Rules, Scene, assess, matters, stale
from checks.correlate import correlate
from checks.correlation.view import View, fresh
from checks.finding import Key
from checks.patience import Patience, deliberate
from checks.recording import Forgotten, Job, Line, Reading, Recording, Stale, Views
from checks.sight import Sight
from checks.strand import JobKey, memory_of, rules_of, with_said
from checks.topology import Topology
from checks.verdict import Diagnosis, Identity
from probe.inventory import Inventory

GATHER = timedelta(seconds=0.3)  # changes that come together are looked at together
LOOK_AGAIN = timedelta(seconds=30)  # without any change
LOOK_SOON = timedelta(seconds=0.5)  # while a verdict waits for a measurement that was asked for
IDLE_LOOKS = 24  # in a gap without readings, longer than any verdict waits: later ones would say the same


class Kind(StrEnum):
    """What became of a diagnosis."""

    BORN = "born"
    CHANGED = "changed"
    ENDED = "ended"


class Told(msgspec.Struct, frozen=True):
    """What became of a diagnosis at a time. `into` is the one that explains its tracks from now on, when it ended so.

    `held`: the service was still waiting for a measurement that would decide when the readings ended; this is what they lead to.
    """

    kind: Kind
    at: datetime
    diagnosis: Diagnosis
    into: Identity | None = None
    held: bool = False


class Misfit(Exception):
    """A line that does not fit to those before it; the text says what is wrong and what would mend it."""


class Replay:
    """What is known and what is diagnosed as the lines go by. Holds one memory for each job, whatever the length of the file."""

    def __init__(self) -> None:
        self.memories: dict[JobKey, Memory] = {}
        self.diagnoses: dict[Identity, Diagnosis] = {}
        self.readings = 0
        self._rules: dict[JobKey, Rules] = {}
        self._every_s: dict[JobKey, float] = {}
        self._usual: dict[JobKey, dict[Any, Any]] = {}
        self._sight: Sight | None = None
        self._topology: Topology | None = None
        self._now: datetime | None = None
        self._wake: datetime | None = None
        self._looked: datetime | None = None
        self._idle = 0
        self._patience = Patience()
        self._waits = False
        self._views: tuple[View, ...] = ()
        self._open: dict[Identity, frozenset[Key]] = {}  # told, and something of it is still bad: what the service has a case of

    def take(self, line: Line) -> Iterator[Told]:
        """Take the next line; yield what the time up to it and the line itself change. Raises Misfit."""
        if isinstance(line, Recording):
            self._begin(line)
        elif self._topology is None:
            raise Misfit('the first line is no {"line": "recording", …}: begin with the first line of a recording')
        elif isinstance(line, Job):
            self._learn(line)
        elif isinstance(line, Views):
            yield from self._advance(line.at)
            self._views = line.views
        else:
            yield from self._advance(line.at)
            changed = self._read(line) if isinstance(line, Reading) else self._age(line)
            self._idle = 0
            if changed and self._wake is None:
                self._wake = line.at + GATHER

    def end(self) -> Iterator[Told]:
        """Yield what is still told after the last line: first as the service goes on, then what it would still be waiting for."""
        if self._now is None or self._topology is None:
            return
        yield from self._advance(self._now + LOOK_AGAIN + GATHER)
        for one in correlate(self.memories, self._topology, (), fresh(self._views, self._now)).diagnoses:
            if one.identity not in self.diagnoses:
                yield Told(Kind.BORN, self._now, one, held=True)

    def _begin(self, line: Recording) -> None:
        kept = set(line.jobs)
        self.memories = {key: memory for key, memory in self.memories.items() if key in kept}
        try:
            self._topology = Topology(line.inventory)
        except ValueError as why:
            raise Misfit(f"the inventory can't be used: {why}") from why

    @property
    def inventory(self) -> Inventory | None:
        """The network as last recorded; None before the first line."""
        return self._topology.inventory if self._topology is not None else None

    def _learn(self, line: Job) -> None:
        key = (line.node, line.prober, line.item)
        try:
            self._rules[key] = rules_of(line.prober, line.limits, line)
        except KeyError as why:
            raise Misfit(f"there is no prober {line.prober!r} here: replay it with the version that recorded it") from why
        except msgspec.ValidationError as why:
            raise Misfit(f"the limits of {' '.join(filter(None, key))} are not those of this version: {why}") from why
        self._every_s[key] = line.every_s
        self._usual.pop(key, None)
        self.memories[key] = with_said(memory_of(line.start), line.found)

    def _read(self, line: Reading) -> bool:
        """Judge a reading; return whether something is believed now that was not before."""
        seen = line.seen
        key = (seen.node, seen.prober, seen.item)
        rules = self._known(key)
        if line.sight is not None:
            self._sight = line.sight
        if line.usual is not None:
            self._usual[key] = dict(line.usual)
        old = self.memories.get(key) or Memory()
        try:
            memory, result = assess(seen, old, rules, Scene(self._sight, self._usual.get(key, {})))
        except (ArithmeticError, LookupError, ValueError) as why:
            raise Misfit(f"this reading can't be judged ({type(why).__name__}: {why}): it was changed, or another version took it") from why
        self.memories[key] = with_said(memory, line.found)
        self.readings += 1
        return matters(result, old)

    def _age(self, line: Stale | Forgotten) -> bool:
        key = (line.node, line.prober, line.item)
        self._known(key)
        if isinstance(line, Forgotten):
            self.memories.pop(key, None)
            return False
        gone = stale(self.memories.get(key) or Memory(), self._every_s[key], line.at)
        if gone is None:
            return False
        self.memories[key], result = gone
        return bool(result.moved)

    def _known(self, key: JobKey) -> Rules:
        rules = self._rules.get(key)
        if rules is None:
            raise Misfit(f'no {{"line": "job", …}} of {" ".join(filter(None, key))} stands before it: take the file from its first line')
        return rules

    def _advance(self, to: datetime) -> Iterator[Told]:
        """Let the time pass, with the rounds that the service makes meanwhile; a clock that was set back goes on from there."""
        if self._now is not None and to < self._now:
            self._now = self._looked = to
            self._wake = to if self._wake is not None else None
        while self._now is not None:
            looks = None
            if self._looked is not None and self._idle < IDLE_LOOKS:
                looks = self._looked + (LOOK_SOON if self._waits else LOOK_AGAIN)
            due = min((at for at in (self._wake, looks) if at is not None), default=None)
            if due is None or due > to:
                break
            self._idle = 0 if due == self._wake else self._idle + 1
            yield from self._round(due)
        self._now = to
        if self._looked is None or self._idle >= IDLE_LOOKS:
            self._looked = self._now

    def _round(self, at: datetime) -> Iterator[Told]:
        self._wake, self._looked = None, at
        self._now = at
        assert self._topology is not None
        bad = {track.key for memory in self.memories.values() if memory.bad for track in memory.tracks.values() if track.bad}
        self._open = {name: keys for name, keys in self._open.items() if not keys.isdisjoint(bad)}
        whole, self._patience = deliberate(self.memories, self._topology, self._patience, at, self._open, self._views)
        self._waits = bool(whole.asks)
        found = {one.identity: one for one in whole.diagnoses}
        self._open.update((name, frozenset(one.keys)) for name, one in found.items())
        before, self.diagnoses = self.diagnoses, found
        for name, one in before.items():
            if name not in found:
                yield Told(Kind.ENDED, at, one, _explained(one, found))
        for name, one in found.items():
            if name not in before:
                yield Told(Kind.BORN, at, one)
            elif _story(before[name]) != _story(one):
                yield Told(Kind.CHANGED, at, one)


def _explained(gone: Diagnosis, found: dict[Identity, Diagnosis]) -> Identity | None:
    """Return the diagnosis that has taken over tracks of one that is gone."""
    keys = set(gone.keys)
    return next((name for name, one in found.items() if keys & set(one.keys)), None)


def _story(one: Diagnosis) -> tuple[object, ...]:
    """Return what a reader would call a change: not the newest reading of what was bad before."""
    return (
        one.side,
        one.area,
        one.urgency,
        one.state,
        one.keys,
        one.affected,
        one.alternatives,
        one.elsewhere,
        one.summary.id,
        one.action.id,
    )
