"""`connection_fee`: a constant a call, whatever its duration, that the reference does not have."""

from dataclasses import dataclass, replace

import msgspec
import numpy as np

from billing_audit import rating
from billing_audit.infer.amount import amount_of
from billing_audit.infer.machine import Calls, Reference, Straight
from billing_audit.infer.view import Departure, View, told_fee
from billing_audit.ledger import Note
from billing_audit.money import from_micro
from billing_audit.terms import Terms

CODE = "connection_fee"


@dataclass(frozen=True)
class Bend(Straight):
    """Another fee a call."""

    fee_micro: int

    def terms(self, terms: Terms) -> Terms:
        """Return the terms with the fee."""
        return msgspec.structs.replace(terms, connection_fee=from_micro(self.fee_micro))

    def prices(self, prices: rating.Prices, calls: Calls, reference: Reference) -> rating.Prices:
        """Return the prices with the fee, whatever the deck says."""
        return replace(prices, fee_micro=np.full_like(prices.fee_micro, self.fee_micro))


def find(view: View) -> Departure | None:
    """Return the departure in the connection fee."""
    amount = amount_of(view)
    expected = told_fee(view.reference)
    if amount.fee_micro == expected:
        return None
    if "cost_rounding" not in view.reference.fixed and abs(amount.fee_micro - expected) <= view.unit:
        return None  # a unit of the last digit on every call is a rounding, as long as nobody says how costs are rounded
    found, contract = f"{from_micro(amount.fee_micro):f}", f"{from_micro(expected):f}"
    return Departure(
        CODE,
        Bend(amount.fee_micro),
        "connection_fee",
        {"fee": found, "contract": contract},
        amount.support,
        amount.rows,
        (
            Note(
                "audit.evidence.connection_fee",
                {"found": found, "expected": contract, "share": round(100 * amount.support, 2), "rows": amount.rows},
            ),
        ),
        Note("audit.evidence.separates.connection_fee"),
    )
