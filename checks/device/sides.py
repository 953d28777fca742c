"""A sensor's limits as levels: its own low and high ones, and which side of them its value is on."""

from functools import lru_cache
from math import isfinite
from typing import NamedTuple

import msgspec

from checks.finding import Levels, State
from probe.observation.sensor import SensorSample

MOST_KEPT = 8192  # sets of limits whose levels are kept: those of one device do not change from look to look

Own = tuple[float | None, float | None, float | None, float | None]

_UNIT = {
    "temperature_c": "°C",
    "fan_rpm": "rpm",
    "voltage_v": "V",
    "current_a": "A",
    "power_w": "W",
    "frequency_hz": "Hz",
    "rx_dbm": "dBm",
    "tx_dbm": "dBm",
    "dbm": "dBm",
    "bias_ma": "mA",
}
# What can be at all; beyond it a value is a sentinel that nobody knew, and no reading.
_POSSIBLE = {
    "°C": (-100.0, 250.0),
    "rpm": (0.0, 200_000.0),
    "dBm": (-100.0, 60.0),
    "mA": (0.0, 10_000.0),
    "ratio": (0.0, 2.0),
    "V": (-2_000.0, 2_000.0),
    "A": (-10_000.0, 10_000.0),
    "W": (-1e7, 1e7),
}
# What an integer of 32 or 16 bits says that has nothing to say, scaled.
_LARGEST = {3: (2**31 - 1, -(2**31) + 1, -(2**31), 2**32 - 1), 2: (2**15 - 1, -(2**15) + 1, -(2**15), 2**16 - 1)}
_SENTINELS = frozenset(round(one / 10**places, 3) for most, numbers in _LARGEST.items() for one in numbers for places in range(most + 1))
_NEVER = 1e12  # a state word or a counter in a sensor's place
_MARGIN = {"dBm": 0.5, "°C": 2.0, "mA": 1.0}  # in the unit, where a share of the limit would be none near 0
_MARGIN_SHARE = 0.01


class Sides(NamedTuple):
    """What is too low and what is too high; a side that nobody limits has levels without numbers."""

    low: Levels
    high: Levels

    def of(self, value: float, low_first: bool) -> Levels:
        """Return the levels that speak of this value: the side that is bad, or nearly so, else the one asked for first."""
        first, second = (self.low, self.high) if low_first else (self.high, self.low)
        if first.judge(value) is State.OK and (second.judge(value) is not State.OK or second.holds(value, State.WARNING)):
            return second
        return first


def finite(value: float | None) -> float | None:
    """Return the value if it is a number at all."""
    return value if value is not None and isfinite(value) else None


def unit_of(kind: str) -> str:
    """Return the unit of a kind of sensor, as its levels have it."""
    return _UNIT.get(kind) or kind.rpartition("_")[2] or kind


def reading(sensor: SensorSample) -> float | None:
    """Return the sensor's value; None when it has none, or one that can't be."""
    value = sensor.value
    if value is None or not isfinite(value) or abs(value) >= _NEVER or round(value, 3) in _SENTINELS:
        return None
    low, high = _POSSIBLE.get(unit_of(sensor.kind), (-_NEVER, _NEVER))
    return value if low <= value <= high else None


def tells_high(sensor: SensorSample) -> bool:
    """Tell whether the sensor limits its high side itself: then it needs no baseline, of which the store keeps a stated number."""
    return sensor.high_warning is not None or sensor.high_critical is not None


def sides(sensor: SensorSample, low: Levels | None = None, high: Levels | None = None) -> Sides:
    """Return the levels of a sensor: its own limits where it gives them, else the stated ones of that side, else none."""
    own = (sensor.low_warning, sensor.low_critical, sensor.high_warning, sensor.high_critical)
    return _sides(own, unit_of(sensor.kind), bool(sensor.port), (sensor.value or 0) > 0, low, high)


@lru_cache(maxsize=MOST_KEPT)
def _sides(own: Own, unit: str, module: bool, positive: bool, low: Levels | None, high: Levels | None) -> Sides:
    source = "the module's own limits" if module else "the device's own limits"
    low_warning, low_critical, high_warning, high_critical = _sane(own, unit, positive)
    below = _levels(low_warning, low_critical, unit, source, low=True)
    above = _levels(high_warning, high_critical, unit, source, low=False)
    nobody = "nobody states a limit"
    return Sides(
        below or low or Levels(None, None, unit, nobody, low=True),
        above or high or Levels(None, None, unit, nobody),
    )


def _levels(warning: float | None, critical: float | None, unit: str, source: str, *, low: bool) -> Levels | None:
    """Return levels with a margin in the unit; None without any limit."""
    largest = max((abs(limit) for limit in (warning, critical) if limit is not None), default=None)
    if largest is None:
        return None
    margin = min(0.2, _MARGIN[unit] / largest) if unit in _MARGIN and largest > 0 else _MARGIN_SHARE
    return Levels(warning, critical, unit, source, low=low, margin=margin)


def _sane(own: Own, unit: str, positive: bool) -> Own:
    """Return low warning, low critical, high warning and high critical as far as they can be meant.

    Modules fill what they don't know with zeros, equal numbers or numbers in no order. Of a side that is out of order only the limit
    farther out is taken; where low is not below high neither is. `positive` tells that the value is, so that no sound high limit is 0.
    """
    low_warning, low_critical, high_warning, high_critical = (_number(limit) for limit in own)
    if unit in ("°C", "rpm", "mA") or (unit in ("V", "A", "W", "Hz") and positive):
        high_warning, high_critical = (None if limit is not None and limit <= 0 else limit for limit in (high_warning, high_critical))
    if unit in ("rpm", "mA", "ratio"):
        low_warning, low_critical = (None if limit is not None and limit <= 0 else limit for limit in (low_warning, low_critical))
    if low_warning is not None and low_critical is not None and low_warning < low_critical:
        low_warning, low_critical = None, low_warning
    if high_warning is not None and high_critical is not None and high_warning > high_critical:
        high_warning, high_critical = None, high_warning
    lowest_high = min((limit for limit in (high_warning, high_critical) if limit is not None), default=None)
    highest_low = max((limit for limit in (low_warning, low_critical) if limit is not None), default=None)
    if lowest_high is not None and highest_low is not None and highest_low >= lowest_high:
        return None, None, None, None
    return low_warning, low_critical, high_warning, high_critical


def _number(limit: float | None) -> float | None:
    return limit if limit is not None and isfinite(limit) and abs(limit) < _NEVER else None


def steady(levels: Levels) -> Levels:
    """Return levels that warn only, for a reading that something else says is good."""
    return msgspec.structs.replace(levels, warning=None, critical=None)
