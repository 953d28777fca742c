"""What both bills are held against: contract and deck; where they are silent our own rows, and nothing then says that they are right."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import msgspec
import numpy as np

from billing_audit.decks.deck import Deck
from billing_audit.infer.machine import Calls, Reference
from billing_audit.infer.prices import ENOUGH, changes, fits_fee, inferred_deck, says_prices
from billing_audit.infer.view import View, view_of
from billing_audit.ledger import MISSING, Bill
from billing_audit.terms import Contract, Terms

TAX_DIGITS = 6  # a ratio that has more is no tax


def reference_of(
    calls: dict[Bill, Calls], contract: Contract | None, deck: Deck | None, zone: str, look: Callable[[View], None]
) -> Reference:
    """Return the reference of an audit; `look` finds the departures of a view."""
    terms = contract.terms if contract else Terms()
    fixed = {name for name in Terms.__struct_fields__ if getattr(terms, name) not in (None, ())}
    if contract is not None:  # a contract that names no fee, free time, band or tax grants none
        fixed |= {"connection_fee", "free_s", "grace_s", "bands", "tax_ratio"}
        if terms.increment_s is not None:
            fixed |= {"minimum_s", "anchor"}
    if deck is not None and len(deck):
        fixed |= {"rate", "scale"} if contract is not None else {"rate"}
        if np.all(deck.increment_s != MISSING):
            fixed |= {"increment_s", "minimum_s"}
    else:
        deck = None
    complete = deck is not None and {"increment_s", "bands"} <= fixed
    source = next((calls[bill] for bill in Bill if int(calls[bill].usable.sum()) >= ENOUGH), None)
    if complete or source is None:
        return Reference(deck, terms, zone, frozenset(fixed))
    own = deck
    if own is None:
        source, own = _own_deck({bill: calls[bill].part(calls[bill].usable) for bill in Bill}, source, terms, zone)
    first = Reference(own, terms, zone, frozenset(fixed))
    view = view_of(Bill.LOCAL, source, first)
    if deck is None and not says_prices(source):  # a ratio to prices that come of the same charges says nothing
        view.kept["one"] = True
    look(view)
    return Reference(own, _adopted(view, terms, fixed), zone, frozenset(fixed))


def _own_deck(usable: dict[Bill, Calls], source: Calls, terms: Terms, zone: str) -> tuple[Calls, Deck | None]:
    """Return the records from which prices are inferred, and their deck: ours, unless theirs say more.

    They do where they say their prices, or keep the contract's fee, and ours do not; and where prices of theirs change on a date and ours
    do not: a deck without the date could not tell it.
    """
    other = usable[Bill.CUSTOMER]
    if int(other.usable.sum()) < ENOUGH or source is other:
        return source, inferred_deck(source, terms, zone)
    if says_prices(other) and not says_prices(source):
        return other, inferred_deck(other, terms, zone)
    if fits_fee(source, terms, zone) is False and fits_fee(other, terms, zone):
        return other, inferred_deck(other, terms, zone)
    own, theirs = inferred_deck(source, terms, zone), inferred_deck(other, terms, zone)
    return (other, theirs) if changes(theirs) > changes(own) else (source, own)


def _adopted(view: View, terms: Terms, fixed: set[str]) -> Terms:
    """Return the terms with what our own rows say where neither contract nor deck do."""
    for one in view.found:
        if one.bend is None or one.parameter in fixed:
            continue
        if one.cause == "scale":
            ratio = one.bend.scale() * (1 + Fraction(terms.tax_ratio or 0))
            tax = round(Decimal(ratio.numerator) / Decimal(ratio.denominator) - 1, TAX_DIGITS)
            if tax > -1 and abs(Fraction(tax) + 1 - ratio) < ratio / 10**TAX_DIGITS:
                terms = msgspec.structs.replace(terms, tax_ratio=tax)
        elif one.parameter in ("increment_s", "minimum_s"):
            low, step = one.parameters.get("minimum"), one.parameters.get("increment")
            if isinstance(low, int) and isinstance(step, int):
                terms = msgspec.structs.replace(terms, minimum_s=low, increment_s=step)
        else:
            terms = one.bend.terms(terms)
    return terms
