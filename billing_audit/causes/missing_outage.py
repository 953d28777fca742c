"""`missing_outage`: calls our bill lacks, close together in time over all numbers or on one gateway; laid against measured outages."""

import numpy as np

from billing_audit.causes.duplicate import doubles
from billing_audit.infer.stretches import ALL, Stretch, inside, stretches
from billing_audit.infer.table import Bools, Mark, Table, wall
from billing_audit.ledger import Bill, Note, Side, Value

CODE = "missing_outage"
SLACK_MS = 90_000
LEAST = 5
UNMEASURED = 0.49  # how far stretches alone speak for an outage of ours


def find(table: Table) -> list[Mark]:
    """Return a mark where our records are missing in stretches (of one gateway, too), or while something of ours was down."""
    theirs = Bill.CUSTOMER
    lacks = table.only(theirs) & ~doubles(table, theirs) & ~table.failed[theirs]
    if lacks.sum() < LEAST:
        return []
    start, gateway, charged = table.column(theirs, "start_ms"), table.column(theirs, "gateway"), table.charged(theirs)
    there = table.has(theirs) & ~doubles(table, theirs) & (charged | table.both)
    lacks &= charged
    zone = table.reference.zone
    windows: list[Stretch] = []
    notes: list[Note] = []
    taken = np.zeros(table.size, np.bool_)
    for outage in table.outages:
        hit = there & ~taken & (start >= outage.start_ms - SLACK_MS) & (start < outage.end_ms + SLACK_MS)
        rows, of = int((lacks & hit).sum()), int(hit.sum())
        if outage.stops_calls is True or rows < LEAST or rows < 0.5 * of:
            continue
        taken |= hit
        windows.append(Stretch(ALL, outage.start_ms - SLACK_MS, outage.end_ms + SLACK_MS, rows, of))
        values: dict[str, Value] = {"node": outage.node, **between(outage.start_ms, outage.end_ms, zone), "rows": rows, "of": of}
        notes.append(Note("audit.evidence.outage", values))
    measured = bool(windows)
    more = stretches(table, theirs, there & ~taken, lacks & ~taken)
    windows += more
    if not windows:
        return []
    within = inside(start, gateway, windows)
    rows = int((within & lacks).sum())
    parameters: dict[str, Value] = {"windows": listed(windows, zone), "measured": measured}
    separates = Note("audit.evidence.separates.missing_outage", {"missing": int(lacks.sum())})
    # with nothing measured only the pattern speaks: a file of ours that was lost looks the same
    support = rows / max(1, int((within & there).sum())) * (1.0 if measured else UNMEASURED)
    return [Mark(CODE, theirs, Side.COMPANY, parameters, support, rows, (*notes, *told(more, zone)), separates, windows)]


def applies(table: Table, mark: Mark) -> Bools:
    """Tell which records we lack within the stretches."""
    theirs = Bill.CUSTOMER
    return inside(table.column(theirs, "start_ms"), table.column(theirs, "gateway"), mark.data) & table.only(theirs)


def listed(windows: list[Stretch], zone: str) -> str:
    """Return the first few stretches as text, on the clock of the contract's zone."""
    return " ".join(f"{wall(one.first, zone)}/{wall(one.end, zone)}" for one in windows[:5])


def between(first_ms: int, end_ms: int, zone: str) -> dict[str, Value]:
    """Return begin and end as a note's values."""
    return {"from": wall(first_ms, zone), "to": wall(end_ms, zone)}


def told(windows: list[Stretch], zone: str) -> tuple[Note, ...]:
    """Return a note a stretch, the most calls first."""
    notes = []
    for one in sorted(windows, key=lambda one: (-one.rows, one.first)):
        values: dict[str, Value] = {**between(one.first, one.end, zone), "rows": one.rows, "of": one.of}
        notes.append(Note("audit.evidence.stretch" if one.gateway == ALL else "audit.evidence.gateway", values))
    return tuple(notes)
