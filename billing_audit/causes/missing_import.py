"""`missing_import`: calls that the customer's bill lacks: a file, a day, an hour or a gateway of theirs, whole."""

import numpy as np

from billing_audit.causes.duplicate import doubles
from billing_audit.causes.missing_outage import utc
from billing_audit.infer.table import Bools, Mark, Table, dense
from billing_audit.ledger import MISSING, Bill, Note, Side, Value

CODE = "missing_import"
ALL = -1
MOST_GATEWAYS = 2000


def find(table: Table) -> list[Mark]:
    """Return a mark where their records are missing in stretches, over all calls or over one gateway's."""
    ours = Bill.LOCAL
    lacks = table.only(ours) & ~doubles(table, ours) & ~table.failed[ours]
    if lacks.sum() < 5:
        return []
    start, gateway, charged = table.column(ours, "start_ms"), table.column(ours, "gateway"), table.money(ours)
    # unanswered calls that only one side lists say nothing about a lost file
    there = table.has(ours) & ~doubles(table, ours) & ((charged != 0) | table.both)
    lacks &= charged != 0
    windows: list[tuple[int, int, int]] = []
    notes: list[Note] = []
    for first, last, rows, of in dense(start[there], lacks[there]):
        windows.append((ALL, first, last + 1))
        notes.append(Note("audit.evidence.stretch", {"from": utc(first), "to": utc(last), "rows": rows, "of": of}))
    left = there & ~_inside(table, tuple(windows))
    for one in np.unique(gateway[left & lacks])[:MOST_GATEWAYS].tolist():
        if one == MISSING:
            continue
        of_gateway = left & (gateway == one)
        for first, last, rows, of in dense(start[of_gateway], lacks[of_gateway], least=15):
            windows.append((one, first, last + 1))
            notes.append(Note("audit.evidence.gateway", {"from": utc(first), "to": utc(last), "rows": rows, "of": of}))
    if not windows:
        return []
    inside = _inside(table, tuple(windows))
    rows = int((inside & lacks).sum())
    kind = "gateway" if all(one[0] != ALL for one in windows) else "time"
    parameters: dict[str, Value] = {"kind": kind, "windows": " ".join(f"{utc(a)}/{utc(b)}" for _, a, b in windows[:5])}
    separates = Note("audit.evidence.separates.missing_import", {"missing": int(lacks.sum())})
    support = rows / max(1, int((inside & there).sum()))
    return [Mark(CODE, ours, Side.CUSTOMER, parameters, support, rows, tuple(notes[:6]), separates, tuple(windows))]


def applies(table: Table, mark: Mark) -> Bools:
    """Tell which of our records they lack within the stretches."""
    return _inside(table, mark.data) & table.only(Bill.LOCAL)


def _inside(table: Table, windows: tuple[tuple[int, int, int], ...]) -> Bools:
    start, gateway = table.column(Bill.LOCAL, "start_ms"), table.column(Bill.LOCAL, "gateway")
    inside = np.zeros(table.size, np.bool_)
    for one, first, last in windows:
        inside |= (start >= first) & (start < last) & ((gateway == one) if one != ALL else True)
    return inside
