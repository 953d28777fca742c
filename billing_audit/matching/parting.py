"""Whether a bill cuts long calls into parts, how long they are and how close they follow: learned from a sample."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from billing_audit.ledger import MISSING, Bill
from billing_audit.matching.align import Alignment, Ints
from billing_audit.matching.partials import Chain, follow, pair_key
from billing_audit.numbering.rewriting import Rule, Tech, apply

SHORTEST_MS: Final = 30_000  # a part is no shorter
CLOSE_MS: Final = 10_000  # a pause longer than this is a new call
LEAST: Final = 4
SHARE: Final = 0.5  # of the records that last a period, so many must be followed at once
PROVED: Final = 0.8
SLACK_MS: Final = 3_000
SHORT_BITS: Final = 20

Keys = npt.NDArray[np.uint64]


def learn_chains(
    local: pd.DataFrame, customer: pd.DataFrame, alignment: Alignment, rules: tuple[Rule, ...], tech: Tech
) -> dict[str, Chain]:
    """Return, for each bill that cuts calls into parts, how."""
    ours = _rewritten(local, Bill.LOCAL, rules, tech, local["start_ms"].to_numpy())
    theirs = _rewritten(customer, Bill.CUSTOMER, rules, tech, alignment.correct(customer["start_ms"].to_numpy()))
    made = {}
    for bill, frame, other in ((Bill.LOCAL, ours, theirs), (Bill.CUSTOMER, theirs, ours)):
        chain = _chain(frame, other, alignment)
        if chain is not None:
            made[str(bill)] = chain
    return made


def _rewritten(frame: pd.DataFrame, bill: Bill, rules: tuple[Rule, ...], tech: Tech, start: Ints) -> pd.DataFrame:
    columns = {name: frame[name].to_numpy() for name in frame.columns}
    columns["start_ms"] = start
    for field in ("caller", "callee"):
        columns[field], _ = apply(columns[field], rules, bill, field, tech)
    return pd.DataFrame(columns, copy=False)


def _chain(frame: pd.DataFrame, other: pd.DataFrame, alignment: Alignment) -> Chain | None:
    key = pair_key(frame["caller"].to_numpy(), frame["callee"].to_numpy())
    order, pause = follow(frame, np.flatnonzero(np.bincount(_short(key), minlength=1 << SHORT_BITS)[_short(key)] > 1))
    if len(order) < 2:
        return None
    duration = frame["duration_ms"].to_numpy()[order]
    close = np.flatnonzero((np.abs(pause[1:]) <= CLOSE_MS) & (duration[:-1] >= SHORTEST_MS) & (duration[1:] > 0)) + 1
    if len(close) < LEAST:
        return None
    start, keys = frame["start_ms"].to_numpy()[order], key[order]
    both = np.ones(len(close), np.bool_)
    for part in (close - 1, close):
        both &= _has(other, keys[part], start[part], duration[part], alignment)
    close = close[~both]  # calls dialled again, or cut in the same way by both bills, agree record by record
    if len(close) < LEAST:
        return None
    return _periodic(frame, duration, pause, close) or _proved(frame, other, order, pause, close, alignment)


def _short(key: Keys) -> Ints:
    """Return some bits of the keys, to leave out most of those that can't be equal to another."""
    return (key >> np.uint64(64 - SHORT_BITS)).astype(np.int64)


def _periodic(frame: pd.DataFrame, duration: Ints, pause: Ints, close: Ints) -> Chain | None:
    """Return the chain of parts of one length, where far more records of that length are followed at once than of others."""
    before = duration[close - 1]
    seconds, count = np.unique((before + 500) // 1000, return_counts=True)
    best = int(seconds[count.argmax()]) * 1000
    mine = close[np.abs(before - best) <= 1_500]
    every = frame["duration_ms"].to_numpy()
    lasting = np.abs(every - best) <= 1_500
    others = (every >= SHORTEST_MS) & ~lasting
    followed = len(mine) / max(int(lasting.sum()), 1)
    usual = (len(close) - len(mine)) / max(int(others.sum()), 1)
    if len(mine) < LEAST or followed < SHARE or followed < 5 * usual:
        return None
    period = int(np.median(before[np.abs(before - best) <= 1_500]))
    return Chain(period, _gap(pause[mine]), seen=len(mine))


def _gap(pauses: Ints) -> int:
    """Return the longest pause between parts: what holds 99 of 100, and a second."""
    return min(int(np.quantile(pauses, 0.99, method="higher")) + 1_000, CLOSE_MS)


def _proved(frame: pd.DataFrame, other: pd.DataFrame, order: Ints, pause: Ints, close: Ints, alignment: Alignment) -> Chain | None:
    """Return the chain of parts of any length, where the other bill has one record as long as both together."""
    start, duration = frame["start_ms"].to_numpy()[order], frame["duration_ms"].to_numpy()[order]
    key = pair_key(frame["caller"].to_numpy()[order], frame["callee"].to_numpy()[order])
    close = close[duration[close] > 2 * SLACK_MS]  # a shorter one does not show in the sum
    joined = np.zeros(len(order), np.bool_)
    joined[close] = True
    head = np.flatnonzero(~joined)
    total = np.add.reduceat(np.where(duration == MISSING, 0, duration), head)
    several = np.diff(np.append(head, len(order))) > 1
    whole = _has(other, key[head[several]], start[head[several]], total[several], alignment)
    number = np.cumsum(~joined) - 1
    proved = np.zeros(len(head), np.bool_)
    proved[np.flatnonzero(several)[whole]] = True
    sure = close[proved[number[close]]]
    if len(sure) < LEAST:
        return None
    gap = _gap(pause[sure])
    within = close[pause[close] <= gap]
    if proved[number[within]].mean() < PROVED:
        return None
    return Chain(0, gap, seen=len(sure))


def _has(other: pd.DataFrame, key: Keys, start: Ints, total: Ints, alignment: Alignment) -> npt.NDArray[np.bool_]:
    """Tell which calls the other bill has as one record: same numbers, start and duration within tolerance."""
    keys = pair_key(other["caller"].to_numpy(), other["callee"].to_numpy())
    wanted = np.zeros(1 << SHORT_BITS, np.bool_)
    wanted[_short(key)] = True
    rows = np.flatnonzero(wanted[_short(keys)])
    keys = keys[rows]
    rank = np.unique(keys, return_inverse=True)
    at = np.searchsorted(rank[0], key)
    known = (at < len(rank[0])) & (rank[0][np.minimum(at, len(rank[0]) - 1)] == key) if len(rank[0]) else np.zeros(len(key), np.bool_)
    found = np.zeros(len(key), np.bool_)
    begins, lasts = other["start_ms"].to_numpy()[rows], other["duration_ms"].to_numpy()[rows]
    order = np.lexsort((begins, rank[1]))
    first = np.searchsorted(rank[1][order], at)
    reach, slack = alignment.tolerance_ms, SLACK_MS
    for look in range(8):  # records of the same numbers looked at: a bound, enough for a sample
        row = first + look
        ok = known & (row < len(order))
        here = order[np.minimum(row, max(len(order) - 1, 0))] if len(order) else np.zeros(len(key), np.int64)
        if not len(order):
            break
        ok &= rank[1][here] == at
        found |= ok & (np.abs(begins[here] - start) <= reach) & (np.abs(lasts[here] - total) <= slack)
    return found
