"""Rules held against the makers' MIB definitions: one small recording of our own for each thing that memory had wrong or had not."""

import asyncio
from collections.abc import Mapping

import pytest

from probe.observation.device import Identity
from probe.observation.sensor import Condition
from probe.snmp.sensors import VendorReadings, read_vendor
from probe.snmp.talk import Value
from tests.probe.recorded_talk import RecordedTalk

BELOW = "1.3.6.1.4.1"
CLASS = "1.3.6.1.2.1.47.1.1.1.1.5"


def read(enterprise: str, values: Mapping[str, Value], ports: Mapping[str, str] | None = None) -> VendorReadings:
    """Read a device of this enterprise number; an OID that begins with a dot lies below enterprises."""
    full = {f"{BELOW}{oid}" if oid.startswith(".") else oid: value for oid, value in values.items()}
    return asyncio.run(read_vendor(RecordedTalk(full), Identity(f"{BELOW}.{enterprise}", ""), ports or {}))


@pytest.mark.parametrize(
    ("enterprise", "oid", "raw", "kind", "word", "condition"),
    [
        ("674.10892.5", ".674.10892.5.4.700.20.1.5.1.1", 6, "temperature", "nonRecoverableUpper", Condition.FAILED),
        ("674.10892.5", ".674.10892.5.4.700.12.1.5.1.1", 7, "fan", "nonCriticalLower", Condition.DEGRADED),
        ("674.10892.5", ".674.10892.5.4.600.12.1.5.1.1", 6, "power_supply", "nonRecoverable", Condition.FAILED),
        ("674.11000", ".674.11000.5000.100.4.1.2.1.1.4.1", 6, "power_supply", "notPresent", Condition.ABSENT),
        ("9148", ".9148.3.3.1.4.1.1.5.1", 6, "fan", "shutdown", Condition.FAILED),
        ("534", ".534.1.4.5.0", 12, "power_supply", "essMode", Condition.GOOD),
        ("705", ".705.1.7.3.0", 1, "power_supply", "yes", Condition.DEGRADED),
        ("171", ".171.12.11.1.7.1.3.1.1", 3, "fan", "speed-0", Condition.GOOD),
        ("207", ".207.8.4.4.3.12.4.2.1.6.1.1.1", 4, "power_supply", "notPresent", Condition.ABSENT),
        ("890", ".890.1.15.3.26.1.4.2.1.3.1", b"Absent", "power_supply", "absent", Condition.ABSENT),
        ("47196", ".47196.4.1.1.3.11.2.1.1.11.1.1", 3, "power_supply", "faultInput", Condition.FAILED),
        ("47196", ".47196.4.1.1.3.11.5.1.1.5.1.1.1", b"fault", "fan", "fault", Condition.FAILED),
        ("14823", ".14823.2.2.1.2.1.18.1.2.0", 2, "power_supply", "inactive", Condition.FAILED),
        ("2254", ".2254.2.4.5.1.0", 1, "power_supply", "battery", Condition.DEGRADED),
        ("4555", ".4555.1.1.1.1.4.1.0", 6, "power_supply", "onBypass", Condition.DEGRADED),
        ("2620", ".2620.1.6.7.8.1.1.6.1.0", 1, "temperature", "true", Condition.FAILED),
        ("2620", ".2620.1.6.7.7.2.1.9.1.0", 12, "module", "rebuild", Condition.DEGRADED),
        ("6527", ".6527.3.1.2.2.1.5.1.6.1.2", 4, "power_supply", "failed", Condition.FAILED),
    ],
)
def test_state_means_what_its_mib_says(enterprise: str, oid: str, raw: Value, kind: str, word: str, condition: Condition) -> None:
    (state,) = read(enterprise, {oid: raw}).states
    assert (state.kind, state.word, state.condition) == (kind, word, condition)


@pytest.mark.parametrize(("raw", "limit", "celsius"), [(41, 65, 41), (412, 650, 41.2), (128, 65, None)])
def test_allied_telesis_degrees_or_tenths_by_the_threshold_beside(raw: int, limit: int, celsius: float | None) -> None:
    table = ".207.8.4.4.3.12.3.1"
    found = read("207", {f"{table}.4.1.1.1": b"CPU", f"{table}.5.1.1.1": raw, f"{table}.6.1.1.1": limit})
    assert [(sample.value, sample.high_critical) for sample in found.sensors] == ([] if celsius is None else [(celsius, 65)])


def test_zyxel_transceiver_value_is_what_its_description_says() -> None:
    table = ".890.1.15.3.84.1.2.1"
    words = {1: b"Temperature", 2: b"Voltage", 3: b"TX Bias", 4: b"TX Power", 5: b"RX Power", 6: b"N/A"}
    values: dict[str, Value] = {f"{table}.7.9.{kind}": word for kind, word in words.items()}
    values |= {f"{table}.6.9.{kind}": raw for kind, raw in ((1, 3550), (2, 330), (3, 612), (4, -245), (5, -1130), (6, 0))}
    values |= {f"{table}.3.9.5": -2000, f"{table}.5.9.5": -1800}
    found = {sample.kind: sample for sample in read("890", values, {"9": "swp08"}).sensors}
    assert {kind: sample.value for kind, sample in found.items()} == {
        "temperature_c": 35.5, "voltage_v": 3.3, "bias_ma": 6.12, "tx_dbm": -2.45, "rx_dbm": -11.3,
    }  # fmt: skip
    assert (found["rx_dbm"].port, found["rx_dbm"].low_critical, found["rx_dbm"].low_warning) == ("swp08", -20, -18)


def test_supermicro_high_limit_is_no_fan_s() -> None:
    table = ".10876.2.1.1.1.1"
    (fan,) = read(
        "10876", {f"{table}.2.1": b"FAN1", f"{table}.3.1": 0, f"{table}.4.1": 5400, f"{table}.5.1": 300, f"{table}.6.1": 500}
    ).sensors
    assert (fan.value, fan.low_critical, fan.high_critical) == (5400, 500, None)


def test_adva_fsp_3000_power_with_its_own_thresholds() -> None:
    table, limits, row = ".2544.1.11.11.7.2.1.1.1", ".2544.1.11.11.7.2.2.1.1", "1.3.1.0.20"
    values: dict[str, Value] = {f"{table}.1.{row}": -12, f"{table}.2.{row}": -214}
    values |= {f"{limits}.{column}.{row}": raw for column, raw in ((1, -250), (2, 10), (5, 30), (6, -60))}
    found = {sample.kind: sample for sample in read("2544", values).sensors}
    assert (found["tx_dbm"].value, found["tx_dbm"].low_critical, found["tx_dbm"].high_critical) == (-1.2, -6, 3)
    assert (found["rx_dbm"].value, found["rx_dbm"].low_warning, found["rx_dbm"].high_warning) == (-21.4, -25, 1)


@pytest.mark.parametrize(("told", "celsius"), [(b"31C", 31), (b"31", 31), (b"88F", None)])
def test_procurve_air_temperature_is_read_in_celsius_only(told: bytes, celsius: float | None) -> None:
    table = ".11.2.14.11.1.2.8.1.1"
    found = read("11", {f"{table}.2.0": b"Sys-1", f"{table}.3.0": told, f"{table}.7.0": b"57C"}).sensors
    assert [sample.value for sample in found] == ([] if celsius is None else [celsius])


def test_cisco_module_without_power_is_no_power_supply() -> None:
    values = {".9.9.117.1.1.2.1.2.10": 2, ".9.9.117.1.1.2.1.2.11": 3, f"{CLASS}.10": 6, f"{CLASS}.11": 9}
    assert sorted((state.kind, state.condition) for state in read("9", values).states) == [("module", "off"), ("power_supply", "good")]


def test_h3c_error_of_a_fan_and_what_is_not_supported() -> None:
    error = ".25506.2.6.1.1.1.1.19"
    found = read("25506", {f"{error}.5": 41, f"{error}.6": 1, f"{error}.7": 2, f"{CLASS}.5": 7, f"{CLASS}.6": 9, f"{CLASS}.7": 6}).states
    assert sorted((state.kind, state.word) for state in found) == [("fan", "fanError"), ("power_supply", "normal")]
