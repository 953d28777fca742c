"""`cost_rounding`: half a unit of the last digit, everywhere: other decimals, another direction, or each increment rounded."""

from dataclasses import dataclass
from itertools import product

import msgspec
import numpy as np

from billing_audit.infer.machine import Straight
from billing_audit.infer.view import Departure, View
from billing_audit.ledger import Note
from billing_audit.terms import CostRounding, Mode, Terms

CODE = "cost_rounding"
MODES: tuple[Mode, ...] = ("half_up", "up", "down", "half_even")


@dataclass(frozen=True)
class Bend(Straight):
    """Another rounding of costs."""

    rounding: CostRounding

    def terms(self, terms: Terms) -> Terms:
        """Return the terms with it."""
        return msgspec.structs.replace(terms, cost_rounding=self.rounding)


def exact_share(view: View, rounding: CostRounding) -> float:
    """Return the share of calls that cost exactly that with this rounding, of those that cost something."""
    cost = view.charge([*view.bends, Bend(rounding)])
    some = view.calls.charge != 0
    return float(np.mean((cost == view.calls.charge)[some])) if some.any() else 1.0


def is_known(view: View, share: float) -> bool:
    """Tell whether most calls cost exactly what is expected of them, their rounding included."""
    size = view.calls.charge.size
    part = view.part(np.arange(0, size, max(1, size // 5000)))
    some = part.calls.charge != 0
    return bool(some.any() and float(np.mean((part.charge() == part.calls.charge)[some])) >= share)


def find(view: View) -> Departure | None:
    """Return the departure in the rounding of costs."""
    expected = view.reference.terms.cost_rounding or CostRounding()
    size = view.calls.charge.size
    if size < 50:
        return None
    part = view.part(np.arange(0, size, max(1, size // 5000)))
    first = exact_share(part, expected)
    if first > 0.97:
        return None
    digits = 6 - (len(str(view.unit)) - 1)
    shares = {
        rounding: exact_share(part, rounding)
        for d, mode, per in product({digits, expected.digits}, MODES, ("call",))
        for rounding in (CostRounding(d, mode, per),)  # type: ignore[arg-type]
    }
    if max(shares.values()) < 0.5:
        for mode in MODES:
            rounding = CostRounding(digits if digits < 6 else 5, mode, "increment")
            shares[rounding] = exact_share(part, rounding)
    best = max(shares, key=lambda one: (round(shares[one], 3), one == expected, one.mode == "half_up"))
    if best == expected or shares[best] < 0.3 or shares[best] - first < 0.03:
        return None
    return Departure(
        CODE,
        Bend(best),
        "cost_rounding",
        {"digits": best.digits, "mode": best.mode, "per": best.per, "contract": f"{expected.digits} {expected.mode}"},
        shares[best],
        part.calls.charge.size,
        (
            Note(
                "audit.evidence.cost_rounding",
                {"digits": best.digits, "mode": best.mode, "share": round(100 * shares[best], 2), "expected_share": round(100 * first, 2)},
            ),
        ),
        Note("audit.evidence.separates.cost_rounding"),
    )
