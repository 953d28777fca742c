"""Calls and the two bills that tell of them, for tests of alignment and matching; every row knows which call it is."""

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from billing_audit.ledger import LEDGER, LINE_BITS, MISSING, PAIRS
from billing_audit.numbers import MASK_COUNT, MASK_HEAD, MASKED, PLAIN

Ints = npt.NDArray[np.int64]
START = 1_790_812_800_000  # 2026-10-01 00:00 UTC
DAY_MS = 86_400_000


@dataclass
class Calls:
    """What really happened."""

    caller: Ints
    callee: Ints
    start: Ints
    talk: Ints
    ring: Ints

    def __len__(self) -> int:
        return len(self.start)


def mobile(rng: np.random.Generator, count: int) -> Ints:
    """Return Chinese mobile numbers in their international form, digits alone."""
    return PLAIN + 186 * 10**11 + rng.integers(130, 190, count) * 10**8 + rng.integers(0, 10**8, count)


def calls(
    rng: np.random.Generator, count: int, *, days: float = 30, callees: int | None = None, redials: float = 0.0, mean_s: float = 90.0
) -> Calls:
    """Return calls of random people; `redials`: the share that is dialled again seconds after the last one ended, once or more."""
    caller, callee = mobile(rng, count), mobile(rng, callees or max(count // 3, 1))[rng.integers(0, callees or max(count // 3, 1), count)]
    start = START + rng.integers(0, int(days * DAY_MS), count)
    talk = (rng.exponential(mean_s, count) * 1000).astype(np.int64) + 1_000
    again = np.flatnonzero(rng.random(count) < redials)
    again = again[again > 0]
    for row in again:
        caller[row], callee[row] = caller[row - 1], callee[row - 1]
        talk[row - 1] = 1_000 + int(rng.exponential(5_000))
        start[row] = start[row - 1] + talk[row - 1] + rng.integers(1_000, 5_000)
    return Calls(caller, callee, start, talk, rng.integers(2_000, 20_000, count))


def ledger(
    rng: np.random.Generator, told: Calls, file: int, *, start: Ints | None = None, talk: Ints | None = None, **columns: Ints
) -> pd.DataFrame:
    """Return a ledger of these calls, rows shuffled; the number of a call is told by `call_of`."""
    made = {name: np.full(len(told), MISSING, np.int64) for name in LEDGER}
    made["caller"], made["callee"] = told.caller, told.callee
    made["start_ms"] = told.start if start is None else start
    made["duration_ms"] = told.talk if talk is None else talk
    made["billed_ms"] = (made["duration_ms"] + 999) // 1000 * 1000
    made["rate_nano"] = np.full(len(told), 60_000_000, np.int64)
    made["charge_micro"] = made["billed_ms"]
    made["parts"] = np.ones(len(told), np.int64)
    made["source"] = (file << LINE_BITS) + 1 + np.arange(len(told))
    made.update(columns)
    return shuffled(rng, pd.DataFrame({name: made[name] for name in LEDGER}, copy=False))


def shuffled(rng: np.random.Generator, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in another order."""
    return taken(frame, rng.permutation(len(frame)))


def taken(frame: pd.DataFrame, rows: npt.NDArray[np.generic]) -> pd.DataFrame:
    """Return these rows."""
    return pd.DataFrame({name: frame[name].to_numpy()[rows] for name in frame.columns}, copy=False)


def some(rng: np.random.Generator, frame: pd.DataFrame, missing: float) -> pd.DataFrame:
    """Return the frame without a share of its rows."""
    return taken(frame, rng.random(len(frame)) >= missing)


def call_of(source: Ints) -> Ints:
    """Return the number of the call that a source is of."""
    return (source & ((1 << LINE_BITS) - 1)) - 1


def masked(rng: np.random.Generator, caller: Ints, share: float, *, absent: bool = False) -> Ints:
    """Return the callers with a share of them masked in the middle ("86138****1234") or left out."""
    told = caller - PLAIN
    length = np.floor(np.log10(told)).astype(np.int64)
    head, tail = told // 10 ** (length - 5), told % 10**4 + 10**4
    hidden = np.zeros(len(caller), np.int64) if absent else MASKED + head * MASK_HEAD + (length - 9) * MASK_COUNT + tail
    return np.where(rng.random(len(caller)) < share, hidden, caller)


def score(pairs: pd.DataFrame, local: pd.DataFrame, customer: pd.DataFrame) -> tuple[float, float]:
    """Return precision and recall of the pairs against what really happened."""
    left, right = pairs["l_source"].to_numpy(), pairs["c_source"].to_numpy()
    both = (left != MISSING) & (right != MISSING)
    right_ones = int((call_of(left[both]) == call_of(right[both])).sum())
    common = len(np.intersect1d(call_of(local["source"].to_numpy()), call_of(customer["source"].to_numpy())))
    return right_ones / max(int(both.sum()), 1), right_ones / max(common, 1)


def greedy(
    local: pd.DataFrame, customer: pd.DataFrame, offset_ms: int, tolerance_ms: int, keys: tuple[str, ...] = ("caller", "callee")
) -> pd.DataFrame:
    """Return pairs as the usual tools find them: each of our records takes the nearest free one in time with the same numbers."""
    free: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    theirs = [customer[name].to_numpy().tolist() for name in (*keys, "start_ms", "source")]
    for *key, start, source in sorted(zip(*theirs, strict=True), key=lambda row: row[-2]):
        free.setdefault(tuple(key), []).append((start - offset_ms, source))
    found: list[tuple[int, int]] = []
    mine = [local[name].to_numpy().tolist() for name in (*keys, "start_ms", "source")]
    used: set[int] = set()
    for *key, start, source in sorted(zip(*mine, strict=True), key=lambda row: row[-2]):
        near = free.get(tuple(key), [])
        low = bisect_left(near, (start - tolerance_ms, 0))
        high = bisect_left(near, (start + tolerance_ms + 1, 0))
        best = min((entry for entry in near[low:high] if entry[1] not in used), key=lambda entry: abs(entry[0] - start), default=None)
        if best is not None:
            used.add(best[1])
            found.append((source, best[1]))
    made = {name: np.full(len(found), MISSING, np.int64) for name in PAIRS}
    made["l_source"], made["c_source"] = np.array(found, np.int64).T
    return pd.DataFrame(made, copy=False)
