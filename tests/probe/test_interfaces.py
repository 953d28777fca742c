import asyncio
import ctypes
import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.inventory import Node
from probe.netlink import attributes, dump, messages
from probe.observation.interfaces import InterfaceSample, InterfacesSample
from probe.probers import interfaces
from probe.probers.interfaces import Looks, Options, grown, read_medium
from probe.probers.links import Addresses, Counters, Link, parse_addresses, parse_links, read_addresses, read_links

CLONE_NEWNET = 0x40000000


def in_new_namespace(work: Callable[[], None]) -> None:
    """Run `work` in a thread with a network namespace of its own, which ends with it."""
    failed: list[BaseException] = []

    def thread() -> None:
        try:
            assert ctypes.CDLL(None).unshare(CLONE_NEWNET) == 0
            work()
        except BaseException as why:  # told to the test below
            failed.append(why)

    one = threading.Thread(target=thread)
    one.start()
    one.join()
    if failed:
        raise failed[0]


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def settled(name: str, oper_up: bool) -> None:
    """Wait until the kernel has told the operational state, which it does up to a second later (linkwatch)."""
    until = time.monotonic() + 10
    while not any(one.name == name and one.oper_up == oper_up for one in read_links()):
        assert time.monotonic() < until, f"{name} never became {'up' if oper_up else 'down'}"
        time.sleep(0.01)


def link(name: str = "eth0", index: int = 2, **changes: object) -> Link:
    base = Link(index, name, True, False, True, True, True, 2, 1500, "", False, Counters(*[0] * 8))
    return base._replace(**changes)  # type: ignore[arg-type]


ROUTED = Addresses(("192.0.2.1/24",), True)


def expected(looks: Looks, *links: Link, addresses: dict[int, Addresses] | None = None, names: tuple[str, ...] = ()) -> list[str]:
    return [one.name for one in looks.look(links, addresses or {}, names, time.monotonic()).interfaces if one.expected]


def test_this_machine_has_its_loopback() -> None:
    async def twice() -> object:
        async with interfaces.open() as prober:
            await prober.ask(Node("here"), Options())
            return await prober.ask(Node("here"), Options())

    sample = asyncio.run(twice())
    assert isinstance(sample, InterfacesSample)
    assert sample.over_s is not None
    (loopback,) = [one for one in sample.interfaces if one.kind == "loopback"]
    assert loopback.name == "lo"
    assert loopback.in_bps is not None
    assert not loopback.expected
    assert {one.name for one in sample.interfaces} == {name for _, name in socket.if_nameindex()}
    assert msgspec.json.decode(msgspec.json.encode(sample), type=InterfacesSample) == sample


@pytest.mark.needs_root
@pytest.mark.needs("ip")
def test_veth_loses_its_carrier_when_its_peer_goes_down_and_vanishes_with_it(tmp_path: Path) -> None:
    def work() -> None:
        ip("link", "add", "va", "type", "veth", "peer", "name", "vb")
        ip("addr", "add", "192.0.2.1/24", "dev", "va")
        ip("link", "set", "va", "up")
        ip("link", "set", "vb", "up")
        settled("va", True)
        looks, named = Looks(str(tmp_path)), Looks(str(tmp_path))

        def look(looks: Looks, *names: str) -> tuple[InterfaceSample | None, tuple[str, ...]]:
            sample = looks.look(read_links(), read_addresses(), names, time.monotonic())
            return next((one for one in sample.interfaces if one.name == "va"), None), sample.gone

        up, _ = look(looks)
        look(named, "va")
        assert up is not None
        assert (up.oper_up, up.carrier, up.expected, up.kind) == (True, True, True, "virtual")
        assert "192.0.2.1/24" in up.addresses
        ip("link", "set", "vb", "down")
        settled("va", False)
        down, _ = look(looks)
        assert down is not None
        assert (down.admin_up, down.oper_up, down.carrier, down.expected, down.carrier_changes_since) == (True, False, False, True, 1)
        ip("link", "set", "vb", "up")
        settled("va", True)
        again, _ = look(looks)
        assert again is not None
        assert (again.oper_up, again.carrier_changes_since) == (True, 1)
        ip("link", "set", "va", "down")
        settled("va", False)
        off, _ = look(looks)
        assert off is not None
        assert (off.admin_up, off.oper_up, off.carrier, off.expected) == (False, False, None, False)
        off, _ = look(named, "va")
        assert off is not None
        assert off.expected
        ip("link", "del", "va")
        assert look(looks) == (None, ())
        assert look(named, "va") == (None, ("va",))

    in_new_namespace(work)


@pytest.mark.needs_root
@pytest.mark.needs("ip")
def test_traffic_is_counted_in_bits_per_second(tmp_path: Path) -> None:
    def work() -> None:
        ip("link", "set", "lo", "up")
        looks = Looks(str(tmp_path))
        looks.look(read_links(), {}, (), 100.0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for _ in range(10):
                out.sendto(bytes(958), ("127.0.0.1", 9))  # 1,000 octets with IP, UDP and the loopback's Ethernet header
        (loopback,) = [one for one in looks.look(read_links(), {}, (), 102.0).interfaces if one.name == "lo"]
        assert loopback.out_bps is not None
        assert loopback.out_bps >= 40_000
        assert loopback.out_error_ratio == 0.0

    in_new_namespace(work)


@pytest.mark.needs_root
@pytest.mark.needs("ip")
def test_bridge_without_guests_and_container_ports_are_not_expected(tmp_path: Path) -> None:
    def work() -> None:
        ip("link", "add", "docker0", "type", "bridge")
        ip("addr", "add", "172.17.0.1/16", "dev", "docker0")
        ip("link", "set", "docker0", "up")
        ip("link", "add", "veth77", "type", "veth", "peer", "name", "guest")
        ip("link", "set", "veth77", "master", "docker0", "up")
        settled("docker0", False)
        sample = Looks(str(tmp_path)).look(read_links(), read_addresses(), (), 1.0)
        states = {one.name: (one.oper_up, one.expected) for one in sample.interfaces}
        assert states["docker0"] == (False, False)
        assert states["veth77"] == (False, False)

    in_new_namespace(work)


def test_real_port_of_a_bond_is_expected_without_an_address() -> None:
    assert expected(Looks(), link(enslaved=True), link("idle", 3)) == ["eth0"]


def test_interface_stays_expected_when_its_address_goes_with_the_carrier() -> None:
    looks = Looks()
    assert expected(looks, link(), addresses={2: ROUTED}) == ["eth0"]
    assert expected(looks, link(oper_up=False, carrier=False)) == ["eth0"]
    assert expected(looks, link(admin_up=False)) == []
    assert expected(looks, link()) == []


def test_link_local_address_alone_is_not_expected() -> None:
    assert expected(Looks(), link(), addresses={2: Addresses(("fe80::1/64",), False)}) == []


def test_named_interfaces_alone_are_expected_and_missing_ones_gone() -> None:
    looks = Looks()
    sample = looks.look([link(), link("eth1", 3)], {2: ROUTED}, ("eth1", "eth9"), 1.0)
    assert [one.name for one in sample.interfaces if one.expected] == ["eth1"]
    assert sample.gone == ("eth9",)


def counters(**values: int) -> Counters:
    return Counters(*[1000] * 8)._replace(**values)


@pytest.mark.parametrize(
    ("now", "before", "octets"),
    [
        (counters(in_octets=3000), counters(), 2000),
        (counters(in_octets=100), counters(in_octets=2**32 - 100), 200),
        (counters(in_octets=100), counters(in_octets=2**64 - 100), 200),
        (Counters(*[5] * 8), counters(), None),
        (counters(in_octets=5000, in_errors=3), counters(), None),
    ],
)
def test_wrapped_counter_goes_on_and_reset_counters_give_nothing(now: Counters, before: Counters, octets: int | None) -> None:
    since = grown(now, before)
    assert (since and since.in_octets) == octets


def test_another_interface_of_the_same_name_has_no_rates() -> None:
    looks = Looks()
    looks.look([link(index=2)], {}, (), 1.0)
    (one,) = looks.look([link(index=9, counters=counters())], {}, (), 2.0).interfaces
    assert (one.in_bps, one.carrier_changes_since) == (None, None)


def test_ratios_are_of_frames_since_the_look_before() -> None:
    looks = Looks()
    looks.look([link(counters=counters())], {}, (), 10.0)
    (one,) = looks.look([link(counters=counters(in_packets=1990, in_errors=1010, out_discards=1001))], {}, (), 12.0).interfaces
    assert one.in_error_ratio == 0.01
    assert one.out_discard_ratio == 1.0
    assert one.out_error_ratio is None  # nothing was sent


@pytest.mark.parametrize(
    ("speed", "duplex", "seen"),
    [
        ("1000", "full", (1_000_000_000, "full")),
        ("100", "half", (100_000_000, "half")),
        ("-1", "unknown", (None, None)),
        ("4294967295", "", (None, None)),
        (None, None, (None, None)),
    ],
)
def test_speed_that_the_driver_does_not_know_is_none(
    tmp_path: Path, speed: str | None, duplex: str | None, seen: tuple[int | None, str | None]
) -> None:
    (tmp_path / "eth0").mkdir()
    if speed is not None and duplex is not None:
        (tmp_path / "eth0" / "speed").write_text(speed + "\n")
        (tmp_path / "eth0" / "duplex").write_text(duplex + "\n")
    assert read_medium(str(tmp_path), link()) == ("ethernet", *seen)


def test_speed_is_read_anew_when_the_carrier_changed(tmp_path: Path) -> None:
    (tmp_path / "eth0").mkdir()
    speed = tmp_path / "eth0" / "speed"
    looks = Looks(str(tmp_path))

    def read(changes: int, text: str) -> int | None:
        speed.write_text(text)
        return looks.look([link(carrier_changes=changes)], {}, (), time.monotonic()).interfaces[0].speed_bps

    assert read(2, "1000") == 1_000_000_000
    assert read(2, "100") == 1_000_000_000
    assert read(4, "100") == 100_000_000


def test_kind_is_told_by_what_the_system_has(tmp_path: Path) -> None:
    (tmp_path / "wlan0" / "phy80211").mkdir(parents=True)
    kinds = [
        read_medium(str(tmp_path), one)[0] for one in (link("wlan0"), link(info="veth"), link(), link(ethernet=False), link(loopback=True))
    ]
    assert kinds == ["wireless", "virtual", "ethernet", "other", "loopback"]


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body


@pytest.mark.parametrize(
    ("oper", "flags", "up"), [(6, 0x41, True), (0, 0x41, True), (0, 0x1, False), (2, 0x1, False), (7, 0x1, False), (5, 0x41, False)]
)
def test_unknown_operational_state_goes_by_running(oper: int, flags: int, up: bool) -> None:
    body = struct.pack("=BxHiII", 0, 1, 5, flags, 0) + attribute(3, b"tun0\0") + attribute(16, bytes((oper,))) + attribute(23, bytes(200))
    (one,) = parse_links([message(16, body)])
    assert (one.name, one.oper_up, one.carrier, one.carrier_changes, one.mtu) == ("tun0", up, None, None, None)


def test_link_without_counters_or_name_is_left_out() -> None:
    header = struct.pack("=BxHiII", 0, 1, 5, 1, 0)
    assert parse_links([message(16, header + attribute(3, b"x\0")), message(16, header + attribute(23, bytes(200)))]) == []


def test_point_to_point_address_is_the_local_one() -> None:
    body = struct.pack("=BBBBI", socket.AF_INET, 32, 0, 0, 7) + attribute(1, bytes((192, 0, 2, 2))) + attribute(2, bytes((192, 0, 2, 1)))
    assert parse_addresses([message(20, body)]) == {7: Addresses(("192.0.2.1/32",), True)}


@given(st.binary(max_size=120))
def test_no_content_breaks_the_reading_of_messages(raw: bytes) -> None:
    for body in messages(raw, 16):
        attributes(body, 0)


def test_refused_question_is_an_error_with_its_reason() -> None:
    with pytest.raises(OSError, match=os.strerror(95)):
        list(dump(socket.NETLINK_ROUTE, 0x7E, bytes(16)))
