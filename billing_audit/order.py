"""The one order of pairs, whatever the order of rows, however the calls were divided: by slot, start, numbers, contents, source."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from billing_audit.ledger import MISSING
from billing_audit.packing import Ints
from billing_audit.spill import slots

SLOT_BITS: Final = 14
WORD_BITS: Final = 63
CONTENTS: Final = (
    "callee", "caller", "l_start_ms", "c_start_ms", "l_duration_ms", "c_duration_ms", "l_billed_ms", "c_billed_ms",
    "l_rate_nano", "c_rate_nano", "l_charge_micro", "c_charge_micro", "l_ring_ms", "c_ring_ms", "l_gateway", "c_gateway",
    "l_source", "c_source",
)  # fmt: skip


def in_order(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs in their order."""
    if len(pairs) < 2:
        return pairs
    order = _order(pairs)
    return pd.DataFrame({name: pairs[name].to_numpy().take(order) for name in pairs.columns}, copy=False)


def _order(pairs: pd.DataFrame) -> npt.NDArray[np.intp]:
    """Slot, start and row are packed into one word each: words are sorted several times as fast as indices by several keys."""
    start = np.where(pairs["l_source"].to_numpy() == MISSING, pairs["c_start_ms"].to_numpy(), pairs["l_start_ms"].to_numpy())
    known = start != MISSING
    low = int(start[known].min()) if known.any() else 0
    since = np.where(known, start - low + 1, 0)
    row_bits, time_bits = len(pairs).bit_length(), int(since.max()).bit_length()
    cut = max(SLOT_BITS + time_bits + row_bits - WORD_BITS, 0)
    word = slots(pairs["callee"].to_numpy()).astype(np.int64)
    word <<= time_bits - cut
    word |= since >> cut
    word <<= row_bits
    word |= np.arange(len(pairs))
    word.sort()
    order: npt.NDArray[np.intp] = word & ((1 << row_bits) - 1)
    word >>= row_bits
    same = word[1:] == word[:-1]
    if same.any():
        tied = np.append(same, False) | np.append(False, same)
        _settle(pairs, order, word, np.flatnonzero(tied), start)
    return order


def _settle(pairs: pd.DataFrame, order: npt.NDArray[np.intp], word: Ints, places: npt.NDArray[np.intp], start: Ints) -> None:
    """Bring the rows at these places, of which neighbours are alike so far, into their order."""
    rows = order[places]
    keys = [pairs[name].to_numpy()[rows] for name in reversed(CONTENTS)]
    order[places] = rows[np.lexsort([*keys, start[rows], word[places]])]
