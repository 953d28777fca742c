"""The judgement of a device's environment and optics: whose limits, which side of them, and what the state of a port makes of no light."""

from typing import Any

import msgspec
import pytest

from checks import snmp
from checks.assess import Memory, Rules, assess
from checks.finding import Finding, State
from probe.observation.interfaces import InterfaceSample
from probe.observation.sensor import Condition, Gap, SensorSample, StateSample
from tests.checks.device_samples import CRITICAL, DAY, OK, UNKNOWN, WARNING, device, down, judged, off, saw, sensor, unused, up, word

OWN: dict[str, Any] = {"low_critical": -20.0, "low_warning": -18.0, "high_warning": 1.0, "high_critical": 3.0}


def one(
    check: str, *sensors: SensorSample, ports: tuple[InterfaceSample, ...] = (), states: tuple[StateSample, ...] = ()
) -> Finding | None:
    found = judged(device(ports, sensors=sensors, states=states))
    return next((one for (name, _), one in found.items() if name == check), None)


def state(
    check: str, *sensors: SensorSample, ports: tuple[InterfaceSample, ...] = (), states: tuple[StateSample, ...] = ()
) -> State | None:
    found = one(check, *sensors, ports=ports, states=states)
    return found.state if found else None


# whose limits


@pytest.mark.parametrize(
    ("celsius", "limits", "expected"),
    [
        (74.9, {}, OK),
        (75.0, {}, WARNING),
        (94.9, {}, WARNING),
        (95.0, {}, CRITICAL),
        (99.0, {"high_warning": 100.0, "high_critical": 110.0}, OK),
        (100.0, {"high_warning": 100.0, "high_critical": 110.0}, WARNING),
        (110.0, {"high_critical": 110.0}, CRITICAL),
        (-6.0, {"low_critical": -5.0}, CRITICAL),
        (-6.0, {}, OK),
        (60.0, {"high_critical": 50.0}, CRITICAL),
        (99.0, {"high_warning": 120.0}, OK),
        # limits that can't be meant
        (35.0, {"low_critical": 0.0, "low_warning": 0.0, "high_warning": 0.0, "high_critical": 0.0}, OK),
        (35.0, {"low_critical": 70.0, "high_critical": 70.0}, OK),
        (35.0, {"low_critical": 80.0, "high_critical": 0.0}, CRITICAL),
        (35.0, {"low_critical": 90.0, "high_critical": 10.0}, OK),
        (65.0, {"high_warning": 70.0, "high_critical": 60.0}, OK),
        (70.0, {"high_warning": 70.0, "high_critical": 60.0}, CRITICAL),
        (35.0, {"high_critical": float("nan"), "low_critical": float("-inf")}, OK),
        # readings that can't be
        (-273.0, {}, UNKNOWN),
        (-273.0, {"low_critical": 0.0}, UNKNOWN),
        (2147483647.0, {}, UNKNOWN),
        (float("nan"), {}, UNKNOWN),
        (float("inf"), {"high_critical": 70.0}, UNKNOWN),
    ],
)
def test_temperature_by_its_own_limits_else_by_stated_ones(celsius: float, limits: dict[str, Any], expected: State) -> None:
    assert state("snmp/temperature", sensor("temperature_c", celsius, **limits)) is expected


@pytest.mark.parametrize(("gap", "expected"), [(Gap.NO_READING, None), (Gap.NONSENSE, UNKNOWN), (Gap.NO_LIGHT, None)])
@pytest.mark.parametrize("kind", ["temperature_c", "voltage_v", "fan_rpm", "humidity_ratio"])
def test_sensor_without_a_value_is_never_bad(kind: str, gap: Gap, expected: State | None) -> None:
    found = judged(device(sensors=(sensor(kind, None, gap=gap, low_critical=1.0),)))
    assert {one.state for one in found.values()} <= {OK, UNKNOWN}
    assert next((one.state for one in found.values() if "x" in one.item), None) is expected


def test_own_limits_say_whose_they_are() -> None:
    found = one("snmp/temperature", sensor("temperature_c", 80.0, high_critical=90.0))
    assert found is not None
    assert found.levels is not None
    assert found.levels.source == "the device's own limits"
    module = one("snmp/module-temperature", sensor("temperature_c", 80.0, port="Te1/1", high_critical=90.0))
    assert module is not None
    assert module.levels is not None
    assert module.levels.source == "the module's own limits"
    stated = one("snmp/temperature", sensor("temperature_c", 80.0))
    assert stated is not None
    assert stated.levels is snmp.Limits().temperature


@pytest.mark.parametrize(
    ("kind", "port", "limits", "seasonal"),
    [
        ("temperature_c", "", {}, True),
        ("temperature_c", "", {"high_critical": 90.0}, False),
        ("temperature_c", "Te1/1", {}, True),
        ("temperature_c", "Te1/1", {"high_warning": 70.0}, False),
        ("bias_ma", "Te1/1", {}, True),
        ("bias_ma", "Te1/1", {"high_critical": 90.0}, False),
        ("rx_dbm", "Te1/1", OWN, True),
        ("tx_dbm", "Te1/1", OWN, True),
        ("dbm", "", {}, True),
        ("voltage_v", "", {}, False),
    ],
)
def test_a_baseline_is_kept_of_light_and_of_what_nobody_limits(kind: str, port: str, limits: dict[str, Any], seasonal: bool) -> None:
    found = judged(device(sensors=(sensor(kind, 1.0, port=port, **limits),)))
    assert [one.seasonal for one in found.values() if "x" in one.item] == [seasonal]


@pytest.mark.parametrize(("volts", "expected"), [(3.14, OK), (2.97, CRITICAL), (3.63, CRITICAL), (3.0, WARNING), (3.6, WARNING), (3.3, OK)])
def test_voltage_has_two_sides(volts: float, expected: State) -> None:
    limits: dict[str, Any] = {"low_critical": 2.97, "low_warning": 3.0, "high_warning": 3.6, "high_critical": 3.63}
    assert state("snmp/voltage", sensor("voltage_v", volts, **limits)) is expected


@pytest.mark.parametrize(("volts", "expected"), [(-48.0, OK), (-39.0, CRITICAL), (-61.0, CRITICAL)])
def test_negative_supply_is_judged_too(volts: float, expected: State) -> None:
    assert state("snmp/voltage", sensor("voltage_v", volts, low_critical=-60.0, high_critical=-40.0)) is expected


def test_what_nobody_limits_is_told_and_never_bad() -> None:
    for kind in ("voltage_v", "current_a", "power_w", "humidity_ratio", "bias_ma", "dbm", "frequency_hz", "noise_db"):
        found = judged(device(sensors=(sensor(kind, 0.5),)))
        assert {one.state for one in found.values()} == {OK}
        assert any(one.value == 0.5 for one in found.values()), kind


@pytest.mark.parametrize(("celsius", "expected"), [(69.9, OK), (70.0, WARNING), (85.0, CRITICAL)])
def test_temperature_of_a_module_without_limits(celsius: float, expected: State) -> None:
    assert state("snmp/module-temperature", sensor("temperature_c", celsius, port="Te1/1"), ports=(up(),)) is expected
    assert state("snmp/temperature", sensor("temperature_c", celsius, port="Te1/1")) is None


# fans and states


@pytest.mark.parametrize(
    ("rpm", "said", "limits", "expected"),
    [
        (3000.0, None, {}, OK),
        (0.0, None, {}, UNKNOWN),
        (0.0, Condition.GOOD, {}, OK),
        (0.0, Condition.ABSENT, {}, OK),
        (0.0, Condition.GOOD, {"low_critical": 1000.0}, OK),
        (0.0, Condition.FAILED, {}, CRITICAL),
        (3000.0, Condition.FAILED, {}, CRITICAL),
        (0.0, Condition.DEGRADED, {}, WARNING),
        (0.0, None, {"low_critical": 1000.0}, CRITICAL),
        (1001.0, None, {"low_critical": 1000.0}, OK),
        (900.0, None, {"low_warning": 1000.0, "low_critical": 500.0}, WARNING),
        (900.0, Condition.GOOD, {"low_warning": 1000.0, "low_critical": 500.0}, WARNING),
        (65535.0 * 1000, None, {}, UNKNOWN),
    ],
)
def test_fan_that_stands_still_is_judged_by_its_word(rpm: float, said: Condition | None, limits: dict[str, Any], expected: State) -> None:
    states = (word("fan", said),) if said else ()
    found = judged(device(sensors=(sensor("fan_rpm", rpm, **limits),), states=states))
    assert found["snmp/fan", "x"].state is expected
    assert ("snmp/fan", "x #2") not in found


def test_fan_that_turned_before_and_stands_still_now_is_a_warning() -> None:
    memory, rules = Memory(), Rules(snmp.judge, snmp.Limits())
    for rpm in (3000.0, 3100.0, 0.0, 0.0, 0.0):
        memory, _ = assess(saw(device(sensors=(sensor("fan_rpm", rpm),))), memory, rules)
    assert [(one.finding.check, one.track.hard) for one in memory.standing] == [("snmp/fan.loss", WARNING)]


def test_empty_slot_of_a_fan_never_raises_anything() -> None:
    memory, rules = Memory(), Rules(snmp.judge, snmp.Limits())
    for _ in range(30):
        memory, _ = assess(saw(device(sensors=(sensor("fan_rpm", 0.0),))), memory, rules)
    assert memory.standing == ()


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Condition.GOOD, OK),
        (Condition.DEGRADED, WARNING),
        (Condition.FAILED, CRITICAL),
        (Condition.ABSENT, OK),
        (Condition.OFF, OK),
        (Condition.UNKNOWN, UNKNOWN),
        (Condition.PLAIN, OK),
    ],
)
@pytest.mark.parametrize(
    ("kind", "check"),
    [
        ("fan", "snmp/fan"),
        ("power_supply", "snmp/power-supply"),
        ("temperature", "snmp/temperature"),
        ("voltage", "snmp/voltage"),
        ("battery", "snmp/battery"),
        ("module", "snmp/module"),
        ("stack", "snmp/module"),
        ("redundancy", "snmp/module"),
        ("optics", "snmp/optics"),
        ("alarm", "snmp/alarm"),
        ("tunnel", "snmp/tunnel"),
        ("other", "snmp/state"),
        ("never heard of", "snmp/state"),
    ],
)
def test_every_state_is_judged_by_what_its_word_means_and_names_it(kind: str, check: str, condition: Condition, expected: State) -> None:
    found = one(check, states=(word(kind, condition),))
    assert found is not None
    assert (found.state, found.item) == (expected, "x")
    assert found.message.values == {"name": "x", "word": str(condition)}


@pytest.mark.parametrize(
    ("ports", "expected"), [((off(),), OK), ((unused(),), OK), ((down(),), CRITICAL), ((up(),), CRITICAL), ((), CRITICAL)]
)
def test_loss_of_signal_of_a_port_that_is_switched_off_or_unused_is_no_fault(ports: tuple[InterfaceSample, ...], expected: State) -> None:
    assert state("snmp/optics", ports=ports, states=(word("optics", Condition.FAILED, port="Te1/1"),)) is expected


@pytest.mark.parametrize(("condition", "expected"), [(Condition.GOOD, OK), (Condition.DEGRADED, UNKNOWN), (Condition.FAILED, CRITICAL)])
def test_line_that_is_not_registered_may_be_unused_and_one_that_failed_to_is_bad(condition: Condition, expected: State) -> None:
    assert judged(device(states=(word("registration", condition),)))["snmp/registration", "x"].state is expected


def test_line_that_was_registered_is_missed_and_unused_ones_are_not() -> None:
    memory, rules = Memory(), Rules(snmp.judge, snmp.Limits())
    for good in (2, 2, 1, 1, 1):
        lines = [word("registration", Condition.GOOD if line < good else Condition.DEGRADED, name=f"port {line}") for line in range(8)]
        memory, _ = assess(saw(device(states=tuple(lines))), memory, rules)
    (standing,) = memory.standing
    assert (standing.finding.check, standing.track.hard, standing.finding.value) == ("snmp/registration.loss", WARNING, 1.0)


# light and ports


@pytest.mark.parametrize(
    ("dbm", "limits", "expected", "source"),
    [
        (-7.1, OWN, OK, "the module's own limits"),
        (-17.99, OWN, OK, "the module's own limits"),
        (-18.0, OWN, WARNING, "the module's own limits"),
        (-20.0, OWN, CRITICAL, "the module's own limits"),
        (-28.0, OWN, CRITICAL, "the module's own limits"),
        (1.0, OWN, WARNING, "the module's own limits"),
        (3.0, OWN, CRITICAL, "the module's own limits"),
        (-27.9, {}, OK, "our choice"),
        (-28.0, {}, WARNING, "our choice"),
        (-39.9, {}, WARNING, "our choice"),
        (5.0, {}, OK, "our choice"),
        (-25.0, {"low_critical": -30.0}, OK, "the module's own limits"),
    ],
)
def test_light_on_a_port_that_is_up(dbm: float, limits: dict[str, Any], expected: State, source: str) -> None:
    found = one("snmp/rx-power", sensor("rx_dbm", dbm, port="Te1/1", **limits), ports=(up(),))
    assert found is not None
    assert found.state is expected
    assert found.levels is not None
    assert found.levels.source.startswith(source)
    assert found.loss is snmp.Limits().rx_loss


RX = ("rx_dbm", "snmp/rx-power")
TX = ("tx_dbm", "snmp/tx-power")


@pytest.mark.parametrize(("kind", "check"), [RX, TX])
@pytest.mark.parametrize(
    ("ports", "expected", "text"),
    [
        ((off(),), OK, "snmp.dark-off"),
        ((unused(),), OK, "snmp.dark-unused"),
        ((down(),), CRITICAL, "snmp.{}-dark-down"),
        ((up(),), UNKNOWN, "snmp.dark-up"),
        ((down(oper="unknown"),), UNKNOWN, "snmp.dark"),
        ((), UNKNOWN, "snmp.dark"),
        ((up("Te1/2"),), UNKNOWN, "snmp.dark"),
    ],
)
@pytest.mark.parametrize(("value", "gap"), [(None, Gap.NO_LIGHT), (-40.0, Gap.NONE), (-60.0, Gap.NONE)])
def test_no_light_is_what_the_state_of_its_port_makes_of_it(
    kind: str, check: str, value: float | None, gap: Gap, ports: tuple[InterfaceSample, ...], expected: State, text: str
) -> None:
    found = one(check, sensor(kind, value, gap=gap, port="Te1/1", **OWN), ports=ports)
    assert found is not None
    assert (found.state, found.message.id) == (expected, text.format("rx" if kind == "rx_dbm" else "tx"))
    assert found.value is None


@pytest.mark.parametrize(
    ("since_s", "uptime_s", "expected"),
    [
        (3600.0, 100 * DAY, WARNING),
        (7 * DAY, 100 * DAY, WARNING),
        (7 * DAY + 1, 100 * DAY, UNKNOWN),
        (100 * DAY - 600, 100 * DAY, UNKNOWN),
        (100 * DAY - 599, 100 * DAY, OK),
        (100 * DAY, 100 * DAY, OK),
        (None, 100 * DAY, OK),
        (3600.0, None, OK),
    ],
)
def test_no_light_on_a_port_that_went_down_lately_is_a_warning_and_on_one_that_was_never_up_nothing(
    since_s: float | None, uptime_s: float | None, expected: State
) -> None:
    port = down(expected=False, last_change_s=since_s)
    sample = device((port,), sensors=(sensor("rx_dbm", None, gap=Gap.NO_LIGHT, port="Te1/1"),), uptime_s=uptime_s)
    assert judged(sample)["snmp/rx-power", "x"].state is expected


@pytest.mark.parametrize(
    ("dbm", "ports", "expected", "text"),
    [
        (-25.0, (off(),), OK, "snmp.light-off"),
        (-25.0, (unused(),), OK, "snmp.light-unused"),
        (-25.0, (down(),), CRITICAL, "snmp.light-weak-down"),
        (-19.0, (down(),), WARNING, "snmp.light-weak-down"),
        (-25.0, (down(expected=False, last_change_s=3600.0),), WARNING, "snmp.light-weak-down"),
        (-7.0, (down(),), OK, "snmp.light-down"),
        (-25.0, (up(),), CRITICAL, "snmp.reading-low"),
        (-25.0, (), CRITICAL, "snmp.reading-low"),
    ],
)
def test_weak_light_on_a_port_that_is_down_is_the_same_fault_and_strong_light_says_look_elsewhere(
    dbm: float, ports: tuple[InterfaceSample, ...], expected: State, text: str
) -> None:
    found = one("snmp/rx-power", sensor("rx_dbm", dbm, port="Te1/1", **OWN), ports=ports)
    assert found is not None
    assert (found.state, found.message.id) == (expected, text)


@pytest.mark.parametrize("value", [-100.5, -214.748, 2147483647.0, -2147483648.0, 65535.0, 327.67, 99.99])
def test_sentinel_that_the_reader_did_not_know_is_unknown(value: float) -> None:
    for kind, check in (RX, TX, ("dbm", "snmp/power-level")):
        assert state(check, sensor(kind, value, port="Te1/1", **OWN), ports=(up(),)) is UNKNOWN


@pytest.mark.parametrize(("gap", "expected"), [(Gap.NO_READING, None), (Gap.NONSENSE, UNKNOWN)])
@pytest.mark.parametrize(("kind", "check"), [RX, TX])
def test_module_that_tells_nothing_is_not_dark(kind: str, check: str, gap: Gap, expected: State | None) -> None:
    assert state(check, sensor(kind, None, gap=gap, port="Te1/1", **OWN), ports=(down(),)) is expected


@pytest.mark.parametrize(("dbm", "expected"), [(-15.9, OK), (-16.0, WARNING), (-39.0, WARNING)])
def test_weak_laser_without_own_limits(dbm: float, expected: State) -> None:
    assert state("snmp/tx-power", sensor("tx_dbm", dbm, port="Te1/1"), ports=(up(),)) is expected


@pytest.mark.parametrize(
    ("ma", "ports", "expected"),
    [
        (6.0, (up(),), OK),
        (0.0, (up(),), CRITICAL),
        (0.0, (off(),), OK),
        (0.0, (down(),), OK),
        (90.0, (off(),), CRITICAL),
        (90.0, (up(),), CRITICAL),
    ],
)
def test_bias_current_of_a_laser_that_is_off_is_no_fault(ma: float, ports: tuple[InterfaceSample, ...], expected: State) -> None:
    assert state("snmp/bias", sensor("bias_ma", ma, port="Te1/1", low_critical=1.0, high_critical=80.0), ports=ports) is expected


@pytest.mark.parametrize("name", ["TenGigabitEthernet1/1", "te1/1", "TenGigE1/1"])
def test_port_of_a_sensor_is_found_by_its_other_names(name: str) -> None:
    assert state("snmp/rx-power", sensor("rx_dbm", None, gap=Gap.NO_LIGHT, port=name), ports=(off(),)) is OK


def test_lanes_of_a_module_are_judged_each() -> None:
    lanes = tuple(
        sensor("rx_dbm", dbm, name=f"Te1/1 lane {lane}", port="Te1/1", **OWN) for lane, dbm in enumerate((-3.0, -25.0, -3.0, -3.0))
    )
    found = judged(device((up(),), sensors=lanes))
    assert [found["snmp/rx-power", one.name].state for one in lanes] == [OK, CRITICAL, OK, OK]


def test_limit_is_left_by_half_a_decibel() -> None:
    found = one("snmp/rx-power", sensor("rx_dbm", -17.6, port="Te1/1", **OWN), ports=(up(),))
    assert found is not None
    assert found.levels is not None
    assert found.levels.holds(-17.6, WARNING)
    assert not found.levels.holds(-17.4, WARNING)
    high = msgspec.structs.replace(found.levels, low=False)
    assert not high.low
