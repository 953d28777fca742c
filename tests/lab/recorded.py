"""Serves a few recorded objects through snmpd (its `pass_persist` protocol, snmpd.conf(5)): `recorded.py FILE`.

Lines are `OID|type|value` as snmpsim writes them; the file is read again when it changes. A counter that grows is written `100+50/s`:
100 when the file was written, 50 more for each second since.
"""

import sys
import time
from bisect import bisect_right
from pathlib import Path

KINDS = {
    "2": "integer",
    "4": "string",
    "4x": "octet",
    "6": "objectid",
    "64": "ipaddress",
    "65": "counter",
    "66": "gauge",
    "67": "timeticks",
    "70": "counter64",
}
Oid = tuple[int, ...]


def numbers(oid: str) -> Oid:
    return tuple(int(part) for part in oid.strip(".").split("."))


def value_at(text: str, age_s: float) -> str:
    """Return a value as it is after this time."""
    start, grows, rate = text.removesuffix("/s").partition("+")
    return str(int(int(start) + float(rate) * age_s)) if grows else text


class Recording:
    """The file's objects in the order of their OIDs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written_ns = 0
        self._ordered: list[Oid] = []
        self._rows: dict[Oid, tuple[str, str]] = {}

    def refresh(self) -> None:
        written_ns = self._path.stat().st_mtime_ns
        if written_ns == self._written_ns:
            return
        self._written_ns = written_ns
        rows = (line.split("|", 2) for line in self._path.read_text().splitlines() if line)
        self._rows = {numbers(oid): (kind, value) for oid, kind, value in rows}
        self._ordered = sorted(self._rows)

    def answer(self, oid: Oid | None) -> str:
        """Return three lines for an object, or NONE."""
        if oid is None or oid not in self._rows:
            return "NONE"
        kind, text = self._rows[oid]
        if kind == "4x":
            text = " ".join(text[at : at + 2] for at in range(0, len(text), 2))
        elif kind in {"65", "70"}:
            text = value_at(text, time.time() - self._written_ns / 1e9)
        return "\n".join(("." + ".".join(map(str, oid)), KINDS[kind], text))

    def after(self, oid: Oid) -> Oid | None:
        place = bisect_right(self._ordered, oid)
        return self._ordered[place] if place < len(self._ordered) else None


def main(path: Path) -> None:
    recording = Recording(path)
    for line in iter(sys.stdin.readline, ""):
        command = line.strip()
        if command == "PING":
            print("PONG", flush=True)
        elif command in {"get", "getnext"}:
            oid = numbers(sys.stdin.readline())
            recording.refresh()
            print(recording.answer(oid if command == "get" else recording.after(oid)), flush=True)
        elif command == "set":
            sys.stdin.readline(), sys.stdin.readline()
            print("not-writable", flush=True)
        else:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
