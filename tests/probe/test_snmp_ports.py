"""The ports of a device: names, speeds, counters of 32 and 64 bits, wraps and resets, what has to be up."""

import asyncio
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.observation.interfaces import InterfaceSample
from probe.probers.counters import WORD
from probe.snmp.mibs.interfaces import PortsLook, Times, read_interfaces, speed_of
from probe.snmp.mibs.port_names import Asked
from probe.snmp.mibs.port_rates import Counts, changes, growth, since_s
from probe.snmp.talk import Value
from tests.probe.recorded_talk import RecordedTalk

IF, IFX, DUPLEX = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1", "1.3.6.1.2.1.10.7.2.1.19"
MINUTE = Times(600_000, 60.0)


def port(index: int, name: str = "", descr: str = "", **columns: Value) -> dict[str, Value]:
    """Return the rows of one port; other columns as `c7` (ifTable) and `x6` (ifXTable)."""
    rows: dict[str, Value] = {f"{IF}.7.{index}": 1, f"{IF}.8.{index}": 1, f"{IF}.3.{index}": 6, f"{IF}.2.{index}": descr.encode()}
    if name:
        rows[f"{IFX}.1.{index}"] = name.encode()
    rows.update({f"{IF if key[0] == 'c' else IFX}.{key[1:]}.{index}": value for key, value in columns.items()})
    return rows


def look(values: Mapping[str, Value], before: PortsLook | None = None, times: Times = MINUTE, **asked: tuple[str, ...]) -> PortsLook:
    return asyncio.run(read_interfaces(RecordedTalk(values), Asked(**asked), before, times))


def only(seen: PortsLook) -> InterfaceSample:
    (one,) = seen.sample.interfaces
    return one


def two(first: Mapping[str, Value], second: Mapping[str, Value], times: Times = MINUTE) -> InterfaceSample:
    return only(look(second, look(first, times=Times(594_000)), times))


FULL = {
    **port(7, "ge-0/0/7", "Gigabit 7", c4=1514, c6=b"\x00\x1b\x21\x00\x00\x07", c9=540_000, x15=1000, x18="到机房".encode()),
    **{f"{IFX}.{column}.7": column * 1000 for column in (6, 7, 8, 9, 10, 11, 12, 13)},
    **{f"{IF}.{column}.7": column for column in (13, 14, 19, 20)},
    f"{DUPLEX}.7": 3,
}


def test_every_column_lands_where_it_belongs() -> None:
    assert only(look(FULL)) == InterfaceSample(
        "ge-0/0/7", 7, "ethernet", True, True, None, 1514, 10**9, "full", (), None,
        6000, 10_000, 24_000, 36_000, 14, 20, 13, 19,
        alias="到机房", if_type="ethernetCsmacd", last_change_s=600.0, mac="00:1b:21:00:00:07", oper="up",
    )  # fmt: skip


def test_rates_are_told_from_the_second_look_on() -> None:
    later = {**FULL, f"{IFX}.6.7": 6000 + 7_500_000, f"{IFX}.7.7": 7000 + 9990, f"{IF}.14.7": 14 + 10, f"{IF}.13.7": 13 + 30}
    assert only(look(FULL)).in_bps is None
    now = two(FULL, later)
    assert now.in_bps == 1e6
    assert now.out_bps == 0.0
    assert now.in_error_ratio == pytest.approx(0.001)
    assert now.in_discard_ratio == pytest.approx(30 / 10_020)
    assert now.out_error_ratio is None  # nothing was sent: no share of it
    assert now.carrier_changes_since == 0


def test_missing_columns_are_none_and_never_nought() -> None:
    bare = only(look({f"{IF}.2.3": b"old"}))
    assert (bare.in_octets, bare.in_packets, bare.in_errors, bare.out_discards) == (None,) * 4
    assert (bare.mtu, bare.speed_bps, bare.duplex, bare.last_change_s) == (None,) * 4
    assert (bare.oper, bare.oper_up, bare.admin_up) == ("unknown", False, True)


@pytest.mark.parametrize(
    ("status", "word", "up"),
    [
        (1, "up", True),
        (2, "down", False),
        (4, "unknown", False),
        (5, "dormant", True),
        (6, "notPresent", False),
        (7, "lowerLayerDown", False),
        (9, "unknown", False),
        (b"up", "unknown", False),
    ],
)
def test_operational_states(status: int | bytes, word: str, up: bool) -> None:
    one = only(look(port(1, "a", c8=status)))
    assert (one.oper, one.oper_up) == (word, up)


@pytest.mark.parametrize(
    ("high", "low", "speed"),
    [
        (1000, 10**9, 10**9),
        (100_000, 2**32 - 1, 10**11),
        (None, 2**32 - 1, None),  # "faster than that" is no speed
        (None, 100_000_000, 10**8),
        (2, 2_048_000, 2_048_000),  # ifHighSpeed is rounded: an E1 is exact in ifSpeed
        (0, 64_000, 64_000),
        (0, 0, None),
        (None, None, None),
        (5, None, 5_000_000),
        (1_000_000_000, 1_000_000_000, 10**9),  # given in bit/s by mistake
        (2**32 - 1, None, None),
    ],
)
def test_speeds(high: int | None, low: int | None, speed: int | None) -> None:
    assert speed_of(high, low) == speed


def narrow(octets: Value, speed: int | None) -> dict[str, Value]:
    rows = port(1, "old", c10=octets, c16=0)
    return rows | {f"{IF}.5.1": speed} if speed else rows


@pytest.mark.parametrize(
    ("before", "now", "speed", "bps"),
    [
        (1000, 751_000, 10**8, 1e5),
        (WORD - 1000, 749_000, 10**8, 1e5),  # wrapped once
        (3_000_000_000, 1000, 10**8, None),  # fell from the middle: a reset
        (1000, 751_000, 10**9, None),  # 7.5 GB may pass in a minute: it may have wrapped unseen
        (1000, 751_000, None, None),  # of a port without a speed nobody knows
        (1000, b"751000", 10**8, 1e5),  # digits in a string
        (1000, b"many", 10**8, None),
        (1000, -5, 10**8, None),
    ],
)
def test_counters_of_32_bits(before: Value, now: Value, speed: int | None, bps: float | None) -> None:
    assert two(narrow(before, speed), narrow(now, speed)).in_bps == bps


def test_64_bits_go_before_32_and_32_stand_in_where_they_are_lacking() -> None:
    both = {**port(1, "a", x6=5_000_000_000, x10=7, c10=705_032_704, c16=7), **port(2, "b", c10=11, c16=12)}
    first, second = look(both).sample.interfaces
    assert (first.in_octets, second.in_octets, second.out_octets) == (5_000_000_000, 11, 12)


def test_64_bits_that_stand_at_nought_while_32_count_are_not_believed() -> None:
    assert only(look(port(1, "a", x6=0, x10=0, c10=4711, c16=12))).in_octets == 4711
    assert only(look(port(1, "a", x6=0, x10=0, c10=0, c16=0))).in_octets == 0


def test_counter_that_steps_back_without_a_restart_is_noted_and_gives_no_rate() -> None:
    before = look(FULL, times=Times(594_000))
    talk = RecordedTalk({**FULL, f"{IFX}.6.7": 5})
    now = only(asyncio.run(read_interfaces(talk, Asked(), before, MINUTE)))
    assert (now.in_bps, now.out_bps, now.in_error_ratio) == (None, None, None)
    assert talk.oddities == {("ifTable", "stepped-back"): 1}


@pytest.mark.parametrize("how", ["restart", "discontinuity", "other port", "first"])
def test_after_a_discontinuity_nothing_is_compared(how: str) -> None:
    later = {**FULL, f"{IFX}.6.7": 9_999_999}
    times = Times(600_000, 60.0, how != "restart")
    if how == "discontinuity":
        later |= {f"{IFX}.19.7": 598_000}
    if how == "other port":
        later |= {f"{IFX}.1.7": b"xe-0/0/0"}
    now = only(look(later)) if how == "first" else two(FULL, later, times)
    assert (now.in_bps, now.in_error_ratio, now.in_octets) == (None, None, 9_999_999)


@pytest.mark.parametrize(
    ("was", "now", "before", "last", "ticks", "count"),
    [
        ("up", "up", (100, 6000), 100, 12_000, 0),
        ("up", "up", (100, 6000), 9000, 12_000, 2),  # went and came back
        ("up", "down", (100, 6000), 9000, 12_000, 1),
        ("up", "down", (100, 6000), 100, 12_000, 1),  # the column stands still: the state itself tells
        ("up", "up", (None, 6000), None, 12_000, None),
        ("up", "down", (None, 6000), None, 12_000, 1),
        ("up", "up", (5990, 6000), 11_990, 12_000, None),  # always "now": says nothing
        ("up", "up", (100, None), 9000, None, 2),
    ],
)
def test_flaps(was: str, now: str, before: tuple[int | None, int | None], last: int | None, ticks: int | None, count: int | None) -> None:
    assert changes(was, now, before, last, ticks) == count


@pytest.mark.parametrize(
    ("ticks", "last", "s"), [(6000, 1000, 50.0), (6000, 6100, 0.0), (6000, 90_000, None), (None, 1, None), (1, None, None)]
)
def test_time_since_the_last_change(ticks: int | None, last: int | None, s: float | None) -> None:
    assert since_s(ticks, last) == s


def test_a_change_of_long_ago_is_not_of_today_after_sysuptime_has_wrapped() -> None:
    rows = port(1, "a", c8=2, c9=0)
    before = look(rows, times=Times(WORD - 1000))
    assert only(look(rows, before, Times(5000, 60.0))).last_change_s == (WORD + 5000) / 100
    uneven = look(rows, before, Times(WORD - 1005, 0.2))
    assert only(uneven).last_change_s == (WORD - 1000) / 100
    changed = {**rows, f"{IF}.9.1": 4000}
    assert only(look(changed, before, Times(5000, 60.0))).last_change_s == 10.0


def names(*rows: dict[str, Value]) -> dict[int, str]:
    values = {oid: value for row in rows for oid, value in row.items()}
    return {one.index: one.name for one in look(values).sample.interfaces}


def test_names_fall_back_and_are_unique() -> None:
    assert names(port(1, "", "Slot 1"), port(2), port(3, "x")) == {1: "Slot 1", 2: "2", 3: "x"}
    # net-snmp keeps an interface that was removed, down and switched off; the living one keeps the name
    assert names(port(4, "ppp0", c7=2, c8=2), port(9, "ppp0"), port(12, "ppp0", c7=2, c8=2)) == {9: "ppp0", 4: "ppp0#4", 12: "ppp0#12"}
    # of equals the newest
    assert names(port(4, "ppp0"), port(9, "ppp0")) == {4: "ppp0#4", 9: "ppp0"}
    # a sub-interface with the name of its port, and a description of its own
    assert names(port(4, "Te1", "Ten1"), port(5, "Te1", "Ten1 controlled", c3=231)) == {4: "Te1", 5: "Ten1 controlled"}


def test_duplicate_names_are_noted() -> None:
    talk = RecordedTalk({**port(4, "ppp0"), **port(9, "ppp0")})
    asyncio.run(read_interfaces(talk, Asked(), None, MINUTE))
    assert talk.oddities == {("ifTable", "duplicate"): 1}


def test_ports_that_have_to_be_up() -> None:
    values = {**port(1, "Gi0/1", "GigabitEthernet0/1"), **port(2, "Gi0/2", x18=b"to carrier PoP"), **port(3, "Gi0/3"), **port(4, "Vl1")}
    seen = look(values, ports=("gigabitethernet0/1", "*carrier*", "Gi0/9", "Te*"), cables=("Gi0/3=sw2:Gi0/1", "Gi0/8=sw3"))
    assert [one.name for one in seen.sample.interfaces if one.expected] == ["Gi0/1", "Gi0/2", "Gi0/3"]
    assert seen.sample.gone == ("Gi0/9", "Gi0/8")  # a pattern that fits nothing may do so


class Keeping(RecordedTalk):
    """Gives what was kept, as a session does for an hour."""

    def __init__(self, values: Mapping[str, Value], kept: dict[str, Mapping[str, Value]]) -> None:
        super().__init__(values)
        self.kept = kept

    async def walk(self, column: str, keep: bool = False) -> Mapping[str, Value]:
        if keep and column in self.kept:
            return self.kept[column]
        self.kept[column] = await super().walk(column)
        return self.kept[column]


def test_what_net_snmp_keeps_of_a_removed_interface_has_not_to_be_up() -> None:
    values = {**port(4, "ppp0", "ppp0", c7=2, c8=2), **port(9, "ppp0", "ppp0")}
    for asked in (("ppp0",), ("ppp*",)):
        seen = look(values, ports=asked, cables=("ppp0=pop",))
        assert [one.index for one in seen.sample.interfaces if one.expected] == [9]


def test_discontinuity_that_is_always_now_says_nothing() -> None:
    first, second = ({**FULL, f"{IFX}.19.7": ticks, f"{IFX}.6.7": octets} for ticks, octets in ((594_000, 6000), (599_990, 13_500)))
    assert two(first, second).in_bps == 1000.0


def test_port_that_appears_has_its_name_though_names_are_kept() -> None:
    kept: dict[str, Mapping[str, Value]] = {}
    first = asyncio.run(read_interfaces(Keeping(port(1, "a"), kept), Asked(), None, Times(100)))
    second = asyncio.run(read_interfaces(Keeping({**port(1, "a"), **port(2, "b")}, kept), Asked(), first, MINUTE))
    assert [one.name for one in second.sample.interfaces] == ["a", "b"]


def test_names_that_break_off_are_those_of_before() -> None:
    whole = {**port(1, "a"), **port(2, "b")}
    broken = {oid: value for oid, value in whole.items() if oid not in {f"{IFX}.1.2", f"{IF}.2.2"}}
    assert [one.name for one in look(broken, look(whole)).sample.interfaces] == ["a", "b"]
    gone = {oid: value for oid, value in whole.items() if not oid.endswith(".2")}
    assert [one.name for one in look(gone, look(whole)).sample.interfaces] == ["a"]


def counts(received: int, wide: bool) -> Counts:
    return Counts(received, 0, 0, 0, 0, 0, 0, 0, wide, None, None)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**62))
def test_what_64_bits_grew_is_told_exactly_or_not_at_all(before: int, grew: int) -> None:
    now = (before + grew) % 2**64
    assert growth(counts(now, True), counts(before, True), None, 60.0).in_octets in (grew, None)


@given(st.integers(0, WORD - 1), st.floats(0, 1), st.integers(1, 500_000_000))
def test_what_32_bits_grew_is_told_exactly_or_not_at_all(before: int, load: float, speed: int) -> None:
    grew = int(load * speed / 8 * 60)
    now = (before + grew) % WORD
    assert growth(counts(now, False), counts(before, False), speed, 60.0).in_octets in (grew, None)
