"""How a row of a device's tables is called, and to which interface it belongs."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import TypeVar

import msgspec

from probe.observation.device import PoolSample, ProcessorSample
from probe.observation.sensor import SensorSample, StateSample
from probe.snmp.columns import Columns, index_by
from probe.snmp.forms import raw_number
from probe.snmp.mibs.entity import DEEPEST, Entity, port_of, ports_below, read_entities, read_ports_of_entities
from probe.snmp.talk import Talk
from probe.snmp.values import text
from probe.snmp.vendor import Row, When

PLACEHOLDER = re.compile(r"\{(-?\w+)\}")
INTERFACE = re.compile(r"^([A-Za-z][A-Za-z-]*?)\s?(\d[\d/.:]*)(?![\w/])")


def short(name: str) -> str | None:
    """Return an interface name in a form in which "GigabitEthernet1/0/1", "Gi1/0/1" and "Gi 1/0/1" are one; None for no such name."""
    found = INTERFACE.match(name)
    return f"{found[1][:2].lower()}{found[2].rstrip(':.')}" if found else None


class Entities:
    """The ENTITY-MIB of a device, when something asks for it: names, and the port that an entity belongs to."""

    def __init__(self, entities: Mapping[str, Entity], ports: Mapping[str, str]) -> None:
        self.rows = entities
        self._ports = ports
        self._below = ports_below(entities, ports)

    @classmethod
    async def read(cls, talk: Talk) -> "Entities":
        """Read the tables; empty ones where the device has none."""
        return cls(await read_entities(talk), await read_ports_of_entities(talk))

    def name(self, index: str) -> str:
        """Return what an entity is called; "" for an unknown one."""
        entity = self.rows.get(index)
        return entity.name if entity else ""

    def port(self, index: str, known: "Ports") -> str:
        """Return the ifName that an entity leads to: by its own alias, by its name, by what holds it; "" where none does."""
        for held_by in self._up_to_the_port(index):
            found = known.names.get(self._ports.get(held_by, "")) or known.mentioned(self.name(held_by))
            if found:
                return found
            if held_by in self.rows and self.rows[held_by].class_ == "port":
                return ""  # a port that the agent shows no interface for: what holds it holds others too
        return known.names.get(port_of(index, self.rows, self._ports, self._below) or "", "")

    def _up_to_the_port(self, index: str) -> Iterator[str]:
        """Yield an entity and what holds it, up to the first that is a port; only the entity where none is."""
        chain, here = [index], index
        for _ in range(DEEPEST):
            entity = self.rows.get(here)
            if entity is None or entity.class_ == "port" or entity.contained_in is None:
                break
            chain.append(here := entity.contained_in)
        last = self.rows.get(chain[-1])
        yield from chain if last is not None and last.class_ == "port" else chain[:1]

    def holder(self, index: str) -> str:
        """Return what the entity that holds this one is called; "" where nothing does."""
        entity = self.rows.get(index)
        return self.name(entity.contained_in) if entity and entity.contained_in else ""


class Ports:
    """The interfaces of a device: ifName by ifIndex, and by what other tables call them."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names
        self._by_name = {name.lower(): name for name in names.values()}
        self._by_short: dict[str, str | None] = {}
        for name in names.values():
            key = short(name)
            if key is not None:
                self._by_short[key] = None if key in self._by_short and self._by_short[key] != name else name

    def named(self, words: str) -> str:
        """Return the interface that a text is, or begins with; "" for none."""
        if not words:
            return ""
        if words in self.names:
            return self.names[words]
        shorter = words.lower()
        while shorter:
            if shorter in self._by_name:
                return self._by_name[shorter]
            shorter = shorter.rpartition(" ")[0]
        key = short(words)
        return (self._by_short.get(key) or "") if key else ""

    def mentioned(self, words: str) -> str:
        """Return the interface whose name stands somewhere in a text as a word of its own; "" for none."""
        if found := self.named(words):
            return found
        parts = words.replace(",", " ").split()
        return next((self._by_name[part.lower()] for part in parts if part.lower() in self._by_name and not part.isdigit()), "")


class Place:
    """Names and ports of the rows of one device's vendor tables."""

    def __init__(self, columns: Columns, ports: Ports, entities: Entities | None) -> None:
        self._columns, self.ports, self._entities = columns, ports, entities

    def port(self, rule: Row, index: str) -> str:
        """Return the ifName that a row belongs to by its rule; "" where that is not known."""
        if not rule.port or rule.port == "name":
            return ""
        if rule.port == "index":
            return self.ports.names.get(index, "")
        if rule.port == "entity":
            return self._entities.port(index, self.ports) if self._entities else ""
        if rule.port.lstrip("-").isdigit():
            return self.ports.names.get(index_by(index, rule.port) or "", "")
        return self.ports.named(text(self._columns.value(rule.labels[rule.port], index)))

    def name(self, template: str, labels: Mapping[str, str], index: str, port: str) -> str:
        """Return the name that a template makes of a row, on one line; what a row lacks is left out, an empty name is the index."""

        def filled(found: re.Match[str]) -> str:
            word = found[1]
            if word == "index":
                return index
            if word == "text":
                return texts(index)
            if word in ("port", "entity"):
                return (port if word == "port" else "") or (self._entities.name(index) if self._entities else "") or index
            if word in labels:
                told = text(self._columns.value(labels[word], index))
                return told if any(map(str.isalnum, told)) else ""  # an unlabelled card is called "--------------"
            return index_by(index, word) or ""

        return " ".join(PLACEHOLDER.sub(filled, template).split()) or index


def texts(index: str) -> str:
    """Return the texts that an index is made of, each with its length before it ("1.49.3.65.83.69": "1 ASE"); the index if it is not so."""
    parts, found = [int(part) for part in index.split(".") if part.isdecimal()], []
    while parts:
        size, parts = parts[0], parts[1:]
        if not 0 < size <= len(parts) or not all(32 <= char < 127 for char in parts[:size]):
            return index
        found.append("".join(map(chr, parts[:size])))
        parts = parts[size:]
    return " ".join(found)


def counts(when: Sequence[When], columns: Columns, own: str, index: str) -> bool:
    """Return whether a row is one that the rule is about."""
    for condition in when:
        if condition.index and not re.search(condition.index, index):
            return False
        value = columns.value(condition.oid or own, index)
        words = text(value)
        if condition.is_ and words not in map(str, condition.is_):
            return False
        if condition.isnt and words in map(str, condition.isnt):
            return False
        if condition.matches and not re.search(condition.matches, words):
            return False
        number = raw_number(value)
        if condition.same and (number is None or raw_number(columns.value(condition.same, index)) != number):
            return False
        if condition.differs and number is not None and raw_number(columns.value(condition.differs, index)) == number:
            return False
    return True


Named = TypeVar("Named", bound=SensorSample | StateSample | ProcessorSample | PoolSample)


def by_name(sample: Named) -> object:
    """Return what must be unique where nothing else is said."""
    return sample.name


def told_apart(samples: Iterable[Named], by: Callable[[Named], object] = by_name) -> tuple[Named, ...]:
    """Return them, those that are one by `by` with what their OIDs do not share behind their name."""
    every = list(samples)
    alike: dict[object, list[str]] = {}
    for sample in every:
        alike.setdefault(by(sample), []).append(sample.oid)
    ends = {key: _unshared(oids) for key, oids in alike.items() if len(oids) > 1}
    return tuple(
        msgspec.structs.replace(sample, name=f"{sample.name} [{end[sample.oid]}]") if (end := ends.get(by(sample))) else sample
        for sample in every
    )


def _unshared(oids: Sequence[str]) -> dict[str, str]:
    """Return each OID without what all of them begin with."""
    parts = [oid.split(".") for oid in oids]
    common = sum(1 for _ in takewhile(lambda numbers: len(set(numbers)) == 1, zip(*parts, strict=False)))
    return {oid: ".".join(numbers[common:]) for oid, numbers in zip(oids, parts, strict=True)}
