"""How a raw value of a MIB becomes a number in the unit of its kind: a closed set of named forms, sentinels, and what can't be."""

import math
import re
from collections.abc import Iterator

from probe.observation.sensor import Gap
from probe.snmp.talk import Value
from probe.snmp.values import text
from probe.snmp.vendor import Form, Sensor

LEADING = re.compile(r"^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3}(?!\d))?")
DARK_WORDS = re.compile(r"^-?\s*inf", re.IGNORECASE)
SILENT = {"", "N/A", "NA", "NULL", "NONE", "INVALID", "OOR", "UNKNOWN", "NOT SUPPORTED"}  # OOR: out of range
LANES = 16  # an 800G module has 8; what a device says beyond that is cut

# What a reading can be at all; outside it is nonsense. Our choice, generous: no telecom equipment works beyond these.
POSSIBLE = {
    "temperature_c": (-80.0, 250.0),
    "fan_rpm": (0.0, 60_000.0),
    "fan_ratio": (0.0, 1.5),
    "humidity_ratio": (0.0, 1.0),
    "rx_dbm": (-100.0, 40.0),
    "tx_dbm": (-100.0, 40.0),
    "dbm": (-150.0, 100.0),
    "bias_ma": (-10.0, 5_000.0),
    "voltage_v": (-100_000.0, 1_000_000.0),
    "current_a": (-100_000.0, 100_000.0),
    "power_w": (-1e7, 1e7),
    "frequency_hz": (0.0, 1e15),
}
OPTICAL = ("rx_dbm", "tx_dbm", "dbm")

Reading = tuple[float | None, Gap]


def raw_number(raw: Value | None) -> float | None:
    """Return the number that a value is, or that its text begins with ("-13.2 dBm"); None for none, infinities too."""
    if raw is None:
        return None
    if isinstance(raw, (int, float)):
        return float(raw) if abs(raw) < math.inf else None
    found = LEADING.match(text(raw).replace(" ", "", 1) if text(raw)[:2] in ("- ", "+ ") else text(raw))
    number = float(found[0]) if found else math.nan
    return number if math.isfinite(number) else None


def decibels(milliwatts: float) -> Reading:
    """Return a power in dBm; nothing arrives where there is no power, and a negative one can't be."""
    if milliwatts > 0:
        return round(10 * math.log10(milliwatts), 4), Gap.NONE
    return None, Gap.NO_LIGHT if milliwatts == 0 else Gap.NONSENSE


def scaled(raw: float, form: Form, scale: float, offset: float = 0) -> Reading:
    """Return one raw number in its unit, or why it has none."""
    if form == "log":
        return decibels((raw + offset) * scale)
    if form == "huawei":  # HUAWEI-ENTITY-EXTENT-MIB hwEntityOpticalRxPower: µW, in later firmware dBm · 100
        return decibels(raw / 1000) if raw > 0 else (raw / 100, Gap.NONE)
    value = (raw + offset) * scale
    return (round(value, 9), Gap.NONE) if math.isfinite(value) else (None, Gap.NONSENSE)


def possible(kind: str, reading: Reading) -> Reading:
    """Return a reading as it is, or as nonsense if no such thing can measure it."""
    value, _ = reading
    least, most = POSSIBLE.get(kind, (-math.inf, math.inf))
    return reading if value is None or least <= value <= most else (None, Gap.NONSENSE)


def readings(rule: Sensor, raw: Value) -> Iterator[tuple[int | None, Reading]]:
    """Yield lane and reading of one value of a column; the lane is None where the value is for the whole module."""
    if rule.form == "lanes":
        parts = [part for part in text(raw).split(",") if part.strip()][:LANES]
        for lane, part in enumerate(parts, 1):
            yield (lane if len(parts) > 1 else None), one(rule, part.strip())
        if not parts:
            yield None, (None, Gap.NO_READING)
    else:
        yield None, one(rule, raw)


def one(rule: Sensor, raw: Value) -> Reading:
    """Return one reading by a vendor's rule."""
    number = raw_number(raw)
    if number is None:
        words = text(raw)
        if rule.kind in OPTICAL and (raw == -math.inf or DARK_WORDS.match(words)):
            return None, Gap.NO_LIGHT
        return None, Gap.NO_READING if words.strip(" -").upper() in SILENT else Gap.NONSENSE
    if number in rule.dark:
        return None, Gap.NO_LIGHT
    if number in rule.none:
        return None, Gap.NO_READING
    value, gap = possible(rule.kind, scaled(number, rule.form, rule.scale, rule.offset))
    if value is not None and rule.dark_below is not None and value < rule.dark_below:
        return None, Gap.NO_LIGHT
    return value, gap


def limit(rule: Sensor, raw: Value | None, lane: int | None) -> float | None:
    """Return one of the device's own limits in the unit of the reading; None where it gives none, or one that can't be."""
    form = rule.limit_form or rule.form
    if form == "lanes":
        parts = text(raw).split(",") if raw is not None else []
        raw = parts[min((lane or 1), len(parts)) - 1] if parts else None
    number = raw_number(raw)
    if number is None or number in rule.limit_none or number in rule.none or number in rule.dark:
        return None
    scale = rule.scale if rule.limit_scale is None else rule.limit_scale
    return possible(rule.kind, scaled(number, form, scale, rule.offset))[0]
