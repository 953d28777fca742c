"""Cisco Unified Communications Manager: CDR files, with the row of types under (or instead of) the titles. Times are epochs: UTC.

A caller's leg that was transferred has a record per part, with the same globalCallID and origLegCallIdentifier: parts that follow one
another within GAP_S become one call. Other legs of the same globalCallID (conference, the transferring party's) stay calls of their own,
and are noted. Records of another type than 1 (quality records, CMR) are folded. A call that was never connected has dateTimeConnect 0.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, TextIO

import msgspec

from billing_audit.ledger import Note
from billing_audit.readers.formats import rows, titles
from billing_audit.readers.layout import Field, Folded, Head, Item, Layout, Record

NAME: Final = "cisco-cucm"
TITLE: Final = "Cisco Unified Communications Manager CDR"
SOURCE: Final = "Cisco, Unified Communications Manager Call Detail Records Administration Guide: CDR Field Descriptions, CDR Examples"

WAITING: Final = 32_768  # legs that wait for a next part; a CDR is written when its part ends
GAP_S: Final = 3
NEEDS: Final = frozenset(
    ("globalcallid_callid", "datetimeorigination", "datetimeconnect", "callingpartynumber", "finalcalledpartynumber", "duration")
)
FIELDS: Final[dict[Field, tuple[str, ...]]] = {
    "id": ("pkid",),
    "caller": ("callingpartynumber",),
    "callee": ("finalcalledpartynumber",),
    "start": ("datetimeorigination",),
    "answer": ("datetimeconnect",),
    "end": ("datetimedisconnect",),
    "duration": ("duration",),
    "gateway": ("destdevicename",),
}
STANDARD: Final[dict[Field, int]] = {
    "id": 50, "caller": 8, "callee": 30, "start": 4, "answer": 47, "end": 48, "duration": 55, "gateway": 57,
}  # fmt: skip
"""Places of release 6 and later, for files without titles."""
TYPE, MANAGER, CALL, LEG, ORIGINAL, CLUSTER = 0, 1, 2, 3, 29, 65
TYPES: Final = ("INTEGER", "STRING", "VARCHAR", "UNIQUEIDENTIFIER", "CHAR")
PART: Final = Note("audit.note.cucm-part")
QUALITY: Final = Note("audit.note.cucm-quality")

Key = tuple[str, ...]


class Leg(msgspec.Struct):
    """A caller's leg so far: its call, and the epoch at which its last part ended."""

    record: Record
    ended: int
    seconds: int
    connected: bool


def _is_types(row: list[str]) -> bool:
    return len(row) > 20 and all(value.strip().strip('"').upper().startswith(TYPES) for value in row if value.strip())


def detect(head: Head) -> Layout | None:
    """Return where the fields stand: by the titles, or in their standard places when only the row of types is there."""
    if (found := titles.find(head, NEEDS, FIELDS)) is not None:
        typed = head.lines[found.skip : found.skip + 1]
        skip = found.skip + (1 if typed and _is_types(typed[0].split(found.delimiter)) else 0)
        return _layout(found.columns, found.delimiter, skip)
    if head.lines and _is_types(head.lines[0].split(",")):
        return _layout(STANDARD, ",", 1)
    return None


def _layout(columns: dict[Field, int], delimiter: str, skip: int) -> Layout:
    never: dict[Field, tuple[str, ...]] = {"answer": ("0",), "end": ("0",), "start": ("0",)}
    told: dict[Field, int] = columns | {"answered": columns["answer"]}
    return Layout(
        format=NAME, columns=told, delimiter=delimiter, skip=skip, times="epoch_s", zone="UTC", absent=never, answered=rows.ANSWERED
    )


def records(stream: TextIO, layout: Layout) -> Iterator[Item]:
    """Yield one record a caller's leg; its further parts folded."""
    legs: OrderedDict[Key, Leg] = OrderedDict()
    calls: OrderedDict[Key, None] = OrderedDict()
    several = 0
    least = max(layout.columns["duration"], layout.columns["answer"], layout.columns["callee"]) + 1
    for item in rows.fields(stream, layout.delimiter, layout.skip):
        if not isinstance(item, tuple):
            yield item
            continue
        line, row = item[0], [value.strip() for value in item[1]]
        if _is_types(row):
            yield Folded(line=line, note=QUALITY)
            continue
        if len(row) < least:
            yield rows.refused(line, layout.delimiter.join(row), "columns", found=len(row), expected=least)
            continue
        if row[TYPE] != "1":
            yield Folded(line=line, note=QUALITY)
            continue
        call = (row[MANAGER], row[CALL], row[CLUSTER] if len(row) > CLUSTER else "")
        leg = _leg(line, row, layout.columns)
        before = legs.get((*call, row[LEG]))
        if before is not None and _follows(before, leg):
            _add(before, leg)
            yield Folded(line=line, note=PART)
            continue
        if before is not None:
            yield legs.pop((*call, row[LEG])).record
        several += call in calls
        legs[*call, row[LEG]] = leg
        calls[call] = None
        while len(calls) > WAITING:
            calls.popitem(last=False)
        while len(legs) > WAITING:
            yield legs.popitem(last=False)[1].record
    yield from (leg.record for leg in legs.values())
    if several:
        yield Folded(line=0, rows=0, note=Note("audit.note.cucm-legs", {"count": several}))


def _leg(line: int, row: list[str], columns: dict[Field, int]) -> Leg:
    told = {field: row[index] for field, index in columns.items() if index < len(row)}
    record = rows.record(line, told)
    if not record.callee and len(row) > ORIGINAL:
        record.callee = row[ORIGINAL]
    ended, seconds, connected = _whole(record.end), _whole(record.duration), _whole(record.answer) > 0
    record.answered = rows.YES if connected else rows.NO
    return Leg(record, ended, seconds, connected)


def _follows(before: Leg, leg: Leg) -> bool:
    """Tell whether a part begins where the one before it ended, and both were talk."""
    return before.connected and leg.connected and 0 <= _whole(leg.record.answer) - before.ended <= GAP_S


def _add(before: Leg, leg: Leg) -> None:
    """Lay a part behind the others: the call is to whom it was first, until the end of the last part."""
    before.ended = leg.ended
    before.seconds += leg.seconds
    before.record.parts += 1
    before.record.end = leg.record.end
    before.record.duration = str(before.seconds)


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 12 else 0
