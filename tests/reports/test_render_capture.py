"""The ladder of a call as a person reads it."""

from datetime import UTC, datetime

import pytest

from probe.observation.capture import CallSample, CaptureSample, LadderLine, StreamSample
from reports.locale.text import texts
from reports.render.capture import capture_text
from reports.render.columns import width

AT = datetime(2026, 11, 21, tzinfo=UTC)
LADDER = (
    LadderLine(0.0, "192.0.2.1:5060", "192.0.2.2:5060", "INVITE", "PCMA 192.0.2.1:6000", 2),
    LadderLine(900.0, "192.0.2.2:5060", "192.0.2.1:5060", "180 Ringing"),
)
CALL = CallSample(1, "a@b", "0215555****", "1380013****", 0.0, "failed", 503, "Bad\x1b[2J", 34, 900.0, retransmissions=2, ladder=LADDER)
STREAM = StreamSample(1, "192.0.2.1:6000", "192.0.2.2:7000", "1", "PCMA", 8, 8000, 50, 50, 5, 0, 0, 1, 5, 500.0, 1500.0, 1.5, 2.0, 25.0)


def shown(calls: tuple, streams: tuple = (), columns: int = 120, seen: int = 1, language: str = "en") -> str:
    sample = CaptureSample("x", "pcap", 1, 1, 1, AT, 1.0, seen, len(streams), calls, streams)
    return capture_text(sample, (), texts(language), columns)


def test_a_ladder_has_who_whom_when_what_and_the_media() -> None:
    lines = shown((CALL,)).splitlines()
    assert lines[1] == "call 1  0215555**** → 1380013****"
    assert lines[2] == "  failed, 503 Bad\\x1b[2J, Q.850 34, first answer after 0.90 s, 2 retransmissions"
    assert lines[3] == "      0.000 s  192.0.2.1:5060  →  192.0.2.2:5060  INVITE ×3  PCMA 192.0.2.1:6000"
    assert lines[4] == "      0.900 s  192.0.2.2:5060  →  192.0.2.1:5060  180 Ringing"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(columns: int, language: str) -> None:
    text = shown((CALL,), (STREAM,), columns, language=language)
    assert all(width(line) <= columns for line in text.splitlines())


def test_voice_without_a_call_is_shown_too() -> None:
    text = shown((), (STREAM,), seen=0)
    assert "RTP PCMA #1  50 packets in 1.0 s, loss 10.0%, jitter 1.50 ms" in text


def test_only_some_calls_are_shown_and_the_others_counted() -> None:
    import msgspec

    calls = tuple(msgspec.structs.replace(CALL, number=number) for number in range(1, 9))
    text = shown(calls, seen=40)
    assert text.count("→  192.0.2.2:5060  INVITE") == 5
    assert "35 more calls" in text


def test_packets_out_of_order_or_twice_are_told_where_there_were_some() -> None:
    import msgspec

    odd = msgspec.structs.replace(STREAM, reordered=4, duplicates=3)
    assert "jitter 1.50 ms, 4 out of order, 3 twice" in shown((), (odd,), seen=0)
    assert "twice" not in shown((), (STREAM,), seen=0)
