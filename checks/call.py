"""Does a test call come about, how soon does it ring, is something heard, how does it sound (E-model), and does it end?"""

from collections.abc import Iterator

import msgspec

from checks.emodel import BY_NAME, G711_PLC, burst_ratio, rating, terminal_delay_ms
from checks.failure import judge_failure
from checks.finding import Check, Finding, Levels, Message, State
from checks.sip import meaning, words
from checks.voice import QUALITY
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation
from probe.observation.sip import AudioSample, CallSample

PDD = Levels(5000.0, 8000.0, "ms", "ITU-T E.721, post-selection delay of a toll connection: mean 5 s, 95 % within 8 s")


class Limits(msgspec.Struct, frozen=True):
    """What can be set for a `call` check."""

    pdd: Levels = PDD
    quality: Levels = QUALITY


CHECKS = (Check("call/answer"), Check("call/pdd", PDD), Check("call/audio"), Check("call/quality", QUALITY), Check("call/release"))

# by SIP code, then by Q.850 cause (ITU-T Q.850; the mapping of RFC 3398 8.2.6.1), which says it more exactly where it is given
_BY_CODE = {
    **dict.fromkeys((404, 410, 484, 485, 604), "call.no-such-number"),
    **dict.fromkeys((401, 403, 407, 603), "call.rejected"),
    **dict.fromkeys((480, 487, 408), "call.not-reached"),
    **dict.fromkeys((415, 488, 606), "call.no-codec"),
    **dict.fromkeys((486, 600), "call.busy"),
    503: "call.congestion",
}
_BY_CAUSE = {
    **dict.fromkeys((1, 2, 3, 22, 28), "call.no-such-number"),
    **dict.fromkeys((21, 50, 55, 57), "call.rejected"),
    **dict.fromkeys((18, 19, 20, 27), "call.not-reached"),
    **dict.fromkeys((58, 65, 88), "call.no-codec"),
    17: "call.busy",
    **dict.fromkeys((34, 38, 41, 42, 44, 47), "call.congestion"),
}


def judge(seen: Observation, before: Observation | None, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001
    """Judge one test call. One that was not made for want of a permit is unknown, never bad."""
    match seen.outcome:
        case Failure(kind=Kind.DENIED, detail=detail):
            yield Finding("call/answer", seen, State.UNKNOWN, Message("call.held-back", {"detail": detail}))
        case Failure() as why:
            yield judge_failure("call/answer", seen, why)
        case CallSample() as got:
            yield Finding("call/answer", seen, *_answer(got))
            if got.pdd_ms is not None:
                text = Message("call.pdd", {"ms": got.pdd_ms})
                yield Finding("call/pdd", seen, limits.pdd.judge(got.pdd_ms), text, limits.pdd, value=got.pdd_ms, seasonal=True)
            if got.pick_up_ms is not None:
                yield from _audio(seen, got, limits)
                yield Finding("call/release", seen, *_release(got))


def _answer(got: CallSample) -> tuple[State, Message]:
    code = got.answer.code
    if got.pick_up_ms is not None:
        return State.OK, Message("call.answered", {"number": got.number, "ms": got.pick_up_ms})
    if code is None:
        if got.answer.blocked_by is not None:
            return meaning(got.answer)
        return State.CRITICAL, Message("call.no-answer", {"number": got.number, "seconds": got.ring_s})
    if code in {401, 407} and not got.authenticated:  # our own configuration lacks something: no outage of theirs
        return State.UNKNOWN, Message("call.no-password", {"answer": words(got.answer)})
    name = _BY_CAUSE.get(got.answer.q850 or 0) or _BY_CODE.get(code) or "call.failed"
    state = State.WARNING if name == "call.busy" else State.CRITICAL
    return state, Message(name, {"number": got.number, "answer": words(got.answer)})


def _audio(seen: Observation, got: CallSample, limits: Limits) -> Iterator[Finding]:
    heard = got.audio
    if heard is None or not heard.received:
        if got.audio_wanted:
            text = Message("call.silent", {"number": got.number, "sent": heard.sent if heard else 0})
            yield Finding("call/audio", seen, State.CRITICAL, text)
        return
    yield Finding("call/audio", seen, State.OK, Message("call.echo" if heard.echoed else "call.heard", {"n": heard.received}))
    if heard.loss_ratio is not None:
        yield _quality(seen, got, heard, heard.loss_ratio, limits.quality)


def _quality(seen: Observation, got: CallSample, heard: AudioSample, loss: float, levels: Levels) -> Finding:
    """Rate the call. One way's delay is half the echo's; the echo's loss counts whole, as if it were all in one direction.

    Without an echo the delay is not known, and the rating is the best that it can be.
    """
    codec = BY_NAME.get(got.codec or "", G711_PLC)
    jitter = heard.jitter_ms or 0.0
    delay = heard.rtt_ms / 2 if heard.rtt_ms is not None else 0.0
    burst = burst_ratio(heard.mean_burst, loss) if heard.mean_burst is not None else 1.0
    found = rating(delay, loss, codec, jitter_ms=jitter, burst_ratio=burst, terminal_ms=terminal_delay_ms(codec))
    mos, r = found.mos, found.r
    text = Message("call.quality", {"mos": mos, "r": r, "loss": loss, "jitter_ms": jitter, "delay_ms": delay})
    if heard.rtt_ms is None:
        text = Message("call.quality-at-best", {"mos": mos, "r": r, "loss": loss, "jitter_ms": jitter})
    return Finding("call/quality", seen, levels.judge(mos), text, levels, value=mos, seasonal=True)


def _release(got: CallSample) -> tuple[State, Message]:
    if got.ended == "unconfirmed":
        return State.WARNING, Message("call.bye-unanswered", {"number": got.number})
    if got.ended == "peer":
        return State.WARNING, Message("call.cut", {"number": got.number, "seconds": got.talk_s})
    return State.OK, Message("call.ended", {"seconds": got.talk_s})
