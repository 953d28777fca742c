"""`scale`: one ratio on everything: tax, currency, a unit of money or time, a decimal mark."""

from dataclasses import dataclass
from fractions import Fraction

from billing_audit.infer.amount import amount_of
from billing_audit.infer.machine import Straight
from billing_audit.infer.view import Departure, View
from billing_audit.ledger import Note

CODE = "scale"
TAXES = (Fraction(3, 100), Fraction(1, 20), Fraction(3, 50), Fraction(9, 100), Fraction(13, 100), Fraction(19, 100), Fraction(1, 5))
LEAST = 0.3  # of the calls: a ratio on fewer is not on everything
UNITS = (10, 60, 100, 1000, 3600, 1_000_000)


@dataclass(frozen=True)
class Bend(Straight):
    """A ratio on every charge."""

    ratio: Fraction

    def scale(self) -> Fraction:
        """Return the ratio."""
        return self.ratio


def kind_of(ratio: Fraction) -> str:
    """Return what a ratio probably is: "tax", "unit" or "currency"."""
    for one in (ratio, 1 / ratio):
        if one - 1 in TAXES:
            return "tax"
        if one in UNITS:
            return "unit"
    return "currency"


def find(view: View) -> Departure | None:
    """Return the departure in scale."""
    amount = amount_of(view)
    if amount.ratio == 1 or amount.support < LEAST:
        return None
    ratio = round(float(amount.ratio), 6)
    return Departure(
        CODE,
        Bend(amount.ratio),
        "scale",
        {"ratio": ratio, "kind": kind_of(amount.ratio)},
        amount.support,
        amount.rows,
        (Note("audit.evidence.scale", {"ratio": ratio, "share": round(100 * amount.support, 2), "rows": amount.rows}),),
        Note("audit.evidence.separates.scale"),
    )
