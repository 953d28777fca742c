"""Until when the measurement under way may last: for probers that end by themselves in time to tell what they have seen until then."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic

_until: ContextVar[float | None] = ContextVar("until", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Set the deadline of what is measured inside."""
    token = _until.set(monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


def left(most_s: float) -> float:
    """Return the seconds that are left, `most_s` at most; all of them where nobody has set a deadline."""
    until = _until.get()
    return most_s if until is None else max(0.0, min(most_s, until - monotonic()))
