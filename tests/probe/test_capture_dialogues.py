"""Calls as they really go: tried on a second trunk, forked, held, faxed, filmed; senders and clocks that begin anew."""

import io
import struct
from importlib.util import module_from_spec, spec_from_file_location
from itertools import pairwise
from pathlib import Path

import pytest

from checks.capture import Limits, judge
from checks.finding import State
from probe.capture.analysis import Analysis
from probe.capture.anomalies import Anomalies
from probe.capture.reader import Reader
from probe.capture.result import sample
from probe.observation.capture import CaptureSample
from probe.observation.observation import Observation

spec = spec_from_file_location("capture_files", Path(__file__).with_name("capture_files.py"))
assert spec is not None
assert spec.loader is not None
made = module_from_spec(spec)
spec.loader.exec_module(made)

framed, voice, pcap, udp, sip, sdp, A, B = made.framed, made.voice, made.pcap, made.udp, made.sip, made.sdp, made.A, made.B
PROXY, OTHER = b"\x0a\x00\x00\x09", b"\x0a\x00\x00\x03"
INVITE = "INVITE sip:13800138000@10.0.0.2 SIP/2.0"
FAX = "v=0\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=image 6000 udptl t38\r\n"


def read(data: bytes, most: int = 100) -> CaptureSample:
    anomalies = Anomalies()
    reader = Reader(io.BytesIO(data), anomalies)
    found = Analysis(anomalies)
    found.read(reader.packets())
    return sample("test.pcap", len(data), reader, found, anomalies, most, False, "")


def of(packets: list) -> CaptureSample:
    return read(pcap(framed(sorted(packets, key=lambda packet: packet[0]))))


def message(at: float, text: bytes, a: bytes = A, b: bytes = B) -> tuple[float, bytes]:
    return at, udp(text, 5060, 5060, a, b)


def bad(seen: CaptureSample) -> list[tuple[str, str]]:
    """Return check and message of what is not good."""
    found = judge(Observation("here", "x", "capture", seen.started_at, 1.0, seen), None, Limits())  # type: ignore[arg-type]
    return [(one.check, one.message.id) for one in found if one.state is not State.OK]


def test_a_call_that_a_second_trunk_took_is_answered_and_as_long_as_it_was() -> None:
    packets = [
        message(0.0, sip(INVITE, "1 INVITE", sdp(6000)), A, PROXY),
        message(0.1, sip("INVITE sip:1@t1 SIP/2.0", "1 INVITE", sdp(6000)), PROXY, B),
        message(0.2, sip("SIP/2.0 183 Session Progress", "1 INVITE", sdp(6900, "10.0.0.2"), to_tag="x"), B, PROXY),
        message(0.5, sip("SIP/2.0 503 Service Unavailable", "1 INVITE", to_tag="x"), B, PROXY),
        message(0.6, sip("INVITE sip:1@t2 SIP/2.0", "1 INVITE", sdp(6000)), PROXY, OTHER),
        message(2.0, sip("SIP/2.0 200 OK", "1 INVITE", sdp(6100, "10.0.0.3"), to_tag="y"), OTHER, PROXY),
        message(12.0, sip("BYE sip:1@t2 SIP/2.0", "2 BYE", to_tag="y"), A, OTHER),
    ]
    media = voice(490, 2.1, back=True, ssrc=9) + [(at, data.replace(B, OTHER)) for at, data in voice(490, 2.1)]
    (call,) = of(packets + media).calls
    assert (call.outcome, call.code, call.duration_ms, call.released_by) == ("answered", 200, 10_000.0, "caller")
    assert (call.to_callee.address, call.to_callee.port, call.to_callee.packets) == ("10.0.0.3", 6100, 490)
    assert call.voice_after_ms is None


def test_a_refusal_by_one_trunk_is_no_answer_that_the_caller_heard() -> None:
    tried = [
        message(0.0, sip(INVITE, "1 INVITE", sdp(6000)), A, PROXY),
        message(0.5, sip("SIP/2.0 503 Service Unavailable", "1 INVITE", to_tag="x"), B, PROXY),
    ]
    assert of(tried).calls[0].pdd_ms == 500.0
    assert of([*tried, message(3.0, sip("SIP/2.0 180 Ringing", "1 INVITE", to_tag="y"), OTHER, PROXY)]).calls[0].pdd_ms == 3000.0


def test_the_bye_of_a_fork_that_answered_too_late_does_not_end_the_call() -> None:
    late = [
        message(2.05, sip("SIP/2.0 200 OK", "1 INVITE", sdp(6900, "10.0.0.3"), to_tag="late"), OTHER, A),
        message(2.2, sip("BYE sip:1@10.0.0.3 SIP/2.0", "2 BYE", to_tag="late"), A, OTHER),
    ]
    (call,) = of(made.call(seconds=8.0) + late).calls
    assert call.duration_ms == 8000.0


def held(offer: str, answer: str, code: str = "200 OK") -> list:
    """Make a call of 30 s whose voice ends with a second offer after 3 s."""
    packets = made.call(seconds=30.0) + voice(150, 2.0) + voice(150, 2.0, back=True, ssrc=9)
    again = sip(INVITE, "2 INVITE", offer, to_tag="b")
    return [*packets, message(5.0, again), message(5.1, sip(f"SIP/2.0 {code}", "2 INVITE", answer, to_tag="b"), B, A)]


@pytest.mark.parametrize("offer", [sdp(6000, direction="inactive"), sdp(6000, direction="sendonly"), sdp(6000, "0.0.0.0"), FAX])
def test_silence_on_hold_or_in_a_fax_is_no_late_bye(offer: str) -> None:
    seen = of(held(offer, sdp(6100, "10.0.0.2", "recvonly")))
    assert bad(seen) == []
    assert seen.calls[0].held


@pytest.mark.parametrize(("answer", "code"), [("", "488 Not Acceptable Here"), (sdp(6100, "10.0.0.2"), "200 OK")])
def test_silence_without_hold_or_after_a_refused_one_is(answer: str, code: str) -> None:
    offer = FAX if code.startswith("488") else sdp(6000)
    assert bad(of(held(offer, answer, code))) == [("capture/release", "capture.late-bye")]


def test_music_on_hold_until_the_end_is_no_voice_that_stopped() -> None:
    music = [(5.2 + count * 0.02, udp(made.rtp(65_530 + 150 + count, (150 + count) * 160))) for count in range(1200)]
    assert bad(of(held(sdp(6000, direction="sendonly"), sdp(6100, "10.0.0.2", "recvonly")) + music)) == []
    assert bad(of(made.call(seconds=30.0) + voice(150, 2.0, back=True, ssrc=9) + voice(150, 2.0) + music)) == [
        ("capture/one-way", "capture.stopped.caller")
    ]


@pytest.mark.parametrize(("port", "said"), [(6002, [("capture/one-way", "capture.one-way.caller")]), (6000, [])])
def test_a_picture_in_both_directions_does_not_hide_voice_in_one(port: int, said: list) -> None:
    """A port that audio and video share (RFC 9143) counts as audio."""

    def film(at: int) -> str:
        return f"m=video {at} RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"

    packets = [
        message(0.0, sip(INVITE, "1 INVITE", sdp(6000) + film(port))),
        message(1.0, sip("SIP/2.0 200 OK", "1 INVITE", sdp(6100, "10.0.0.2") + film(port + 100), to_tag="b"), B, A),
        message(10.0, sip("BYE sip:1@b SIP/2.0", "2 BYE", to_tag="b")),
    ]
    packets += voice(440, 1.1)
    packets += voice(440, 1.1, ports=(6002, 6102), payload=96, ssrc=31) if port == 6002 else []
    packets += voice(440, 1.1, back=True, ports=(port, port + 100), payload=96, ssrc=32)
    assert bad(of(packets)) == said


def jumped(marker: int) -> list:
    """Make a stream whose timestamps begin anew after two seconds, its numbers and SSRC going on."""
    anew = [
        (
            count * 0.02,
            udp(struct.pack("!BBHII", 0x80, 8 | (marker if count == 100 else 0), count, count * 160 + 77_777_777, 7) + b"\xd5" * 160),
        )
        for count in range(100, 300)
    ]
    return [(count * 0.02, udp(made.rtp(count, count * 160))) for count in range(100)] + anew


@pytest.mark.parametrize("marker", [0, 0x80])
def test_timestamps_that_begin_anew_are_no_jitter(marker: int) -> None:
    (stream,) = of(jumped(marker)).streams
    assert (stream.packets, stream.lost, stream.jitter_max_ms) == (300, 0, 0.0)


def test_packets_that_were_held_up_for_seconds_are_jitter() -> None:
    (stream,) = of([(at if count < 100 else max(at, 5.0), data) for count, (at, data) in enumerate(voice(400))]).streams
    assert stream.jitter_max_ms > 100


def test_a_second_connection_of_the_same_ports_is_read() -> None:
    def begin(number: int) -> bytes:
        return made.ip(struct.pack("!HHIIBBHHH", 5060, 5070, number, 0, 0x50, 2, 1000, 0, 0), 6)

    first, second = (sip(INVITE, "1 INVITE", sdp(6000), call=name) for name in ("one", "two"))
    seen = of(
        [(0.0, begin(3 * 10**9)), (0.1, made.tcp(first, 3 * 10**9 + 1)), (9.0, begin(15 * 10**8)), (9.1, made.tcp(second, 15 * 10**8 + 1))]
    )
    assert [call.call_id for call in seen.calls] == ["one", "two"]


def test_a_header_over_two_lines_and_a_display_name_with_a_uri_tell_the_caller() -> None:
    text = sip(INVITE, "1 INVITE", sdp(6000)).replace(b"From: <", b'From: "sip:ann@x \\" y"\r\n\t<')
    assert of([message(0.0, text)]).calls[0].caller == "0215555****"


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_a_clock_that_is_set_while_capturing_does_not_end_the_reading(form: str) -> None:
    """A gateway that starts in 1970 and then hears of the time."""
    packets = [(at + (10 - made.START_S if count < 100 else 0), data) for count, (at, data) in enumerate(framed(voice(200)))]
    seen = read({"pcap": pcap, "pcapng": made.pcapng}[form](packets))
    told = {one.what: one.count for one in seen.anomalies}
    assert told == ({"time-jump": 1} if form == "pcap" else {"broken": 1, "time-jump": 1})
    assert (seen.streams[0].packets, seen.streams[0].jitter_max_ms) == (200 if form == "pcap" else 199, 0.0)


def test_the_calls_told_of_are_the_worst_and_busy_ones_come_after_bad_voice() -> None:
    """A third of any traffic is busy or not answered; it must not hide the few calls that were bad."""
    busy, refused = (
        [made.call(name, start)[0], message(start + 1, sip(f"SIP/2.0 {code}", "1 INVITE", "", name, "b"), B, A)]
        for name, start, code in (("busy@lab", 0.0, "486 Busy Here"), ("refused@lab", 20.0, "503 Service Unavailable"))
    )
    packets = [*busy, *refused]
    for number, (name, skip, back) in enumerate((("good@lab", (), True), ("lossy@lab", range(50, 60), True), ("oneway@lab", (), False)), 2):
        ports = (6000 + 10 * number, 6100 + 10 * number)
        packets += made.call(name, number * 20.0, 5.0, ports) + voice(200, number * 20.0 + 2, skip=skip, ports=ports, ssrc=number)
        packets += voice(200, number * 20.0 + 2, back=True, ports=ports, ssrc=50 + number) if back else []
    data = pcap(framed(sorted(packets, key=lambda packet: packet[0])))
    order = [{call.call_id for call in read(data, most=most).calls} for most in range(1, 6)]
    assert order[1] == {"refused@lab", "oneway@lab"}
    assert [(more - fewer).pop() for fewer, more in pairwise(order[1:])] == ["lossy@lab", "busy@lab", "good@lab"]


@pytest.mark.parametrize(("after", "again"), [(0.0, 0), (0.049, 0), (0.051, 1), (0.5, 1)])
def test_a_packet_seen_on_two_interfaces_is_no_retransmission(after: float, again: int) -> None:
    packets = made.call()
    (call,) = of([*packets, *((at + after, data) for at, data in packets[:1])]).calls
    assert (call.retransmissions, call.ladder[0].again) == (again, again)


def test_the_media_s_ipv6_address_stands_in_brackets() -> None:
    offer = sdp(6000).replace("IP4 10.0.0.1", "IP6 2001:db8::1")
    assert of([message(0.0, sip(INVITE, "1 INVITE", offer))]).calls[0].ladder[0].media == "PCMA [2001:db8::1]:6000"
