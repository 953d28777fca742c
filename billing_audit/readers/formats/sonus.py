"""Sonus / Ribbon GSX and SBC: accounting (ACT) files, a line per record that begins with its type. Positions differ by type.

STOP is a call, ATTEMPT an unanswered one; START and INTERMEDIATE are no calls of their own. Ticks are 10 ms. Whether the times are local
or GMT depends on the release ("Node Time Zone" names only where the node stands), so no zone is taken from the file: it is noted.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, TextIO

from billing_audit.ledger import Note
from billing_audit.readers.formats import rows, shape
from billing_audit.readers.layout import Field, Folded, Head, Item, Layout, Record

NAME: Final = "sonus"
TITLE: Final = "Sonus / Ribbon accounting files (STOP, ATTEMPT)"
SOURCE: Final = "Ribbon, SBC Core documentation: CDR Field Descriptions, Accounting Records Summary Table"

CALLS: Final = {"STOP": (19, 20), "ATTEMPT": (16, 17)}  # calling and called number, from 0
FOLDED: Final = frozenset(("START", "INTERMEDIATE", "REBOOT", "SWITCHOVER", "RECORDING", "EVENT"))
DATE, CLOCK, TO_ANSWER, STOP_DATE, STOP_CLOCK, SERVED, PROVIDER_STOP, PROVIDER_ATTEMPT = 5, 6, 9, 10, 11, 13, 17, 14
TICK_MS: Final = 10
COLUMNS: Final[dict[Field, int]] = {
    "id": 2, "caller": CALLS["STOP"][0], "callee": CALLS["STOP"][1], "start": CLOCK, "answer": TO_ANSWER, "answered": TO_ANSWER,
    "end": STOP_CLOCK, "duration": SERVED, "account": PROVIDER_STOP,
}  # fmt: skip
ZONES: Final = 20  # zones of nodes that are noted
INTERIM: Final = Note("audit.note.interim")


def _fits(row: shape.Row) -> bool:
    if not row or (row[0] not in CALLS and row[0] not in FOLDED):
        return False
    return row[0] not in CALLS or (len(row) > CALLS[row[0]][1] and row[DATE].count("/") == 2 and row[CLOCK].count(":") == 2)


def detect(head: Head) -> Layout | None:
    """Return the layout if most of the first rows begin with a record type and have date and time in their places."""
    found = shape.rows(head)
    if not shape.most(found, _fits) or not any(row[0] in CALLS or row[0] in ("START", "INTERMEDIATE") for row in found if row):
        return None
    return Layout(format=NAME, columns=COLUMNS, durations="ms", answered=rows.ANSWERED)


def records(stream: TextIO, layout: Layout) -> Iterator[Item]:  # noqa: ARG001
    """Yield one record a STOP or ATTEMPT, all other types folded."""
    zones: dict[str, None] = {}
    for item in rows.fields(stream):
        if not isinstance(item, tuple):
            yield item
            continue
        line, row = item[0], [value.strip() for value in item[1]]
        kind = row[0].upper()
        if kind in FOLDED:
            yield Folded(line=line, note=INTERIM)
        elif kind not in CALLS:
            yield rows.refused(line, ",".join(row), "record-type", type=row[0][:40])
        elif len(row) <= CALLS[kind][1]:
            yield rows.refused(line, ",".join(row), "columns", found=len(row), expected=CALLS[kind][1] + 1)
        else:
            if len(zones) < ZONES:
                zones[row[4]] = None
            yield _call(line, row, kind)
    for zone in zones:
        if zone:
            yield Folded(line=0, rows=0, note=Note("audit.note.node-zone", {"zone": zone}))


def _call(line: int, row: list[str], kind: str) -> Record:
    caller, callee = CALLS[kind]
    call = Record(line=line, id=row[2], caller=row[caller], callee=row[callee], start=_time(row[DATE], row[CLOCK]))
    if kind == "ATTEMPT":
        call.duration, call.account, call.answered = "0", row[PROVIDER_ATTEMPT], rows.NO
        return call
    call.account, call.answered = row[PROVIDER_STOP], rows.YES
    call.end = _time(row[STOP_DATE], row[STOP_CLOCK])
    if row[SERVED].isdecimal():
        call.duration = str(int(row[SERVED]) * TICK_MS)
    if row[TO_ANSWER].isdecimal() and len(row[TO_ANSWER]) <= 10:
        call.answer = _after(call.start, int(row[TO_ANSWER]) * TICK_MS)
    return call


def _after(start: str, ms: int) -> str:
    """Return the text of a time so many milliseconds after another; "" where that is none."""
    try:
        return f"{datetime.fromisoformat(start) + timedelta(milliseconds=ms)}"
    except ValueError:
        return ""


def _time(date: str, clock: str) -> str:
    """Return mm/dd/yyyy and hh:mm:ss.d as an ISO text; "" where there is none."""
    parts = date.split("/")
    return f"{parts[2]}-{parts[0]:0>2}-{parts[1]:0>2} {clock}" if len(parts) == 3 and clock else ""
