"""BGP peers, OSPF neighbours, what is plugged in where, and on which port a MAC address is."""

import asyncio
from collections.abc import Mapping

import pytest

from probe.observation.device import MacPlace
from probe.observation.routing import BgpPeer, Neighbour, OspfNeighbour
from probe.snmp.mibs import bridge
from probe.snmp.mibs.bgp import read_bgp
from probe.snmp.mibs.bridge import find_mac
from probe.snmp.mibs.neighbours import read_neighbours
from probe.snmp.mibs.ospf import read_ospf
from probe.snmp.mibs.port_names import Steady
from probe.snmp.talk import Value
from tests.probe.recorded_talk import RecordedTalk

PEERS = "1.3.6.1.2.1.15.3.1"
CISCO, JUNIPER, HUAWEI, OTHER = "1.3.6.1.4.1.9.1.1", "1.3.6.1.4.1.2636.1.1", "1.3.6.1.4.1.2011.2.1", "1.3.6.1.4.1.8072.3.2.10"


def rows(base: str, index: str, **columns: Value) -> dict[str, Value]:
    return {f"{base}.{key[1:].replace('_', '.')}.{index}": value for key, value in columns.items()}


def bgp(values: Mapping[str, Value], object_id: str = OTHER, before: tuple[BgpPeer, ...] = ()) -> tuple[BgpPeer, ...]:
    return asyncio.run(read_bgp(RecordedTalk(values), object_id, before))


ONE = rows(PEERS, "192.0.2.1", c2=6, c3=2, c9=65001, c14=b"\x04\x00", c15=3, c16=7200)


def test_peer_of_the_standard_table() -> None:
    assert bgp(ONE) == (BgpPeer("192.0.2.1", 65001, "established", True, 3, None, 7200.0, None, "4/0"),)


@pytest.mark.parametrize(
    ("state", "word"),
    [(1, "idle"), (2, "connect"), (3, "active"), (4, "opensent"), (5, "openconfirm"), (6, "established"), (0, "unknown"), (7, "unknown")],
)
def test_states_of_peers(state: int, word: str) -> None:
    (peer,) = bgp({**ONE, f"{PEERS}.2.192.0.2.1": state})
    assert peer.state == word


def test_peer_that_is_stopped_and_one_that_was_never_up() -> None:
    (peer,) = bgp({**ONE, **rows(PEERS, "192.0.2.1", c2=1, c3=1, c14=b"\0\0", c16=0)})
    assert (peer.admin_up, peer.since_s, peer.last_error) == (False, None, "")


def test_transitions_since_the_look_before() -> None:
    before = bgp(ONE)
    assert bgp({**ONE, f"{PEERS}.15.192.0.2.1": 5}, before=before)[0].transitions_since == 2
    assert bgp({**ONE, f"{PEERS}.15.192.0.2.1": 0}, before=before)[0].transitions_since is None  # the daemon began anew
    assert bgp(ONE)[0].transitions_since is None


def test_peers_of_ipv6_with_prefixes_of_all_families_by_ciscos_table() -> None:
    peer = "2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.1"
    base = "1.3.6.1.4.1.9.9.187.1.2"
    values = {
        **rows(base, peer, c5_1_3=6, c5_1_4=2, c5_1_11=4_200_000_000, c5_1_17=b"\x06\x02", c5_1_18=9, c5_1_19=60),
        f"{base}.8.1.1.{peer}.2.1": 100,
        f"{base}.8.1.1.{peer}.2.128": 11,
    }
    assert bgp({**ONE, **values}, CISCO) == (BgpPeer("2001:db8::1", 4_200_000_000, "established", True, 9, None, 60.0, 111, "6/2"),)
    assert [one.peer for one in bgp(ONE, CISCO)] == ["192.0.2.1"]  # an older IOS has the standard's alone


def test_junipers_table_keeps_prefixes_under_a_number_of_its_own() -> None:
    base, index = "1.3.6.1.4.1.2636.5.1.1.2", "0.1.192.0.2.2.1.192.0.2.1"
    values = {
        **rows(base, index, c1_1_1_2=3, c1_1_1_3=2, c1_1_1_11=b"\xc0\x00\x02\x01", c1_1_1_13=65001, c1_1_1_14=4, c4_1_1_1=10, c6_1_1_5=1),
        f"{base}.6.2.1.8.4.1.1": 7,
    }
    assert bgp(values, JUNIPER) == (BgpPeer("192.0.2.1", 65001, "active", True, 1, None, 10.0, 7, ""),)


def test_huaweis_table_adds_ipv6_to_the_standards_rows() -> None:
    base = "1.3.6.1.4.1.2011.5.25.177.1.1.2.1"
    old, new = "0.1.1.1.4.192.0.2.1", "0.2.1.2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.1"
    values = {**ONE, **rows(base, old, c2=65001, c5=6), **rows(base, new, c2=65002, c5=3)}
    peers = {one.peer: one for one in bgp(values, HUAWEI)}
    assert peers["192.0.2.1"].transitions == 3  # the standard's row, which tells more
    assert (peers["2001:db8::1"].state, peers["2001:db8::1"].remote_as) == ("active", 65002)


def test_broken_rows_of_peers_are_noted_and_cost_themselves_alone() -> None:
    talk = RecordedTalk({**ONE, f"{PEERS}.2.192.0.2.300": 6, f"{PEERS}.2.192.0.2.9": b"up"})
    assert [one.peer for one in asyncio.run(read_bgp(talk, OTHER, None))] == ["192.0.2.1"]
    assert talk.oddities == {("bgpPeerTable", "not-a-number"): 2}


NBR = "1.3.6.1.2.1.14.10.1"


def test_ospf_neighbours() -> None:
    values = {
        **rows(NBR, "192.0.2.9.0", c3="10.0.0.9", c6=8, c7=6),
        **rows(NBR, "0.0.0.0.17", c3="10.0.0.8", c6=4, c7=2),
        **rows(NBR, "192.0.2.7.0", c3="10.0.0.7", c6=9),
        **rows("1.3.6.1.2.1.191.1.9.1", "4.0.167772169", c5=bytes.fromhex("fe800000000000000000000000000001"), c8=3, c9=1),
    }
    talk = RecordedTalk(values)
    found = asyncio.run(read_ospf(talk, (OspfNeighbour("192.0.2.9", "10.0.0.9", "full", 4),)))
    assert found == (
        OspfNeighbour("0.0.0.0 (17)", "10.0.0.8", "two-way", 2),
        OspfNeighbour("192.0.2.9", "10.0.0.9", "full", 6, 2),
        OspfNeighbour("fe80::1", "10.0.0.9", "init", 1),
    )
    assert talk.oddities == {("ospfNbrTable", "out-of-range"): 1}


def steady(index: int, name: str, descr: str = "", mac: str = "", alias: str = "") -> Steady:
    return Steady(index, name, descr, alias, "ethernet", "ethernetCsmacd", 1500, mac, False)


PORTS = {
    "1": steady(1, "Gi0/1", "GigabitEthernet0/1", "00:00:5e:00:53:01"),
    "2": steady(2, "Gi0/2", "GigabitEthernet0/2", "00:00:5e:00:53:02"),
    "14": steady(14, "Vlan14"),
    "501": steady(501, "xe-0/0/1"),
}
LLDP = "1.0.8802.1.1.2.1"


def heard(local: int, *columns: Value) -> dict[str, Value]:
    return {f"{LLDP}.4.1.1.{column}.77.{local}.1": value for column, value in enumerate(columns, 4)}


def neighbours(values: Mapping[str, Value], cisco: bool = False) -> tuple[Neighbour, ...]:
    return asyncio.run(read_neighbours(RecordedTalk(values), PORTS, cisco))


SWITCH: tuple[Value, ...] = (4, b"\x00\x00\x5e\x00\x53\x99", 5, b"ge-0/0/3", b"to core", b"access-3", b"Junos\nEX2300")


@pytest.mark.parametrize(
    ("local", "told", "port"),
    [
        (14, {f"{LLDP}.3.7.1.3.14": b"GigabitEthernet0/2"}, "Gi0/2"),  # the number 14 is another port's ifIndex
        (3, {f"{LLDP}.3.7.1.3.3": b"\x00\x00\x5e\x00\x53\x02"}, "Gi0/2"),
        (3, {f"{LLDP}.3.7.1.3.3": b"501"}, "xe-0/0/1"),  # locally assigned: its ifIndex
        (3, {f"{LLDP}.3.7.1.3.3": b"p3", f"{LLDP}.3.7.1.4.3": b"gi0/1"}, "Gi0/1"),
        (501, {}, "xe-0/0/1"),
        (7, {f"{LLDP}.3.7.1.3.7": b"7", "1.3.6.1.2.1.17.1.4.1.2.7": 2}, "Gi0/2"),
        (7, {f"{LLDP}.3.7.1.3.7": b"port 7"}, "port 7"),
        (7, {}, ""),
    ],
)
def test_way_from_the_number_of_a_local_port_to_its_name(local: int, told: dict[str, Value], port: str) -> None:
    (one,) = neighbours({**heard(local, *SWITCH), **told})
    assert one == Neighbour("lldp", port, "access-3", "ge-0/0/3", "", "Junos EX2300")


@pytest.mark.parametrize(
    ("columns", "name", "remote"),
    [
        (SWITCH, "access-3", "ge-0/0/3"),
        ((4, b"\x00\x00\x5e\x00\x53\x99", 3, b"\x00\x00\x5e\x00\x53\x98", b"eth0", b"pbx", b""), "pbx", "eth0"),
        ((4, b"\x00\x00\x5e\x00\x53\x99", 3, b"\x00\x00\x5e\x00\x53\x98", b"", b"", b""), "00:00:5e:00:53:99", "00:00:5e:00:53:98"),
        ((5, b"\x01\xc0\x00\x02\x63", 7, b"12", b"uplink", b"", b""), "192.0.2.99", "uplink"),
        ((7, b"chassis 1", 7, b"12", b"", b"", b""), "chassis 1", "12"),
    ],
)
def test_how_a_neighbour_names_itself(columns: tuple[Value, ...], name: str, remote: str) -> None:
    (one,) = neighbours(heard(1, *columns))
    assert (one.port, one.name, one.remote_port) == ("Gi0/1", name, remote)


def test_management_address_in_octets_or_as_text() -> None:
    base = f"{LLDP}.4.2.1.3.77.1.1"
    assert neighbours({**heard(1, *SWITCH), f"{base}.1.4.192.0.2.5": 2})[0].address == "192.0.2.5"
    assert neighbours({**heard(1, *SWITCH), f"{base}.1.9.{'.'.join(str(ord(c)) for c in '192.0.2.5')}": 2})[0].address == "192.0.2.5"
    both: dict[str, Value] = {f"{base}.2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.1": 2, f"{base}.1.4.192.0.2.5": 2}
    assert neighbours({**heard(1, *SWITCH), **both})[0].address == "192.0.2.5"


def test_rows_that_say_nothing_are_no_neighbours() -> None:
    assert neighbours({f"{LLDP}.4.1.1.4.77.1.1": 4}) == ()


def test_second_version_of_lldp_where_the_first_is_not() -> None:
    v2: dict[str, Value] = {f"1.3.111.2.802.1.1.13.1.4.1.1.{column}.77.501.1.9": value for column, value in enumerate(SWITCH, 5)}
    assert neighbours(v2) == (Neighbour("lldp", "xe-0/0/1", "access-3", "ge-0/0/3", "", "Junos EX2300"),)


def test_cdp_of_ciscos_devices() -> None:
    base = "1.3.6.1.4.1.9.9.23.1.2.1.1"
    values = rows(base, "1.9", c4=b"\xc0\x00\x02\x07", c6=b"core-1.example.net", c7=b"Te1/0/1", c8=b"cisco C9300")
    assert neighbours(values, True) == (Neighbour("cdp", "Gi0/1", "core-1.example.net", "Te1/0/1", "192.0.2.7", "cisco C9300"),)
    assert neighbours(values) == ()


MAC, INDEX = "00:00:5e:00:53:42", "0.0.94.0.83.66"
BRIDGE: dict[str, Value] = {"1.3.6.1.2.1.17.1.4.1.2.52": 501, "1.3.6.1.2.1.17.1.4.1.2.3": 2}


def place(values: Mapping[str, Value]) -> tuple[MacPlace, ...] | None:
    return asyncio.run(find_mac(RecordedTalk(values), MAC, PORTS))


def test_mac_address_is_found_by_one_question_a_database() -> None:
    values = {**BRIDGE, f"{bridge.VLAN_DATABASE}.0.300": 7, f"{bridge.LEARNED_BY_VLAN}.7.{INDEX}": 52, f"{bridge.DATABASES}.7": 1}
    talk = RecordedTalk(values)
    assert asyncio.run(find_mac(talk, MAC, PORTS)) == (MacPlace(MAC, "xe-0/0/1", 300),)
    assert bridge.LEARNED_BY_VLAN not in talk.walked


def test_mac_address_in_the_table_without_vlans() -> None:
    assert place({**BRIDGE, f"{bridge.LEARNED}.{INDEX}": 3}) == (MacPlace(MAC, "Gi0/2", None),)


def test_mac_address_by_the_whole_table_where_no_list_of_databases_is() -> None:
    assert place({**BRIDGE, f"{bridge.LEARNED_BY_VLAN}.9.{INDEX}": 3}) == (MacPlace(MAC, "Gi0/2", 9),)


def test_mac_address_that_is_not_there_and_device_that_is_no_bridge() -> None:
    assert place(BRIDGE) == ()
    assert place({**BRIDGE, f"{bridge.LEARNED}.{INDEX}": 0}) == ()  # learned, on a port that it does not know
    assert place({}) is None


@pytest.mark.parametrize(
    ("mau_type", "speed_bps", "duplex"),
    [
        (30, 10**9, "full"),  # 1000BASE-T
        (29, 10**9, "half"),
        (16, 10**8, "full"),  # 100BASE-TX
        (15, 10**8, "half"),
        (54, 10**10, "full"),  # 10GBASE-T
        (5, 10**7, ""),  # 10BASE-T of before full duplex
        (0, None, ""),
        (9999, None, ""),
        (b"fast", None, ""),
    ],
)
def test_a_neighbour_tells_what_its_port_runs_at(mau_type: Value, speed_bps: int | None, duplex: str) -> None:
    (one,) = neighbours({**heard(1, *SWITCH), f"{LLDP}.5.4623.1.3.1.1.4.77.1.1": mau_type})
    assert (one.speed_bps, one.duplex) == (speed_bps, duplex)
