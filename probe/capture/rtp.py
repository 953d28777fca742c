"""RTP streams (RFC 3550): loss by sequence numbers, jitter by timestamps; one method call a packet."""

import struct

AUDIO = {  # static payload types (RFC 3551 6): name, clock
    0: ("PCMU", 8000),
    3: ("GSM", 8000),
    4: ("G723", 8000),
    5: ("DVI4", 8000),
    6: ("DVI4", 16000),
    7: ("LPC", 8000),
    8: ("PCMA", 8000),
    9: ("G722", 8000),  # the clock stays 8000 by an old error (RFC 3551 4.5.2)
    10: ("L16", 44100),
    11: ("L16", 44100),
    12: ("QCELP", 8000),
    15: ("G728", 8000),
    16: ("DVI4", 11025),
    17: ("DVI4", 22050),
    18: ("G729", 8000),
}
VIDEO = {26: ("JPEG", 90000), 31: ("H261", 90000), 32: ("MPV", 90000), 33: ("MP2T", 90000), 34: ("H263", 90000)}
STATIC = {**AUDIO, **VIDEO}
NOT_VOICE = {13, 19}  # comfort noise (RFC 3389): its packets come when they like
BESIDE_VOICE = frozenset({"TELEPHONE-EVENT", "CN", "RED", "ULPFEC", "PARITYFEC"})
DROPOUT = 3000  # RFC 3550 A.1: a larger jump is another beginning
MISORDER = 100
STALL_S = 60.0  # nothing is on its way for so long: the capture's clock was set
JUMP_S = 1.0  # our choice: no network is ahead of time by so much; the sender's timestamps began anew
MOST_HOLES = 64  # sequence numbers that may still come late
SURE_AFTER = 5  # packets in sequence until UDP that no SDP announced is taken for RTP

_HEAD = struct.Struct("!BBHII").unpack_from
_HALF = 1 << 31
_FULL = 1 << 32

Codecs = dict[int, tuple[str, int]]


class Stream:
    """One synchronisation source between two endpoints, from its first packet on."""

    __slots__ = (
        "at", "beside", "call", "clock", "codecs", "confirmed", "delay_s", "duplicates", "early", "expected_before", "far_loss",
        "first_at", "first_seq", "gap_max", "highest", "holes", "in_row", "jitter", "jitter_max", "jitter_sum", "jitters", "key",
        "longest_loss", "loss_runs", "packets", "payload", "reordered", "restarts", "seq", "ssrc", "stamp", "toward",
    )  # fmt: skip

    def __init__(self, key: bytes, at: float, data: bytes, start: int, codecs: Codecs | None) -> None:
        _, kind, seq, stamp, ssrc = _HEAD(data, start)
        self.key, self.ssrc = key, int(ssrc)
        self.codecs: Codecs = codecs or {}
        self.confirmed = codecs is not None
        self.call: int | None = None
        self.toward = ""
        self.at = self.first_at = at
        self.stamp, self.seq, self.first_seq, self.highest = int(stamp), int(seq), int(seq), int(seq)
        self.packets, self.in_row, self.expected_before = 1, 1, 0
        self.duplicates = self.reordered = self.longest_loss = self.loss_runs = self.restarts = 0
        self.holes: set[int] = set()
        self.beside: set[int] = {pt for pt, (name, _) in self.codecs.items() if name in BESIDE_VOICE} | NOT_VOICE
        self.payload = kind & 0x7F
        self.clock = self._clock(self.payload)
        self.jitter = self.jitter_sum = self.jitter_max = self.gap_max = 0.0
        self.jitters = 0
        self.far_loss: float | None = None
        self.delay_s: float | None = None

    def take(self, at: float, data: bytes, start: int) -> bool:
        """Count one packet whose RTP header starts at `start`; False when it is none of this stream."""
        first, kind, seq, stamp, ssrc = _HEAD(data, start)
        if ssrc != self.ssrc or first & 0xC0 != 0x80:
            return False
        self.packets += 1
        if seq == (self.seq + 1) & 0xFFFF:
            self.seq = seq
            self.highest += 1
        else:
            self._jump(seq)
        kind &= 0x7F
        if kind != self.payload:
            if kind in self.beside:
                return True
            self._change(kind, at, stamp)
            return True
        gap = at - self.at
        if gap > self.gap_max:  # noqa: PLR1730  max() costs a call for each of millions
            self.gap_max = gap
        clock = self.clock
        if clock:
            ticks = stamp - self.stamp
            if not -_HALF < ticks < _HALF:
                ticks += _FULL if ticks < 0 else -_FULL
            off = gap - ticks / clock
            if off < 0:
                off = -off
            if off > JUMP_S and (data[start + 1] & 0x80 or ticks < 0 or ticks > gap * clock or gap > STALL_S):
                self.at, self.stamp = at, stamp  # another source behind the same SSRC: ringing, announcement, transfer
                return True
            self.jitter = jitter = self.jitter + (off - self.jitter) * 0.0625
            self.jitter_sum += jitter
            self.jitters += 1
            if jitter > self.jitter_max:  # noqa: PLR1730
                self.jitter_max = jitter
        self.at = at
        self.stamp = stamp
        return True

    def _jump(self, seq: int) -> None:
        """Take a sequence number that is not the next one: loss, reordering, repetition or a new beginning."""
        step = (seq - self.seq) & 0xFFFF
        if 1 < step < DROPOUT:
            self.longest_loss = max(self.longest_loss, step - 1)
            self.loss_runs += 1
            if len(self.holes) + step > MOST_HOLES:
                self.holes.clear()
            self.holes.update(range(max(self.highest + 1, self.highest + step - MOST_HOLES), self.highest + step))
            self.highest += step
            self.seq = seq
        elif step == 0 or step > 0x10000 - MISORDER:
            place = self.highest - ((self.seq - seq) & 0xFFFF)
            if place in self.holes:
                self.holes.discard(place)
                self.reordered += 1
            elif place < self.first_seq:
                self.first_seq = place
                self.reordered += 1
            else:
                self.duplicates += 1
        else:
            self.restarts += 1
            self.expected_before += self.highest - self.first_seq + 1
            self.first_seq = self.highest = self.seq = seq
            self.holes.clear()

    def _change(self, payload: int, at: float, stamp: int) -> None:
        """Go on with another codec of the same source; the clock may be another one."""
        self.payload, self.clock = payload, self._clock(payload)
        self.at, self.stamp = at, stamp

    def _clock(self, payload: int) -> int | None:
        known = self.codecs.get(payload) or STATIC.get(payload)
        return known[1] if known else None

    def learn(self, codecs: Codecs) -> None:
        """Know the payload types that an SDP, seen later, gives."""
        self.codecs = {**self.codecs, **codecs}
        self.beside |= {pt for pt, (name, _) in codecs.items() if name in BESIDE_VOICE}
        self.clock = self._clock(self.payload)
        self.confirmed = True

    @property
    def codec(self) -> str:
        """The encoding's name, "PT n" where nothing tells it."""
        known = self.codecs.get(self.payload) or STATIC.get(self.payload)
        return known[0] if known else f"PT {self.payload}"

    @property
    def expected(self) -> int:
        """Packets that the sequence numbers tell of (RFC 3550 A.3)."""
        return self.expected_before + self.highest - self.first_seq + 1

    @property
    def sure(self) -> bool:
        """True for a stream that an SDP announced, or that behaves like one: most of its packets in sequence, a believable payload type."""
        if self.confirmed:
            return True
        believable = self.payload in STATIC or self.payload >= 96
        return believable and self.packets >= SURE_AFTER and self.restarts * 10 <= self.packets and self.packets * 2 >= self.expected


def is_rtp(data: bytes, start: int, end: int) -> bool:
    """Tell whether a UDP payload can be RTP: version 2, a whole header, no RTCP type (RFC 5761 4)."""
    return end - start >= 12 and data[start] & 0xC0 == 0x80 and not 192 <= data[start + 1] <= 223


def is_rtcp(data: bytes, start: int, end: int) -> bool:
    """Tell whether a UDP payload can be RTCP: version 2 and a type of RFC 3550 12.1 or RFC 4585."""
    return end - start >= 8 and data[start] & 0xC0 == 0x80 and 200 <= data[start + 1] <= 207
