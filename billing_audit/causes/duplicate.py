"""`duplicate`: the same call twice in one bill: an unmatched record that lies on another one of the same numbers."""

import numpy as np

from billing_audit.infer.table import WHOSE, Bools, Ints, Mark, Table
from billing_audit.ledger import MISSING, Bill, Note
from billing_audit.numbers import is_masked

CODE = "duplicate"
APART_MS = 5_000  # starts of one call written twice, by two switches
LENGTH_MS = 2_000


def find(table: Table) -> list[Mark]:
    """Return a mark for each bill that has calls twice."""
    marks = []
    for bill in Bill:
        twice = doubles(table, bill)
        rows = int(twice.sum())
        if rows:
            note = Note("audit.evidence.duplicate", {"rows": rows, "missing": int(table.only(bill).sum())})
            separates = Note("audit.evidence.separates.duplicate")
            marks.append(Mark(CODE, bill, WHOSE[bill], {"calls": rows}, 1.0, rows, (note,), separates))
    return marks


def applies(table: Table, mark: Mark) -> Bools:
    """Tell which rows are the second record of a call."""
    return doubles(table, mark.bill)


def doubles(table: Table, bill: Bill) -> Bools:
    """Tell which unmatched records of a bill lie on another record of it with the same numbers."""
    key = f"doubles/{bill}"
    if key not in table.kept:
        table.kept[key] = _doubles(table, bill)
    found: Bools = table.kept[key]
    return found


def _doubles(table: Table, bill: Bill) -> Bools:
    found = np.zeros(table.size, np.bool_)
    alone = table.only(bill) & ~table.failed[bill]
    if not alone.any():
        return found
    callee, caller = table.frame["callee"], table.frame["caller"]
    start, talk = table.column(bill, "start_ms"), table.column(bill, "duration_ms")
    rows = np.flatnonzero(table.has(bill) & np.isin(callee, callee[alone]) & (talk != MISSING) & (talk > 0))
    order = rows[np.lexsort((table.column(bill, "source")[rows], alone[rows], talk[rows], start[rows], caller[rows], callee[rows]))]
    for step in (1, 2):
        if order.size <= step:
            break
        one, other = order[:-step], order[step:]
        same = (callee[one] == callee[other]) & (caller[one] == caller[other]) & _same(start, talk, one, other)
        # of two that lie on each other the unmatched one is too many; of two unmatched ones the later
        late = same & alone[other] & ~found[one]
        found[other[late]] = True
        early = same & alone[one] & ~alone[other]
        found[one[early]] = True
    _hidden(table, bill, alone & ~found, found)
    return found


def _hidden(table: Table, bill: Bill, alone: Bools, found: Bools) -> None:
    """Mark unmatched records without a caller that begin, last and cost the same as another one to their number.

    The record that was matched has its caller from the other bill, so that the two seem to be of two callers.
    """
    callee, caller = table.frame["callee"], table.frame["caller"]
    hidden = alone & ((caller == MISSING) | is_masked(caller))
    if not hidden.any():
        return
    rows = np.flatnonzero(table.has(bill) & np.isin(callee, callee[hidden]))
    columns = [callee, *(table.column(bill, name) for name in ("start_ms", "duration_ms", "charge_micro"))]
    order = rows[np.lexsort((table.column(bill, "source")[rows], hidden[rows], *(column[rows] for column in reversed(columns))))]
    one, other = order[:-1], order[1:]
    same = np.logical_and.reduce([column[one] == column[other] for column in columns]) & (columns[2][other] > 0)
    found[other[same & hidden[other]]] = True


def _same(start: Ints, talk: Ints, one: Ints, other: Ints) -> Bools:
    """Tell which records are one call: they begin and last alike, or one lies nearly whole on the other."""
    apart = start[other] - start[one]
    length = np.abs(talk[other] - talk[one])
    overlap = np.minimum(start[one] + talk[one], start[other] + talk[other]) - start[other]
    alike = (apart <= APART_MS) & (length <= LENGTH_MS) & ((overlap > 0) | (apart <= 1000))
    whole = overlap > 0.9 * np.maximum(talk[one], talk[other])
    return np.asarray(alike | whole, np.bool_)
