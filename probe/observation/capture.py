"""What one capture file holds: calls with their ladders, and voice streams."""

from datetime import datetime

import msgspec


class LadderLine(msgspec.Struct, frozen=True, gc=False):
    """One SIP message: `text` is "INVITE" or "180 Ringing", `media` what its SDP offers; `again` counts identical repetitions."""

    at_ms: float
    source: str
    target: str
    text: str
    media: str = ""
    again: int = 0


class MediaSide(msgspec.Struct, frozen=True, gc=False):
    """One party's own media as its first SDP announced it, and what was seen flowing *towards* it.

    `signalled_from` is the address its messages came from: another one than `address` hints at NAT. `packets` and the times are those of
    all streams towards it; `wanted` tells that both descriptions ask for media in this direction.
    """

    address: str
    port: int
    signalled_from: str
    wanted: bool
    packets: int
    first_ms: float | None = None
    last_ms: float | None = None


class CallSample(msgspec.Struct, frozen=True, gc=False):
    """One SIP dialogue by its Call-ID; times are from the capture's start, durations are what was captured of them, None where not seen.

    outcome: "answered", "failed", "cancelled", "unfinished" (no final answer in the capture). code: the final answer to the INVITE.
    cause: Q.850 from a Reason header (RFC 3326). pdd_ms: INVITE to the first 18x or final answer (post-selection delay, ITU-T E.721).
    setup_ms: INVITE to 200. released_by: "caller" or "callee". silent_ms: from the last voice packet to the BYE;
    voice_after_ms: how long voice went on after it. early_ms: how long voice flowed to the caller before the answer.
    held: what the parties agreed on last was no voice, or voice one way only (hold, fax by T.38).
    """

    number: int
    call_id: str
    caller: str
    callee: str
    started_ms: float
    outcome: str
    code: int | None = None
    reason: str = ""
    cause: int | None = None
    pdd_ms: float | None = None
    setup_ms: float | None = None
    duration_ms: float | None = None
    released_by: str | None = None
    early_ms: float | None = None
    silent_ms: float | None = None
    voice_after_ms: float | None = None
    retransmissions: int = 0
    codecs: tuple[str, ...] = ()
    to_caller: MediaSide | None = None
    to_callee: MediaSide | None = None
    ladder: tuple[LadderLine, ...] = ()
    ladder_left_out: int = 0
    held: bool = False


class StreamSample(msgspec.Struct, frozen=True, gc=False):
    """One RTP stream at the point of capture (RFC 3550): `call` is the number of the call it belongs to, None when no SDP announced it.

    lost = expected − (packets − duplicates), in `loss_runs` gaps of which the longest had
    `longest_loss`. Jitter by RFC 3550 6.4.1, None where the clock of the payload is not known.
    far_loss_ratio: the worst fraction lost that the receiver itself reported by RTCP; delay_ms: half the round trip that RTCP tells of.
    """

    number: int
    source: str
    target: str
    ssrc: str
    codec: str
    payload_type: int
    clock_hz: int | None
    packets: int
    expected: int
    lost: int
    duplicates: int
    reordered: int
    longest_loss: int
    loss_runs: int
    start_ms: float
    end_ms: float
    jitter_mean_ms: float | None
    jitter_max_ms: float | None
    gap_max_ms: float | None
    call: int | None = None
    far_loss_ratio: float | None = None
    delay_ms: float | None = None
    restarts: int = 0

    @property
    def loss_ratio(self) -> float | None:
        """Lost of expected packets; None where nothing was expected."""
        return max(0, self.lost) / self.expected if self.expected else None


class Anomaly(msgspec.Struct, frozen=True, gc=False):
    """Something about the file itself: `what` is a word of a fixed list (the messages `capture.anomaly.<what>`), how often, where first."""

    what: str
    count: int
    offset: int | None = None


class CaptureSample(msgspec.Struct, frozen=True, tag="capture"):
    """One file as far as it could be read; `calls_seen` and `streams_seen` count those beyond the bound too.

    `calls` are at most the number asked for, the worst first kept, in order of time; `streams` likewise.
    `started_at` is the time of the first packet.
    """

    path: str
    form: str
    size_bytes: int
    read_bytes: int
    packets: int
    started_at: datetime | None
    span_ms: float
    calls_seen: int
    streams_seen: int
    calls: tuple[CallSample, ...]
    streams: tuple[StreamSample, ...]
    anomalies: tuple[Anomaly, ...] = ()
