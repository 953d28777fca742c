"""What a port is called, and which ports have to be up."""

from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec

from probe.snmp.mibs.iftypes import kind_of, name_of
from probe.snmp.talk import Talk, Value
from probe.snmp.values import mac, natural, number, text

Column = Mapping[str, Value]


class Steady(msgspec.Struct, frozen=True):
    """What hardly ever changes about a port; texts are "" where it has none. `descr` is ifDescr."""

    index: int
    name: str
    descr: str
    alias: str
    kind: str
    if_type: str
    mtu: int | None
    mac: str
    expected: bool


class Asked(msgspec.Struct, frozen=True):
    """Patterns for the names, descriptions or aliases of the ports that have to be up, and the cables of the plan ("PORT=…")."""

    ports: tuple[str, ...] = ()
    cables: tuple[str, ...] = ()

    def plugged(self) -> tuple[str, ...]:
        """Return our ends of the cables."""
        return tuple(cable.partition("=")[0].strip() for cable in self.cables)


def read_steady(talk: Talk, worth: Mapping[str, int], columns: Sequence[Column], asked: Asked) -> dict[str, Steady]:
    """Return the ports by ifIndex (as text), in the order of the numbers.

    worth: the rows and how much each deserves its name when several have the same (see `name_rows`).
    columns: ifDescr, ifType, ifMtu, ifPhysAddress, ifName, ifAlias.
    """
    descr, types, mtus, macs, names, aliases = columns
    order = sorted(worth, key=int)
    descrs = {index: text(descr.get(index)) for index in order}
    own = name_rows(talk, {index: text(names.get(index)) for index in order}, descrs, worth)
    plugged = set(asked.plugged())
    found = {}
    for index in order:
        type_ = number(types.get(index))
        alias = text(aliases.get(index))
        name, words = own[index], descrs[index]
        only_left = name.endswith(f"#{index}")  # of another port that has the name now
        expected = not only_left and bool(plugged or asked.ports) and _is_expected(name, words, alias, plugged, asked.ports)
        found[index] = Steady(
            int(index), name, words, alias, kind_of(type_), name_of(type_), natural(mtus.get(index)) or None, mac(macs.get(index)), expected
        )
    return found


def _is_expected(name: str, descr: str, alias: str, plugged: set[str], patterns: Sequence[str]) -> bool:
    if name in plugged or descr in plugged:
        return True
    words = (name.casefold(), descr.casefold(), alias.casefold())
    return any(word and (word == pattern or fnmatchcase(word, pattern)) for pattern in map(str.casefold, patterns) for word in words)


def absent(asked: Asked, steady: Mapping[str, Steady]) -> tuple[str, ...]:
    """Return the ports that were asked for by their full name and are not there."""
    wanted = [*(name for name in asked.ports if not any(char in name for char in "*?[")), *asked.plugged()]
    if not wanted:
        return ()
    there = {word.casefold() for port in steady.values() for word in (port.name, port.descr, port.alias) if word}
    return tuple(dict.fromkeys(name for name in wanted if name.casefold() not in there))


def name_rows(talk: Talk, names: Mapping[str, str], descrs: Mapping[str, str], worth: Mapping[str, int]) -> dict[str, str]:
    """Return a name of its own for every row: ifName, else ifDescr, else the index.

    Of several rows with one name the worthiest keeps it, of equals the newest (net-snmp keeps an interface that was removed, and gives
    the same name to the next); the others take a description that no other row has, or their index behind it.
    """
    described = Counter(descr for descr in descrs.values() if descr)
    found: dict[str, str] = {}
    holder: dict[str, str] = {}
    for index, short in names.items():
        name = found[index] = short or descrs.get(index, "") or index
        other = holder.get(name)
        if other is None or (worth[index], int(index)) > (worth[other], int(other)):
            holder[name] = index
    if len(holder) == len(found):
        return found
    others = [index for index, name in found.items() if holder[name] != index]
    talk.odd("ifTable", "duplicate", found[others[0]], len(others))
    for index in others:
        name, descr = found[index], descrs.get(index, "")
        found[index] = descr if described[descr] == 1 and descr not in holder else f"{name}#{index}"
    return found
