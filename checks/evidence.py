"""What a verdict stands on, gathered so that anybody can derive it again.

Live, with `memories` and `rules` by Job.key:

    for diagnosis in correlate(memories, Topology(inventory), now).diagnoses:
        if it is new or changed:
            diagnosis = with_evidence(diagnosis, memories, rules, inventory)

Later and offline: `derive(evidence, cause, element)` gives the same bytes (its own evidence apart), and `same_rules(evidence)` tells
whether the rules at work here are those of then.
"""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from checks import catalogue
from checks.assess import Memory, Rules, Scene, Short, assess
from checks.correlate import RULES, correlate
from checks.finding import Key
from checks.topology import Topology
from checks.verdict import Diagnosis, Evidence, Start, Step, Strand
from probe.inventory import Inventory

JobKey = tuple[str, str, str]


def with_evidence(
    diagnosis: Diagnosis, memories: Mapping[JobKey, Memory], rules: Mapping[JobKey, Rules], inventory: Inventory
) -> Diagnosis:
    """Return the diagnosis with its evidence attached."""
    return msgspec.structs.replace(diagnosis, evidence=gather(diagnosis, memories, rules, inventory))


def gather(diagnosis: Diagnosis, memories: Mapping[JobKey, Memory], rules: Mapping[JobKey, Rules], inventory: Inventory) -> Evidence:
    """Return the evidence of a diagnosis: the strand of every job of which a track stands behind it, and its slice of the inventory.

    Both mappings are by (node, prober, item). Raises ValueError when a key of the diagnosis is in no memory: evidence that can't carry
    the verdict is worse than none.
    """
    missing = set(diagnosis.keys)
    nodes = {key[1] for key in missing}
    strands = []
    for job in sorted(job for job in memories if job[0] in nodes):
        held = {track.key for track in memories[job].tracks.values()} & missing
        if held:
            missing -= held
            strands.append(_strand(job, memories[job], rules[job]))
    if missing:
        raise ValueError(f"no memory of {sorted(missing)}")
    return Evidence(RULES, tuple(strands), slice_of(inventory, nodes))


def slice_of(inventory: Inventory, names: Collection[str]) -> Inventory:
    """Return the part of the inventory that a verdict about these nodes needs: the nodes, their sites, and the customers there."""
    nodes = {name: inventory.nodes[name] for name in sorted(names) if name in inventory.nodes}
    places = {node.site for node in nodes.values() if node.site is not None}
    sites = {name: inventory.sites[name] for name in sorted(places) if name in inventory.sites}
    who = {site.customer for site in sites.values() if site.customer is not None}
    customers = {name: inventory.customers[name] for name in sorted(who) if name in inventory.customers}
    return Inventory(inventory.here, nodes, sites, customers=customers)


def replay(evidence: Evidence) -> dict[JobKey, Memory]:
    """Return the memory of every job as it stood after the last observation of the evidence."""
    return {(strand.node, strand.prober, strand.item): _replay(strand) for strand in evidence.strands}


def derive(evidence: Evidence, cause: str, element: str) -> Diagnosis | None:
    """Return the diagnosis of `cause` at `element` that the evidence leads to, without its evidence; None when it leads to none."""
    found = (one for one in derive_all(evidence) if (one.cause, one.element) == (cause, element))
    return next(found, None)


def derive_all(evidence: Evidence) -> list[Diagnosis]:
    """Return every diagnosis that the evidence leads to: a changed reading may lead to another cause, or to none."""
    return list(correlate(replay(evidence), Topology(evidence.inventory)).diagnoses)


def same_rules(evidence: Evidence) -> bool:
    """Tell whether the verdict was derived by the rules at work here; by others it may come out differently."""
    return evidence.rules == RULES


def _strand(key: JobKey, memory: Memory, rules: Rules) -> Strand:
    start = _start(memory.origin or memory)
    steps = tuple(Step(moment.seen, moment.sight, moment.usual) for moment in memory.recent)
    return Strand(*key, _as_data(rules.limits), rules.rule, rules.route, start, steps)


def _start(at: Memory) -> Start:
    """Return the five parts of a memory that a replay needs, as tuples in a stated order."""
    return Start(
        at.before,
        tuple(at.tracks[key] for key in sorted(at.tracks)),
        tuple((_full(at.tracks, key), at.trends[key]) for key in sorted(at.trends)),
        tuple(at.bad[key] for key in sorted(at.bad)),
        tuple((_full(at.tracks, key), at.absent[key]) for key in sorted(at.absent)),
    )


def _full(tracks: Mapping[Short, Any], key: Short) -> Key:
    """Return the key of a track's neighbour in the other mappings."""
    track: Any = tracks[key]
    full: Key = track.key
    return full


def _replay(strand: Strand) -> Memory:
    room = catalogue.load(strand.prober)
    rules = Rules(room.judge, msgspec.convert(strand.limits, room.Limits), strand.rule, strand.route)
    start = strand.start
    memory = Memory(
        start.before,
        start.before.at if start.before else None,
        {track.key[2:]: track for track in start.tracks},
        {key[2:]: trend for key, trend in start.trends},
        {finding.key[2:]: finding for finding in start.bad},
        {key[2:]: count for key, count in start.absent},
    )
    for step in strand.steps:
        memory, _ = assess(step.seen, memory, rules, Scene(step.sight, dict(step.usual)))
    return memory


def _as_data(limits: Any) -> dict[str, object]:
    data: dict[str, object] = msgspec.to_builtins(limits)
    return data
