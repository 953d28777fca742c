"""One reading of a sensor, and one of a state, as a device tells them."""

from enum import StrEnum

import msgspec


class Gap(StrEnum):
    """Why a sensor has no value."""

    NONE = "none"  # it has one
    NO_LIGHT = "no-light"  # the receiver says that nothing arrives (a sentinel, or -inf)
    NO_READING = "no-reading"  # the sensor is there and tells nothing (a sentinel, status unavailable)
    NONSENSE = "nonsense"  # what it tells can't be (−273 °C, text where a number belongs)


class SensorSample(msgspec.Struct, frozen=True, gc=False):
    """One sensor: `kind` carries the unit of `value` and of the limits.

    kind: temperature_c, fan_rpm, fan_ratio, voltage_v, current_a, power_w, frequency_hz, humidity_ratio; of an optical module rx_dbm,
      tx_dbm, bias_ma; `dbm` is a power level that is neither end of a module (an amplifier, a radio). Others in the same manner: NAME_UNIT.
    name: as the device calls it; unique within the kind. oid: the instance that was read (numeric, no leading dot), so that every
      judgement can name the reading behind it. value: None where `gap` says why.
    port: the interface (ifName) it belongs to, "" where that is not known; lane: of a module with several.
    low_critical … high_critical: the device's or the module's own limits, None where it gives none.
    """

    kind: str
    name: str
    oid: str
    value: float | None
    gap: Gap = Gap.NONE
    port: str = ""
    lane: int | None = None
    low_critical: float | None = None
    low_warning: float | None = None
    high_warning: float | None = None
    high_critical: float | None = None


class Condition(StrEnum):
    """What a state word of a MIB means."""

    GOOD = "good"
    DEGRADED = "degraded"  # works, and something is wrong
    FAILED = "failed"
    ABSENT = "absent"  # nothing is plugged in
    OFF = "off"  # switched off on purpose
    UNKNOWN = "unknown"  # the device says that it does not know, or a number that its MIB does not have
    PLAIN = "plain"  # a fact that is neither good nor bad (on hook, master, mode)


class StateSample(msgspec.Struct, frozen=True, gc=False):
    """One state: `kind` says of what ("fan", "power_supply", "temperature", "voltage", "battery", "module", "optics", "stack",
    "redundancy", "alarm", "registration", "tunnel", "other"), `word` is the MIB's own word for `raw`."""

    kind: str
    name: str
    oid: str
    raw: int
    word: str
    condition: Condition
    port: str = ""
