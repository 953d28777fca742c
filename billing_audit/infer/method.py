"""Which method of counting seconds a side follows where it is not the reference's, per class of the reference's own methods."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from billing_audit.infer.prices import says_prices
from billing_audit.infer.seconds import Method, Seconds, billed, from_billed, from_charges, of_terms, scores_of, wells_of
from billing_audit.infer.view import View
from billing_audit.ledger import MISSING

Ints = npt.NDArray[np.int64]

ENOUGH = 120  # rows from which on a class of its own is looked at by itself
PARTS = ("increment", "anchor", "free", "rounding")


@dataclass(frozen=True)
class Change:
    """What departs in how seconds are counted: `classes` are (minimum, increment) of the reference that are billed `method`."""

    expected: Method
    method: Method
    parts: tuple[str, ...]  # of PARTS
    classes: tuple[tuple[int, int], ...]
    seen: Seconds


def change_of(view: View) -> Change | None:
    """Return how the side's counting of seconds departs from the reference; None: it does not, or can't be told."""
    if "change" not in view.kept:
        view.kept["change"] = _change(view)
    found = view.kept["change"]
    return found if isinstance(found, Change) else None


def _change(view: View) -> Change | None:
    prices = view.desk.prices(view.bends)[0]
    base = of_terms(view.reference.terms)
    key = prices.minimum_s * 100_000 + prices.increment_s
    values, counts = np.unique(key, return_counts=True)
    order = np.lexsort((values, -counts))
    main: Change | None = None
    classes: list[tuple[int, int]] = []
    for value in values[order].tolist():
        rows = np.flatnonzero(key == value)
        low, step = divmod(value, 100_000)
        expected = replace(base, minimum=low, increment=step, free=int(np.median(prices.free_s[rows])))
        if main is not None and rows.size < 3 * ENOUGH:
            if _rather(view, rows, prices.row, expected, replace(main.method)):
                classes.append((low, step))
            continue
        if rows.size < ENOUGH:
            break
        seen = _look(view, rows, prices.row, prices.band, expected)
        if seen is None or same(seen.method, expected) or not _clear(seen):
            continue
        if main is None:
            main = Change(expected, seen.method, parts_of(expected, seen.method), (), seen)
        if same(seen.method, main.method):
            classes.append((low, step))
    return None if main is None else replace(main, classes=tuple(classes))


def _clear(seen: Seconds) -> bool:
    """Tell whether the method found explains clearly more than the expected one."""
    return seen.support >= 0.5 and seen.support - seen.expected >= (0.004 if seen.direct else 0.012) and seen.support * seen.rows >= 60


def _look(view: View, rows: Ints, deck_row: Ints, band: Ints, expected: Method) -> Seconds | None:
    calls = view.calls
    told = calls.billed_ms[rows]
    direct = told != MISSING
    if direct.mean() > 0.9:
        return from_billed(calls.duration_ms[rows][direct], told[direct], expected)
    group = deck_row[rows] * 64 + band[rows] + 1
    group = np.where(deck_row[rows] < 0, -1, group)
    if "rate" not in view.reference.fixed and says_prices(calls):  # what the records say parts them better than prices made of them
        group = np.maximum(calls.told_rate[rows], -1)
    known = group >= 0
    return from_charges(group[known], calls.duration_ms[rows][known], calls.charge[rows][known], view.unit, expected)


def _rather(view: View, rows: Ints, deck_row: Ints, expected: Method, rival: Method) -> bool:
    """Tell whether a few rows follow the rival rather than the expected method."""
    calls = view.calls
    told = calls.billed_ms[rows]
    if (told != MISSING).mean() > 0.9:
        talk = calls.duration_ms[rows]
        return bool((billed(talk, rival) * 1000 == told).sum() > (billed(talk, expected) * 1000 == told).sum())
    wells = wells_of(deck_row[rows], calls.duration_ms[rows], calls.charge[rows])
    if not wells:
        return True
    scores = scores_of(wells, view.unit, [expected, rival])
    return bool(scores[1] > scores[0])


_TALK = np.arange(0, 1300, dtype=np.int64) * 1000
_FINE = np.concatenate([_TALK, np.arange(0, 130_000, 77, dtype=np.int64)])


def same(one: Method, other: Method) -> bool:
    """Tell whether two methods bill every talk time alike (whatever they are called)."""
    return bool(np.array_equal(billed(_FINE, one), billed(_FINE, other)))


def parts_of(expected: Method, found: Method) -> tuple[str, ...]:
    """Return the fewest parts of the method that, changed, make the expected one the found one."""
    for count in range(1, len(PARTS) + 1):
        for parts in combinations(PARTS, count):
            if same(changed(expected, found, parts), found):
                return parts
    return PARTS


def changed(expected: Method, found: Method, parts: tuple[str, ...]) -> Method:
    """Return the expected method with these parts of the found one."""
    return replace(expected, **dict(_fields(found, parts)))  # type: ignore[arg-type]


def _fields(found: Method, parts: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    names = {"increment": ("minimum", "increment"), "anchor": ("anchor",), "free": ("free", "grace"), "rounding": ("mode", "hold_ms")}
    for part in parts:
        yield from ((name, getattr(found, name)) for name in names[part])
