"""`early_answer`: on one route many calls are short and one side counts longer: the carrier answers before the called person."""

import numpy as np

from billing_audit.causes import hung_call
from billing_audit.infer.table import Bools, Ints, Mark, Table
from billing_audit.ledger import MISSING, Bill, Note, Side, Value

CODE = "early_answer"
LONGER_MS = 1_500  # more than rounding makes
LEAST = 40
MERGED_MS = 60_000  # parts may differ by more for reasons of their own
SHORT_MS = 10_000
DESTINATION = "destination"
MOST_TOLD = 12


def find(table: Table) -> list[Mark]:
    """Return a mark for each bill that is longer on a route and hardly elsewhere."""
    marks = []
    for bill in Bill:
        odd = longer(table, bill)
        if odd.sum() < LEAST:
            continue
        for column in ("l_gateway", "c_gateway", DESTINATION):
            route = _routes(table, column)
            known = table.both & (route != MISSING)
            if known.sum() < 0.5 * table.both.sum():
                continue
            found = _route(table, bill, odd, route, known, column)
            if found:
                marks.append(found)
                break
    return marks


def _route(table: Table, bill: Bill, odd: Bools, route: Ints, known: Bools, column: str) -> Mark | None:
    """Return the mark if the longer calls lie on some routes and hardly on others."""
    values, index = np.unique(route[known], return_inverse=True)
    many = np.bincount(index)
    share = np.bincount(index, weights=odd[known]) / np.maximum(many, 1)
    hit = (share >= 0.25) & (many >= LEAST)
    if not hit.any() or hit.all():
        return None
    elsewhere = float((share * many)[~hit].sum() / max(1, many[~hit].sum()))
    if elsewhere > 0.1:
        return None
    routes = tuple(values[hit].tolist())
    here = known & np.isin(route, values[hit])
    other = Bill.CUSTOMER if bill is Bill.LOCAL else Bill.LOCAL
    talk = table.column(other, "duration_ms")
    rows = int((odd & here).sum())
    told: dict[str, Value] = {
        "rows": rows,
        "of": int(here.sum()),
        "elsewhere": round(100 * elsewhere, 2),
        "short": round(100 * float((talk[here] <= SHORT_MS).mean()), 1),
        "short_elsewhere": round(100 * float((talk[known & ~here] <= SHORT_MS).mean()), 1),
    }
    parameters: dict[str, Value] = {"gateways": len(routes), "longer": str(bill)}
    if column == DESTINATION:
        parameters = {"prefixes": " ".join(str(one)[1:] for one in routes[:MOST_TOLD]), "longer": str(bill)}
    note, separates = Note("audit.evidence.early_answer", told), Note("audit.evidence.separates.early_answer")
    return Mark(CODE, bill, Side.CARRIER, parameters, float(share[hit].mean()), rows, (note,), separates, (column, routes))


def _routes(table: Table, column: str) -> Ints:
    """Return the route of each pair: a gateway, or where no bill says it the code of the deck that is called."""
    if column != DESTINATION:
        return table.frame[column]
    deck = table.reference.deck
    if deck is None or not len(deck):
        return np.full(table.size, MISSING, np.int64)
    row = deck.lookup(table.frame["callee"], table.frame["l_start_ms"])
    return np.where(row >= 0, deck.prefix[np.maximum(row, 0)], MISSING)


def longer(table: Table, bill: Bill) -> Bools:
    """Tell which pairs are longer on this bill by more than rounding, and not hung."""
    merged = np.maximum(table.frame["l_parts"], table.frame["c_parts"]) > 1
    excess = table.excess(bill)
    return np.asarray((excess > LONGER_MS) & (excess < np.where(merged, MERGED_MS, hung_call.EXTREME_MS)), np.bool_)


def applies(table: Table, mark: Mark) -> Bools:
    """Tell which pairs of the routes this bill has longer."""
    column, routes = mark.data
    return longer(table, mark.bill) & np.isin(_routes(table, column), routes)
