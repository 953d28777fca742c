"""`increment_anchor`: increments are counted from the other place, after the minimum or from zero."""

from dataclasses import dataclass

import msgspec

from billing_audit.causes.increment import evidence
from billing_audit.infer.machine import Straight
from billing_audit.infer.method import change_of
from billing_audit.infer.view import Departure, View
from billing_audit.ledger import Note
from billing_audit.terms import Anchor, Terms

CODE = "increment_anchor"


@dataclass(frozen=True)
class Bend(Straight):
    """The other anchor."""

    anchor: Anchor

    def terms(self, terms: Terms) -> Terms:
        """Return the terms with the other anchor."""
        return msgspec.structs.replace(terms, anchor=self.anchor)


def find(view: View) -> Departure | None:
    """Return the departure in the anchor."""
    change = change_of(view)
    if change is None or "anchor" not in change.parts:
        return None
    return Departure(
        CODE,
        Bend(change.method.anchor),
        "anchor",
        {"anchor": change.method.anchor, "contract": change.expected.anchor},
        change.seen.support,
        change.seen.rows,
        (evidence(change, change.method.anchor, change.expected.anchor),),
        Note("audit.evidence.separates.increment_anchor", {"method": change.method.text()}),
    )
