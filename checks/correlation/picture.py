"""What the memories say, by node: bad findings as symptoms, signs of life, ports that are up or down."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from checks.assess import Memory, Standing
from checks.causes import OTHER, Cause, Sort, cause_of, sort_of
from checks.correlation.life import lives
from checks.finding import Finding, Key, State
from checks.topology import Element, Topology, link_element
from probe.inventory import Link
from probe.observation.device import DeviceSample

JobKey = tuple[str, str, str]  # node, prober, item

OPER = "interfaces/oper"
_PORT = re.compile(r":(\d{1,5})(?:/|$)")
_WEB = frozenset({"80", "443", "8080", "8443"})
_PROGRAMS = {"dns": "dns", "sip": "sip", "registration": "sip", "call": "sip", "postgresql": "postgresql", "mysql": "mysql", "ntp": "ntp"}
_NONE: tuple[tuple[JobKey, Memory], ...] = ()


class Symptom(msgspec.Struct, frozen=True, gc=False):
    """Something believed to be bad, and what it points to when it stands alone. `link` is what its port is plugged into."""

    job: JobKey
    standing: Standing
    cause: Cause
    sort: Sort
    link: Element | None = None

    @property
    def key(self) -> Key:
        """The track."""
        return self.standing.track.key

    @property
    def node(self) -> str:
        """The node at which it shows."""
        return self.standing.track.key[1]

    @property
    def check(self) -> str:
        """The question that it answers."""
        return self.standing.track.key[2]

    @property
    def said(self) -> str:
        """The message id that is believed."""
        return self.standing.track.said or self.standing.finding.message.id

    @property
    def speaks_again(self) -> bool:
        """Whether it is believed to be silent, and has just answered now and then: until that is believed, or over, it is neither."""
        last = self.standing.finding
        if self.standing.track.blind:
            return False
        return self.sort is Sort.SILENT and sort_of(last.check, last.message.id) is Sort.POOR

    @property
    def since(self) -> datetime:
        """The first bad reading."""
        return self.standing.track.since or self.standing.finding.seen.at

    @property
    def part(self) -> str:
        """The part of the node (a port, a mount, a service)."""
        return self.standing.track.key[3]

    @property
    def service(self) -> str:
        """What tells the services of a node apart: one program answers on the web's ports, one to all names, one to all numbers."""
        prober = self.job[1]
        if prober in _PROGRAMS:
            return _PROGRAMS[prober]
        found = _PORT.search(self.part)
        first = self.part.partition(" ")[0]  # of "443 portal.example", a port and a server's name
        port = first if first.isdigit() else found[1] if found else ""
        if port in _WEB or (not port and self.part.startswith(("http://", "https://"))):
            return "web"
        return port or self.part or prober


class Dark(msgspec.Struct, frozen=True):
    """A dark node: its silent symptoms, and the time since which nothing of it answered."""

    node: str
    symptoms: tuple[Symptom, ...]
    since: datetime


class Plug(StrEnum):
    """What the ports of a link say of it."""

    DOWN = "down"
    UP = "up"
    DOUBTFUL = "doubtful"  # a bad reading that is not believed yet, or a good one from before
    UNSEEN = "unseen"  # no port of it is measured


class Picture:
    """The memories of one moment, laid over the topology."""

    def __init__(self, memories: Mapping[JobKey, Memory], topology: Topology) -> None:
        self.topology = topology
        bad = [job for job, memory in memories.items() if memory.bad]
        self.symptoms: list[Symptom] = []
        self.jobs: dict[str, list[tuple[JobKey, Memory]]] = {}
        if not bad:
            return
        for one in memories.items():
            of_node = self.jobs.get(one[0][0])
            if of_node is None:
                self.jobs[one[0][0]] = [one]
            else:
                of_node.append(one)
        told = [self._symptom(job, memories[job], one) for job in sorted(bad) for one in _standing(memories[job])]
        self.symptoms = [one for one in told if not one.speaks_again]
        self._alive: dict[str, tuple[datetime, JobKey] | None] = {}
        self._suspected: dict[str, list[tuple[JobKey, str]]] = {}

    def alive_at(self, node: str) -> datetime | None:
        """Return when a node last gave a sign of life; None while there is none."""
        alive = self.life_of(node)
        return None if alive is None else alive[0]

    def life_of(self, node: str) -> tuple[datetime, JobKey] | None:
        """Return when a node last gave a sign of life, and to which check; None while there is none."""
        if node not in self._alive:
            jobs = self.jobs.get(node, _NONE)
            signs = [(memory.last_at, job) for job, memory in jobs if memory.last_at is not None and _answered(memory)]
            self._alive[node] = max(signs, default=None)
        return self._alive[node]

    def measured(self, node: str) -> bool:
        """Tell whether anything is measured at a node over the network."""
        return any(memory.before is not None and lives(memory.before) is not None for _, memory in self.jobs.get(node, _NONE))

    def doubts(self, node: str) -> list[JobKey]:
        """Return the checks of a node whose last reading was silence that is not believed yet: they are being repeated just now."""
        found = []
        for job, memory in self.jobs.get(node, _NONE):
            if memory.quiet or memory.before is None or lives(memory.before) is not False:
                continue
            if any(track.doubtful for track in memory.tracks.values()):
                found.append(job)
        return found

    def outdated(self, silent: Symptom) -> bool:
        """Tell whether the node of a silent symptom comes back just now, and has not been asked about it since."""
        alive = self.alive_at(silent.node)
        if alive is None or alive <= silent.standing.finding.seen.at:
            return False
        return any(
            track.bad and track.soft is State.OK and sort_of(key[0], track.said) is Sort.SILENT
            for _, memory in self.jobs.get(silent.node, _NONE)
            for key, track in memory.tracks.items()
        )

    def suspected(self, node: str) -> list[tuple[JobKey, str]]:
        """Return the checks of a node that were bad and are not believed yet, each with the cause to which it points."""
        if node not in self._suspected:
            self._suspected[node] = found = []
            for job, memory in self.jobs.get(node, _NONE):
                for key, one in memory.bad.items():
                    if memory.tracks[key].doubtful and not memory.tracks[key].blind:
                        found.append((job, (cause_of(one.check, one.message.id) or OTHER).code))
        return self._suspected[node]

    def sign(self, node: str) -> Finding | None:
        """Return the good finding that is the newest sign of life of a node."""
        found = None
        for _, memory in self.jobs.get(node, _NONE):
            if not _answered(memory):
                continue
            for one in memory.found:
                if one.state is State.OK and one.seen is memory.before and (found is None or one.seen.at > found.seen.at):
                    found = one
                    break
        return found

    def plug(self, link: Link, since: datetime) -> tuple[Plug, Finding | None, JobKey | None]:
        """Return what the ports of a link say of it for a fault that began at `since`, by which finding, of which job."""
        best: tuple[Plug, Finding | None, JobKey | None] = (Plug.UNSEEN, None, None)
        if link.ports is None:
            return best
        for node, port in zip((link.a, link.b), link.ports, strict=True):
            for job, memory in self.jobs.get(node, _NONE):
                track = memory.tracks.get((OPER, port))
                if track is None:
                    continue
                found = next((one for one in memory.found if one.check == OPER and one.item == port), None)
                if track.bad and track.soft is not State.OK:
                    return Plug.DOWN, memory.bad.get((OPER, port), found), job
                fresh = found is not None and found.state is State.OK and found.seen.at >= since
                if fresh and best[0] is not Plug.DOUBTFUL:
                    best = Plug.UP, found, job
                elif not fresh and memory.last_at is not None:
                    best = Plug.DOUBTFUL, found, job
        return best

    def _symptom(self, job: JobKey, memory: Memory, one: Standing) -> Symptom:
        said = one.track.said or one.finding.message.id
        cause = cause_of(one.finding.check, said) or OTHER
        return Symptom(job, one, cause, sort_of(one.finding.check, said), self._link(memory, one))

    def _link(self, memory: Memory, one: Standing) -> Element | None:
        """Return the link at whose port a finding shows: its item is the port, or a sensor of it."""
        _, node, _, item = one.track.key
        if not item:
            return None
        link = self.topology.link_at(node, item)
        if link is None and memory.before is not None and isinstance(memory.before.outcome, DeviceSample):
            sensors = memory.before.outcome.sensors
            port = next((sensor.port for sensor in sensors if sensor.name == item and sensor.port), None)
            link = self.topology.link_at(node, port) if port else None
        return link_element(link) if link is not None else None


def _standing(memory: Memory) -> list[Standing]:
    """Return what is believed bad and not just recovering: with a good reading as its last one it waits to be believed good."""
    return [one for one in memory.standing if one.track.soft is not State.OK]


def _answered(memory: Memory) -> bool:
    return memory.before is not None and lives(memory.before) is True
