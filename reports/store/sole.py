"""One service a name: on a database that several agents share, nobody else may run under the name of one that does.

An advisory lock of PostgreSQL, held by a session of its own from the start of the service to its end, however that ends: the server
lets go of it with the connection. A host that vanishes without closing it is noticed by keep-alive within half a minute.
"""

import hashlib
import threading

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from reports.store import connect
from reports.store.errors import StoreInUse

PATIENCE_MS = 3000  # a server needs a moment to see that a service was killed

_NOT_AVAILABLE = "55P03"  # lock_not_available (PostgreSQL, appendix A)


class Sole:
    """Held from `take` to `release`. `ensure` before what only the holder may do: a database that was restarted has forgotten the lock."""

    def __init__(self, url: sa.URL, agent: str, where: str) -> None:
        self._engine = sa.create_engine(
            url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=connect.arguments(durable=False, session=True)
        )
        self._agent, self._where = agent, where
        self._session: sa.Connection | None = None
        self._one = threading.Lock()

    def take(self, patience_ms: int = PATIENCE_MS) -> None:
        """Take the lock; StoreInUse when another service keeps it for so long, sa.exc.DBAPIError when the server is away."""
        session = self._engine.connect()
        try:
            self._lock(session, patience_ms)
        except BaseException:
            session.close()
            raise
        self._session = session

    def _lock(self, session: sa.Connection, patience_ms: int) -> None:
        number = _number(session.execute(sa.text("SELECT current_schema()")).scalar_one(), self._agent)
        session.execute(sa.text("SELECT set_config('lock_timeout', :patience, false)"), {"patience": str(patience_ms)})
        try:
            session.execute(sa.text("SELECT pg_advisory_lock(:number)"), {"number": number})
        except sa.exc.OperationalError as why:
            if getattr(why.orig, "sqlstate", None) != _NOT_AVAILABLE:
                raise
            raise self._in_use(session, number) from None

    def ensure(self) -> None:
        """Return when the lock is held, taking it again where the session was lost; errors as `take`."""
        with self._one:
            if self._session is not None:
                try:
                    self._session.execute(sa.text("SELECT 1"))
                except sa.exc.DBAPIError:
                    self._drop()
                else:
                    return
            self.take(1)

    def release(self) -> None:
        """Let another service have the name; may be called again."""
        self._drop()
        self._engine.dispose()

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.invalidate()
            session.close()

    def _in_use(self, session: sa.Connection, number: int) -> StoreInUse:
        holder = session.execute(
            sa.text(
                "SELECT host(a.client_addr) AS host, to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') AS since"
                " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
                " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
                " AND l.classid::bigint = :high AND l.objid::bigint = :low"
                " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            ),
            {"high": number >> 32 & 0xFFFFFFFF, "low": number & 0xFFFFFFFF},
        ).first()
        known = [] if holder is None else [f"on {holder.host}"] * bool(holder.host) + [f"since {holder.since} UTC"] * bool(holder.since)
        who = " ".join([f'another service named "{self._agent}"', *known])
        return StoreInUse(f"{who} uses this store", self._where, "stop that one first, or give this one its own [agent] name")


def _number(schema: str | None, agent: str) -> int:
    """Return the number of the lock: 64 bits, signed."""
    return int.from_bytes(hashlib.sha256(f"firstline\0{schema or ''}\0{agent}".encode()).digest()[:8], "big", signed=True)
