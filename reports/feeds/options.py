"""What is common to the options of all feeds, and how a secret is read from its file."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec

from reports.feeds.feed import FeedEvent, Later

Clock = Callable[[], datetime]
Render = Callable[[FeedEvent, str], tuple[str, str]]


class FeedOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every feed's options."""


def secret(path: str) -> str:
    """Return the secret in a file, without white space around it; read at every use so that it can be changed. Later when it can't be."""
    try:
        found = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as why:
        words = why.strerror if isinstance(why, OSError) else "not UTF-8"
        raise Later(f"the secret file {path} cannot be read ({words})") from why
    if not found:
        raise Later(f"the secret file {path} is empty")
    return found
