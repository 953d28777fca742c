"""One side's records while causes are looked for: their charges, and what the reference and the departures found would charge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from billing_audit import rating
from billing_audit.infer.machine import Bend, Calls, Desk, Reference
from billing_audit.ledger import MISSING, Bill, Note, Value
from billing_audit.money import micro
from billing_audit.terms import CostRounding

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

FEW = 5  # rows below which nothing is said


@dataclass(frozen=True)
class Departure:
    """One cause on one side: what it changes (None: it is no matter of method), what was found, and what speaks for it.

    `parameter`: which field of the terms must be fixed by the contract for the side to be known; "rate": the deck.
    """

    cause: str
    bend: Bend | None
    parameter: str
    parameters: Mapping[str, Value]
    support: float
    rows: int
    evidence: tuple[Note, ...] = ()
    separates: Note | None = None


@dataclass
class View:
    """The usable records of one bill and the departures found so far; `fit` things are worked out once."""

    bill: Bill
    calls: Calls
    desk: Desk
    unit: int  # the last digit of the side's charges, micro-units
    found: list[Departure] = field(default_factory=list)
    kept: dict[str, object] = field(default_factory=dict)

    @property
    def reference(self) -> Reference:
        """What the side is held against."""
        return self.desk.reference

    @property
    def bends(self) -> list[Bend]:
        """The departures found so far."""
        return [one.bend for one in self.found if one.bend is not None]

    @property
    def tolerance(self) -> int:
        """Return by how much a charge may miss what is expected: hardly where the rounding of costs is known, else by what it may make."""
        return 2 if self.kept.get("tight") else self.grain

    @property
    def grain(self) -> int:
        """Return what rounding alone may make, micro-units."""
        own = self.reference.terms.cost_rounding or CostRounding()
        return int(max(self.unit, 10 ** max(0, 6 - own.digits))) + 2

    def charge(self, bends: Sequence[Bend] | None = None) -> Ints:
        """Return what the calls would cost with these departures (None: those found)."""
        return self.desk.charge(self.bends if bends is None else bends)

    def fits(self, bends: Sequence[Bend] | None = None) -> Bools:
        """Tell which calls cost that, but for rounding."""
        cost = self.charge(bends)
        close: Bools = (cost != MISSING) & (np.abs(self.calls.charge - cost) <= self.tolerance)
        return close

    def prices(self) -> rating.Prices:
        """Return the prices with the departures found."""
        return self.desk.prices(self.bends)[0]

    def part(self, which: Ints | Bools) -> "View":
        """Return a view of some calls with the same departures."""
        calls = self.calls.part(which)
        return replace(self, calls=calls, desk=Desk(calls, self.reference), kept={})


def last_digit(charge: Ints) -> int:
    """Return the unit of the last digit that charges are written in, micro-units: the largest of which 98 % are multiples."""
    some = charge[charge != 0]
    for digits in range(7):
        unit: int = 10 ** (6 - digits)
        if some.size and np.mean(some % unit == 0) >= 0.98:
            return unit
    return 1


def view_of(bill: Bill, calls: Calls, reference: Reference) -> View:
    """Return the view of a bill's usable records."""
    usable = calls.part(calls.usable)
    return View(bill, usable, Desk(usable, reference), last_digit(usable.charge))


def exact_cost(view: View) -> tuple[Floats, Floats, Ints]:
    """Return per call what its minutes cost (rate · billed), its fee, in micro-units unrounded, and its billed seconds."""
    prices, terms = view.desk.prices(view.bends)
    seconds = rating.billed_ms(view.calls.duration_ms, terms, prices) // 1000
    known = prices.rate_nano != MISSING
    minutes = np.where(known, prices.rate_nano.astype(np.float64) * seconds / 60_000, np.nan)
    tax = 1.0 + float(terms.tax_ratio or 0)
    return minutes * tax, np.where(seconds > 0, prices.fee_micro * tax, 0.0), seconds


def told_fee(reference: Reference) -> int:
    """Return the reference's connection fee, micro-units."""
    return 0 if reference.terms.connection_fee is None else micro(reference.terms.connection_fee)
