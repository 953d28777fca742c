"""Laws of the judgement of a device: it bears whatever a poll may hold, and what is missing or can't be is never critical."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks import snmp
from checks.assess import Memory, Rules, assess
from checks.causes import cause_of
from checks.finding import State
from probe.observation.device import (
    Anomaly,
    DeviceSample,
    Identity,
    MacPlace,
    PoolSample,
    ProcessorSample,
    Restart,
    UpsSample,
)
from probe.observation.failure import Failure, Kind
from probe.observation.interfaces import InterfaceSample, InterfacesSample
from probe.observation.observation import Observation
from probe.observation.routing import BgpPeer, Neighbour, OspfNeighbour
from probe.observation.sensor import Condition, Gap, SensorSample, StateSample
from reports.locale.text import texts
from tests.checks.device_samples import AT, CRITICAL, judged

CHECKS = {check.name for check in snmp.CHECKS}
SENTINELS = [number / 10**places for number in (2**31 - 1, -(2**31), 2**32 - 1) for places in range(4)]
SENTINELS += [number / 10**places for number in (2**15 - 1, -(2**15), 2**16 - 1) for places in range(3)]

word = st.text(max_size=12)
name = st.sampled_from(["", "Te1/1", "Gi0/1", "fan 1", "GigabitEthernet0/1"]) | word
number = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, -40.0, -273.15, *SENTINELS])
maybe = st.none() | number
real = st.none() | st.floats(-100, 120)
count = st.none() | st.integers(-5, 2**64)
kinds = st.sampled_from(
    [
        "temperature_c",
        "fan_rpm",
        "fan_ratio",
        "voltage_v",
        "current_a",
        "power_w",
        "humidity_ratio",
        "rx_dbm",
        "tx_dbm",
        "dbm",
        "bias_ma",
        "x",
        "a_b",
    ]
)
oids = st.just("1.3.6.1.4.1.1")
limits: dict[str, Any] = dict.fromkeys(("low_critical", "low_warning", "high_warning", "high_critical"), real | maybe)
sensors = st.builds(SensorSample, kinds, name, oids, maybe | real, st.sampled_from(Gap), name, count, **limits)
states = st.builds(
    StateSample,
    st.sampled_from(["fan", "power_supply", "temperature", "optics", "registration", "zzz"]),
    name,
    oids,
    st.integers(),
    word,
    st.sampled_from(Condition),
    name,
)
ports = st.builds(
    InterfaceSample, name, st.integers(), st.just("ethernet"), st.booleans(), st.booleans(), st.none(), count, st.none() | st.integers(1, 2**40),
    st.sampled_from([None, "full", "half"]), st.just(()), *[count] * 9, *[st.none()] * 7, st.booleans(), last_change_s=maybe,
    oper=st.sampled_from(["", "up", "down", "unknown"]),
)  # fmt: skip
devices = st.builds(
    DeviceSample,
    st.builds(Identity, word, word, word, word, st.none() | word, st.none() | word),
    maybe,
    maybe,
    maybe,
    st.sampled_from(Restart),
    maybe,
    st.none()
    | st.builds(InterfacesSample, st.lists(ports, max_size=4, unique_by=lambda one: one.name).map(tuple), st.none() | st.floats(1, 1e6)),
    st.none(),
    st.lists(st.builds(ProcessorSample, name, maybe), max_size=3).map(tuple),
    st.lists(
        st.builds(PoolSample, st.sampled_from(["memory", "storage", "nat", "licence", "y"]), name, maybe, maybe, maybe), max_size=4
    ).map(tuple),
    st.lists(sensors, max_size=8).map(tuple),
    st.lists(states, max_size=6).map(tuple),
    st.none()
    | st.builds(
        UpsSample, st.none() | st.sampled_from(["battery", "normal", "?"]), st.none() | st.sampled_from(["low", "?"]), *[maybe] * 4
    ),
    st.none()
    | st.lists(
        st.builds(BgpPeer, name, count, st.sampled_from(["established", "idle", "9"]), st.booleans(), count, count, maybe, count, word),
        max_size=3,
    ).map(tuple),
    st.none() | st.lists(st.builds(OspfNeighbour, name, word, st.sampled_from(["full", "two-way", "init", "9"])), max_size=3).map(tuple),
    st.none() | st.lists(st.builds(Neighbour, word, name, name | word, word, word), max_size=4).map(tuple),
    st.lists(word | st.builds("{}={}:{}".format, name, name, word), max_size=3).map(tuple),
    st.none() | st.lists(st.builds(MacPlace, word, name, count), max_size=3).map(tuple),
    st.lists(st.builds(Anomaly, word, st.sampled_from(["silent", "truncated", "x"]), word, st.integers(0, 99)), max_size=3).map(tuple),
    st.dictionaries(word, word, max_size=3),
)
steadily = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def told(found: Any) -> None:
    """Render the finding in both languages, and hold it to what every finding promises."""
    for language in ("en", "zh"):
        assert not texts(language).say(found.message).startswith(f"{found.message.id} (")
    assert found.value is None or math.isfinite(found.value) or found.state is State.UNKNOWN
    assert found.check in CHECKS or found.check.startswith(("interfaces/", "host/"))
    assert cause_of(found.check, found.message.id) is not None


@steadily
@given(devices, st.none() | devices)
def test_judge_bears_any_device_names_everything_once_and_can_be_told(sample: DeviceSample, before: DeviceSample | None) -> None:
    for found in judged(sample, before).values():
        told(found)


@steadily
@given(st.lists(devices | st.sampled_from([Failure(Kind.TIMEOUT), Failure(Kind.BROKEN)]), min_size=2, max_size=6))
def test_a_life_of_any_looks_is_folded_without_an_error(looks: list[DeviceSample | Failure]) -> None:
    memory, rules = Memory(), Rules(snmp.judge, snmp.Limits())
    for outcome in looks:
        seen = Observation("agent", "core-1", "snmp", AT, 1.0, outcome)
        memory, said = assess(seen, memory, rules)
        for found in said.findings:
            assert not texts("en").say(found.message).startswith(f"{found.message.id} (")


blanked = {
    "clock_offset_s": None,
    "ups": None,
    "bgp_peers": None,
    "ospf_neighbours": None,
    "processors": (),
    "pools": (),
    "states": (),
    "host": None,
}


def only_sensors(sample: DeviceSample, change: dict[str, Any]) -> DeviceSample:
    sensors = tuple(msgspec.structs.replace(one, **change) for one in sample.sensors)
    return msgspec.structs.replace(sample, sensors=sensors, **blanked)


def critical(sample: DeviceSample) -> list[str]:
    return [one.check for one in judged(sample).values() if one.state is CRITICAL and not one.check.startswith("interfaces/")]


@steadily
@given(devices, st.sampled_from([Gap.NO_READING, Gap.NONSENSE]))
def test_a_missing_value_never_makes_a_critical(sample: DeviceSample, gap: Gap) -> None:
    assert critical(only_sensors(sample, {"value": None, "gap": gap})) == []


@steadily
@given(devices, st.sampled_from([*SENTINELS, math.nan, math.inf, -math.inf]))
def test_a_sentinel_never_makes_a_critical(sample: DeviceSample, value: float) -> None:
    assert critical(only_sensors(sample, {"value": value, "gap": Gap.NONE})) == []


@steadily
@given(devices)
def test_no_light_is_critical_only_where_a_port_that_should_be_up_is_down(sample: DeviceSample) -> None:
    dark = only_sensors(sample, {"value": None, "gap": Gap.NO_LIGHT})
    everything_off = None
    if dark.interfaces is not None:
        off = tuple(msgspec.structs.replace(one, admin_up=False) for one in dark.interfaces.interfaces)
        everything_off = msgspec.structs.replace(dark, interfaces=InterfacesSample(off))
        assert critical(everything_off) == []
        up = tuple(msgspec.structs.replace(one, admin_up=True, oper_up=True) for one in dark.interfaces.interfaces)
        assert critical(msgspec.structs.replace(dark, interfaces=InterfacesSample(up))) == []
    assert critical(msgspec.structs.replace(dark, interfaces=None)) == []


@steadily
@given(devices)
def test_an_empty_look_is_never_critical(sample: DeviceSample) -> None:
    bare = msgspec.structs.replace(sample, sensors=(), interfaces=None, **blanked)
    assert critical(bare) == []


@pytest.mark.parametrize("kind", Kind)
def test_every_failure_is_judged_and_ours_is_unknown(kind: Kind) -> None:
    ((found),) = judged(Failure(kind, "x")).values()
    assert (found.state is State.UNKNOWN) is Failure(kind).ours
    told(found)
