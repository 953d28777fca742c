"""`rate_change_zone`: prices differ only within hours of their effective date: the side takes the date in another zone."""

from dataclasses import dataclass

import numpy as np

from billing_audit.causes.rate_change import HOUR
from billing_audit.infer.machine import Straight
from billing_audit.infer.view import FEW, Departure, View
from billing_audit.ledger import Note, Value

CODE = "rate_change_zone"
HALF = HOUR // 2
REACH = 26 * HOUR  # no two zones lie further apart


@dataclass(frozen=True)
class Bend(Straight):
    """Prices are looked up as if calls started so much later (below zero: earlier)."""

    late_ms: int

    def shift_ms(self) -> int:
        """Return what is added to starts."""
        return -self.late_ms


def find(view: View) -> Departure | None:
    """Return the departure of the date's zone: the shift by which most calls near an effective date fit."""
    deck = view.reference.deck
    if deck is None or not np.any(deck.before(np.arange(len(deck))) >= 0):
        return None
    calls = view.calls
    near = np.flatnonzero(deck.lookup(calls.callee, calls.start_ms - REACH) != deck.lookup(calls.callee, calls.start_ms + REACH))
    if near.size < FEW:
        return None
    part = view.part(near)
    fits = part.fits()
    before = int(fits.sum())
    if near.size - before < FEW:
        return None
    sums = {late: int(part.fits([*view.bends, Bend(late)]).sum()) for late in range(-REACH, REACH + 1, HALF) if late}
    top = max(sums.values())
    if top - before < max(FEW, 0.5 * (near.size - before)) or top < 0.6 * near.size:
        return None
    best = sorted(late for late, hits in sums.items() if hits == top)
    whole = [late for late in best if late % HOUR == 0] or best
    late = whole[len(whole) // 2]
    hours = late / HOUR
    values: dict[str, Value] = {"hours": hours, "rows": top - before, "near": int(near.size), "fit": top, "before": before}
    rows = deck.lookup(calls.callee[near], calls.start_ms[near])
    begin = deck.from_ms[rows[(rows >= 0) & ~fits]]
    effective = int(np.max(begin, initial=0))
    return Departure(
        CODE,
        Bend(late),
        "rate",
        {"hours_late": hours, "effective": str(np.datetime64(effective, "ms")) + "Z"},
        top / near.size,
        top - before,
        (Note("audit.evidence.rate_change_zone", values),),
        Note("audit.evidence.separates.rate_change_zone", {"hours": hours}),
    )
