"""Oracle Communications (Acme Packet) session border controllers: local CDR files, CSV without header.

First column: Acct-Status-Type, 1 Start, 2 Stop, 3 Interim-Update; only a Stop is a call. How many columns stand before the times depends
on the release and its settings, their order does not: … calling, called, cause, session time, set-up, connect, disconnect, disconnect
cause, egress and ingress interface and VLAN, egress realm, ingress realm. So the place of the three times is found in each row.
"""

from collections.abc import Iterator
from typing import Final, TextIO

from billing_audit.ledger import Note
from billing_audit.readers.formats import cisco_clock, rows, shape
from billing_audit.readers.layout import Field, Folded, Head, Item, Layout, Record

NAME: Final = "oracle-sbc"
TITLE: Final = "Oracle (Acme Packet) SBC, local CSV CDR"
SOURCE: Final = (
    "Oracle Communications Session Border Controller Accounting Guide, appendix Local CDR (RADIUS): Start, Interim, Stop records"
)

STOPS: Final = frozenset(("2", "stop"))
SWITCHED: Final = frozenset(("7", "8", "accounting-on", "accounting-off"))
OTHERS: Final = frozenset(("1", "3", "start", "interim-update", "interim")) | SWITCHED
LEAST: Final = 13
EARLIEST: Final = 8  # columns before the set-up time, at least
INTERIM: Final = Note("audit.note.interim")
SESSION: Final = 3


def _setup(row: list[str]) -> int:
    """Return where the set-up time stands, −1 nowhere."""
    return next((index for index, value in enumerate(row[:40]) if index >= EARLIEST and cisco_clock.is_clock(value)), -1)


def _fits(row: shape.Row) -> bool:
    if len(row) < 4 or row[0].lower() not in OTHERS | STOPS or row[1].count(".") + row[1].count(":") < 2:
        return False
    return row[0].lower() in SWITCHED or (len(row) >= LEAST and _setup(row) > 0)


def detect(head: Head) -> Layout | None:
    """Return the layout if most of the first rows begin with a status and an address and have the times further on."""
    found = shape.rows(head)
    if not shape.most(found, _fits) or not any(_setup(row) > 0 for row in found):
        return None
    at = next((_setup(row) for row in found if row[0].lower() in STOPS and _setup(row) > 0), EARLIEST + 4)
    places: dict[Field, int] = {"id": SESSION, "caller": at - 4, "callee": at - 3, "duration": at - 1, "start": at, "answer": at + 1}
    places |= {"end": at + 2, "answered": at + 1, "gateway": at + 8, "account": at + 9}
    return Layout(format=NAME, columns=places, answered=rows.ANSWERED)


def records(stream: TextIO, layout: Layout) -> Iterator[Item]:  # noqa: ARG001
    """Yield one record a Stop; Start, Interim-Update, On and Off folded."""
    doubtful = 0
    zones: dict[str, int] = {}
    for item in rows.fields(stream):
        if not isinstance(item, tuple):
            yield item
            continue
        line, row = item[0], [value.strip() for value in item[1]]
        if row[0].lower() in OTHERS:
            yield Folded(line=line, note=INTERIM)
            continue
        at = _setup(row)
        if row[0].lower() not in STOPS:
            yield rows.refused(line, ",".join(row), "record-type", type=row[0][:40])
        elif at < 0 or len(row) < at + 3:
            yield rows.refused(line, ",".join(row), "columns", found=len(row), expected=max(LEAST, at + 3))
        else:
            readings = [cisco_clock.read(value) for value in row[at : at + 3]]
            told = [reading for reading in readings if reading is not None]
            doubtful += any(reading.doubtful for reading in told)
            if told and cisco_clock.offset_s(told[0], None) is None and (told[0].zone in zones or len(zones) < 50):
                zones[told[0].zone] = zones.get(told[0].zone, 0) + 1
            yield _call(line, row, at, readings)
    if doubtful:
        yield Folded(line=0, rows=0, note=Note("audit.note.clock-unsynchronised", {"count": doubtful}))
    for zone, count in sorted(zones.items()):
        yield Folded(line=0, rows=0, note=Note("audit.note.zone-unproven", {"zone": zone, "count": count}))


def _call(line: int, row: list[str], at: int, readings: list[cisco_clock.Reading | None]) -> Record:
    setup, connect, disconnect = ("" if reading is None else reading.text(cisco_clock.offset_s(reading, None)) for reading in readings)
    talk = row[at - 1]
    return Record(
        line=line,
        id=row[SESSION],
        caller=rows.user_of(row[at - 4]),
        callee=rows.user_of(row[at - 3]),
        start=setup,
        answer=connect,
        answered=rows.YES if connect else rows.NO,
        end=disconnect,
        duration=talk if shape.is_number(talk) else ("" if connect else "0"),
        gateway=row[at + 8] if len(row) > at + 8 else "",  # egress realm
        account=row[at + 9] if len(row) > at + 9 else "",  # ingress realm: whose traffic it is
    )
