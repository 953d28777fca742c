"""`timezone`: starts differ by whole quarters of an hour while all else agrees: a mapping, nobody's error."""

from billing_audit.infer.table import Bools, Mark, Table
from billing_audit.ledger import Bill, Note, Side, Value
from billing_audit.matching.align import Alignment

CODE = "timezone"


def find(table: Table, alignment: Alignment) -> list[Mark]:
    """Return a mark where the customer's times are another zone's."""
    if alignment.pairs == 0 or alignment.shift_ms == 0 or _turns(alignment):
        return []
    hours = alignment.shift_ms / 3_600_000
    note = Note("audit.evidence.timezone", {"hours": hours, "zone": alignment.zone or "?", "rows": alignment.pairs})
    separates = Note("audit.evidence.separates.timezone")
    parameters: dict[str, Value] = {"hours": hours, "zone": alignment.zone}
    return [Mark(CODE, Bill.CUSTOMER, Side.NONE, parameters, 1.0, int(table.both.sum()), (note,), separates)]


def _turns(alignment: Alignment) -> bool:
    """Tell whether the offset changes for good: that is `dst`."""
    return abs(sum(delta for _, delta in alignment.steps)) >= 900_000


def applies(table: Table, _mark: Mark) -> Bools:
    """Tell which pairs this is true of: all."""
    return table.both
