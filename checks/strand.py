"""One job's part of the evidence: made from its memory, and played again into the same memory.

What is judged well leaves no trace in a memory but its last observation. It is the one step of such a job's strand, so that a changed
reading changes the verdict there too; what can't follow from one look alone (a rate) is taken along as it was said.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from checks import catalogue
from checks.assess import Memory, Rules, Scene, Short, assess
from checks.finding import Finding, Key
from checks.verdict import Said, Start, Step, Strand
from probe.observation.observation import Observation

JobKey = tuple[str, str, str]  # node, prober, item

NO_DATA = "freshness.no-data"


def strand_of(key: JobKey, memory: Memory, rules: Rules, short: bool = False) -> Strand:
    """Return the strand of a job. `rules` are those in force; moments that were judged by others keep theirs.

    A `short` one leaves out standard limits and, of a job of which all is well, since when: there may be thousands.
    """
    strand = _short(key, memory, rules) if short and memory.quiet else None
    if strand is None:
        strand = _whole(key, memory, rules)
    standard = short and strand.limits == _as_data(catalogue.load(strand.prober).Limits())
    return msgspec.structs.replace(strand, limits={}) if standard else strand


def _short(key: JobKey, memory: Memory, rules: Rules) -> Strand | None:
    """Return the last observation of a job alone, when it says as much as all that was remembered."""
    if memory.before is None:
        return None
    strand = _strand(key, rules, Start(), (Step(memory.before),))
    return strand if played(strand).found == memory.found else None


def _whole(key: JobKey, memory: Memory, rules: Rules) -> Strand:
    if memory.recent:
        steps = tuple(Step(moment.seen, moment.sight, moment.usual) for moment in memory.recent)
        strand = _strand(key, memory.recent[-1].rules, start_of(memory.origin or memory), steps)
        stale = any(one.message.id == NO_DATA for one in memory.found)  # else the steps are what led to it
        return _with_found(strand, memory, played(strand)) if stale else strand
    if memory.before is not None:
        start = msgspec.structs.replace(start_of(memory), before=None)
        strand = _strand(key, rules, start, (Step(memory.before),))
        again = played(strand)
        if again.bad == memory.bad and _believed(again) == _believed(memory):
            return _with_found(strand, memory, again)
    strand = _strand(key, rules, start_of(memory), ())
    return _with_found(strand, memory, played(strand))


def played(strand: Strand) -> Memory:
    """Return the memory of a job as it stood after the last observation of its strand."""
    rules = rules_of(strand.prober, strand.limits, strand)
    memory = memory_of(strand.start)
    for step in strand.steps:
        memory, _ = assess(step.seen, memory, rules, Scene(step.sight, dict(step.usual)))
    return with_said(memory, strand.found)


def rules_of(prober: str, limits: Mapping[str, object], strand: Any) -> Rules:
    """Return how a job is judged, from its limits as data and what else its strand says; msgspec.ValidationError of other limits."""
    room = catalogue.load(prober)
    return Rules(room.judge, msgspec.convert(limits, room.Limits), strand.rule, strand.route)


def start_of(memory: Memory) -> Start:
    """Return the five parts of a memory that a replay needs, as tuples in a stated order."""
    return Start(
        memory.before,
        tuple(memory.tracks[key] for key in sorted(memory.tracks)),
        tuple((_full(memory.tracks, key), memory.trends[key]) for key in sorted(memory.trends)),
        tuple(memory.bad[key] for key in sorted(memory.bad)),
        tuple((_full(memory.tracks, key), memory.absent[key]) for key in sorted(memory.absent)),
    )


def memory_of(start: Start) -> Memory:
    """Return the memory that stands at a start."""
    return Memory(
        start.before,
        start.before.at if start.before else None,
        {track.key[2:]: track for track in start.tracks},
        {key[2:]: trend for key, trend in start.trends},
        {finding.key[2:]: finding for finding in start.bad},
        {key[2:]: count for key, count in start.absent},
    )


def with_said(memory: Memory, taken: tuple[Said, ...]) -> Memory:
    """Return the memory with findings of its last observation that were taken along, each in the place of the one that it stands for."""
    seen = memory.before
    if seen is None or not taken:
        return memory
    by_key = {(one.check, one.item or seen.item): _finding(one, seen) for one in taken}
    kept = [by_key.pop(found.key[2:], found) for found in memory.found]
    return msgspec.structs.replace(memory, found=(*kept, *by_key.values()))


def said_of(found: Iterable[Finding]) -> tuple[Said, ...]:
    """Return findings without their observation."""
    return tuple(
        Said(one.check, one.state, one.message, one.levels, one.item, one.value, one.seasonal, one.full_at, one.gated, one.loss)
        for one in found
    )


def _strand(key: JobKey, rules: Rules, start: Start, steps: tuple[Step, ...]) -> Strand:
    return Strand(*key, _as_data(rules.limits), rules.rule, rules.route, start, steps)


def _as_data(limits: Any) -> dict[str, object]:
    data: dict[str, object] = msgspec.to_builtins(limits)
    return data


def _believed(memory: Memory) -> dict[Short, tuple[object, ...]]:
    """Return what the tracks say now, leaving out how they came to it: the step was folded into them once already."""
    return {key: (one.hard, one.soft, one.since, one.said, one.lost, one.flapping) for key, one in memory.tracks.items()}


def _with_found(strand: Strand, memory: Memory, again: Memory) -> Strand:
    """Return the strand with those findings that playing it does not give as they were."""
    given = {one.key: one for one in again.found}
    other = [one for one in memory.found if given.get(one.key) != one]
    return msgspec.structs.replace(strand, found=said_of(other)) if other else strand


def _finding(said: Said, seen: Observation) -> Finding:
    levels, value = said.levels, said.value
    return Finding(said.check, seen, said.state, said.message, levels, said.item, value, said.seasonal, said.full_at, said.gated, said.loss)


def _full(tracks: Mapping[Short, Any], key: Short) -> Key:
    """Return the key of a track's neighbour in the other mappings."""
    track: Any = tracks[key]
    full: Key = track.key
    return full
