"""The feed that only remembers: a dry run, and the plainest example of a feed."""

from reports.feeds.feed import FeedEvent
from reports.feeds.options import Clock, FeedOptions, Render

MAX_EVENTS = 1000


class Options(FeedOptions, frozen=True, kw_only=True):
    """Nothing to set."""


class Memory:
    """Keeps the last MAX_EVENTS events in `events`, a repeat only once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.events: list[FeedEvent] = []

    async def deliver(self, event: FeedEvent) -> None:
        """Remember the event."""
        if all(known.id != event.id for known in self.events):
            self.events = [*self.events, event][-MAX_EVENTS:]


def open(name: str, options: Options, *, now: Clock, render: Render) -> Memory:  # noqa: ARG001
    """Return a feed that remembers."""
    return Memory(name)
