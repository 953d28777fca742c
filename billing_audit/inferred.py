"""How a side's charges are made, as its own rows say: its departures from what is expected, found cause by cause."""

from typing import Final

import msgspec
import numpy as np
import pandas as pd

from billing_audit.audit import Inferred
from billing_audit.causes import cost_rounding
from billing_audit.causes.catalogue import MEASURED, METHODS
from billing_audit.decks.deck import Deck
from billing_audit.infer.machine import Calls, Reference
from billing_audit.infer.method import change_of
from billing_audit.infer.prices import inferred_deck
from billing_audit.infer.seconds import of_terms
from billing_audit.infer.view import View, view_of
from billing_audit.ledger import MISSING, Bill
from billing_audit.terms import CostRounding, Terms

ENOUGH: Final = 60
SURE = 0.8  # share of calls that cost exactly what is expected, from which on their rounding is known
AGAIN = ("connection_fee", "rate", "rate_change", "rate_change_zone", "prefix", "code_list", "cost_rounding")


def look(view: View) -> None:
    """Put into view.found what departs from the reference, cause by cause in the catalogue's order; more rounds see what the first hid."""
    if view.calls.charge.size < 30 or not np.any(view.calls.charge):
        return
    for turn in range(3):
        before = {(one.cause, one.bend) for one in view.found}
        for code, module in METHODS.items():
            if any(one.cause == code for one in view.found):
                continue
            departure = module.departs(view) if code in MEASURED else module.find(view)
            if departure is not None:
                view.found.append(departure)
                _forget(view)
        if {(one.cause, one.bend) for one in view.found} == before or turn == 2:
            break
        # prices that were looked for before bands and scale were known are looked for again
        known = cost_rounding.is_known(view, SURE)
        if float(view.fits().mean()) > 0.999 and (view.grain < 20 or not known) and not any(one.cause == "time_band" for one in view.found):
            break
        view.found = [one for one in view.found if one.cause not in AGAIN or (one.cause == "cost_rounding" and one.support >= SURE)]
        view.kept["tight"] = cost_rounding.is_known(view, SURE)
        _forget(view)


def _forget(view: View) -> None:
    kept = {name: value for name, value in view.kept.items() if name in ("change", "one", "tight")}
    view.kept.clear()
    view.kept.update(kept)


def infer(calls: pd.DataFrame, deck: Deck | None, terms: Terms, zone: str) -> Inferred:
    """Return how one side's records (LEDGER) are computed, as they themselves say; `terms` and `deck` are what is expected.

    Without a deck the records' own prices are taken. Too few rows, or no charges: terms of None.
    """
    column = {str(name): calls[name].to_numpy() for name in calls.columns}
    parts = np.where(column["parts"] == MISSING, 1, column["parts"])
    records = Calls(
        callee=column["callee"],
        start_ms=column["start_ms"],
        duration_ms=column["duration_ms"],
        billed_ms=column["billed_ms"],
        charge=column["charge_micro"],
        answered=column["answered"],
        parts=parts,
        gateway=column["gateway"],
        told_rate=column["rate_nano"],
    )
    own = deck if deck is not None and len(deck) else inferred_deck(records.part(records.usable), terms, zone)
    view = view_of(Bill.LOCAL, records, Reference(own, terms, zone))
    look(view)
    return method_of(view)


def method_of(view: View) -> Inferred:
    """Return how a bill is computed, with the share of its rows that each parameter explains."""
    size = view.calls.charge.size
    if size < ENOUGH:
        return Inferred(Terms(), {}, size)
    terms = view.reference.terms
    for bend in view.bends:
        terms = bend.terms(terms)
    method = of_terms(terms)
    fits = float(view.fits().mean())
    support = {name: round(fits, 4) for name in ("increment", "connection_fee", "cost_rounding")}
    change = change_of(view)
    if change is not None:
        support["increment"] = round(change.seen.support, 4)
    digits = 6 - (len(str(view.unit)) - 1)
    rounding = terms.cost_rounding or CostRounding(digits)
    inferred = msgspec.structs.replace(
        terms,
        minimum_s=method.minimum,
        increment_s=method.increment,
        anchor=method.anchor if method.anchored() else None,
        cost_rounding=msgspec.structs.replace(rounding, digits=digits),
    )
    return Inferred(inferred, support, size)
