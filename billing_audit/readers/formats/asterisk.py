"""Asterisk: Master.csv of cdr_csv, and of cdr_custom with the columns of its sample configuration. No header; local time unless told."""

from typing import Final

from billing_audit.readers.formats import shape
from billing_audit.readers.layout import Field, Head, Layout

NAME: Final = "asterisk"
TITLE: Final = "Asterisk Master.csv (cdr_csv, cdr_custom)"
SOURCE: Final = "Asterisk documentation, CDR CSV backend: order of the columns in cdr_csv.c; cdr_custom.conf.sample"

ENDINGS: Final = frozenset(("ANSWERED", "NO ANSWER", "BUSY", "FAILED", "CONGESTION", "NOANSWER"))
NEVER: Final = ("0000-00-00 00:00:00", "1970-01-01 00:00:00")
# Where the start stands: cdr_csv puts the account first, cdr_custom behind amaflags. Then: answer, end, duration, billsec, disposition.
PLAIN, CUSTOM = 9, 8


def fits(row: shape.Row, start: int) -> bool:
    """Tell whether a row has Asterisk's times, seconds and disposition at this place."""
    if len(row) < start + 6:
        return False
    began, answer, end, total, talk, how = row[start : start + 6]
    times = shape.is_time(began) and shape.is_time(end) and (not answer or shape.is_time(answer))
    return times and shape.is_number(total) and shape.is_number(talk) and how.upper() in ENDINGS


def detect(head: Head) -> Layout | None:
    """Return where the fields stand, if most of the first rows are Asterisk's."""
    found = shape.rows(head)
    for start in (PLAIN, CUSTOM):
        good = [row for row in found if fits(row, start)]
        if not shape.most(found, lambda row: fits(row, start)):  # noqa: B023
            continue
        columns: dict[Field, int] = {"caller": 1, "callee": 2, "start": start, "answer": start + 1, "end": start + 2}
        columns |= {"total": start + 3, "duration": start + 4, "answered": start + 5}
        width = min(map(len, good))
        account = 0 if start == PLAIN else 15
        if account < width:
            columns["account"] = account
        if width > 16:  # loguniqueid = yes
            columns["id"] = 16
        skip = shape.titled(found, lambda row: fits(row, start))  # noqa: B023
        return Layout(format=NAME, skip=skip, columns=columns, answered=frozenset(("answered",)), absent={"answer": NEVER})
    return None
