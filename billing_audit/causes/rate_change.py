"""`rate_change`: from the effective time on the old price still fits (or the new one did before): a notice not put in force."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from billing_audit import rating
from billing_audit.causes.rate import MOST_TOLD, rate_text
from billing_audit.infer.machine import Calls, Reference, Straight, priced
from billing_audit.infer.table import wall
from billing_audit.infer.view import FEW, Departure, View
from billing_audit.ledger import MISSING, Note, Value

CODE = "rate_change"
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
HOUR = 3_600_000
MOST_ZONE = 26 * HOUR  # no two zones lie further apart


@dataclass(frozen=True)
class Bend(Straight):
    """Calls of a deck row that start within [from, to) cost what another row of the same prefix says: (row, other row, from, to)."""

    late: tuple[tuple[int, int, int, int], ...]

    def prices(self, prices: rating.Prices, calls: Calls, reference: Reference) -> rating.Prices:
        """Return the prices with the other rows'."""
        deck = reference.deck
        if deck is None:
            return prices
        rate = prices.rate_nano.copy()
        for row, other, begin, end in self.late:
            hit = (prices.row == row) & (calls.start_ms >= begin) & (calls.start_ms < end) & (rate != MISSING)
            rate[hit] = priced(rate[hit], deck.rate_nano[row], deck.rate_nano[other])
        return replace(prices, rate_nano=rate, band_rates=())


@dataclass(frozen=True)
class Kept:
    """A price that a side kept (or took too early): rows of the deck, until when, how many calls fit it of those in between."""

    row: int
    other: int
    begin: int
    end: int
    hits: int
    of: int
    effective_ms: int


def kept_prices(view: View) -> list[Kept]:
    """Return the prices kept past their end, or taken before their begin, per row of the deck."""
    if "kept" not in view.kept:
        view.kept["kept"] = _kept(view)
    found = view.kept["kept"]
    assert isinstance(found, list)
    return found


def _kept(view: View) -> list[Kept]:
    deck = view.reference.deck
    if deck is None:
        return []
    prices = view.prices()
    odd = ~view.fits() & (prices.row >= 0)
    rows = np.unique(prices.row[odd])
    found = []
    for neighbour, late in ((deck.before(rows), True), (deck.after(rows), False)):
        for row, other in zip(rows.tolist(), neighbour.tolist(), strict=True):
            if other >= 0 and deck.rate_nano[other] != deck.rate_nano[row]:
                one = _of_row(view, prices, odd, row, other, late)
                if one:
                    found.append(one)
    return found


def _of_row(view: View, prices: rating.Prices, odd: Bools, row: int, other: int, late: bool) -> Kept | None:
    deck = view.reference.deck
    assert deck is not None
    members = np.flatnonzero(prices.row == row)
    part = view.part(members)
    effective = int(deck.from_ms[row] if late else deck.from_ms[other])
    everywhere = Bend(((row, other, -(1 << 62), 1 << 62),))
    fits = part.fits([*view.bends, everywhere]) & odd[members]
    if fits.sum() < 2:
        return None
    start = part.calls.start_ms
    if late:  # the other price holds from the effective time until …
        begin, end = effective, int(start[fits].max()) + 1
    else:
        begin, end = int(start[fits].min()), effective
    between = (start >= begin) & (start < end)
    hits = int((fits & between).sum())
    if hits < 0.7 * int((odd[members] & between).sum()) or hits < 0.5 * int(between.sum()):
        return None
    return Kept(row, other, begin, end, hits, int(between.sum()), effective)


def find(view: View) -> Departure | None:
    """Return the prefixes on which the side kept the old price for longer than a zone can explain."""
    kept = [one for one in kept_prices(view) if one.hits >= 3 and not within_hours(one)]
    if sum(one.hits for one in kept) < FEW:
        return None
    return departure(view, CODE, kept, Bend(bounds(kept)), Note("audit.evidence.separates.rate_change"))


def within_hours(one: Kept) -> bool:
    """Tell whether all the calls at the other price lie so near the effective time that another zone explains them."""
    return one.end - one.begin <= MOST_ZONE


def bounds(kept: list[Kept]) -> tuple[tuple[int, int, int, int], ...]:
    """Return from and to when the other prices hold."""
    return tuple((one.row, one.other, one.begin, one.end) for one in kept)


def departure(view: View, code: str, kept: list[Kept], bend: Straight, separates: Note) -> Departure:
    """Return the departure of prices that hold from another time on."""
    deck = view.reference.deck
    assert deck is not None
    told = sorted(kept, key=lambda one: (-one.hits, one.row))[:MOST_TOLD]
    notes = tuple(
        Note(
            "audit.evidence.rate_change",
            {
                "prefix": deck.prefix_text(one.row),
                "found": rate_text(int(deck.rate_nano[one.other])),
                "deck": rate_text(int(deck.rate_nano[one.row])),
                "rows": one.hits,
                "of": one.of,
                "at": wall(one.effective_ms, view.reference.zone),
            },
        )
        for one in told
    )
    hits, of = sum(one.hits for one in kept), sum(one.of for one in kept)
    parameters: dict[str, Value] = {
        "prefixes": " ".join(deck.prefix_text(one.row) for one in told),
        "count": len(kept),
        "effective": wall(kept[0].effective_ms, view.reference.zone),
    }
    return Departure(code, bend, "rate", parameters, hits / max(1, of), hits, notes, separates)
