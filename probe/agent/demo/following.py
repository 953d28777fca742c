"""Reads what others write meanwhile, line by line: from a pipe, and from a file that grows."""

import contextlib
import os
from pathlib import Path

PIECE = 1 << 16


class Lines:
    """The lines that come through a pipe; `over` when all who could write have ended."""

    def __init__(self, handle: int) -> None:
        os.set_blocking(handle, False)
        self._handle = handle
        self._rest = b""
        self.over = False

    def fileno(self) -> int:
        """Return the pipe, for select."""
        return self._handle

    def take(self) -> list[str]:
        """Return the whole lines that have come; at the end also one that was not ended."""
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._handle, PIECE)
            self.over = not data
            *whole, self._rest = (self._rest + data).split(b"\n")
            if self.over and self._rest:
                whole.append(self._rest)
            return [line.decode("utf-8", "replace") for line in whole]
        return []


class Follow:
    """The lines that are appended to a file, from its beginning; it may not be there yet."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._at = 0

    def take(self) -> list[bytes]:
        """Return the whole lines that have come since the last call."""
        try:
            with self._file.open("rb") as grown:
                grown.seek(self._at)
                data = grown.read(PIECE)
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        return whole.splitlines()


def last_lines(file: Path, count: int) -> str:
    """Return the last lines of a file that may not be there."""
    with contextlib.suppress(OSError):
        return "\n".join(file.read_text("utf-8", "replace").splitlines()[-count:])
    return ""
