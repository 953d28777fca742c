"""What one burst of ICMP echo requests saw."""

import msgspec


class EchoSample(msgspec.Struct, frozen=True, tag="icmp", gc=False):
    """One burst of echo requests to one address (RFC 792, RFC 4443).

    Times are milliseconds between the kernel's send and receive stamps; they are None when nothing came back.
    `jitter_ms` is the smoothed interarrival jitter of RFC 3550 6.4.1 over the burst, None below two answers.
    `error` names the ICMP error that a hop sent instead of an answer ("host unreachable from 10.0.0.1").
    """

    address: str
    sent: int
    received: int
    min_rtt_ms: float | None = None
    mean_rtt_ms: float | None = None
    max_rtt_ms: float | None = None
    jitter_ms: float | None = None
    duplicates: int = 0
    error: str | None = None

    @property
    def loss_ratio(self) -> float | None:
        """Lost echoes per sent echo, 0 … 1; None when nothing was sent."""
        return (self.sent - self.received) / self.sent if self.sent else None
