"""`partial_records`: one row is the sum of the other side's consecutive rows: a side does not merge its partial records."""

import numpy as np

from billing_audit.infer.table import WHOSE, Bools, Mark, Table
from billing_audit.ledger import Bill, Note

CODE = "partial_records"
LEAST = 2


def find(table: Table) -> list[Mark]:
    """Return a mark for each bill that has calls in parts which the other has whole."""
    marks = []
    for bill in Bill:
        rows = _rows(table, bill) & table.both
        count = int(rows.sum())
        if count < LEAST:
            continue
        parts = table.column(bill, "parts")[rows]
        note = Note("audit.evidence.partial_records", {"rows": count, "parts": int(parts.sum())})
        separates = Note("audit.evidence.separates.partial_records")
        marks.append(Mark(CODE, bill, WHOSE[bill], {"calls": count, "parts": int(parts.sum())}, 1.0, count, (note,), separates))
    return marks


def _rows(table: Table, bill: Bill) -> Bools:
    other = Bill.CUSTOMER if bill is Bill.LOCAL else Bill.LOCAL
    return np.asarray(table.column(bill, "parts") > np.maximum(table.column(other, "parts"), 1), np.bool_)


def applies(table: Table, mark: Mark) -> Bools:
    """Tell which pairs this bill has in parts."""
    return _rows(table, mark.bill) & table.both
