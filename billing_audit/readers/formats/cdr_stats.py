"""CDR-Stats: files for its import, with titles, and the two samples without titles that its documentation gives."""

from typing import Final

from billing_audit.readers.formats import shape, titles
from billing_audit.readers.layout import Field, Head, Layout

NAME: Final = "cdr-stats"
TITLE: Final = "CDR-Stats import files"
SOURCE: Final = "CDR-Stats documentation: import of CDRs, columns of cdr_import"

NEEDS: Final = frozenset(("caller_id_number", "destination_number", "starting_date", "billsec"))
FIELDS: Final[dict[Field, tuple[str, ...]]] = {
    "id": ("callid",),
    "account": ("accountcode",),
    "caller": ("caller_id_number",),
    "callee": ("destination_number",),
    "start": ("starting_date",),
    "total": ("duration",),
    "duration": ("billsec",),
    "charge": ("sell_cost",),
}
"""`buy_cost` is the carrier's and is not read; `sell_rate` has no unit that the documentation names."""
PLAIN: Final[dict[Field, int]] = {"caller": 0, "callee": 2, "total": 3, "duration": 4, "id": 6, "start": 7}
REPORT: Final[dict[Field, int]] = {"caller": 0, "callee": 1, "answered": 2, "total": 3, "duration": 4, "start": 6}
HOW: Final = frozenset(("ANSWER", "BUSY", "NOANSWER", "NOROUTE", "CANCEL", "CONGESTION", "CHANUNAVAIL"))


def _is_plain(row: shape.Row) -> bool:
    return len(row) == 8 and shape.is_number(row[3]) and shape.is_number(row[4]) and shape.is_uuid(row[6]) and shape.is_epoch(row[7], 10)


def _is_report(row: shape.Row) -> bool:
    return len(row) == 7 and row[2].upper() in HOW and shape.is_number(row[3]) and shape.is_number(row[4]) and shape.is_time(row[6])


def detect(head: Head) -> Layout | None:
    """Return where the fields stand, in any of the three shapes."""
    if (found := titles.find(head, NEEDS, FIELDS)) is not None and titles.plain(head, found):
        return Layout(format=NAME, columns=found.columns, delimiter=found.delimiter, skip=found.skip)
    rows = shape.rows(head)
    if shape.most(rows, _is_plain):
        return Layout(format=NAME, columns=PLAIN, times="epoch_s", zone="UTC")
    if shape.most(rows, _is_report):
        return Layout(format=NAME, columns=REPORT, answered=frozenset(("answer",)))
    return None
