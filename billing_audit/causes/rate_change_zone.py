"""`rate_change_zone`: prices differ only within hours of their effective date: the side takes the date in another zone."""

from dataclasses import dataclass, replace

import numpy as np

from billing_audit import rating
from billing_audit.causes.rate_change import HOUR
from billing_audit.infer.machine import Calls, Reference, Straight, priced
from billing_audit.infer.table import wall
from billing_audit.infer.view import FEW, Bools, Departure, View
from billing_audit.ledger import MISSING, Note, Value

CODE = "rate_change_zone"
HALF = HOUR // 2
REACH = 26 * HOUR  # no two zones lie further apart


@dataclass(frozen=True)
class Bend(Straight):
    """Prices are looked up as if calls started so much later (below zero: earlier)."""

    late_ms: int
    dates: tuple[int, ...] = ()  # effective times (ms) that are taken so; (): all

    def prices(self, prices: rating.Prices, calls: Calls, reference: Reference) -> rating.Prices:
        """Return the prices of that other time; a band stays that of the call's start."""
        deck = reference.deck
        if deck is None:
            return prices
        row = deck.lookup(calls.callee, calls.start_ms - self.late_ms)
        moved = (row != prices.row) & (row >= 0) & (prices.row >= 0) & (prices.rate_nano != MISSING)
        if self.dates:
            begin = deck.from_ms[np.where(self.late_ms > 0, prices.row, row)]
            moved &= np.isin(begin, self.dates)
        rate = prices.rate_nano.copy()
        rate[moved] = priced(rate[moved], deck.rate_nano[prices.row[moved]], deck.rate_nano[row[moved]])
        return replace(prices, rate_nano=rate, band_rates=())


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
    dates = _dates(part, Bend(late), fits)
    return _departure(Bend(late, dates), dates, top, before, near.size, values, view.reference.zone)


def _dates(part: View, bend: Bend, fits: Bools) -> tuple[int, ...]:
    """Return the effective times that are taken late: those near which more calls fit so."""
    deck = part.reference.deck
    assert deck is not None
    calls = part.calls
    plain, other = deck.lookup(calls.callee, calls.start_ms), deck.lookup(calls.callee, calls.start_ms - bend.late_ms)
    now = part.fits([*part.bends, bend])
    begin = deck.from_ms[np.where(bend.late_ms > 0, plain, other)]
    told = (plain != other) & (plain >= 0) & (other >= 0)
    dates = np.unique(begin[told])
    return tuple(int(at) for at in dates if int(now[told & (begin == at)].sum()) > int(fits[told & (begin == at)].sum()))


def _departure(bend: Bend, dates: tuple[int, ...], top: int, before: int, near: int, values: dict[str, Value], zone: str) -> Departure:
    hours = bend.late_ms / HOUR
    effective = max(dates, default=0)
    return Departure(
        CODE,
        bend,
        "rate",
        {"hours_late": hours, "effective": wall(effective, zone)},
        top / near,
        top - before,
        (Note("audit.evidence.rate_change_zone", values),),
        Note("audit.evidence.separates.rate_change_zone", {"hours": hours}),
    )
