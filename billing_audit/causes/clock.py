"""`clock`: starts are seconds off, or drift: one of the clocks is wrong, and the bills alone can't tell which."""

from billing_audit.infer.table import Bools, Mark, Table
from billing_audit.ledger import Bill, Note, Side, Value
from billing_audit.matching.align import Alignment

CODE = "clock"
LEAST_MS = 2_500
LEAST_PPB = 4_000  # a third of a second a day


def find(table: Table, alignment: Alignment) -> list[Mark]:
    """Return a mark where the clocks are not the same."""
    small = [(at, delta) for at, delta in alignment.steps if abs(delta) < 900_000]
    if alignment.pairs == 0 or alignment.ring:
        return []
    if abs(alignment.offset_ms) < LEAST_MS and abs(alignment.drift_ppb) < LEAST_PPB and not small:
        return []
    daily = round(alignment.drift_ppb * 86_400 / 1e9, 3)
    values: dict[str, Value] = {
        "offset": round(alignment.offset_ms / 1000, 1),
        "daily": daily,
        "steps": len(small),
        "rows": alignment.pairs,
    }
    note, separates = Note("audit.evidence.clock", values), Note("audit.evidence.separates.clock")
    parameters: dict[str, Value] = {"offset_s": values["offset"], "drift_s_a_day": daily}
    return [Mark(CODE, Bill.CUSTOMER, Side.UNDETERMINED, parameters, 1.0, int(table.both.sum()), (note,), separates)]


def applies(table: Table, _mark: Mark) -> Bools:
    """Tell which pairs this is true of: all."""
    return table.both
