"""`missing_outage`: calls that our bill lacks, close together in time over all numbers; laid against measured outages."""

from datetime import UTC, datetime

import numpy as np

from billing_audit.causes.duplicate import doubles
from billing_audit.infer.table import Bools, Mark, Table, dense
from billing_audit.ledger import Bill, Note, Side, Value

CODE = "missing_outage"
SLACK_MS = 90_000
LEAST = 5


def find(table: Table) -> list[Mark]:
    """Return a mark where our records are missing in stretches, or while something of ours was down."""
    lacks = table.only(Bill.CUSTOMER) & ~doubles(table, Bill.CUSTOMER)
    if lacks.sum() < LEAST:
        return []
    start = table.column(Bill.CUSTOMER, "start_ms")
    there = table.has(Bill.CUSTOMER) & ~doubles(table, Bill.CUSTOMER)
    windows: list[tuple[int, int]] = []
    notes: list[Note] = []
    measured = False
    taken = np.zeros(table.size, np.bool_)
    for outage in table.outages:
        inside = there & ~taken & (start >= outage.start_ms - SLACK_MS) & (start < outage.end_ms + SLACK_MS)
        rows, of = int((lacks & inside).sum()), int(inside.sum())
        if outage.stops_calls is True or rows < LEAST or rows < 0.5 * of:
            continue
        measured = True
        taken |= inside
        windows.append((outage.start_ms - SLACK_MS, outage.end_ms + SLACK_MS))
        notes.append(
            Note(
                "audit.evidence.outage",
                {"node": outage.node, "from": utc(outage.start_ms), "to": utc(outage.end_ms), "rows": rows, "of": of},
            )
        )
    rest = there & ~taken
    for first, last, rows, of in dense(start[rest], lacks[rest]):
        windows.append((first, last + 1))
        notes.append(Note("audit.evidence.stretch", {"from": utc(first), "to": utc(last), "rows": rows, "of": of}))
    if not windows:
        return []
    rows = int((_inside(table, tuple(windows)) & lacks).sum())
    parameters: dict[str, Value] = {"windows": " ".join(f"{utc(a)}/{utc(b)}" for a, b in windows[:5]), "measured": measured}
    separates = Note("audit.evidence.separates.missing_outage", {"missing": int(lacks.sum())})
    support = rows / max(1, int((_inside(table, tuple(windows)) & there).sum()))
    return [Mark(CODE, Bill.CUSTOMER, Side.COMPANY, parameters, support, rows, tuple(notes[:6]), separates, tuple(windows))]


def applies(table: Table, mark: Mark) -> Bools:
    """Tell which records we lack within the stretches."""
    return _inside(table, mark.data) & table.only(Bill.CUSTOMER)


def _inside(table: Table, windows: tuple[tuple[int, int], ...]) -> Bools:
    start = table.column(Bill.CUSTOMER, "start_ms")
    inside = np.zeros(table.size, np.bool_)
    for first, last in windows:
        inside |= (start >= first) & (start < last)
    return inside


def utc(at_ms: int) -> str:
    """Return an instant as people write it, in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
