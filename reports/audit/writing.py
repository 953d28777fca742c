"""Lays finished files down: readable by their owner alone, whole or not at all, never over another."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


class AlreadyThere(Exception):
    """A file of this name exists; nothing was written. `path` is its name."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path


@contextmanager
def laid_down(path: Path, replace: bool = False) -> Iterator[BinaryIO]:
    """Give a binary file that gets the name `path`, mode 0600, once the block has ended well; after an error nothing is left.

    AlreadyThere unless `replace`; OSError where the folder can't be written.
    """
    if not replace and os.path.lexists(path):
        raise AlreadyThere(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "w+b") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if replace:
            os.replace(part, path)
        else:
            try:
                os.link(part, path)  # unlike rename it does not take another's place who was quicker
            except FileExistsError as why:
                raise AlreadyThere(path) from why
    finally:
        part.unlink(missing_ok=True)


def lay_down(path: Path, text: str, replace: bool = False) -> None:
    """Write a text as UTF-8, as `laid_down` does."""
    with laid_down(path, replace) as stream:
        stream.write(text.encode("utf-8", "backslashreplace"))
