"""One JSON line an event, appended to a file and on disk before it counts as delivered.

The line is `FeedEvent` (see `feed.py`). The file is opened for every event, so it may be moved away at any time (logrotate without
copytruncate) and a new one begins. A line that a crash tore is left as it is and the next event begins a new line, so every whole line is
JSON; the torn event is written again after it, because it was never counted as delivered.
"""

import asyncio
import fcntl
import os
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from reports.feeds.feed import FeedEvent, Later, encode
from reports.feeds.options import Clock, FeedOptions, Render


class Options(FeedOptions, frozen=True, kw_only=True):
    """Where the lines go."""

    path: Annotated[str, Meta(description="file to append to; made with mode 0600 when it is not there", min_length=1)]


class Lines:
    """Appends to one file."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path

    async def deliver(self, event: FeedEvent) -> None:
        """Append the event and wait until it is on disk; Later when that is not possible now."""
        try:
            await asyncio.to_thread(append, self._path, one_line(encode(event)))
        except OSError as why:
            raise Later(f"{self._path}: {why.strerror}") from why


def one_line(json: bytes) -> bytes:
    """Return JSON in which no program sees a second line: Unicode has more line ends than JSON escapes (U+0085, U+2028, U+2029)."""
    for end in ("\u0085", "\u2028", "\u2029"):
        json = json.replace(end.encode(), f"\\u{ord(end):04x}".encode())
    return json


def append(path: Path, line: bytes) -> None:
    """Append one line and fsync it; on OSError the file is as long as it was."""
    fresh = not path.exists()
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        size = os.fstat(handle).st_size
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        whole = (b"\n" if torn else b"") + line + b"\n"
        try:
            left = memoryview(whole)
            while left:  # a disk or a quota that is nearly full takes a part first and says why it takes no more then
                left = left[os.write(handle, left) :]
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)
    if fresh:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open(name: str, options: Options, *, now: Clock, render: Render) -> Lines:  # noqa: ARG001
    """Return a feed that appends to the file of `options`."""
    return Lines(name, Path(options.path))
