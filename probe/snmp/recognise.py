"""What a device is: vendor, model, firmware and serial number."""

import re
from collections.abc import Mapping

from probe.observation.device import Identity
from probe.snmp.mibs.entity import Entity, read_entities
from probe.snmp.talk import Talk
from probe.snmp.values import text
from probe.snmp.vendor import IdentityRules, Vendor, file_of, name_of, read_file

DESCR, OBJECT_ID, NAME, LOCATION = (f"1.3.6.1.2.1.1.{number}.0" for number in (1, 2, 5, 6))  # SNMPv2-MIB
ABSENT = {"", "n/a", "na", "none", "null", "unknown", "unspecified", "not available", "not specified", "default string", "-"}
PARTS = ("model", "firmware", "serial")


async def recognise(talk: Talk) -> Identity:
    """Return what the device tells about itself; a part that it does not tell is None, and an unknown vendor too."""
    system = await talk.get((DESCR, OBJECT_ID, NAME, LOCATION), keep=True)
    object_id = text(system.get(OBJECT_ID)).strip(".")
    description = text(system.get(DESCR))
    file = file_of(object_id, description)
    vendor = read_file(file) if file else None
    told = await _told(talk, vendor.identity) if vendor else {}
    described = _described(vendor, description)
    unit = _unit(await read_entities(talk))
    of_unit = {"model": unit.model or unit.name, "firmware": unit.software or unit.firmware, "serial": unit.serial} if unit else {}
    found: dict[str, str | None] = {}
    trust = vendor.identity.trust if vendor else "entity"
    for part in PARTS:
        # The model on the chassis is exact where sysDescr gives a family; its software revision is often its loader's.
        order = (told, described, of_unit) if part == "firmware" or trust == "description" else (told, of_unit, described)
        found[part] = next((word for source in order if (word := source.get(part, "")).lower() not in ABSENT), None)
    return Identity(
        object_id,
        description,
        text(system.get(NAME)),
        text(system.get(LOCATION)),
        vendor=(vendor.vendor or None) if vendor else name_of(object_id),
        **found,
    )


async def _told(talk: Talk, rules: IdentityRules) -> dict[str, str]:
    """Return what the vendor's own objects tell: the first of each that is not empty."""
    found: dict[str, str] = {}
    wanted = {part: getattr(rules, part) for part in PARTS}
    scalars = [oid for oids in wanted.values() for oid in oids if oid.endswith(".0")]
    values = await talk.get(scalars, keep=True) if scalars else {}
    for part, oids in wanted.items():
        for oid in oids:
            rows = (values.get(oid),) if oid.endswith(".0") else tuple((await talk.walk(oid, keep=True)).values())
            word = next((word for value in rows if (word := text(value)).lower() not in ABSENT), "")
            if word:
                found[part] = word
                break
    return found


def _described(vendor: Vendor | None, description: str) -> dict[str, str]:
    """Return what sysDescr tells by the vendor's patterns; of each part the first that a pattern finds."""
    found: dict[str, str] = {}
    for pattern in vendor.identity.description if vendor else ():
        if match := re.search(pattern, description):
            found = {part: word.strip() for part, word in match.groupdict().items() if word} | found
    return found


def _unit(entities: Mapping[str, Entity]) -> Entity | None:
    """Return the entity that is the device: the chassis or stack with a model or serial number, of several the first."""
    for class_ in ("chassis", "stack", "module"):
        for entity in entities.values():
            if entity.class_ == class_ and (entity.model or entity.serial) and (class_ != "module" or entity.contained_in is None):
                return entity
    return None
