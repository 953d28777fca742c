"""From talk time to billed seconds: the methods that exist, and which of them a side's own rows follow."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from billing_audit.terms import Anchor, DurationRounding, Mode, Terms

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

GROUPS = 6  # price groups looked at, the largest first
ROWS = 200  # rows of each
NEAR = 0.004  # a method that explains this share of rows less is as good: the contract's, then the plainest, is taken
MINIMA = (0, 1, 6, 10, 12, 15, 18, 20, 25, 30, 45, 60, 90, 120, 180)
INCREMENTS = (*range(1, 61), 90, 120, 180)
FREE = (*range(1, 21), 30, 60)
COMMON = ((1, 1), (6, 6), (12, 6), (30, 6), (60, 60), (60, 1), (60, 6), (30, 30), (1, 6), (10, 10), (30, 1), (60, 30))


@dataclass(frozen=True, slots=True)
class Method:
    """Minimum, increment, anchor, free and grace seconds, and how milliseconds become seconds."""

    minimum: int = 0
    increment: int = 1
    anchor: Anchor = "after_minimum"
    free: int = 0
    grace: int = 0
    mode: Mode = "up"
    hold_ms: int | None = None

    def text(self) -> str:
        """Return "60/60" as the trade writes it."""
        return f"{self.minimum or self.increment}/{self.increment}"  # a minimum of 0 bills as one of a whole increment

    def anchored(self) -> bool:
        """Tell whether the anchor makes a difference: it does where the increment does not divide the minimum."""
        return self.minimum % self.increment != 0 and self.minimum > 0


def of_terms(terms: Terms) -> Method:
    """Return the method that terms say; what they do not say is the plainest."""
    rounding = terms.duration_rounding or DurationRounding()
    return Method(
        minimum=terms.minimum_s or 0,
        increment=terms.increment_s or 1,
        anchor=terms.anchor or "after_minimum",
        free=terms.free_s or 0,
        grace=terms.grace_s or 0,
        mode=rounding.mode,
        hold_ms=rounding.hold_ms,
    )


def whole(duration_ms: Ints, mode: Mode, hold_ms: int | None) -> Ints:
    """Return whole seconds of talk."""
    if hold_ms is not None:
        return np.asarray((duration_ms + (1000 - max(1, hold_ms))) // 1000, np.int64)
    if mode == "up":
        return np.asarray(-(-duration_ms // 1000), np.int64)
    if mode == "down":
        return np.asarray(duration_ms // 1000, np.int64)
    low, rest = np.divmod(duration_ms, 1000)
    more = (rest > 500) | ((rest == 500) & ((low % 2 == 1) if mode == "half_even" else True))
    return np.asarray(low + more, np.int64)


def billed(duration_ms: Ints, method: Method) -> Ints:
    """Return the billed seconds of talk times; a call of no time is billed nothing."""
    talk = whole(np.maximum(duration_ms, 0), method.mode, method.hold_ms)
    left = talk - method.free
    low, step = method.minimum, method.increment
    if method.anchor == "after_minimum":
        found = np.where(left <= low, low, low + -(-(left - low) // step) * step)
    else:
        found = np.where(left <= low, low, np.maximum(low, -(-left // step) * step))
    return np.where((left <= 0) | (talk <= max(0, method.grace)), 0, found).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Seconds:
    """A method with the share of rows that it explains, the share the expected one explains, rows, and whether the anchor can be told."""

    method: Method
    support: float
    expected: float
    rows: int
    direct: bool  # from billed seconds, not from charges


def plausible(expected: Method, milliseconds: bool) -> list[Method]:
    """Return the methods to try: the expected one first, then by how plain they are."""
    plain = [Method(low, step, mode=expected.mode, hold_ms=expected.hold_ms) for step in INCREMENTS for low in {*MINIMA, step}]
    both = [one for m in plain for one in (m, replace(m, anchor="from_zero")) if one.anchored() or one.anchor == "after_minimum"]
    common = {(e.minimum, e.increment) for e in plain if (e.minimum or 1) in {1, 6, 12, 30, 60} and e.increment in {1, 6, 12, 30, 60}}
    both.sort(key=lambda m: ((m.minimum, m.increment) not in common, m.minimum % m.increment != 0, m.increment, m.minimum))
    usual = [replace(expected, minimum=low, increment=step) for low, step in COMMON]
    given = [replace(one, free=0, grace=n) for one in usual for n in FREE] + [replace(one, free=n, grace=0) for one in usual for n in FREE]
    return [expected, *around(expected, milliseconds), *both, *given]


def around(found: Method, milliseconds: bool) -> list[Method]:
    """Return the neighbours of a method in one parameter: anchor, free and grace seconds, rounding of the talk time."""
    near = [replace(found, anchor="from_zero" if found.anchor == "after_minimum" else "after_minimum")] if found.anchored() else []
    if milliseconds:
        modes: tuple[Mode, ...] = ("up", "half_up", "down")
        near += [replace(found, mode=mode, hold_ms=None) for mode in modes if (mode, None) != (found.mode, found.hold_ms)]
        near += [replace(found, hold_ms=hold) for hold in (50, 100, 1000) if hold != found.hold_ms]
    near += [replace(found, grace=n) for n in (0, *FREE) if n != found.grace]
    near += [replace(found, free=n) for n in (0, *FREE) if n != found.free]
    near += [replace(found, free=-n) for n in (1, 2, 3, 5, 6)]
    if found.minimum or found.increment > 1:
        near += [replace(found, minimum=0, increment=1)]
    return near


Score = Callable[[list[Method]], Floats]


def best(scores: Floats) -> int:
    """Return the index of the method to believe: the best, or an earlier one that explains nearly as much."""
    enough = scores >= scores.max() - NEAR
    return int(np.argmax(enough))


def spread(count: int, most: int) -> Ints:
    """Return at most `most` indices evenly over `count` rows."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def from_billed(duration_ms: Ints, billed_ms: Ints, expected: Method) -> Seconds:
    """Return the method by which billed seconds follow from talk times."""
    order = np.lexsort((billed_ms, duration_ms))
    chosen = order[spread(order.size, 4 * ROWS * GROUPS)]
    talk, told = duration_ms[chosen], billed_ms[chosen]
    milliseconds = bool(np.any(talk % 1000))

    def score(methods: list[Method]) -> Floats:
        return np.array([float(np.mean(billed(talk, m) * 1000 == told)) for m in methods])

    first = float(score([expected])[0])
    if first >= 0.995:
        return Seconds(expected, first, first, chosen.size, True)
    method, support = _climb(expected, milliseconds, score, _of_billed(talk, told, expected))
    return Seconds(method, support, first, chosen.size, True)


def _of_billed(talk: Ints, told: Ints, expected: Method) -> list[Method]:
    """Return methods that billed seconds themselves suggest: their smallest value, their common step."""
    seconds = np.unique(told[told > 0] // 1000, return_counts=True)
    values = seconds[0][seconds[1] >= max(2, talk.size // 2000)]
    if values.size < 3:
        return []
    low, step = int(values[0]), int(np.gcd.reduce(np.diff(values[1:]))) or 1
    return [replace(expected, minimum=low, increment=max(1, step), anchor=a) for a in ("after_minimum", "from_zero")]


def from_charges(group: Ints, duration_ms: Ints, charge: Ints, unit: int, expected: Method) -> Seconds | None:
    """Return the method for which, inside each price group, charges lie on a line over billed seconds; None: too few rows.

    `unit` is the last digit of the side's charges in micro-units. Rates need not be known, so that a wrong rate, tax or fee does no harm.
    """
    wells = wells_of(group, duration_ms, charge)
    if not wells:
        return None
    milliseconds = any(bool(np.any(talk % 1000)) for talk, _ in wells)

    def score(methods: list[Method]) -> Floats:
        return scores_of(wells, unit, methods)

    first = float(score([expected])[0])
    rows = sum(talk.size for talk, _ in wells)
    if first >= 0.97:
        rivals = around(expected, milliseconds)
        scores = score([expected, *rivals])
        at = best(scores)
        return Seconds([expected, *rivals][at], float(scores[at]), first, rows, False)
    method, support = _climb(expected, milliseconds, score, [])
    return Seconds(method, support, first, rows, False)


def _climb(expected: Method, milliseconds: bool, score: Score, more: list[Method]) -> tuple[Method, float]:
    """Try all methods, then the neighbours of the best while they explain clearly more."""
    methods = [*plausible(expected, milliseconds), *more]
    scores = score(methods)
    at = best(scores)
    found, support = methods[at], float(scores[at])
    for _ in range(3):
        if support >= 0.995:
            break
        methods = [found, *around(found, milliseconds)]
        if found.free:
            methods += [replace(m, free=found.free) for m in plausible(expected, milliseconds)]
        scores = score(methods)
        at = best(scores)
        if methods[at] == found:
            break
        found, support = methods[at], float(scores[at])
    return found, support


def wells_of(group: Ints, duration_ms: Ints, charge: Ints) -> list[tuple[Ints, Ints]]:
    """Return talk times and charges of the largest price groups, in the order of talk time."""
    if group.size == 0:
        return []
    values, counts = np.unique(group, return_counts=True)
    largest = values[np.lexsort((values, -counts))][:GROUPS]
    wells = []
    for value in largest:
        rows = np.flatnonzero(group == value)
        if rows.size < 30:
            break
        rows = rows[np.lexsort((charge[rows], duration_ms[rows]))]
        rows = rows[spread(rows.size, ROWS)]
        wells.append((duration_ms[rows], charge[rows]))
    return wells


def scores_of(wells: list[tuple[Ints, Ints]], unit: int, methods: list[Method]) -> Floats:
    """Return, per method, the share of rows on their group's line, and a little more where all lines begin at one fee of 0 or more.

    A shift of all seconds makes lines begin at as many fees as there are prices.
    """
    total = sum(talk.size for talk, _ in wells)
    told = [on_line(talk, cost, unit, methods) for talk, cost in wells]
    share = np.asarray(sum(one[0] * (talk.size / total) for one, (talk, _) in zip(told, wells, strict=True)), np.float64)
    slope, offset = np.stack([one[1] for one in told]), np.stack([one[2] for one in told])
    fee = np.maximum(np.median(offset, axis=0), 0)
    alike = (np.abs(offset - fee) <= 0.6 * unit + 1.5 + 0.3 * np.abs(slope)).mean(axis=0)
    return np.asarray(share + 2 * NEAR * (alike - 1.0), np.float64)


def on_line(talk: Ints, cost: Ints, unit: int, methods: list[Method]) -> tuple[Floats, Floats, Floats]:
    """Return, per method, the share of rows whose charge is within rounding of one line over billed seconds, its slope and offset."""
    seconds = np.stack([billed(talk, m) for m in methods]).astype(np.float64)
    slope, offset = lines(seconds, cost.astype(np.float64), unit)
    close = _close(seconds, cost, unit, slope, offset)
    if close.max() < 0.95:  # two prices in one group can hide both lines: without a fee, each call alone tells its price
        through = _through(seconds, cost.astype(np.float64), unit)
        plain = _close(seconds, cost, unit, through, np.zeros_like(through))
        better = plain > close
        close, slope, offset = np.where(better, plain, close), np.where(better, through, slope), np.where(better, 0.0, offset)
    return close, slope, offset


def _close(seconds: Floats, cost: Ints, unit: int, slope: Floats, offset: Floats) -> Floats:
    """Return, per method, the share of rows within rounding of a line."""
    off = np.abs(cost - slope[:, None] * seconds - offset[:, None])
    return np.asarray(np.where(seconds == 0, cost == 0, off <= 0.5 * unit + 1.5).mean(axis=1), np.float64)


def _through(seconds: Floats, cost: Floats, unit: int) -> Floats:
    """Return the slope of the line through nothing on which most points of each row of `seconds` lie."""
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = shorth(np.where(seconds > 0, cost / seconds, np.inf))
    for reach in (3.0, 1.2):
        kept = np.abs(cost - slope[:, None] * seconds) <= reach * unit + 1.5
        square = (seconds * seconds * kept).sum(axis=1)
        slope = np.where(square > 0, (seconds * cost * kept).sum(axis=1) / np.maximum(square, 1e-9), slope)
    return np.asarray(slope, np.float64)


def lines(seconds: Floats, cost: Floats, unit: int) -> tuple[Floats, Floats]:
    """Return slope and offset of the line on which most points of each row of `seconds` lie (shortest interval, then least squares)."""
    half = seconds.shape[1] // 2
    run = seconds[:, half : 2 * half] - seconds[:, :half]
    rise = cost[half : 2 * half] - cost[:half]
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.where(run > 0, rise / run, np.nan)
    slope = shorth(np.where(np.isnan(slopes), np.inf, slopes))
    offset = shorth(cost - slope[:, None] * seconds)
    for reach in (3.0, 1.2, 0.8):
        size = np.maximum(reach * unit, 1e-3 * np.abs(slope)[:, None] * seconds if reach > 2 else 0.0)
        kept = (np.abs(cost - slope[:, None] * seconds - offset[:, None]) <= size + 1.5).astype(np.float64)
        many = np.maximum(kept.sum(axis=1), 1.0)
        mean_x, mean_y = (kept * seconds).sum(axis=1) / many, (kept * cost).sum(axis=1) / many
        dx = (seconds - mean_x[:, None]) * kept
        square = (dx * dx).sum(axis=1)
        better = np.where(square > 0, (dx * (cost - mean_y[:, None])).sum(axis=1) / np.maximum(square, 1e-9), slope)
        slope, offset = better, mean_y - better * mean_x
    return slope, offset


def shorth(values: Floats, share: float = 0.4) -> Floats:
    """Return, per row, the middle of the shortest interval that holds this share of the finite values; 0 where there are too few."""
    ordered = np.sort(values, axis=1)
    width = max(1, int(values.shape[1] * share))
    with np.errstate(invalid="ignore"):
        lengths = ordered[:, width:] - ordered[:, :-width]
    lengths = np.where(np.isfinite(lengths), lengths, np.inf)
    at = lengths.argmin(axis=1)
    rows = np.arange(values.shape[0])
    middle = (ordered[rows, at] + ordered[rows, np.minimum(at + width, ordered.shape[1] - 1)]) / 2
    return np.where(np.isfinite(middle), middle, 0.0)
