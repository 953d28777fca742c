"""Cisco IOS voice gateways and CUBE, accounting to a file (`gw-accounting file`): a CSV line per leg and feature, without header.

Positions from 0: 0 unix time of the record, 1 call id, 2 CDR type, 3 leg type, 4 h323-conf-id, 5 peer address, 7 set-up, 9 connect, 10
disconnect, 13 call origin, 20 user name, 21 clid, 22 dnis, 26 peer id, 81 outgoing and 84 incoming trunk group. An unanswered leg has
connect = disconnect.
"""

from collections.abc import Iterator
from typing import Final, TextIO

from billing_audit.readers.formats import cisco_clock, rows, shape
from billing_audit.readers.formats.conference import ANSWER, ORIGINATE, Conferences, Leg
from billing_audit.readers.layout import Field, Head, Item, Layout, Record

NAME: Final = "cisco-cube"
TITLE: Final = "Cisco CUBE and IOS voice gateways, file accounting"
SOURCE: Final = "Cisco, CDR Accounting for Cisco IOS Voice Gateways: Configuring File Accounting; call origin as in DIAL-CONTROL-MIB"

LEAST: Final = 23  # columns up to dnis: the compact record ends there, the detailed one has 130
ORIGINS: Final = {
    "1": ORIGINATE,
    "2": ANSWER,
    ORIGINATE: ORIGINATE,
    ANSWER: ANSWER,
}  # DIAL-CONTROL-MIB: originate(1), answer(2), callback(3)
OUT_TRUNK, IN_TRUNK = 81, 84
COLUMNS: Final[dict[Field, int]] = {
    "id": 4, "start": 7, "answer": 9, "end": 10, "duration": 9, "answered": 9, "account": 20, "caller": 21, "callee": 22,
    "gateway": OUT_TRUNK,
}  # fmt: skip


def _fits(row: shape.Row) -> bool:
    return (
        len(row) >= LEAST
        and shape.is_epoch(row[0], 10)
        and row[1].isdecimal()
        and row[3].isdecimal()
        and len(row[4].replace(" ", "")) >= 16
        and cisco_clock.is_clock(row[7])
    )


def detect(head: Head) -> Layout | None:
    """Return the layout if most of the first rows have the record's time, conference id and set-up time in their places."""
    return Layout(format=NAME, columns=COLUMNS, answered=rows.ANSWERED) if shape.most(shape.rows(head), _fits) else None


def records(stream: TextIO, layout: Layout) -> Iterator[Item]:  # noqa: ARG001
    """Yield one record a call: the leg that answers the caller; the other leg and its features folded."""
    joined = Conferences()
    for item in rows.fields(stream):
        if not isinstance(item, tuple):
            yield item
            continue
        line, row = item[0], [value.strip() for value in item[1]]
        if len(row) < LEAST:
            yield rows.refused(line, ",".join(row), "columns", found=len(row), expected=LEAST)
            continue
        setup, connect, disconnect = (cisco_clock.read(row[index]) for index in (7, 9, 10))
        if setup is None or disconnect is None:
            yield rows.refused(line, ",".join(row), "time", "start" if setup is None else "end")
            continue
        if connect is not None and connect.text(None) == disconnect.text(None):
            connect = None  # never answered: both times are that of the release
        origin = ORIGINS.get(row[13].lower(), "")
        trunk = row[IN_TRUNK if origin == ANSWER else OUT_TRUNK] if len(row) > IN_TRUNK else ""
        record = Record(
            line=line,
            id=row[4],
            caller=row[21],
            callee=row[22] or row[5],
            account=row[20] if row[20] != row[21] else "",
            gateway=trunk or (row[26] if len(row) > 26 else ""),
        )
        if connect is None:
            record.duration = "0"
        epoch_s = int(row[0]) if shape.is_epoch(row[0], 10) else None
        yield from joined.feed(Leg(record, row[4], origin, setup, connect, disconnect, epoch_s))
    yield from joined.end()
