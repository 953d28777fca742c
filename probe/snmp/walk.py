"""Reads one column (or any subtree) of an agent that may answer wrongly, row by row in its order.

A walk ends where the agent says so, or at what no agent in order does: an OID that does not increase, a datagram that can't be read,
silence. Then what was read is kept and the fault is noted. gufo-snmp does not tell an error-status; an answer without rows may be one
(tooBig most of all), and is asked about once more with GETNEXT before it is believed.
"""

from typing import Any, Protocol

from probe.snmp.failure import Nonsense, Silent, TalkError
from probe.snmp.line import End
from probe.snmp.session import Prepare, Session
from probe.snmp.talk import Value

MOST_ROWS = 20_000
BEGIN_AGAIN_BELOW = 200  # rows: gufo-snmp's iterator can't change its repetitions; a longer column goes on one by one instead

Rows = list[tuple[str, Value] | None]


class Asking(Protocol):
    """What a walk needs of the poll that it is part of."""

    session: Session
    answered: bool  # whether the agent has answered anything in this poll

    async def ask(self, prepare: Prepare, attempts: int) -> Any:
        """Ask one question; TalkError."""
        ...

    async def error_status(self, oid: str) -> str | None:
        """Return the name of the error-status with which a GETNEXT of `oid` is answered, None for none or where it can't be seen."""
        ...

    def odd(self, table: str, what: str, detail: str = "", count: int = 1) -> None:
        """Note an anomaly."""
        ...


class Walk:
    """One walk of `column`; `complete` when the agent itself ended it, `clean` when nothing was odd about it either."""

    def __init__(self, poll: Asking, column: str, expected: int | None, most_rows: int = MOST_ROWS) -> None:
        self._poll, self._column, self._most_rows = poll, column, most_rows
        self._start = len(column) + 1
        self._expected = expected
        self._bulk = poll.session.credential.version != "v1"
        self.complete = self._odd = False
        self._begin()

    @property
    def clean(self) -> bool:
        """Whether the agent itself ended it and nothing was odd."""
        return self.complete and not self._odd

    def _note(self, what: str, detail: str) -> None:
        self._odd = True
        self._poll.odd(self._column, what, detail)

    def _begin(self) -> None:
        from gufo.snmp._fast import GetIter

        most = self._poll.session.pace.most
        self._asked = max(2, min(most, self._expected + 1)) if self._expected is not None else most
        self._bulk = self._bulk and most > 1
        self._place: Any = GetIter(self._column, self._asked)
        self.found: dict[str, Value] = {}
        self._last: tuple[int, ...] | None = None
        self._over = False

    async def run(self) -> dict[str, Value]:
        """Return the rows by index; TalkError as long as the agent has answered nothing."""
        while not self._over:
            try:
                answer = await (self._many() if self._bulk else self._one(3))
            except TalkError as why:
                if not self._poll.answered:
                    raise  # a dead agent is no empty table
                self._break_off(why)
                break
            if isinstance(answer, End):
                self.complete = self._over = True
            elif answer is not None:
                self._take(answer)
        return self.found

    def _break_off(self, why: TalkError) -> None:
        what = "truncated" if isinstance(why, Nonsense) else "silent"
        self._note(what, f"after {self._spot()}: {why.failure.detail}")

    def _spot(self) -> str:
        return f"row {next(reversed(self.found))}" if self.found else "no row"

    async def _many(self) -> Rows | End | None:
        """Ask for many rows; None when the column begins anew with fewer."""
        place = self._place
        try:
            answer = await self._poll.ask(lambda sock: (lambda: sock.send_get_bulk(place), lambda: sock.recv_get_bulk(place)), 2)
        except (Silent, Nonsense) as why:
            row = await self._one(1)
            if isinstance(why, Nonsense):
                self._note("too-long", f"GETBULK of {self._asked} rows: {why.failure.detail}")
            return self._fewer(row)
        if not isinstance(answer, End):
            if len(answer) == self._asked:
                self._poll.session.pace.good(self._asked)
            rows: Rows = answer
            return rows
        if self._expected and len(self.found) >= self._expected:
            return answer  # it ended here before, and that was looked into
        row = await self._one(1)
        if not isinstance(row, End) and not self._over:
            self._note("too-long", f"GETBULK of {self._asked} rows is answered without rows, GETNEXT with one")
            return self._fewer(row)
        return row

    async def _one(self, attempts: int) -> Rows | End:
        """Ask for the next row alone."""
        place = self._place
        row = await self._poll.ask(lambda sock: (lambda: sock.send_get_next(place), lambda: sock.recv_get_next(place)), attempts)
        if not isinstance(row, End):
            return [row]
        if not self._expected or len(self.found) < self._expected:
            last = f"{self._column}.{next(reversed(self.found))}" if self.found else self._column
            status = await self._poll.error_status(last)
            if status:
                self._note("error-status", f"{status} after {self._spot()}")
                self._over = True
                return []
        return row

    def _fewer(self, row: Rows | End) -> Rows | End | None:
        """Go on with fewer rows at a time, having got this one."""
        self._poll.session.pace.bad(self._asked)
        if isinstance(row, End) or self._over:
            return row
        if len(self.found) <= BEGIN_AGAIN_BELOW:
            self._begin()
            return None
        self._bulk = False
        return row

    def _take(self, rows: Rows) -> None:
        found, last, before = self.found, self._last, len(self.found)
        for row in rows:
            if row is None:  # the next object: the column is read
                self.complete = self._over = True
                break
            index = row[0][self._start :]
            key = (int(index),) if index.isdecimal() else tuple(map(int, index.split("."))) if index else ()
            if last is None or key > last:
                found[index] = row[1]
                last = key
                continue
            self._note("duplicate" if key == last else "not-increasing", index)
            if key != last:
                self._over = True
                break
        self._last = last
        if len(found) == before:
            self._over = True
        elif len(found) >= self._most_rows and not self._over:
            self._note("truncated", f"more than {len(found)} rows; the rest is not read")
            self._over = True
