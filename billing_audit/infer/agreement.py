"""What both bills do alike is no cause of a difference between them: where contract or deck lack, departures must explain pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from billing_audit.infer.machine import Bend, Desk, Reference
from billing_audit.infer.table import Table
from billing_audit.infer.view import Departure
from billing_audit.ledger import MISSING, Bill, Note

Ints = npt.NDArray[np.int64]
Found = Mapping[Bill, Sequence[Departure]]

MOST_TOLD = 12  # prefixes in a note
MOST = 20_000  # pairs that are priced
FEW = 50  # pairs below which nothing is weighed
CHANCE = 0.0005  # of the pairs: a departure that explains no more than that explains nothing


def differing(table: Table, reference: Reference, units: Mapping[Bill, int], found: Found) -> dict[Bill, tuple[Departure, ...]]:
    """Return the departures without those (of one bill, or of both together) without which as many pairs are explained."""
    rows = _pairs(table)
    kept = {bill: list(found[bill]) for bill in Bill}
    if rows.size < FEW or not any(kept.values()):
        return {bill: tuple(kept[bill]) for bill in Bill}
    desks = {bill: Desk(table.calls(bill, Bill.LOCAL).part(rows), reference) for bill in Bill}
    limit = max(2, int(CHANCE * rows.size))
    wide = sum(units.values()) + 2

    def unexplained(of: Mapping[Bill, Sequence[Departure]]) -> int:
        left = _left(desks[Bill.LOCAL], of[Bill.LOCAL]) - _left(desks[Bill.CUSTOMER], of[Bill.CUSTOMER])
        return int((np.abs(left) > wide).sum() + (left != 0).sum())

    first = unexplained(kept)
    causes = [one.cause for bill in Bill for one in kept[bill]]
    shared = [cause for cause in dict.fromkeys(causes) if all(any(one.cause == cause for one in kept[bill]) for bill in Bill)]
    ways = [{bill: list(shared) for bill in Bill}] if len(shared) > 1 else []
    ways += [{bill: [cause] for bill in Bill} for cause in reversed(shared)]
    ways += [{bill: [cause]} for cause in reversed(dict.fromkeys(causes)) for bill in Bill]
    for way in ways:
        rest = {bill: [one for one in kept[bill] if one.cause not in way.get(bill, ())] for bill in Bill}
        if sum(map(len, rest.values())) == sum(map(len, kept.values())):
            continue
        without = unexplained(rest)
        if without <= first + limit:
            kept, first = rest, min(first, without)
    return {bill: tuple(kept[bill]) for bill in Bill}


def _pairs(table: Table) -> Ints:
    """Return pairs with charges, if most have one duration those; a bounded number, whatever the order of the rows."""
    good = table.both & ~table.failed[Bill.LOCAL] & ~table.failed[Bill.CUSTOMER]
    for bill in Bill:
        good &= (
            (table.column(bill, "charge_micro") != MISSING) & (table.column(bill, "duration_ms") > 0) & (table.column(bill, "parts") <= 1)
        )
    alike = good & (table.longer == 0)
    rows = np.flatnonzero(alike if 2 * alike.sum() >= good.sum() else good)
    if rows.size > MOST:
        order = np.lexsort((table.frame["l_duration_ms"][rows], table.frame["l_start_ms"][rows], table.frame["callee"][rows]))
        rows = rows[order[:: -(-rows.size // MOST)]]
    return rows


def _left(desk: Desk, departures: Sequence[Departure]) -> Ints:
    """Return what of each charge the reference with these departures does not explain; 0 where there is no price."""
    bends: list[Bend] = [one.bend for one in departures if one.bend is not None]
    cost = desk.charge(bends)
    return np.where(cost == MISSING, desk.calls.charge, desk.calls.charge - cost)


def unshared(found: Found, reference: Reference) -> tuple[dict[Bill, tuple[Departure, ...]], tuple[Note, ...]]:
    """Return the departures without the prices that both bills take alike where the deck says another, and a note on these.

    There is no difference between the bills then, so nobody departs from the other; without a deck there is nothing to note.
    """
    kept = {bill: list(found[bill]) for bill in Bill}
    prices = {bill: {price for one in found[bill] for price in getattr(one.bend, "others", ())} for bill in Bill}
    shared = prices[Bill.LOCAL] & prices[Bill.CUSTOMER]
    for bill in Bill:
        for at, one in enumerate(kept[bill]):
            others = getattr(one.bend, "others", ())
            if any(price in shared for price in others):
                rest = tuple(price for price in others if price not in shared)
                bend = replace(one.bend, others=rest)  # type: ignore[type-var]
                kept[bill][at] = replace(one, bend=bend if rest else None)
    left = {bill: tuple(one for one in kept[bill] if one.bend is not None) for bill in Bill}
    deck = reference.deck
    if not shared or deck is None or "rate" not in reference.fixed:
        return left, ()
    codes = sorted({str(code)[1:] if code else deck.prefix_text(row) for row, code, _, _ in shared})
    return left, (Note("audit.note.both_depart", {"count": len(codes), "prefixes": " ".join(codes[:MOST_TOLD])}),)
