"""Reads a whole regular file, bounded; a folder, a pipe or a device given by mistake neither hangs nor raises anything new."""

import os
import stat
from typing import NamedTuple


class UnreadableError(Exception):
    """The file can't be read; the text says why, without its name."""


class Read(NamedTuple):
    """What was in a file, and its mode."""

    content: bytes
    mode: int


def read_regular(file: str, most_bytes: int) -> Read:
    """Return the content of a regular file; UnreadableError when it is missing, no file, unreadable or longer than `most_bytes`."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise UnreadableError("there is no such file") from None
    except (OSError, ValueError) as why:
        raise UnreadableError(_words(why)) from None
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            raise UnreadableError("is a folder, not a file" if stat.S_ISDIR(mode) else "is not a regular file")
        with os.fdopen(os.dup(handle), "rb") as opened:
            content = opened.read(most_bytes + 1)
    except OSError as why:
        raise UnreadableError(_words(why)) from None
    finally:
        os.close(handle)
    if len(content) > most_bytes:
        raise UnreadableError(f"is larger than {most_bytes:,} bytes")
    return Read(content, stat.S_IMODE(mode))


def _words(why: OSError | ValueError) -> str:
    words = why.strerror if isinstance(why, OSError) and why.strerror else str(why)
    return f"can't be read: {words.lower()}"
