"""Does the far end's responder answer, and what does each way there and back lose, delay and scatter?"""

from collections.abc import Iterator
from math import exp, sqrt

import msgspec

from checks.failure import judge_failure
from checks.finding import Check, Finding, Levels, Message, State, Value
from checks.voice import QUALITY, Voice, judge_voice
from probe.observation.failure import Failure
from probe.observation.observation import Observation
from probe.observation.stamp import Lost, StampSample

LOSS = Levels(
    0.03, 0.1, "ratio", "ITU-T G.1010, table I.1: conversation bears less than 3 % of lost packets; 10 % is our choice: words are missing"
)
LATELY = Levels(
    0.0025,
    0.03,
    "ratio",
    "our choice: shown to lose 2.5 times the 0.1 % of one way that ITU-T Y.1541 (classes 0 to 4) allows; "
    "critical at what conversation bears (ITU-T G.1010)",
)
DELAY = Levels(150.0, 400.0, "ms", "ITU-T G.114: up to 150 ms one way most talk is not disturbed, beyond 400 ms planning is unacceptable")
JITTER = Levels(
    20.0,
    50.0,
    "ms",
    "our choice: one voice packet of 20 ms (RFC 3551, default packetization) arrives too late without a jitter buffer, then 2.5",
)
ALLOWED = 1e-3  # packet loss of one way, ITU-T Y.1541 table 1, classes 0 to 4
SURE = 3.09  # standard deviations: what is shown holds in 999 of 1,000 cases where packets are lost one by one
SCATTER = 2.0  # and in 98 of 100 by how unlike each other the sessions are: losses of one, two or three of thirty show nothing
LEAST_LOST = 10  # fewer show nothing: where few are sent, chance would make that many of 0.1 % about once a year
OVER = 1e-5  # the chance of as many packets without a loss, below which what was lost before is over
CLOCK_MS = 20.0  # both clocks' error, up to which a delay of one way is believed: a sixth of what disturbs


class Limits(msgspec.Struct, frozen=True):
    """What can be set for a `stamp` check."""

    loss: Levels = LOSS
    lately: Levels = LATELY
    delay: Levels = DELAY
    jitter: Levels = JITTER
    voice: Levels = QUALITY


CHECKS = (
    Check("stamp/answer"),
    Check("stamp/loss-out", LOSS),
    Check("stamp/loss-back", LOSS),
    Check("stamp/loss-lately", LATELY),
    Check("stamp/delay", DELAY),
    Check("stamp/jitter", JITTER),
    Check("stamp/voice", QUALITY),
)


def judge(seen: Observation, before: Observation | None, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001
    """Judge one session: `stamp/answer` always, the others when something came back."""
    match seen.outcome:
        case Failure() as why:
            yield judge_failure("stamp/answer", seen, why)
        case StampSample(answered=0) as session:
            yield Finding("stamp/answer", seen, State.CRITICAL, Message("stamp.silent", {"sent": session.sent}))
        case StampSample() as session:
            yield Finding("stamp/answer", seen, State.OK, Message("stamp.answer", {"answered": session.answered, "sent": session.sent}))
            yield from _losses(seen, session, limits.loss)
            if session.lately_both is not None and session.lately_s is not None:
                yield _lately(seen, session.lately_both, session.lately_s, session, limits.lately)
            yield _delay(seen, session, limits.delay)
            yield _jitter(seen, session, limits.jitter)
            if (ways := _ways(session)) is not None:
                yield judge_voice("stamp/voice", seen, ways, limits.voice)


def _losses(seen: Observation, session: StampSample, levels: Levels) -> Iterator[Finding]:
    """Judge each way by itself; of a reflector that keeps no count the loss of both ways together is judged once, as of the way out."""
    if session.lost_out is None or session.lost_back is None:
        both = session.sent - session.answered
        value = both / session.sent
        values: dict[str, Value] = {"lost": both, "sent": session.sent}
        yield Finding("stamp/loss-out", seen, levels.judge(value), Message("stamp.loss.both", values), levels, value=value)
        yield Finding("stamp/loss-back", seen, State.UNKNOWN, Message("stamp.loss.stateless"), levels)
        return
    reached = session.answered + session.lost_back
    ways = (("out", session.lost_out, session.lost_out + reached), ("back", session.lost_back, reached))
    for way, lost, of in ways:
        value = lost / of
        message = Message(f"stamp.loss.{way}", {"lost": lost, "sent": of})
        yield Finding(f"stamp/loss-{way}", seen, levels.judge(value), message, levels, value=value)


def _lately(seen: Observation, both: Lost, lately_s: float, session: StampSample, levels: Levels) -> Finding:
    """Judge what the last minutes' sessions lost together: the way that is shown to lose more, or both where they are not known apart."""
    out, back = session.lately_out, session.lately_back
    if out is None or back is None:
        way, lost, value = "both", both, max(0.0, least(both) - ALLOWED)  # the other way may lose what it is allowed
    else:
        way, lost = max((("out", out), ("back", back)), key=lambda one: least(one[1]))
        value = least(lost)
    values: dict[str, Value] = {"lost": lost.lost, "sent": lost.sent, "minutes": lately_s / 60, "least": value}
    if levels.judge(value) is not State.OK and is_over(lost):
        said = Message("stamp.lately.over", values | {"clean": lost.clean})
        return Finding("stamp/loss-lately", seen, State.OK, said, levels, value=value, gated=True)
    return Finding("stamp/loss-lately", seen, levels.judge(value), Message(f"stamp.lately.{way}", values), levels, value=value)


def least(lost: Lost) -> float:
    """Return the loss ratio that is shown: what it is at least.

    The smaller of two lower bounds: that of a Poisson count (Wilson and Hilferty's approximation of chi-square, PNAS 17, 1931), right where
    packets are lost one by one, and that by the scatter between sessions, right where they are lost in bursts.
    """
    if lost.lost < LEAST_LOST:
        return 0.0
    count = lost.lost * max(0.0, 1 - 1 / (9 * lost.lost) - SURE / (3 * sqrt(lost.lost))) ** 3
    return max(0.0, min(count / lost.sent, lost.lost / lost.sent - SCATTER * lost.error))


def is_over(lost: Lost) -> bool:
    """Tell whether so much came through since the last loss that the loss before it can't have gone on."""
    return 0 < lost.clean < lost.sent and exp(-lost.clean * lost.lost / (lost.sent - lost.clean)) < OVER


def _delay(seen: Observation, session: StampSample, levels: Levels) -> Finding:
    """Judge the slower way where both clocks are good enough to tell it, else half of the round trip."""
    if (ways := _delays(session)) is not None and session.clock_error_ms is not None:
        value = max(ways)
        said = Message("stamp.delay.ways", {"out": ways[0], "back": ways[1], "error": session.clock_error_ms})
    elif session.rtt_ms is not None:
        value = session.rtt_ms / 2
        said = Message("stamp.delay.half", {"ms": session.rtt_ms})
    else:
        return Finding("stamp/delay", seen, State.UNKNOWN, Message("stamp.delay.none"), levels, seasonal=True)
    return Finding("stamp/delay", seen, levels.judge(value), said, levels, value=value, seasonal=True)


def _delays(session: StampSample) -> tuple[float, float] | None:
    """Return the delay out and back; None where the clocks are not good enough to tell them apart."""
    out, back, error = session.out_ms, session.back_ms, session.clock_error_ms
    return (out, back) if out is not None and back is not None and error is not None and error <= CLOCK_MS else None


def _ways(session: StampSample) -> tuple[Voice, ...] | None:
    """Return each way as a conversation would meet it; None when there is no delay to tell."""
    half = None if session.rtt_ms is None else session.rtt_ms / 2
    delays = _delays(session) or (None if half is None else (half, half))
    if delays is None:
        return None
    jitters = _settled(session) or (0.0, 0.0)
    if session.lost_out is None or session.lost_back is None:
        lost = (session.sent - session.answered) / session.sent
        return tuple(Voice(delay, lost, jitter) for delay, jitter in zip(delays, jitters, strict=True))
    reached = session.answered + session.lost_back
    losses = (session.lost_out / (session.lost_out + reached), session.lost_back / reached)
    return tuple(Voice(delay, lost, jitter) for delay, lost, jitter in zip(delays, losses, jitters, strict=True))


def _settled(session: StampSample) -> tuple[float, float] | None:
    """Return the jitter out and back as the sum of RFC 3550 6.4.1 settles at, whatever the number of packets; None below two."""
    out, back = session.jitter_out_ms, session.jitter_back_ms
    if out is None or back is None:
        return None
    settled = 1 - 0.9375 ** (session.answered - 1)
    return out / settled, back / settled


def _jitter(seen: Observation, session: StampSample, levels: Levels) -> Finding:
    """Judge the more uneven way."""
    ways = _settled(session)
    if ways is None:
        return Finding("stamp/jitter", seen, State.UNKNOWN, Message("stamp.jitter.none"), levels)
    text = Message("stamp.jitter", {"out": ways[0], "back": ways[1]})
    return Finding("stamp/jitter", seen, levels.judge(max(ways)), text, levels, value=max(ways))
