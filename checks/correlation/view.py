"""What another agent sees of the nodes: a second place to look from."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

STALE = timedelta(seconds=30)  # an agent that has given no sign of itself for longer may be gone: what it saw says nothing any more


class View(msgspec.Struct, frozen=True, omit_defaults=True):
    """Another agent, the node where it stands, and by node the last sign of life that it had and since when it has none.

    Its own node is `alive` when it last told anything. Times are of our clock, and no later than they were.
    """

    agent: str
    here: str
    alive: Mapping[str, datetime] = {}
    dark: Mapping[str, datetime] = {}

    def knows(self, node: str) -> bool:
        """Tell whether the agent measures a node."""
        return node in self.alive or node in self.dark

    def sees(self, node: str, since: datetime) -> bool:
        """Tell whether a node has answered the agent since then, and still does."""
        at = self.alive.get(node)
        return at is not None and at >= since and node not in self.dark

    @property
    def blind(self) -> bool:
        """Whether nothing answers the agent but its own node, although it asks others."""
        return bool(self.dark) and all(node == self.here or node in self.dark for node in self.alive)


def fresh(views: Iterable[View], now: datetime) -> tuple[View, ...]:
    """Return the views of agents that have told something in the last 30 s, by the agents' names."""
    return tuple(sorted((one for one in views if one.sees(one.here, now - STALE)), key=lambda one: one.agent))
