"""From what was found to the sample that is handed over: bounded, numbers hidden unless asked for."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from probe.capture.analysis import Analysis
from probe.capture.anomalies import Anomalies
from probe.capture.call import Call
from probe.capture.frames import endpoints
from probe.capture.masks import mask
from probe.capture.reader import Reader
from probe.capture.rtp import Stream
from probe.observation.capture import CallSample, CaptureSample, LadderLine, MediaSide, StreamSample

MOST_STREAMS_TOLD = 1000
ENOUGH_PACKETS = 50  # a second of voice
LOSSY, SHAKEN_S = 0.01, 0.02  # from where on a call's voice puts it before good ones; the norm is the judgement's
BY_PEOPLE = frozenset({404, 480, 484, 486, 487, 600, 603})  # busy, away, declined, misdialled: much of any traffic


def sample(
    path: str, size: int, reader: Reader, found: Analysis, anomalies: Anomalies, most: int, numbers: bool, wanted: str
) -> CaptureSample:
    """Return the sample: of the calls those that match `wanted` (a part of Call-ID, caller or callee), the worst `most` of them."""
    sure = [stream for stream in found.streams if stream.sure]
    by_call: dict[int, list[Stream]] = {}
    for stream in sure:
        if stream.call is not None:
            by_call.setdefault(stream.call, []).append(stream)
    start = found.first or 0.0
    chosen = [
        call for call in found.calls.values() if not wanted or any(wanted in text for text in (call.call_id, call.caller, call.callee))
    ]
    calls = [_call(call, by_call.get(call.number, []), start, numbers) for call in chosen]
    if len(calls) > most:
        kept = sorted(calls, key=lambda call: _badness(call, by_call.get(call.number, [])), reverse=True)[:most]
        calls = sorted(kept, key=lambda call: call.number)
    told = {call.number for call in calls}
    streams = [stream for stream in sure if stream.call in told or (stream.call is None and not wanted)]
    streams = sorted(streams, key=lambda stream: stream.call is None)[:MOST_STREAMS_TOLD]
    streams.sort(key=lambda stream: stream.first_at)
    return CaptureSample(
        path,
        reader.form,
        size,
        reader.offset,
        found.packets,
        _moment(reader.base, found.first),
        max(0.0, found.last - start) * 1000,
        found.calls_seen,
        len(sure),
        tuple(calls),
        tuple(_stream(number, stream, start) for number, stream in enumerate(streams, 1)),
        anomalies.all(),
    )


def _moment(base: int | None, first: float | None) -> datetime | None:
    """Return the time of the first packet; None when there was none, or its time can't be one."""
    if base is None or first is None:
        return None
    try:
        return datetime.fromtimestamp(base, UTC) + timedelta(seconds=first)
    except (ValueError, OverflowError, OSError):
        return None


def _badness(call: CallSample, streams: list[Stream]) -> tuple[int, float, int]:
    """Return how much a call is worth showing.

    First those that a network refused or whose voice went one way, then those with bad voice, then those that people refused; among equals
    those with most loss, then most repetitions.
    """
    sides = [side for side in (call.to_caller, call.to_callee) if side is not None and side.wanted]
    one_way = any(side.packets for side in sides) and not all(side.packets for side in sides)
    voice = [stream for stream in streams if stream.packets >= ENOUGH_PACKETS]
    loss = max((1 - (stream.packets - stream.duplicates) / stream.expected for stream in voice), default=0.0)
    shaken = any(stream.jitters and stream.jitter_sum / stream.jitters >= SHAKEN_S for stream in voice)
    failed = call.outcome == "failed"
    rank = 3 if one_way or (failed and call.code not in BY_PEOPLE) else 2 if shaken or loss >= LOSSY else 1 if failed else 0
    return (rank, loss, call.retransmissions)


def _call(call: Call, streams: list[Stream], start: float, numbers: bool) -> CallSample:
    toward = {party: [stream for stream in streams if stream.toward == party] for party in ("caller", "callee")}
    last = max((stream.at for stream in streams), default=None)
    heard = min((stream.first_at for stream in toward["caller"]), default=None)
    bye = call.ended if call.answered is not None else None
    ended = call.ended if call.ended is not None else call.last
    codecs = dict.fromkeys(stream.codec for stream in streams)
    show = str if numbers else mask
    return CallSample(
        call.number,
        call.call_id,
        show(call.caller),
        show(call.callee),
        _ms(call.started - start),
        call.outcome,
        call.code,
        call.phrase,
        call.cause,
        _ms(call.told - call.started) if call.told is not None and call.invited else None,
        _ms(call.answered - call.started) if call.answered is not None and call.invited else None,
        _ms(ended - call.answered) if call.answered is not None else None,
        call.released_by,
        _ms(call.answered - heard) if call.answered is not None and heard is not None and heard < call.answered else None,
        _ms(bye - last) if bye is not None and last is not None and last < bye else None,
        _ms(last - bye) if bye is not None and last is not None and last > bye else None,
        call.retransmissions,
        tuple(codecs)[:8],
        _side(call, "caller", toward["caller"], start),
        _side(call, "callee", toward["callee"], start),
        tuple(LadderLine(_ms(line.at - start), line.source, line.target, line.text, line.media, line.again) for line in call.lines),
        call.left_out,
        call.held,
    )


def _side(call: Call, party: str, streams: list[Stream], start: float) -> MediaSide | None:
    own = call.media.get(party)
    if own is None:
        return None
    other = call.media.get("callee" if party == "caller" else "caller")
    media, signalled_from = own
    wanted = media.direction in ("sendrecv", "recvonly") and other is not None and other[0].direction in ("sendrecv", "sendonly")
    first = min((stream.first_at for stream in streams), default=None)
    last = max((stream.at for stream in streams), default=None)
    return MediaSide(
        media.address,
        media.port,
        signalled_from,
        wanted,
        sum(stream.packets for stream in streams),
        None if first is None else _ms(first - start),
        None if last is None else _ms(last - start),
    )


def _stream(number: int, stream: Stream, start: float) -> StreamSample:
    source, target = endpoints(stream.key)
    clocked = bool(stream.jitters)
    return StreamSample(
        number,
        _place(*source),
        _place(*target),
        f"{stream.ssrc:08x}",
        stream.codec,
        stream.payload,
        stream.clock,
        stream.packets,
        stream.expected,
        stream.expected - (stream.packets - stream.duplicates),
        stream.duplicates,
        stream.reordered,
        stream.longest_loss,
        stream.loss_runs,
        _ms(stream.first_at - start),
        _ms(stream.at - start),
        _ms(stream.jitter_sum / stream.jitters) if clocked else None,
        _ms(stream.jitter_max) if clocked else None,
        _ms(stream.gap_max) if stream.packets > 1 else None,
        stream.call,
        stream.far_loss,
        None if stream.delay_s is None else _ms(stream.delay_s),
        stream.restarts,
    )


def _place(address: bytes, port: int) -> str:
    text = str(ip_address(address))
    return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
