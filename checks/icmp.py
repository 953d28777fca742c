"""Does it answer echoes, how many of them, how fast, how evenly?"""

from collections.abc import Iterator
from functools import cache

import msgspec

from checks.failure import judge_failure
from checks.finding import Check, Finding, Levels, Message, State
from probe.observation.failure import Failure
from probe.observation.icmp import EchoSample
from probe.observation.observation import Observation

LOSS = Levels(
    0.2,
    0.4,
    "ratio",
    "our choice: of the usual 5 echoes one may be lost by chance or to a router's ICMP rate limit, so it warns;"
    " two of 5 come about by chance in 1 burst of 44 at 5 % loss, and then voice is already impaired",
)
LATENCY = Levels(300.0, 800.0, "ms", "ITU-T G.114: 150 ms and 400 ms one way, twice that for the round trip")
JITTER = Levels(
    20.0,
    50.0,
    "ms",
    "our choice: one voice packet of 20 ms (RFC 3551, default packetization) arrives too late without a jitter buffer, then 2.5",
)


class Limits(msgspec.Struct, frozen=True):
    """What can be set for an `icmp` check."""

    loss: Levels = LOSS
    latency: Levels = LATENCY
    jitter: Levels = JITTER


CHECKS = (Check("icmp/loss", LOSS), Check("icmp/latency", LATENCY), Check("icmp/jitter", JITTER))


def judge(seen: Observation, before: Observation | None, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001
    """Judge one burst: `icmp/loss` always, `icmp/latency` and `icmp/jitter` when something could be sent, the latter from 2 echoes on."""
    outcome = seen.outcome
    if isinstance(outcome, Failure):
        yield judge_failure("icmp/loss", seen, outcome)
    elif isinstance(outcome, EchoSample):
        yield _loss(seen, outcome, limits.loss)
        mean = outcome.mean_rtt_ms
        if mean is None:
            yield Finding("icmp/latency", seen, State.UNKNOWN, Message("icmp.no-rtt"), limits.latency, seasonal=True)
        else:
            state = limits.latency.judge(mean)
            yield Finding("icmp/latency", seen, state, Message("icmp.latency", {"ms": mean}), limits.latency, value=mean, seasonal=True)
        if outcome.sent > 1:
            yield _jitter(seen, outcome, limits.jitter)


def _loss(seen: Observation, echo: EchoSample, levels: Levels) -> Finding:
    """Say how many echoes were lost; without any answer it is critical whatever the levels, and says why when a hop said so."""
    sent, received = echo.sent, echo.received
    loss = echo.loss_ratio
    if loss is None:
        return Finding("icmp/loss", seen, State.UNKNOWN, Message("icmp.nothing-sent"), levels)
    if not received:
        said = Message("icmp.error", {"error": echo.error}) if echo.error else _counted("icmp.no-reply", sent)
        return Finding("icmp/loss", seen, State.CRITICAL, said, levels, value=loss)
    if received == sent:
        return Finding("icmp/loss", seen, levels.judge(loss), _counted("icmp.answered", sent), levels, value=loss)
    said = Message("icmp.loss", {"lost": sent - received, "sent": sent})
    return Finding("icmp/loss", seen, levels.judge(loss), said, levels, value=loss)


@cache
def _counted(id: str, sent: int) -> Message:
    """Return one and the same message for all: what every good target says, and every dead one keeps as evidence."""
    return Message(id, {"sent": sent})


def _jitter(seen: Observation, echo: EchoSample, levels: Levels) -> Finding:
    """Judge the jitter that the burst tells of.

    The sum of RFC 3550 6.4.1 starts at 0 and moves by a sixteenth a packet: after n answers it stands at 1 - (15/16)^(n-1) of the mean
    difference of neighbours that it settles at (5 answers: 23 %). Divided by that share, bursts of any length meet the same levels.
    """
    if echo.jitter_ms is None or echo.received < 2:
        return Finding("icmp/jitter", seen, State.UNKNOWN, Message("icmp.no-rtt" if not echo.received else "icmp.no-jitter"), levels)
    settled = echo.jitter_ms / (1 - 0.9375 ** (echo.received - 1))
    return Finding("icmp/jitter", seen, levels.judge(settled), Message("icmp.jitter", {"ms": settled}), levels, value=settled)
