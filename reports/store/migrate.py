"""Bring a store to the tables of this program. The only module that imports alembic, and only when there is something to do."""

import contextlib
import os
import sqlite3
from pathlib import Path

import sqlalchemy as sa

from reports.store.errors import StoreAway, StoreNewer
from reports.store.tables import REVISION

MIGRATIONS = Path(__file__).parent / "migrations"
_GATE = 0x46_4C_4D_47  # any fixed number: services that start together on one PostgreSQL migrate one after the other


def revision(connection: sa.Connection) -> str | None:
    """Return the revision that the store is at, None for an empty one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def check(found: str | None, where: str, head: str = REVISION) -> None:
    """Raise unless a store at revision `found` can be used as it is: StoreNewer, or StoreAway when a service has to migrate it first."""
    if found is None:
        raise StoreAway("there is no store yet", where, "start the service once: firstline run")
    if found > head:
        raise StoreNewer(
            f"the store is newer ({found}) than this program ({head})", where, "install the newer program, or restore a backup"
        )
    if found < head:
        raise StoreAway(f"the store is older ({found}) than this program ({head})", where, "start the service, it migrates the store")


def migrate(writer: sa.Engine, path: Path | None, where: str, scripts: Path = MIGRATIONS, head: str = REVISION) -> None:
    """Bring the store to `head` in one transaction; an SQLite store (`path`) with something in it is backed up beside itself first.

    Errors: StoreNewer. A migration that fails leaves the store as it was.
    """
    with writer.connect() as connection:
        found = revision(connection)
    if found == head:
        return
    if found is not None:
        if found > head:
            check(found, where, head)
        if path is not None:
            back_up(path, path.with_name(f"{path.name}.before-{head}"))
    _upgrade(writer, scripts, head)


def back_up(path: Path, copy: Path) -> None:
    """Write a whole, consistent copy of an SQLite store, also while it is in use; it is there completely or not at all."""
    part = copy.with_name(copy.name + ".part")
    os.close(os.open(part, os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o600))
    with contextlib.closing(sqlite3.connect(path)) as source, contextlib.closing(sqlite3.connect(part)) as target:
        source.backup(target)
    with part.open("rb") as written:
        os.fsync(written.fileno())
    part.replace(copy)


def _upgrade(writer: sa.Engine, scripts: Path, head: str) -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("version_locations", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    script = ScriptDirectory.from_config(config)

    def steps(found: object, _context: object) -> object:
        return script._upgrade_revs(head, found)  # type: ignore[arg-type]

    with (
        writer.begin() as connection,
        EnvironmentContext(config, script, fn=steps, destination_rev=head) as environment,
    ):
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:gate)"), {"gate": _GATE})
        environment.configure(connection=connection, transactional_ddl=True)
        environment.run_migrations()
