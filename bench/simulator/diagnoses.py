"""Correlation held against the truth of a simulated operator: is the one fault found, and nothing else named?"""

import random
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from bench.simulator.operator_faults import KINDS, Fault, World, alike, draw_fault, observe, signature, world
from bench.simulator.operator_network import Job, Network, mistaken, network
from checks.assess import Memory, Rules, assess
from checks.catalogue import load
from checks.correlate import correlate
from checks.topology import Topology
from checks.verdict import Diagnosis
from probe.inventory import Inventory

START = datetime(2026, 3, 1, tzinfo=UTC)
ROUNDS = 3  # bad readings until a fault is believed (checks.history)
SIZES = (100, 300, 1000, 3000)
MISSING = 0.1
RULES = {prober: Rules(load(prober).judge, load(prober).Limits()) for prober in ("icmp", "snmp", "tcp")}

Memories = dict[tuple[str, str, str], Memory]


class Trial(NamedTuple):
    """One fault and what was said of it. `first` is the diagnosis that explains most; `named` tells that the truth itself was named."""

    seed: int
    size: int
    fault: Fault
    right: bool
    named: bool
    wrong: tuple[str, ...]
    left: int  # believed bad, and in no diagnosis
    seconds: float

    @property
    def line(self) -> str:
        """Return the trial in one line, with what makes it again."""
        said, also = "right" if self.right else "WRONG", ", ".join(self.wrong) or "nothing"
        where = f"{self.fault.kind} {self.fault.element}"
        return f"seed {self.seed} size {self.size} {where}: {said}; false: {also}; in no diagnosis: {self.left}"


def memories(net: Network, jobs: Sequence[Job], before: World, after: World, draw: random.Random) -> Memories:
    """Return what the agent knows after one good look at everything and three more with the fault."""
    found: Memories = {job: Memory() for job in jobs}
    for number in range(1 + ROUNDS):
        at = START + timedelta(seconds=10 * number)
        for job in jobs:
            seen = observe(net, after if number else before, job, at, draw)
            found[job] = assess(seen, found[job], RULES[job.prober])[0]
    return found


def trial(net: Network, size: int, seed: int, missing: float = MISSING, wrong: float = 0.0) -> Trial | None:
    """Return what correlation makes of one fault, drawn by seed; None when nothing of it can be seen."""
    draw = random.Random(seed)
    fault = draw_fault(net, KINDS[seed % len(KINDS)], draw)
    jobs = [job for job in net.jobs if draw.random() >= missing]
    after = world(net, fault)
    if not signature(net, after, jobs):
        return None
    inventory: Inventory = mistaken(net.inventory, wrong, draw) if wrong else net.inventory
    known = memories(net, jobs, world(net, None), after, draw)
    topology = Topology(inventory)
    began = time.process_time()
    said = correlate(known, topology).diagnoses
    seconds = time.process_time() - began
    return _judged(seed, size, fault, alike(net, fault, jobs), said, known, seconds)


def _judged(seed: int, size: int, fault: Fault, same: Collection[str], said: Sequence[Diagnosis], known: Memories, seconds: float) -> Trial:
    explained = {key for one in said for key in one.keys}
    left = sum(standing.track.key not in explained for memory in known.values() for standing in memory.standing)
    first = max(said, key=lambda one: len(one.keys), default=None)
    right = first is not None and (first.element in same or _service(first.element) in {_service(one) for one in same} - {""})
    named = first is not None and fault.element in (first.element, *first.elsewhere)
    wrong = tuple(f"{one.cause} {one.element} ({len(one.keys)})" for one in said if one is not first or not right)
    return Trial(seed, size, fault, right, named, wrong, left, seconds)


def _service(element: str) -> str:
    """Return the node of a service ("web-1:443", or "web-1:web" as correlation calls it), "" of anything else."""
    node, colon, _ = element.partition(":")
    return node if colon else ""


class Figures(NamedTuple):
    """Of many trials: how many, the share right at the first guess, false diagnoses per diagnosis, the truth itself named."""

    trials: int
    right: float
    false: float
    named: float


def figures(trials: Sequence[Trial]) -> Figures:
    """Return the figures of some trials."""
    reported = sum(one.right + len(one.wrong) for one in trials)
    count = max(1, len(trials))
    return Figures(
        len(trials),
        sum(one.right for one in trials) / count,
        sum(len(one.wrong) for one in trials) / max(1, reported),
        sum(one.named for one in trials) / count,
    )


def campaign(seed: int, trials: int, wrong: float = 0.0, sizes: Sequence[int] = SIZES) -> list[Trial]:
    """Return so many trials, evenly over sizes of network and kinds of fault; with a share of the inventory's links attached elsewhere."""
    found = []
    for size in sizes:
        net = network(size, seed)
        number, done = 0, 0
        while done < trials // len(sizes):
            one = trial(net, size, 1000 * seed + number, wrong=wrong)
            number += 1
            if one is not None:
                found.append(one)
                done += 1
    return found


class Large(NamedTuple):
    """What correlating a large network takes."""

    nodes: int
    readings: int
    bad: int
    build_s: float
    correlate_s: float
    diagnoses: int


def large(seed: int, nodes: int = 10_000, readings: int = 50_000, bad: int = 1_000) -> Large:
    """Return the CPU seconds of one correlation where faults of all kinds make about so many readings bad."""
    draw = random.Random(seed)
    net = network(nodes, seed)
    jobs = list(net.jobs)
    named = [node.name for node in net.inventory.nodes.values() if node.name != net.inventory.here]
    number = 0
    while len(jobs) < readings:  # more services on the same nodes
        jobs += [Job(name, "tcp", str(10_000 + number)) for name in named[: readings - len(jobs)]]
        number += 1
    after = world(net, None)
    while len(signature(net, after, jobs)) < bad:
        after = _both(after, world(net, draw_fault(net, draw.choice(("node", "link", "site", "service")), draw)))
    known = memories(net, jobs, world(net, None), after, draw)
    began = time.process_time()
    topology = Topology(net.inventory)
    build = time.process_time() - began
    times, said = [], 0
    for _ in range(3):
        began = time.process_time()
        said = len(correlate(known, topology).diagnoses)
        times.append(time.process_time() - began)
    standing = sum(len(memory.standing) for memory in known.values())
    return Large(len(net.inventory.nodes), len(jobs), standing, build, min(times), said)


def _both(one: World, other: World) -> World:
    return World(one.reached & other.reached, one.dead | other.dead, one.cut | other.cut, {}, one.refused | other.refused)
