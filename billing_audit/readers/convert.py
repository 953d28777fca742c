"""The columns of a block become a LEDGER frame; a row with a field that can't be read is refused, with the first reason found."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from billing_audit.ledger import LEDGER, LINE_BITS, MISSING
from billing_audit.readers.digits import Bools, Ints
from billing_audit.readers.fields import READ, Notation, read
from billing_audit.readers.layout import Layout
from billing_audit.readers.moments import NAIVE
from billing_audit.readers.texts import Flags, each
from billing_audit.readers.unreadable import FLAG, REMARKS
from billing_audit.readers.zones import to_utc


@dataclass(frozen=True)
class Converted:
    """Records as a frame, and for every row of the block: 0 a record, > 0 the reason that refuses it (of `fields`), −1 folded."""

    frame: pd.DataFrame
    why: Flags
    fields: list[str]  # of each refused row, in order


def convert(columns: Mapping[str, pa.Array], lines: Ints, file: int, notation: Notation, parts: Ints | None = None) -> Converted:
    """Return the records of a block whose rows begin at these lines of the file with this index."""
    rows = len(lines)
    clock = next((name for name in ("start", "answer", "end") if name in columns), "")
    state = _State(np.zeros(rows, np.int16), [], np.full(rows, -1, np.int16), notation, clock)
    columns = _without_absent(_with_date(columns), notation.layout)
    folded = _folded(columns, notation, rows)
    found = {name: read(name, columns, notation) for name in READ if name in columns}
    for name, (_, flags) in found.items():
        state.refuse(name, flags)
    frame = _frame(found, state, rows)
    frame["source"] = (np.int64(file) << LINE_BITS) | lines
    frame["parts"] = np.ones(rows, np.int64) if parts is None else parts
    state.why[folded] = -1
    for name, (_, flags) in found.items():
        state.notice(flags)
        _count_zones(name, found[name][0], state)
    keep = state.why == 0
    if not keep.all():
        frame = {name: values[keep] for name, values in frame.items()}
    told = [state.order[place] for place in state.place[state.why > 0]]
    return Converted(pd.DataFrame({name: frame[name] for name in LEDGER}, copy=False), state.why, told)


@dataclass
class _State:
    """Which rows are refused so far, why, and by which field."""

    why: Flags
    order: list[str]
    place: Flags
    notation: Notation
    clock: str  # the column of times by which zones are counted

    def refuse(self, name: str, flags: Flags) -> None:
        if not flags.any():
            return
        bad = (flags > 0) & (self.why == 0)
        if bad.any():
            self.place[bad] = len(self.order)
            self.order.append(name)
            self.why[bad] = flags[bad]

    def notice(self, flags: Flags) -> None:
        if flags.any():
            remarked = flags[(flags < 0) & (self.why == 0)]
            for number, count in enumerate(np.bincount(-remarked.astype(np.int64), minlength=1)):
                if number and count:
                    self.notation.remarks[REMARKS[number]] += int(count)


def _with_date(columns: Mapping[str, pa.Array]) -> Mapping[str, pa.Array]:
    """Return the columns with the date, where it stands apart, before the time of day."""
    if "date" not in columns:
        return columns
    rest = {name: array for name, array in columns.items() if name != "date"}
    days = pc.replace_substring_regex(columns["date"], pattern=r"[ T]0?0:00(?::00)?(?:\.0+)?$", replacement="")
    joined = pc.binary_join_element_wise(days, columns["start"], pa.scalar(b" ", pa.binary()))
    return rest | {"start": joined}


def _without_absent(columns: Mapping[str, pa.Array], layout: Layout) -> Mapping[str, pa.Array]:
    """Return the columns with the texts that mean "not there" emptied."""
    if not any(name in columns for name in layout.absent):
        return columns
    found = dict(columns)
    for name, words in layout.absent.items():
        if name in found:
            said = pc.is_in(found[name], value_set=pa.array([word.encode() for word in words], pa.binary()))
            if pc.any(said).as_py():
                found[name] = pc.if_else(said, pa.scalar(b"", pa.binary()), found[name])
    return found


def _folded(columns: Mapping[str, pa.Array], notation: Notation, rows: int) -> Bools:
    """Tell which rows are no calls of this bill: not of the wanted kind, or another account's."""
    folded = np.zeros(rows, np.bool_)
    only = notation.layout.only
    if only is not None:
        other, _ = each(columns["only"], notation.once("only", lambda text: (int(text.strip().lower() not in only.words), 0)))
        folded |= other == 1
        notation.remarks["only"] += int(folded.sum())
    if notation.account is not None and "account" in columns:
        wanted = notation.account
        other, _ = each(columns["account"], notation.once("account?", lambda text: (int(text.strip() != wanted), 0)))
        notation.remarks["audit.note.other_accounts"] += int((~folded & (other == 1)).sum())
        folded |= other == 1
    return folded


def _count_zones(name: str, values: Ints, state: _State) -> None:
    if name == state.clock and state.notation.layout.times == "text":
        good = values[state.why == 0]
        naive = int((good >= NAIVE // 2).sum())
        state.notation.naive += naive
        state.notation.aware += int((good != MISSING).sum()) - naive


def _utc(values: Ints, zone: tzinfo) -> Ints:
    naive = values >= NAIVE // 2
    if naive.all():
        return to_utc(values - NAIVE, zone)
    if not naive.any():
        return values
    values = values.copy()
    values[naive] = to_utc(values[naive] - NAIVE, zone)
    return values


def _frame(found: Mapping[str, tuple[Ints, Flags]], state: _State, rows: int) -> dict[str, Ints]:
    """Return the columns of the ledger: when talk began, how long it rang and lasted, derived from the times that the file has."""

    def column(name: str) -> Ints:
        return found[name][0] if name in found else np.full(rows, MISSING, np.int64)

    start, answer, end = (_utc(column(name), state.notation.zone) if name in found else column(name) for name in ("start", "answer", "end"))
    duration, total, answered = column("duration"), column("total"), column("answered")
    ring = np.full(rows, MISSING, np.int64)
    if "answer" in found:  # who writes when calls were answered leaves it empty where none was; where talk is told, that decides
        nothing = (answer == MISSING) & (duration <= 0) & (column("billed") <= 0)
        answered = np.where((answered == MISSING) & nothing & (start != MISSING), 0, answered)
        ring = np.where((start != MISSING) & (answer != MISSING) & (answer >= start), answer - start, MISSING)
        start = np.where(answer != MISSING, answer, start)
    if "total" in found and "duration" in found:  # a time of the INVITE only, with both lengths
        rang = (answer == MISSING) & (duration > 0) & (total >= duration) & (start != MISSING)
        ring = np.where(rang, total - duration, ring)
        start = np.where(rang, start + total - duration, start)
    if "end" in found:
        span = np.where((end != MISSING) & (start != MISSING) & (end >= start), end - start, MISSING)
        start = np.where((start == MISSING) & (end != MISSING) & (duration != MISSING), end - duration, start)
        duration = np.where((duration == MISSING) & (answered != 0), span, duration)
    if "duration" not in found and "end" not in found:
        duration = total
    if rows and int(start.min()) == MISSING:
        state.refuse("start", np.where(start == MISSING, FLAG["no_time"], 0).astype(np.int16))
    frame = {name: column(name) for name in ("caller", "callee", "gateway", "account")}
    frame |= {"answered": answered, "start_ms": start, "ring_ms": ring, "duration_ms": duration, "billed_ms": column("billed")}
    return frame | {"rate_nano": column("rate"), "charge_micro": column("charge")}
