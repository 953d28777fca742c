"""What one session of test packets to a STAMP reflector saw, each way."""

import msgspec


class Lost(msgspec.Struct, frozen=True):
    """What several sessions lost together: `lost` of `sent` packets.

    `error` is the standard error of that ratio by the scatter between the sessions; `clean` are the packets of the sessions since the last
    that lost any.
    """

    sent: int
    lost: int
    error: float
    clean: int


class StampSample(msgspec.Struct, frozen=True, tag="stamp"):
    """One session with `address`:`port` (RFC 8762, unauthenticated mode). Times are milliseconds, None where they can't be told.

    sent: our test packets; answered: reflected ones that came back. lost_out and lost_back: lost before and after the reflector, known by
    its own count; None when it keeps none (stateless). `lost_unknown` are those behind the last that came back: nobody knows which way.
    Delays and `rtt_ms` (without the reflector's own time) are means; those of one way are None unless both clocks say that they are
    synchronised. `clock_error_ms` is what both say of their error together. Jitter is that of RFC 3550 6.4.1 and needs no common clock.

    `lately_…` is what the `lately_sessions` sessions of the last minutes, this one among them, lost together: both ways, and each where all
    of them know it; `lately_s` is how long ago the first of them was. None while there are too few.
    """

    address: str
    port: int
    sent: int
    answered: int
    stateful: bool | None = None
    lost_out: int | None = None
    lost_back: int | None = None
    lost_unknown: int = 0
    min_rtt_ms: float | None = None
    rtt_ms: float | None = None
    out_ms: float | None = None
    back_ms: float | None = None
    clock_error_ms: float | None = None
    jitter_out_ms: float | None = None
    jitter_back_ms: float | None = None
    lately_s: float | None = None
    lately_sessions: int | None = None
    lately_both: Lost | None = None
    lately_out: Lost | None = None
    lately_back: Lost | None = None

    @property
    def loss_ratio(self) -> float | None:
        """Packets that did not come back per packet sent; None when none was sent."""
        return (self.sent - self.answered) / self.sent if self.sent else None

    @property
    def lately_sent(self) -> int | None:
        """Packets of the last minutes' sessions together; None while there are too few."""
        return self.lately_both.sent if self.lately_both is not None else None

    @property
    def lately_answered(self) -> int | None:
        """How many of them came back."""
        return self.lately_both.sent - self.lately_both.lost if self.lately_both is not None else None
