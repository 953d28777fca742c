"""A deck where none was given: prices a minute that records say, or that charges imply, by as few prefixes as can be."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from billing_audit import bands, numbers
from billing_audit.decks.deck import Deck, build
from billing_audit.infer.amount import mode_of, plainest
from billing_audit.infer.machine import Calls
from billing_audit.infer.seconds import billed, from_charges, lines, of_terms, spread
from billing_audit.infer.view import last_digit
from billing_audit.ledger import MISSING
from billing_audit.money import micro
from billing_audit.terms import Terms

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ENOUGH: Final = 100  # usable rows from which on something is inferred
LONGEST: Final = 9  # digits of an inferred prefix
MOST_PREFIXES: Final = 20_000
DATED: Final = 5  # calls at another price from which on a date is looked for
SPLIT: Final = 0.95  # of the rows on either side of a date must cost its price
SPREAD: Final = 3  # areas (first three digits) on which a ratio must come again to be a band's
RATIOS: Final = 3  # bands that are looked for
WELLS: Final = 16
LEAD: Final = 5  # digits that mostly have one price


@dataclass(frozen=True)
class Rule:
    """When a longer prefix, or a date, is believed: how many rows it must explain that without it are not, and which share of its own."""

    gain: int
    pure: float
    zone: str = ""  # whose midnights are dates of change; "": none are looked for


COARSE: Final = Rule(12, 0.45)  # while bands are not known: nights must not look like prefixes


@dataclass(frozen=True)
class Rows:
    """Records in the order of their numbers: first digits (LONGEST of them), start, price a minute (nano-units) and how exactly."""

    head: Ints
    start: Ints
    value: Floats
    width: Floats


def fits_fee(calls: Calls, terms: Terms, zone: str) -> bool | None:
    """Tell whether a bill's charges hold the connection fee that the terms say; None: they say none, or it can't be seen."""
    said = 0 if terms.connection_fee is None else micro(terms.connection_fee)
    if not said:
        return None
    sentinel = numbers.digits(calls.callee)
    seconds = _seconds(calls, terms, sentinel)
    good = (seconds > 0) & (sentinel > 1) & (calls.charge > 0)
    if good.sum() < ENOUGH:
        return None
    cost = calls.charge[good] / (1.0 + float(terms.tax_ratio or 0))
    lead, ratio = _head(sentinel[good]) // 10 ** (LONGEST - LEAD), _ratios(calls.start_ms[good], terms, zone)
    return _fee(lead, seconds[good], cost, last_digit(calls.charge), terms, ratio) == said


def says_prices(calls: Calls) -> bool:
    """Tell whether nearly all records say a price a minute."""
    return bool(calls.told_rate.size and (calls.told_rate != MISSING).mean() >= 0.9)


def changes(deck: Deck | None) -> int:
    """Return how many prices of a deck begin at a date."""
    return 0 if deck is None else int((deck.from_ms != MISSING).sum())


def inferred_deck(calls: Calls, terms: Terms, zone: str) -> Deck | None:
    """Return a deck of the prices that records say, or that their charges imply; None: too few rows."""
    sentinel = numbers.digits(calls.callee)
    told = _told(calls, sentinel, terms, zone)
    found = told or _implied(calls, sentinel, terms, zone)
    if found is None:
        return None
    rule = Rule(1 if told else 2, 0.8, zone)  # a price that is told needs no second call
    good, value, width = found
    head = _head(sentinel[good])
    order = np.lexsort((calls.duration_ms[good], calls.start_ms[good], head))
    rows = Rows(head[order], calls.start_ms[good][order], value[order], width[order])
    rows = _without_bands(rows)
    table = np.array(list(_entries(rows, 0, rows.head.size, 1, None, rule))[:MOST_PREFIXES], np.int64).reshape(-1, 3)
    return build({"prefix": table[:, 0], "rate_nano": table[:, 1], "from_ms": table[:, 2]}) if table.size else None


def _head(sentinel: Ints) -> Ints:
    """Return the first digits, filled up with zeros where a number is shorter."""
    size = numbers.length(sentinel)
    digits = sentinel - 10**size
    return np.asarray(
        np.where(size >= LONGEST, digits // 10 ** np.maximum(size - LONGEST, 0), digits * 10 ** np.maximum(LONGEST - size, 0))
    )


def _told(calls: Calls, sentinel: Ints, terms: Terms, zone: str) -> tuple[Bools, Floats, Floats] | None:
    good = (calls.told_rate > 0) & (sentinel > 1)
    if not says_prices(calls) or good.sum() < ENOUGH:
        return None
    value = calls.told_rate[good].astype(np.float64)
    ratio = _ratios(calls.start_ms[good], terms, zone)
    lead = _head(sentinel[good]) // 10 ** (LONGEST - LEAD)
    # a record may say the deck's price or that of its band: the one that makes fewer prices is meant
    if np.unique(np.stack([lead, np.rint(value / ratio).astype(np.int64)]), axis=1).shape[1] < _distinct(lead, value):
        value = value / ratio
    return good, value, np.full(value.size, 0.5)


def _distinct(lead: Ints, value: Floats) -> int:
    return int(np.unique(np.stack([lead, value.astype(np.int64)]), axis=1).shape[1])


def _implied(calls: Calls, sentinel: Ints, terms: Terms, zone: str) -> tuple[Bools, Floats, Floats] | None:
    seconds = _seconds(calls, terms, sentinel)
    good = (seconds > 0) & (sentinel > 1) & (calls.charge > 0)
    if good.sum() < ENOUGH:
        return None
    unit = last_digit(calls.charge)
    cost = calls.charge[good] / (1.0 + float(terms.tax_ratio or 0))
    ratio = _ratios(calls.start_ms[good], terms, zone)
    talk = seconds[good]
    fee = _fee(_head(sentinel[good]) // 10 ** (LONGEST - LEAD), talk, cost, unit, terms, ratio)
    value = (cost - fee) * 60_000.0 / talk / ratio
    width = unit * 60_000.0 / talk / ratio
    some = value > 0
    good[np.flatnonzero(good)[~some]] = False
    return good, value[some], width[some]


def _ratios(start: Ints, terms: Terms, zone: str) -> Floats:
    """Return by what the contract's bands multiply each call's price."""
    if not terms.bands:
        return np.ones(start.size)
    own = [float(one.ratio) if one.ratio is not None else 1.0 for one in terms.bands]
    return np.array([*own, 1.0])[bands.of_times(start, terms.bands, zone)]


def _seconds(calls: Calls, terms: Terms, sentinel: Ints) -> Ints:
    """Return billed seconds as told, or by the method that charges show."""
    told = calls.billed_ms != MISSING
    if told.mean() >= 0.9:
        return np.where(told, calls.billed_ms // 1000, 0)
    lead = _head(sentinel) // 10 ** (LONGEST - LEAD)
    seen = from_charges(lead, calls.duration_ms, calls.charge, last_digit(calls.charge), of_terms(terms))
    return billed(calls.duration_ms, seen.method if seen else of_terms(terms))


def _fee(lead: Ints, seconds: Ints, cost: Floats, unit: int, terms: Terms, ratio: Floats) -> float:
    """Return the fee a call by which most prices' lines over billed seconds begin; the contract's where that is within reach."""
    said = 0 if terms.connection_fee is None else micro(terms.connection_fee)
    plain = np.flatnonzero(ratio == 1.0) if (ratio == 1.0).sum() >= ENOUGH else np.arange(lead.size)
    offsets = _offsets(lead[plain], seconds[plain], cost[plain], unit)
    if len(offsets) < 3:  # few calls: wider areas
        offsets = _offsets(lead[plain] // 100, seconds[plain], cost[plain], unit)
    if len(offsets) < 3:
        return float(said)
    near = np.array(offsets)
    reach = 0.6 * unit + 1.5
    middle = mode_of(near, np.full(near.size, reach))
    if (np.abs(near - middle) <= reach).mean() < 0.5 or middle <= 2 * reach:
        return float(said) if said and (np.abs(near - said) <= 2 * reach).mean() >= 0.3 else 0.0
    return float(said) if abs(middle - said) <= reach else plainest(middle / 1e6, reach / 1e6) * 1e6


def _offsets(lead: Ints, seconds: Ints, cost: Floats, unit: int) -> list[float]:
    """Return where the lines of charges over billed seconds begin, one an area."""
    values, counts = np.unique(lead, return_counts=True)
    offsets: list[float] = []
    for value in values[np.lexsort((values, -counts))][:WELLS].tolist():
        rows = np.flatnonzero(lead == value)
        if rows.size < 30:
            break
        rows = rows[np.lexsort((cost[rows], seconds[rows]))][spread(rows.size, 300)]
        _, offset = lines(seconds[rows].astype(np.float64)[None, :], cost[rows], unit)
        offsets.append(float(offset[0]))
    return offsets


def _without_bands(rows: Rows) -> Rows:
    """Return the rows with what bands multiply taken off: ratios to a prefix' price that come again on all prefixes."""
    first = list(_entries(rows, 0, rows.head.size, 1, None, COARSE))
    table = np.array(first, np.int64).reshape(-1, 3)
    deck = build({"prefix": table[:, 0], "rate_nano": table[:, 1]})
    row = deck.lookup(numbers.PLAIN + 10**LONGEST + rows.head, rows.start)
    base = np.where(row >= 0, deck.rate_nano[row], 1).astype(np.float64)
    share, wide = rows.value / base, rows.width / base
    odd = (row >= 0) & (np.abs(share - 1) > 1.2 * wide) & (wide < 0.05)
    value, width = rows.value.copy(), rows.width.copy()
    lead = rows.head // 10 ** (LONGEST - 3)
    for _ in range(RATIOS):
        if odd.sum() < 0.03 * rows.head.size:
            break
        ratio = plainest(mode_of(share[odd], wide[odd]), 0.002)
        hit = odd & (np.abs(share - ratio) <= 1.2 * wide + 1e-6)
        if hit.sum() < max(0.2 * odd.sum(), 0.02 * rows.head.size) or np.unique(lead[hit]).size < SPREAD:
            break
        value[hit], width[hit] = value[hit] / ratio, width[hit] / ratio
        odd &= ~hit
    return Rows(rows.head, rows.start, value, width)


def _entries(rows: Rows, low: int, high: int, count: int, inherited: float | None, rule: Rule) -> Iterator[tuple[int, int, int]]:
    """Yield (digits behind a 1, price, from when) of the prefixes of `count` digits and more within the rows, where another price holds.

    A prefix is told where most of its rows cost something else than what the shorter one says; so the shortest that explains is found.
    """
    heads = rows.head[low:high] // 10 ** (LONGEST - count)
    codes, first = np.unique(heads, return_index=True)
    for code, begin, end in zip(codes.tolist(), first.tolist(), [*first.tolist()[1:], heads.size], strict=True):
        part = slice(low + begin, low + end)
        value, width = rows.value[part], rows.width[part]
        known, price = _close(value, width, inherited), inherited
        if inherited is None or int((~known).sum()) >= rule.gain:
            own = _plain(mode_of(value, width), width, value)
            hit = _close(value, width, own)
            dated = _dated(rows, part, own, hit, rule)
            if dated is not None:
                yield 10**count + code, dated[0], MISSING
                yield 10**count + code, dated[1], dated[2]
                continue
            if inherited is None or (hit.sum() - known.sum() >= rule.gain and hit.mean() >= rule.pure):
                price, known = own, hit
                yield 10**count + code, max(1, round(own)), MISSING
        if count < LONGEST and int((~known).sum()) >= rule.gain:
            yield from _entries(rows, part.start, part.stop, count + 1, price, rule)


def _close(value: Floats, width: Floats, price: float | None) -> Bools:
    if price is None:
        return np.zeros(value.size, np.bool_)
    return np.asarray(np.abs(value - price) <= 1.2 * width + 0.5, np.bool_)


def _plain(price: float, width: Floats, value: Floats) -> float:
    held = _close(value, width, price)
    sharp = float(np.min(width[held])) if held.any() else 0.0
    return plainest(price / 1e9, max(sharp / 1e9, 1e-9)) * 1e9


def _dated(rows: Rows, part: slice, price: float, known: Bools, rule: Rule) -> tuple[int, int, int] | None:
    """Return (price, later price, from when) where one holds up to a day and another from it on; None: time does not part them."""
    odd = np.flatnonzero(~known)
    if not rule.zone or odd.size < DATED or odd.size < 0.1 * known.size:
        return None
    value, width, start = rows.value[part], rows.width[part], rows.start[part]
    other = _plain(mode_of(value[odd], width[odd]), width[odd], value[odd])
    new = _close(value, width, other)
    order = np.argsort(start, kind="stable")
    score = np.cumsum(known[order].astype(np.int64) - new[order])
    for sign in (1, -1):  # the commoner price first, or last
        at = int((sign * score).argmax())
        before, after = order[: at + 1], order[at + 1 :]
        old, late = (known, new) if sign == 1 else (new, known)
        if min(before.size, after.size) < DATED or old[before].mean() < SPLIT or late[after].mean() < SPLIT:
            continue
        when = _midnight(int(start[before[-1]]), int(start[after[0]]), rule.zone)
        prices = (max(1, round(price)), max(1, round(other)))
        return (*prices, when) if sign == 1 else (prices[1], prices[0], when)
    return None


def _midnight(last_ms: int, first_ms: int, zone: str) -> int:
    """Return the midnight between two calls, else the later one's start."""
    place = ZoneInfo(zone)
    day = datetime.fromtimestamp(last_ms / 1000, place).date() + timedelta(days=1)
    at = int(datetime.combine(day, time(0), place).astimezone(UTC).timestamp() * 1000)
    return at if at <= first_ms else first_ms
