"""The store: cases and their events, the outbox, tracks, baselines, maintenance. Synchronous: a service calls it in a worker thread.

Every method is one transaction. What a method that writes has returned from is on disk (`durable`: cases, events, outbox, maintenance;
tracks and baselines survive the end of the program, not always a power cut). When the store cannot be used, StoreAway says what, where and
the cure, and nothing of that call was accepted. No secret is ever given to the store.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import sqlalchemy as sa

from checks.finding import Key
from checks.history import Track
from reports.case import DONE, Case, CaseEvent, Step, case_from_row, event_from_row
from reports.complaint import Complaint, complaint_from_row
from reports.store import accept, baselines, connect, deliveries, lock, migrate, parts, sight, sole, tables
from reports.store.errors import LimitReached, StoreAway
from reports.store.integrity import problems
from reports.store.packed import unpack
from reports.store.plainly import said_plainly
from reports.store.values import Backlog, Dead, Due, Hour, Maintenance

log = logging.getLogger(__name__)

DELIVERED_KEPT = timedelta(days=90)


def open_store(
    where: str | Path,
    *,
    agent: str = "",
    feeds: Sequence[str] = (),
    service: bool = False,
    state_dir: Path | None = None,
    group: bool = False,
) -> "Store":
    """Return the open store of a folder (SQLite in it) or of a postgresql:// address; a context manager.

    A `service` holds the lock of the folder (of `state_dir` for PostgreSQL; without one, no lock) and on PostgreSQL that of its agent's
    name, makes the store and migrates it; anyone else only uses what is there. `agent` and `feeds`: whose outbox this is, and which
    feeds get every event. `group`: see connect.
    Errors: StoreAway, StoreInUse, StoreNewer (all StoreError), ValueError for an address that is none.
    """
    url = connect.address(where)
    path = connect.sqlite_path(url)
    name = str(path) if path else url.render_as_string(hide_password=True)
    folder = path.parent if path else state_dir
    with said_plainly(name):
        if service and path:
            connect.prepare_folder(path, group)
        held = lock.take(folder) if service and folder else None
        named = sole.Sole(url, agent, name) if service and agent and path is None else None
        try:
            if named:
                named.take()
            return Store(url, name, agent, tuple(feeds), held, service, named)
        except BaseException:
            for one in (held, named):
                if one:
                    one.release()
            raise


class Store:
    """An open store; made by `open_store`. Safe to use from several threads. `feeds` may be replaced when the configuration changes."""

    def __init__(
        self,
        url: sa.URL,
        name: str,
        agent: str,
        feeds: tuple[str, ...],
        held: lock.Lock | None,
        service: bool,
        named: sole.Sole | None = None,
    ) -> None:
        self.name = name
        self.agent = agent
        self.feeds = feeds
        self._lock, self._sole = held, named
        path = connect.sqlite_path(url)
        self._durable = connect.connect(url, durable=True)
        self._quick = connect.connect(url, durable=False)
        try:
            if service:
                if path:
                    connect.use_wal(path)
                migrate.migrate(connect.writer(self._durable), path, name)
            elif path and not path.exists():
                migrate.check(None, name)
            else:
                with self._durable.connect() as connection:
                    migrate.check(migrate.revision(connection), name)
        except BaseException:
            self._dispose()
            raise
        self._path = path
        self._file = _identity(path) if path else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, why: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection and let go of the locks; may be called again."""
        self._dispose()
        for one in (self._lock, self._sole):
            if one:
                one.release()

    def accept(self, steps: Sequence[Step], now: datetime) -> list[CaseEvent]:
        """Take planned steps in one transaction: cases, events, evidence, and a line in the outbox for every feed; returns what happened.

        May be repeated after any error: a step that was accepted before, or that was planned on an older case, is left out. So is one
        that can never be written (text that is no Unicode): it is logged and does not hold the others up.
        """
        unfit = {id(step): step.together for step in steps if self._unfit(step)}
        steps = [step for step in steps if id(step) not in unfit and (not step.together or step.together not in unfit.values())]
        if not steps:
            return []
        with said_plainly(self.name):
            if self._sole:
                self._sole.ensure()
        with self._write(self._durable) as connection:
            return accept.record(connection, steps, now, self.agent, self.feeds)

    def cases(self, open_only: bool = False, limit: int | None = None) -> list[Case]:
        """Return the cases, newest first; with `open_only` those that are uncleared or that a person still has to finish."""
        known = tables.cases.c
        query = sa.select(tables.cases).order_by(known.id.desc()).limit(limit)
        if open_only:
            query = query.where(known.cleared_at.is_(None) | known.state.not_in([str(state) for state in DONE]))
        with self._read() as connection:
            return [case_from_row(row) for row in connection.execute(query).mappings()]

    def case(self, number: int) -> Case | None:
        """Return one case, None when there is none of that number."""
        with self._read() as connection:
            row = connection.execute(sa.select(tables.cases).where(tables.cases.c.id == number)).mappings().one_or_none()
        return None if row is None else case_from_row(row)

    def events(self, number: int) -> list[CaseEvent]:
        """Return what happened to one case, in order."""
        query = sa.select(tables.case_event).where(tables.case_event.c.case_id == number).order_by(tables.case_event.c.number)
        with self._read() as connection:
            return [event_from_row(row) for row in connection.execute(query).mappings()]

    def evidence(self, number: int) -> bytes | None:
        """Return the JSON that one case stands on as it was given, None when it has none; StoreAway when it is damaged."""
        query = sa.select(tables.evidence.c.body).where(tables.evidence.c.case_id == number)
        with self._read() as connection:
            body = connection.execute(query).scalar_one_or_none()
        try:
            return None if body is None else unpack(bytes(body))
        except ValueError as why:
            raise StoreAway(str(why), f"{self.name}: case #{number}", "put back a copy of the store to read it") from why

    def parts(self, number: int) -> list[Case]:
        """Return the cases that became a part of this one, and those that became a part of these, oldest first; 1,000 at most."""
        with self._read() as connection:
            return parts.of(connection, number)

    def complaints(self, number: int) -> list[Complaint]:
        """Return the complaints that hang on one case, in the order they were taken; 1,000 at most."""
        with self._read() as connection:
            return parts.complaints(connection, number)

    def complaint(self, name: str) -> Complaint | None:
        """Return the complaint of an id, with the case on which it hangs; None when there is none."""
        with self._read() as connection:
            row = connection.execute(sa.select(tables.complaint).where(tables.complaint.c.id == name)).mappings().one_or_none()
        return None if row is None else complaint_from_row(row)

    def save_tracks(self, tracks: Iterable[Track]) -> None:
        """Write or replace these tracks, all in one go."""
        with self._write(self._quick) as connection:
            baselines.save_tracks(connection, tracks)

    def tracks(self, agent: str | None = None) -> dict[Key, Track]:
        """Return the kept tracks of `agent` (None: of all) by key."""
        with self._read() as connection:
            return baselines.read_tracks(connection, agent)

    def drop_tracks(self, keys: Iterable[Key]) -> None:
        """Forget tracks that nothing feeds any more."""
        with self._write(self._quick) as connection:
            baselines.drop_tracks(connection, keys)

    def save_hours(self, hours: Iterable[Hour]) -> None:
        """Write or replace these hours; 14 days before the newest are kept. LimitReached when there are more than MAX_SERIES series.

        With LimitReached the hours of the other series are kept all the same.
        """
        with self._write(self._quick) as connection:
            beyond = baselines.save_hours(connection, list(hours))
        if beyond:
            what = f"{len(beyond)} series beyond the {baselines.MAX_SERIES} that are kept ({'/'.join(beyond[0])} and others)"
            raise LimitReached(what, self.name, "measure fewer things here, or let a second agent measure some of them")

    def hours(self, hour_of_day: int, agent: str | None = None) -> list[Hour]:
        """Return the kept hours of the last 14 days that begin at this hour of the day (UTC, 0 … 23), oldest first."""
        with self._read() as connection:
            return baselines.read_hours(connection, hour_of_day, agent)

    def add_maintenance(self, work: Maintenance) -> Maintenance:
        """Keep announced work; returns it with its number."""
        row = msgspec.structs.asdict(work)
        del row["id"]
        with self._write(self._durable) as connection:
            number = connection.execute(sa.insert(tables.maintenance).values(row).returning(tables.maintenance.c.id)).scalar_one()
        return msgspec.structs.replace(work, id=number)

    def maintenance(self, now: datetime | None = None) -> list[Maintenance]:
        """Return all announced work, or with `now` what has not ended yet, in the order it begins."""
        row = tables.maintenance.c
        query = sa.select(row.node, row.starts_at, row.ends_at, row.who, row.reason, row.id).order_by(row.starts_at, row.id)
        if now is not None:
            query = query.where(row.ends_at > now)
        with self._read() as connection:
            return [Maintenance(*found) for found in connection.execute(query)]

    def remove_maintenance(self, number: int) -> bool:
        """Take announced work back; False when there is none of that number."""
        with self._write(self._durable) as connection:
            return connection.execute(sa.delete(tables.maintenance).where(tables.maintenance.c.id == number)).rowcount == 1

    def due(self, feed: str, now: datetime, limit: int = 50) -> list[Due]:
        """Return up to `limit` events that this feed should get now, at most one a case: the events of a case go out in their order."""
        with self._read() as connection:
            return deliveries.due(connection, self.agent, feed, now, limit)

    def next_due_at(self, feed: str) -> datetime | None:
        """Return when the next try for this feed is due, None when nothing waits for it."""
        with self._read() as connection:
            return deliveries.next_due_at(connection, self.agent, feed)

    def delivered(self, one: Due) -> None:
        """Note that a feed has got this event."""
        self._settle(one, accept.DELIVERED)

    def failed(self, one: Due, next_at: datetime, error: str) -> None:
        """Note a try in vain, its reason and when to try again."""
        self._settle(one, accept.PENDING, error, next_at)

    def dead(self, one: Due, reason: str) -> None:
        """Note that a feed will never get this event; later events of the case go on."""
        self._settle(one, accept.DEAD, reason)

    def clock_set_back(self, now: datetime) -> int:
        """Make due what was accepted at a time still to come, as a clock that was set back leaves it, and say how many."""
        with self._read() as connection:
            if not deliveries.from_the_future(connection, self.agent, now):
                return 0
        with self._write(self._durable) as connection:
            return deliveries.bring_back(connection, self.agent, now)

    def backlog(self) -> list[Backlog]:
        """Return how far each feed of this agent is behind, by name."""
        with self._read() as connection:
            return deliveries.backlog(connection, self.agent)

    def given_up(self, limit: int = 100) -> list[Dead]:
        """Return the events that a feed of this agent will never get, newest first."""
        with self._read() as connection:
            return deliveries.dead(connection, self.agent, limit)

    def try_again(self, feed: str, now: datetime) -> int:
        """Make what was given up due once more, after its reason was mended, and say how many."""
        with self._write(self._durable) as connection:
            return deliveries.revive(connection, self.agent, feed, now)

    @property
    def shared(self) -> bool:
        """Whether several agents may share it: then each tells the others what it sees."""
        return self._path is None

    def tell_sight(self, told: Sequence[sight.Sight], anew: bool = False) -> None:
        """Write what this agent sees, for the others; `anew` forgets what it saw before. For a shared store only."""
        with self._write(self._quick) as connection:
            if anew:
                sight.forget(connection, self.agent)
            sight.put(connection, told)

    def sights(self, since: int) -> tuple[int, list[sight.Sight]]:
        """Return the database's time, and what other agents have told since then; microseconds. For a shared store only."""
        with self._read() as connection:
            return sight.get(connection, self.agent, since)

    def prune(self, now: datetime) -> int:
        """Drop outbox lines that were delivered and are older than 90 days, and say how many; cases and their events stay."""
        with self._write(self._durable) as connection:
            if self.shared:
                sight.prune(connection)
            return deliveries.forget_delivered(connection, self.agent, now - DELIVERED_KEPT)

    def note(self, key: str, value: str) -> None:
        """Keep a short text under a name, instead of what was there."""
        with self._write(self._durable) as connection:
            put = accept.insert(connection, tables.meta).values(key=key, value=value)
            connection.execute(put.on_conflict_do_update(index_elements=["key"], set_={"value": put.excluded.value}))

    def noted(self, key: str) -> str | None:
        """Return the text kept under a name, None when there is none."""
        with self._read() as connection:
            return connection.execute(sa.select(tables.meta.c.value).where(tables.meta.c.key == key)).scalar_one_or_none()

    def integrity(self) -> list[str]:
        """Return what is wrong with the store, one sentence each; empty when it is whole. Reads all of it."""
        with self._read() as connection:
            return problems(connection)

    @staticmethod
    def _unfit(step: Step) -> bool:
        reason = accept.unfit(step)
        if reason:
            log.error("%s of case %r cannot be kept: %s", step.kind, (*step.case.identity, step.case.id), reason)
        return reason is not None

    def _settle(self, one: Due, state: str, error: str = "", due_at: datetime | None = None) -> None:
        with self._write(self._durable) as connection:
            deliveries.settle(connection, self.agent, one, state, error, due_at)

    @contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        with said_plainly(self.name), self._durable.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def _write(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        self._still_there()
        with said_plainly(self.name), connect.writer(engine).begin() as connection:
            yield connection

    def _still_there(self) -> None:
        """Raise StoreAway when the file was moved or removed: SQLite would go on writing into one that nobody finds again."""
        if self._path is not None and _identity(self._path) != self._file:
            cure = "put it back; or stop the service, and it makes a new one when it starts"
            raise StoreAway("the file of the store was taken away", self.name, cure)

    def _dispose(self) -> None:
        self._durable.dispose()
        self._quick.dispose()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino)
