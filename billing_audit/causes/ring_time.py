"""`ring_time`: durations differ by about the set-up time: one side counts from the INVITE."""

import numpy as np

from billing_audit.causes.early_answer import longer
from billing_audit.infer.table import WHOSE, Bools, Mark, Table
from billing_audit.ledger import MISSING, Bill, Note, Value

CODE = "ring_time"
MOST_MS = 180_000  # a set-up longer than that is given up (ITU-T E.180 tones, timers of switches)
NEAR_MS = 2_100
LEAST = 30


def find(table: Table) -> list[Mark]:
    """Return a mark for the bill whose durations hold the set-up time."""
    marks = []
    talked = table.both & (table.frame["l_duration_ms"] > 0) & (table.frame["c_duration_ms"] > 0)
    for bill in Bill:
        odd = longer(table, bill) & (table.excess(bill) <= MOST_MS)
        if odd.sum() < max(LEAST, 0.3 * talked.sum()):
            continue
        ring = _ring(table)
        known = odd & (ring != MISSING)
        near = float((np.abs(table.excess(bill) - ring)[known] <= NEAR_MS).mean()) if known.sum() >= LEAST else None
        if near is not None and near < 0.5:
            continue
        rows, median = int(odd.sum()), round(float(np.median(table.excess(bill)[odd])) / 1000, 1)
        values: dict[str, Value] = {"rows": rows, "of": int(talked.sum()), "median": median}
        notes = [Note("audit.evidence.ring_time", values)]
        if near is not None:
            notes.append(Note("audit.evidence.ring_time.measured", {"share": round(100 * near, 2), "rows": int(known.sum())}))
        separates = Note("audit.evidence.separates.ring_time")
        support = near if near is not None else 0.8 * float(odd.sum() / talked.sum())
        marks.append(Mark(CODE, bill, WHOSE[bill], {"median_s": median}, support, rows, tuple(notes), separates))
    return marks


def _ring(table: Table) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the set-up time of a pair, from whichever bill says it."""
    ours, theirs = table.frame["l_ring_ms"], table.frame["c_ring_ms"]
    return np.where(ours != MISSING, ours, theirs)


def applies(table: Table, mark: Mark) -> Bools:
    """Tell which pairs this bill has longer by a set-up time."""
    excess = table.excess(mark.bill)
    return np.asarray((excess > 0) & (excess <= MOST_MS), np.bool_)
