"""`hung_call`: an extreme duration, often of whole hours, while the other side's is short: the record was never closed."""

import numpy as np

from billing_audit.infer.table import WHOSE, Bools, Mark, Table
from billing_audit.ledger import Bill, Note, Value

CODE = "hung_call"
EXTREME_MS = 1_700_000  # the shortest timer that ends calls is half an hour
LEAST = 3


def find(table: Table) -> list[Mark]:
    """Return a mark for each bill that has such calls."""
    marks = []
    for bill in Bill:
        rows = _rows(table, bill)
        count = int(rows.sum())
        if count < LEAST:
            continue
        talk = table.column(bill, "duration_ms")[rows]
        whole = int((np.abs((talk + 5_000) % 1_800_000) <= 10_000).sum())
        values: dict[str, Value] = {"rows": count, "whole": whole, "longest": round(int(talk.max()) / 3_600_000, 2)}
        separates = Note("audit.evidence.separates.hung_call")
        marks.append(
            Mark(CODE, bill, WHOSE[bill], {"calls": count}, whole / count, count, (Note("audit.evidence.hung_call", values),), separates)
        )
    return marks


def applies(table: Table, mark: Mark) -> Bools:
    """Tell which pairs are such calls."""
    return _rows(table, mark.bill)


def _rows(table: Table, bill: Bill) -> Bools:
    talk = table.column(bill, "duration_ms")
    merged = np.maximum(table.column(Bill.LOCAL, "parts"), table.column(Bill.CUSTOMER, "parts")) > 1
    excess = table.excess(bill)
    return np.asarray((excess >= EXTREME_MS) & (excess > 0.5 * talk) & ~merged, np.bool_)
