"""Calls that a bill cuts into parts (every 30 minutes, say): the parts of a call become one record again."""

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from billing_audit.ledger import MISSING
from billing_audit.matching.align import Ints
from billing_audit.numbers import TAG

MIX_A, MIX_B = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
SUMMED = ("duration_ms", "billed_ms", "charge_micro", "parts")


class Chain(msgspec.Struct, frozen=True):
    """How a bill cuts calls: each part but the last lasts `period_ms` (0: any length), the next begins `least_ms` to `gap_ms` after it."""

    period_ms: int
    gap_ms: int
    least_ms: int = -1_500
    seen: int = 0


def pair_key(caller: Ints, callee: Ints) -> npt.NDArray[np.uint64]:
    """Return a 64-bit mix of both numbers."""
    mixed = caller.view(np.uint64) * MIX_A
    mixed ^= callee.view(np.uint64) * MIX_B
    mixed ^= mixed >> np.uint64(29)
    mixed *= MIX_B
    return mixed


def follow(frame: pd.DataFrame, rows: Ints) -> tuple[Ints, Ints]:
    """Return the rows sorted by caller, callee and start, and the pause (ms) from the end of the one before; a huge one when it differs."""
    caller, callee = frame["caller"].to_numpy()[rows], frame["callee"].to_numpy()[rows]
    start, duration = frame["start_ms"].to_numpy()[rows], frame["duration_ms"].to_numpy()[rows]
    order = np.lexsort((frame["source"].to_numpy()[rows], frame["charge_micro"].to_numpy()[rows], duration, start, callee, caller))
    caller, callee, start, duration = caller[order], callee[order], start[order], duration[order]
    pause = np.full(len(order), 1 << 60, np.int64)
    known = (duration[:-1] >= 0) & (start[:-1] != MISSING) & ((caller[1:] >= TAG) & (caller[1:] // TAG != 4))
    same = (caller[1:] == caller[:-1]) & (callee[1:] == callee[:-1]) & known
    pause[1:][same] = (start[1:] - start[:-1] - duration[:-1])[same]
    return rows[order], pause


def merge(frame: pd.DataFrame, chain: Chain) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the frame with chains of parts as one record each (that of the first part), and source → head of the parts taken in."""
    rows = _suspects(frame, chain)
    order, pause = follow(frame, rows)
    joined = (pause >= chain.least_ms) & (pause <= chain.gap_ms) & (frame["duration_ms"].to_numpy()[order] > 0)
    if chain.period_ms:
        duration = frame["duration_ms"].to_numpy()[order]
        joined[1:] &= np.abs(duration[:-1] - chain.period_ms) <= 1_500
        joined[1:] &= duration[1:] <= chain.period_ms + 1_500
    source = frame["source"].to_numpy()
    if not joined.any():
        return frame, parts_frame()
    head = np.flatnonzero(~joined)
    number = np.cumsum(~joined) - 1
    columns = {name: frame[name].to_numpy() for name in frame.columns}
    for name in SUMMED:
        values = columns[name][order]
        known = values != MISSING
        total = np.add.reduceat(np.where(known, values, 0), head)
        any_known = np.logical_or.reduceat(known, head)
        columns[name] = columns[name].copy()
        columns[name][order[head]] = np.where(any_known, total, MISSING)
    keep = np.ones(len(frame), np.bool_)
    keep[order[joined]] = False
    parts = parts_frame(source[order[joined]], source[order[head[number[joined]]]])
    return pd.DataFrame({name: values[keep] for name, values in columns.items()}, copy=False), parts


def parts_frame(source: Ints | None = None, head: Ints | None = None) -> pd.DataFrame:
    """Return the frame that says into which record (head) each part (source) was merged."""
    none = np.zeros(0, np.int64)
    return pd.DataFrame({"source": none if source is None else source, "head": none if head is None else head}, copy=False)


def _suspects(frame: pd.DataFrame, chain: Chain) -> Ints:
    """Return the rows that can be in a chain: with a period those of numbers that have a part of just that length."""
    if not chain.period_ms:
        return np.arange(len(frame))
    full = np.flatnonzero(np.abs(frame["duration_ms"].to_numpy() - chain.period_ms) <= 1_500)
    if not len(full):
        return full
    key = pair_key(frame["caller"].to_numpy(), frame["callee"].to_numpy())
    low = (key >> np.uint64(40)).astype(np.int64) & 0xFFFF
    hit = np.zeros(1 << 16, np.bool_)
    hit[low[full]] = True
    return np.flatnonzero(hit[low])
