"""The store's tables, the same on SQLite and PostgreSQL. A change here needs a new file in `migrations/` and the next REVISION.

Times are microseconds since 1970 in UTC, hours whole hours since then; structured fields are JSON text.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

REVISION = "0003"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Instant(TypeDecorator[datetime]):
    """An aware time as whole microseconds since 1970; ValueError for a time without a zone."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:
        """Return the microseconds of a time."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value}")
        return (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:
        """Return the time of these microseconds."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

metadata = sa.MetaData()

cases = sa.Table(
    "cases",
    metadata,
    sa.Column("id", _Id, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("element", sa.Text, nullable=False),
    sa.Column("episode", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("side", sa.Text, nullable=False),
    sa.Column("area", sa.Text, nullable=False),
    sa.Column("urgency", sa.Text, nullable=False),
    sa.Column("confidence", sa.Double),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("cleared_at", Instant),
    sa.Column("cleared_by_itself", sa.Boolean, nullable=False),
    sa.Column("affected", sa.Text, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("agent", sa.Text, nullable=False),
    sa.Column("keys", sa.Text, nullable=False),
    sa.Column("unwatched", sa.Text, nullable=False),
    sa.Column("rules", sa.Text, nullable=False),
    sa.Column("events", sa.Integer, nullable=False),
    sa.Column("alternatives", sa.Text, nullable=False),
    sa.Column("elsewhere", sa.Text, nullable=False),
    sa.Column("decides", sa.Text, nullable=False),
    sa.Column("merged_into", _Id),
    sa.Column("complainants", sa.Text, nullable=False),
    sa.UniqueConstraint("kind", "cause", "element", "episode", name="one_case_per_episode"),
    sqlite_autoincrement=True,
)
one_uncleared = sa.Index(
    "one_uncleared_episode",
    cases.c.kind,
    cases.c.cause,
    cases.c.element,
    unique=True,
    sqlite_where=cases.c.cleared_at.is_(None),
    postgresql_where=cases.c.cleared_at.is_(None),
)

cases_merged = sa.Index("cases_merged", cases.c.merged_into)

complaint = sa.Table(
    "complaint",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("case_id", _Id, sa.ForeignKey("cases.id"), nullable=False),
    sa.Column("customer", sa.Text, nullable=False),
    sa.Column("contact", sa.Text, nullable=False),
    sa.Column("symptoms", sa.Text, nullable=False),
    sa.Column("number", sa.Text, nullable=False),
    sa.Column("since", Instant),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("taken_at", Instant, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
)
complaint_of_case = sa.Index("complaint_of_case", complaint.c.case_id)

evidence = sa.Table(
    "evidence",
    metadata,
    sa.Column("case_id", _Id, sa.ForeignKey("cases.id"), primary_key=True, autoincrement=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

case_event = sa.Table(
    "case_event",
    metadata,
    sa.Column("case_id", _Id, sa.ForeignKey("cases.id"), primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("agent", sa.Text, primary_key=True),
    sa.Column("feed", sa.Text, primary_key=True),
    sa.Column("case_id", _Id, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("accepted_at", Instant, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(["case_id", "number"], ["case_event.case_id", "case_event.number"]),
)
outbox_due = sa.Index("outbox_due", outbox.c.agent, outbox.c.feed, outbox.c.state, outbox.c.due_at)

track = sa.Table(
    "track",
    metadata,
    sa.Column("agent", sa.Text, primary_key=True),
    sa.Column("node", sa.Text, primary_key=True),
    sa.Column("question", sa.Text, primary_key=True),
    sa.Column("item", sa.Text, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
)

series = sa.Table(
    "series",
    metadata,
    sa.Column("id", _Id, primary_key=True, autoincrement=True),
    sa.Column("agent", sa.Text, nullable=False),
    sa.Column("node", sa.Text, nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("item", sa.Text, nullable=False),
    sa.UniqueConstraint("agent", "node", "question", "item", name="one_series_per_key"),
)

baseline_hour = sa.Table(
    "baseline_hour",
    metadata,
    sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("series_id", _Id, sa.ForeignKey("series.id"), primary_key=True, autoincrement=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("median", sa.Double, nullable=False),
    sa.Column("mad", sa.Double, nullable=False),
    sqlite_with_rowid=False,
)

maintenance = sa.Table(
    "maintenance",
    metadata,
    sa.Column("id", _Id, primary_key=True, autoincrement=True),
    sa.Column("node", sa.Text, nullable=False),
    sa.Column("starts_at", Instant, nullable=False),
    sa.Column("ends_at", Instant, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)

sight = sa.Table(
    "sight",
    metadata,
    sa.Column("agent", sa.Text, primary_key=True),
    sa.Column("node", sa.Text, primary_key=True),
    sa.Column("here", sa.Text, nullable=False),
    sa.Column("alive_at", Instant),
    sa.Column("dark_since", Instant),
    sa.Column("written_at", Instant, nullable=False),
)

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
