"""`missing_import`: calls that the customer's bill lacks: a file, a day, an hour or a gateway of theirs, whole."""

from billing_audit.causes.duplicate import doubles
from billing_audit.causes.missing_outage import listed, told
from billing_audit.infer.stretches import ALL, inside, stretches
from billing_audit.infer.table import Bools, Mark, Table
from billing_audit.ledger import Bill, Note, Side, Value

CODE = "missing_import"


def find(table: Table) -> list[Mark]:
    """Return a mark where their records are missing in stretches, over all calls or over one gateway's."""
    ours = Bill.LOCAL
    lacks = table.only(ours) & ~doubles(table, ours) & ~table.failed[ours]
    if lacks.sum() < 5:
        return []
    charged = table.charged(ours)
    # unanswered calls that only one side lists say nothing about a lost file
    there = table.has(ours) & ~doubles(table, ours) & (charged | table.both)
    lacks &= charged
    windows = stretches(table, ours, there, lacks)
    if not windows:
        return []
    within = inside(table.column(ours, "start_ms"), table.column(ours, "gateway"), windows)
    rows = int((within & lacks).sum())
    kind = "gateway" if all(one.gateway != ALL for one in windows) else "time"
    parameters: dict[str, Value] = {"kind": kind, "windows": listed(windows, table.reference.zone)}
    separates = Note("audit.evidence.separates.missing_import", {"missing": int(lacks.sum())})
    support = rows / max(1, int((within & there).sum()))
    return [Mark(CODE, ours, Side.CUSTOMER, parameters, support, rows, told(windows, table.reference.zone), separates, windows)]


def applies(table: Table, mark: Mark) -> Bools:
    """Tell which of our records they lack within the stretches."""
    ours = Bill.LOCAL
    return inside(table.column(ours, "start_ms"), table.column(ours, "gateway"), mark.data) & table.only(ours)
