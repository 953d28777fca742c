"""What one TLS handshake saw."""

from datetime import datetime

import msgspec


class CertificateSample(msgspec.Struct, frozen=True):
    """One certificate of the chain that the server sent (RFC 5280)."""

    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...] = ()


class TlsSample(msgspec.Struct, frozen=True, tag="tls"):
    """A TLS handshake (RFC 8446): protocol, chain as sent, and whether the system's trust store accepts it.

    `verified` is None when it was not asked for; `problem` is the verifier's own word when it is False.
    `name_matches` tells whether the leaf is valid for `server_name` (RFC 9525); None without a name.
    `early_expiry` is the earliest `not_after` of the chain, aware UTC.
    """

    address: str
    port: int
    server_name: str | None
    protocol: str
    cipher: str
    connect_ms: float
    handshake_ms: float
    chain: tuple[CertificateSample, ...]
    early_expiry: datetime | None
    verified: bool | None
    name_matches: bool | None
    problem: str = ""
