"""What a conversation over a path would be worth (E-model, ITU-T G.107), by what was measured of the path."""

import msgspec

from checks.emodel import BY_NAME, rating, terminal_delay_ms
from checks.finding import Finding, Levels, Message
from probe.observation.observation import Observation

QUALITY = Levels(
    3.6,
    3.1,
    "MOS",
    "ITU-T G.109: below R 70 (MOS 3.6) many users are dissatisfied, below R 60 (3.1) nearly all",
    low=True,
)
CODEC = "PCMA"  # G.711 with loss concealment: what a call has that nobody has set up otherwise


class Voice(msgspec.Struct, frozen=True):
    """One way of a path, or both taken together: delay of one way, share of packets lost, jitter of RFC 3550 6.4.1 (0 where not told)."""

    delay_ms: float
    loss_ratio: float
    jitter_ms: float = 0.0


def judge_voice(check: str, seen: Observation, ways: tuple[Voice, ...], levels: Levels) -> Finding:
    """Return what a call is worth at the worse of its ends; both terminals' own delay (G.114) is in it."""
    codec = BY_NAME[CODEC]
    terminal = terminal_delay_ms(codec)
    rated = [rating(way.delay_ms, way.loss_ratio, codec, jitter_ms=way.jitter_ms, terminal_ms=terminal) for way in ways]
    worst = min(rated, key=lambda one: one.r)
    text = Message("voice.quality", {"mos": worst.mos, "r": worst.r, "codec": "G.711"})
    return Finding(check, seen, levels.judge(worst.mos), text, levels, value=worst.mos, seasonal=True)
