"""Shows the calls of a capture as ladders: who said what to whom, when, and the voice between them."""

from collections.abc import Sequence

from checks.finding import Finding, State
from probe.observation.capture import CallSample, CaptureSample, StreamSample
from reports.locale.text import Texts, printable
from reports.render.columns import clip, join, table, width, wrap

MOST_SHOWN = 5  # calls whose ladder is shown; one call is asked for by --call


def capture_text(sample: CaptureSample, findings: Sequence[Finding], texts: Texts, columns: int = 100) -> str:
    """Return the ladders, a blank line before each, ending in a newline; "" when there is none. Calls with something wrong come first."""
    bad = {finding.item for finding in findings if finding.state in (State.CRITICAL, State.WARNING)}
    order = sorted(
        sample.calls, key=lambda call: not any(item == f"call {call.number}" or item.startswith(f"call {call.number} #") for item in bad)
    )
    shown = sorted(order[:MOST_SHOWN], key=lambda call: call.number)
    blocks = [_call(call, [one for one in sample.streams if one.call == call.number], texts, columns) for call in shown]
    loose = [stream for stream in sample.streams if stream.call is None][:MOST_SHOWN]
    if loose:
        blocks.append([texts.text("capture.loose"), *_lines([_voice(stream, texts) for stream in loose], columns)])
    left = sample.calls_seen - len(shown)
    if left > 0 and shown:
        blocks.append([texts.text("capture.left", count=left)])
    return "".join("\n" + "\n".join(block) + "\n" for block in blocks)


def _call(call: CallSample, streams: Sequence[StreamSample], texts: Texts, columns: int) -> list[str]:
    steps = [(line.at_ms, _step(line.at_ms, line.source, line.target, line.text, line.media, line.again)) for line in call.ladder]
    steps += [(stream.start_ms, _voice(stream, texts)) for stream in streams]
    steps.sort(key=lambda step: step[0])
    lines = [f"call {call.number}  {call.caller or '?'} → {call.callee or '?'}"]
    lines += [f"  {line}" for line in wrap(_story(call, texts), columns - 2)] + _lines([row for _, row in steps], columns)
    if call.ladder_left_out:
        lines.append("  " + texts.text("capture.ladder-left", count=call.ladder_left_out))
    return [clip(printable(line), columns) for line in lines]


def _lines(rows: Sequence[Sequence[str]], columns: int) -> list[str]:
    """Return the steps in columns; what does not fit beside a step stands below it."""
    lines = []
    for line, row in zip(table([row[:-1] for row in rows]), rows, strict=True):
        if not row[-1] or width(line) + 4 + width(row[-1]) <= columns:
            lines.append(printable(f"  {line}  {row[-1]}".rstrip()))
        else:
            lines += [clip(f"  {printable(line)}", columns), *(f"{' ' * 12}{part}" for part in wrap(printable(row[-1]), columns - 12))]
    return lines


def _story(call: CallSample, texts: Texts) -> str:
    """Return what became of a call, and how long each part took."""
    parts = [texts.word("capture.outcome", call.outcome)]
    if call.outcome != "answered" and call.code is not None:
        parts.append(f"{call.code} {call.reason}".strip())
    if call.cause is not None:
        parts.append(f"Q.850 {call.cause}")
    for id, value in (("pdd-in", call.pdd_ms), ("setup-in", call.setup_ms), ("lasted", call.duration_ms), ("early", call.early_ms)):
        if value is not None:
            parts.append(texts.text(f"capture.{id}", s=value / 1000))
    if call.released_by:
        parts.append(texts.text(f"capture.by.{call.released_by}"))
    if call.retransmissions:
        parts.append(texts.text("capture.again", count=call.retransmissions))
    return join(parts)


def _step(at_ms: float, source: str, target: str, text: str, media: str, again: int) -> list[str]:
    repeated = f" ×{again + 1}" if again else ""
    return [f"{at_ms / 1000:9.3f} s", source, "→", target, f"{text}{repeated}", media]


def _voice(stream: StreamSample, texts: Texts) -> list[str]:
    loss = stream.loss_ratio or 0.0
    values = {"packets": stream.packets, "ratio": loss, "span": (stream.end_ms - stream.start_ms) / 1000}
    if stream.jitter_mean_ms is None:
        said = texts.text("capture.voice-no-jitter", **values)
    else:
        said = texts.text("capture.voice", ms=stream.jitter_mean_ms, **values)
    parts = [said]
    if stream.reordered:
        parts.append(texts.text("capture.reordered", count=stream.reordered))
    if stream.duplicates:
        parts.append(texts.text("capture.duplicates", count=stream.duplicates))
    return _step(stream.start_ms, stream.source, stream.target, f"RTP {stream.codec} #{stream.number}", join(parts), 0)
