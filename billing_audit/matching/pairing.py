"""The table of pairs: which of our records and which of theirs stand in each row, in which order, and what they say."""

from collections.abc import Mapping
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from billing_audit.engine.spill import slots
from billing_audit.ledger import MISSING, PAIRED, PAIRS
from billing_audit.matching.align import Ints
from billing_audit.numbering.compatible import visible

Columns = Mapping[str, Ints]
Order = Literal["any", "parts", "slots"]
"""Matched pairs, our records alone, theirs: as they come; each part by start and contents; or all by slot, and within one so."""
CONTENTS: Final = ("billed_ms", "charge_micro", "rate_nano", "ring_ms", "answered", "parts")
TOLD: Final = ("start_ms", "callee", "caller", "duration_ms", *CONTENTS, "gateway", "account")
_MOST_START_BITS: Final = 49  # with the 14 of a slot they fit an int64; dates of this millennium need 46


def pairs_of(ours: Columns, theirs: Columns, partner: Ints, taken: npt.NDArray[np.bool_], order: Order) -> pd.DataFrame:
    """Return PAIRS of two bills: `partner` is the customer's row of each of ours or −1, `taken` tells which of theirs have one.

    Rows are put in order before anything is fetched, so that each column is fetched once.
    """
    matched, alone, others = np.flatnonzero(partner >= 0), np.flatnonzero(partner < 0), np.flatnonzero(~taken)
    leads = (slots(ours["callee"]), slots(theirs["callee"])) if order == "slots" else (None, None)
    if order != "any":
        matched = matched[_in_order(ours, matched, leads[0], theirs, partner[matched])]
        alone, others = alone[_in_order(ours, alone, leads[0])], others[_in_order(theirs, others, leads[1])]
    left = np.concatenate([matched, alone, np.full(len(others), -1)])
    right = np.concatenate([partner[matched], np.full(len(alone), -1), others])
    if leads[0] is not None and leads[1] is not None:
        filed = np.argsort(np.concatenate([leads[0][matched], leads[0][alone], leads[1][others]]), kind="stable")
        left, right = left[filed], right[filed]
    not_ours, not_theirs = np.flatnonzero(left < 0), np.flatnonzero(right < 0)
    columns = {"l_source": _fetched(ours["source"], left, not_ours), "c_source": _fetched(theirs["source"], right, not_theirs)}
    for name in ("caller", "callee"):
        columns[name] = _fetched(ours[name], left, not_ours)
        columns[name][not_ours] = theirs[name][right[not_ours]]
    hidden = np.flatnonzero(~visible(columns["caller"]) & (left >= 0) & (right >= 0))
    columns["caller"][hidden] = _better(columns["caller"][hidden], theirs["caller"][right[hidden]])
    for side, frame, rows, absent in (("l", ours, left, not_ours), ("c", theirs, right, not_theirs)):
        columns |= {f"{side}_{name}": _fetched(frame[name], rows, absent) for name in PAIRED}
    return pd.DataFrame({name: columns[name] for name in PAIRS}, copy=False)


def _in_order(
    frame: Columns, rows: Ints, lead: npt.NDArray[np.uint16] | None, other: Columns | None = None, partners: Ints | None = None
) -> Ints:
    """Return the order of rows by lead, start, all they (and their partners) say, and source; never by their order in a file."""
    if not len(rows):
        return rows
    start = frame["start_ms"][rows]
    known = start != MISSING
    least = int(start[known].min()) if known.any() else 0
    packed = np.where(known, start - least + 1, 0)
    if lead is not None:
        if int(packed.max()).bit_length() > _MOST_START_BITS:
            packed = np.unique(packed, return_inverse=True)[1]
        first = lead[rows]
        packed |= (first - first.min()).astype(np.int64) << int(packed.max()).bit_length()
    row_bits = len(rows).bit_length()
    if int(packed.max()).bit_length() + row_bits <= 63:
        packed = (packed << row_bits) | np.arange(len(rows))
        packed.sort()
        order, packed = packed & ((1 << row_bits) - 1), packed >> row_bits
    else:
        order = np.argsort(packed, kind="stable")
        packed = packed[order]
    equal = packed[1:] == packed[:-1]
    tied = np.flatnonzero(np.append(equal, False) | np.append(False, equal))
    if len(tied):
        some = order[tied]
        keys = [packed[tied], *(frame[name][rows[some]] for name in TOLD)]
        if other is not None and partners is not None:
            keys += [other[name][partners[some]] for name in TOLD]
        order[tied] = some[np.lexsort((frame["source"][rows[some]], *reversed(keys)))]
    return order


def _better(ours: Ints, theirs: Ints) -> Ints:
    return np.where(visible(theirs) | (ours == 0), theirs, ours)


def _fetched(values: Ints, rows: Ints, absent: Ints) -> Ints:
    """Return the values of rows, MISSING at the places that are `absent` (there the row is −1)."""
    if not len(values):
        return np.full(len(rows), MISSING, np.int64)
    column = values.take(rows, mode="clip")
    column[absent] = MISSING
    return column
