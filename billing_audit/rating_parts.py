"""The sum that a call costs before cap, tax and rounding: one product in the plain case, and the parts of steps, bands and increments."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from billing_audit import bands
from billing_audit.ledger import MISSING
from billing_audit.money import divide, micro, nano
from billing_audit.terms import Mode, Terms

Whole = npt.NDArray[np.int64]
Truth = npt.NDArray[np.bool_]

LIMIT: Final = 1 << 61  # numerators stay below; what is above is computed call by call in Python's whole numbers
MOST_RATE_DIGITS: Final = 9  # increments are rounded to nano-units at the finest
_FOREVER: Final = 1 << 40  # seconds


class Priced(Protocol):
    """What `rating.Prices` has."""

    @property
    def rate_nano(self) -> Whole:
        """Nano-units a minute."""
        ...

    @property
    def minimum_s(self) -> Whole:
        """Seconds."""
        ...

    @property
    def increment_s(self) -> Whole:
        """Seconds."""
        ...

    @property
    def fee_micro(self) -> Whole:
        """Micro-units."""
        ...

    @property
    def band_rates(self) -> tuple[Whole, ...]:
        """Nano-units a minute, outside all bands and in each."""
        ...


def priced(rate_nano: Whole, own: Decimal | None, ratio: Decimal | None) -> Whole:
    """Return a band's or step's price: its own, or the deck's times its ratio (to nano-units, a tie away from zero), or the deck's."""
    if own is not None:
        return np.full(len(rate_nano), nano(own), np.int64)
    if ratio is None:
        return rate_nano
    top, bottom = ratio.as_integer_ratio()
    known = rate_nano != MISSING
    base = np.where(known, rate_nano, 0)
    if len(base) and int(np.abs(base).max()) * abs(top) > LIMIT:
        product = np.array([clipped(int(one) * top // bottom) for one in base.tolist()], np.int64)
    else:
        product = divide(base * top, bottom, "half_up")
    return np.where(known, product, MISSING)


def clipped(value: int) -> int:
    """Return a whole number, MISSING where an int64 can't hold it."""
    return value if -(1 << 63) < value < 1 << 63 else MISSING


def rounding_of(terms: Terms) -> tuple[int, Mode]:
    """Return places and direction in which a call's charge is rounded: to micro-units where increments or the bill are rounded."""
    rounding = terms.cost_rounding
    if rounding is None or rounding.per != "call":
        return 6, "half_up"
    return min(rounding.digits, 6), rounding.mode


def increments_of(terms: Terms) -> tuple[int, Mode] | None:
    """Return places and direction in which each increment is rounded before they are added; None where it is not."""
    rounding = terms.cost_rounding
    if rounding is None:
        return None
    if rounding.per == "increment":
        return min(rounding.digits, MOST_RATE_DIGITS), rounding.mode
    return None if rounding.increment_digits is None else (min(rounding.increment_digits, MOST_RATE_DIGITS), "half_up")


def too_large(billed_ms: Whole, terms: Terms, rates: tuple[Whole, ...], fee_micro: Whole) -> Truth:
    """Tell which calls' numerators might pass LIMIT: hung calls of years, or prices of a deck in the wrong unit."""
    none = np.zeros(len(billed_ms), np.bool_)
    if not len(none):
        return none
    time, minute = _time(np.where(billed_ms == MISSING, 0, billed_ms))
    highest = [_size(one) for one in rates]
    step_rate = max([0, *(abs(nano(step.rate)) for step in terms.steps if step.rate is not None)])
    ratio = int(1 + max([Decimal(0), *(abs(step.ratio) for step in terms.steps if step.ratio is not None)]))
    tax = abs((1 + (terms.tax_ratio or Decimal(0))).as_integer_ratio()[0])
    cap = 0 if terms.max_cost is None else abs(micro(terms.max_cost)) * minute * 1000
    if max(max(*highest, step_rate) * ratio * _size(time) + _size(fee_micro) * minute * 1000, cap) * tax < LIMIT:
        return none
    rate = np.max([np.where(one == MISSING, 0, np.abs(one)).astype(np.float64) for one in rates], axis=0)
    size = np.maximum(rate, float(step_rate)) * float(ratio) * time + np.abs(fee_micro).astype(np.float64) * float(minute * 1000)
    large: Truth = (size * float(tax) > float(LIMIT) / 2) | (cap * tax > LIMIT)
    return large


def _time(billed_ms: Whole) -> tuple[Whole, int]:
    """Return times and how many of them are a minute: seconds where all are whole, which leaves room for a thousand times more."""
    seconds = billed_ms // 1000
    return (seconds, 60) if (seconds * 1000 == billed_ms).all() else (billed_ms, 60_000)


def _size(values: Whole) -> int:
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    if low == MISSING:
        low = int(np.where(values == MISSING, 0, values).min())
    return max(-low, high)


def sums(billed_ms: Whole, start_ms: Whole, terms: Terms, prices: Priced, zone: str) -> tuple[Whole, int, Truth]:
    """Return what calls cost, times the second value, in micro-units; and which can't be told since a part has no price."""
    time, minute = _time(billed_ms)
    staged = increments_of(terms)
    if not terms.steps and not prices.band_rates and staged is None:
        unknown = (prices.rate_nano == MISSING) & (time > 0)
        rate = np.where(unknown, 0, prices.rate_nano)
        return rate * time + prices.fee_micro * (minute * 1000), minute * 1000, unknown
    scale = 1000 if staged else minute * 1000
    total = prices.fee_micro * scale
    unknown = np.zeros(len(time), np.bool_)
    for which, lasts, told, block in _parts(time, start_ms, terms, prices, zone, minute // 60):
        bare = (told == MISSING) & (lasts > 0)
        unknown[which] |= bare
        rate = np.where(bare | (lasts <= 0), 0, told)
        total[which] += _staged(lasts, rate, block, minute, staged) if staged else rate * lasts
    return total, scale, unknown


def _staged(lasts: Whole, rate: Whole, block: Whole, minute: int, rounding: tuple[int, Mode]) -> Whole:
    """Return nano-units: increments rounded one by one, a last shorter one by itself."""
    digits, mode = rounding
    unit = int(10 ** (9 - digits))
    count = lasts // block
    rest = lasts - count * block
    rounded: Whole = (divide(rate * block, minute * unit, mode) * count + divide(rate * rest, minute * unit, mode)) * unit
    return rounded


def _parts(time: Whole, start_ms: Whole, terms: Terms, prices: Priced, zone: str, unit: int) -> Iterator[tuple[Whole, Whole, Whole, Whole]]:
    """Yield parts of one price each: which calls, how long (in `unit` to the second), the rate, the increment that is rounded there."""
    everyone = np.arange(len(time))
    if not prices.band_rates:
        yield from _regions(everyone, np.zeros(len(time), np.int64), time, prices.rate_nano, terms, prices, unit)
        return
    for which, begin, end, band in bands.parts(start_ms, -(-time // unit), terms.bands, zone):
        rate = np.empty(len(which), np.int64)
        for index, rates in enumerate(prices.band_rates):
            here = band == index - 1
            rate[here] = rates[which[here]]
        yield from _regions(which, begin * unit, np.minimum(end * unit, time[which]), rate, terms, prices, unit)
    nowhen = np.flatnonzero((start_ms == MISSING) & (time > 0))
    if len(nowhen):  # no start: no band is known
        yield nowhen, time[nowhen], np.full(len(nowhen), MISSING, np.int64), np.ones(len(nowhen), np.int64)


def _regions(
    which: Whole, begin: Whole, end: Whole, rate: Whole, terms: Terms, prices: Priced, unit: int
) -> Iterator[tuple[Whole, Whole, Whole, Whole]]:
    """Yield what of each part lies in the minimum, behind it, and in each step."""
    least, block = prices.minimum_s[which] * unit, prices.increment_s[which] * unit
    first = (terms.steps[0].from_s if terms.steps else _FOREVER) * unit
    start = np.minimum(least, first) if terms.anchor != "from_zero" else np.zeros_like(least)
    yield which, _within(begin, end, 0, start), rate, np.maximum(np.minimum(end, start) - begin, 1)
    yield which, _within(begin, end, start, first), rate, block
    for index, step in enumerate(terms.steps):
        until = terms.steps[index + 1].from_s if index + 1 < len(terms.steps) else _FOREVER
        if step.increment_s is not None:
            block = np.full(len(which), step.increment_s * unit, np.int64)
        rate = priced(rate, step.rate, step.ratio)
        yield which, _within(begin, end, step.from_s * unit, until * unit), rate, block


def _within(begin: Whole, end: Whole, low: Whole | int, high: Whole | int) -> Whole:
    length: Whole = np.maximum(np.minimum(end, high) - np.maximum(begin, low), 0)
    return length
