"""Whatever fails in whatever network: each diagnosis comes with evidence that leads to it, to the byte, and no further than it must."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from checks import catalogue
from checks.assess import Memory, Rules, assess
from checks.correlate import correlate
from checks.proof import Proof, explain, prove, read, width_of
from checks.recording import lines_of
from checks.replay import Replay
from checks.topology import Topology
from checks.verdict import Identity, Width
from probe.inventory import Carrier, Customer, Inventory, Link, Node, Owner, Site
from probe.observation.failure import Failure, Kind
from probe.observation.icmp import EchoSample
from probe.observation.observation import Observation, Outcome
from probe.observation.tcp import ConnectSample

START = datetime(2026, 3, 1, tzinfo=UTC)
JobKey = tuple[str, str, str]
ECHO, SILENT = EchoSample("192.0.2.1", 5, 5, 1.0, 1.0, 1.0, 0.1), EchoSample("192.0.2.1", 5, 0)
OPEN, TIMEOUT, REFUSED = ConnectSample("192.0.2.1", 80, 1.0), Failure(Kind.TIMEOUT), Failure(Kind.REFUSED)
GOOD: dict[str, Outcome] = {"icmp": ECHO, "tcp": OPEN}
RULES = {prober: Rules(catalogue.load(prober).judge, catalogue.load(prober).Limits()) for prober in GOOD}


@st.composite
def networks(draw: Any) -> Inventory:
    """Trees with second ways, our own nodes first, a carrier's and customers' behind them."""
    count = draw(st.integers(2, 10))
    nodes = {}
    for at in range(count):
        owner = draw(st.sampled_from([Owner.COMPANY, Owner.COMPANY, Owner.CARRIER, Owner.CUSTOMER])) if at > 2 else Owner.COMPANY
        kind = draw(st.sampled_from(["switch", "router", "server", "gateway"]))
        nodes[f"n{at}"] = Node(f"n{at}", f"192.0.2.{at + 1}", f"s{at % 3}", kind, owner=owner)
    trees = [(at, draw(st.integers(max(0, at - 3), at - 1))) for at in range(1, count)]
    more = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=3))
    pairs = [(a, b) for a, b in (*trees, *more) if a != b]
    links = {
        f"l{at}": Link(f"l{at}", f"n{a}", f"n{b}", kind=draw(st.sampled_from(["ethernet", "fibre"]))) for at, (a, b) in enumerate(pairs)
    }
    sites = {f"s{at}": Site(f"s{at}", customer=f"c{at}" if at else None) for at in range(3)}
    return Inventory("n0", nodes, sites, links, {"tele": Carrier("tele")}, {"c1": Customer("c1"), "c2": Customer("c2")})


def memories_of(inventory: Inventory, data: Any) -> dict[JobKey, Memory]:
    down = data.draw(st.sets(st.sampled_from(sorted(inventory.nodes)), max_size=4))
    memories = {}
    for number, node in enumerate(sorted(inventory.nodes)):
        for prober, item in (("icmp", ""), ("tcp", "80")):
            bad: Outcome = SILENT if prober == "icmp" else data.draw(st.sampled_from([TIMEOUT, REFUSED])) if node in down else TIMEOUT
            hurt = node in down and (prober == "tcp" or data.draw(st.booleans()))
            outcomes = [GOOD[prober]] * data.draw(st.integers(1, 3)) + ([bad] * data.draw(st.integers(2, 8)) if hurt else [])
            memory = Memory()
            for minute, outcome in enumerate(outcomes):
                at = START + timedelta(minutes=minute + 8 - len(outcomes), seconds=number)
                memory, _ = assess(Observation("agent", node, prober, at, 1.0, outcome, item), memory, RULES[prober])
            memories[node, prober, item] = memory
    return memories


def mended(proof: Proof, key: JobKey) -> Proof:
    """Return the proof with every reading of one job made good."""
    data: Any = msgspec.to_builtins(proof)
    for strand in data["evidence"]["strands"]:
        if (strand["node"], strand["prober"], strand["item"]) == key:
            for step in strand["steps"]:
                step["seen"]["outcome"] = msgspec.to_builtins(GOOD[strand["prober"]])
    return msgspec.convert(data, Proof, strict=False)


def job_of(key: tuple[str, str, str, str], memories: Mapping[JobKey, Memory]) -> JobKey:
    return next(job for job, memory in memories.items() if any(track.key == key for track in memory.tracks.values()))


WIDTHS: Counter[Width] = Counter()


@given(networks(), st.data())
@settings(deadline=None, max_examples=80)
def test_every_diagnosis_is_proven_and_a_decisive_reading_decides(inventory: Inventory, data: Any) -> None:
    memories = memories_of(inventory, data)
    rules = {job: RULES[job[1]] for job in memories}
    diagnoses = correlate(memories, Topology(inventory)).diagnoses
    proofs = [prove(one, memories, rules, inventory) for one in diagnoses]
    assert [prove(one, memories, rules, inventory) for one in reversed(diagnoses)] == proofs[::-1]
    for diagnosis, text in zip(diagnoses, proofs, strict=True):
        WIDTHS[width_of(text)] += 1
        proof = read(text)
        assert proof.evidence.width is not Width.NONE
        assert explain(proof).same
        assert not explain(mended(proof, job_of(diagnosis.keys[0], memories))).same
        assert diagnosis.identity in played(proof)


def played(proof: Proof) -> set[Identity]:
    """Return what a replay of the evidence has told when it ends, at once or after the wait for what was asked."""
    replay = Replay()
    told = [one for line in lines_of(proof.evidence, "agent") for one in replay.take(line)]
    told += replay.end()
    return {one.diagnosis.identity for one in told if one.held} | set(replay.diagnoses)


def test_most_diagnoses_need_no_more_than_what_they_name() -> None:
    """Runs after the law above and looks at what its examples needed."""
    assert WIDTHS[Width.NONE] == 0
    assert WIDTHS[Width.OWN] >= WIDTHS[Width.BAD] + WIDTHS[Width.ALL]
