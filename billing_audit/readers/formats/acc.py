"""Kamailio and OpenSIPS, module acc: a row per SIP transaction, of db_flatstore (`|`) or a CSV dump of acc and missed_calls.

The call is the INVITE that was answered with 2xx and the BYE of its dialogue (call-id and both tags, in either order). Kept as calls
besides: an INVITE that failed (unanswered), and an answered one whose BYE is not in the file (it took place and is noted; how long it
was, nobody says). A BYE whose INVITE is not in the file is refused: it says neither when talk began nor, mostly, who spoke. Everything
else (ACK, CANCEL, re-INVITE, PRACK, a second BYE, challenges) is folded. Bounds: WAITING INVITEs and WAITING BYEs wait for each other,
ENDED dialogues are remembered.
"""

import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, TextIO

import msgspec

from billing_audit.ledger import Note
from billing_audit.readers.formats import rows, shape, titles
from billing_audit.readers.layout import Field, Folded, Head, Item, Layout, Record

NAME: Final = "acc"
TITLE: Final = "Kamailio / OpenSIPS acc (flatstore, CSV of the tables acc and missed_calls)"
SOURCE: Final = "Kamailio and OpenSIPS documentation of the module acc: columns of the table acc and order in db_flatstore; db_extra"

WAITING: Final = 131_072
ENDED: Final = 65_536
METHODS: Final = frozenset(
    ("INVITE", "BYE", "ACK", "CANCEL", "PRACK", "UPDATE", "REFER", "INFO", "MESSAGE", "NOTIFY", "OPTIONS", "SUBSCRIBE")
)
METHOD, FROM_TAG, TO_TAG, CALL_ID, CODE, REASON, TIME = range(7)  # behind an id column, if there is one
FIXED: Final = 7
CALLERS: Final = ("src_user", "caller_id", "from_user", "caller", "calling", "src", "from_uri", "cgr_account")
CALLEES: Final = ("dst_ouser", "dst_user", "callee_id", "to_user", "callee", "called", "dst", "to_uri", "cgr_destination")
WHOLE: Final = ("created", "setuptime", "duration")  # OpenSIPS, do_accounting(…, "cdr"): one row is the whole call
CHALLENGES: Final = frozenset(("401", "407"))

CLOSED: Final = Note("audit.note.acc-bye")
SEQUEL: Final = Note("audit.note.acc-sequel")
_CODE = re.compile(r"[1-6]\d{2}")


class Open(msgspec.Struct):
    """An answered INVITE that waits for its BYE."""

    line: int
    caller: str
    callee: str
    time: str


def _shift(row: shape.Row) -> int:
    """Return where the method stands: 0, or 1 behind the id of a table dump; −1 nowhere."""
    return next((at for at in (0, 1) if len(row) >= at + FIXED and row[at] in METHODS and _CODE.fullmatch(row[at + CODE])), -1)


def detect(head: Head) -> Layout | None:
    """Return the layout if most rows are transactions; where caller and callee stand among the extra columns is found from the rows."""
    for delimiter in ("|", ",", ";", "\t"):
        named = _titled(head, delimiter)
        skip = named.skip if named else 0
        found = shape.rows(head, delimiter, skip)
        if not shape.most(found, lambda row: _shift(row) >= 0):
            continue
        shift = max(map(_shift, found))
        time = shift + TIME  # of the INVITE: start (failed) or answer; of the BYE: end; talk is what lies between
        columns: dict[Field, int] = {"id": shift + CALL_ID, "start": time, "answer": time, "end": time, "duration": time}
        columns |= {"answered": shift + CODE, "total": time}
        columns |= {field: named.columns[field] for field in ("caller", "callee") if field in named.columns} if named else {}
        if "callee" not in columns:
            columns |= _numbers([row for row in found if _shift(row) == shift and row[shift] == "INVITE"], shift + FIXED)
        own: dict[str, int | str] = {title: named.titles.index(title) for title in WHOLE if title in named.titles} if named else {}
        return Layout(format=NAME, delimiter=delimiter, skip=skip, columns=columns, answered=frozenset(("200",)), own=own)
    return None


def _titled(head: Head, delimiter: str) -> titles.Titled | None:
    if not head.lines or delimiter not in head.lines[0]:
        return None
    needs = frozenset(("method", "callid", "sip_code", "time"))
    found = titles.find(head, needs, {"caller": CALLERS, "callee": CALLEES})
    return found if found and found.delimiter == delimiter else None


def _numbers(invites: list[shape.Row], first: int) -> dict[Field, int]:
    """Return caller and callee: the first extra column of dialled numbers, and the first one behind it that differs from it somewhere."""
    width = min((len(row) for row in invites), default=0)
    dialled = [index for index in range(first, width) if shape.most(invites, lambda row: shape.is_dialled(row[index]))]  # noqa: B023
    dialled = [index for index in dialled if not shape.most(invites, lambda row: len(_digits(row[index])) < 3)]  # noqa: B023
    if not dialled:
        return {}
    caller = dialled[0]
    users = [index for index in dialled[1:] if any(_digits(row[index]) != _digits(row[caller]) for row in invites)]
    varied = [index for index in users if len({row[index] for row in invites}) > 1]  # a port is the same in all rows
    return {"caller": caller, "callee": (varied or users)[0]} if users else {"callee": caller}


def _digits(text: str) -> str:
    user = text.split(":", 1)[-1].split("@", 1)[0]
    return user.lstrip("+")


def records(stream: TextIO, layout: Layout) -> Iterator[Item]:
    """Yield one record a call; all that belongs to another row folded."""
    pairs = Pairs()
    shift = layout.columns["start"] - TIME
    places = [layout.columns.get("caller", rows.LONGEST), layout.columns.get("callee", rows.LONGEST)]
    for item in rows.fields(stream, layout.delimiter, layout.skip):
        if not isinstance(item, tuple):
            yield item
            continue
        line, row = item[0], [value.strip() for value in item[1]]
        if len(row) < shift + FIXED:
            yield rows.refused(line, layout.delimiter.join(row), "columns", found=len(row), expected=shift + FIXED)
            continue
        told = row[shift : shift + FIXED]
        method, code = told[METHOD].upper(), told[CODE]
        caller, callee = (rows.user_of(row[at]) if at < len(row) else "" for at in places)
        key = (told[CALL_ID], *sorted((told[FROM_TAG], told[TO_TAG])))
        if method not in METHODS or not _CODE.fullmatch(code):
            yield rows.refused(line, layout.delimiter.join(row), "record-type", type=f"{told[METHOD]} {code}"[:40])
        elif method == "INVITE" and code[0] == "2" and (whole := _whole(layout, row)) is not None:
            created, setup, talk = whole
            total = str(int(setup) + int(talk))
            yield Record(
                line=line, id=told[CALL_ID], start=created, total=total, duration=talk, answered=code, caller=caller, callee=callee
            )
        elif method == "INVITE" and code[0] == "2":
            yield from pairs.answered(key, Open(line, caller, callee, told[TIME]))
        elif method == "INVITE" and code not in CHALLENGES and code[0] != "1":
            yield Record(line=line, id=told[CALL_ID], start=told[TIME], duration="0", answered=code, caller=caller, callee=callee)
        elif method == "BYE":
            yield from pairs.ended(key, line, told[TIME], layout.delimiter.join(row))
        else:
            yield Folded(line=line, note=SEQUEL)
    yield from pairs.end()


def _whole(layout: Layout, row: list[str]) -> tuple[str, str, str] | None:
    """Return when the call was created, seconds of set-up and of talk, where a row says that it is a whole call; None otherwise."""
    if len(layout.own) < len(WHOLE):
        return None
    told = [row[at] if at < len(row) else "" for at in (int(layout.own[title]) for title in WHOLE)]
    return (told[0], told[1], told[2]) if told[0] and told[1].isdecimal() and told[2].isdecimal() and told[2] != "0" else None


Key = tuple[str, ...]


class Pairs:
    """Joins INVITE and BYE, whichever comes first. The oldest that waits is given up when too many wait."""

    def __init__(self, waiting: int = WAITING) -> None:
        self.most = waiting
        self.open = 0  # answered calls without their BYE
        self._invites: OrderedDict[Key, Open] = OrderedDict()
        self._byes: OrderedDict[Key, tuple[int, str, str]] = OrderedDict()  # line, time, text (cut)
        self._ended: OrderedDict[Key, None] = OrderedDict()

    def answered(self, key: Key, call: Open) -> Iterator[Item]:
        """Take an INVITE that was answered."""
        if key in self._invites or key in self._ended:  # within its dialogue: a re-INVITE, or its retransmission
            yield Folded(line=call.line, note=SEQUEL)
        elif (bye := self._byes.pop(key, None)) is not None:
            yield self._closed(key, call, bye[1])
            yield Folded(line=bye[0], note=CLOSED)
        else:
            self._invites[key] = call
            while len(self._invites) > self.most:
                yield self._unclosed(*self._invites.popitem(last=False))

    def ended(self, key: Key, line: int, time: str, text: str) -> Iterator[Item]:
        """Take a BYE."""
        if (call := self._invites.pop(key, None)) is not None:
            yield self._closed(key, call, time)
            yield Folded(line=line, note=CLOSED)
        elif key in self._ended or key in self._byes:
            yield Folded(line=line, note=SEQUEL)
        else:
            self._byes[key] = (line, time, text[: rows.SHOWN])
            while len(self._byes) > self.most:
                yield _orphan(*self._byes.popitem(last=False)[1])

    def end(self) -> Iterator[Item]:
        """Yield what waited in vain."""
        while self._invites:
            yield self._unclosed(*self._invites.popitem(last=False))
        while self._byes:
            yield _orphan(*self._byes.popitem(last=False)[1])
        if self.open:
            yield Folded(line=0, rows=0, note=Note("audit.note.acc-open", {"count": self.open}))

    def _closed(self, key: Key, call: Open, time: str) -> Record:
        self._ended[key] = None
        if len(self._ended) > ENDED:
            self._ended.popitem(last=False)
        return Record(line=call.line, id=key[0], caller=call.caller, callee=call.callee, answer=call.time, end=time, answered="200")

    def _unclosed(self, key: Key, call: Open) -> Record:
        self.open += 1
        return Record(line=call.line, id=key[0], caller=call.caller, callee=call.callee, answer=call.time, answered="200")


def _orphan(line: int, time: str, text: str) -> Item:
    return rows.refused(line, text, "bye-alone", "end", time=time[:40])
