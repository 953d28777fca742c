"""`free_seconds`: seconds given free, or a grace for short calls, that the reference does not have, or has otherwise."""

from dataclasses import dataclass, replace

import msgspec
import numpy as np

from billing_audit import rating
from billing_audit.causes.increment import evidence
from billing_audit.infer.machine import Calls, Reference, Straight
from billing_audit.infer.method import change_of
from billing_audit.infer.view import Departure, View
from billing_audit.ledger import Note
from billing_audit.terms import Terms

CODE = "free_seconds"


@dataclass(frozen=True)
class Bend(Straight):
    """Other free and grace seconds."""

    free: int
    grace: int

    def terms(self, terms: Terms) -> Terms:
        """Return the terms with them."""
        return msgspec.structs.replace(terms, free_s=self.free, grace_s=self.grace)

    def prices(self, prices: rating.Prices, calls: Calls, reference: Reference) -> rating.Prices:
        """Return the prices with them, whatever the deck says."""
        return replace(prices, free_s=np.full_like(prices.free_s, self.free))


def find(view: View) -> Departure | None:
    """Return the departure in free or grace seconds."""
    change = change_of(view)
    if change is None or "free" not in change.parts:
        return None
    found, expected = change.method, change.expected
    return Departure(
        CODE,
        Bend(found.free, found.grace),
        "free_s" if found.free != expected.free else "grace_s",
        {"free": found.free, "grace": found.grace, "contract_free": expected.free, "contract_grace": expected.grace},
        change.seen.support,
        change.seen.rows,
        (evidence(change, f"{found.free} s / {found.grace} s", f"{expected.free} s / {expected.grace} s"),),
        Note("audit.evidence.separates.free_seconds"),
    )
