"""A conversation with a recording instead of an agent: the same form, no socket. It stands beside the real agents of other tests."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from probe.observation.device import Anomaly
from probe.snmp.talk import Value

Oid = tuple[int, ...]


def numbers(oid: str) -> Oid:
    return tuple(int(part) for part in oid.strip(".").split("."))


ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
HEXADECIMAL = frozenset("0123456789abcdefABCDEF")


def unescape(text: str) -> bytes:
    """Return the octets of a value that was written with escapes (type 4e)."""
    octets = text.encode("utf-8", "surrogateescape")
    return ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else ESCAPED.get(found[2], found[2]), octets)


def read_line(line: str) -> tuple[str, Value] | None:
    """Return OID and value of one line `OID|type|value` (snmpsim's form); None for what is no data."""
    oid, kind, text = line.rstrip("\r\n").split("|", 2)
    oid = oid.strip(".")
    if not oid.replace(".", "").isdigit():
        return None  # made unreadable by whoever recorded it: "10.xx.xx.100"
    if kind.endswith("e"):
        return oid, unescape(text)
    hexadecimal, kind = kind.endswith("x"), kind.rstrip("x")
    if hexadecimal:
        text = "".join(char if char in HEXADECIMAL else "0" for char in text)  # "xx" stands where somebody's address was
    if kind in {"2", "65", "66", "67", "70"}:
        return oid, int(text, 16) if hexadecimal else int(text)
    if kind in {"4", "68"}:
        return oid, bytes.fromhex(text) if hexadecimal else text.encode("utf-8", "surrogateescape")
    if kind == "64":
        return oid, ".".join(str(octet) for octet in bytes.fromhex(text)) if hexadecimal else text
    if kind == "6":
        return oid, text.strip(".")
    return None


def read_recording(path: Path) -> dict[str, Value]:
    """Return the values of a recording by OID; of a row recorded twice the first."""
    found: dict[str, Value] = {}
    for line in path.read_text(encoding="utf-8", errors="surrogateescape").split("\n"):
        if "|" in line and (row := read_line(line)) is not None:
            found.setdefault(*row)
    return found


class RecordedTalk:
    """Answers as an agent with these values would; `oddities` counts what the readers complained about by (table, what)."""

    def __init__(self, values: Mapping[str, Value] | Iterable[tuple[str, Value]]) -> None:
        self.values = dict(values)
        self._ordered = sorted((numbers(oid), oid) for oid in self.values)
        self.oddities: Counter[tuple[str, str]] = Counter()
        self.walked: list[str] = []

    @property
    def anomalies(self) -> tuple[Anomaly, ...]:
        return tuple(Anomaly(table, what, count=count) for (table, what), count in self.oddities.items())

    async def get(self, oids: Sequence[str], keep: bool = False) -> Mapping[str, Value]:
        return {oid: self.values[oid] for oid in oids if oid in self.values}

    async def walk(self, column: str, keep: bool = False) -> Mapping[str, Value]:
        self.walked.append(column)
        start, length = numbers(column), len(column) + 1
        found: dict[str, Value] = {}
        for place in range(bisect_left(self._ordered, (start, "")), len(self._ordered)):
            parts, oid = self._ordered[place]
            if parts[: len(start)] != start:
                break
            if len(parts) > len(start):
                found[oid.strip(".")[length:]] = self.values[oid]
        return found

    async def walk_all(self, columns: Sequence[str], keep: bool = False) -> Sequence[Mapping[str, Value]]:
        return [await self.walk(column, keep) for column in columns]

    def odd(self, table: str, what: str, detail: str = "", count: int = 1) -> None:
        self.oddities[table, what] += count
