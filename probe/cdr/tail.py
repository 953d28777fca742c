"""Lines of a file as they are written: where it was left off is known by inode and offset, and held against rotation and truncation."""

import os
from collections.abc import Callable

MOST_AT_ONCE = 64 << 20  # octets of one look
CHUNK = 1 << 20
MARK = 64  # octets before the place that must still be there
LONGEST_PARTIAL = 1 << 16

Probe = Callable[[str], float | None]


class Tail:
    """One file by its name. `more()` gives the whole lines that came since; a line without its end waits for it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.rotations = self.truncations = 0
        self.behind = 0
        self._file = -1
        self._place = 0
        self._partial = b""
        self._mark = b""
        self._skip = False  # the line at the place was begun before it

    def open(self, since: float, when: Probe) -> None:
        """Open it at the first line that may not be before `since` by `when` (the time of a line, None where it has none); OSError."""
        self._file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        self._place = self._first(since, when)
        self._skip = self._place > 0

    @property
    def opened(self) -> bool:
        """True between `open` and `close`."""
        return self._file >= 0

    def header(self) -> str:
        """Return the file's first line; OSError."""
        return os.pread(self._file, LONGEST_PARTIAL, 0).partition(b"\n")[0].decode("utf-8-sig", "replace").rstrip("\r")

    def close(self) -> None:
        """Close it."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def more(self, most: int = MOST_AT_ONCE) -> list[bytes]:
        """Return the lines that are whole now, without their ends; first those of a file that was rotated away. OSError."""
        if self._truncated():
            self.truncations += 1
            self._restart()
        lines = self._lines(most)
        new = self._replaced()
        if new is not None and self.behind == 0:
            if self._partial:  # the old file ends without an end of line
                lines.append(self._partial)
            os.close(self._file)
            self._file = new
            self.rotations += 1
            self._restart()
            lines += self._lines(most)
        elif new is not None:
            os.close(new)
        return lines

    def _restart(self) -> None:
        self._place, self._partial, self._mark, self._skip = 0, b"", b"", False

    def _lines(self, most: int) -> list[bytes]:
        lines: list[bytes] = []
        left = most
        while left > 0:
            data = os.pread(self._file, min(CHUNK, left), self._place)
            if not data:
                break
            self._place += len(data)
            left -= len(data)
            self._mark = (self._mark + data)[-MARK:]
            *whole, self._partial = (self._partial + data).split(b"\n")
            if self._skip and whole:
                whole, self._skip = whole[1:], False
            lines += whole
            if len(self._partial) > LONGEST_PARTIAL:  # no end of line comes: the beginning of it is refused as one
                lines.append(self._partial)
                self._partial, self._skip = b"", True
        self.behind = max(0, os.fstat(self._file).st_size - self._place)
        return lines

    def _truncated(self) -> bool:
        """Tell whether the file is shorter than it was, or other octets stand before the place (copytruncate, and written anew since)."""
        if os.fstat(self._file).st_size < self._place:
            return True
        return bool(self._mark) and os.pread(self._file, len(self._mark), self._place - len(self._mark)) != self._mark

    def _replaced(self) -> int | None:
        """Return the open file that has the name now, when it is another one; None when it is the same, or there is none."""
        try:
            now = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:  # between a rename and the next call
            return None
        old, new = os.fstat(self._file), os.fstat(now)
        if (old.st_dev, old.st_ino) != (new.st_dev, new.st_ino):
            return now
        os.close(now)
        return None

    def _first(self, since: float, when: Probe) -> int:
        """Return a place before which all lines are older than `since`, by halving: records are written in order of their end."""
        low, high = 0, os.fstat(self._file).st_size
        while high - low > CHUNK:
            middle = (low + high) // 2
            _, _, rest = os.pread(self._file, LONGEST_PARTIAL, middle).partition(b"\n")
            at = None
            for line in rest.split(b"\n")[:20]:
                at = when(line.decode("utf-8", "replace"))
                if at is not None:
                    break
            if at is None or at >= since:
                high = middle
            else:
                low = middle
        return low
