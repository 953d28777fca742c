"""Several agents as several places to look from: what another one sees alive is not gone, and what none can see is the far thing."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import catalogue
from checks.assess import Memory, Rules, assess
from checks.correlate import correlate
from checks.correlation.view import STALE, View, fresh
from checks.patience import AGENT, HOLD, Patience, deliberate
from checks.proof import explain, prove, read
from checks.recording import Line, lines_of
from checks.replay import Replay
from checks.topology import Topology
from checks.verdict import Diagnosis
from probe.inventory import Customer, Inventory, Link, Node, Owner, Site
from probe.observation.icmp import EchoSample
from probe.observation.observation import Observation

START = datetime(2026, 3, 1, tzinfo=UTC)
NODES = (
    Node("agent-a", "10.0.0.10", "dc"),
    Node("agent-b", "10.0.1.10", "hall"),
    Node("agent-c", "10.9.0.10", "harbour", owner=Owner.CUSTOMER),
    Node("lan-a", "10.0.0.2", "dc", "switch"),
    Node("lan-b", "10.0.1.2", "hall", "switch"),
    Node("core", "10.0.0.1", "dc", "router"),
    Node("soft", "10.0.2.20", "dc", role="softswitch"),
    Node("db", "10.0.2.30", "dc"),
    Node("router-c", "10.9.0.1", "harbour", "router", owner=Owner.CUSTOMER),
    Node("gw-c", "10.9.0.2", "harbour", "gateway", owner=Owner.CUSTOMER),
)
LINKS = (
    Link("up-a", "agent-a", "lan-a"),
    Link("up-b", "agent-b", "lan-b"),
    Link("a-core", "lan-a", "core"),
    Link("b-core", "lan-b", "core"),
    Link("soft-core", "soft", "core"),
    Link("db-core", "db", "core"),
    Link("line-c", "core", "router-c"),
    Link("lan-c", "router-c", "gw-c"),
    Link("up-c", "router-c", "agent-c"),
)
INVENTORY = Inventory(
    "agent-a",
    {node.name: node for node in NODES},
    {"dc": Site("dc"), "hall": Site("hall"), "harbour": Site("harbour", "customer", customer="Harbour")},
    {link.name: link for link in LINKS},
    {},
    {"Harbour": Customer("Harbour")},
)
TOPOLOGY = Topology(INVENTORY)
ALL = tuple(node.name for node in NODES)
RULES = Rules(catalogue.load("icmp").judge, catalogue.load("icmp").Limits())
Memories = dict[tuple[str, str, str], Memory]
GONE = {"host_down", "customer_router", "gateway_down", "carrier_network", "site_power", "service_hung"}


def measured(dark: set[str], here: str = "agent-a", among: tuple[str, ...] = ALL) -> tuple[Memories, datetime]:
    """Return what an agent knows that asked each node six times in 30 s, the last four times in vain where it is dark; and when it was."""
    memories: Memories = {}
    at = START
    for turn in range(6):
        at = START + timedelta(seconds=5 * turn)
        for name in among:
            if name != here:
                outcome = EchoSample("x", 5, 0) if name in dark and turn > 1 else EchoSample("x", 5, 5, 0.2, 0.3, 0.4, 0.01)
                seen = Observation(here, name, "icmp", at, 3.0, outcome)
                memories[name, "icmp", ""] = assess(seen, memories.get((name, "icmp", ""), Memory()), RULES)[0]
    return memories, at


def view(here: str, dark: set[str], now: datetime = START + timedelta(seconds=25), among: tuple[str, ...] = ALL) -> View:
    """Return what another agent sees: all that is not dark has answered just now."""
    return View(
        here,
        here,
        {name: now for name in among if name not in dark},
        {name: START + timedelta(seconds=10) for name in among if name in dark},
    )


def told(memories: Memories, *views: View) -> list[tuple[str, str]]:
    return [(one.cause, one.element) for one in correlate(memories, TOPOLOGY, (), views).diagnoses]


EVERYTHING = {name for name in ALL if name != "agent-a"}
FAR = {"soft", "db", "core", "router-c", "gw-c", "agent-c"}
CASES = [
    # what we can't see, what agent-b can't see (None: there is no other agent), what is said
    ("nothing answers us, and the other agent sees all of it", EVERYTHING, {"agent-a"}, [("agent_blind", "agent-a")]),
    (
        "the same to the other one, who still answers itself",
        {"agent-b"},
        EVERYTHING - {"agent-b"} | {"agent-a"},
        [("agent_blind", "agent-b")],
    ),
    ("the core is gone to both", FAR | {"lan-b", "agent-b"}, FAR | {"lan-a", "agent-a"}, [("host_down", "core")]),
    ("a server is gone to both", {"db"}, {"db"}, [("host_down", "db")]),
    ("what is between our switch and the core", FAR | {"lan-b", "agent-b"}, {"agent-a", "lan-a"}, [("interface_down", "a-core")]),
    (
        "the customer's line to both of us",
        {"router-c", "gw-c", "agent-c"},
        {"router-c", "gw-c", "agent-c"},
        [("customer_router", "router-c")],
    ),
    ("we are blind, and a server was gone to both", EVERYTHING, {"agent-a", "db"}, [("agent_blind", "agent-a")]),
]


@pytest.mark.parametrize(("dark", "theirs", "said"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_two_agents_tell_what_one_could_not(dark: set[str], theirs: set[str], said: list[tuple[str, str]]) -> None:
    memories, _ = measured(dark)
    assert told(memories, view("agent-b", theirs)) == said


def test_a_server_that_is_shut_to_us_alone_is_not_gone() -> None:
    memories, _ = measured({"db"})
    (one,) = correlate(memories, TOPOLOGY, (), [view("agent-b", set())]).diagnoses
    assert (one.cause, one.element, one.side) == ("service_blocked", "db", "company")
    assert "host_down" not in one.alternatives


def test_without_another_agent_blindness_names_what_it_could_be_as_well() -> None:
    memories, _ = measured(EVERYTHING)
    (alone,) = correlate(memories, TOPOLOGY).diagnoses
    (both,) = correlate(memories, TOPOLOGY, (), [view("agent-b", {"agent-a"})]).diagnoses
    assert (alone.cause, both.cause) == ("agent_blind", "agent_blind")
    assert alone.alternatives
    assert (both.alternatives, both.elsewhere) == ((), ())
    assert both.affected == ()


def test_the_line_of_a_customer_that_only_one_agent_crosses_is_the_line_not_his_router() -> None:
    dark = {"router-c", "gw-c", "agent-c"}
    memories, _ = measured(dark)
    theirs = view("agent-c", {name for name in ALL if name not in dark}, among=(*sorted(dark), "core", "soft"))
    (one,) = correlate(memories, TOPOLOGY, (), [theirs]).diagnoses
    assert (one.cause, one.element, one.affected) == ("customer_line", "line-c", ("Harbour",))
    assert not {"customer_router", "site_power"} & set(one.alternatives)


def test_a_switch_in_common_that_nobody_measures_is_the_far_thing_to_agents_that_see_only_themselves() -> None:
    among = tuple(name for name in ALL if name not in {"core", "lan-a", "lan-b"})
    dark = set(among) - {"agent-a"}
    memories, _ = measured(dark, among=among)
    said = told(memories, view("agent-b", set(among) - {"agent-b"}, among=among))
    assert said == [("host_down", "core")]


def test_what_was_seen_before_the_fault_began_says_nothing() -> None:
    memories, _ = measured({"db"})
    before = view("agent-b", set(), START + timedelta(seconds=9))
    at_it = view("agent-b", set(), START + timedelta(seconds=10))
    assert told(memories, before) == told(memories) == [("host_down", "db")]
    assert told(memories, at_it) != told(memories)


def test_a_view_older_than_thirty_seconds_says_nothing() -> None:
    one = view("agent-b", set())
    at = one.alive["agent-b"]
    assert fresh([one], at + STALE) == (one,)
    assert fresh([one], at + STALE + timedelta(microseconds=1)) == ()
    assert fresh([View("b", "agent-b", {"core": at})], at) == ()  # it never told anything of itself


def test_a_verdict_waits_for_the_word_of_another_agent_that_measures_it_but_not_for_long() -> None:
    memories, now = measured({"db"})
    silent = view("agent-b", set(), START + timedelta(seconds=9))
    first, patience = deliberate(memories, TOPOLOGY, Patience(), now, views=[silent])
    assert first.diagnoses == ()
    assert [one.node for one in first.asks] == ["db"]
    heard, _ = deliberate(memories, TOPOLOGY, patience, now + timedelta(seconds=1), views=[view("agent-b", {"db"})])
    assert [one.cause for one in heard.diagnoses] == ["host_down"]
    late, _ = deliberate(memories, TOPOLOGY, patience, now + HOLD, views=[silent])
    assert [one.cause for one in late.diagnoses] == ["host_down"]


def test_a_dark_agent_that_lives_is_waited_for_until_it_has_looked_around() -> None:
    memories, now = measured({"agent-b"})
    before, since = START + timedelta(seconds=9), START + timedelta(seconds=10)
    lives = View("agent-b", "agent-b", {"agent-b": since, "core": before, "db": before})
    first, patience = deliberate(memories, TOPOLOGY, Patience(), now, views=[lives])
    assert first.diagnoses == ()
    later = now + AGENT - timedelta(seconds=1)
    sees = view("agent-b", {"agent-a"})
    sees = msgspec.structs.replace(sees, alive={**sees.alive, "agent-b": later})
    blind = view("agent-b", set(ALL) - {"agent-b"}, later)
    for word, cause in ((blind, "agent_blind"), (sees, "service_blocked")):
        told, _ = deliberate(memories, TOPOLOGY, patience, later, views=[word])
        assert [one.cause for one in told.diagnoses] == [cause]
    again = view("agent-b", {"agent-a"}, later)  # it sees since we last measured it in vain: it may have been blind until then
    assert deliberate(memories, TOPOLOGY, patience, later, views=[again])[0].diagnoses == ()
    still = View("agent-b", "agent-b", {**lives.alive, "agent-b": later})
    held, _ = deliberate(memories, TOPOLOGY, patience, later, views=[still])
    late, _ = deliberate(memories, TOPOLOGY, patience, now + AGENT, views=[still])
    assert (held.diagnoses, [one.cause for one in late.diagnoses]) == ((), ["interface_down"])


def test_a_dark_agent_is_waited_for_among_many_dark_nodes() -> None:
    memories, now = measured({"agent-b", "core", "db", "gw-c", "soft"})
    since = START + timedelta(seconds=10)
    lives = View("agent-b", "agent-b", {"agent-b": since, "lan-b": START})
    held, _ = deliberate(memories, TOPOLOGY, Patience(), now, views=[lives])
    assert "agent-b" in {one.node for one in held.asks}


SOME = st.sets(st.sampled_from(ALL))


@given(dark=SOME, views=st.lists(st.tuples(st.sampled_from(ALL[1:]), SOME, st.integers(0, 30)), max_size=3, unique_by=lambda one: one[0]))
def test_what_a_fresh_view_sees_alive_is_never_said_to_be_gone(dark: set[str], views: list[tuple[str, set[str], int]]) -> None:
    memories, _ = measured(dark - {"agent-a"})
    others = [view(here, gone - {here}, START + timedelta(seconds=at)) for here, gone, at in views]
    found = correlate(memories, TOPOLOGY, (), others).diagnoses
    keys = [key for one in found for key in one.keys]
    assert sorted(keys) == sorted(set(keys)), "a finding is in two diagnoses"
    assert {key[1] for key in keys} == dark - {"agent-a"}, "a finding is in none"
    since = START + timedelta(seconds=10)
    for one in found:
        for node in dark - {"agent-a"}:
            if any(other.sees(node, since) for other in others):
                assert not (one.cause in GONE and one.element == node)
                assert not (one.cause == "site_power" and INVENTORY.nodes[node].site == one.element)


@given(dark=SOME)
def test_without_views_nothing_is_different(dark: set[str]) -> None:
    memories, now = measured(dark - {"agent-a"})
    stale = [view("agent-b", set(), now - STALE - timedelta(seconds=1))]
    alone = deliberate(memories, TOPOLOGY, Patience(), now)[0]
    assert deliberate(memories, TOPOLOGY, Patience(), now, views=stale)[0].diagnoses == alone.diagnoses


def bare(one: Diagnosis) -> bytes:
    return msgspec.json.encode(one, order="deterministic")


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_the_evidence_has_the_views_that_it_needs_and_leads_to_the_same_verdict(case: tuple[str, set[str], set[str], object]) -> None:
    memories, _ = measured(case[1])
    views = [view("agent-b", case[2])]
    rules: Mapping[tuple[str, str, str], Rules] = dict.fromkeys(memories, RULES)
    for one in correlate(memories, TOPOLOGY, (), views).diagnoses:
        proof = read(prove(one, memories, rules, INVENTORY, views))
        assert explain(proof).same
        assert bare(proof.verdict) == bare(one)
        assert proof.evidence.views


def test_a_replay_of_the_evidence_sees_what_the_others_saw() -> None:
    memories, _ = measured(EVERYTHING)
    views = [view("agent-b", {"agent-a"})]
    (one,) = correlate(memories, TOPOLOGY, (), views).diagnoses
    evidence = read(prove(one, memories, dict.fromkeys(memories, RULES), INVENTORY, views)).evidence
    replay = Replay()
    lines = [msgspec.json.decode(msgspec.json.encode(line), type=Line) for line in lines_of(evidence, "agent-a")]
    said = [each for line in lines for each in replay.take(line)] + list(replay.end())
    assert {each.diagnosis.cause for each in said} == {"agent_blind"}
    assert said[-1].diagnosis.alternatives == ()
