"""Memory that one step gives back is kept for the next: arrays of some MB are made and freed thousands of times in an audit."""

import ctypes
from typing import Final

M_TRIM_THRESHOLD: Final = -1  # mallopt(3)
M_MMAP_THRESHOLD: Final = -3
KEPT_BYTES: Final = 128 << 20
LARGE_BYTES: Final = 32 << 20  # from here on memory goes back to the system at once


def steady() -> None:
    """Let the C library keep freed memory, which otherwise is returned and faulted in anew, a tenth of all time; nothing where it can't."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
