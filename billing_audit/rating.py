"""What a call costs by a deck and terms: price, billed time, charge, vectorised; `exact` is the same for one call, in fractions.

The definition, in order. Talk becomes whole seconds (duration_rounding; without one, up). A call of at most grace_s is free. free_s are
subtracted (below zero: added). What is left, if more than 0, is at least the minimum; beyond it increments begin, counted from the
minimum or from the call's start (`anchor`); within a step that has an increment of its own, from the step's start. 0 seconds cost
nothing, not even the connection fee. The price is the deck's for the longest prefix at the call's start, × the band's ratio or the band's
own, × the step's ratio or the step's own, to nano-units. The sum and the fee, at most max_cost, plus tax, is rounded at last.
MISSING comes of MISSING: no duration, no price, or a charge beyond an int64 of micro-units.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt

from billing_audit import bands, rating_exact, rating_parts
from billing_audit.decks.deck import NONE, Deck
from billing_audit.ledger import MISSING
from billing_audit.money import divide, micro
from billing_audit.rating_exact import exact
from billing_audit.terms import DurationRounding, Terms

__all__ = ["Prices", "Rated", "billed_ms", "charge", "exact", "prices", "rate", "unused_bands", "whole_seconds"]

Whole = npt.NDArray[np.int64]

CHUNK: Final = 1 << 15  # calls at once: a column of them is 256 KiB, so that a step's columns stay in the cache


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """The price of each call: what of deck and terms holds for it. Where none is found the rate is MISSING and the row NONE.

    Not to be written to: a column that is the same for all calls takes the room of one.
    """

    row: Whole  # of the deck
    rate_nano: Whole  # a minute, of the band at the call's start
    minimum_s: Whole
    increment_s: Whole
    fee_micro: Whole
    free_s: Whole
    band: Whole  # of terms.bands, at the call's start; NONE
    band_rates: tuple[
        Whole, ...
    ] = ()  # where a call is split at a boundary: the rate in no band, and in each; () charges rate_nano throughout

    def part(self, which: slice | Whole) -> "Prices":
        """Return the prices of some of the calls."""
        return Prices(
            self.row[which],
            self.rate_nano[which],
            self.minimum_s[which],
            self.increment_s[which],
            self.fee_micro[which],
            self.free_s[which],
            self.band[which],
            tuple(rates[which] for rates in self.band_rates),
        )

    def at_rate(self, rate_nano: Whole) -> "Prices":
        """Return the same with another rate, throughout each call: that of a record, say."""
        return replace(self, rate_nano=rate_nano, band_rates=())


@dataclass(frozen=True, slots=True, eq=False)
class Rated:
    """Calls rated: prices, billed time in ms, charge in micro-units."""

    prices: Prices
    billed_ms: Whole
    charge_micro: Whole


def rate(callee: Whole, start_ms: Whole, duration_ms: Whole, answered: Whole | None, deck: Deck | None, terms: Terms, zone: str) -> Rated:
    """Return calls rated; one that was not answered (0) costs nothing, whatever its duration."""
    found = prices(callee, start_ms, deck, terms, zone)
    billed = billed_ms(duration_ms, terms, found)
    if answered is not None:
        billed = np.where(answered == 0, 0, billed)
    return Rated(found, billed, charge(billed, start_ms, terms, found, zone))


def prices(callee: Whole, start_ms: Whole, deck: Deck | None, terms: Terms, zone: str) -> Prices:
    """Return the price of each call: callee codes with digits as in the deck, starts in ms UTC, bands on the clock of `zone`."""
    count = len(callee)
    band = bands.of_times(start_ms, terms.bands, zone) if terms.bands else _all(NONE, count)
    row, rate_nano = _all(NONE, count), _all(MISSING, count)
    if deck is not None and len(deck):
        named = {name: index for index, name in enumerate(deck.bands)}
        in_deck: Whole | int = NONE
        if terms.bands:  # rows of the deck count for bands that have neither ratio nor rate
            own = [named.get(one.name, NONE) if one.ratio is None and one.rate is None else NONE for one in terms.bands]
            in_deck = np.array([*own, NONE], np.int64)[band]
        row = deck.lookup(callee, start_ms, in_deck)
        known = deck.rate_nano[row]
        rate_nano = known if row.min(initial=0) >= 0 else np.where(row >= 0, known, MISSING)
    band_rates: tuple[Whole, ...] = ()
    if terms.bands:
        if terms.band_boundary == "split":
            band_rates = _band_rates(callee, start_ms, deck, terms)
            rate_nano = np.choose(band + 1, band_rates) if len(band_rates) < 32 else _chosen(band, band_rates)
        else:
            for index, one in enumerate(terms.bands):
                rate_nano = np.where(band == index, rating_parts.priced(rate_nano, one.rate, one.ratio), rate_nano)
    own_fee = 0 if terms.connection_fee is None else micro(terms.connection_fee)
    return Prices(
        row,
        rate_nano,
        _or_terms(deck, "minimum_s", row, terms.minimum_s or 0),
        _or_terms(deck, "increment_s", row, terms.increment_s or 1),
        _or_terms(deck, "fee_micro", row, own_fee),
        _or_terms(deck, "free_s", row, terms.free_s or 0),
        band,
        band_rates,
    )


def _chosen(band: Whole, rates: tuple[Whole, ...]) -> Whole:
    found = rates[0].copy()
    for index, of_band in enumerate(rates[1:]):
        found[band == index] = of_band[band == index]
    return found


def _band_rates(callee: Whole, start_ms: Whole, deck: Deck | None, terms: Terms) -> tuple[Whole, ...]:
    """Return the rate of each call outside all bands and within each of them."""
    deck = deck if deck is not None and len(deck) else None
    base = np.full(len(callee), MISSING, np.int64)
    if deck is not None:
        row = deck.lookup(callee, start_ms)
        base = np.where(row >= 0, deck.rate_nano[row], MISSING)
    rates = [base]
    for one in terms.bands:
        if one.rate is None and one.ratio is None and deck is not None and one.name in deck.bands:
            row = deck.lookup(callee, start_ms, deck.bands.index(one.name))
            rates.append(np.where(row >= 0, deck.rate_nano[row], MISSING))
        else:
            rates.append(rating_parts.priced(base, one.rate, one.ratio))
    return tuple(rates)


def unused_bands(deck: Deck, terms: Terms) -> tuple[str, ...]:
    """Return the bands of a deck whose prices never hold: the terms have no band of that name, or one with a ratio or rate of its own."""
    used = {one.name for one in terms.bands if one.ratio is None and one.rate is None}
    return tuple(name for name in deck.bands if name not in used)


def _all(value: int, count: int) -> Whole:
    """Return the same value for all calls, in the room of one (not to be written to): whole columns cost more than rating does."""
    return np.broadcast_to(np.int64(value), count)


def _or_terms(deck: Deck | None, name: str, row: Whole, otherwise: int) -> Whole:
    """Return what the deck's rows say, and the terms' value where they do not."""
    column: Whole | None = None if deck is None else getattr(deck, name)
    if column is None or not len(column) or column.max() == MISSING:
        return _all(otherwise, len(row))
    told = np.where(row >= 0, column[row], MISSING)
    return np.where(told == MISSING, otherwise, told)


def billed_ms(duration_ms: Whole, terms: Terms, prices: Prices) -> Whole:
    """Return the time that each call is charged for, in ms: whole seconds; MISSING for MISSING."""
    out = np.empty(len(duration_ms), np.int64)
    for low in range(0, len(out), CHUNK):
        part = slice(low, low + CHUNK)
        out[part] = _billed(duration_ms[part], terms, prices.minimum_s[part], prices.increment_s[part], prices.free_s[part])
    return out


def _billed(duration_ms: Whole, terms: Terms, minimum: Whole, increment: Whole, free: Whole) -> Whole:
    seconds = whole_seconds(duration_ms, terms.duration_rounding)
    left = seconds
    if len(free) and (free.min() != 0 or free.max() != 0):
        left = np.where(seconds > 0, np.maximum(seconds - free, 0), 0)
    if terms.grace_s:
        left = np.where(seconds <= terms.grace_s, 0, left)
    least = minimum
    if terms.anchor == "from_zero":
        billed = np.maximum(up_to(left, increment), least)
        billed = np.where(left <= least, least, billed)
    else:
        billed = least + up_to(np.maximum(left - least, 0), increment)
    for step in terms.steps:
        if step.increment_s is not None:  # a step without one goes on with that of the step before it
            stepped = step.from_s + up_to(left - step.from_s, np.full(1, step.increment_s, np.int64))
            billed = np.where((left > step.from_s) & (left > least), stepped, billed)
    billed = np.where(left > 0, billed * 1000, 0)
    return np.where(duration_ms == MISSING, MISSING, billed) if len(billed) and duration_ms.min() == MISSING else billed


def whole_seconds(duration_ms: Whole, rounding: DurationRounding | None) -> Whole:
    """Return talk as whole seconds; 0 for what is below 0 or MISSING."""
    talk = np.maximum(duration_ms, 0)
    if rounding is not None and rounding.hold_ms is None and rounding.mode == "half_even":
        return divide(talk, 1000, "half_even")
    seconds = talk // 1000
    up: Whole = seconds + (talk - seconds * 1000 >= hold_of(rounding))
    return up


def hold_of(rounding: DurationRounding | None) -> int:
    """Return from how many ms over a second on it becomes the next one: 1 for up, 1000 for down (half_even is told otherwise)."""
    if rounding is None:
        return 1
    if rounding.hold_ms is not None:
        return max(rounding.hold_ms, 1)
    return {"up": 1, "half_up": 500, "half_even": 500, "down": 1000}[rounding.mode]


def up_to(seconds: Whole, increment: Whole) -> Whole:
    """Return seconds rounded up to whole increments (≥ 1)."""
    if not len(seconds):
        return seconds
    one = int(increment[0])
    if (increment == one).all():  # dividing by a scalar is three times as fast
        return seconds if one <= 1 else -(-seconds // one) * one
    return -(-seconds // increment) * increment


def charge(billed_ms: Whole, start_ms: Whole, terms: Terms, prices: Prices, zone: str) -> Whole:
    """Return what each call costs in micro-units for the time it is billed for: 0 for 0, MISSING without time or price."""
    out = np.empty(len(billed_ms), np.int64)
    for low in range(0, len(out), CHUNK):
        part = slice(low, low + CHUNK)
        out[part] = _charged(billed_ms[part], start_ms[part], terms, prices.part(part), zone)
    return out


def _charged(billed: Whole, start_ms: Whole, terms: Terms, prices: Prices, zone: str) -> Whole:
    no_time = billed == MISSING
    aside = rating_parts.too_large(billed, terms, prices.band_rates or (prices.rate_nano,), prices.fee_micro)
    whole = np.where(no_time | aside, 0, billed)
    sums, scale, unknown = rating_parts.sums(whole, start_ms, terms, prices, zone)
    cost = np.where(whole > 0, _finished(sums, scale, terms), 0)
    cost[no_time | unknown] = MISSING
    for at in np.flatnonzero(aside & ~no_time).tolist():
        cost[at] = rating_exact.charged(int(billed[at]), int(start_ms[at]), terms, rating_exact.price_of(prices, at), zone)
    return cost


def _finished(sums: Whole, scale: int, terms: Terms) -> Whole:
    """Return sums / scale micro-units, capped, taxed and rounded."""
    if terms.max_cost is not None:
        sums = np.minimum(sums, micro(terms.max_cost) * scale)
    digits, mode = rating_parts.rounding_of(terms)
    unit = int(10 ** (6 - digits))
    top, bottom = (1 + (terms.tax_ratio or Decimal(0))).as_integer_ratio()
    share = Fraction(top, bottom * scale * unit)
    rounded: Whole = divide(sums * share.numerator if share.numerator != 1 else sums, share.denominator, mode) * unit
    return rounded
