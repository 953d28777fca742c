"""One service a store: an advisory lock on a file that says who holds it."""

import contextlib
import fcntl
import os
from pathlib import Path

from reports.store.errors import StoreInUse

FILE = "firstline.lock"


class Lock:
    """Held from `take` to `release`, or to the end of the process, however that ends."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def release(self) -> None:
        """Let another service have the store. The file stays: removing it would let two services lock two files."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def take(folder: Path) -> Lock:
    """Return the held lock of `folder`; StoreInUse, naming the process, when another service holds it; OSError when it can't be made."""
    path = folder / FILE
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(handle)
        cure = "stop that one first, or give this one its own state_dir"
        raise StoreInUse(f"another service (process {holder}) uses this store", str(path), cure) from None
    except OSError:
        os.close(handle)
        raise
    with contextlib.suppress(OSError):  # on a full disk the lock holds all the same, only without its pid
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
    return Lock(handle)
