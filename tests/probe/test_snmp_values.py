"""What the values of an agent mean, and what of them is nothing."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.snmp.mibs.entity import port_of, ports_below, read_entities, read_ports_of_entities
from probe.snmp.talk import Value
from probe.snmp.values import address, mac, natural, number, read_mac, real, text, unsigned
from tests.probe.recorded_talk import RecordedTalk


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"GigabitEthernet0/1", "GigabitEthernet0/1"),
        (b"eth0\0", "eth0"),
        (b"  padded \0\0", "padded"),
        ("到机房".encode(), "到机房"),
        ("到机房".encode()[:-1], "到机"),  # cut in the middle of a character
        ("到机房".encode("gb2312"), "到机房"),
        ("Büro 3".encode("latin-1"), "Büro 3"),
        (b"two\r\nlines", "two lines"),
        (b"\x1b[31mred", "[31mred"),
        (b"", ""),
        (None, ""),
        (17, "17"),
        ("1.3.6.1", "1.3.6.1"),
    ],
)
def test_texts(value: Value | None, words: str) -> None:
    assert text(value) == words


@given(st.binary(max_size=600))
def test_any_octets_are_a_text_of_one_line(value: bytes) -> None:
    assert len(text(value)) <= 255
    assert "\n" not in text(value)
    assert "\x1b" not in text(value)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (5, 5),
        (-3, -3),
        (b"42", 42),
        (" 7 ", 7),
        (2.9, 2),
        (b"", None),
        (b"n/a", None),
        (b"4_2", None),
        (None, None),
        (float("nan"), None),
        (float("inf"), None),
        (b"9" * 40, None),
        ("٣", None),
    ],
)
def test_numbers(value: Value | None, found: int | None) -> None:
    assert number(value) == found


def test_counters_and_sizes_are_not_below_nought() -> None:
    assert (natural(-1), natural(0), natural(b"7")) == (None, 0, 7)
    assert (unsigned(-1), unsigned(-(2**31)), unsigned(5), unsigned(-(2**40))) == (2**32 - 1, 2**31, 5, None)


@pytest.mark.parametrize(
    ("value", "found"),
    [(b"0.42", 0.42), (b"-7.1\0", -7.1), (3, 3.0), (b"inf", None), (b"", None), (b"1_0", None), (None, None), (b"--", None)],
)
def test_real_numbers(value: Value | None, found: float | None) -> None:
    assert real(value) == found


@pytest.mark.parametrize(
    "words",
    ["00:1b:21:AA:0b:0c", "00-1B-21-AA-0B-0C", "001b.21aa.0b0c", "001b-21aa-0b0c", "001b21aa0b0c", "0:1b:21:aa:b:c", "0x001b21aa0b0c"],
)
def test_mac_addresses_in_any_notation(words: str) -> None:
    assert read_mac(words) == "00:1b:21:aa:0b:0c"


@pytest.mark.parametrize("words", ["", "00:1b:21:aa:0b", "00:1b:21:aa:0b:0c:0d", "zz:1b:21:aa:0b:0c", "00:00:00:00:00:00", "switch7"])
def test_what_is_no_mac_address(words: str) -> None:
    assert read_mac(words) is None


def test_mac_addresses_of_agents() -> None:
    assert mac(b"\x00\x1b\x21\xaa\x0b\x0c") == mac(b"00:1b:21:aa:0b:0c") == "00:1b:21:aa:0b:0c"
    assert mac(bytes(6)) == mac(b"") == mac(None) == ""


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"\xc0\x00\x02\x01", "192.0.2.1"),
        (bytes.fromhex("20010db8000000000000000000000001"), "2001:db8::1"),
        (bytes.fromhex("fe80000000000000000000000000000100000003"), "fe80::1"),
        ("192.0.2.1", "192.0.2.1"),
        (b"192.0.2.10", "192.0.2.10"),
        (b"abc", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_addresses(value: Value | None, found: str) -> None:
    assert address(value) == found


TABLE = "1.3.6.1.2.1.47.1.1.1.1"


def entity(index: int, inside: int, class_: int, name: str) -> dict[str, Value]:
    return {f"{TABLE}.2.{index}": name.encode(), f"{TABLE}.4.{index}": inside, f"{TABLE}.5.{index}": class_}


def test_sensors_find_their_port_by_containment() -> None:
    values = {
        **entity(1, 0, 3, "chassis"),
        **entity(10, 1, 9, "module that holds a port"),
        **entity(11, 10, 10, "its port"),
        **entity(12, 10, 8, "sensor beside the port"),
        **entity(20, 1, 10, "port that holds a module"),
        **entity(21, 20, 9, "its transceiver"),
        **entity(22, 21, 8, "sensor of the transceiver"),
        **entity(30, 1, 8, "temperature of the chassis"),
        **entity(40, 41, 8, "sensor in a circle"),
        **entity(41, 40, 9, "circle"),
        "1.3.6.1.2.1.47.1.3.2.1.2.11.0": "1.3.6.1.2.1.2.2.1.1.501",
        "1.3.6.1.2.1.47.1.3.2.1.2.20.0": "1.3.6.1.2.1.2.2.1.1.502",
        "1.3.6.1.2.1.47.1.3.2.1.2.21.0": "1.3.6.1.4.1.1",
    }
    talk = RecordedTalk(values)
    entities, ports = asyncio.run(read_entities(talk)), asyncio.run(read_ports_of_entities(talk))
    below = ports_below(entities, ports)
    found = {index: port_of(index, entities, ports, below) for index in ("12", "22", "30", "40", "99")}
    assert found == {"12": "501", "22": "502", "30": None, "40": None, "99": None}
    assert entities["11"].class_ == "port"
    assert entities["11"].name == "its port"
