"""Files of /proc and /sys that are read again and again: kept open, read from the start each time."""

import os

CHUNK = 65536


class Procfs:
    """Kept-open files below one root; one read costs two system calls."""

    def __init__(self, root: str = "/") -> None:
        self._root = root
        self._files: dict[str, int] = {}

    def read(self, path: str) -> bytes:
        """Return the whole file `path` (relative to the root); OSError when it can't be opened or read."""
        file = self._files.get(path)
        if file is None:
            file = self._files[path] = os.open(self._root + path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.pread(file, CHUNK, 0)
            if data:  # a sequence file gives a page at a time
                while more := os.pread(file, CHUNK, len(data)):
                    data += more
        except OSError:
            os.close(self._files.pop(path))
            raise
        return data

    def offered(self, path: str) -> bytes | None:
        """Return the whole file, or None when this kernel does not offer it; other errors rise."""
        try:
            return self.read(path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def close(self) -> None:
        """Close all."""
        for file in self._files.values():
            os.close(file)
        self._files.clear()
