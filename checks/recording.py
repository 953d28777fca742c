"""The lines of a recorded stretch of observations, and those of an evidence, which is one too.

A line of the file is one JSON object; `line` says which. A file begins with a `recording`; a later one is a reload, or another file laid
behind the first. A `job` stands before the first reading of its job and again when its rules change: how it is judged, and where it stood.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from checks.baseline import Baseline
from checks.correlation.view import View
from checks.finding import Key
from checks.history import Rule
from checks.sight import Route, Sight
from checks.strand import JobKey
from checks.verdict import Evidence, Said, Start
from probe.inventory import Inventory
from probe.observation.observation import Observation

VERSION = 1
Usual = tuple[tuple[Key, Baseline], ...]


class Recording(msgspec.Struct, frozen=True, tag_field="line", tag="recording"):
    """Who recorded, by which rules, in which network. `jobs` are all that were measured; what is known of others ends here."""

    version: int
    rules: str
    agent: str
    inventory: Inventory
    jobs: tuple[JobKey, ...] = ()


class Job(msgspec.Struct, frozen=True, tag_field="line", tag="job"):
    """How a job is judged and how often it is measured, and what was known of it before its next reading."""

    node: str
    prober: str
    item: str
    limits: dict[str, object]
    rule: Rule
    route: Route | None
    every_s: float
    start: Start = Start()
    found: tuple[Said, ...] = ()


class Reading(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="line", tag="reading"):
    """One observation, and when it was taken in. What the agent saw of itself and what was usual stand only where they changed.

    `found` is what it said as far as that does not follow from the observations before (only in an evidence).
    """

    at: datetime
    seen: Observation
    sight: Sight | None = None
    usual: Usual | None = None
    found: tuple[Said, ...] = ()


class Stale(msgspec.Struct, frozen=True, tag_field="line", tag="stale"):
    """The service found that a job brings no observations any more."""

    at: datetime
    node: str
    prober: str
    item: str


class Forgotten(msgspec.Struct, frozen=True, tag_field="line", tag="forgotten"):
    """A job that was measured for once, because its answer would decide, is known no longer."""

    at: datetime
    node: str
    prober: str
    item: str


class Views(msgspec.Struct, frozen=True, tag_field="line", tag="views"):
    """What other agents saw, all of it, as a round of correlation took it in; it holds until the next such line."""

    at: datetime
    views: tuple[View, ...]


Line = Recording | Job | Reading | Stale | Forgotten | Views


def lasting(view: View) -> View:
    """Return a view that does not grow stale: an evidence is of one moment."""
    return View(view.agent, view.here, {**view.alive, view.here: datetime.max.replace(tzinfo=UTC)}, view.dark)


def lines_of(evidence: Evidence, agent: str) -> Iterator[Line]:
    """Yield the lines of an evidence: all jobs, then all readings in the order in which they were taken in."""
    jobs = tuple((strand.node, strand.prober, strand.item) for strand in evidence.strands)
    yield Recording(VERSION, evidence.rules, agent, evidence.inventory, jobs)
    readings = []
    for strand in evidence.strands:
        said = () if strand.steps else strand.found
        yield Job(strand.node, strand.prober, strand.item, strand.limits, strand.rule, strand.route, 60.0, strand.start, said)
        for number, step in enumerate(strand.steps, 1):
            at = step.seen.at + timedelta(milliseconds=step.seen.took_ms)
            found = strand.found if number == len(strand.steps) else ()
            readings.append(Reading(at, step.seen, step.sight or Sight(), step.usual, found))
    if evidence.views and readings:
        yield Views(min(one.at for one in readings), tuple(map(lasting, evidence.views)))
    yield from sorted(readings, key=lambda one: (one.at, one.seen.node, one.seen.prober, one.seen.item, one.seen.at))
