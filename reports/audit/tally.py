"""One pass over the differing calls: how many, when, and the money of each cause; what sheets and plots are planned from."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from billing_audit.audit import Audit
from billing_audit.ledger import LINE_BITS, MISSING
from reports.audit.figures import DAY_MS, Ints, day_text, local_ms
from reports.audit.words import UNEXPLAINED, columns_of

Calls = Callable[[], Iterator[pd.DataFrame]]
Lines = Callable[[list[int]], dict[int, str]]
SLOT_MS: Final = 900_000  # every zone's midnight lies at the edge of a quarter of an hour
BATCH: Final = 50_000  # differing calls that are in memory at once, to be sorted by time (about 1 kB each with both lines)
LARGEST_BATCH: Final = 250_000  # … of very many: each batch is a pass over all pairs and both bills
_PASSES: Final = 8
NO_TIME: Final = -(1 << 60)  # the first slot of calls that have no time; they go by line
_NO_TIME_LINES: Final = 20_000
_CHARGES: Final = ("l_charge_micro", "c_charge_micro")


@dataclass(frozen=True)
class Material:
    """What a report is made from: the audit, its differing calls, the raw line of each source, the text of a number's code."""

    audit: Audit
    calls: Calls
    lines: Lines
    number: Callable[[int], str]


class Batch(msgspec.Struct, frozen=True):
    """A part of the time with about BATCH calls (LARGEST_BATCH of very many): first slot, the one behind the last, calls, money by column.

    `charges`: what these calls cost here and there.
    """

    first: int
    behind: int
    rows: int
    sums: tuple[int, ...]
    charges: tuple[int, int]


class Tally(msgspec.Struct, frozen=True):
    """What was counted. `columns`: the money columns in order; `days`: day → money per column ("" : calls without a time)."""

    rows: int
    columns: tuple[str, ...]
    sums: tuple[int, ...]
    days: dict[str, tuple[int, ...]]
    batches: tuple[Batch, ...]


def tally(audit: Audit, calls: Calls, wanted: Sequence[str] | None = None) -> Tally:
    """Return what one pass over the calls counts; integers all the way. `wanted`: the money columns, unless those of the audit."""
    slots: dict[int, dict[str, int]] = {}  # slot → column → money, and "" → calls
    for frame in calls():
        some = differing(frame)
        each, at = np.unique(slot_of(some, audit), return_inverse=True)
        counted = {"": np.bincount(at, minlength=len(each)).astype(np.int64)}
        for column in (*money_columns(some), *_CHARGES):
            values = some[column].to_numpy()
            counted[column] = np.zeros(len(each), np.int64)
            np.add.at(counted[column], at, np.where(values == MISSING, 0, values))
        for index, slot in enumerate(each.tolist()):
            held = slots.setdefault(slot, {})
            for column, by_slot in counted.items():
                held[column] = held.get(column, 0) + int(by_slot[index])
    columns = tuple(wanted or ())
    if wanted is None:
        known = columns_of(audit)
        more = sorted({column for held in slots.values() for column in held} - {"", *known, *_CHARGES})
        columns = (*known[:-1], *more, UNEXPLAINED)
    packed = {slot: tuple(held.get(column, 0) for column in (*columns, *_CHARGES, "")) for slot, held in sorted(slots.items())}
    whole = added(list(packed.values()), len(columns) + 3)
    return Tally(whole[-1], columns, whole[:-3], _days(packed, audit.timezone), tuple(_batches(packed, whole[-1])))


def added(parts: Sequence[tuple[int, ...]], length: int) -> tuple[int, ...]:
    """Return the sums by place of tuples of `length` integers."""
    return tuple(sum(part[at] for part in parts) for at in range(length))


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
    offset = np.int64(round((audit.clock_offset_s or 0.0) * 1000))
    return np.where(ours != MISSING, ours, np.where(theirs != MISSING, theirs - offset, MISSING))


def slot_of(frame: pd.DataFrame, audit: Audit) -> Ints:
    """Return the quarter of an hour (since 1970) of each call; from NO_TIME on, by line, where there is no time."""
    begun = begin(frame, audit)
    ours, theirs = frame["l_source"].to_numpy(), frame["c_source"].to_numpy()
    source = np.where(ours != MISSING, ours, theirs)
    place = (source >> LINE_BITS << 28) + (source & ((1 << LINE_BITS) - 1)) // _NO_TIME_LINES
    return np.where(begun == MISSING, NO_TIME + place, begun // SLOT_MS)


def batches(audit: Audit, calls: Calls, columns: Sequence[str], wanted: Sequence[Batch]) -> Iterator[pd.DataFrame]:
    """Yield the differing calls in order of time, sources breaking ties, with these money columns; a pass over `calls` for each batch.

    The order is the same whatever the order in which `calls` gives them; memory holds one batch.
    """
    for batch in wanted:
        kept: list[pd.DataFrame] = []
        for frame in calls():
            some = differing(frame)
            slots = slot_of(some, audit)
            kept.append(some[(slots >= batch.first) & (slots < batch.behind)])
        whole = pd.concat(kept, ignore_index=True) if len(kept) > 1 else kept[0]
        plain = [name for name in whole.columns if name not in columns]
        whole = whole.reindex(columns=[*plain, *columns], fill_value=0)
        yield whole.iloc[_order(whole, begin(whole, audit))]


def _order(frame: pd.DataFrame, begun: Ints) -> npt.NDArray[np.intp]:
    return np.lexsort((frame["c_source"].to_numpy(), frame["l_source"].to_numpy(), begun))


def _days(slots: dict[int, tuple[int, ...]], zone: str) -> dict[str, tuple[int, ...]]:
    starts = np.array([slot * SLOT_MS if slot > NO_TIME // 2 else MISSING for slot in slots], np.int64)
    days: dict[str, tuple[int, ...]] = {}
    for here, whole in zip(local_ms(starts, zone).tolist(), slots.values(), strict=True):
        name, money = "" if here == MISSING else day_text(here // DAY_MS), whole[:-3]
        days[name] = added([days[name], money], len(money)) if name in days else money
    return dict(sorted(days.items()))


def _batches(slots: dict[int, tuple[int, ...]], calls: int) -> Iterator[Batch]:
    most = max(BATCH, min(LARGEST_BATCH, calls // _PASSES))
    held: list[int] = []
    rows = 0
    for slot, (*_, count) in slots.items():
        if held and rows + count > most:
            yield _batch(held, slots)
            held, rows = [], 0
        held.append(slot)
        rows += count
    if held:
        yield _batch(held, slots)


def _batch(held: list[int], slots: dict[int, tuple[int, ...]]) -> Batch:
    whole = added([slots[at] for at in held], len(slots[held[0]]))
    return Batch(held[0], held[-1] + 1, whole[-1], whole[:-3], (whole[-3], whole[-2]))
