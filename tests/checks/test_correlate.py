from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from checks.assess import Memory, Standing
from checks.correlate import correlate as correlate_memories
from checks.finding import Finding, Message, State
from checks.history import Track
from checks.topology import Topology
from checks.verdict import Area, Diagnosis, Side, Urgency
from probe.inventory import Customer, Inventory, Node, Owner, Site
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation

START = datetime(2026, 3, 1, tzinfo=UTC)
INVENTORY = Inventory(
    "here",
    {
        "web-1": Node("web-1", "192.0.2.1"),
        "switch-1": Node("switch-1", "192.0.2.2", kind="switch"),
        "soft-1": Node("soft-1", "192.0.2.3", role="softswitch"),
        "pop": Node("pop", "192.0.2.4", kind="carrier", owner=Owner.CARRIER),
        "gw-9": Node("gw-9", "192.0.2.5", site="shop", kind="gateway", owner=Owner.CUSTOMER),
    },
    {"shop": Site("shop", "customer", customer="Shop Ltd")},
    customers={"Shop Ltd": Customer("Shop Ltd", grade="key")},
)


def memories(bad: Iterable[Standing]) -> dict[tuple[str, str, str], Memory]:
    """Return memories that hold these and nothing else."""
    found: dict[tuple[str, str, str], Memory] = {}
    for number, one in enumerate(bad):
        short = one.track.key[2:]
        key = (one.track.key[1], one.track.key[2].partition("/")[0], str(number))
        found[key] = Memory(one.finding.seen, one.finding.seen.at, {short: one.track}, bad={short: one.finding})
    return found


def correlate(bad: Iterable[Standing], inventory: Inventory) -> list[Diagnosis]:
    return list(correlate_memories(memories(bad), Topology(inventory)).diagnoses)


def standing(
    check: str, message: str = "x", node: str = "web-1", item: str = "", hard: State = State.CRITICAL, minute: int = 0
) -> Standing:
    seen = Observation("agent", node, check.split("/", maxsplit=1)[0], START + timedelta(minutes=9), 1.0, Failure(Kind.TIMEOUT))
    finding = Finding(check, seen, hard, Message(message), item=item)
    return Standing(finding, Track(finding.key, hard, hard, since=START + timedelta(minutes=minute)))


def one(*bad: Standing) -> Diagnosis:
    (found,) = correlate(bad, INVENTORY)
    return found


@pytest.mark.parametrize(
    ("check", "message", "cause"),
    [
        ("tcp/port", "failure.refused", "process_down"),
        ("tcp/port", "failure.timeout", "service_hung"),
        ("tcp/port", "failure.rejected", "service_error"),
        ("tcp/port", "failure.unreachable", "host_down"),
        ("http/status", "failure.refused", "process_down"),
        ("http/status", "http.status", "service_error"),
        ("icmp/loss", "icmp.no-reply", "host_down"),
        ("icmp/loss", "icmp.loss", "loss"),
        ("host/disk", "host.disk", "disk_full"),
        ("host/disk.trend", "trend.full-in", "disk_full"),
        ("nobody/knows", "x", "other"),
    ],
)
def test_a_finding_points_to_its_cause(check: str, message: str, cause: str) -> None:
    assert one(standing(check, message)).cause == cause


def test_findings_of_one_cause_at_one_element_are_one_diagnosis_of_the_worst_state() -> None:
    found = one(standing("host/disk", item="/var", hard=State.WARNING, minute=1), standing("host/disk.trend", item="/var", minute=4))
    assert (found.element, found.state, found.since) == ("web-1:/var", State.CRITICAL, START + timedelta(minutes=1))
    assert [key[2] for key in found.keys] == ["host/disk", "host/disk.trend"]
    assert [finding.check for finding in found.findings] == ["host/disk", "host/disk.trend"]


def test_different_parts_of_a_node_are_different_elements_unless_the_node_is_the_culprit() -> None:
    parts = correlate([standing("host/disk", item="/a"), standing("host/disk", item="/b")], INVENTORY)
    assert [found.element for found in parts] == ["web-1:/a", "web-1:/b"]
    whole = correlate([standing("icmp/loss", "icmp.loss", item="a"), standing("icmp/loss", "icmp.loss", item="b")], INVENTORY)
    assert [found.element for found in whole] == ["web-1"]


@pytest.mark.parametrize(
    ("node", "side", "area", "urgency", "affected"),
    [
        ("web-1", Side.COMPANY, Area.SERVER, Urgency.URGENT, ()),
        ("switch-1", Side.COMPANY, Area.DEVICE, Urgency.URGENT, ()),
        ("soft-1", Side.COMPANY, Area.SERVER, Urgency.EMERGENCY, ("Shop Ltd",)),
        ("pop", Side.UNDETERMINED, Area.CARRIER_NETWORK, Urgency.EMERGENCY, ("Shop Ltd",)),
        ("gw-9", Side.UNDETERMINED, Area.CUSTOMER_EQUIPMENT, Urgency.EMERGENCY, ("Shop Ltd",)),
        ("stranger", Side.UNDETERMINED, Area.SERVER, Urgency.URGENT, ()),
    ],
)
def test_side_area_urgency_and_affected_follow_from_whose_the_node_is(
    node: str, side: Side, area: Area, urgency: Urgency, affected: tuple[str, ...]
) -> None:
    found = one(standing("icmp/loss", "icmp.no-reply", node=node))
    assert (found.side, found.area, found.urgency, found.affected) == (side, area, urgency, affected)


def test_what_is_only_slow_is_no_emergency_and_what_hardly_matters_is_normal() -> None:
    assert one(standing("host/cpu", node="soft-1")).urgency is Urgency.URGENT
    assert one(standing("host/zombies", node="soft-1")).urgency is Urgency.NORMAL


def test_a_single_other_answer_makes_no_other_cause_of_it() -> None:
    one_refusal = standing("tcp/port", "failure.refused")
    believed = Standing(one_refusal.finding, msgspec.structs.replace(one_refusal.track, said="failure.timeout"))
    assert one(believed).cause == "service_hung"
    assert one(believed).findings[0].message.id == "failure.refused"


def test_a_warning_opens_a_case_of_normal_urgency() -> None:
    assert one(standing("host/cpu", node="soft-1", hard=State.WARNING)).urgency is Urgency.NORMAL


def test_a_departure_from_the_usual_alone_opens_none() -> None:
    unusual = standing("icmp/latency.usual", hard=State.WARNING)
    assert correlate([unusual], INVENTORY) == []
    assert len(one(unusual, standing("icmp/latency", "icmp.latency")).keys) == 2


def test_what_is_not_believed_bad_is_no_diagnosis() -> None:
    assert correlate([standing("host/cpu", hard=State.OK), standing("host/cpu", hard=State.UNKNOWN)], INVENTORY) == []


def test_the_order_of_findings_makes_no_difference() -> None:
    bad = [standing("tcp/port", item=str(port)) for port in (80, 443)] + [standing("host/cpu"), standing("icmp/latency")]
    assert correlate(bad, INVENTORY) == correlate(bad[::-1], INVENTORY)
