"""What one handshake with a database server saw."""

import msgspec


class DatabaseSample(msgspec.Struct, frozen=True, tag="database"):
    """A completed protocol handshake of a database, as far as it was asked to go.

    `stage` is "greeting" (the server spoke its protocol), "authenticated" or "query" (it answered a trivial statement).
    `in_recovery` tells a standby (PostgreSQL), None when unknown; `connections`/`max_connections` only after a query.
    """

    engine: str
    address: str
    port: int
    stage: str
    server_version: str | None
    connect_ms: float
    ready_ms: float
    query_ms: float | None = None
    in_recovery: bool | None = None
    connections: int | None = None
    max_connections: int | None = None
