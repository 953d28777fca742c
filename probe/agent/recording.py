"""Records what is observed, as `firstline replay` reads it: the newest part of it, in two files that take turns.

FILE holds the newest lines, FILE.1 those before; each begins anew and can be replayed alone, or both one behind the other. They hold
readings, limits and the inventory: no secret, but names and addresses, so nobody but the service's user may read them (0600).
"""

import errno
import logging
import os
import time
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from checks.assess import Memory, Rules, Scene
from checks.baseline import Baseline
from checks.correlate import RULES
from checks.correlation.view import View
from checks.finding import Finding, Key
from checks.recording import VERSION, Forgotten, Job, Line, Reading, Recording, Stale, Views
from checks.sight import Sight
from checks.strand import said_of, start_of
from probe.agent.settings.settings import Settings
from probe.job import Job as Measured
from probe.observation.observation import Observation
from probe.schedule import JobKey

log = logging.getLogger(__name__)

RETRY_S = 60.0  # a disk that is full is tried again this often


class Recorder:
    """Writes a line for each observation when the configuration names a file, else nothing. One write each, so that a kill tears one line.

    A job's rules and memory are written before its first line in a file, not all at once when a file begins: with thousands of them that
    would hold up measuring.
    """

    def __init__(self) -> None:
        self._file: int | None = None
        self._path: str | None = None
        self._most = self._size = 0
        self._settings: Settings | None = None
        self._retry_at = 0.0
        self._sight: Sight | None = None  # these four: what the present file says already
        self._views: tuple[View, ...] = ()
        self._rules: dict[JobKey, Rules] = {}
        self._usual: dict[JobKey, tuple[object, dict[Key, Baseline]]] = {}

    def apply(self, settings: Settings) -> None:
        """Put a configuration in force: record from now on, go on, or stop."""
        path = settings.agent.recording
        self._settings, self._most = settings, settings.agent.recording_mb * 1024**2
        if path != self._path:
            self.close()
            self._path, self._retry_at = path, 0.0
            if path is not None:
                log.info("observations are recorded in %s, at most %d MB", path, settings.agent.recording_mb)
        elif self._file is not None:
            self._write(self._opening())

    def reading(self, job: Measured, seen: Observation, old: Memory | None, rules: Rules, scene: Scene, found: Iterable[Finding]) -> None:
        """Write one observation, and before it what a replay needs that is not there yet; `old` is the job's memory before it."""
        if self._path is None or not self._ready():
            return
        key = job.key
        if self._rules.get(key) is not rules and not self._learn(job, old if old is not None else Memory(), rules):
            return
        sight = scene.sight if scene.sight is not self._sight else None
        self._sight = scene.sight
        usual = self._usual_of(key, scene, found)
        self._write(Reading(_now(), seen, sight, usual), key)

    def stale(self, job: Measured, now: datetime) -> None:
        """Write that a job brings no observations any more."""
        if self._path is not None and self._file is not None and job.key in self._rules:
            self._write(Stale(now, job.node.name, job.prober, job.options.item), job.key)

    def forgotten(self, key: JobKey) -> None:
        """Write that a job that was measured for once is forgotten."""
        if self._path is not None and self._rules.pop(key, None) is not None:
            self._write(Forgotten(_now(), *key))

    def views(self, views: tuple[View, ...], now: datetime) -> None:
        """Write what other agents see, when it changed; only of use while something is bad."""
        if self._path is not None and self._file is not None and views != self._views and self._write(Views(now, views)):
            self._views = views

    def close(self) -> None:
        """Stop recording; what is written stays."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _learn(self, job: Measured, memory: Memory, rules: Rules) -> bool:
        """Write how a job is judged and where it stands; False when that can't be written."""
        limits: dict[str, object] = msgspec.to_builtins(rules.limits)
        line = Job(*job.key, limits, rules.rule, rules.route, job.every_s, start_of(memory), said_of(memory.found))
        written = self._write(line, job.key)
        if written:
            self._rules[job.key] = rules
            self._usual.pop(job.key, None)
        return written

    def _usual_of(self, key: JobKey, scene: Scene, found: Iterable[Finding]) -> tuple[tuple[Key, Baseline], ...] | None:
        """Return the baselines of a job's readings when they are not those last written: other hours have others."""
        baselines = scene.baselines
        if not baselines and key not in self._usual:
            return None
        hour, written = self._usual.get(key, (None, {}))
        needed = {one.key: baselines[one.key] for one in found if one.seasonal and one.key in baselines}
        if hour is baselines and all(name in written for name in needed):
            return None
        whole = {**written, **needed} if hour is baselines else needed
        self._usual[key] = (baselines, whole)
        return tuple(whole.items()) if whole != written else None

    def _ready(self) -> bool:
        """Open the file when it is not, begin another when it is full; False while it can't be written."""
        if self._file is not None and self._size < self._most / 2:
            return True
        if time.monotonic() < self._retry_at or self._path is None:
            return False
        self.close()
        try:
            if os.path.lexists(self._path):
                os.replace(self._path, self._path + ".1")
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(self._path, flags, 0o600)
        except OSError as why:
            self._trouble(why)
            return False
        self._forget()
        return self._write(self._opening())

    def _opening(self) -> Recording:
        settings = self._settings
        assert settings is not None
        return Recording(VERSION, RULES, settings.agent.name, settings.inventory, tuple(job.key for job in settings.jobs))

    def _forget(self) -> None:
        self._size = 0
        self._sight = None
        self._views = ()
        self._rules.clear()
        self._usual.clear()

    def _write(self, line: Line, key: JobKey | None = None) -> bool:
        """Write a line whole or not at all; what is missing of a job makes it begin anew with its next reading."""
        if self._file is None:
            return False
        try:
            text = msgspec.json.encode(line) + b"\n"
        except UnicodeEncodeError:  # a name in bytes that are no text
            if key is not None:
                self._rules.pop(key, None)
            return False
        try:
            whole = os.write(self._file, text) == len(text)
            trouble = None if whole else OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as why:
            trouble = why
        if trouble is not None:
            self._trouble(trouble)
            return False
        self._size += len(text)
        return True

    def _trouble(self, why: OSError) -> None:
        log.error("%s can't be written, nothing is recorded; it is tried again each %d s: %s", self._path, RETRY_S, why)
        self._retry_at = time.monotonic() + RETRY_S
        if self._file is not None:
            try:
                os.ftruncate(self._file, self._size)
            except OSError:
                log.debug("the torn line stays")
        self.close()


def _now() -> datetime:
    return datetime.now(UTC)
