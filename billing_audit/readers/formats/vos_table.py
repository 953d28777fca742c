"""VOS3000: rows of the table e_cdr, 52 columns without titles. Times are epochs in milliseconds: UTC.

`holdtime` is talk, `feetime` what was charged for, `fee` what the customer pays; `agentfee` is the carrier's cost and is not read.
"""

from typing import Final

from billing_audit.readers.formats import shape
from billing_audit.readers.layout import Field, Head, Layout

NAME: Final = "vos3000-table"
TITLE: Final = "VOS3000 e_cdr (52 columns)"
SOURCE: Final = "VOS3000: columns of the table e_cdr in their order"

WIDTH: Final = 52
COLUMNS: Final[dict[Field, int]] = {
    "caller": 0, "callee": 2, "gateway": 12, "answer": 19, "end": 20, "duration": 23, "billed": 25, "charge": 26, "account": 32, "id": 41,
}  # fmt: skip
ACCESS: Final[dict[Field, int]] = {"caller": 1, "callee": 3}  # as they came in: taken where the file leaves the numbers themselves empty


def _fits(row: shape.Row) -> bool:
    if len(row) != WIDTH:
        return False
    times = all(shape.is_epoch(row[COLUMNS[field]], 13) or row[COLUMNS[field]] == "0" for field in ("answer", "end"))
    return times and all(shape.is_number(row[COLUMNS[field]]) for field in ("duration", "billed", "charge"))


def detect(head: Head) -> Layout | None:
    """Return the layout if most of the first rows have 52 columns, and times, seconds and money in their places."""
    for delimiter in (",", "\t", "|", ";"):
        found = shape.rows(head, delimiter)
        if shape.most(found, _fits):
            columns = COLUMNS | {field: index for field, index in ACCESS.items() if not any(row[index - 1] for row in found if _fits(row))}
            return Layout(format=NAME, skip=shape.titled(found, _fits), columns=columns, delimiter=delimiter, times="epoch_ms", zone="UTC")
    return None
