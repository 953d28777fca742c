"""ENTITY-SENSOR-MIB and its kin: scale and precision, units by name, limits, and the port a sensor belongs to."""

import asyncio
from collections.abc import Mapping

import pytest

from probe.observation.sensor import Condition, Gap, SensorSample
from probe.snmp.mibs.entity_sensor import ARISTA_LIMITS, CISCO, CISCO_LIMITS, STANDARD, Family, Readings, read_entity_sensors
from probe.snmp.place import Ports
from probe.snmp.talk import Value
from tests.probe.recorded_talk import RecordedTalk

ENTITY = "1.3.6.1.2.1.47.1.1.1.1"
ALIAS = "1.3.6.1.2.1.47.1.3.2.1.2"
OTHER, VOLTS, AMPERES, WATTS, CELSIUS, HUMIDITY, RPM, TRUTH, DBM = 1, 4, 5, 6, 8, 9, 10, 12, 14
MILLI, UNITS, MICRO = 8, 9, 7


def row(table: str, index: int, type_: int, scale: int, precision: int, value: Value, status: int = 1, name: str = "") -> dict[str, Value]:
    found: dict[str, Value] = {f"{table}.{column}.{index}": cell for column, cell in enumerate((type_, scale, precision, value, status), 1)}
    return found | ({f"{ENTITY}.7.{index}": name.encode(), f"{ENTITY}.5.{index}": 8} if name else {})


def read(values: Mapping[str, Value], family: Family = "standard", ports: Mapping[str, str] | None = None) -> Readings:
    return asyncio.run(read_entity_sensors(RecordedTalk(values), family, Ports(ports or {}), None))


def only(values: Mapping[str, Value], family: Family = "standard", ports: Mapping[str, str] | None = None) -> SensorSample:
    (sample,) = read(values, family, ports).sensors
    return sample


@pytest.mark.parametrize(
    ("type_", "scale", "precision", "value", "name", "kind", "expected"),
    [
        (CELSIUS, UNITS, 1, 346, "Module temperature", "temperature_c", 34.6),
        (CELSIUS, UNITS, -2, 34, "Inlet", "temperature_c", 34),  # accurate digits, no shift
        (CELSIUS, MILLI, 0, 45542, "Inlet", "temperature_c", 45.542),
        (RPM, UNITS, 0, 7680, "Fan 1", "fan_rpm", 7680),
        (VOLTS, MILLI, 0, 3300, "VP3P3", "voltage_v", 3.3),
        (AMPERES, MILLI, 1, 61, "Gi1/0/52 Bias Current Sensor", "bias_ma", 6.1),
        (AMPERES, MILLI, 0, 1500, "Power supply 1 output", "current_a", 1.5),
        (HUMIDITY, UNITS, 0, 40, "Room", "humidity_ratio", 0.4),
        (DBM, UNITS, 1, -47, "Gi1/0/52 Receive Power Sensor", "rx_dbm", -4.7),
        (DBM, MILLI, 0, -5210, "Ethernet1/1 Transmit Power Sensor", "tx_dbm", -5.21),
        (DBM, UNITS, 1, -47, "Amplifier", "dbm", -4.7),
        (WATTS, MILLI, 4, 5847, "power Rx 0/0/0/3", "rx_dbm", -2.3307),  # a module's power in mW is read in dBm
        (WATTS, UNITS, 0, 750, "PS0 Capacity", "power_w", 750),
        (WATTS, UNITS, 0, 120, "PowerSupply1 Input power", "power_w", 120),
    ],
)
def test_scale_precision_and_kind(type_: int, scale: int, precision: int, value: int, name: str, kind: str, expected: float) -> None:
    sample = only(row(STANDARD, 7, type_, scale, precision, value, name=name))
    assert (sample.kind, sample.name, sample.oid, sample.gap) == (kind, name, f"{STANDARD}.4.7", Gap.NONE)
    assert sample.value == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("scale", "precision", "value"),
    [
        (UNITS, 9, 0.9),
        (0, 9, 0.9),  # not set
        (UNITS, 10, None),  # beyond EntitySensorPrecision: the point may be anywhere
        (UNITS, 2**31 - 1, None),  # and this is no reading of 0 °C
        (UNITS, -8, None),  # nine accurate digits before the point: 9·10⁸ °C can't be
        (UNITS, -9, None),
        (18, 9, None),  # no such EntitySensorDataScale
        (-1, 9, None),
    ],
)
def test_a_value_whose_point_nobody_knows_is_no_number(scale: int, precision: int, value: float | None) -> None:
    found = only(row(STANDARD, 7, CELSIUS, scale, precision, 900_000_000, name="Inlet"))
    assert (found.value, found.gap) == ((value, Gap.NONE) if value else (None, Gap.NONSENSE))


@pytest.mark.parametrize(
    ("value", "status", "gap"),
    [
        (25, 1, Gap.NONE),
        (25, 2, Gap.NO_READING),  # unavailable
        (25, 3, Gap.NO_READING),  # nonoperational
        (1_000_000_000, 1, Gap.NO_READING),
        (-32768, 1, Gap.NO_READING),
        (-273, 1, Gap.NONSENSE),
        (b"warm", 1, Gap.NONSENSE),
    ],
)
def test_sensors_without_a_reading_have_no_number(value: Value, status: int, gap: Gap) -> None:
    sample = only(row(STANDARD, 7, CELSIUS, UNITS, 0, value, status, "Inlet"))
    assert (sample.gap, sample.value) == (gap, 25 if gap is Gap.NONE else None)


@pytest.mark.parametrize(("raw", "gap"), [(0, Gap.NO_LIGHT), (-1_000_000_000, Gap.NO_LIGHT), (-3, Gap.NONSENSE)])
def test_no_watts_received_is_no_light(raw: int, gap: Gap) -> None:
    sample = only(row(STANDARD, 7, WATTS, MICRO, 0, raw, name="Ethernet1 Rx Power"))
    assert (sample.kind, sample.value, sample.gap) == ("rx_dbm", None, gap)


def test_type_other_is_read_by_its_units() -> None:
    sample = only(row(STANDARD, 7, OTHER, UNITS, 2, -512, name="Optical Rx Power") | {f"{STANDARD}.6.7": b"dBm"})
    assert (sample.kind, sample.value) == ("rx_dbm", -5.12)


def test_truth_is_a_state_and_no_number() -> None:
    found = read(row(STANDARD, 7, TRUTH, UNITS, 0, 1, name="Door"))
    assert not found.sensors
    (state,) = found.states
    assert (state.word, state.condition) == ("true", Condition.PLAIN)


def cisco(index: int, name: str, value: int, *limits: tuple[int, int, int], type_: int = DBM) -> dict[str, Value]:
    """Return a sensor in tenths with its limits: severity (10 minor, 20 major, 30 critical), relation (1, 2 less; 3, 4 greater), value."""
    found = row(CISCO, index, type_, UNITS, 1, value, name=name)
    for number, cells in enumerate(limits, 1):
        found |= {f"{CISCO_LIMITS}.{column}.{index}.{number}": cell for column, cell in zip((2, 3, 4), cells, strict=True)}
    return found


def limits_of(sample: SensorSample) -> tuple[float | None, ...]:
    return (sample.low_critical, sample.low_warning, sample.high_warning, sample.high_critical)


def test_cisco_limits_by_severity_and_relation() -> None:
    four = ((20, 3, 25), (10, 4, 5), (20, 1, -127), (10, 2, -107))
    assert limits_of(only(cisco(7, "Et1/1 Receive Power", -47, *four), "cisco")) == (-12.7, -10.7, 0.5, 2.5)
    assert limits_of(only(cisco(7, "Et1/1 Receive Power", -47, (30, 2, -140), (10, 2, -107)), "cisco")) == (-14.0, -10.7, None, None)


def test_cisco_side_with_one_severity_alone() -> None:
    assert limits_of(only(cisco(7, "Inlet", 350, (10, 4, 600), type_=CELSIUS), "cisco")) == (None, None, 60.0, None)
    assert limits_of(only(cisco(7, "Inlet", 350, (30, 4, 860), (30, 4, 900), type_=CELSIUS), "cisco")) == (None, None, None, 86.0)


def test_cisco_limits_that_are_not_there_are_none() -> None:
    unset = ((10, 2, -32768), (20, 2, 158), (30, 2, -32768), (30, 3, -32768))
    assert limits_of(only(cisco(7, "Inlet", 300, *unset, type_=CELSIUS), "cisco")) == (15.8, None, None, None)
    assert limits_of(only(cisco(7, "Et1/1 Receive Power", -47, (20, 5, 1), (20, 3, 25)), "cisco")) == (None, None, None, 2.5)


def test_a_sensor_in_both_tables_is_read_once_from_ciscos_which_has_the_limits() -> None:
    both = (
        cisco(7, "Inlet", 350, (20, 4, 600), type_=CELSIUS)
        | row(STANDARD, 7, CELSIUS, UNITS, 0, 35)
        | row(STANDARD, 8, CELSIUS, UNITS, 0, 36, name="Outlet")
    )
    found = read(both, "cisco").sensors
    assert [(s.name, s.oid, s.high_critical) for s in found] == [("Inlet", f"{CISCO}.4.7", 60.0), ("Outlet", f"{STANDARD}.4.8", None)]


def test_arista_limits_in_watts_become_dbm() -> None:
    values = row(STANDARD, 7, WATTS, MILLI, 4, 5847, name="DOM RX Power Sensor for Ethernet1/1") | {
        f"{ARISTA_LIMITS}.{column}.7": cell for column, cell in ((1, 250), (2, 158), (3, 10000), (4, 1_000_000_000))
    }
    sample = only(values, "arista", {"1": "Ethernet1/1"})
    assert (sample.kind, sample.port) == ("rx_dbm", "Ethernet1/1")
    assert limits_of(sample) == (pytest.approx(-18.013, abs=0.001), pytest.approx(-16.021, abs=0.001), 0.0, None)


def test_nx_os_laser_that_is_off_sends_no_milliwatt() -> None:
    def lane(bias: int, sent: int, received: int) -> list[tuple[str, float | None, Gap]]:
        values = (
            row(CISCO, 1, AMPERES, MICRO, 0, bias, name="Ethernet1/25 Lane 1 Transceiver Bias Current Sensor")
            | row(CISCO, 2, DBM, MILLI, 0, sent, name="Ethernet1/25 Lane 1 Transceiver Transmit Power Sensor")
            | row(CISCO, 3, DBM, MILLI, 0, received, name="Ethernet1/25 Lane 1 Transceiver Receive Power Sensor")
        )
        return [(s.kind, s.value, s.gap) for s in read(values, "cisco", {"436219904": "Ethernet1/25"}).sensors]

    assert lane(0, 0, 0) == [("bias_ma", None, Gap.NO_READING), ("tx_dbm", None, Gap.NO_LIGHT), ("rx_dbm", None, Gap.NO_READING)]
    assert lane(0, -40000, -3000) == [("bias_ma", 0.0, Gap.NONE), ("tx_dbm", -40.0, Gap.NONE), ("rx_dbm", -3.0, Gap.NONE)]
    assert lane(7000, 0, 0) == [("bias_ma", 7.0, Gap.NONE), ("tx_dbm", 0.0, Gap.NONE), ("rx_dbm", 0.0, Gap.NONE)]


PORTS = {"10152": "Gi1/0/52", "3": "Te1/1/1"}


def below(sensor: int, port: int, class_: int = 10) -> dict[str, Value]:
    return {f"{ENTITY}.4.{sensor}": port, f"{ENTITY}.5.{port}": class_, f"{ENTITY}.7.{port}": b"cage", f"{ENTITY}.4.{port}": 1, f"{ENTITY}.5.1": 3,
            f"{ENTITY}.7.1": b"chassis"}  # fmt: skip


def test_port_by_alias_of_what_holds_the_sensor() -> None:
    sensor = row(STANDARD, 7, DBM, UNITS, 1, -47, name="Receive Power") | below(7, 5)
    assert only(sensor | {f"{ALIAS}.5.0": "1.3.6.1.2.1.2.2.1.1.3"}, ports=PORTS).port == "Te1/1/1"


@pytest.mark.parametrize("name", ["Gi1/0/52 Receive Power Sensor", "GigabitEthernet1/0/52 Receive Power Sensor", "DOM RX for Gi1/0/52"])
def test_port_by_name_long_or_short(name: str) -> None:
    assert only(row(STANDARD, 7, DBM, UNITS, 1, -47, name=name), ports=PORTS).port == "Gi1/0/52"


def test_a_port_without_an_interface_does_not_borrow_its_neighbours() -> None:
    """A card holds many ports; the only one with an alias is not the one of every sensor on the card."""
    card: dict[str, Value] = {f"{ENTITY}.5.2": 9, f"{ENTITY}.4.2": 1, f"{ENTITY}.4.5": 2, f"{ENTITY}.5.6": 10, f"{ENTITY}.4.6": 2}
    sensor = row(STANDARD, 7, DBM, UNITS, 1, -47, name="Receive Power") | below(7, 5) | card
    assert only(sensor | {f"{ALIAS}.6.0": "1.3.6.1.2.1.2.2.1.1.3"}, ports=PORTS).port == ""


def test_names_that_several_share_are_told_apart_by_what_holds_them() -> None:
    values: dict[str, Value] = {}
    for sensor, fan in ((7, 5), (8, 6)):
        values |= row(STANDARD, sensor, RPM, UNITS, 0, 7000 + sensor, name="speed")
        values |= {f"{ENTITY}.4.{sensor}": fan, f"{ENTITY}.5.{fan}": 7, f"{ENTITY}.7.{fan}": f"fan{fan}".encode()}
    assert [sample.name for sample in read(values).sensors] == ["fan5 speed", "fan6 speed"]


def test_circle_of_containment_ends() -> None:
    values = row(STANDARD, 7, DBM, UNITS, 1, -47, name="Rx power") | {f"{ENTITY}.4.7": 8, f"{ENTITY}.4.8": 7, f"{ENTITY}.5.8": 9}
    assert only(values, ports=PORTS).port == ""


def test_nothing_is_asked_of_a_device_without_sensors() -> None:
    talk = RecordedTalk({})
    assert asyncio.run(read_entity_sensors(talk, "cisco", Ports({}), None)) == Readings()
    assert sorted(talk.walked) == sorted(f"{table}.{column}" for table in (STANDARD, CISCO) for column in (4, 5))
