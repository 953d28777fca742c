"""What one TCP connection attempt saw."""

import msgspec


class ConnectSample(msgspec.Struct, frozen=True, tag="tcp", gc=False):
    """A completed three-way handshake (RFC 9293) with `address`:`port`; `connect_ms` is SYN to established."""

    address: str
    port: int
    connect_ms: float
