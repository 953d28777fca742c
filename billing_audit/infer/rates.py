"""Prices a minute that a side takes where they are not the reference's: implied by its charges, per price group."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from billing_audit import numbers
from billing_audit.infer.amount import mode_of, plainest
from billing_audit.infer.view import FEW, View
from billing_audit.ledger import MISSING

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MOST_GROUPS = 5000  # price groups looked at, the largest first
MEAN_CODE = 3  # rows that several finer prefixes must have on average: else each number would be a prefix
PER_GROUP = 4  # other prices looked for in one group


@dataclass(frozen=True)
class Price:
    """Rows of one price group that cost another price: deck row, ratio to the deck's rate, the rows, whether all of the group do.

    `code`: digits behind a 1 of a longer prefix on which, and on which alone, the other price lies; 0: none.
    """

    row: int
    ratio: float
    rate_nano: int
    rows: Ints
    of: int
    parent: int  # deck row of a shorter prefix that has this price; -1: none
    code: int


def odd_prices(view: View) -> list[Price]:
    """Return the prices that a side takes beside the deck's, the group's rows given as indices of the view's calls."""
    if "odd" not in view.kept:
        view.kept["odd"] = list(_odd(view))
    found = view.kept["odd"]
    assert isinstance(found, list)
    return found


def _odd(view: View) -> Iterator[Price]:
    fits = view.fits()
    prices = view.prices()
    unknown = ~fits & (prices.row >= 0) & (prices.rate_nano > 0)
    if view.reference.deck is None or unknown.sum() < FEW:
        return
    cost = ratio_of(view)
    seconds = view.desk.billed_ms(view.bends) // 1000
    plain = prices.rate_nano.astype(np.float64) * seconds / 60_000
    order = np.argsort(prices.row, kind="stable")
    rows_of = prices.row[order]
    groups, counts = np.unique(prices.row[unknown], return_counts=True)
    for group in groups[np.lexsort((groups, -counts))][:MOST_GROUPS].tolist():
        low, high = np.searchsorted(rows_of, (group, group + 1))
        members = order[low:high]
        yield from _of_group(view, group, members, unknown, cost, plain)


def ratio_of(view: View) -> Floats:
    """Return what each call's minutes cost the side by its charge: ratio and fee taken off, micro-units."""
    scale = float(np.prod([float(bend.scale()) for bend in view.bends])) if view.bends else 1.0
    prices, terms = view.desk.prices(view.bends)
    tax = 1.0 + float(terms.tax_ratio or 0)
    return view.calls.charge / (scale * tax) - prices.fee_micro


def _of_group(view: View, group: int, members: Ints, unknown: Bools, cost: Floats, plain: Floats) -> Iterator[Price]:
    deck = view.reference.deck
    assert deck is not None
    open_ = members[unknown[members] & (plain[members] > 0)]
    for _ in range(PER_GROUP):
        if open_.size < max(3, 0.02 * members.size):
            return
        width = view.grain / plain[open_]
        ratio = mode_of(cost[open_] / plain[open_], width)
        old = int(deck.rate_nano[group])
        held = np.abs(cost[open_] / plain[open_] - ratio) <= width * 1.5
        sharp = float(np.min(width[held])) if held.any() else 0.0
        hit = open_[held]
        if hit.size < 3 or ratio <= 0:
            return
        rate = round(plainest(ratio * old / 1e9, max(sharp * old / 1e9, 1e-9)) * 1e9)
        parent = _parent(view, group, ratio, sharp)
        # the price must be common to most of what is open, or it is chance
        if held.mean() < 0.3 or (hit.size < FEW and held.mean() < 0.9) or abs(ratio - 1) < 1e-6:
            return
        # calls so short or cheap that both prices are within rounding tell nothing
        against = members[(plain[members] > 0) & (np.abs(cost[members] - ratio * plain[members]) > 0.75 * view.grain + 2)]
        against = np.setdiff1d(against, hit)
        codes = [] if parent >= 0 else _codes(view, group, against, hit)
        if not codes:
            yield Price(group, ratio, rate, hit, int(hit.size + against.size), parent, 0)
        for code, rows in codes:
            yield Price(group, ratio, rate, rows, int(rows.size), parent, code)
        open_ = open_[~held]


def _parent(view: View, group: int, ratio: float, width: float) -> int:
    """Return the deck row of the nearest shorter prefix whose price this is; -1: none."""
    deck = view.reference.deck
    assert deck is not None
    at = group
    start = np.array([deck.from_ms[group] if deck.from_ms[group] != MISSING else _some_time(view)], np.int64)
    for _ in range(18):
        at = int(deck.parent(np.array([at], np.int64), start)[0])
        if at < 0:
            return -1
        if abs(deck.rate_nano[at] / deck.rate_nano[group] - ratio) <= max(width, 1e-6) * 1.5:
            return at
    return -1


def _some_time(view: View) -> int:
    return int(np.median(view.calls.start_ms))


def _codes(view: View, group: int, against: Ints, hit: Ints) -> list[tuple[int, Ints]]:
    """Return the shortest longer prefixes that have nearly all rows of this price and hardly another one, each with its rows."""
    deck = view.reference.deck
    assert deck is not None
    if against.size < 3:
        return []
    sentinel = numbers.digits(view.calls.callee)
    size = len(deck.prefix_text(group))
    for count in range(size + 1, min(size + 7, 17)):
        mine, theirs = _cut(sentinel[hit], count), _cut(sentinel[against], count)
        values, many = np.unique(mine, return_counts=True)
        others = np.bincount(np.searchsorted(values, theirs[np.isin(theirs, values)]), minlength=values.size)
        pure = (many >= 2) & (others <= 0.1 * many)
        avoided = (1 - pure.sum() / max(1, np.union1d(mine, theirs).size)) ** against.size  # the chance that the others keep out of these
        if many[pure].sum() >= 0.95 * hit.size and (pure.sum() == 1 or (hit.size >= MEAN_CODE * pure.sum() and avoided < 1e-4)):
            return [(int(value), hit[mine == value]) for value in values[pure].tolist()]
    return []


def _cut(sentinel: Ints, count: int) -> Ints:
    """Return the first digits of numbers, behind a 1."""
    return np.asarray(sentinel // 10 ** np.maximum(numbers.length(sentinel) - count, 0), np.int64)


def as_fraction(ratio: float) -> Fraction:
    """Return a ratio as a fraction of small numbers."""
    return Fraction(ratio).limit_denominator(1_000_000)
