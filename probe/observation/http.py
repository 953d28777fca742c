"""What one HTTP request saw."""

import msgspec


class HttpSample(msgspec.Struct, frozen=True, tag="http", gc=False):
    """One HTTP exchange (RFC 9110): status, size, and the milliseconds of each phase.

    `resolve_ms` is None for an address, `tls_ms` None for plain HTTP. `first_byte_ms` runs from the request's last byte to
    the answer's first, `transfer_ms` from there to the end. `body_matches` is None when no pattern was asked for.
    `truncated` says that the body was longer than what is read. `status_expected` tells whether the status is among those asked
    for, which `expected` names ("200-399"); None when nobody asked.
    """

    url: str
    address: str
    status: int
    reason: str
    version: str
    body_bytes: int
    resolve_ms: float | None
    connect_ms: float
    tls_ms: float | None
    first_byte_ms: float
    transfer_ms: float
    total_ms: float
    body_matches: bool | None = None
    redirects: int = 0
    truncated: bool = False
    status_expected: bool | None = None
    expected: str = ""
