"""What each agent sees of the nodes, as rows for the others that share the store; PostgreSQL only, inside the caller's transaction.

All times are the database's: an agent adds to its own what its clock lacks. One statement writes and one reads, however many nodes
there are.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec
import sqlalchemy as sa

MOST_ROWS = 50_000  # of one exchange: nodes × agents
KEPT = timedelta(days=1)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_PUT = sa.text(f"""
    INSERT INTO sight (agent, here, node, alive_at, dark_since, written_at)
    SELECT :agent, :here, node, alive_at, dark_since, {_NOW}
    FROM unnest(CAST(:nodes AS text[]), CAST(:alive AS bigint[]), CAST(:dark AS bigint[])) AS told (node, alive_at, dark_since)
    ORDER BY node
    ON CONFLICT (agent, node) DO UPDATE SET
        here = excluded.here, alive_at = excluded.alive_at, dark_since = excluded.dark_since, written_at = excluded.written_at
""")  # noqa: S608
_GET = sa.text(f"""
    SELECT {_NOW}, coalesce(json_agg(json_build_array(agent, here, node, alive_at, dark_since)), '[]')::text
    FROM (SELECT * FROM sight WHERE agent <> :agent AND written_at >= :since LIMIT {MOST_ROWS}) AS told
""")  # noqa: S608
_FORGET = sa.text("DELETE FROM sight WHERE agent = :agent")
_PRUNE = sa.text(f"DELETE FROM sight WHERE written_at < {_NOW} - :kept")  # noqa: S608


class Sight(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What an agent saw of a node: the last sign of life, and since when there is none; microseconds since 1970 by the database's clock."""

    agent: str
    here: str
    node: str
    alive_at: int | None
    dark_since: int | None


_read = msgspec.json.Decoder(list[Sight])


def instant(micros: int) -> datetime:
    """Return the time of these microseconds."""
    return _EPOCH + timedelta(microseconds=micros)


def micros(at: datetime) -> int:
    """Return a time as microseconds since 1970."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def put(connection: sa.Connection, told: Iterable[Sight]) -> None:
    """Write or replace what one agent sees; all rows are of the same agent and place."""
    rows = list(told)[:MOST_ROWS]
    if rows:
        columns = {
            "agent": rows[0].agent,
            "here": rows[0].here,
            "nodes": [one.node for one in rows],
            "alive": [one.alive_at for one in rows],
            "dark": [one.dark_since for one in rows],
        }
        connection.execute(_PUT, columns)


def get(connection: sa.Connection, agent: str, since: int) -> tuple[int, list[Sight]]:
    """Return the database's time, and what other agents have written since then."""
    now, text = connection.execute(_GET, {"agent": agent, "since": since}).one()
    return int(now), _read.decode(text)


def forget(connection: sa.Connection, agent: str) -> None:
    """Forget all that one agent saw."""
    connection.execute(_FORGET, {"agent": agent})


def prune(connection: sa.Connection) -> None:
    """Drop what nobody has renewed for a day."""
    connection.execute(_PRUNE, {"kept": KEPT // timedelta(microseconds=1)})
