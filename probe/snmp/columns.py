"""The columns that rules need, each read once in a poll, and where a row of one leads in another."""

from collections.abc import Iterable, Mapping

from probe.snmp.talk import Talk, Value

Column = Mapping[str, Value]


def split(spec: str) -> tuple[str, str]:
    """Return OID and index rule of a column as vendor files write it ("OID" or "OID@1.2")."""
    oid, _, by = spec.partition("@")
    return oid, by


def index_by(index: str, by: str) -> str | None:
    """Return the index that the parts named by `by` make; None if the row's index has no such part.

    A part is a number (-1 is the last one), "*" the whole index, "=7" the number 7 itself; "" is the whole index too.
    """
    if not by:
        return index
    parts, made = index.split("."), []
    for which in by.split("."):
        if which == "*":
            made.append(index)
        elif which.startswith("="):
            made.append(which[1:])
        elif abs(place := int(which)) <= len(parts):
            made.append(parts[place - 1 if place > 0 else place])
        else:
            return None
    return ".".join(made)


class Columns:
    """The columns and scalars of one poll; a scalar (OID ending in .0) is a column with the one row "0"."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._held: dict[str, Column] = {}

    async def read(self, specs: Iterable[str], keep: bool = False) -> None:
        """Fetch what is not held yet; columns of one table together."""
        oids = dict.fromkeys(oid for spec in specs if spec and (oid := split(spec)[0]) not in self._held)
        scalars = [oid for oid in oids if oid.endswith(".0")]
        if scalars:
            found = await self._talk.get(scalars, keep)
            self._held |= {oid: {"0": found[oid]} if oid in found else {} for oid in scalars}
        tables: dict[str, list[str]] = {}
        for oid in oids:
            if not oid.endswith(".0"):
                tables.setdefault(oid.rpartition(".")[0], []).append(oid)
        for columns in tables.values():
            self._held |= zip(columns, await self._talk.walk_all(columns, keep), strict=True)

    def rows(self, oid: str) -> Column:
        """Return a column by index, as far as it was read; empty for none."""
        return self._held.get(oid, {})

    def value(self, spec: str, index: str) -> Value | None:
        """Return what stands in a column for the row of another with this index; of a scalar its only value."""
        oid, by = split(spec)
        if oid.endswith(".0"):
            return self.rows(oid).get("0")
        key = index_by(index, by)
        return None if key is None else self.rows(oid).get(key)


def instance(oid: str, index: str) -> str:
    """Return the numeric OID of a value that was read."""
    return oid if oid.endswith(".0") else f"{oid}.{index}"
