"""How the customer's clock goes against ours, from calls that both bills surely have: levels, steps, drift, what remains."""

import itertools
from typing import Final

import msgspec
import numpy as np

from billing_audit.matching.align import Ints

DAY_MS: Final = 86_400_000
MOST_APART_MS: Final = 27 * 3_600_000  # zones are at most 26 hours apart
BIN_MS: Final = 10_000
NEAR_BINS: Final = 6  # a minute: nearer levels are one clock that drifts or was set
LEAST_PAIRS: Final = 5
MOST_LEVELS: Final = 8
MOST_STEPS: Final = 16
MOST_WALK: Final = 20_000  # pairs along which changes of level are looked for
SWITCH_COST: Final = 4.0  # a change of level must explain more pairs than this


class Clock(msgspec.Struct, frozen=True):
    """Offset at `origin_ms` (ours) and how it changes: (at ours, delta) steps, drift; `fits`: how many pairs it holds within a minute."""

    origin_ms: int
    offset_ms: int
    drift_ppb: int
    steps: tuple[tuple[int, int], ...]
    fits: int

    def late(self, ours_ms: Ints) -> Ints:
        """Return customer − ours at these times of ours, ms."""
        late = self.offset_ms + (ours_ms - self.origin_ms) * self.drift_ppb // 1_000_000_000
        if self.steps:
            after = np.cumsum([0, *(delta for _, delta in self.steps)])
            late = late + after[np.searchsorted([at for at, _ in self.steps], ours_ms, side="right")]
        return np.asarray(late, np.int64)


def fit(ours: Ints, late: Ints) -> Clock | None:
    """Return the clock that most pairs (our time, customer − ours) agree on; None: they agree on nothing beyond chance."""
    near = np.abs(late) <= MOST_APART_MS
    order = np.lexsort((late[near], ours[near]))
    ours, late = ours[near][order], late[near][order]
    levels = _levels(late)
    if not levels:
        return None
    inside = np.zeros(len(late), np.int64)
    for number, (low, high) in enumerate(levels, 1):
        inside[(late >= low) & (late < high)] = number
    held = inside > 0
    ours, late, inside = ours[held], late[held], inside[held] - 1
    path = _walk(inside, len(levels))
    right = path == inside
    ours, late, path = ours[right], late[right], path[right]
    steps, base = _big_steps(ours, late, path)
    small, slope = _small_steps(ours, late - base)
    steps = sorted([*steps, *small])
    return _settle(ours, late, steps, slope)


def _levels(late: Ints) -> list[tuple[int, int]]:
    """Return the ranges of offsets in which more pairs lie than chance puts there, the fullest first."""
    if len(late) < LEAST_PAIRS:
        return []
    counts = np.bincount((late + MOST_APART_MS) // BIN_MS, minlength=2 * MOST_APART_MS // BIN_MS + 1)
    wide = np.convolve(counts, (1, 1, 1), mode="same")
    chance = 3 * len(late) / len(counts)
    best = int(wide.max())
    if best < LEAST_PAIRS or best < chance + 8 * chance**0.5 + 3 or best < len(late) * 0.004:
        return []
    full = np.flatnonzero((wide > chance + 6 * chance**0.5 + 3) & (wide >= best * 0.005))
    cuts = np.flatnonzero(np.diff(full) > NEAR_BINS) + 1
    made = [(int(run[0] - 1), int(run[-1] + 2)) for run in np.split(full, cuts)]
    made.sort(key=lambda edge: (-int(counts[max(edge[0], 0) : edge[1]].sum()), edge))
    return [(low * BIN_MS - MOST_APART_MS, high * BIN_MS - MOST_APART_MS) for low, high in made[:MOST_LEVELS]]


def _walk(inside: Ints, count: int) -> Ints:
    """Return for each pair (in order of time) the level that holds then: changes are few, single pairs that disagree are chance."""
    if count == 1:
        return np.zeros(len(inside), np.int64)
    stride = max(len(inside) // MOST_WALK, 1)
    seen = inside[::stride]
    costs = np.zeros(count)
    came = np.zeros((len(seen), count), np.int64)
    own = np.arange(count)
    for at, level in enumerate(seen):
        best = int(costs.argmin())
        change = costs[best] + SWITCH_COST < costs
        came[at] = np.where(change, best, own)
        costs = np.where(change, costs[best] + SWITCH_COST, costs) + (own != level)
    path = np.empty(len(seen), np.int64)
    level = int(costs.argmin())
    for at in range(len(seen) - 1, -1, -1):
        path[at] = level
        level = int(came[at, level])
    return np.repeat(path, stride)[: len(inside)] if stride == 1 else _stretch(path, stride, len(inside))


def _stretch(path: Ints, stride: int, length: int) -> Ints:
    return np.pad(np.repeat(path, stride), (0, stride), mode="edge")[:length]


def _big_steps(ours: Ints, late: Ints, path: Ints) -> tuple[list[tuple[int, int]], Ints]:
    """Return the changes between levels, and each pair's level against the first."""
    turns = np.flatnonzero(np.diff(path)) + 1
    if len(turns) > MOST_STEPS:  # two clocks at once, not one that was set
        turns = turns[:0]
    edges = [0, *turns.tolist(), len(path)]
    middles = [_middle(late[max(b - 400, a) : b]) for a, b in itertools.pairwise(edges)]
    starts = [_middle(late[a : min(a + 400, b)]) for a, b in itertools.pairwise(edges)]
    steps, base, level = [], np.zeros(len(path), np.int64), 0
    for number, at in enumerate(turns.tolist()):
        delta = starts[number + 1] - middles[number]
        steps.append((int(ours[at - 1] + ours[at]) // 2, delta))
        level += delta
        base[at:] = level
    return steps, base


def _middle(values: Ints) -> int:
    return int(np.median(values)) if len(values) else 0


def _small_steps(ours: Ints, late: Ints) -> tuple[list[tuple[int, int]], float]:
    """Return steps of less than a minute and the slope (ms per ms) between them."""
    count = min(len(ours) // 12, 240)
    if count < 8:
        return [], 0.0
    edges = np.linspace(0, len(ours), count + 1).astype(np.int64)
    middle = np.array([np.median(late[a:b]) for a, b in itertools.pairwise(edges)])
    times = np.array([np.median(ours[a:b]) for a, b in itertools.pairwise(edges)])
    reach = max(count // 10, 2)
    run = np.maximum(times[reach:] - times[:-reach], 1.0)
    slope = float(np.median((middle[reach:] - middle[:-reach]) / run))
    flat = middle - slope * (times - times[0])
    steps = _jumps(ours, late - (slope * (ours - ours[0])).astype(np.int64), flat, edges) if count >= 24 else []
    base = np.zeros(count)
    for at, delta in steps:
        base[times >= at] += delta
    return steps, _slope(times, middle - base)


def _jumps(ours: Ints, late: Ints, flat: np.ndarray[tuple[int], np.dtype[np.float64]], edges: Ints) -> list[tuple[int, int]]:
    """Return where buckets' medians jump by seconds, well beyond their own noise, and stay."""
    count, side = len(flat), max(len(flat) // 24, 3)
    noise = 1.4826 * float(np.median(np.abs(np.diff(flat)))) + 1.0
    before = np.array([np.median(flat[max(at - side, 0) : at]) if at else flat[0] for at in range(count)])
    after = np.array([np.median(flat[at : at + side]) for at in range(count)])
    jump = after - before
    jump[:2] = jump[-1:] = 0
    found: list[tuple[int, int]] = []
    while len(found) < MOST_STEPS:
        at = int(np.abs(jump).argmax())
        if abs(jump[at]) < max(2_000.0, 6 * noise):
            break
        low, high = int(edges[max(at - side, 0)]), int(edges[min(at + side, count)])
        level = (before[at] + after[at]) / 2
        up = np.where(late[low:high] > level, 1, -1) * (1 if jump[at] > 0 else -1)
        split = low + int(np.append(0, np.cumsum(-up)).argmax())
        split = min(max(split, 1), len(ours) - 1)
        found.append((int(ours[split - 1] + ours[split]) // 2, int(jump[at])))
        jump[max(at - side, 0) : at + side + 1] = 0
    return sorted(found)


def _slope(times: np.ndarray[tuple[int], np.dtype[np.float64]], middle: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Return the median slope of all pairs of buckets that lie a third of the time or more apart; 0 where it is within the noise."""
    a, b = np.triu_indices(len(times), 1)
    run = times[b] - times[a]
    far = run >= max((times[-1] - times[0]) / 3, 1.0)
    slope = float(np.median((middle[b] - middle[a])[far] / run[far]))
    rest = middle - slope * (times - times[0])
    noise = 1.4826 * float(np.median(np.abs(rest - np.median(rest))))
    moved = abs(slope) * (times[-1] - times[0])
    return slope if moved >= max(500.0, 8 * noise / len(times) ** 0.5) else 0.0


def _settle(ours: Ints, late: Ints, steps: list[tuple[int, int]], slope: float) -> Clock:
    """Return the clock with each level measured anew between the steps, now that slope and steps are known."""
    origin = int(ours[0]) // DAY_MS * DAY_MS
    ppb = round(slope * 1e9)
    rest = late - (ours - origin) * ppb // 1_000_000_000
    edges = [0, *np.searchsorted(ours, [at for at, _ in steps]).tolist(), len(ours)]
    pieces = [(a, b) for a, b in itertools.pairwise(edges)]
    kept: list[tuple[int, int]] = []
    first = level = _middle(rest[pieces[0][0] : pieces[0][1]] if pieces[0][1] else rest)
    for (at, _), (a, b) in zip(steps, pieces[1:], strict=True):
        if b - a < 3:
            continue
        now = _middle(rest[a:b])
        if abs(now - level) >= 1_000:
            kept.append((at, now - level))
            level = now
    clock = Clock(origin, first, ppb, tuple(kept), 0)
    fits = int((np.abs(late - clock.late(ours)) <= 60_000).sum())
    return msgspec.structs.replace(clock, fits=fits)
