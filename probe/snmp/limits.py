"""What limits a device gives for a reading of its own, and when they are none."""

from collections.abc import Sequence


def sane(limits: Sequence[float | None]) -> Sequence[float | None]:
    """Return low critical, low warning, high warning and high critical limit, or none of them if they contradict each other.

    Agents fill limits that they do not have with noughts, or with one and the same number.
    """
    told = [limit for limit in limits if limit is not None]
    low = [limit for limit in limits[:2] if limit is not None]
    high = [limit for limit in limits[2:] if limit is not None]
    if told != sorted(told) or (low and high and low[0] == high[-1]) or (len(told) > 1 and len(set(told)) == 1):
        return (None,) * 4
    return limits
