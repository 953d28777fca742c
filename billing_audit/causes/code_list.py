"""`code_list`: one side bills a prefix that the deck does not have, finer than the deck's, by a price of its own."""

from billing_audit.causes.rate import departure
from billing_audit.infer.rates import odd_prices
from billing_audit.infer.view import Departure, View
from billing_audit.ledger import Note

CODE = "code_list"


def find(view: View) -> Departure | None:
    """Return the prefixes that only this side has."""
    if "rate" not in view.reference.fixed:
        return None  # without a deck no code is one that a deck has, or lacks
    wrong = [one for one in odd_prices(view) if one.code and one.parent < 0]
    return departure(view, CODE, wrong, Note("audit.evidence.separates.code_list"))
