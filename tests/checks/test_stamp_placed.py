"""Loss too small for one session is placed by the packets of the minutes in which it was seen, good sessions by theirs too."""

from datetime import UTC, datetime, timedelta

import pytest

from checks import catalogue
from checks.assess import Memory, Rules, assess
from checks.correlate import correlate
from checks.topology import Topology
from checks.verdict import Diagnosis, Side
from probe.inventory import Carrier, Inventory, Link, Node, Owner, Site
from probe.observation.icmp import EchoSample
from probe.observation.observation import Observation
from probe.observation.stamp import Lost, StampSample

START = datetime(2026, 3, 1, tzinfo=UTC)
THEIRS = Owner.CARRIER
NODES = (
    Node("agent", "10.0.0.10", "dc"),
    Node("edge", "10.0.0.1", "dc", "router"),
    Node("pop", "10.255.0.2", "pop", "carrier", owner=THEIRS),
    Node("carrier", "203.0.113.10", "far", "carrier", owner=THEIRS),
)
LINKS = (
    Link("lan", "agent", "edge"),
    Link("fib0", "edge", "pop", ("fib0", "fib0"), "fibre", "CarrierOne"),
    Link("fib1", "edge", "pop", ("fib1", "fib1"), "fibre", "CarrierOne"),
    Link("backhaul", "pop", "carrier"),
)


def topology(*without: str) -> Topology:
    """Return the network, without some links."""
    sites = {"dc": Site("dc"), "pop": Site("pop", "pop"), "far": Site("far", "carrier")}
    links = {link.name: link for link in LINKS if link.name not in without}
    return Topology(Inventory("agent", {node.name: node for node in NODES}, sites, links, {"CarrierOne": Carrier("CarrierOne")}))


def session(lately: int, lost: int = 0, of: int = 100) -> StampSample:
    """Return a session that lost so many on the way back, the last one of minutes in which `lately` of 3,000 were lost."""
    both, out = Lost(3000, lately, 0.0, 0), Lost(3000, 0, 0.0, 3000)
    times = {"rtt_ms": 20.0, "min_rtt_ms": 19.0, "jitter_out_ms": 0.1, "jitter_back_ms": 0.1}
    told = {"lately_s": 300.0, "lately_sessions": 30, "lately_both": both, "lately_out": out, "lately_back": both}
    return StampSample("x", 862, of, of - lost, True, 0, lost, **times, **told)


def said(over: Topology, **stamps: StampSample) -> list[Diagnosis]:
    """Return what is said when all answer their echoes, and these the sessions."""
    memories: dict[tuple[str, str, str], Memory] = {}
    for number in range(6):
        at = START + timedelta(seconds=10 * number)
        for node in ("edge", "pop", "carrier"):
            outcomes = {"icmp": EchoSample("x", 5, 5, 0.2, 0.3, 0.4, 0.01)} | ({"stamp": stamps[node]} if node in stamps else {})
            for prober, outcome in outcomes.items():
                room = catalogue.load(prober)
                seen, key = Observation("agent", node, prober, at, 1.0, outcome), (node, prober, "")
                memories[key], _ = assess(seen, memories.get(key) or Memory(), Rules(room.judge, room.Limits()))
    return list(correlate(memories, over).diagnoses)


@pytest.mark.parametrize("lately", [18, 25, 35, 60])
@pytest.mark.parametrize("last", [0, 1, 2])
def test_small_loss_beyond_the_fibres_is_the_carriers_line(lately: int, last: int) -> None:
    (found,) = said(topology(), carrier=session(lately, last))
    assert (found.cause, found.side, found.element in {"fib0", "fib1"}) == ("loss", Side.CARRIER, True)


def test_good_sessions_of_the_same_minutes_clear_what_they_crossed() -> None:
    """Echoes of the PoP, 5 of 5, say nothing against 1 %; its sessions, none of 3,000, do."""
    (found,) = said(topology("fib1"), carrier=session(30))
    assert found.element == "fib0"
    (found,) = said(topology("fib1"), carrier=session(30), pop=session(0))
    assert (found.cause, found.element in {"backhaul", "carrier"}) == ("carrier_quality", True)


def test_a_loss_that_every_session_shows_is_one_fault_with_its_minutes() -> None:
    (found,) = said(topology(), carrier=session(200, 20))
    assert found.element in {"fib0", "fib1"}
    assert {key[2] for key in found.keys} >= {"stamp/loss-back", "stamp/loss-lately"}
