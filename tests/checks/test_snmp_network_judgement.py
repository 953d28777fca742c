"""The judgement of a device's neighbours: routing, cabling, and where a MAC address is."""

import pytest

from checks import snmp
from checks.assess import Memory, Rules, assess
from checks.device.cabling import MOST_MACS, same_node
from checks.device.ports import same_port
from checks.finding import State
from probe.observation.device import MacPlace
from probe.observation.routing import BgpPeer, Neighbour, OspfNeighbour
from tests.checks.device_samples import CRITICAL, DAY, OK, UNKNOWN, WARNING, device, down, judged, port, saw


@pytest.mark.parametrize(
    ("word", "admin_up", "expected"),
    [
        ("established", True, OK),
        ("idle", True, CRITICAL),
        ("connect", True, CRITICAL),
        ("active", True, CRITICAL),
        ("opensent", True, CRITICAL),
        ("openconfirm", True, CRITICAL),
        ("idle", False, OK),
        ("7", True, UNKNOWN),
    ],
)
def test_bgp_session_that_should_be_up(word: str, admin_up: bool, expected: State) -> None:
    found = judged(device(bgp_peers=(BgpPeer("192.0.2.1", 65001, word, admin_up, last_error="6/2"),)))["snmp/bgp", "192.0.2.1"]
    assert found.state is expected
    assert expected is not CRITICAL or found.message.values == {"peer": "192.0.2.1", "remote_as": 65001, "word": word, "error": "6/2"}


@pytest.mark.parametrize(("uptime_s", "expected"), [(299.0, UNKNOWN), (300.0, None), (None, None)])
def test_empty_table_of_a_young_agent_is_unknown_and_no_peer_is_no_finding(uptime_s: float | None, expected: State | None) -> None:
    found = judged(device(bgp_peers=(), uptime_s=uptime_s)).get(("snmp/bgp", ""))
    assert (found.state if found else None) is expected


def test_table_that_is_gone_after_a_restart_is_unknown() -> None:
    found = judged(device(bgp_peers=None, missing={"bgp": "no rows since the agent restarted"}))
    assert [one.state for (check, _), one in found.items() if check == "snmp/bgp"] == [UNKNOWN]


@pytest.mark.parametrize(
    ("since_s", "transitions", "transitions_since", "host_s", "expected"),
    [
        (599.0, 3, 0, 100 * DAY, WARNING),
        (600.0, 3, 0, 100 * DAY, WARNING),
        (601.0, 3, 0, 100 * DAY, OK),
        (10.0, 1, 1, 100 * DAY, OK),
        (10.0, None, None, 100 * DAY, WARNING),
        (10.0, 3, 2, 300.0, OK),
        (None, 3, 0, 100 * DAY, OK),
        (None, 3, 1, 100 * DAY, WARNING),
        (None, None, None, 100 * DAY, None),
        (-1.0, None, None, 100 * DAY, None),
    ],
)
def test_bgp_session_that_came_back_lately_was_lost(
    since_s: float | None, transitions: int | None, transitions_since: int | None, host_s: float, expected: State | None
) -> None:
    peer = BgpPeer("192.0.2.1", 65001, "established", True, transitions, transitions_since, since_s)
    found = judged(device(bgp_peers=(peer,), host_uptime_s=host_s)).get(("snmp/bgp-flaps", "192.0.2.1"))
    assert (found.state if found else None) is expected


def life(*looks: object) -> Memory:
    memory, rules = Memory(), Rules(snmp.judge, snmp.Limits())
    for look in looks:
        memory, _ = assess(saw(look), memory, rules)  # type: ignore[arg-type]
    return memory


def test_peer_that_sends_no_prefix_any_more_is_a_warning() -> None:
    looks = [device(bgp_peers=(BgpPeer("192.0.2.1", 65001, "established", True, prefixes=count),)) for count in (400, 401, 0, 0, 0)]
    (standing,) = life(*looks).standing
    assert (standing.finding.check, standing.track.hard) == ("snmp/prefixes.loss", WARNING)
    assert standing.finding.message.values["best"] == 401


@pytest.mark.parametrize("counts", [(0,) * 6, (400, 1, 1, 1, 1), (None,) * 6])
def test_peer_that_never_sent_any_or_still_sends_some_is_none(counts: tuple[int | None, ...]) -> None:
    assert life(*(device(bgp_peers=(BgpPeer("p", 1, "established", True, prefixes=one),)) for one in counts)).standing == ()


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("full", OK),
        ("two-way", OK),
        ("exchange-start", WARNING),
        ("init", WARNING),
        ("loading", WARNING),
        ("down", CRITICAL),
        ("attempt", CRITICAL),
    ],
)
def test_ospf_neighbour(word: str, expected: State) -> None:
    found = judged(device(ospf_neighbours=(OspfNeighbour("192.0.2.2", "10.0.0.2", word),)))
    assert found["snmp/ospf", "192.0.2.2"].state is expected


def test_ospf_neighbour_that_vanishes_is_missed() -> None:
    two = (OspfNeighbour("192.0.2.2", "10.0.0.2", "full"), OspfNeighbour("192.0.2.3", "10.0.0.3", "two-way"))
    looks = [device(ospf_neighbours=two)] * 2 + [device(ospf_neighbours=two[:1])] * 3
    assert [(one.finding.check, one.track.hard) for one in life(*looks).standing] == [("snmp/ospf-neighbours.loss", WARNING)]


def test_ospf_neighbour_that_is_stuck_is_one_fault_not_two() -> None:
    full, stuck = (OspfNeighbour("192.0.2.2", "10.0.0.2", word) for word in ("full", "exchange-start"))
    looks = [device(ospf_neighbours=(full,))] * 2 + [device(ospf_neighbours=(stuck,))] * 3
    assert [(one.finding.check, one.finding.item) for one in life(*looks).standing] == [("snmp/ospf", "192.0.2.2")]


def test_ospf_table_of_a_young_agent_misses_nobody() -> None:
    full = (OspfNeighbour("192.0.2.2", "10.0.0.2", "full"),)
    looks = [device(ospf_neighbours=full)] * 2 + [device(ospf_neighbours=(), uptime_s=20.0)] * 5
    assert life(*looks).standing == ()


# cabling


def heard(name: str, remote_port: str = "", port: str = "GigabitEthernet0/1", address: str = "") -> Neighbour:
    return Neighbour("lldp", port, name, remote_port, address)


@pytest.mark.parametrize(
    ("cable", "neighbours", "expected", "text"),
    [
        ("Gi0/1=core-2", (heard("core-2"),), OK, "snmp.cable"),
        ("Gi0/1=core-2", (heard("CORE-2.example.net"),), OK, "snmp.cable"),
        ("Gi0/1=core-2.example.net", (heard("core-2"),), OK, "snmp.cable"),
        ("Gi0/1=core-2", (heard("core-2(SSI1234)"),), OK, "snmp.cable"),
        ("Gi0/1=core-2", (heard("core-3"),), WARNING, "snmp.cable-other"),
        ("Gi0/1=core-2", (heard("core-3"), heard("core-2")), OK, "snmp.cable"),
        ("Gi0/1=core-2", (), UNKNOWN, "snmp.cable-unheard"),
        ("Gi0/1=core-2", None, UNKNOWN, "snmp.cable-unheard"),
        ("Gi0/1=core-2", (heard("core-3", port="Gi0/2"),), UNKNOWN, "snmp.cable-unheard"),
        ("Gi0/1=core-2", (heard(""),), UNKNOWN, "snmp.cable-unheard"),
        ("Gi0/1=core-2", (heard("00:11:22:33:44:55"),), UNKNOWN, "snmp.cable-unnamed"),
        ("Gi0/1=192.0.2.7", (heard("core-2", address="192.0.2.7"),), OK, "snmp.cable"),
        ("Gi0/1=192.0.2.7", (heard("192.0.2.8"),), WARNING, "snmp.cable-other"),
        ("Gi0/1=2001:db8::7", (heard("x", address="2001:db8::7"),), OK, "snmp.cable"),
        ("Gi0/1=core-2:Te1/1", (heard("core-2", "TenGigabitEthernet1/1"),), OK, "snmp.cable"),
        ("Gi0/1=core-2:Te1/1", (heard("core-2", "TenGigabitEthernet1/2"),), WARNING, "snmp.cable-port"),
        ("Gi0/1=core-2:Te1/1", (heard("core-2", "513"),), OK, "snmp.cable"),
        ("Gi0/1=core-2:Te1/1", (heard("core-2", "00:11:22:33:44:55"),), OK, "snmp.cable"),
        ("Gi0/1=core-2:xe-0/0/0:1", (heard("core-2", "xe-0/0/0:1"),), OK, "snmp.cable"),
        ("Gi0/1=core-2:xe-0/0/0:1", (heard("core-2", "xe-0/0/0:2"),), WARNING, "snmp.cable-port"),
        ("gi0/1 = core-2 : te1/1", (heard("core-2", "Te1/1"),), OK, "snmp.cable"),
    ],
)
def test_cable_leads_where_the_plan_says(cable: str, neighbours: tuple[Neighbour, ...] | None, expected: State, text: str) -> None:
    ((found),) = [one for (check, _), one in judged(device(cables=(cable,), neighbours=neighbours)).items() if check == "snmp/cabling"]
    assert (found.state, found.message.id) == (expected, text)
    assert found.item == cable.partition("=")[0].strip()


@pytest.mark.parametrize("cable", ["", "=", "Gi0/1", "Gi0/1=", "=core-2"])
def test_plan_that_says_nothing_is_no_finding(cable: str) -> None:
    assert not [check for check, _ in judged(device(cables=(cable,), neighbours=())) if check == "snmp/cabling"]


def test_wrong_cable_names_both_ends() -> None:
    found = judged(device(cables=("Gi0/1=core-2:Te1/1",), neighbours=(heard("core-2", "Te1/2"),)))["snmp/cabling", "Gi0/1"]
    assert found.message.values == {"port": "Gi0/1", "name": "core-2", "wanted": "Te1/1", "heard": "Te1/2"}


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("Gi0/1", "GigabitEthernet0/1", True),
        ("gi0/1", "GigabitEthernet 0/1", True),
        ("GE1/0/1", "GigabitEthernet1/0/1", True),
        ("ge-0/0/1", "GE0/0/1", True),
        ("ge-0/0/1", "xe-0/0/1", False),
        ("XGE1/0/1", "Ten-GigabitEthernet1/0/1", True),
        ("Te1/1", "TenGigE1/1", True),
        ("Te1/1", "Gi1/1", False),
        ("Twe1/0/1", "TwentyFiveGigE1/0/1", True),
        ("Hu0/0/0/1", "HundredGigE0/0/0/1", True),
        ("Eth1/1", "Ethernet1/1", True),
        ("Po1", "Port-channel1", True),
        ("BAGG1", "Bridge-Aggregation1", True),
        ("Gi0/1", "Gi0/11", False),
        ("Gi0/1", "Gi0/1.100", False),
        ("eth0", "eth0", True),
        ("eth0", "eth1", False),
        ("1:2", "1:2", True),
        ("", "", True),
        ("Uplink to X", "uplink to x", True),
    ],
)
def test_names_of_ports(first: str, second: str, same: bool) -> None:
    assert same_port(first, second) is same
    assert same_port(second, first) is same


@pytest.mark.parametrize(("first", "second", "same"), [("10.0.0.1", "10.0.0.2", False), ("a.b", "A.c", True), ("", "", False)])
def test_names_of_nodes(first: str, second: str, same: bool) -> None:
    assert same_node(first, second) is same


def test_place_of_a_mac_is_told_and_a_whole_table_is_cut() -> None:
    places = (MacPlace("00:00:00:00:00:01", "Gi0/1", 10), MacPlace("00:00:00:00:00:01", "Gi0/2"))
    found = judged(device(macs=places))["snmp/mac", "00:00:00:00:00:01"]
    assert (found.state, found.message.values["ports"]) == (OK, "Gi0/1 (VLAN 10), Gi0/2")
    many = tuple(MacPlace(f"{number:012x}", "Gi0/1") for number in range(1000))
    assert len([check for check, _ in judged(device(macs=many)) if check == "snmp/mac"]) == MOST_MACS


GIGABIT = 10**9


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ((GIGABIT, "full"), (GIGABIT, "full"), OK),
        ((GIGABIT, "full"), (GIGABIT, "half"), WARNING),
        ((10**8, "half"), (10**8, "full"), WARNING),
        ((GIGABIT, "full"), (10**8, "full"), WARNING),
        ((GIGABIT, None), (GIGABIT, ""), OK),
        ((GIGABIT, None), (10**8, "half"), WARNING),
        ((None, "full"), (None, "half"), WARNING),
        ((None, None), (GIGABIT, "full"), None),
        ((GIGABIT, "full"), (None, ""), None),
    ],
)
def test_both_ends_of_a_link_run_at_the_same(
    ours: tuple[int | None, str | None], theirs: tuple[int | None, str], expected: State | None
) -> None:
    far = Neighbour("lldp", "Te1/1", "edge", "xe-0/0/1", speed_bps=theirs[0], duplex=theirs[1])
    found = judged(device([port("Te1/1", speed_bps=ours[0], duplex=ours[1])], neighbours=(far,))).get(("snmp/link-mode", "Te1/1"))
    assert (found.state if found else None) is expected


def test_what_a_port_ran_at_before_it_went_down_is_not_compared() -> None:
    far = Neighbour("lldp", "Te1/1", "edge", speed_bps=GIGABIT, duplex="half")
    assert ("snmp/link-mode", "Te1/1") not in judged(device([down()], neighbours=(far,)))


def test_a_mac_that_no_port_has_learned_is_unknown_and_said_so() -> None:
    found = judged(device(macs=(MacPlace("00:00:00:00:00:01", ""),)))["snmp/mac", "00:00:00:00:00:01"]
    assert (found.state, found.message.id) == (UNKNOWN, "snmp.mac-nowhere")
    moved = judged(device(macs=(MacPlace("00:00:00:00:00:01", ""), MacPlace("00:00:00:00:00:01", "ge-1"))))
    assert moved["snmp/mac", "00:00:00:00:00:01"].message.values["ports"] == "ge-1"


@pytest.mark.parametrize(("since_s", "text"), [(2 * DAY - 60, "snmp.bgp-up"), (2 * DAY, "snmp.bgp-up-days")])
def test_long_session_is_told_in_days(since_s: float, text: str) -> None:
    peer = BgpPeer("192.0.2.1", 65001, "established", True, 3, 0, since_s)
    assert judged(device(bgp_peers=(peer,), host_uptime_s=100 * DAY))["snmp/bgp-flaps", "192.0.2.1"].message.id == text
