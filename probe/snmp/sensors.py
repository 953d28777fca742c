"""The sensors, states, processors, pools and UPS of a device: by ENTITY-SENSOR and by the tables its vendor file names."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeVar

import msgspec

from probe.observation.device import Identity, PoolSample, ProcessorSample, UpsSample
from probe.observation.sensor import Condition, SensorSample, StateSample
from probe.snmp.columns import Columns, index_by, instance
from probe.snmp.forms import limit, raw_number, readings
from probe.snmp.limits import sane
from probe.snmp.mibs.entity_sensor import read_entity_sensors
from probe.snmp.place import Entities, Place, Ports, counts, told_apart
from probe.snmp.pools import columns_of_pool, columns_of_ups, label_columns, read_pools, read_ups
from probe.snmp.talk import Talk, Value
from probe.snmp.values import number, text
from probe.snmp.vendor import Processor, Row, Sensor, State, Words, file_of, read_file

MOST = 20_000  # rows that one poll gives on; a device with more is a fault of its own
LIMITS = ("low_critical", "low_warning", "high_warning", "high_critical")


class VendorReadings(msgspec.Struct, frozen=True):
    """What was read; names are unique within the kind."""

    sensors: tuple[SensorSample, ...] = ()
    states: tuple[StateSample, ...] = ()
    processors: tuple[ProcessorSample, ...] = ()
    pools: tuple[PoolSample, ...] = ()
    ups: UpsSample | None = None


async def read_vendor(talk: Talk, identity: Identity, ports: Mapping[str, str]) -> VendorReadings:
    """Return the readings of one device; `ports`: ifName by ifIndex (as text).

    What no vendor file tells about is read by the standard's own MIBs. A column that is not there costs one question an hour (see Talk).
    """
    name = file_of(identity.object_id, identity.description)
    vendors = [read_file(found) for found in (name, "standard") if found]
    rules: list[Row] = [rule for vendor in vendors for rule in chain(vendor.sensor, vendor.state, vendor.processor)]
    pools = [pool for vendor in vendors for pool in vendor.pool]
    upses = [vendor.ups for vendor in vendors if vendor.ups]
    columns, known = Columns(talk), Ports(ports)
    await columns.read(chain((rule.oid for rule in rules), *map(columns_of_pool, pools), *map(columns_of_ups, upses)))
    rules = [rule for rule in rules if columns.rows(rule.oid)]
    await columns.read(chain(*map(_steady, rules), *(label_columns(pool, columns) for pool in pools)), keep=True)
    conditions = chain(*(rule.when for rule in rules), *(pool.when for pool in pools))
    await columns.read(oid for when in conditions for oid in (when.oid, when.same, when.differs))
    entities = await Entities.read(talk) if any(rule.port == "entity" or "{entity}" in rule.name for rule in rules) else None
    place = Place(columns, known, entities)
    own = _sensors([rule for rule in rules if isinstance(rule, Sensor)], columns, place)
    words = {name: table for vendor in vendors for name, table in vendor.words.items()}
    states = _states([rule for rule in rules if isinstance(rule, State)], words, columns, place)
    standard = await read_entity_sensors(talk, vendors[0].entity_sensor, known, entities)
    if len(own) + len(standard.sensors) > MOST or len(states) + len(standard.states) > MOST:
        talk.odd("sensors", "too-long", f"{len(own) + len(standard.sensors)} sensors, {len(states)} states")
    return VendorReadings(
        merged(own, standard.sensors)[:MOST],
        merged(states, standard.states)[:MOST],
        told_apart(_processors([rule for rule in rules if isinstance(rule, Processor)], columns, place))[:MOST],
        told_apart(read_pools(pools, columns, place))[:MOST],
        next((found for ups in upses if (found := read_ups(ups, columns)) is not None), None),
    )


def _steady(rule: Row) -> Iterator[str]:
    """Yield the columns of a rule that hardly ever change: names and limits."""
    yield from rule.labels.values()
    if isinstance(rule, Sensor):
        yield from (getattr(rule, name) for name in LIMITS)


def _rows(rule: Row, columns: Columns, place: Place) -> Iterator[tuple[str, Value, str, str]]:
    """Yield index, value, port and name of the rows that a rule is about."""
    for index, value in columns.rows(rule.oid).items():
        if counts(rule.when, columns, rule.oid, index):
            port = place.port(rule, index)
            name = place.name(rule.name, rule.labels, index, port)
            yield index, value, port or (place.ports.named(name) if rule.port == "name" else ""), name


def _sensors(rules: Sequence[Sensor], columns: Columns, place: Place) -> list[SensorSample]:
    found = []
    for rule in rules:
        for index, value, port, name in _rows(rule, columns, place):
            part = number(index_by(index, str(rule.lane))) if rule.lane is not None else None
            for lane, (reading, gap) in readings(rule, value):
                limits = [limit(rule, columns.value(column, index), lane) if (column := getattr(rule, which)) else None for which in LIMITS]
                full = name if lane is None else f"{name} {lane}"
                place_in_module = part if lane is None else lane
                found.append(SensorSample(rule.kind, full, instance(rule.oid, index), reading, gap, port, place_in_module, *sane(limits)))
    return found


def _states(rules: Sequence[State], sets: Mapping[str, Words], columns: Columns, place: Place) -> list[StateSample]:
    found = []
    for rule in rules:
        words = sets[rule.words] if isinstance(rule.words, str) else rule.words
        for index, value, port, name in _rows(rule, columns, place):
            told = raw_number(value)
            if rule.texts:
                told = next((number for word, number in rule.texts.items() if word.lower() == text(value).lower()), told)
            if told is None:
                continue  # a state that says nothing is no state
            raw = int(told)
            word, condition = words.get(str(raw), (str(raw), Condition.UNKNOWN))
            found.append(StateSample(rule.kind, name, instance(rule.oid, index), raw, word, condition, port))
    return found


def _processors(rules: Sequence[Processor], columns: Columns, place: Place) -> Iterator[ProcessorSample]:
    for rule in rules:
        for index, value, _, name in _rows(rule, columns, place):
            if rule.pattern:
                match = re.search(rule.pattern, text(value))
                told = raw_number(match[1]) if match else None
            else:
                told = raw_number(value)
            busy = None if told is None or told in rule.none else told * rule.scale
            yield ProcessorSample(name, busy if busy is not None and 0 <= busy <= 1 else None, instance(rule.oid, index))


Sample = TypeVar("Sample", bound=SensorSample | StateSample)


def merged(first: Sequence[Sample], second: Sequence[Sample]) -> tuple[Sample, ...]:
    """Return both, without what is read twice from the same OID; names are made unique within each kind."""
    taken = {sample.oid for sample in first}
    once: dict[tuple[str, str, str], Sample] = {}  # two rules may give the same value one name
    for sample in (*first, *(sample for sample in second if sample.oid not in taken)):
        once.setdefault((sample.kind, sample.name, sample.oid), sample)
    return told_apart(once.values(), lambda sample: (sample.kind, sample.name))
