"""The scalar reference: one call in fractions, second by second. Written for reading, not for speed; `rating` must agree with it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import msgspec

from billing_audit.ledger import MISSING
from billing_audit.terms import CostRounding, Mode, Terms

if TYPE_CHECKING:
    from billing_audit.decks.deck import Deck
    from billing_audit.rating import Prices

LONGEST_MS: Final = 40 * 86_400_000
MICRO: Final = 10**6
NANO: Final = 10**9
_EARLIEST_MS: Final = -25_000 * 86_400_000  # 1901 … 2134: no call is outside
_LATEST_MS: Final = 60_000 * 86_400_000


class Price(msgspec.Struct, frozen=True):
    """The price of one call; a rate is None where there is none. `band_rates` is () where the whole call has the rate."""

    rate_nano: int | None
    minimum_s: int = 0
    increment_s: int = 1
    fee_micro: int = 0
    free_s: int = 0
    row: int = -1
    band: int = -1
    band_rates: tuple[int | None, ...] = ()


class Exact(msgspec.Struct, frozen=True):
    """One call rated: billed time, the cost in units of money before cap, tax and the call's rounding, the charge; None: MISSING."""

    price: Price
    billed_ms: int | None
    cost: Fraction | None
    charge_micro: int | None


def exact(callee: str, start_ms: int, duration_ms: int, deck: "Deck | None", terms: Terms, zone: str) -> Exact:
    """Return one call rated: the callee's digits as in the deck."""
    price = price_for(callee, start_ms, deck, terms, zone)
    time_ms = billed(duration_ms, terms, price)
    if time_ms is None:
        return Exact(price, None, None, None)
    cost = cost_of(time_ms, start_ms, terms, price, zone)
    return Exact(price, time_ms, cost, None if cost is None else settled(cost, time_ms, terms))


def price_for(callee: str, start_ms: int, deck: "Deck | None", terms: Terms, zone: str) -> Price:
    """Return the price of one call by looking at every row of the deck."""
    band = _band(start_ms, terms, zone)
    held = None if band < 0 else terms.bands[band]
    name = held.name if held is not None and held.rate is None and held.ratio is None else None
    row = _row(callee, start_ms, deck, name)
    rates: list[int | None] = []
    for index in range(-1, len(terms.bands)):
        own = None if index < 0 else terms.bands[index]
        by_deck = own is not None and own.rate is None and own.ratio is None
        of_row = _rate(deck, _row(callee, start_ms, deck, own.name if own is not None and by_deck else None))
        rates.append(of_row if own is None else _priced(of_row, own.rate, own.ratio))

    def told(column: str, otherwise: int) -> int:
        value = MISSING if deck is None or row < 0 else int(getattr(deck, column)[row])
        return otherwise if value == MISSING else value

    fee = 0 if terms.connection_fee is None else int(terms.connection_fee * MICRO)
    return Price(
        rates[band + 1],
        told("minimum_s", terms.minimum_s or 0),
        told("increment_s", terms.increment_s or 1),
        told("fee_micro", fee),
        told("free_s", terms.free_s or 0),
        row,
        band,
        tuple(rates) if terms.bands and terms.band_boundary == "split" else (),
    )


def price_of(prices: "Prices", at: int) -> Price:
    """Return one call's price out of the vectorised ones."""

    def known(rate: int) -> int | None:
        return None if rate == MISSING else rate

    return Price(
        known(int(prices.rate_nano[at])),
        int(prices.minimum_s[at]),
        int(prices.increment_s[at]),
        int(prices.fee_micro[at]),
        int(prices.free_s[at]),
        int(prices.row[at]),
        int(prices.band[at]),
        tuple(known(int(rates[at])) for rates in prices.band_rates),
    )


def _row(callee: str, start_ms: int, deck: "Deck | None", band: str | None) -> int:
    best, best_key = -1, (-1, False, -1 << 70, -1)
    for row in range(0 if deck is None else len(deck)):
        assert deck is not None
        prefix, begins, ends = str(deck.prefix[row])[1:], int(deck.from_ms[row]), int(deck.to_ms[row])
        of = int(deck.band[row])
        banded = of >= 0 and deck.bands[of] == band
        if not callee.startswith(prefix) or not (of < 0 or banded) or begins > start_ms or (ends != MISSING and start_ms >= ends):
            continue
        key = (len(prefix), banded, begins, row)
        if key > best_key:
            best, best_key = row, key
    return best


def _rate(deck: "Deck | None", row: int) -> int | None:
    value = MISSING if deck is None or row < 0 else int(deck.rate_nano[row])
    return None if value == MISSING else value


def _priced(rate: int | None, own: Decimal | None, ratio: Decimal | None) -> int | None:
    if own is not None:
        return int(own * NANO)
    if ratio is None or rate is None:
        return rate
    return rounded(rate * Fraction(ratio), "half_up")


def _band(at_ms: int, terms: Terms, zone: str) -> int:
    if at_ms == MISSING:
        return -1
    at_ms = max(_EARLIEST_MS, min(at_ms, _LATEST_MS))
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)).astimezone(ZoneInfo(zone))
    for index, band in enumerate(terms.bands):
        for back in (0, 1):  # a band that began today, or yesterday and went over midnight
            day = local.date() - timedelta(days=back)
            dates_only = band.dates and band.weekdays == (0, 1, 2, 3, 4, 5, 6)
            if day not in band.dates and (dates_only or day.weekday() not in band.weekdays):
                continue
            begins = datetime.combine(day, band.start)
            ends = datetime.combine(day if band.end > band.start else day + timedelta(days=1), band.end)
            if begins <= local.replace(tzinfo=None) < ends:
                return index
    return -1


def billed(duration_ms: int, terms: Terms, price: Price) -> int | None:
    """Return the time one call is billed for, in ms."""
    if duration_ms == MISSING:
        return None
    talk = _talk(max(duration_ms, 0), terms)
    if talk == 0 or (terms.grace_s and talk <= terms.grace_s):
        return 0
    talk -= price.free_s
    if talk <= 0:
        return 0
    if talk <= price.minimum_s:
        return price.minimum_s * 1000
    begin, increment = (0 if terms.anchor == "from_zero" else price.minimum_s), price.increment_s
    for step in terms.steps:
        if talk > step.from_s and step.increment_s is not None:
            begin, increment = step.from_s, step.increment_s
    return (begin + ceil(Fraction(talk - begin, increment)) * increment) * 1000


def _talk(duration_ms: int, terms: Terms) -> int:
    told = terms.duration_rounding
    if told is not None and told.hold_ms is not None:
        return duration_ms // 1000 + (duration_ms % 1000 >= max(told.hold_ms, 1))
    return rounded(Fraction(duration_ms, 1000), "up" if told is None else told.mode)


def cost_of(billed_ms: int, start_ms: int, terms: Terms, price: Price, zone: str) -> Fraction | None:
    """Return the cost in units of money before cap, tax and the call's rounding; None without a price."""
    if billed_ms <= 0:
        return Fraction(0)
    pieces = _seconds(billed_ms, start_ms, terms, price, zone)
    if any(rate is None for _, rate, _ in pieces):
        return None
    told = terms.cost_rounding
    blocks: list[tuple[object, Fraction, int]] = []  # neighbours of one block together
    for length, rate, block in pieces:
        assert rate is not None
        if blocks and blocks[-1][0] == block and blocks[-1][2] == rate:
            blocks[-1] = (block, blocks[-1][1] + length, rate)
        else:
            blocks.append((block, length, rate))
    total = Fraction(price.fee_micro, MICRO)
    for _, length, rate in blocks:
        total += _increment(Fraction(rate, NANO) * length / 60, told)
    return total


def _increment(cost: Fraction, told: CostRounding | None) -> Fraction:
    if told is not None and told.per == "increment":
        return Fraction(rounded(cost * 10 ** min(told.digits, 9), told.mode), 10 ** min(told.digits, 9))
    if told is not None and told.increment_digits is not None:
        return Fraction(rounded(cost * 10 ** min(told.increment_digits, 9), "half_up"), 10 ** min(told.increment_digits, 9))
    return cost


def _seconds(billed_ms: int, start_ms: int, terms: Terms, price: Price, zone: str) -> list[tuple[Fraction, int | None, object]]:
    """Return length, rate and block (the increment it lies in) of every second; the last may be shorter."""
    found: list[tuple[Fraction, int | None, object]] = []
    segment, segment_begin, before = 0, 0, None
    for second in range(ceil(Fraction(billed_ms, 1000))):
        band = _band(start_ms + second * 1000, terms, zone) if price.band_rates else -1
        rate = price.rate_nano
        if price.band_rates:
            rate = None if start_ms == MISSING else price.band_rates[band + 1]
        increment, region = price.increment_s, 0
        if terms.anchor != "from_zero" and second < price.minimum_s:
            increment, region = 1 << 60, -1
        for number, step in enumerate(terms.steps, 1):
            if second >= step.from_s:
                rate = _priced(rate, step.rate, step.ratio)
                region, increment = number, _increment_of(terms, number, price)
        if (band, region) != before:
            segment, segment_begin, before = segment + 1, second, (band, region)
        block = (segment, (second - segment_begin) // increment)
        found.append((min(Fraction(billed_ms - second * 1000, 1000), Fraction(1)), rate, block))
    return found


def _increment_of(terms: Terms, number: int, price: Price) -> int:
    told = [step.increment_s for step in terms.steps[:number] if step.increment_s is not None]
    return told[-1] if told else price.increment_s


def settled(cost: Fraction, billed_ms: int, terms: Terms) -> int | None:
    """Return the charge in micro-units: capped, with tax, rounded; None beyond an int64."""
    if billed_ms <= 0:
        return 0
    if terms.max_cost is not None:
        cost = min(cost, Fraction(terms.max_cost))
    cost *= 1 + Fraction(terms.tax_ratio or 0)
    told = terms.cost_rounding
    digits = 6
    mode: Mode = "half_up"
    if told is not None and told.per == "call":
        digits, mode = min(told.digits, 6), told.mode
    amount = rounded(cost * 10**digits, mode) * 10 ** (6 - digits)
    return amount if abs(amount) < 1 << 63 else None


def charged(billed_ms: int, start_ms: int, terms: Terms, price: Price, zone: str) -> int:
    """Return the charge of a call of any length and price, MISSING without one: `rating` asks for what an int64 can't hold on the way."""
    plain = not terms.steps and not price.band_rates and (terms.cost_rounding is None or terms.cost_rounding.increment_digits is None)
    plain = plain and (terms.cost_rounding is None or terms.cost_rounding.per != "increment")
    if plain or billed_ms > LONGEST_MS:  # second by second only where seconds differ, and not for calls of years
        cost = None if price.rate_nano is None else Fraction(price.rate_nano, NANO) * billed_ms / 60_000 + Fraction(price.fee_micro, MICRO)
    else:
        cost = cost_of(billed_ms, start_ms, terms, price, zone)
    amount = None if cost is None else settled(cost, billed_ms, terms)
    return MISSING if amount is None else amount


def rounded(value: Fraction, mode: Mode) -> int:
    """Return a fraction as a whole number."""
    size = abs(value)
    below = floor(size)
    rest = size - below
    match mode:
        case "up":
            below += rest > 0
        case "half_up":
            below += rest >= Fraction(1, 2)
        case "half_even":
            below += rest > Fraction(1, 2) or (rest == Fraction(1, 2) and below % 2 == 1)
        case "down":
            pass
    return -below if value < 0 else below
