from collections import Counter

import pytest

from checks import catalogue
from checks.causes import (
    BY_CODE,
    CAUSES,
    EXPLAINED_BY,
    MANY,
    OTHER,
    Cause,
    Sort,
    Taker,
    area,
    cause_of,
    default,
    major,
    sort_of,
    urgency,
)
from checks.finding import State
from checks.verdict import Area, Urgency
from probe.inventory import Customer, Node, Owner

ROOMS = sorted(set(catalogue.JUDGES.values()))


@pytest.mark.parametrize("prober", sorted(catalogue.JUDGES))
def test_every_check_has_a_cause(prober: str) -> None:
    for check in catalogue.load(prober).CHECKS:
        assert default(check.name) is not None, check.name
        assert default(f"{check.name}.usual") is default(check.name)
        assert default(f"{check.name}.trend") is default(check.name)


def test_nothing_is_explained_by_two_causes() -> None:
    assert [finding for finding, times in Counter(one for cause in CAUSES for one in cause.explains).items() if times > 1] == []
    assert len(BY_CODE) == len(CAUSES)
    assert OTHER not in CAUSES


def test_no_cause_explains_a_check_that_does_not_exist() -> None:
    known = {check.name for prober in catalogue.JUDGES for check in catalogue.load(prober).CHECKS} | {"*"}
    assert {finding.split(":")[0] for finding in EXPLAINED_BY} - known == set()


@pytest.mark.parametrize(
    ("check", "said", "code"),
    [
        ("tcp/port", "failure.refused", "process_down"),
        ("tcp/port", "failure.timeout", "service_hung"),
        ("dns/answer", "failure.timeout", "dns"),
        ("dns/answer", "failure.refused", "process_down"),
        ("dns/answer", "dns.servfail", "dns"),
        ("ntp/answer", "failure.timeout", "time_server"),
        ("tls/handshake", "failure.rejected", "service_error"),
        ("tls/handshake", "tls.handshake", "service_slow"),
        ("database/answer", "failure.unreachable", "host_down"),
        ("icmp/latency.usual", "usual.higher", "delay"),
        ("host/disk.trend", "trend.full-in", "disk_full"),
    ],
)
def test_the_more_exact_explanation_wins(check: str, said: str, code: str) -> None:
    cause = cause_of(check, said)
    assert cause is not None
    assert cause.code == code


def test_a_check_nobody_knows_has_no_cause() -> None:
    assert cause_of("nobody/knows", "x") is None


@pytest.mark.parametrize(
    ("check", "said", "sort"),
    [
        ("icmp/loss", "icmp.no-reply", Sort.SILENT),
        ("icmp/loss", "icmp.loss", Sort.POOR),
        ("icmp/latency.usual", "usual.higher", Sort.POOR),
        ("tcp/port", "failure.timeout", Sort.SILENT),
        ("tcp/port", "failure.refused", Sort.OWN),
        ("tcp/connect", "tcp.connect", Sort.POOR),
        ("dns/answer", "failure.timeout", Sort.SILENT),
        ("dns/answer", "dns.servfail", Sort.OWN),
        ("dns/time", "dns.time", Sort.POOR),
        ("ntp/answer", "failure.timeout", Sort.SILENT),
        ("ntp/offset", "ntp.offset.ahead", Sort.OWN),
        ("database/answer", "failure.timeout", Sort.SILENT),
        ("database/answer", "database.full", Sort.OWN),
        ("database/ready-time", "database.ready", Sort.POOR),
        ("snmp/answer", "failure.timeout", Sort.SILENT),
        ("snmp/answer", "failure.rejected", Sort.OWN),
        ("snmp/rx-power.loss", "loss.fallen", Sort.OWN),
        ("sip/answer", "sip.unavailable", Sort.OWN),
        ("path/reach", "path.ends.line", Sort.SILENT),
        ("path/reach", "path.loop", Sort.OWN),
        ("stamp/answer", "stamp.silent", Sort.SILENT),
        ("stamp/answer", "failure.refused", Sort.OWN),
        ("gateway/nat", "gateway.nat-silent", Sort.OWN),
        ("gateway/nat", "gateway.nat-alone", Sort.SILENT),
        ("host/disk.trend", "trend.full-in", Sort.OWN),
        ("nobody/knows", "failure.timeout", Sort.SILENT),
        ("nobody/knows", "x", Sort.OWN),
    ],
)
def test_what_a_finding_says_of_the_way_to_its_target(check: str, said: str, sort: Sort) -> None:
    assert sort_of(check, said) is sort


def test_only_what_a_cause_explains_can_be_of_another_sort_than_the_rest() -> None:
    for cause in CAUSES:
        assert set(cause.besides) <= set(cause.explains), cause.code
        assert cause.sort not in cause.besides.values(), cause.code


CODED = {cause.code: cause for cause in (*CAUSES, OTHER)}
ALONE = Node("a")
SOFTSWITCH = Node("soft", role="softswitch")
THEIR_GATEWAY = Node("gw", kind="gateway", role="gateway", owner=Owner.CUSTOMER)
PEERING = Node("pop", kind="router", owner=Owner.CARRIER)


def some(count: int, grade: str = "normal") -> tuple[Customer, ...]:
    return tuple(Customer(f"c{at}", grade) for at in range(count))


@pytest.mark.parametrize(
    ("code", "state", "node", "affected", "expected"),
    [
        ("host_down", State.WARNING, SOFTSWITCH, some(9), Urgency.NORMAL),
        ("host_down", State.CRITICAL, ALONE, (), Urgency.URGENT),
        ("host_down", State.CRITICAL, SOFTSWITCH, (), Urgency.EMERGENCY),
        ("host_down", State.CRITICAL, ALONE, some(1), Urgency.URGENT),
        ("host_down", State.CRITICAL, ALONE, some(2), Urgency.EMERGENCY),
        ("host_down", State.CRITICAL, ALONE, some(1, "大客户"), Urgency.EMERGENCY),
        ("gateway_down", State.CRITICAL, THEIR_GATEWAY, some(1), Urgency.URGENT),
        ("gateway_down", State.CRITICAL, THEIR_GATEWAY, some(1, "vip"), Urgency.EMERGENCY),
        ("fibre_cut", State.CRITICAL, None, (), Urgency.EMERGENCY),
        ("customer_line", State.CRITICAL, None, some(1), Urgency.URGENT),
        ("redundancy_lost", State.CRITICAL, None, (), Urgency.URGENT),
        ("agent_blind", State.CRITICAL, SOFTSWITCH, (), Urgency.URGENT),
        ("loss", State.CRITICAL, SOFTSWITCH, some(MANY - 1), Urgency.URGENT),
        ("loss", State.CRITICAL, None, some(MANY), Urgency.EMERGENCY),
        ("loss", State.WARNING, None, some(MANY), Urgency.NORMAL),
        ("fan", State.CRITICAL, SOFTSWITCH, some(MANY), Urgency.URGENT),
        ("snmp_agent", State.CRITICAL, SOFTSWITCH, some(MANY), Urgency.NORMAL),
    ],
)
def test_urgency_comes_from_severity_extent_and_grade(
    code: str, state: State, node: Node | None, affected: tuple[Customer, ...], expected: Urgency
) -> None:
    assert urgency(CODED[code], state, node, affected) is expected


@pytest.mark.parametrize(
    ("code", "state", "customers", "expected"),
    [
        ("host_down", State.CRITICAL, MANY, True),
        ("host_down", State.CRITICAL, MANY - 1, False),
        ("host_down", State.WARNING, MANY, False),
        ("carrier_quality", State.CRITICAL, MANY, True),
        ("fan", State.CRITICAL, MANY, False),
    ],
)
def test_many_customers_who_feel_one_cause_are_a_major_case(code: str, state: State, customers: int, expected: bool) -> None:
    assert major(CODED[code], state, some(customers)) is expected


@pytest.mark.parametrize(
    ("code", "node", "expected"),
    [
        ("host_down", ALONE, Area.SERVER),
        ("host_down", Node("core", kind="switch"), Area.DEVICE),
        ("host_down", PEERING, Area.CARRIER_NETWORK),
        ("gateway_down", THEIR_GATEWAY, Area.CUSTOMER_EQUIPMENT),
        ("fibre_cut", Node("edge", kind="router"), Area.FIBRE),
        ("customer_line", None, Area.CUSTOMER_NETWORK),
        ("agent_blind", ALONE, Area.AGENT),
        ("nat_dmz", THEIR_GATEWAY, Area.CUSTOMER_NETWORK),
        ("gateway_registration", SOFTSWITCH, Area.CUSTOMER_EQUIPMENT),
    ],
)
def test_the_area_is_the_cause_s_or_that_of_what_is_broken(code: str, node: Node | None, expected: Area) -> None:
    assert area(CODED[code], node) is expected


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.code)
def test_what_looks_like_a_cause_is_another_one_of_the_catalogue(cause: Cause) -> None:
    assert cause.code not in cause.like
    assert set(cause.like) <= set(CODED)
    assert (cause.decides is None) is (not cause.like)


def test_what_is_only_silent_is_of_a_declared_class_with_the_test_that_decides() -> None:
    silent = [cause.code for cause in CAUSES if Sort.SILENT in {cause.sort, *cause.besides.values()}]
    assert [code for code in silent if not CODED[code].like] == []


def test_every_taker_of_the_written_flow_has_something_to_do() -> None:
    assert {cause.taker for cause in CAUSES} == set(Taker)
