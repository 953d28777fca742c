"""The errors of databases and disks, said plainly."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from reports.store.errors import StoreAway

_SQLITE = {
    "SQLITE_FULL": ("the disk is full", "free some space; what could not be written is derived again"),
    "SQLITE_BUSY": ("the store is locked by another program", "wait until that has finished, or end it"),
    "SQLITE_LOCKED": ("the store is locked by another program", "wait until that has finished, or end it"),
    "SQLITE_CORRUPT": ("the store is damaged", "stop the service, move the file away and put back a backup"),
    "SQLITE_NOTADB": ("this file is not a store", "move it away or name another folder in state_dir"),
    "SQLITE_CANTOPEN": ("the store cannot be opened", "check that the folder exists and belongs to the user of the service"),
    "SQLITE_READONLY": ("the store cannot be written", "check owner and mode of the file, and that its file system is writable"),
    "SQLITE_IOERR": ("the disk reports an error", "check the disk and the free space"),
}


@contextmanager
def said_plainly(where: str) -> Iterator[None]:
    """Turn the errors of databases and disks into StoreAway."""
    try:
        yield
    except sa.exc.DBAPIError as why:
        raise _away(why.orig, where) from why
    except sa.exc.TimeoutError as why:
        raise StoreAway("every connection to the store is busy", where, "wait; when it lasts, restart the service") from why
    except (sqlite3.Error, OSError) as why:
        raise _away(why, where) from why


def _away(why: BaseException | None, where: str) -> StoreAway:
    if isinstance(why, sqlite3.Error):
        name = getattr(why, "sqlite_errorname", "") or ""
        for start, (what, cure) in _SQLITE.items():
            if name.startswith(start):
                return StoreAway(what, where, cure)
        return StoreAway(f"the store refuses ({why})", where, "see the log of the service")
    if isinstance(why, OSError):
        return StoreAway(f"the store cannot be used ({why.strerror})", where, "check the folder, its owner and the free space")
    words = " ".join(str(why).split())
    return StoreAway(f"the database does not serve ({words})", where, "check that the database runs and can be reached from here")
