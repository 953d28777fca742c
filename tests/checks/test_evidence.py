from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks import catalogue, tcp
from checks.assess import Memory, Rules, Scene, assess, stale
from checks.baseline import Baseline
from checks.correlate import RULES, correlate
from checks.evidence import derive, derive_all, gather, same_rules
from checks.sight import Look, Route, Sight
from checks.topology import Topology
from checks.verdict import Diagnosis, Evidence
from probe.inventory import Customer, Inventory, Node, Site
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation, Outcome
from probe.observation.tcp import ConnectSample

START = datetime(2026, 3, 1, tzinfo=UTC)
JOB = ("web-1", "tcp", "80")
GOOD, SLOW, DEAD = ConnectSample("192.0.2.1", 80, 1.0), ConnectSample("192.0.2.1", 80, 1500.0), Failure(Kind.TIMEOUT)
REFUSED, BLIND = Failure(Kind.REFUSED), Failure(Kind.UPLINK)
ODD = ConnectSample("192.0.2.1", 80, 400.0)
INVENTORY = Inventory(
    "here",
    {"web-1": Node("web-1", "192.0.2.1", site="shop"), "web-2": Node("web-2", "192.0.2.2")},
    {"shop": Site("shop", customer="Shop Ltd"), "else": Site("else")},
    customers={"Shop Ltd": Customer("Shop Ltd"), "Other": Customer("Other")},
)
RULED = Rules(tcp.judge, tcp.Limits(), route=Route("eth0"))
USUAL = {("agent", "web-1", "tcp/connect", "80"): Baseline(1.0, 0.1, 600, 10)}


def run(outcomes: list[Outcome], scene: Scene | None = None, memory: Memory | None = None, rules: Rules = RULED) -> Memory:
    memory = memory or Memory()
    start = 0 if memory.last_at is None else int((memory.last_at - START).total_seconds() // 60) + 1
    for number, outcome in enumerate(outcomes, start):
        seen = Observation("agent", "web-1", "tcp", START + timedelta(minutes=number), 1.0, outcome, "80")
        memory, _ = assess(seen, memory, rules, scene or Scene())
    return memory


def verdicts(memory: Memory) -> list[Diagnosis]:
    return [proven(one, memory, RULED) for one in correlate({JOB: memory}, Topology(INVENTORY)).diagnoses]


def proven(one: Diagnosis, memory: Memory, rules: Rules) -> Diagnosis:
    return msgspec.structs.replace(one, evidence=gather(one, {JOB: memory}, {JOB: rules}, INVENTORY))


def bare(diagnosis: Diagnosis | None) -> bytes:
    assert diagnosis is not None
    return msgspec.json.encode(msgspec.structs.replace(diagnosis, evidence=None))


def again(evidence: Evidence | None) -> Evidence:
    assert evidence is not None
    return msgspec.json.decode(msgspec.json.encode(evidence), type=Evidence)


def test_the_verdict_is_derived_again_to_the_same_bytes() -> None:
    (live,) = verdicts(run([GOOD, GOOD, DEAD, DEAD, DEAD]))
    assert bare(derive(again(live.evidence), live.cause, live.element)) == bare(live)
    assert live.affected == ("Shop Ltd",)


def test_a_changed_reading_changes_the_verdict() -> None:
    (live,) = verdicts(run([GOOD, DEAD, DEAD, DEAD]))
    data: Any = msgspec.to_builtins(live.evidence)
    last = data["strands"][0]["steps"][-1]["seen"]
    last["outcome"]["kind"] = "refused"
    (other,) = derive_all(msgspec.convert(data, Evidence, strict=False))
    assert other.cause == "process_down" != live.cause
    last["outcome"] = msgspec.to_builtins(GOOD)
    assert derive_all(msgspec.convert(data, Evidence, strict=False)) == []


def test_changed_limits_change_the_verdict() -> None:
    (live,) = verdicts(run([GOOD, SLOW, SLOW, SLOW]))
    data: Any = msgspec.to_builtins(live.evidence)
    data["strands"][0]["limits"]["connect"]["warning"] = 2000.0
    assert derive_all(msgspec.convert(data, Evidence, strict=False)) == []


def test_evidence_of_other_rules_is_told() -> None:
    (live,) = verdicts(run([DEAD] * 3))
    assert live.evidence is not None
    assert live.evidence.rules == RULES == "2"
    assert same_rules(live.evidence)
    assert not same_rules(msgspec.structs.replace(live.evidence, rules="0"))


def test_evidence_holds_only_its_own_slice_of_the_inventory() -> None:
    (live,) = verdicts(run([DEAD] * 3))
    assert live.evidence is not None
    kept = live.evidence.inventory
    assert (list(kept.nodes), list(kept.sites), list(kept.customers)) == (["web-1"], ["shop"], ["Shop Ltd"])
    assert [seen.outcome for seen in live.evidence.observations] == [DEAD] * 3


def test_a_verdict_without_its_memory_has_no_evidence() -> None:
    (live,) = verdicts(run([DEAD] * 3))
    with pytest.raises(ValueError, match="no memory"):
        gather(live, {}, {}, INVENTORY)


def test_what_the_agent_could_not_see_is_part_of_the_evidence() -> None:
    sight = Scene(Sight(interfaces={"eth0": Look(False, START + timedelta(minutes=3))}))
    memory = run([DEAD, DEAD, DEAD], None, run([DEAD, DEAD], sight, run([DEAD, DEAD])))
    (live,) = verdicts(memory)
    assert bare(derive(again(live.evidence), live.cause, live.element)) == bare(live)


def test_what_was_usual_is_part_of_the_evidence() -> None:
    (live,) = verdicts(run([SLOW, SLOW, SLOW], Scene(baselines=USUAL)))
    assert [key[2] for key in live.keys] == ["tcp/connect", "tcp/connect.usual"]
    assert bare(derive(again(live.evidence), live.cause, live.element)) == bare(live)


def test_the_verdict_outlives_a_gap_a_restart_and_new_limits() -> None:
    memory = run([GOOD, DEAD, DEAD])
    late = stale(memory, 60.0, START + timedelta(minutes=30))
    assert late is not None
    memory = run([DEAD, DEAD, DEAD], memory=late[0])
    (live,) = verdicts(memory)
    assert bare(derive(again(live.evidence), live.cause, live.element)) == bare(live)

    memory = run([DEAD, DEAD, DEAD, SLOW], memory=Memory(tracks=run([SLOW, SLOW, SLOW]).tracks))
    (live,) = verdicts(memory)  # that it is slow; the port answers again
    assert live.cause == "service_slow"
    assert bare(derive(again(live.evidence), live.cause, live.element)) == bare(live)

    loose = Rules(tcp.judge, tcp.Limits(msgspec.structs.replace(tcp.CONNECT, warning=2000.0)))
    memory = run([SLOW, SLOW, SLOW], None, run([SLOW, DEAD], rules=loose))
    (live,) = verdicts(memory)
    assert bare(derive(again(live.evidence), live.cause, live.element)) == bare(live)


scenes = st.sampled_from([Scene(), Scene(baselines=USUAL), Scene(Sight(interfaces={"eth0": Look(False, START + timedelta(days=1))}))])
loose = Rules(tcp.judge, tcp.Limits(msgspec.structs.replace(tcp.CONNECT, warning=2000.0)))


@given(
    st.lists(
        st.tuples(
            st.sampled_from([GOOD, SLOW, ODD, DEAD, DEAD, REFUSED, BLIND, None]),
            scenes,
            st.sampled_from([RULED, RULED, RULED, loose]),
        ),
        max_size=40,
    )
)
@settings(deadline=None)
def test_every_verdict_of_every_run_of_readings_is_derived_again(steps: list[tuple[Outcome | None, Scene, Rules]]) -> None:
    memory = Memory()
    for outcome, scene, rules in steps:
        if outcome is not None:
            memory = run([outcome], scene, memory, rules)
        elif memory.last_at is not None and (late := stale(memory, 60.0, memory.last_at + timedelta(hours=1))) is not None:
            memory = late[0]
        for live in correlate({JOB: memory}, Topology(INVENTORY)).diagnoses:
            evidence = again(proven(live, memory, rules).evidence)
            assert bare(derive(evidence, live.cause, live.element)) == bare(live)


@pytest.mark.parametrize("prober", sorted(catalogue.JUDGES))
def test_limits_are_the_same_after_they_were_data(prober: str) -> None:
    limits = catalogue.load(prober).Limits()
    data = msgspec.json.decode(msgspec.json.encode(msgspec.to_builtins(limits)))
    assert msgspec.convert(data, type(limits)) == limits
