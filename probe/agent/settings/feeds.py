"""Where case events go: [[feed]], each kind with its own options."""

from typing import Any

import msgspec

from probe.agent.settings.document import Document


class Feed(msgspec.Struct, frozen=True):
    """A feed: its name, the kind of system, and that kind's own Options."""

    name: str
    kind: str
    options: Any


def read_feeds(main: Document) -> tuple[Feed, ...]:
    """Return the feeds of the main file."""
    return ()
