"""Where the money lies that no cause explains: on records of one bill alone, in a band, beyond a step, at the cap, under one prefix."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from billing_audit import rating
from billing_audit.infer.machine import Reference
from billing_audit.infer.table import Table
from billing_audit.ledger import Bill, Note
from billing_audit.money import micro

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LEAST: Final = 0.02  # of the gross difference: less needs no word
SHARE: Final = 0.5  # of the unexplained money that must lie in one place to be told
MORE: Final = 1.25  # times its share of the calls: a place where most calls are anyway proves nothing
MOST: Final = 3


def places(table: Table, reference: Reference, left: Ints) -> tuple[Note, ...]:
    """Return where `left` (micro-units a row) lies, the largest shares first; () where it is little, or everywhere."""
    money = np.abs(left).astype(np.float64)
    gross = np.abs(table.money(Bill.LOCAL) - table.money(Bill.CUSTOMER)).sum()
    if not table.size or money.sum() <= LEAST * gross:
        return ()
    told = []
    for text, values, rows, fixed in _places(table, reference, money):
        share = float(money[rows].sum() / money.sum())
        if share >= SHARE and (fixed or share >= MORE * float(rows.mean())):
            note = Note(
                f"audit.note.unexplained.{text}", {**values, "share": round(100 * share, 1), "rows": int((rows & (left != 0)).sum())}
            )
            told.append((-share, note.id, note))
    return tuple(note for _, _, note in sorted(told, key=lambda one: one[:2])[:MOST])


def _places(table: Table, reference: Reference, money: npt.NDArray[np.float64]) -> Iterator[tuple[str, dict[str, str], Bools, bool]]:
    """Yield (text, values, rows, whether it tells something however many calls are there)."""
    yield "alone", {}, ~table.both, True
    calls = table.calls(Bill.LOCAL if table.has(Bill.LOCAL).sum() >= table.has(Bill.CUSTOMER).sum() else Bill.CUSTOMER)
    terms, deck = reference.terms, reference.deck
    prices = rating.prices(calls.callee, calls.start_ms, deck, terms, reference.zone)
    pairs = table.both
    if deck is not None:
        yield "unpriced", {}, pairs & (prices.row < 0), True
        known = np.flatnonzero(pairs & (prices.row >= 0))
        if known.size:
            worth = np.bincount(prices.row[known], weights=money[known])
            row = int(worth.argmax())
            yield "prefix", {"prefix": deck.prefix_text(row)}, pairs & (prices.row == row), False
    for index, band in enumerate(terms.bands):
        yield "band", {"band": band.name}, pairs & (prices.band == index), False
    if terms.bands:
        yield "no_band", {}, pairs & (prices.band < 0), False
    for step in terms.steps:
        if step.from_s > 0:
            yield "step", {"seconds": str(step.from_s)}, pairs & (calls.duration_ms > step.from_s * 1000), False
    if terms.max_cost is not None:
        cap = micro(terms.max_cost)
        highest = np.maximum(table.money(Bill.LOCAL), table.money(Bill.CUSTOMER))
        yield "cap", {"cap": f"{terms.max_cost:f}"}, pairs & (highest >= cap), False
