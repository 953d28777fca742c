"""Outages that were measured, to be laid against records that a bill lacks: from a file `start,end,node` with times in UTC."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from billing_audit.ledger import Note, Refused

MOST = 100_000


class Outage(msgspec.Struct, frozen=True):
    """A node was down from start (ms UTC) to end (exclusive). Whether its calls stopped too is known only where the inventory says so."""

    start_ms: int
    end_ms: int
    node: str
    stops_calls: bool | None = None


def read(path: Path) -> tuple[tuple[Outage, ...], tuple[Refused, ...]]:
    """Return the outages of a CSV file in the order of their start, and its rows that say none; OSError and UnicodeError pass."""
    found: list[Outage] = []
    refused: list[Refused] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        for row in rows:
            line = rows.line_num
            told = [cell.strip() for cell in row]
            if not any(told) or (line == 1 and told[0].lower() == "start"):
                continue
            outage = _outage(told)
            if isinstance(outage, Outage) and len(found) < MOST:
                found.append(outage)
            else:
                text = ",".join(told)[:200]
                note = outage if isinstance(outage, Note) else Note("audit.refused.too-many", {"most": MOST})
                refused.append(Refused(str(path), line, "", text, note))
    return tuple(sorted(found, key=lambda one: (one.start_ms, one.end_ms, one.node))), tuple(refused)


def _outage(told: list[str]) -> Outage | Note:
    if len(told) != 3 or not told[2]:
        return Note("audit.refused.outage-columns")
    try:
        start, end = (_ms(text) for text in told[:2])
    except ValueError:
        return Note("audit.refused.outage-time")
    if end <= start:
        return Note("audit.refused.outage-ends-first")
    return Outage(start, end, told[2])


def _ms(text: str) -> int:
    """Return ms since 1970 of a date and time (ISO 8601), in UTC where it names no zone."""
    told = datetime.fromisoformat(text)
    return round((told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp() * 1000)
