"""The outbox as rows: what is due to which feed, and what became of it; inside the caller's transaction."""

from datetime import datetime

import sqlalchemy as sa

from reports.case import event_from_row
from reports.store import tables
from reports.store.accept import DEAD, DELIVERED, PENDING
from reports.store.values import Backlog, Dead, Due

_out = tables.outbox.c


def due(connection: sa.Connection, agent: str, feed: str, now: datetime, limit: int) -> list[Due]:
    """Return what is due, oldest first, at most one event a case: the next one waits until this one is delivered or given up."""
    joined = tables.outbox.join(
        tables.case_event, (tables.case_event.c.case_id == _out.case_id) & (tables.case_event.c.number == _out.number)
    )
    query = (
        sa.select(tables.case_event, _out.attempts, _out.accepted_at)
        .select_from(joined)
        .where(_out.agent == agent, _out.feed == feed, _out.state == PENDING, _out.due_at <= now, ~_behind())
        .order_by(_out.due_at, _out.case_id)
        .limit(limit)
    )
    return [Due(feed, event_from_row(row), row["attempts"], row["accepted_at"]) for row in connection.execute(query).mappings()]


def next_due_at(connection: sa.Connection, agent: str, feed: str) -> datetime | None:
    """Return when the next event of this feed is due, None when nothing waits."""
    this = (_out.agent == agent, _out.feed == feed, _out.state == PENDING, ~_behind())
    return connection.execute(sa.select(sa.func.min(_out.due_at, type_=tables.Instant())).where(*this)).scalar()


def _behind() -> sa.ColumnElement[bool]:
    """Say that an earlier event of the case still waits for the same feed."""
    earlier = tables.outbox.alias("earlier")
    return sa.exists().where(
        earlier.c.agent == _out.agent,
        earlier.c.feed == _out.feed,
        earlier.c.case_id == _out.case_id,
        earlier.c.number < _out.number,
        earlier.c.state == PENDING,
    )


def settle(connection: sa.Connection, agent: str, one: Due, state: str, error: str = "", due_at: datetime | None = None) -> None:
    """Write what became of one try; does nothing when it is settled already."""
    values: dict[str, object] = {"state": state, "error": error[:500], "attempts": _out.attempts + 1}
    if due_at is not None:
        values["due_at"] = due_at
    this = (_out.agent == agent, _out.feed == one.feed, _out.case_id == one.event.case, _out.number == one.event.number)
    connection.execute(sa.update(tables.outbox).where(*this, _out.state == PENDING).values(values))


def from_the_future(connection: sa.Connection, agent: str, now: datetime) -> bool:
    """Tell whether something waits that was accepted later than now."""
    return connection.execute(sa.select(sa.exists().where(*_later(agent, now)))).scalar_one()


def bring_back(connection: sa.Connection, agent: str, now: datetime) -> int:
    """Make that due now, as if it were accepted now; returns how many."""
    return connection.execute(sa.update(tables.outbox).where(*_later(agent, now)).values(accepted_at=now, due_at=now)).rowcount


def _later(agent: str, now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (_out.agent == agent, _out.state == PENDING, _out.accepted_at > now)


def backlog(connection: sa.Connection, agent: str) -> list[Backlog]:
    """Return how far each feed is behind."""
    waits = _out.state == PENDING
    query = (
        sa.select(
            _out.feed,
            sa.func.sum(sa.case((waits, 1), else_=0)).label("pending"),
            sa.func.min(sa.case((waits, _out.accepted_at), else_=None), type_=tables.Instant()).label("oldest_at"),
            sa.func.sum(sa.case((_out.state == DEAD, 1), else_=0)).label("dead"),
        )
        .where(_out.agent == agent)
        .group_by(_out.feed)
        .order_by(_out.feed)
    )
    return [Backlog(row.feed, int(row.pending), row.oldest_at, int(row.dead)) for row in connection.execute(query)]


def dead(connection: sa.Connection, agent: str, limit: int) -> list[Dead]:
    """Return what was given up, newest case first."""
    query = (
        sa.select(_out.feed, _out.case_id, _out.number, _out.attempts, _out.error)
        .where(_out.agent == agent, _out.state == DEAD)
        .order_by(_out.case_id.desc(), _out.number.desc())
        .limit(limit)
    )
    return [Dead(*row) for row in connection.execute(query)]


def revive(connection: sa.Connection, agent: str, feed: str, now: datetime) -> int:
    """Make dead events pending again, as if accepted now; returns how many."""
    values = {"state": PENDING, "attempts": 0, "accepted_at": now, "due_at": now}
    again = sa.update(tables.outbox).where(_out.agent == agent, _out.feed == feed, _out.state == DEAD).values(values)
    return connection.execute(again).rowcount


def forget_delivered(connection: sa.Connection, agent: str, before: datetime) -> int:
    """Drop what was delivered and is older than `before`; returns how many. The events themselves stay."""
    old = sa.delete(tables.outbox).where(_out.agent == agent, _out.state == DELIVERED, _out.accepted_at < before)
    return connection.execute(old).rowcount
