"""`rate_change_zone`: prices differ only within hours of their effective date: the side takes the date in another zone."""

from dataclasses import dataclass, replace

import numpy as np

from billing_audit.causes.rate_change import HOUR, Kept, departure, kept_prices, within_hours
from billing_audit.infer.machine import Straight
from billing_audit.infer.view import FEW, Departure, View
from billing_audit.ledger import Note

CODE = "rate_change_zone"
HALF = HOUR // 2


@dataclass(frozen=True)
class Bend(Straight):
    """Prices are looked up as if calls started so much later (below zero: earlier)."""

    late_ms: int

    def shift_ms(self) -> int:
        """Return what is added to starts."""
        return -self.late_ms


def find(view: View) -> Departure | None:
    """Return the departure of the date's zone."""
    kept = [one for one in kept_prices(view) if within_hours(one)]
    if sum(one.hits for one in kept) < FEW:
        return None
    late = _late(view, kept)
    if late is None:
        return None
    found = departure(view, CODE, kept, Bend(late), Note("audit.evidence.separates.rate_change_zone", {"hours": late / HOUR}))
    return replace(found, parameters={**found.parameters, "hours_late": late / HOUR})


def _late(view: View, kept: list[Kept]) -> int | None:
    """Return the half hours by which the date is late, for which most calls near it fit; None: nothing does."""
    deck = view.reference.deck
    assert deck is not None
    calls = view.calls
    reach = 26 * HOUR
    near = np.flatnonzero(deck.lookup(calls.callee, calls.start_ms - reach) != deck.lookup(calls.callee, calls.start_ms + reach))
    if near.size < FEW:
        return None
    part = view.part(near)
    before = int(part.fits().sum())
    sums = {late: int(part.fits([*view.bends, Bend(late)]).sum()) for late in range(-reach, reach + 1, HALF) if late}
    top = max(sums.values())
    if top - before < FEW or top < 0.6 * near.size:
        return None
    best = sorted((late for late, hits in sums.items() if hits == top), key=lambda late: (late % HOUR != 0, abs(late)))
    whole = [late for late in best if late % HOUR == 0] or best
    whole.sort()
    return whole[len(whole) // 2]
