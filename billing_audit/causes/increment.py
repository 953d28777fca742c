"""`increment`: billed seconds follow another minimum or step than the reference says."""

from dataclasses import dataclass, replace

import msgspec
import numpy as np

from billing_audit import rating
from billing_audit.infer.machine import Calls, Reference, Straight
from billing_audit.infer.method import Change, change_of
from billing_audit.infer.view import Departure, View
from billing_audit.ledger import Note
from billing_audit.terms import Terms

CODE = "increment"


@dataclass(frozen=True)
class Bend(Straight):
    """Calls whose reference is one of `classes` (minimum, increment) are billed with another minimum and step."""

    classes: tuple[tuple[int, int], ...]
    minimum: int
    increment: int

    def terms(self, terms: Terms) -> Terms:
        """Return the terms, for what the deck leaves to them."""
        own = (terms.minimum_s or 0, terms.increment_s or 1)
        return msgspec.structs.replace(terms, minimum_s=self.minimum, increment_s=self.increment) if own in self.classes else terms

    def prices(self, prices: rating.Prices, calls: Calls, reference: Reference) -> rating.Prices:
        """Return the prices with the other minimum and step."""
        key = prices.minimum_s * 100_000 + prices.increment_s
        hit = np.isin(key, [low * 100_000 + step for low, step in self.classes])
        return replace(
            prices,
            minimum_s=np.where(hit, self.minimum, prices.minimum_s),
            increment_s=np.where(hit, self.increment, prices.increment_s),
        )


def find(view: View) -> Departure | None:
    """Return the departure in minimum or step."""
    change = change_of(view)
    if change is None or "increment" not in change.parts:
        return None
    found = change.method
    return Departure(
        CODE,
        Bend(change.classes, found.minimum, found.increment),
        "increment_s",
        {
            "minimum": found.minimum,
            "increment": found.increment,
            "contract": change.expected.text(),
            "support": round(change.seen.support, 4),
        },
        change.seen.support,
        change.seen.rows,
        (evidence(change, found.text(), change.expected.text()),),
        Note("audit.evidence.separates.increment"),
    )


def evidence(change: Change, found: str, expected: str) -> Note:
    """Return the sentence with the shares of rows that both methods explain."""
    return Note(
        "audit.evidence.method.billed" if change.seen.direct else "audit.evidence.method.charges",
        {
            "found": found,
            "share": round(100 * change.seen.support, 2),
            "expected": expected,
            "expected_share": round(100 * change.seen.expected, 2),
            "rows": change.seen.rows,
        },
    )
