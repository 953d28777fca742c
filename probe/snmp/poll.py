"""One poll of one device: the conversation that the readers of tables have, with its bounds and what was odd about it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import monotonic
from typing import Any

from probe.observation.device import Anomaly
from probe.snmp.failure import Nonsense, Refused, Silent, TalkError
from probe.snmp.line import End
from probe.snmp.session import ATTEMPTS, FIRST_WAITS, PATIENCE_S, WAITS, Prepare, Session, Shape
from probe.snmp.talk import Value
from probe.snmp.walk import MOST_ROWS, Walk

SYS_UP_TIME = "1.3.6.1.2.1.1.3.0"
MOST_VALUES = 200_000  # of one poll, over all tables
MOST_SILENCES = 3  # (or answers that can't be read) in the middle of a poll, one after another, until nothing more is asked
MOST_ANOMALIES = 100

Status = Callable[[Session, str], Awaitable[str | None]]


class Poll:
    """Implements `probe.snmp.talk.Talk`. Once the agent has answered, no later silence rises: it is noted, and the rest stays empty.

    `until` is the monotonic time after which nothing is waited for; `status` asks for the error-status of a GETNEXT.
    """

    def __init__(self, session: Session, until: float, status: Status | None = None, patience_s: float = PATIENCE_S) -> None:
        self.session = session
        self._until, self._status, self._patience_s = until, status, patience_s
        self._odd: dict[tuple[str, str], tuple[str, int]] = {}
        self.answered = False
        self._silences = 0
        self._values = 0

    @property
    def anomalies(self) -> tuple[Anomaly, ...]:
        """What was odd so far."""
        return tuple(Anomaly(table, what, detail, count) for (table, what), (detail, count) in self._odd.items())

    def odd(self, table: str, what: str, detail: str = "", count: int = 1) -> None:
        """Note something wrong about an answer; the same table and fault are counted together, the first detail is kept."""
        known = self._odd.get((table, what))
        if known is not None:
            self._odd[table, what] = (known[0], known[1] + count)
        elif len(self._odd) < MOST_ANOMALIES:
            self._odd[table, what] = (detail, count)

    async def ask(self, prepare: Prepare, attempts: int) -> Any:
        """Ask one question; TalkError."""
        if self._silences >= MOST_SILENCES:
            raise Silent("not asked any more: the agent does not answer as it did")
        try:
            waits = WAITS[: 1 if self._silences else attempts] if self.answered else FIRST_WAITS
            answer = await self.session.ask(prepare, self._until, waits, self._patience_s)
        except TalkError as why:
            if self.answered:
                self._silences += MOST_SILENCES if isinstance(why, Refused) else 1
            raise
        self.answered, self._silences = True, 0
        return answer

    async def error_status(self, oid: str) -> str | None:
        """Return the error-status of a GETNEXT of `oid`, None for none or where it can't be seen."""
        return await self._status(self.session, oid) if self._status else None

    async def get(self, oids: Sequence[str], keep: bool = False) -> Mapping[str, Value]:
        """Return the values of scalars or instances; TalkError as long as the agent has answered nothing."""
        kept = self.session.kept
        found: dict[str, Value] = {}
        wanted = []
        for oid in oids:
            known = kept.take(oid) if keep else None
            if known is not None:
                found.update(known)
            elif not kept.is_nothing(oid):
                wanted.append(oid)
        at, end = 0, 0
        while (at := end) < len(wanted):
            end = at + kept.most_oids
            some = wanted[at:end]
            try:
                answer = await self._get_some(some)
            except TalkError as why:
                if not self.answered:
                    raise
                self.odd(some[0], "truncated" if isinstance(why, Nonsense) else "silent", why.failure.detail, len(some))
                continue
            if SYS_UP_TIME in answer and isinstance(ticks := answer[SYS_UP_TIME], int):
                kept.told_uptime(ticks)
            if keep:
                for oid in some:
                    kept.put(oid, {oid: answer[oid]} if oid in answer else {})
            found.update(answer)
        return found

    async def _get_some(self, oids: list[str]) -> dict[str, Value]:
        answer: dict[str, Value]
        try:
            answer = await self.ask(lambda sock: (lambda: sock.send_get_many(oids), sock.recv_get_many), ATTEMPTS)
        except Nonsense:
            if len(oids) == 1 or not self.answered:
                raise
            answer = {}
        if answer:
            strange = answer.keys() - set(oids)
            for oid in strange:
                self.odd(oid, "out-of-range", "came for another object that was asked for")
                del answer[oid]
            return answer
        if len(oids) > 1:  # all missing; or an error-status for one of them, which gufo-snmp does not tell (v1: for a single missing one)
            half = len(oids) // 2
            first, second = await self._get_some(oids[:half]), await self._get_some(oids[half:])
            if first and second:
                self.session.kept.most_oids = max(half, 1)  # too many for this agent
            return {**first, **second}
        return await self._get_one(oids[0])

    async def _get_one(self, oid: str) -> dict[str, Value]:
        value = await self.ask(lambda sock: (lambda: sock.send_get(oid), sock.recv_get), ATTEMPTS)
        if isinstance(value, End):
            self.session.kept.nothing(oid)
        elif value is not None:
            return {oid: value}
        elif self.session.credential.version == "v1":
            self.session.kept.nothing(oid)  # noSuchName; a genErr looks the same
        else:
            self.odd(oid, "error-status", "answered without a value")
        return {}

    async def walk(self, column: str, keep: bool = False) -> Mapping[str, Value]:
        """Return a column (or any subtree) by index; TalkError as long as the agent has answered nothing."""
        return await self._walk(column, keep, None)

    async def walk_all(self, columns: Sequence[str], keep: bool = False) -> Sequence[Mapping[str, Value]]:
        """Return several columns of one table, each as `walk` does.

        Of a table of few rows the first column alone is walked; has it the same rows as before, so have the others that had these rows,
        too, and they are read by GET; what one of them lost is seen at once, and a row that one of them alone has gained within the hour.
        """
        kept = self.session.kept
        found: list[Mapping[str, Value]] = []
        known: list[tuple[int, Shape]] = []
        rows: int | None = None
        leading: tuple[str, ...] = ()
        same = False
        for place, column in enumerate(columns):
            shape = kept.shape(column)
            if same and shape is not None and shape.indexes == leading and shape.until > monotonic():
                known.append((place, shape))
                found.append({})
                continue
            found.append(await self._walk(column, keep, rows))
            rows = len(found[-1]) or rows
            if not place:
                leading = tuple(found[0])
                same = not keep and shape is not None and len(leading) > 0 and shape.indexes == leading
        if known:
            values = await self.get([oid for _, shape in known for oid in shape.oids])
            for place, shape in known:
                some = [values.get(oid) for oid in shape.oids]
                complete = None not in some
                found[place] = dict(zip(shape.indexes, some, strict=True)) if complete else await self._walk(columns[place], keep, rows)  # type: ignore[arg-type]
        return found

    async def _walk(self, column: str, keep: bool, like: int | None) -> Mapping[str, Value]:
        kept = self.session.kept
        known = kept.take(column) if keep else None
        if known is not None:
            return known
        if kept.is_nothing(column):
            return {}
        if self._values >= MOST_VALUES:
            self.odd(column, "truncated", f"not read: {MOST_VALUES} values of this device are read already")
            return {}
        walk = Walk(self, column, shape.count if (shape := kept.shape(column)) else like, min(MOST_ROWS, MOST_VALUES - self._values))
        found = await walk.run()
        self._values += len(found)
        if walk.clean and found:
            kept.filled(column, found)
        elif walk.complete:
            kept.nothing(column)
        if keep and walk.complete:
            kept.put(column, found)
        return found
