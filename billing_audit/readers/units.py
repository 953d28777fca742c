"""The unit of durations where no header names it, proved by the rows themselves."""

from collections.abc import Sequence
from fractions import Fraction
from statistics import median

from billing_audit.ledger import MISSING
from billing_audit.readers.amounts import duration
from billing_audit.readers.layout import Field, Layout, Unit
from billing_audit.readers.moments import Calendar, moment

LEAST = 5  # rows that a proof takes
LONGEST_MS = 40_000_000  # a median talk of 11 hours: such numbers are not seconds
_RATIOS: tuple[tuple[Fraction, Unit], ...] = (
    (Fraction(1, 60), "min"),
    (Fraction(1), "s"),
    (Fraction(1000), "ms"),
    (Fraction(1_000_000), "us"),
)


def by_data(rows: Sequence[Sequence[str]], layout: Layout) -> dict[Field, Unit]:
    """Return the unit of each duration that the rows prove: against end − start, or by a size that seconds can't have."""
    found: dict[Field, Unit] = {}
    lengths: list[Field] = ["duration", "total", "billed"]
    for field in lengths:
        if field not in layout.columns or field in layout.units:
            continue
        values = [(row, _seconds(row, layout.columns[field])) for row in rows if layout.columns[field] < len(row)]
        told = [(row, value) for row, value in values if value]
        if len(told) < LEAST:
            continue
        spans = [(value, span) for row, value in told if (span := _span(row, layout))]
        if len(spans) >= LEAST:
            ratio = median(Fraction(value, span) for value, span in spans)
            near = min(_RATIOS, key=lambda pair: abs(ratio / pair[0] - 1))
            if abs(ratio / near[0] - 1) < Fraction(1, 4):
                found[field] = near[1]
        elif median(value for _, value in told) > LONGEST_MS:
            found[field] = "ms"
    return found


def _seconds(row: Sequence[str], index: int) -> int:
    """Return a plain number · 1000, as if it were seconds; 0 for everything else."""
    if ":" in row[index]:
        return 0
    value, flag = duration(row[index], ".", "s")
    return value if flag <= 0 and value != MISSING else 0


def _span(row: Sequence[str], layout: Layout) -> int:
    begin = layout.columns.get("answer", layout.columns.get("start", -1))
    end = layout.columns.get("end", -1)
    if begin < 0 or end < 0 or max(begin, end) >= len(row):
        return 0
    values = [moment(row[index], Calendar("dmy"))[0] for index in (begin, end)]
    return 0 if MISSING in values else max(0, values[1] - values[0])
