"""ENTITY-MIB (RFC 6933): what a device is made of, and which of it is a port."""

from collections.abc import Mapping

import msgspec

from probe.snmp.talk import Talk
from probe.snmp.values import last, number, text

TABLE = "1.3.6.1.2.1.47.1.1.1.1"
DESCR, CONTAINED_IN, CLASS, NAME = f"{TABLE}.2", f"{TABLE}.4", f"{TABLE}.5", f"{TABLE}.7"
FIRMWARE, SOFTWARE, SERIAL, MODEL = f"{TABLE}.9", f"{TABLE}.10", f"{TABLE}.11", f"{TABLE}.13"
ALIAS = "1.3.6.1.2.1.47.1.3.2.1.2"  # entAliasMappingIdentifier
IF_INDEX = "1.3.6.1.2.1.2.2.1.1"

CLASSES = {
    1: "other", 2: "unknown", 3: "chassis", 4: "backplane", 5: "container", 6: "powerSupply", 7: "fan", 8: "sensor", 9: "module",
    10: "port", 11: "stack", 12: "cpu", 13: "energyObject", 14: "battery", 15: "storageDrive",
}  # fmt: skip  # PhysicalClass, IANA-ENTITY-MIB

DEEPEST = 16  # containment deeper than this is a circle


class Entity(msgspec.Struct, frozen=True, gc=False):
    """One row of entPhysicalTable; texts are "" and `contained_in` None where it does not tell. `class_` is PhysicalClass's word."""

    name: str
    descr: str
    class_: str
    contained_in: str | None
    model: str = ""
    serial: str = ""
    firmware: str = ""
    software: str = ""


async def read_entities(talk: Talk) -> Mapping[str, Entity]:
    """Return the physical entities by index; empty where there is no ENTITY-MIB. `name` falls back to the description."""
    descr, inside, class_, name, firmware, software, serial, model = await talk.walk_all(
        (DESCR, CONTAINED_IN, CLASS, NAME, FIRMWARE, SOFTWARE, SERIAL, MODEL), keep=True
    )
    found = {}
    for index in {**descr, **name, **class_}:
        if not index.isdigit():
            talk.odd("entPhysicalTable", "not-a-number", index)
            continue
        parent = number(inside.get(index))
        words = text(descr.get(index))
        found[index] = Entity(
            text(name.get(index)) or words,
            words,
            CLASSES.get(number(class_.get(index)) or 2, "unknown"),
            str(parent) if parent and parent > 0 else None,
            text(model.get(index)),
            text(serial.get(index)),
            text(firmware.get(index)),
            text(software.get(index)),
        )
    return found


async def read_ports_of_entities(talk: Talk) -> Mapping[str, str]:
    """Return ifIndex by entity index (entAliasMappingTable), both as text; of an entity with several interfaces the first."""
    found: dict[str, str] = {}
    for index, pointer in (await talk.walk(ALIAS, keep=True)).items():
        port = last(pointer, IF_INDEX)
        if port is not None:
            found.setdefault(index.partition(".")[0], str(port))
    return found


def ports_below(entities: Mapping[str, Entity], ports: Mapping[str, str]) -> dict[str, str]:
    """Return entity → ifIndex for the entities that hold exactly one port: the cage or module around it."""
    inside: dict[str, set[str]] = {}
    for index, port in ports.items():
        entity = entities.get(index)
        if entity is not None and entity.contained_in is not None:
            inside.setdefault(entity.contained_in, set()).add(port)
    return {index: next(iter(held)) for index, held in inside.items() if len(held) == 1}


def port_of(index: str, entities: Mapping[str, Entity], ports: Mapping[str, str], below: Mapping[str, str]) -> str | None:
    """Return the ifIndex of the port that an entity (a sensor, a transceiver) belongs to; None where containment leads to none.

    A port holds its module in some devices, in others the module holds the port and the sensors stand beside it (`ports_below`).
    """
    here: str | None = index
    for _ in range(DEEPEST):
        if here is None:
            return None
        if (port := ports.get(here)) is not None:
            return port
        entity = entities.get(here)
        if entity is None or entity.class_ in ("chassis", "stack", "backplane"):
            return None
        if entity.class_ in ("module", "container", "other") and here in below:
            return below[here]
        here = entity.contained_in
    return None
