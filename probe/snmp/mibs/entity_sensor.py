"""ENTITY-SENSOR-MIB (RFC 3433) and its two elder and younger brothers: CISCO-ENTITY-SENSOR-MIB, ARISTA-ENTITY-SENSOR-MIB's limits."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from probe.observation.sensor import Condition, Gap, SensorSample, StateSample
from probe.snmp.forms import decibels, possible, raw_number
from probe.snmp.limits import sane
from probe.snmp.place import Entities, Ports
from probe.snmp.talk import Talk, Value
from probe.snmp.values import number, text

STANDARD = "1.3.6.1.2.1.99.1.1.1"  # entPhySensorEntry: type .1, scale .2, precision .3, value .4, operStatus .5, unitsDisplay .6
CISCO = "1.3.6.1.4.1.9.9.91.1.1.1.1"  # entSensorValueEntry: type .1, scale .2, precision .3, value .4, status .5
CISCO_LIMITS = "1.3.6.1.4.1.9.9.91.1.2.1.1"  # entSensorThresholdEntry: severity .2, relation .3, value .4; index entity.number
ARISTA_LIMITS = "1.3.6.1.4.1.30065.3.12.1.1.1"  # aristaEntSensorThresholdLowWarning .1, LowCritical .2, HighWarning .3, HighCritical .4

Family = Literal["standard", "cisco", "arista", "none"]

UNITS, MOST_PLACES = 9, 9  # EntitySensorDataScale units(9), the largest EntitySensorPrecision
NO_MODULE = -32768  # what IOS XR tells of a module that measures nothing, whatever the unit
TRUTH, OUT_OF_RANGE = 12, 1_000_000_000  # EntitySensorDataType truthvalue; RFC 3433: ±10⁹ stands for overflow and underflow
UNIT = {
    3: "voltage_v",
    4: "voltage_v",
    5: "current_a",
    6: "power_w",
    7: "frequency_hz",
    8: "temperature_c",
    9: "humidity_ratio",
    10: "fan_rpm",
    11: "airflow_cmm",
    14: "dbm",  # CISCO-ENTITY-SENSOR-MIB alone
}  # EntitySensorDataType
OF_UNITS = {
    "dbm": 14,
    "ma": 5,
    "a": 5,
    "v": 4,
    "w": 6,
    "rpm": 10,
    "c": 8,
    "celsius": 8,
    "degrees c": 8,
    "°c": 8,
}  # types "other" and "unknown"
EXPONENT = {1: -24, 2: -21, 3: -18, 4: -15, 5: -12, 6: -9, 7: -6, 8: -3, 9: 0, 10: 3, 11: 6, 12: 9, 13: 12, 14: 18, 15: 15, 16: 21, 17: 24}

RECEIVE = re.compile(r"\b(rx|receive[ds]?|receiver|input optical|optical input)\b|RxPower|rx[_-]?power|Rx_Power", re.IGNORECASE)
TRANSMIT = re.compile(
    r"\b(tx|transmit(ted|ter)?|output optical|optical output|laser output)\b|TxPower|tx[_-]?power|Tx_Power", re.IGNORECASE
)
BIAS = re.compile(r"bias|laser current|tx current", re.IGNORECASE)
LANE = re.compile(r"\b(?:lane|channel)[ #]?(\d{1,2})\b", re.IGNORECASE)


class Readings(msgspec.Struct, frozen=True):
    """What the sensor tables gave."""

    sensors: tuple[SensorSample, ...] = ()
    states: tuple[StateSample, ...] = ()


class Row(msgspec.Struct, frozen=True, gc=False):
    """One sensor as its MIB gives it: numbers, None where the row lacks them."""

    type: int | None
    scale: int | None
    precision: int | None
    value: Value | None
    status: int | None
    units: str = ""


Limits = Mapping[str, Sequence[float | None]]  # entity → low critical, low warning, high warning, high critical, raw


async def read_entity_sensors(talk: Talk, family: Family, ports: Ports, entities: Entities | None) -> Readings:
    """Return the sensors of a device's entities; `entities` if the ENTITY-MIB was read already."""
    if family == "none":
        return Readings()
    tables = [(STANDARD, await _rows(talk, STANDARD, units=True))]
    if family == "cisco":
        tables.insert(0, (CISCO, await _rows(talk, CISCO, units=False)))
    if not any(rows for _, rows in tables):
        return Readings()
    entities = entities or await Entities.read(talk)
    limits: Limits = {}
    if family == "cisco":
        limits = await _cisco_limits(talk)
    elif family == "arista":
        limits = await _arista_limits(talk)
    sensors: dict[str, SensorSample] = {}
    states: dict[str, StateSample] = {}
    shared = Counter(entities.name(index) for _, rows in tables for index in rows)
    for table, rows in tables:
        for index, row in rows.items():
            if index in sensors or index in states:
                continue
            name = entities.name(index) or index
            if shared[name] > 1 and (holder := entities.holder(index)) and holder not in name:
                name = f"{holder} {name}"
            port = entities.port(index, ports)
            oid = f"{table}.4.{index}"
            if row.type == TRUTH:
                raw = number(row.value)
                if raw is not None:
                    states[index] = StateSample("other", name, oid, raw, {1: "true", 2: "false"}.get(raw, str(raw)), Condition.PLAIN, port)
            elif row.type is not None or row.value is not None:
                sensors[index] = _sensor(
                    name, entities.rows[index].descr if index in entities.rows else "", oid, row, port, limits.get(index, ())
                )
    return Readings(tuple(lasers_off(list(sensors.values()))), tuple(states.values()))


async def _rows(talk: Talk, table: str, units: bool) -> Mapping[str, Row]:
    """Return a sensor table by entity index."""
    value, status = await talk.walk_all((f"{table}.4", f"{table}.5"))
    if not value:
        return {}
    columns = await talk.walk_all((f"{table}.1", f"{table}.2", f"{table}.3", *([f"{table}.6"] if units else [])), keep=True)
    type_, scale, precision = columns[:3]
    shown = columns[3] if units else {}
    return {
        index: Row(
            number(type_.get(index)),
            number(scale.get(index)),
            number(precision.get(index)),
            raw,
            number(status.get(index)),
            text(shown.get(index)),
        )
        for index, raw in value.items()
    }


def factor(row: Row) -> float | None:
    """Return what a value and its limits are multiplied by: 10^(scale − precision); a negative precision counts accurate digits only.

    None for a scale that RFC 3433 does not have, or a precision beyond its −8 … 9: then nobody knows where the point is. 0 is no scale.
    """
    exponent, precision = EXPONENT.get(row.scale or UNITS), row.precision or 0
    return 10.0 ** (exponent - max(precision, 0)) if exponent is not None and -8 <= precision <= MOST_PLACES else None


def kind_of(row: Row, name: str) -> tuple[str, bool]:
    """Return the kind of a sensor by its type and, where that is not enough, by what it is called; and whether watts are to become dBm."""
    type_ = row.type if row.type not in (None, 1, 2) else OF_UNITS.get(row.units.strip().lower())
    kind = UNIT.get(type_ or 0, "other")
    if kind in ("dbm", "power_w"):
        end = "rx_dbm" if RECEIVE.search(name) else "tx_dbm" if TRANSMIT.search(name) else ""
        return (end, kind == "power_w") if end else (kind, False)
    if kind == "current_a" and BIAS.search(name):
        return "bias_ma", False
    return kind, False


def _sensor(name: str, descr: str, oid: str, row: Row, port: str, limits: Sequence[float | None]) -> SensorSample:
    kind, watts = kind_of(row, f"{name} {descr}")
    scaled_by = factor(row)
    unit = (scaled_by or 0.0) * {"bias_ma": 1000.0, "humidity_ratio": 0.01}.get(kind, 1.0)
    raw = raw_number(row.value)
    if row.status in (2, 3):
        value, gap = None, Gap.NO_READING  # unavailable, nonoperational
    elif raw is None:
        value, gap = None, Gap.NO_READING if not text(row.value) else Gap.NONSENSE
    elif raw == NO_MODULE:
        value, gap = None, Gap.NO_READING
    elif abs(raw) >= OUT_OF_RANGE:
        value, gap = None, Gap.NO_LIGHT if watts or (kind.endswith("dbm") and raw < 0) else Gap.NO_READING
    elif scaled_by is None:
        value, gap = None, Gap.NONSENSE
    elif watts:
        value, gap = possible(kind, decibels(raw * unit * 1000))
    else:
        value, gap = possible(kind, (round(raw * unit, 9), Gap.NONE))
    own = [_limit(kind, watts, raw_limit, unit) for raw_limit in limits] if limits and scaled_by is not None else [None] * 4
    lane = LANE.search(name)
    return SensorSample(kind, name, oid, value, gap, port, int(lane[1]) if lane else None, *sane(own))


def lasers_off(sensors: Sequence[SensorSample]) -> Sequence[SensorSample]:
    """Return the sensors, those of a module whose laser is off without the numbers that NX-OS puts there.

    It tells 0 mA and, for both powers, 0: that is 1 mW, which no laser sends without current. A laser that broke has its powers in dBm.
    """
    nought = {(sample.kind, sample.port, sample.lane) for sample in sensors if sample.value == 0 and sample.port}
    off = {(port, lane) for kind, port, lane in nought if kind == "tx_dbm" and ("bias_ma", port, lane) in nought}
    return [
        msgspec.structs.replace(sample, value=None, gap=Gap.NO_LIGHT if sample.kind == "tx_dbm" else Gap.NO_READING)
        if (sample.port, sample.lane) in off and sample.kind in ("tx_dbm", "rx_dbm", "bias_ma") and sample.value == 0
        else sample
        for sample in sensors
    ]


def _limit(kind: str, watts: bool, raw: float | None, unit: float) -> float | None:
    if raw is None or abs(raw) >= OUT_OF_RANGE:
        return None
    return possible(kind, decibels(raw * unit * 1000) if watts else (round(raw * unit, 9), Gap.NONE))[0]


async def _cisco_limits(talk: Talk) -> Limits:
    """Return the limits of CISCO-ENTITY-SENSOR-MIB: of each side the highest severity is critical, a lower one a warning.

    A side with one severity alone is critical if that is major (20) or critical (30); else (minor 10, other 1) a warning.
    """
    severity, relation, value = await talk.walk_all([f"{CISCO_LIMITS}.{column}" for column in (2, 3, 4)], keep=True)
    found: dict[str, dict[tuple[bool, int], float]] = {}
    for index, raw in value.items():
        weight, side, limit = number(severity.get(index)), number(relation.get(index)), raw_number(raw)
        if weight is None or limit is None or limit == NO_MODULE or side not in (1, 2, 3, 4):
            continue
        low = side in (1, 2)
        held = found.setdefault(index.partition(".")[0], {})
        before = held.get((low, weight))
        held[low, weight] = limit if before is None else max(before, limit) if low else min(before, limit)
    return {entity: (*_side(held, low=True), *reversed(_side(held, low=False))) for entity, held in found.items()}


def _side(held: Mapping[tuple[bool, int], float], low: bool) -> tuple[float | None, float | None]:
    """Return critical and warning limit of one side."""
    weights = sorted(weight for is_low, weight in held if is_low == low)
    if not weights:
        return None, None
    if len(weights) > 1:
        return held[low, weights[-1]], held[low, weights[0]]
    return (held[low, weights[0]], None) if weights[0] >= 20 else (None, held[low, weights[0]])


async def _arista_limits(talk: Talk) -> Limits:
    low_warning, low_critical, high_warning, high_critical = await talk.walk_all(
        [f"{ARISTA_LIMITS}.{column}" for column in (1, 2, 3, 4)], keep=True
    )
    order = (low_critical, low_warning, high_warning, high_critical)
    return {index: [raw_number(column.get(index)) for column in order] for index in {key for column in order for key in column}}
