"""What arithmetic can't read is read by a plain function, once for each different text of a block."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from billing_audit.ledger import MISSING
from billing_audit.readers.digits import Bools, Ints

Flags = npt.NDArray[np.int16]
Scalar = Callable[[str], tuple[int, int]]
"""One text → its value and a flag (see unreadable.REASONS and REMARKS)."""
MOST_REMEMBERED = 200_000


class Once:
    """A scalar parser that remembers what it answered: bounded, and forgotten as a whole when full."""

    def __init__(self, parse: Scalar) -> None:
        self._parse = parse
        self._known: dict[bytes, tuple[int, int]] = {}

    def __call__(self, text: bytes) -> tuple[int, int]:
        """Return value and flag of one text."""
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            found = self._known[text] = self._parse(text.decode("utf-8", "replace"))
        return found


def each(array: pa.Array, parse: Once) -> tuple[Ints, Flags]:
    """Return value and flag of every text of a binary array."""
    if not len(array):
        return np.zeros(0, np.int64), np.zeros(0, np.int16)
    coded = array.dictionary_encode()
    answers = [parse(text) for text in coded.dictionary.to_pylist()]
    indices = np.asarray(coded.indices)
    values = np.array([value for value, _ in answers], np.int64)
    flags = np.array([flag for _, flag in answers], np.int16)
    return values[indices], flags[indices]


def rest(array: pa.Array, values: Ints, ok: Bools, parse: Once) -> tuple[Ints, Flags]:
    """Return values and flags of a column: `values` where `ok`, the plain function's answer elsewhere."""
    flags = np.zeros(len(array), np.int16)
    if ok.all():
        return values, flags
    rows = np.flatnonzero(~ok)
    values = np.where(ok, values, MISSING)
    values[rows], flags[rows] = each(array.take(pa.array(rows)), parse)
    return values, flags
