"""The measurement that would decide: what correlation wants to know before it says more."""

from collections.abc import Iterable

import msgspec

from checks.finding import Message


class Ask(msgspec.Struct, frozen=True):
    """Measure `node` with `prober` now (the check with this `item`, where there are several). `why` is what it would decide.

    The agent does it by itself where it can: a configured check is made at once, another is measured for this once.
    """

    node: str
    prober: str
    item: str = ""
    why: Message = Message("ask.parent", {"element": "?"})

    @property
    def job(self) -> tuple[str, str, str]:
        """The key of the check."""
        return (self.node, self.prober, self.item)


def each_once(asks: Iterable[Ask]) -> tuple[Ask, ...]:
    """Return the asks, one for each check, in order of it; the first that asked says why."""
    first: dict[tuple[str, str, str], Ask] = {}
    for one in asks:
        first.setdefault(one.job, one)
    return tuple(first[job] for job in sorted(first))
