"""One pass over the differing calls: how many, when, and the money of each cause on each day; what sheets and plots are planned from."""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from billing_audit.audit import Audit
from billing_audit.ledger import MISSING
from reports.audit.figures import DAY_MS, Ints, day_text, local_ms
from reports.audit.words import UNEXPLAINED, columns_of

Calls = Callable[[], Iterator[pd.DataFrame]]
SLOT_MS: Final = 900_000
BATCH: Final = 50_000  # differing calls that are in memory at once, to be sorted by time
NO_TIME: Final = -(1 << 40)  # the slot of calls that have no time


class Tally(msgspec.Struct, frozen=True):
    """What was counted. `columns`: the money columns in order; `days`: day → column → micro ("" : calls without a time);

    `batches`: first slot and the slot behind the last one of each part of the time that has about BATCH calls.
    """

    rows: int
    columns: tuple[str, ...]
    sums: dict[str, int]
    records: dict[str, int]
    days: dict[str, dict[str, int]]
    batches: tuple[tuple[int, int], ...]


def tally(audit: Audit, calls: Calls) -> Tally:
    """Return what one pass over the calls counts; integers all the way."""
    known = columns_of(audit)
    slots: dict[int, int] = {}
    days: dict[str, dict[str, int]] = {}
    sums: dict[str, int] = {}
    records: dict[str, int] = {}
    rows = 0
    for frame in calls():
        some = differing(frame)
        rows += len(some)
        begun = begin(some, audit)
        for slot, count in zip(*np.unique(slot_of(begun), return_counts=True), strict=True):
            slots[int(slot)] = slots.get(int(slot), 0) + int(count)
        here = local_ms(begun, audit.timezone)
        each, at = np.unique(np.where(here == MISSING, MISSING, here // DAY_MS), return_inverse=True)
        for column in money_columns(some):
            amounts = some[column].to_numpy()
            by_day = np.zeros(len(each), np.int64)
            np.add.at(by_day, at, amounts)
            for day, amount in zip(each, by_day, strict=True):
                name = "" if day == MISSING else day_text(int(day))
                of_day = days.setdefault(name, {})
                of_day[column] = of_day.get(column, 0) + int(amount)
            sums[column] = sums.get(column, 0) + int(amounts.sum())
            records[column] = records.get(column, 0) + int(np.count_nonzero(amounts))
    columns = (*known[:-1], *(name for name in sorted(sums) if name not in known), UNEXPLAINED)
    return Tally(rows, columns, sums, records, dict(sorted(days.items())), tuple(_batches(slots)))


def money_columns(frame: pd.DataFrame) -> list[str]:
    """Return the columns of a frame of calls that carry money of a cause."""
    return [name for name in frame.columns if "/" in name or name == UNEXPLAINED]


def differing(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the calls that one bill lacks, that cost or bill otherwise, or that carry money of a cause."""
    value = {name: frame[name].to_numpy() for name in ("l_source", "c_source", "l_charge_micro", "c_charge_micro")}
    keep = (value["l_source"] == MISSING) | (value["c_source"] == MISSING) | (value["l_charge_micro"] != value["c_charge_micro"])
    ours, theirs = frame["l_billed_ms"].to_numpy(), frame["c_billed_ms"].to_numpy()
    keep |= (ours != theirs) & (ours != MISSING) & (theirs != MISSING)
    for column in money_columns(frame):
        keep |= frame[column].to_numpy() != 0
    some: pd.DataFrame = frame[keep]
    return some


def begin(frame: pd.DataFrame, audit: Audit) -> Ints:
    """Return when each call began by our clock: our record, else theirs less the clock offset; MISSING where neither tells."""
    ours, theirs = frame["l_start_ms"].to_numpy(), frame["c_start_ms"].to_numpy()
    offset = round((audit.clock_offset_s or 0.0) * 1000)
    return np.where(ours != MISSING, ours, np.where(theirs != MISSING, theirs - np.int64(offset), MISSING))


def slot_of(begun: Ints) -> Ints:
    """Return the quarter of an hour (since 1970) of each time; NO_TIME where there is none."""
    return np.where(begun == MISSING, NO_TIME, begun // SLOT_MS)


def batches(audit: Audit, calls: Calls, counted: Tally) -> Iterator[pd.DataFrame]:
    """Yield the differing calls in order of time, source breaking ties; one pass over `calls` for each about BATCH of them.

    The order is the same whatever the order in which `calls` gives them; memory holds one batch.
    """
    for first, behind in counted.batches:
        kept: list[pd.DataFrame] = []
        for frame in calls():
            some = differing(frame)
            slots = slot_of(begin(some, audit))
            kept.append(some[(slots >= first) & (slots < behind)])
        whole = pd.concat(kept, ignore_index=True) if len(kept) > 1 else kept[0]
        whole = whole.reindex(columns=[*[n for n in whole.columns if n not in counted.columns], *counted.columns], fill_value=0)
        yield whole.iloc[_order(whole, begin(whole, audit))]


def _order(frame: pd.DataFrame, begun: Ints) -> npt.NDArray[np.intp]:
    return np.lexsort((frame["c_source"].to_numpy(), frame["l_source"].to_numpy(), begun))


def _batches(slots: dict[int, int]) -> Iterator[tuple[int, int]]:
    first: int | None = None
    last = held = 0
    for slot in sorted(slots):
        if first is not None and held + slots[slot] > BATCH:
            yield first, last + 1
            first, held = None, 0
        first = slot if first is None else first
        last = slot
        held += slots[slot]
    if first is not None:
        yield first, last + 1
