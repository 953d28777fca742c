"""What the person who runs an audit may say about how a bill is to be read."""

from datetime import date

import msgspec


class ReadOptions(msgspec.Struct, frozen=True):
    """How to read.

    `columns`: field → header (or number from 1) instead of what was detected; `account`: the only one to read;
    `zone`: IANA name or "+08:00" of times without a zone; `currency`: the one to read where a file holds several;
    `period`: first day, and day after the last, of the bill: of two ways to read dates the one that lies in it holds.
    """

    columns: dict[str, str] = {}
    account: str | None = None
    zone: str = "UTC"
    currency: str | None = None
    period: tuple[date, date] | None = None
