"""Counters that only grow, until they are reset or wrap."""

WORD = 1 << 32
DOUBLE = 1 << 64


def difference(now: int | None, before: int | None) -> int | None:
    """Return by how much a counter grew; None when one of the looks has none, or when it was reset in between.

    A counter that fell has wrapped only if it stood in the last quarter of 32 or 64 bits and now stands in the first (RFC 2578 7.1.6);
    everything else is a reset: a reboot, a driver loaded again.
    """
    if now is None or before is None:
        return None
    if now >= before:
        return now - before
    for size in (WORD, DOUBLE):
        if size * 3 // 4 <= before < size and now < size // 4:
            return now + size - before
    return None


def ratio(part: int | float | None, whole: int | float | None) -> float | None:
    """Return part per whole; None when one is unknown or the whole is nothing."""
    if part is None or not whole or whole < 0:
        return None
    return part / whole
