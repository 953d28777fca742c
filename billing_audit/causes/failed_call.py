"""`failed_call`: a charge on a call that nobody answered, or that lasted no second: whose bill charges it."""

from billing_audit.infer.table import WHOSE, Bools, Mark, Table
from billing_audit.ledger import Bill, Note

CODE = "failed_call"


def find(table: Table) -> list[Mark]:
    """Return a mark for each bill that charges such calls."""
    marks = []
    for bill in Bill:
        rows = int(table.failed[bill].sum())
        if rows:
            note = Note("audit.evidence.failed_call", {"rows": rows})
            separates = Note("audit.evidence.separates.failed_call")
            marks.append(Mark(CODE, bill, WHOSE[bill], {"calls": rows}, 1.0, rows, (note,), separates))
    return marks


def applies(table: Table, mark: Mark) -> Bools:
    """Tell which rows are such calls."""
    return table.failed[mark.bill]
