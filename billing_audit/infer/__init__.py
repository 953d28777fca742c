"""What a side's own rows say of its method."""

from typing import Final

import msgspec

from billing_audit.audit import Inferred
from billing_audit.infer.method import change_of
from billing_audit.infer.seconds import of_terms
from billing_audit.infer.view import View
from billing_audit.terms import CostRounding, Terms

ENOUGH: Final = 60


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
