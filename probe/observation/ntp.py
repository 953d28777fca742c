"""What one exchange with a time server saw."""

import msgspec


class NtpSample(msgspec.Struct, frozen=True, tag="ntp"):
    """One NTP exchange (RFC 5905): theirs minus ours in milliseconds, and what the server says of itself.

    `offset_ms` is ((t2-t1)+(t3-t4))/2 and `delay_ms` the round trip without the server's own time; `leap` 3 means unsynchronised,
    `stratum` 16 or a kiss code in `reference_id` means that the server does not serve time;
    a kiss may come without times: then both are None.
    """

    server: str
    offset_ms: float | None
    delay_ms: float | None
    stratum: int
    leap: int
    root_delay_ms: float
    root_dispersion_ms: float
    reference_id: str
