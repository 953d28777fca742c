"""The measurement that would decide: what correlation wants to know before it says more."""

import msgspec

from checks.finding import Message


class Ask(msgspec.Struct, frozen=True, order=True):
    """Measure `node` with `prober` now (the check with this `item`, where there are several). `why` is what it would decide.

    The agent does it by itself where it can: a configured check is made at once, another is measured for this once.
    """

    node: str
    prober: str
    item: str = ""
    why: Message = Message("ask.parent")
