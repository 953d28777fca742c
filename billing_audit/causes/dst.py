"""`dst`: the offset changes by an hour on a date: a side does not turn its clocks as the contract's zone does."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from billing_audit.infer.table import WHOSE, Bools, Mark, Table, wall
from billing_audit.ledger import MISSING, Bill, Note, Value
from billing_audit.matching.align import Alignment

CODE = "dst"
HOUR = 3_600_000
WHOLE = (1_800_000, HOUR)


def find(table: Table, alignment: Alignment) -> list[Mark]:
    """Return a mark where the offset between the bills steps by an hour."""
    steps = [
        (at, delta) for at, delta in _joined(alignment.steps) if abs(abs(delta) - HOUR) < 60_000 or abs(abs(delta) - HOUR // 2) < 60_000
    ]
    if steps and abs(sum(delta for _, delta in steps)) < HOUR // 4:
        return []  # they cancel: another zone, whose days of change are a few hours apart
    if alignment.pairs == 0 or not steps:
        return []
    at = steps[0][0]
    own = [turn for turn in _turns(table) if abs(turn - at) <= 28 * HOUR]
    bill = _whose(table, own[0], steps[0][1]) if own else Bill.CUSTOMER
    rows = _moved(table)
    count, when = int(rows.sum()), wall(own[0] if own else at, table.reference.zone)
    values: dict[str, Value] = {"at": when, "hours": steps[0][1] / HOUR, "rows": count}
    whose = "audit.evidence.dst.contract" if own else "audit.evidence.dst.foreign"
    notes = (Note("audit.evidence.dst", values), Note(whose, {"zone": table.reference.zone}))
    separates = Note("audit.evidence.separates.dst")
    return [Mark(CODE, bill, WHOSE[bill], {"at": when}, 1.0, count, notes, separates)]


def _joined(steps: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
    """Return steps that follow within hours as one: in the hour that comes twice the two clocks can be two hours apart."""
    told: list[tuple[int, int]] = []
    last = 0
    for at, delta in steps:
        if told and at - last <= 3 * HOUR:
            told[-1] = (told[-1][0], told[-1][1] + delta)
        else:
            told.append((at, delta))
        last = at
    return told


def applies(table: Table, _mark: Mark) -> Bools:
    """Tell which pairs have their hour moved."""
    return _moved(table)


def _moved(table: Table) -> Bools:
    """Tell which pairs' starts are hours apart as written."""
    written = table.frame.get("c_written_ms", table.frame["c_start_ms"])
    late = np.abs(written - table.frame["l_start_ms"])
    return np.asarray(table.both & (late > HOUR // 4), np.bool_)


def _turns(table: Table) -> list[int]:
    """Return when the contract's zone changes its offset while there are calls, ms UTC."""
    start = table.frame["l_start_ms"]
    known = start[start != MISSING]
    if not known.size:
        return []
    zone = ZoneInfo(table.reference.zone)
    hours = range(int(known.min() // HOUR) - 24, int(known.max() // HOUR) + 26)
    offsets = [datetime.fromtimestamp(hour * 3600, UTC).astimezone(zone).utcoffset() for hour in hours]
    return [hour * HOUR for before, after, hour in zip(offsets, offsets[1:], list(hours)[1:], strict=False) if before != after]


def _whose(table: Table, turn: int, step_ms: int) -> Bill:
    """Return the bill that does not turn as the contract's zone does; `step_ms`: by how much the customer's times move against ours there.

    Times are read in the contract's zone. A clock that does not turn seems to go by as much as the zone's offset changes the other way: in
    spring it falls behind by the hour, in autumn it gains it.
    """
    zone = ZoneInfo(table.reference.zone)
    before, after = (datetime.fromtimestamp(turn / 1000 + s, UTC).astimezone(zone).utcoffset() for s in (-3600, 3600))
    assert before is not None
    assert after is not None
    return Bill.LOCAL if (after > before) == (step_ms > 0) else Bill.CUSTOMER
