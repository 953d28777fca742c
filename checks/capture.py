"""What a capture says of its calls: set up in time, voice both ways and good enough, released as it should be?"""

from collections.abc import Iterator
from ipaddress import ip_address

import msgspec

from checks.emodel import BY_NAME, burst_ratio, rating, terminal_delay_ms
from checks.failure import judge_failure
from checks.finding import Check, Finding, Levels, Message, State, Value, worst
from checks.voice import QUALITY
from probe.observation.capture import CallSample, CaptureSample, MediaSide, StreamSample
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation

SETUP = Levels(8.0, 11.0, "s", "ITU-T E.721: post-selection delay of an international call, mean 8 s, 95 % of calls 11 s")
LOSS = Levels(0.01, 0.03, "ratio", "ITU-T G.1010: conversational voice bears less than 3 % loss; 1 % is our choice, it can be heard")
JITTER = Levels(
    20.0, 50.0, "ms", "our choice: one voice packet of 20 ms is late without a jitter buffer, then 2.5; ITU-T Y.1541 class 0: 50 ms"
)
SILENCE = Levels(10.0, 60.0, "s", "our choice: people say goodbye and hang up; what is longer is a BYE that did not come")

ENOUGH_PACKETS = 50  # our choice: a second of voice; fewer say nothing about quality
ONE_WAY_PACKETS = 25  # towards the one, while not a single one goes to the other
STOPPED_S = 5.0
AFTER_S = 2.0  # voice on its way and a few repeated packets are no fault
UNANSWERED = 3  # repetitions of an INVITE: after them it was not the capture that ended too early (RFC 3261 17.1.1.2: 3.5 s)
MOST_TOLD = 20  # findings of one question; the rest is counted
FEW = 3  # good ones told one by one

WILLED = frozenset({486, 487, 600, 603})  # busy, given up, declined: people, not a fault
NUMBERS = frozenset({404, 410, 480, 484})  # about the number dialled or who is not there
UNSEEN = frozenset({"tls", "link"})  # there is something in the file that can't be looked into


class Limits(msgspec.Struct, frozen=True):
    """What can be set for a `capture` check."""

    setup: Levels = SETUP
    loss: Levels = LOSS
    jitter: Levels = JITTER
    mos: Levels = QUALITY
    silence: Levels = SILENCE


CHECKS = (
    Check("capture/file"),
    Check("capture/calls"),
    Check("capture/setup", SETUP),
    Check("capture/release", SILENCE),
    Check("capture/one-way"),
    Check("capture/loss", LOSS),
    Check("capture/jitter", JITTER),
    Check("capture/mos", QUALITY),
)


def judge(seen: Observation, before: Observation | None, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001
    """Judge one file: itself, then each question for all calls or streams, the bad ones by name."""
    match seen.outcome:
        case Failure(kind=Kind.REJECTED) as why:  # the file says nothing of the network, good or bad
            yield Finding("capture/file", seen, State.UNKNOWN, Message("capture.unreadable", {"detail": why.detail}))
        case Failure() as why:
            yield judge_failure("capture/file", seen, why)
        case CaptureSample() as sample:
            yield from _file(seen, sample)
            voice = [stream for stream in sample.streams if stream.codec in BY_NAME or stream.payload_type < 24]
            told = [stream for stream in voice if stream.expected >= ENOUGH_PACKETS]
            calls = sample.calls
            yield from _sum("capture/setup", seen, [one for call in calls for one in _setup(seen, call, limits.setup)])
            yield from _sum("capture/release", seen, [one for call in calls for one in _release(seen, call, limits.silence)])
            yield from _sum("capture/one-way", seen, [one for call in calls for one in _one_way(seen, call)])
            yield from _sum("capture/loss", seen, [one for stream in told for one in _loss(seen, stream, limits.loss)])
            yield from _sum("capture/jitter", seen, [one for stream in told for one in _jitter(seen, stream, limits.jitter)])
            yield from _sum("capture/mos", seen, [one for stream in told for one in _mos(seen, stream, limits.mos)])


def _file(seen: Observation, sample: CaptureSample) -> Iterator[Finding]:
    for one in sample.anomalies:
        state = State.UNKNOWN if one.what in UNSEEN else State.WARNING
        yield Finding("capture/file", seen, state, Message(f"capture.anomaly.{one.what}", {"count": one.count}), item=one.what)
    if not sample.anomalies:
        text = Message("capture.read", {"packets": sample.packets, "span": sample.span_ms / 1000})
        yield Finding("capture/file", seen, State.OK, text)
    if not sample.calls_seen:
        id, state = ("capture.only-streams", State.OK) if sample.streams_seen else ("capture.nothing", State.UNKNOWN)
        yield Finding("capture/calls", seen, state, Message(id, {"streams": sample.streams_seen}))
        return
    answered = sum(call.outcome == "answered" for call in sample.calls)
    left = sample.calls_seen - len(sample.calls)
    values: dict[str, Value] = {"n": sample.calls_seen, "answered": answered, "streams": sample.streams_seen, "left": left}
    yield Finding("capture/calls", seen, State.OK, Message("capture.calls-left" if left else "capture.calls", values))


def _sum(check: str, seen: Observation, found: list[Finding]) -> Iterator[Finding]:
    """Yield the bad ones by name as far as there is room, and the good ones as one where they are many."""
    bad = [one for state in (State.CRITICAL, State.WARNING, State.UNKNOWN) for one in found if one.state is state]
    good = [one for one in found if one.state is State.OK]
    yield from bad[:MOST_TOLD]
    rest = bad[MOST_TOLD:]
    if rest:
        yield Finding(check, seen, worst({one.state for one in rest}), Message("capture.more", {"count": len(rest)}), item="others")
    if len(good) <= FEW:
        yield from good
    else:
        yield Finding(check, seen, State.OK, Message("capture.good", {"count": len(good), "of": len(found)}), good[0].levels)


def _setup(seen: Observation, call: CallSample, levels: Levels) -> Iterator[Finding]:
    item = f"call {call.number}"
    if call.pdd_ms is not None:
        delay = call.pdd_ms / 1000
        yield Finding("capture/setup", seen, levels.judge(delay), Message("capture.pdd", {"s": delay}), levels, item, delay)
    elif call.outcome == "unfinished":
        repeated = sum(line.again for line in call.ladder if line.text == "INVITE")
        state = State.CRITICAL if repeated >= UNANSWERED else State.UNKNOWN
        id = "capture.unanswered" if repeated >= UNANSWERED else "capture.unfinished"
        yield Finding("capture/setup", seen, state, Message(id, {"count": repeated}), item=item)


def _release(seen: Observation, call: CallSample, levels: Levels) -> Iterator[Finding]:
    """Judge how a call ended: refused by which code, or hung up long after (or before) its voice ended."""
    item = f"call {call.number}"
    if call.outcome in ("failed", "cancelled") and call.code is not None:
        values: dict[str, Value] = {"code": call.code, "reason": call.reason, "cause": call.cause or 0}
        id = "capture.refused" if call.cause is None else "capture.refused-cause"
        yield Finding("capture/release", seen, _state_of(call.code), Message(id, values), item=item)
    if call.outcome != "answered":
        return
    after, silent = (call.voice_after_ms or 0.0) / 1000, (call.silent_ms or 0.0) / 1000
    if after >= AFTER_S:
        yield Finding("capture/release", seen, State.WARNING, Message("capture.after-bye", {"s": after}), item=item)
    elif call.silent_ms is not None and not call.held:
        state = levels.judge(silent)
        id = "capture.late-bye" if state is not State.OK else "capture.released"
        yield Finding("capture/release", seen, state, Message(id, {"s": silent}), levels, item, silent)


def _state_of(code: int) -> State:
    if code in WILLED or 300 <= code < 400:
        return State.OK
    return State.WARNING if code in NUMBERS else State.CRITICAL


def _one_way(seen: Observation, call: CallSample) -> Iterator[Finding]:
    if call.outcome != "answered" or call.to_caller is None or call.to_callee is None:
        return
    item = f"call {call.number}"
    sides = (("caller", call.to_caller, call.to_callee), ("callee", call.to_callee, call.to_caller))
    if not call.to_caller.packets and not call.to_callee.packets:
        if call.duration_ms is not None and call.duration_ms >= 1000 * STOPPED_S and (call.to_caller.wanted or call.to_callee.wanted):
            yield Finding("capture/one-way", seen, State.UNKNOWN, Message("capture.no-voice"), item=item)
        return
    bad = [found for party, side, other in sides if (found := _missing(seen, item, party, side, other, call.held)) is not None]
    yield from bad
    if not bad:
        yield Finding("capture/one-way", seen, State.OK, Message("capture.both-ways"), item=item)


def _missing(seen: Observation, item: str, party: str, side: MediaSide, other: MediaSide, held: bool) -> Finding | None:
    """Return what is wrong with the voice towards one party, compared with the other way; a call on hold may be silent at its end."""
    if side.wanted and not side.packets and other.packets >= ONE_WAY_PACKETS:
        id = f"capture.one-way-nat.{party}" if _behind_nat(side) else f"capture.one-way.{party}"
        text = Message(id, {"address": side.address, "port": side.port, "from": side.signalled_from})
        return Finding("capture/one-way", seen, State.CRITICAL, text, item=item)
    if held or not side.wanted or side.last_ms is None or other.last_ms is None:
        return None
    if other.last_ms - side.last_ms >= 1000 * STOPPED_S:
        early = (other.last_ms - side.last_ms) / 1000
        return Finding("capture/one-way", seen, State.WARNING, Message(f"capture.stopped.{party}", {"s": early}), item=item)
    return None


def _behind_nat(side: MediaSide) -> bool:
    """Tell whether a party asks for media at a private address while its messages come from another one."""
    try:
        return ip_address(side.address).is_private and side.address != side.signalled_from
    except ValueError:
        return False


def _item(stream: StreamSample) -> str:
    return f"stream {stream.number}" if stream.call is None else f"call {stream.call} #{stream.number}"


def _loss(seen: Observation, stream: StreamSample, levels: Levels) -> Iterator[Finding]:
    """Judge what is missing here, and what the receiver itself says is missing there where that is more."""
    loss = stream.loss_ratio or 0.0
    values: dict[str, Value] = {"lost": max(0, stream.lost), "expected": stream.expected, "ratio": loss, "longest": stream.longest_loss}
    text = Message("capture.loss" if stream.lost > 0 else "capture.no-loss", values)
    yield Finding("capture/loss", seen, levels.judge(loss), text, levels, _item(stream), loss)
    far = stream.far_loss_ratio
    if far is not None and far > loss:
        text = Message("capture.far-loss", {"ratio": far})
        yield Finding("capture/loss", seen, levels.judge(far), text, levels, f"{_item(stream)} far end", far)


def _jitter(seen: Observation, stream: StreamSample, levels: Levels) -> Iterator[Finding]:
    mean = stream.jitter_mean_ms
    if mean is not None and stream.jitter_max_ms is not None:
        text = Message("capture.jitter", {"ms": mean, "most": stream.jitter_max_ms})
        yield Finding("capture/jitter", seen, levels.judge(mean), text, levels, _item(stream), mean)


def _mos(seen: Observation, stream: StreamSample, levels: Levels) -> Iterator[Finding]:
    """Rate a stream by the E-model; a delay that RTCP does not tell is left out, and said to be."""
    codec = BY_NAME.get(stream.codec)
    if codec is None:
        yield Finding("capture/mos", seen, State.OK, Message("capture.no-model", {"codec": stream.codec}), item=_item(stream))
        return
    loss = stream.loss_ratio or 0.0
    burst = burst_ratio(stream.lost / stream.loss_runs, loss) if stream.lost > 0 and stream.loss_runs else 1.0
    quality = rating(
        stream.delay_ms or 0.0,
        loss,
        codec,
        jitter_ms=stream.jitter_mean_ms or 0.0,
        burst_ratio=burst,
        terminal_ms=terminal_delay_ms(codec),
    )
    id = "capture.mos" if stream.delay_ms is not None else "capture.mos-no-delay"
    text = Message(id, {"mos": quality.mos, "r": quality.r, "codec": stream.codec, "ms": stream.delay_ms or 0.0})
    yield Finding("capture/mos", seen, levels.judge(quality.mos), text, levels, _item(stream), quality.mos)
