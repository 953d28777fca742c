"""`duration_rounding`: a second more or less on a stable share of calls: milliseconds are made seconds in two ways."""

from dataclasses import dataclass

import msgspec
import numpy as np

from billing_audit.causes.increment import evidence
from billing_audit.infer.machine import Straight
from billing_audit.infer.method import change_of
from billing_audit.infer.table import Bools, Mark, Table
from billing_audit.infer.view import Departure, View
from billing_audit.ledger import Bill, Note, Side, Value
from billing_audit.terms import DurationRounding, Terms

CODE = "duration_rounding"
SECOND_MS = 1_000
LEAST = 20


@dataclass(frozen=True)
class Bend(Straight):
    """Another rounding of talk times that are written in milliseconds."""

    rounding: DurationRounding

    def terms(self, terms: Terms) -> Terms:
        """Return the terms with it."""
        return msgspec.structs.replace(terms, duration_rounding=self.rounding)


def departs(view: View) -> Departure | None:
    """Return the departure where a side's own billed seconds show another rounding of its own milliseconds."""
    change = change_of(view)
    if change is None or "rounding" not in change.parts:
        return None
    found = change.method
    name, expected = _name(found.mode, found.hold_ms), _name(change.expected.mode, change.expected.hold_ms)
    return Departure(
        CODE,
        Bend(DurationRounding(found.mode, found.hold_ms)),
        "duration_rounding",
        {"rounding": name, "contract": expected},
        change.seen.support,
        change.seen.rows,
        (evidence(change, name, expected),),
        Note("audit.evidence.separates.duration_rounding"),
    )


def _name(mode: str, hold_ms: int | None) -> str:
    return mode if hold_ms is None else f"hold {hold_ms} ms"


def find(table: Table) -> list[Mark]:
    """Return a mark where pairs differ by at most a second on a stable share."""
    rows = applies(table, None)
    count, of = int(rows.sum()), int(table.both.sum())
    if count < max(LEAST, 0.002 * of):
        return []
    ours = int((table.longer[rows] > 0).sum())
    values: dict[str, Value] = {
        "rows": count,
        "of": of,
        "share": round(100 * count / of, 2),
        "longer_here": ours,
        "longer_there": count - ours,
    }
    note, separates = Note("audit.evidence.duration_rounding", values), Note("audit.evidence.separates.duration_rounding")
    parameters: dict[str, Value] = {"share": values["share"]}
    return [Mark(CODE, Bill.LOCAL, Side.NONE, parameters, 1.0, count, (note,), separates)]


def applies(table: Table, _mark: Mark | None) -> Bools:
    """Tell which pairs differ by at most a second."""
    return np.asarray((table.longer != 0) & (np.abs(table.longer) <= SECOND_MS), np.bool_)
