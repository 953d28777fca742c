"""What the person who runs an audit may say about how a bill is to be read."""

import msgspec


class ReadOptions(msgspec.Struct, frozen=True):
    """How to read.

    `columns`: field → header (or number from 1) instead of what was detected; `account`: the only one to read;
    `zone`: IANA name or "+08:00" of times without a zone; `currency`: the one to read where a file holds several.
    """

    columns: dict[str, str] = {}
    account: str | None = None
    zone: str = "UTC"
    currency: str | None = None
