"""A side's way of charging as the reference (contract, deck) and what departs from it: each departure can be repaired alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from billing_audit import rating
from billing_audit.decks.deck import Deck
from billing_audit.ledger import MISSING
from billing_audit.money import divide, divide_one
from billing_audit.terms import CostRounding, Terms

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
SAFE = 1 << 54  # nano-units · seconds: sums below it are priced in int64 by rating


@dataclass(frozen=True)
class Reference:
    """What both bills are held against. `fixed`: parameters (fields of Terms, "rate", "scale") that contract or deck say."""

    deck: Deck | None
    terms: Terms
    zone: str
    fixed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Calls:
    """Records of one side: numbers, starts on our clock, talk, billed time and charge; `usable`: answered, whole, with a charge."""

    callee: Ints
    start_ms: Ints
    duration_ms: Ints
    billed_ms: Ints
    charge: Ints
    answered: Ints
    parts: Ints
    gateway: Ints
    told_rate: Ints

    @property
    def usable(self) -> Bools:
        """Tell which records a method can be learned from."""
        good: Bools = (self.charge != MISSING) & (self.duration_ms > 0) & (self.answered != 0) & (self.parts <= 1)
        return good

    def part(self, which: Ints | Bools | slice) -> "Calls":
        """Return some of the records."""
        return Calls(**{name: getattr(self, name)[which] for name in _COLUMNS})


_COLUMNS = ("callee", "start_ms", "duration_ms", "billed_ms", "charge", "answered", "parts", "gateway", "told_rate")


class Bend(Protocol):
    """One departure: what it changes in the terms, in the time by which prices are looked up, and in the prices."""

    def terms(self, terms: Terms) -> Terms:
        """Return the terms with the departure."""
        ...

    def shift_ms(self) -> int:
        """Return by how much the clock of the deck's dates is ahead of the contract's."""
        ...

    def prices(self, prices: rating.Prices, calls: Calls, reference: Reference) -> rating.Prices:
        """Return the prices with the departure."""
        ...

    def scale(self) -> Fraction:
        """Return the ratio on everything."""
        ...


class Straight:
    """A departure that changes nothing: what the others are made from."""

    def terms(self, terms: Terms) -> Terms:
        """Return the terms as they are."""
        return terms

    def shift_ms(self) -> int:
        """Return 0."""
        return 0

    def prices(self, prices: rating.Prices, calls: Calls, reference: Reference) -> rating.Prices:
        """Return the prices as they are."""
        return prices

    def scale(self) -> Fraction:
        """Return 1."""
        return Fraction(1)


@dataclass
class Desk:
    """Prices calls by the reference and departures; keeps looked-up prices, which cost most, while the same calls are priced again."""

    calls: Calls
    reference: Reference
    _kept: dict[tuple[object, ...], rating.Prices] = field(default_factory=dict)

    def prices(self, bends: Sequence[Bend]) -> tuple[rating.Prices, Terms]:
        """Return the prices of all calls and the terms under these departures."""
        terms = self.reference.terms
        for bend in bends:
            terms = bend.terms(terms)
        shift = sum(bend.shift_ms() for bend in bends)
        key = (shift, terms.bands, terms.band_boundary, terms.connection_fee, terms.minimum_s, terms.increment_s, terms.free_s)
        if key not in self._kept:
            if len(self._kept) >= 4:
                self._kept.clear()
            self._kept[key] = self._looked_up(shift, terms)
        prices = self._kept[key]
        for bend in bends:
            prices = bend.prices(prices, self.calls, self.reference)
        return prices, terms

    def _looked_up(self, shift: int, terms: Terms) -> rating.Prices:
        calls, deck = self.calls, self.reference.deck
        found = rating.prices(calls.callee, calls.start_ms, deck, terms, self.reference.zone)
        if not shift or deck is None or not len(deck):
            return found
        row = deck.lookup(calls.callee, calls.start_ms + shift)
        moved = (row != found.row) & (row >= 0) & (found.row >= 0) & (found.rate_nano != MISSING)
        rate = found.rate_nano.copy()
        rate[moved] = priced(rate[moved], deck.rate_nano[found.row[moved]], deck.rate_nano[row[moved]])
        return replace(found, rate_nano=rate, band_rates=())

    def billed_ms(self, bends: Sequence[Bend]) -> Ints:
        """Return billed time; nothing for what was not answered."""
        prices, terms = self.prices(bends)
        return np.where(self.calls.answered == 0, 0, rating.billed_ms(self.calls.duration_ms, terms, prices))

    def charge(self, bends: Sequence[Bend]) -> Ints:
        """Return charges in micro-units, MISSING where there is no price."""
        prices, terms = self.prices(bends)
        billed = np.where(self.calls.answered == 0, 0, rating.billed_ms(self.calls.duration_ms, terms, prices))
        scale = Fraction(1)
        for bend in bends:
            scale *= bend.scale()
        if scale == 1:
            return rating.charge(billed, self.calls.start_ms, terms, prices, self.reference.zone)
        return _scaled(billed, self.calls.start_ms, terms, prices, self.reference.zone, scale)


def priced(rate: Ints, old: Ints | np.int64, new: Ints | np.int64) -> Ints:
    """Return new prices that keep the band's ratio of the old one, to nano-units."""
    same = rate == old
    scaled = np.rint(rate.astype(np.float64) / np.maximum(old, 1) * new).astype(np.int64)
    return np.where(same, new, scaled)


def _scaled(billed: Ints, start_ms: Ints, terms: Terms, prices: rating.Prices, zone: str, scale: Fraction) -> Ints:
    """Return charges with a ratio on everything, rounded once, after it: prices are enlarged so that no digit is lost before."""
    rounding = terms.cost_rounding or CostRounding()
    absolute = terms.max_cost is not None or any(step.rate is not None for step in terms.steps)
    largest = int(prices.rate_nano.max(initial=0)) * (int(billed.max(initial=0)) // 1000 + 1)
    enlarged = scale.numerator if not absolute and largest * scale.numerator < SAFE else 1
    larger = replace(
        prices,
        rate_nano=np.where(prices.rate_nano == MISSING, MISSING, prices.rate_nano * enlarged),
        fee_micro=prices.fee_micro * enlarged,
        band_rates=tuple(np.where(rate == MISSING, MISSING, rate * enlarged) for rate in prices.band_rates),
    )
    fine = msgspec.structs.replace(terms, cost_rounding=CostRounding(6, rounding.mode))
    raw = rating.charge(billed, start_ms, fine, larger, zone)
    known = np.where(raw == MISSING, 0, raw)
    rest = scale / enlarged
    unit = 10 ** max(0, 6 - rounding.digits)
    if int(np.abs(known).max(initial=0)) * rest.numerator >= 1 << 62:
        cost = np.array([divide_one(int(one) * rest.numerator, rest.denominator * unit, rounding.mode) for one in known], np.int64)
    else:
        cost = divide(known * rest.numerator, rest.denominator * unit, rounding.mode)
    return np.where(raw == MISSING, MISSING, cost * unit)
