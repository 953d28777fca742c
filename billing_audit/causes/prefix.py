"""`prefix`: calls cost what a shorter (parent) code costs: the side's list lacks the longer one."""

from billing_audit.causes.rate import departure
from billing_audit.infer.rates import odd_prices
from billing_audit.infer.view import Departure, View
from billing_audit.ledger import Note

CODE = "prefix"


def find(view: View) -> Departure | None:
    """Return the prefixes that are billed by their parent's price."""
    if "rate" not in view.reference.fixed:
        return None  # without a deck no code is one that a deck has, or lacks
    wrong = [one for one in odd_prices(view) if one.parent >= 0 and 2 * one.rows.size >= one.of]
    return departure(view, CODE, wrong, Note("audit.evidence.separates.prefix"))
