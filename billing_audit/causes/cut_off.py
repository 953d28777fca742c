"""`cut_off`: missing only where a call lies over the period's edge: one side takes calls by their start, the other by their end."""

import numpy as np

from billing_audit.infer.table import Bools, Mark, Table
from billing_audit.ledger import MISSING, Bill, Note, Side, Value

CODE = "cut_off"
SLACK_MS = 3_000
LEAST = 3


def find(table: Table) -> list[Mark]:
    """Return a mark for each bill that has calls over the edge which the other lacks."""
    if table.edges is None:
        return []
    marks = []
    both = sum(int(_over(table, bill, table.only(bill)).sum()) for bill in Bill)
    for bill in Bill:
        over = _over(table, bill, table.has(bill))
        rows, of = int((over & table.only(bill)).sum()), int(over.sum())
        if rows and both >= LEAST and rows >= 0.3 * of:
            values: dict[str, Value] = {"rows": rows, "of": of, "missing": int(table.only(bill).sum())}
            separates = Note("audit.evidence.separates.cut_off")
            marks.append(
                Mark(CODE, bill, Side.NONE, {"calls": rows}, rows / max(1, of), rows, (Note("audit.evidence.cut_off", values),), separates)
            )
    return marks


def applies(table: Table, mark: Mark) -> Bools:
    """Tell which unmatched records lie over an edge."""
    return _over(table, mark.bill, table.only(mark.bill))


def _over(table: Table, bill: Bill, rows: Bools) -> Bools:
    if table.edges is None:
        return np.zeros(table.size, np.bool_)
    start, talk = table.column(bill, "start_ms"), table.column(bill, "duration_ms")
    end = start + np.where(talk == MISSING, 0, talk)
    over = np.zeros(table.size, np.bool_)
    for edge in table.edges:
        over |= (start - SLACK_MS < edge) & (end + SLACK_MS >= edge)
    outside = (start < table.edges[0]) | (start >= table.edges[1])
    return np.asarray(rows & (over | (outside & (end >= table.edges[0]) & (start < table.edges[1]))), np.bool_)
