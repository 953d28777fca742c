"""How the store is reached: addresses, connections, and what each kind of connection promises.

SQLite runs in WAL mode. Its `synchronous` is a property of a connection, so there are two sorts: *durable* ones (FULL) for cases,
events and the outbox, whose commit survives a power cut, and *quick* ones (NORMAL) for tracks and baselines, whose last seconds may be
lost to a power cut but not to a crash of the program. On PostgreSQL the same difference is `synchronous_commit`.
"""

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

FILE = "firstline.sqlite"
BUSY_S = 5.0


def address(where: str | Path) -> sa.URL:
    """Return the URL of a folder (the embedded store in it) or of a PostgreSQL URL; ValueError for anything else."""
    text = str(where)
    if "://" not in text:
        return sa.URL.create("sqlite", database=str(Path(text) / FILE))
    url = sa.make_url(text)
    if url.get_backend_name() != "postgresql":
        raise ValueError(f"a store is a folder or a postgresql:// address, not {url.render_as_string(hide_password=True)}")
    return url.set(drivername="postgresql+psycopg")


def sqlite_path(url: sa.URL) -> Path | None:
    """Return the file of the embedded store, None for a database server."""
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def prepare_folder(path: Path, group: bool) -> None:
    """Make folder and file with their modes before SQLite makes them with the umask's: 0700 and 0600.

    With `group` 0750 and 0640: members of the group may read (also while the service runs), never write.
    """
    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True, mode=0o750 if group else 0o700)
    if not path.exists():
        mode = 0o640 if group else 0o600
        handle = os.open(path, os.O_CREAT | os.O_RDWR, mode)
        try:
            os.fchmod(handle, mode)  # SQLite gives its -wal and -shm the mode of this file
        finally:
            os.close(handle)


def connect(url: sa.URL, durable: bool) -> sa.Engine:
    """Return an engine whose transactions begin as readers; `writer(engine)` gives one whose transactions begin as writers."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, durable)
    return _postgresql(url, durable)


def writer(engine: sa.Engine) -> sa.Engine:
    """Return the same engine, taking the write lock at the start: a reader that turns writer half way loses to any other writer."""
    return engine.execution_options(firstline_writes=True)


def _sqlite(url: sa.URL, durable: bool) -> sa.Engine:
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_S}, pool_size=2, max_overflow=6, pool_timeout=30)
    level = "FULL" if durable else "NORMAL"

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions are ours: sqlite3 would begin them too late
        for pragma in (f"synchronous = {level}", "foreign_keys = ON", "journal_size_limit = 16777216"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("firstline_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: sa.URL, durable: bool) -> sa.Engine:
    return sa.create_engine(url, connect_args=arguments(durable), pool_size=2, max_overflow=6, pool_timeout=30, pool_pre_ping=True)


def arguments(durable: bool, session: bool = False) -> dict[str, Any]:
    """Return how a PostgreSQL is connected to. A `session` is kept idle for long: a server that lost its client notices within 25 s."""
    settings = {"lock_timeout": "5s", "statement_timeout": "30s", "idle_in_transaction_session_timeout": "60s"}
    if not durable:
        settings["synchronous_commit"] = "off"
    if session:
        settings |= {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    return {"connect_timeout": 5, "tcp_user_timeout": 15000, "application_name": "firstline", "options": options}


def use_wal(path: Path) -> None:
    """Put the file into WAL mode, which it keeps: readers and one writer at a time do not wait for each other."""
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY_S)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
