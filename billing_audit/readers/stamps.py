"""Times of a bill that is in the order of time: a date is read once for each run of rows that have it, the times of day all at once."""

from typing import Final

import numpy as np

from billing_audit.readers.digits import Ints
from billing_audit.readers.grid import Cells, eight, odd
from billing_audit.readers.moments import iso

WIDTH: Final = 19  # 2026-10-01 08:05:09
LEAST_RUN: Final = 16  # rows with one date, on average: below it reading every date is as fast
_FRAME, _COLONS = (np.uint64(int.from_bytes(text, "little")) for text in (b"00:00:00", b"\0\0\xff\0\0\xff\0\0"))


def stamps(cells: Cells) -> Ints | None:
    """Return what `moments.iso` gives; None when not all texts are such times, or dates change too often."""
    if not (cells.ends - cells.begins == WIDTH).all():
        return None
    head, middle = cells.words(cells.begins), cells.words(cells.begins + 3)  # together all before the time of day
    starts = np.append(0, np.flatnonzero((head[1:] != head[:-1]) | (middle[1:] != middle[:-1])) + 1)
    if len(starts) * LEAST_RUN > len(head):
        return None
    firsts = Cells(cells.block, cells.begins[starts], cells.ends[starts]).alike((WIDTH,))
    found, ok = (None, None) if firsts is None else iso(firsts)
    clock = _clock(cells)
    if found is None or ok is None or clock is None or not ok.all():
        return None
    times: Ints = clock + np.repeat(found - clock[starts], np.diff(np.append(starts, len(head))))
    return times


def _clock(cells: Cells) -> Ints | None:
    """Return the ms of the day of texts that end in 08:05:09; None when one does not."""
    digits = cells.words(cells.ends - 8) ^ _FRAME
    if odd(digits) or (digits & _COLONS).any():
        return None
    told = eight(digits).view(np.int64)  # hours, 0, minutes, 0, seconds
    thousands = told // 1000
    hours = thousands // 1000
    minutes, seconds = thousands - hours * 1000, told - thousands * 1000
    if int(hours.max()) > 23 or int(minutes.max()) > 59 or int(seconds.max()) > 59:
        return None
    clock: Ints = ((hours * 60 + minutes) * 60 + seconds) * 1000
    return clock
