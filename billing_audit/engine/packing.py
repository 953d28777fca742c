"""Columns of integers in as few bytes as they need: a base, and the rest above it in one, two, four or eight bytes a value."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from billing_audit.ledger import MISSING

Ints = npt.NDArray[np.int64]
Stored = npt.NDArray[Any]
KINDS = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.uint32))


class Form(NamedTuple):
    """How a column is stored: value = stored + base; `kind` None: every row is `base`. With `gaps`, a stored 0 is MISSING."""

    base: int
    gaps: bool
    kind: np.dtype[Any] | None

    @property
    def width(self) -> int:
        """Bytes a row."""
        return 0 if self.kind is None else self.kind.itemsize


def _span(part: Ints) -> tuple[int, int, bool] | None:
    """Return least and greatest known value, and whether any is MISSING; None when all are, or there is none."""
    if not part.size:
        return None
    low, high = int(part.min()), int(part.max())
    if low != MISSING:
        return low, high, False
    if high == MISSING:
        return None
    return int(part[part != MISSING].min()), high, True


def pack(parts: Sequence[Ints], order: npt.NDArray[np.intp]) -> tuple[Form, Stored | None]:
    """Return form and stored values of the parts of one column, one after the other, brought into `order`."""
    spans = [_span(part) for part in parts]
    known = [span for span in spans if span is not None]
    if not known:
        return Form(MISSING, False, None), None
    low, high = min(span[0] for span in known), max(span[1] for span in known)
    gaps = any(span[2] for span in known) or any(span is None and part.size for span, part in zip(spans, parts, strict=True))
    if low == high and not gaps:
        return Form(low, False, None), None
    widest = high - low + gaps
    kind = next((kind for kind in KINDS if widest <= np.iinfo(kind).max), np.dtype(np.int64))
    form = Form(low - gaps if kind != np.int64 else 0, gaps and kind != np.int64, kind)
    stored = np.empty(order.size, kind)
    at = 0
    for part in parts:
        place = stored[at : at + part.size]
        if form.base:
            np.subtract(part, form.base, out=place, casting="unsafe")
            if form.gaps:
                np.putmask(place, part == MISSING, 0)
        else:
            place[:] = part
        at += part.size
    return form, stored.take(order)


def unpack(form: Form, stored: Stored | None, out: Ints) -> None:
    """Write the values of a column, or of a stretch of one, to `out`."""
    if stored is None:
        out[:] = form.base
        return
    np.add(stored, form.base, out=out, casting="unsafe", dtype=np.int64)
    if form.gaps:
        np.putmask(out, stored == 0, MISSING)
