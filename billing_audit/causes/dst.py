"""`dst`: the offset changes by an hour on a date: a side does not turn its clocks as the contract's zone does."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from billing_audit.align import Alignment
from billing_audit.causes.missing_outage import utc
from billing_audit.infer.table import WHOSE, Bools, Mark, Table
from billing_audit.ledger import MISSING, Bill, Note, Side, Value

CODE = "dst"
HOUR = 3_600_000
WHOLE = (1_800_000, HOUR)


def find(table: Table, alignment: Alignment) -> list[Mark]:
    """Return a mark where the offset between the bills steps by an hour."""
    steps = [(at, delta) for at, delta in alignment.steps if abs(abs(delta) - HOUR) < 60_000 or abs(abs(delta) - HOUR // 2) < 60_000]
    if steps and abs(sum(delta for _, delta in steps)) < HOUR // 4:
        return []  # they cancel: another zone, whose days of change are a few hours apart
    if alignment.pairs == 0 or not steps:
        return []
    at = steps[0][0]
    own = [turn for turn in _turns(table) if abs(turn - at) <= 28 * HOUR]
    bill, sure = _whose(table, own[0]) if own else (Bill.CUSTOMER, True)
    rows = _moved(table)
    count, when = int(rows.sum()), utc(own[0] if own else at)
    values: dict[str, Value] = {"at": when, "hours": steps[0][1] / HOUR, "rows": count}
    whose = "audit.evidence.dst.contract" if own else "audit.evidence.dst.foreign"
    notes = (Note("audit.evidence.dst", values), Note(whose, {"zone": table.reference.zone}))
    side = WHOSE[bill] if sure or not own else Side.UNDETERMINED
    separates = Note("audit.evidence.separates.dst")
    return [Mark(CODE, bill, side, {"at": when}, 1.0 if sure else 0.6, count, notes, separates)]


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


def _whose(table: Table, turn: int) -> tuple[Bill, bool]:
    """Return the bill that does not turn as the contract's zone does, and whether that is sure.

    Times are read in the contract's zone. In spring the hour that the zone skips holds calls only on a clock that does not turn, and they
    fall on the hour after it: it is doubled. In autumn the hour that comes twice is doubled on the clock that does turn.
    """
    zone = ZoneInfo(table.reference.zone)
    before, after = (datetime.fromtimestamp(turn / 1000 + s, UTC).astimezone(zone).utcoffset() for s in (-3600, 3600))
    assert before is not None
    assert after is not None
    spring = after > before
    first = turn if spring else turn - HOUR
    counts = {}
    for bill in Bill:
        name = "l_start_ms" if bill is Bill.LOCAL else "c_written_ms"
        start = table.frame.get(name, table.frame[f"{bill[0]}_start_ms"])[table.both]
        counts[bill] = int(((start >= first) & (start < first + HOUR)).sum())
    more = Bill.LOCAL if counts[Bill.LOCAL] > counts[Bill.CUSTOMER] else Bill.CUSTOMER
    fewer = Bill.CUSTOMER if more is Bill.LOCAL else Bill.LOCAL
    sure = counts[more] - counts[fewer] >= max(2, 0.25 * counts[more])
    if counts[more] == counts[fewer]:
        return Bill.CUSTOMER, False
    return (more if spring else fewer), sure
