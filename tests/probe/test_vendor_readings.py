"""Sensors, states, processors, pools and UPS of devices by their vendors' tables: one small recording of our own for each form and sentinel."""

import asyncio
import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.observation.device import Identity, UpsSample
from probe.observation.sensor import Condition, Gap, SensorSample
from probe.snmp.forms import POSSIBLE, raw_number, readings
from probe.snmp.limits import sane
from probe.snmp.place import told_apart
from probe.snmp.recognise import recognise
from probe.snmp.sensors import VendorReadings, read_vendor
from probe.snmp.talk import Value
from probe.snmp.vendor import Sensor
from tests.probe.recorded_talk import RecordedTalk

ENTERPRISES = "1.3.6.1.4.1"


def read(enterprise: str, values: Mapping[str, Value], ports: Mapping[str, str] | None = None, description: str = "") -> VendorReadings:
    """Read a device of this enterprise number that has these values; an OID that begins with a dot lies below enterprises."""
    full = {f"{ENTERPRISES}{oid}" if oid.startswith(".") else oid: value for oid, value in values.items()}
    identity = Identity(f"{ENTERPRISES}.{enterprise}", description)
    return asyncio.run(read_vendor(RecordedTalk(full), identity, ports or {}))


def only(found: VendorReadings, kind: str) -> SensorSample:
    (sample,) = [sample for sample in found.sensors if sample.kind == kind]
    return sample


HUAWEI = ".2011.5.25.31.1.1.3.1"


def huawei(rx: int, lanes: bytes, temperature: int = 40) -> dict[str, Value]:
    return {f"{HUAWEI}.5.7": temperature, f"{HUAWEI}.8.7": rx, f"{HUAWEI}.32.7": lanes, f"{HUAWEI}.13.7": -1600, f"{HUAWEI}.14.7": 0,
            f"{HUAWEI}.20.7": -1500, f"{HUAWEI}.21.7": -100, "1.3.6.1.2.1.47.1.1.1.1.7.7": b"XGigabitEthernet0/0/1"}  # fmt: skip


@pytest.mark.parametrize(
    ("rx", "lanes", "dbm"),
    [
        (536, b"-270.19", -2.7084),  # VRP 5: above nought microwatts; the lane says the same in hundredths of dBm
        (-290, b"-290", -2.9),  # VRP 8
        (256, b"256", 2.56),  # VRP 8, above 1 mW: not 256 µW
        (256, b"", -5.9176),  # no lanes told: microwatts
        (-1684, b"", -16.84),
    ],
)
def test_huawei_power_is_microwatts_or_hundredths_of_dbm(rx: int, lanes: bytes, dbm: float) -> None:
    found = read("2011.2.23", huawei(rx, lanes), {"3": "XGigabitEthernet0/0/1"})
    sample = only(found, "rx_dbm")
    assert (sample.value, sample.port, sample.name) == (dbm, "XGigabitEthernet0/0/1", "XGigabitEthernet0/0/1 rx")
    assert (sample.low_critical, sample.low_warning, sample.high_warning, sample.high_critical) == (-16, -15, -1, 0)


def test_huawei_module_with_four_lanes_is_four_readings() -> None:
    found = read("2011.2.23", huawei(-100, b"-120,-250,-4000,-90"), {"3": "XGigabitEthernet0/0/1"})
    lanes = [sample for sample in found.sensors if sample.kind == "rx_dbm"]
    assert [(sample.lane, sample.value) for sample in lanes] == [(1, -1.2), (2, -2.5), (3, -40.0), (4, -0.9)]
    assert all(sample.low_critical == -16 for sample in lanes)
    assert len({sample.name for sample in lanes}) == 4


def test_huawei_port_without_a_module_is_no_reading_of_minus_one() -> None:
    found = read("2011.2.23", huawei(-1, b"", temperature=-255))
    assert found.sensors == ()


H3C = ".25506.2.70.1.1.1"


def h3c(**columns: int) -> dict[str, Value]:
    return {f"{H3C}.{column.removeprefix('c')}.5": value for column, value in columns.items()}


def test_h3c_sentinel_in_one_column_is_no_reading_and_in_all_no_module() -> None:
    ports = {"5": "Ten-GigabitEthernet1/0/5"}
    sample = only(read("25506.11", h3c(c15=31, c12=2147483647, c9=-541), ports), "rx_dbm")
    assert (sample.value, sample.gap, sample.port) == (None, Gap.NO_READING, "Ten-GigabitEthernet1/0/5")
    assert read("25506.11", h3c(c15=2147483647, c12=2147483647, c9=2147483647), ports).sensors == ()


def test_h3c_limits_are_tenths_of_microwatts_or_else_the_kinds_own_range() -> None:
    new = only(read("25506.11", h3c(c15=31, c12=-1005, c34=12589, c35=100, c36=10000, c37=158)), "rx_dbm")
    assert (new.value, new.low_critical, new.low_warning, new.high_warning, new.high_critical) == (-10.05, -20.0, -18.0134, 0.0, 0.9999)
    sent = only(read("25506.11", h3c(c15=31, c9=-541, c30=12589, c31=100, c32=10000, c33=158)), "tx_dbm")
    assert (sent.value, sent.low_critical, sent.low_warning, sent.high_warning, sent.high_critical) == (-5.41, -20.0, -18.0134, 0.0, 0.9999)
    old = only(read("25506.11", h3c(c15=31, c12=-1005, c13=-300, c14=-2000)), "rx_dbm")
    assert (old.low_critical, old.high_critical) == (-20.0, -3.0)


RUIJIE = ".4881.1.1.10.2.105.1.1.1"


@pytest.mark.parametrize(("raw", "value", "gap"), [(-10000, None, Gap.NO_LIGHT), (-540, -5.4, Gap.NONE)])
def test_ruijie_minus_hundred_dbm_is_no_light(raw: int, value: float | None, gap: Gap) -> None:
    port = b"TenGigabitEthernet 0/25"
    found = read("4881.1", {f"{RUIJIE}.2.25": port, f"{RUIJIE}.15.25": 1, f"{RUIJIE}.76.25": raw}, {"25": "TenGigabitEthernet 0/25"})
    sample = only(found, "rx_dbm")
    assert (sample.value, sample.gap, sample.port) == (value, gap, "TenGigabitEthernet 0/25")


def test_ruijie_module_that_does_not_measure_is_left_out() -> None:
    assert read("4881.1", {f"{RUIJIE}.15.25": 2, f"{RUIJIE}.76.25": -10000}).sensors == ()


ZTE = ".3902.1082.30.40.2.4.1"


@pytest.mark.parametrize(
    ("raw", "value", "gap"),
    [(-21300, -21.3, Gap.NONE), (-80000, None, Gap.NO_LIGHT), (2147483647, None, Gap.NO_READING), (b"text", None, Gap.NONSENSE)],
)
def test_zte_line_terminal(raw: Value, value: float | None, gap: Gap) -> None:
    sample = only(read("3902.1082.1001", {f"{ZTE}.2.285278465": raw}, {"285278465": "gpon_olt-1/1/1"}), "rx_dbm")
    assert (sample.value, sample.gap, sample.port) == (value, gap, "gpon_olt-1/1/1")
    assert sample.oid == f"{ENTERPRISES}{ZTE}.2.285278465"


def test_mikrotik_gauge_units_decide_what_a_number_is() -> None:
    gauges = {1: (b"cpu-temperature", 50, 1), 2: (b"fan1-speed", 4200, 2), 3: (b"jack-voltage", 493, 3), 4: (b"psu1-state", 1, 6)}
    values: dict[str, Value] = {}
    for index, (name, value, unit) in gauges.items():
        values |= {f".14988.1.1.3.100.1.{column}.{index}": cell for column, cell in ((2, name), (3, value), (4, unit))}
    found = read("14988.1", values)
    assert {(s.kind, s.name, s.value) for s in found.sensors} == {
        ("temperature_c", "cpu-temperature", 50),
        ("fan_rpm", "fan1-speed", 4200),
        ("voltage_v", "jack-voltage", 49.3),
    }
    (state,) = found.states
    assert (state.kind, state.raw, state.word, state.condition) == ("power_supply", 1, "fail", Condition.FAILED)


@pytest.mark.parametrize(("volts", "count"), [(3310, 1), (0, 0)])
def test_mikrotik_cage_without_supply_voltage_has_no_module(volts: int, count: int) -> None:
    values = {".14988.1.1.19.1.1.7.9": volts, ".14988.1.1.19.1.1.10.9": 0 if not volts else -5321}
    found = [s for s in read("14988.1", values, {"9": "sfp9"}).sensors if s.kind == "rx_dbm"]
    assert [s.value for s in found] == [-5.321] * count


def test_juniper_reads_the_modules_own_limits_and_lanes() -> None:
    dom, lane = ".2636.3.60.1.1.1.1", ".2636.3.60.1.2.1.1"
    values = {f"{dom}.{c}.516": v for c, v in {5: -2677, 8: 40, 9: 50, 10: -2102, 11: -100, 12: -1698}.items()}
    found = read("2636.1", {**values, f"{lane}.6.516.0": -2677, f"{lane}.6.516.1": -310}, {"516": "et-0/0/0"})
    module, first, second = [s for s in found.sensors if s.kind == "rx_dbm"]
    assert (module.value, module.lane, module.low_critical, module.low_warning, module.high_warning, module.high_critical) == (
        -26.77, None, -21.02, -16.98, -1.0, 0.5,
    )  # fmt: skip
    assert (first.lane, second.lane, second.value, second.port, second.low_critical) == (0, 1, -3.1, "et-0/0/0", -21.02)


def test_powers_in_tenths_of_microwatts() -> None:
    sros = ".6527.3.1.2.2.4.31.1"
    values: dict[str, Value] = {f"{sros}.1.1.35684352": 10752, f"{sros}.21.1.35684352": 1000, f"{sros}.23.1.35684352": 100}
    found = read("6527.1", values, {"35684352": "1/1/1"})
    sample = only(found, "rx_dbm")
    assert (sample.value, sample.low_critical, sample.port) == (-10.0, -20.0, "1/1/1")
    assert only(found, "temperature_c").value == 42.0


def test_a_module_with_lanes_is_read_by_its_lanes_not_by_the_nought_of_the_whole() -> None:
    module, lanes = ".6527.3.1.2.2.4.31.1", ".6527.3.1.2.2.4.66.1"
    values: dict[str, Value] = {
        f"{module}.1.1.7": 10752,
        f"{module}.21.1.7": 0,
        f"{lanes}.17.1.7.1": 1000,
        f"{lanes}.17.1.7.2": 0,
        f"{lanes}.19.1.7.1": 100,
    }
    first, second = [s for s in read("6527.1", values, {"7": "1/1/c1/1"}).sensors if s.kind == "rx_dbm"]
    assert (first.lane, first.value, first.low_critical, first.port) == (1, -10.0, -20.0, "1/1/c1/1")
    assert (second.lane, second.value, second.gap) == (2, None, Gap.NO_LIGHT)


def test_no_microwatts_is_no_light_and_negative_ones_are_nonsense() -> None:
    packetlight = ".4515.1.10.2.1.1"
    for raw, gap in ((0, Gap.NO_LIGHT), (-5, Gap.NONSENSE)):
        sample = only(read("4515.100", {f"{packetlight}.34.9": 41331, f"{packetlight}.38.9": raw}), "rx_dbm")
        assert (sample.value, sample.gap) == (None, gap)


@pytest.mark.parametrize(("raw", "value"), [(41331, 33.449), (26112, -26.0), (32768, None), (0, None)])
def test_temperature_with_an_offset(raw: int, value: float | None) -> None:
    found = [s.value for s in read("4515.100", {".4515.1.10.2.1.1.34.9": raw}).sensors]
    assert found == ([pytest.approx(value, abs=0.001)] if value is not None else [])


@pytest.mark.parametrize(
    ("raw", "value", "gap"),
    [
        (b"-13.20", -13.2, Gap.NONE),
        (b"-13.2 dBm", -13.2, Gap.NONE),
        (b"OOR", None, Gap.NO_READING),
        (b"", None, Gap.NO_READING),
        (b"-inf", None, Gap.NO_LIGHT),
        (b"hello", None, Gap.NONSENSE),
    ],
)
def test_numbers_in_texts(raw: bytes, value: float | None, gap: Gap) -> None:
    table = ".562.68.10.1.1.1.1.1"
    values: dict[str, Value] = {
        f"{table}.3.9.49": b"OPTMON-1-1-4",
        f"{table}.4.9.49": b"OPR-OTS NEND RCV",
        f"{table}.5.9.49": 3,
        f"{table}.6.9.49": raw,
    }
    sample = only(read("562.68.11", values), "rx_dbm")
    assert (sample.value, sample.gap, sample.name) == (value, gap, "OPTMON-1-1-4 OPR-OTS NEND RCV")


@pytest.mark.parametrize(("raw", "gap"), [(-273, Gap.NONSENSE), (1_000_000, Gap.NONSENSE), (b"hot", Gap.NONSENSE), (21, Gap.NONE)])
def test_what_no_thermometer_says_is_no_number(raw: Value, gap: Gap) -> None:
    sample = only(read("5875.800", {".5875.800.3.9.4.5.0": raw}), "temperature_c")
    assert sample.gap is gap
    assert (sample.value is None) == (gap is not Gap.NONE)


def test_states_in_words() -> None:
    found = read(
        "42397.1", {".42397.1.1.2.2.1.0.0": b"Registered", ".42397.1.1.2.2.2.0.0": b"not registered", ".42397.1.1.2.2.3.0.0": b"?"}
    )
    assert [(s.name, s.raw, s.word, s.condition) for s in found.states] == [
        ("port 1", 0, "registered", Condition.GOOD),
        ("port 2", 1, "notRegistered", Condition.DEGRADED),
    ]


def test_a_state_that_its_mib_does_not_have_is_unknown() -> None:
    (state,) = read("25506.11", {".25506.8.35.9.1.1.1.2.1": 9}).states
    assert (state.raw, state.word, state.condition) == (9, "9", Condition.UNKNOWN)


def test_index_made_of_texts_is_a_name() -> None:
    booster = "1.49.7.66.111.111.115.116.101.114"
    found = read("1271.1.2.12", {f".1271.4.1.1.1.2.1.1.1.48.{booster}": b"3.1", f".1271.4.1.1.1.2.1.1.1.24.{booster}": b"-33.0"})
    sample = only(found, "dbm")
    assert (sample.name, sample.value, sample.low_critical) == ("1 Booster input", 3.1, -33.0)


def test_names_are_unique_within_the_kind() -> None:
    boards = {f".2011.2.6.7.1.1.2.1.10.0.{slot}": 30 for slot in (1, 2)} | {f".2011.6.128.1.1.2.23.1.1.{port}": 41 for port in (7, 8)}
    found = read("2011.2.123", boards, {"7": "GPON 0/1/0", "8": "GPON 0/1/0"}, "Huawei Integrated Access Software")
    names = [sample.name for sample in found.sensors]
    assert len(set(names)) == len(names) == 4


def test_names_that_several_share_are_told_apart_by_the_part_of_the_index_that_differs() -> None:
    apart = told_apart([SensorSample("temperature_c", "inlet", f"1.3.6.1.4.1.9.{end}", 40.0) for end in ("1.7.0", "1.8.0", "2.7.0")])
    assert [sample.name for sample in apart] == ["inlet [1.7.0]", "inlet [1.8.0]", "inlet [2.7.0]"]
    alone = told_apart([SensorSample("temperature_c", "inlet", "1.7", 1.0), SensorSample("temperature_c", "outlet", "1.8", 1.0)])
    assert [sample.name for sample in alone] == ["inlet", "outlet"]


def test_a_card_without_a_label_is_called_by_its_place() -> None:
    card = ".7483.2.2.3.1.2.1.2.1"
    found = read("7483.1.8.2", {f"{card}.23.1.2": b"--------------", f"{card}.13.1.2": 31, f"{card}.38.1.2": 42})
    assert {sample.name for sample in found.sensors} == {"shelf 1 slot 2"}


def test_ups_by_rfc_1628_and_by_its_vendor() -> None:
    ups = "1.3.6.1.2.1.33.1"
    standard: dict[str, Value] = {
        f"{ups}.2.1.0": 3,
        f"{ups}.2.2.0": 95,
        f"{ups}.2.3.0": 12,
        f"{ups}.2.4.0": 41,
        f"{ups}.4.1.0": 5,
        f"{ups}.4.4.1.5.1": 27,
    }
    assert read("99999", standard).ups == UpsSample("battery", "low", 95, 12, 0.41, 0.27)
    apc: dict[str, Value] = {".318.1.1.1.4.1.1.0": 3, ".318.1.1.1.2.1.1.0": 2, ".318.1.1.1.2.2.3.0": 180_000, ".318.1.1.1.2.3.1.0": 987,
                             ".318.1.1.1.4.3.3.0": 305, ".318.1.1.1.2.1.2.0": 4500, ".318.1.1.1.2.2.4.0": 2}  # fmt: skip
    found = read("318.1.3.27", apc).ups
    assert found is not None
    assert (found.output, found.battery, found.on_battery_s, round(found.minutes_left or 0, 6)) == ("battery", "replace", 45, 30)
    assert (found.charge_ratio, found.load_ratio) == (pytest.approx(0.987), pytest.approx(0.305))


def test_a_switch_is_no_ups_and_minutes_of_minus_one_are_none() -> None:
    assert read("99999", {"1.3.6.1.2.1.2.2.1.2.1": b"eth0"}).ups is None
    told = read("99999", {"1.3.6.1.2.1.33.1.4.1.0": 3, "1.3.6.1.2.1.33.1.2.3.0": 4294967295}).ups
    assert told == UpsSample("normal", None, None, None, None, None)


def test_processors_and_pools() -> None:
    fortinet: dict[str, Value] = {".12356.101.4.1.3.0": 6, ".12356.101.4.1.4.0": 22, ".12356.101.4.1.5.0": 1000, ".12356.101.4.1.8.0": 1380}
    found = read("12356.101.1", fortinet)
    assert [(p.name, p.busy_ratio) for p in found.processors] == [("system", 0.06)]
    assert [(p.kind, p.used, p.most, p.used_ratio) for p in found.pools] == [
        ("memory", None, 1_024_000, 0.22),
        ("sessions", 1380, None, None),
    ]
    text = b"5 Secs ( 31.1134%)   60 Secs ( 16.7571%)  300 Secs ( 14.3501%)"
    (processor,) = read("4413", {".4413.1.1.1.1.4.9.0": text}).processors
    assert processor.busy_ratio == pytest.approx(0.167571)


def test_pool_of_used_and_free_adds_up_and_a_ratio_above_one_is_none() -> None:
    cisco: dict[str, Value] = {".9.9.48.1.1.1.2.1": b"Processor", ".9.9.48.1.1.1.5.1": 300, ".9.9.48.1.1.1.6.1": 100}
    (pool,) = read("9.1.1", cisco).pools
    assert (pool.name, pool.used, pool.most, pool.used_ratio) == ("Processor", 300, 400, 0.75)
    (huge,) = read("12356.101.1", {".12356.101.4.1.4.0": 250}).pools
    assert huge.used_ratio is None


def test_the_newer_of_two_tables_of_the_same_memory_stands() -> None:
    both: dict[str, Value] = {
        ".9.9.48.1.1.1.2.1": b"Processor", ".9.9.48.1.1.1.5.1": 300, ".9.9.48.1.1.1.6.1": 100, ".9.9.48.1.1.1.2.2": b"I/O",
        ".9.9.48.1.1.1.5.2": 1, ".9.9.48.1.1.1.6.2": 1,
        ".9.9.221.1.1.1.1.3.7.1": b"Processor", ".9.9.221.1.1.1.1.18.7.1": 5_000_000_000, ".9.9.221.1.1.1.1.20.7.1": 5_000_000_000,
        ".9.9.221.1.1.1.1.3.8.1": b"Processor", ".9.9.221.1.1.1.1.18.8.1": 1, ".9.9.221.1.1.1.1.20.8.2": 3,
    }  # fmt: skip
    found = {pool.name.partition(" [")[0]: pool.used for pool in reversed(read("9.1.1", both).pools)}
    assert found == {"Processor": 5_000_000_000, "I/O": 1}
    names = [pool.name for pool in read("9.1.1", both).pools]
    assert len(names) == len(set(names)) == 3


def test_a_column_that_is_not_there_is_asked_for_once_and_its_names_never() -> None:
    talk = RecordedTalk({})
    asyncio.run(read_vendor(talk, Identity(f"{ENTERPRISES}.9.1.1", ""), {}))
    assert max(talk.walked.count(column) for column in talk.walked) == 1
    assert "1.3.6.1.2.1.47.1.1.1.1.7" not in talk.walked  # no entity names without a row that needs one
    assert f"{ENTERPRISES}.9.9.13.1.3.1.2" not in talk.walked


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        ((-20, -18, -1, 1), True),
        ((None, -18, None, 1), True),
        ((0, 0, 0, 0), False),
        ((-1, -18, -1, 1), False),  # warning below critical
        ((5, None, None, 5), False),
        ((0, 0, 12, 15), True),  # a low limit of nought is one
        ((None, None, None, None), True),
    ],
)
def test_limits_that_contradict_each_other_are_none(limits: tuple[float | None, ...], kept: bool) -> None:
    assert tuple(sane(limits)) == (limits if kept else (None,) * 4)


@given(raw=st.one_of(st.integers(-(2**63), 2**64), st.floats(), st.binary(max_size=40), st.text(max_size=40)), kind=st.sampled_from(sorted(POSSIBLE)),
       form=st.sampled_from(["number", "log", "huawei", "lanes"]), scale=st.sampled_from([1, 0.001, 10]))  # fmt: skip
def test_whatever_an_agent_says_a_reading_is_possible_or_has_a_reason(raw: Value, kind: str, form: str, scale: float) -> None:
    rule = Sensor(mib="X-MIB x", oid="1.3.6.1.4.1.1", kind=kind, form=form, scale=scale)  # type: ignore[arg-type]
    for _, (value, gap) in readings(rule, raw):
        assert (value is None) == (gap is not Gap.NONE)
        if value is not None:
            least, most = POSSIBLE[kind]
            assert math.isfinite(value)
            assert least <= value <= most


@given(st.floats(-1e6, 1e6, allow_nan=False))
def test_a_number_written_out_is_the_number(number: float) -> None:
    assert raw_number(f" {number!r} dBm".encode()) == pytest.approx(number)


def identify(values: Mapping[str, Value]) -> Identity:
    return asyncio.run(recognise(RecordedTalk(values)))


DESCR, OBJECT_ID = "1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0"
ENTITY = "1.3.6.1.2.1.47.1.1.1.1"


@pytest.mark.parametrize(
    ("object_id", "description", "expected"),
    [
        ("9.12.3.1.3.2193", "Cisco NX-OS(tm) Nexus9000 C93180YC-FX3, Software (NXOS 64-bit), Version 10.5(2), RELEASE SOFTWARE",
         ("Cisco", "Nexus9000 C93180YC-FX3", "10.5(2)")),
        ("2636.1.1.1.2.90", "Juniper Networks, Inc. mx5-t internet router, kernel JUNOS 19.4R3.11, Build date: 2020-10-08", ("Juniper", "mx5-t", "19.4R3.11")),
        ("30065.1.3011", "Arista Networks EOS version 4.33.6M running on an Arista Networks DCS-7280SR2A", ("Arista", "DCS-7280SR2A", "4.33.6M")),
        ("2011.2.23.291", "S5720-56C-PWR\r\nHuawei Versatile Routing Platform Software \r\nVRP (R) software,Version 5.170 (S5720 V200R010C00SPC600)",
         ("Huawei", "S5720-56C-PWR", "V200R010C00SPC600")),
        ("8072.3.2.10", "Linux GXW4200 2.6.28.8 #187 Tue Sep 13 2022 mips", ("Grandstream", "GXW4200", "2.6.28.8")),
        ("8072.3.2.10", "Linux db1 5.10.0-28-amd64 #1 SMP x86_64", ("net-snmp", None, "5.10.0-28-amd64")),
        ("5003.8.1.1.56", "Product: GW 8 FXS;SW Version: 6.60A.309.001", ("AudioCodes", "GW 8 FXS", "6.60A.309.001")),
        ("1768.1", "SmartNode", ("Patton", None, None)),
        ("99999.1", "somebody's", (None, None, None)),
    ],
)  # fmt: skip
def test_vendor_model_and_firmware_by_description(object_id: str, description: str, expected: tuple[str | None, ...]) -> None:
    found = identify({OBJECT_ID: f"{ENTERPRISES}.{object_id}", DESCR: description.encode()})
    assert (found.vendor, found.model, found.firmware) == expected


def test_chassis_and_the_vendors_own_objects_name_a_device_better() -> None:
    chassis: dict[str, Value] = {
        f"{ENTITY}.5.1": 3,
        f"{ENTITY}.7.1": b"chassis",
        f"{ENTITY}.13.1": b"WS-C2960X-48FPS-L",
        f"{ENTITY}.11.1": b"FCW1",
    }
    cisco = identify({OBJECT_ID: f"{ENTERPRISES}.9.1.1208", DESCR: b"Cisco IOS Software, Version 15.0(2a)EX5, RELEASE", **chassis})
    assert (cisco.model, cisco.serial, cisco.firmware) == ("WS-C2960X-48FPS-L", "FCW1", "15.0(2a)EX5")
    own = {f"{ENTERPRISES}.14988.1.1.7.3.0": b"8ED5", f"{ENTERPRISES}.14988.1.1.4.4.0": b"6.44.2"}
    mikrotik = identify({OBJECT_ID: f"{ENTERPRISES}.14988.1", DESCR: b"RouterOS CRS317-1G-16S+", **own})
    assert (mikrotik.model, mikrotik.serial, mikrotik.firmware) == ("CRS317-1G-16S+", "8ED5", "6.44.2")


def test_sys_descr_names_the_model_where_the_chassis_is_called_by_its_place() -> None:
    ciena: dict[str, Value] = {f"{ENTITY}.5.1": 3, f"{ENTITY}.7.1": b"SHELF-1", f"{ENTITY}.11.1": b"NNTM"}
    found = identify({OBJECT_ID: f"{ENTERPRISES}.562.68.11", DESCR: b"6500 7-SLOT OPTICAL SW:1280 BN:BP (c) Ciena", **ciena})
    assert (found.model, found.serial, found.firmware) == ("6500 7-SLOT OPTICAL", "NNTM", "1280")
    nexus: dict[str, Value] = {f"{ENTITY}.5.149": 3, f"{ENTITY}.13.149": b"N9K-C93180YC-FX3", f"{ENTITY}.11.149": b"FDO2"}
    description = b"Cisco NX-OS(tm) Nexus9000 C93180YC-FX3, Software (NXOS 64-bit), Version 10.5(2), RELEASE SOFTWARE"
    assert identify({OBJECT_ID: f"{ENTERPRISES}.9.12.3.1.3.2193", DESCR: description, **nexus}).model == "N9K-C93180YC-FX3"


def test_calix_line_terminal_and_the_interface_by_its_name() -> None:
    table = ".6321.1.2.4.2.4.2.1"
    cells: dict[int, Value] = {2: b"1/1/xp1", 3: 1, 4: 37695, 5: 12478, 6: 22956, 7: 586, 8: 3332}
    found = read("6321.1.2.4", {f"{table}.{column}.7": cell for column, cell in cells.items()}, {"4": "1/1/xp1"})
    assert {(s.kind, round(s.value or 0, 3)) for s in found.sensors} == {
        ("temperature_c", 37.695), ("bias_ma", 12.478), ("tx_dbm", 3.609), ("rx_dbm", -12.321), ("voltage_v", 3.332),
    }  # fmt: skip
    assert {s.port for s in found.sensors} == {"1/1/xp1"}
    assert read("6321.1.2.4", {f"{table}.3.7": 0, f"{table}.7.7": 0}).sensors == ()


def test_e1_line_without_signal() -> None:
    line = "1.3.6.1.2.1.10.18.6.1.10"
    found = read("99999", {f"{line}.5": 1, f"{line}.6": 68, f"{line}.7": 5000}, {"5": "E1 0", "6": "E1 1"})
    assert [(s.name, s.word, s.condition) for s in found.states] == [
        ("line E1 0", "noAlarm", Condition.GOOD),
        ("line E1 1", "lossOfSignal", Condition.DEGRADED),
        ("line 7", "5000", Condition.UNKNOWN),
    ]


def test_a_device_that_tells_nothing_is_nothing_and_no_error() -> None:
    assert identify({}) == Identity("", "")
    assert identify({OBJECT_ID: b"text", DESCR: 5}).vendor is None
