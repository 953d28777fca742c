"""How a telephone call sounds, by delay, loss and codec: the E-model of ITU-T G.107 (06/2015), complete, with its defaults.

R = Ro - Is - Id - Ie,eff + A (equation 7-1). R is 93.2 for the default connection; below 50 nearly everybody is dissatisfied (G.109).
A packet path only changes delay and loss, so `rating` is all that a judgement needs; `transmission_rating` is the model itself.
Codecs: Ie and Bpl by ITU-T G.113 (11/2007), Appendix I. None is published there for iLBC and (narrow-band) Opus, so neither is rated.
"""

from math import exp, log10, pow, sqrt

import msgspec


class Codec(msgspec.Struct, frozen=True, gc=False):
    """A codec: `ie` is its impairment without loss, `bpl` its robustness against it (G.113), `frame_ms` and `look_ahead_ms` as in G.114."""

    name: str
    ie: float
    bpl: float
    frame_ms: float
    look_ahead_ms: float = 0.0


G711 = Codec("G.711", 0.0, 4.3, 0.125)
G711_PLC = Codec("G.711 with loss concealment", 0.0, 25.1, 0.125)  # G.711 Appendix I, or what a decoder does like it
G729A = Codec("G.729A", 11.0, 19.0, 10.0, 5.0)  # with VAD, as G.113 rates it
G723_63 = Codec("G.723.1 6.3 kbit/s", 15.0, 16.1, 30.0, 7.5)
G723_53 = Codec("G.723.1 5.3 kbit/s", 19.0, 16.1, 30.0, 7.5)  # Bpl: published for 6.3 kbit/s; frames and concealment are the same
GSM_EFR = Codec("GSM EFR", 5.0, 10.0, 20.0)
AMR_122 = Codec("AMR 12.2 kbit/s", 5.0, 10.0, 20.0, 5.0)  # the same algorithm as GSM EFR: 3GPP TS 26.071

# The encoding names of SDP (RFC 3551, RFC 4867), upper case. A terminal's decoder of today conceals losses (G.711 Appendix I, 1999).
BY_NAME = {"PCMU": G711_PLC, "PCMA": G711_PLC, "G729": G729A, "G723": G723_63, "GSM-EFR": GSM_EFR, "AMR": AMR_122}

# The buffer of a terminal against jitter, as modelled here: delays spread about their mean by Laplace's law, of which RFC 3550's jitter J
# (the mean difference of two packets' delays) is 1.5 scales. An adaptive buffer holds 6 J, at most 200 ms; later packets are lost.
BUFFER_JITTERS = 6.0
BUFFER_MOST_MS = 200.0
_SCALES = 1.5


class Quality(msgspec.Struct, frozen=True, gc=False):
    """What a call is worth: `r` 0 … 100 (G.107), `mos` 1 … 4.5 (MOS-CQE, G.107 Annex B)."""

    r: float
    mos: float


class Transmission(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The parameters of G.107 by the names of its Table 1, in its units, with its defaults. T is None: Ta, as in a path without hybrids.

    Tr likewise is 2 T. `ppl` is in percent; `burst` is BurstR, 1 for random loss, more when losses come together.
    """

    slr: float = 8.0
    rlr: float = 2.0
    stmr: float = 15.0
    ds: float = 3.0
    dr: float = 3.0
    telr: float = 65.0
    wepl: float = 110.0
    ta: float = 0.0
    t: float | None = None
    tr: float | None = None
    qdu: float = 1.0
    ie: float = 0.0
    bpl: float = 4.3
    ppl: float = 0.0
    burst: float = 1.0
    nc: float = -70.0
    nfor: float = -64.0
    ps: float = 35.0
    pr: float = 35.0
    a: float = 0.0
    st: float = 1.0  # delay sensitivity (default class)
    mt: float = 100.0  # the delay that nobody notices, ms


def rating(
    delay_ms: float,
    loss_ratio: float,
    codec: Codec = G711_PLC,
    *,
    jitter_ms: float = 0.0,
    burst_ratio: float = 1.0,
    terminal_ms: float = 0.0,
) -> Quality:
    """Return R and MOS of a call over a path with `delay_ms` one way and `loss_ratio` (0 … 1).

    `jitter_ms` is RFC 3550's, 6.4.1; it becomes delay, and loss beyond what the buffer holds (above). `terminal_ms` is what both terminals
    add to the path: `terminal_delay_ms(codec)`; left out, the path alone is rated.
    """
    buffer_ms, late = buffered(jitter_ms)
    lost = 1.0 - (1.0 - _share(loss_ratio)) * (1.0 - late)
    ta = max(delay_ms, 0.0) + buffer_ms + terminal_ms
    r = transmission_rating(Transmission(ta=ta, ie=codec.ie, bpl=codec.bpl, ppl=lost * 100.0, burst=max(burst_ratio, 1.0)))
    return Quality(r, mos(r))


def buffered(jitter_ms: float) -> tuple[float, float]:
    """Return the delay in ms that a buffer adds for this jitter, and the share of packets that come too late for it."""
    if not jitter_ms > 0.0:
        return 0.0, 0.0
    depth = min(BUFFER_JITTERS * jitter_ms, BUFFER_MOST_MS)
    return depth, 0.5 * exp(-depth / (jitter_ms / _SCALES))


def terminal_delay_ms(codec: Codec, packet_ms: float = 20.0) -> float:
    """Return what coding, packing and decoding add: G.114 A.2, (N + 1) frames and the look-ahead, one packet a datagram."""
    return max(packet_ms, codec.frame_ms) + codec.frame_ms + codec.look_ahead_ms


def burst_ratio(mean_burst: float, loss_ratio: float) -> float:
    """Return BurstR (G.107 3.5): the mean length of the runs of lost packets, over that which random loss would have."""
    return max(mean_burst * (1.0 - _share(loss_ratio)), 1.0)


def mos(r: float) -> float:
    """Return the mean opinion score for R (G.107 equation B-4), never below 1."""
    if r <= 0.0:
        return 1.0
    if r >= 100.0:
        return 4.5
    return max(1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6, 1.0)


def transmission_rating(p: Transmission) -> float:
    """Return R, 0 … 100 (G.107 equation 7-1)."""
    no = _noise(p)
    ro = 15.0 - 1.5 * (p.slr + no)
    ist = _sidetone(p)
    r = ro - _simultaneous(p, ro, no, ist) - _delayed(p, ro, no, ist) - effective_equipment(p) + p.a
    return min(max(r, 0.0), 100.0)


def effective_equipment(p: Transmission) -> float:
    """Return Ie,eff: the codec's impairment with packet loss (equation 7-29)."""
    if p.ppl <= 0.0:
        return p.ie
    return p.ie + (95.0 - p.ie) * p.ppl / (p.ppl / p.burst + p.bpl)


def pure_delay(p: Transmission) -> float:
    """Return Idd: what too long a delay costs even with perfect echo cancelling (equations 7-27, 7-28)."""
    if p.ta <= p.mt:
        return 0.0
    x = log10(p.ta / p.mt) / log10(2.0)
    power = 6.0 * p.st
    return 25.0 * (_soft(x, power) - 3.0 * _soft(x / 3.0, power) + 2.0)


def _noise(p: Transmission) -> float:
    """No: the power sum of circuit noise and room noise on both sides (equations 7-3 to 7-7)."""
    olr = p.slr + p.rlr
    nos = p.ps - p.slr - p.ds - 100.0 + 0.004 * (p.ps - olr - p.ds - 14.0) ** 2
    pre = p.pr + 10.0 * log10(1.0 + _power(10.0 - (p.stmr + p.dr)))
    nor = p.rlr - 121.0 + pre + 0.008 * (pre - 35.0) ** 2
    return 10.0 * log10(sum(_power(level) for level in (p.nc, nos, nor, p.nfor + p.rlr)))


def _sidetone(p: Transmission) -> float:
    """Ist: sidetone that is not what it should be (equations 7-11, 7-12)."""
    stmro = -10.0 * log10(_power(-p.stmr) + exp(-_echo_ms(p) / 4.0) * _power(-p.telr))
    return 12.0 * _soft((stmro - 13.0) / 6.0, 8) - 28.0 * _soft((stmro + 1.0) / 19.4, 35) - 13.0 * _soft((stmro - 3.0) / 33.0, 13) + 29.0


def _simultaneous(p: Transmission, ro: float, no: float, ist: float) -> float:
    """Is: what comes along with the voice, loudness, sidetone and quantizing (equations 7-8 to 7-17)."""
    x = p.slr + p.rlr + 0.2 * (64.0 + no - p.rlr)
    loudness = 20.0 * (_soft(x / 8.0, 8) - x / 8.0)
    q = 37.0 - 15.0 * log10(p.qdu)
    g = 1.07 + 0.258 * q + 0.0602 * q**2
    quantizing = 15.0 * log10(1.0 + pow(10.0, (ro - 100.0) / 15.0 + 46.0 / 8.4 - g / 9.0) + pow(10.0, 46.0 / 30.0 - g / 40.0))
    return loudness + ist + quantizing


def _delayed(p: Transmission, ro: float, no: float, ist: float) -> float:
    """Id: the talker's echo, the listener's echo, and delay itself (equations 7-18 to 7-28)."""
    t = _echo_ms(p)
    terv = p.telr - 40.0 * log10((1.0 + t / 10.0) / (1.0 + t / 150.0)) + 6.0 * exp(-0.3 * t**2)
    if p.stmr < 9.0:
        terv += ist / 2.0
    half = (-1.5 * (no - p.rlr) - (80.0 + 2.5 * (terv - 14.0))) / 2.0
    talker = (half + sqrt(half**2 + 100.0) - 1.0) * (1.0 - exp(-t))
    if p.stmr > 20.0:
        talker = sqrt(talker**2 + ist**2)
    round_trip = 2.0 * t if p.tr is None else p.tr
    half = (ro - 10.5 * (p.wepl + 7.0) * pow(round_trip + 1.0, -0.25)) / 2.0
    listener = half + sqrt(half**2 + 169.0)
    return talker + listener + pure_delay(p)


def _soft(x: float, power: float) -> float:
    """(1 + x^n)^(1/n): 1 for small x, x for large."""
    return pow(1.0 + pow(x, power), 1.0 / power)


def _power(decibel: float) -> float:
    return pow(10.0, decibel / 10.0)


def _echo_ms(p: Transmission) -> float:
    return p.ta if p.t is None else p.t


def _share(ratio: float) -> float:
    return min(max(ratio, 0.0), 1.0)
