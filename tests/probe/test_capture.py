"""What is read from captures made by hand: every link, every form, every kind of damage; and the process that reads them."""

import asyncio
import gzip
import io
import os
import random
import resource
import struct
import subprocess
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.capture.analysis import Analysis
from probe.capture.anomalies import Anomalies
from probe.capture.masks import mask
from probe.capture.reader import NotACapture, Reader
from probe.capture.result import sample
from probe.inventory import Node
from probe.observation.capture import CaptureSample
from probe.observation.failure import Failure, Kind
from probe.probers import capture as prober_file

spec = spec_from_file_location("capture_files", Path(__file__).with_name("capture_files.py"))
assert spec is not None
assert spec.loader is not None
made = module_from_spec(spec)
spec.loader.exec_module(made)

framed, voice, pcap, pcapng, udp, sip, sdp = made.framed, made.voice, made.pcap, made.pcapng, made.udp, made.sip, made.sdp


def read(data: bytes, most: int = 100, numbers: bool = False, wanted: str = "") -> CaptureSample:
    anomalies = Anomalies()
    reader = Reader(io.BytesIO(data), anomalies)
    found = Analysis(anomalies, wanted)
    found.read(reader.packets())
    return sample("test.pcap", len(data), reader, found, anomalies, most, numbers, wanted)


def of(packets: list, link: int = 1) -> CaptureSample:
    return read(pcap(framed(sorted(packets, key=lambda packet: packet[0]), link), link))


def words(seen: CaptureSample) -> dict[str, int]:
    return {one.what: one.count for one in seen.anomalies}


# forms and links


@pytest.mark.parametrize("link", sorted(made.LINKS))
@pytest.mark.parametrize(("a", "b"), [(made.A, made.B), (b"\xfd" + bytes(14) + b"\x01", b"\xfd" + bytes(14) + b"\x02")])
def test_a_stream_is_read_behind_every_link_in_ipv4_and_ipv6(link: int, a: bytes, b: bytes) -> None:
    packets = [(count * 0.02, udp(made.rtp(count, count * 160), a=a, b=b)) for count in range(50) if count != 20]
    (stream,) = of(packets, link).streams
    assert (stream.packets, stream.expected, stream.lost, stream.codec) == (49, 50, 1, "PCMA")


@pytest.mark.parametrize("tagged", [made.vlan, made.two_tags])
def test_a_stream_is_read_behind_vlan_tags_also_among_untagged_ones(tagged) -> None:
    mixed = [(at, tagged(packet)) for at, packet in voice(50)] + framed(voice(50, ports=(7000, 7100), ssrc=9))
    seen = read(pcap(sorted(mixed, key=lambda packet: packet[0])))
    assert [(stream.packets, stream.lost) for stream in seen.streams] == [(50, 0), (50, 0)]


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("form", ["us", "ns", "ng", "ng nano"])
def test_every_form_gives_the_same_sample(form: str, endian: str) -> None:
    packets = framed(sorted(made.call() + voice(100, 2.2, skip=(7, 8)), key=lambda packet: packet[0]))
    data = {
        "us": lambda: pcap(packets, 1, endian),
        "ns": lambda: pcap(packets, 1, endian, nano=True),
        "ng": lambda: pcapng(packets, 1, endian),
        "ng nano": lambda: pcapng(packets, 1, endian, 9),
    }[form]()
    seen = read(data)
    assert (seen.packets, seen.span_ms, seen.started_at.timestamp()) == (104, 7100.0, made.START_S)
    assert seen.read_bytes == seen.size_bytes == len(data)
    assert seen.anomalies == ()
    assert (seen.calls[0].pdd_ms, seen.calls[0].setup_ms, seen.calls[0].duration_ms) == (1000.0, 2000.0, 5000.0)
    assert (seen.streams[0].lost, seen.streams[0].longest_loss, seen.streams[0].loss_runs) == (2, 2, 1)
    assert seen.streams[0].jitter_max_ms < 0.01


def test_a_link_type_that_is_not_read_is_named() -> None:
    assert words(read(pcap(framed(voice(9)), 105))) == {"link": 9}


# streams


def test_loss_reordering_and_repetition_are_told_apart() -> None:
    packets = voice(100, skip=(10, 11, 12, 40))
    packets[50], packets[51] = packets[51], packets[50]
    ordered = [(0.02 * count, packet) for count, (_, packet) in enumerate(packets)]
    ordered.append((ordered[60][0] + 0.001, ordered[60][1]))
    (stream,) = read(pcap(framed(sorted(ordered, key=lambda packet: packet[0])))).streams
    assert (stream.packets, stream.expected, stream.lost) == (97, 100, 4)
    assert (stream.duplicates, stream.reordered, stream.longest_loss) == (1, 1, 3)


def test_a_repeated_packet_does_not_hide_a_lost_one() -> None:
    packets = voice(50, skip=(10,))
    (stream,) = of([*packets, packets[20]]).streams
    assert (stream.lost, stream.duplicates) == (1, 1)


def test_a_sender_that_begins_anew_has_not_lost_thousands() -> None:
    packets = voice(50) + [(1.0 + count * 0.02, udp(made.rtp(30_000 + count, count * 160))) for count in range(50)]
    (stream,) = of(packets).streams
    assert (stream.lost, stream.expected, stream.restarts) == (0, 100, 1)


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 0xFFFF),
    st.lists(st.sampled_from(["sent", "lost", "twice", "late"]), min_size=1, max_size=120),
)
def test_what_is_lost_repeated_or_late_is_what_was_made_so(first: int, fates: list[str]) -> None:
    """Late packets come three places later; the first and the last five are sent, so that both ends of the stream are known."""
    fates = ["sent", *fates, *["sent"] * 5]
    order: list[tuple[float, int]] = []
    for number, fate in enumerate(fates):
        if fate != "lost":
            order.append((number + (3.5 if fate == "late" else 0), number))
        if fate == "twice":
            order.append((number + 0.1, number))
    order.sort()
    packets = [(0.02 * at, udp(made.rtp(first + number, number * 160))) for at, (_, number) in enumerate(order)]
    (stream,) = of([(-1.0, made.call()[0][1]), *packets]).streams  # announced, so that it is one whatever is lost of it
    newest, late = -1, 0
    for _, number in order:
        late += number < newest and fates[number] == "late"
        newest = max(newest, number)
    assert (stream.expected, stream.lost, stream.duplicates) == (len(fates), fates.count("lost"), fates.count("twice"))
    assert stream.reordered == late


def test_rtcp_tells_of_the_far_end_s_loss_and_of_the_delay() -> None:
    def report(kind: int, source: int, middle: int, about: int, lost: int, last: int, since_s: float) -> bytes:
        sender = struct.pack("!HIHIII", 0, middle, 0, 0, 0, 0) if kind == 200 else b""
        block = struct.pack("!IIIIII", about, lost << 24, 0, 0, last, round(since_s * 65_536))
        body = struct.pack("!I", source) + sender + block
        return struct.pack("!BBH", 0x81, kind, len(body) // 4) + body

    packets = made.call() + voice(100, 2.2) + voice(100, 2.2, back=True, ssrc=8)
    packets += [
        (3.0, udp(report(200, 7, 1000, 8, 0, 0, 0), 6001, 6101)),
        (3.05, udp(report(200, 8, 2000, 7, 64, 1000, 0.01), 6101, 6001, made.B, made.A)),  # 40 ms to the callee and back
        (3.10, udp(report(201, 7, 0, 8, 0, 2000, 0.03), 6001, 6101)),  # 20 ms to the caller and back
    ]
    there, back = of(packets).streams
    assert (there.far_loss_ratio, back.far_loss_ratio) == (0.25, 0.0)
    assert there.delay_ms == pytest.approx(30, abs=0.1)
    assert back.delay_ms == pytest.approx(30, abs=0.1)


def test_what_only_looks_like_rtp_is_no_stream() -> None:
    chance = random.Random(1)
    packets = [(count * 0.02, udp(bytes([0x80, 96]) + chance.randbytes(60))) for count in range(2000)]
    seen = of(packets)
    assert (seen.streams, seen.calls) == ((), ())


def test_the_clock_of_a_dynamic_type_comes_from_the_sdp_and_without_it_there_is_no_jitter() -> None:
    packets = [(3 + count * 0.02, udp(made.rtp(count, count * 960, payload=111))) for count in range(50)]
    offer = (0.0, udp(sip("INVITE sip:1@10.0.0.2 SIP/2.0", "1 INVITE", sdp(6000, rtpmap="111 opus/48000/2")), 5060, 5060))
    (known,), (unknown,) = of([offer, *packets]).streams, of(packets).streams
    assert (known.codec, known.clock_hz) == ("OPUS", 48_000)
    assert known.jitter_max_ms == pytest.approx(0, abs=0.01)
    assert (unknown.codec, unknown.clock_hz, unknown.jitter_mean_ms) == ("PT 111", None, None)


def test_a_port_that_serves_a_second_call_begins_a_second_stream() -> None:
    first = made.call("one@lab", 0.0, 3.0) + voice(100, 2.2)
    second = made.call("two@lab", 10.0, 3.0) + voice(80, 12.2)
    seen = of(first + second)
    assert [(stream.call, stream.packets, stream.lost) for stream in seen.streams] == [(1, 100, 0), (2, 80, 0)]


# calls


def test_a_call_through_and_through() -> None:
    seen = of(made.call() + voice(200, 2.2) + voice(240, 1.2, back=True, ssrc=8))
    (call,) = seen.calls
    assert (call.caller, call.callee, call.outcome, call.released_by) == ("0215555****", "1380013****", "answered", "caller")
    assert [line.text for line in call.ladder] == ["INVITE", "180 Ringing", "200 OK", "ACK", "BYE", "200 OK"]
    assert (call.to_caller.packets, call.to_callee.packets) == (240, 200)
    assert (call.early_ms, call.silent_ms, call.voice_after_ms) == (800.0, 820.0, None)


def test_voice_after_the_bye_is_seen() -> None:
    (call,) = of(made.call() + voice(400, 2.2)).calls
    assert (call.silent_ms, call.voice_after_ms) == (None, 3180.0)


@pytest.mark.parametrize(
    ("own", "wanted"), [({}, (True, True)), ({"direction": "recvonly"}, (False, True)), ({"direction": "inactive"}, (False, False))]
)
def test_a_direction_that_was_not_agreed_on_is_not_missed(own: dict, wanted: tuple) -> None:
    (call,) = of(made.call(**own)).calls
    assert (call.to_caller.wanted, call.to_callee.wanted) == wanted


def test_a_capture_begun_in_the_middle_of_a_call_still_has_its_end() -> None:
    (call,) = of(made.call()[4:]).calls
    assert (call.outcome, call.setup_ms, call.pdd_ms, call.released_by) == ("answered", None, None, None)


def test_what_is_no_call_is_none() -> None:
    texts = [sip("OPTIONS sip:1@10.0.0.2 SIP/2.0", "1 OPTIONS"), sip("REGISTER sip:10.0.0.2 SIP/2.0", "1 REGISTER", call="r")]
    assert of([(float(at), udp(text, 5060, 5060)) for at, text in enumerate(texts)]).calls_seen == 0


def test_a_repeated_message_is_counted_and_stands_once_in_the_ladder() -> None:
    packets = made.call()
    (call,) = of([*packets, (0.5, packets[0][1]), (1.5, packets[0][1])]).calls
    assert (call.retransmissions, len(call.ladder), call.ladder[0].again) == (2, 6, 2)


def test_a_challenge_is_no_failure() -> None:
    ask = sip("INVITE sip:1@10.0.0.2 SIP/2.0", "1 INVITE", sdp(6000))
    steps = [
        ask,
        sip("SIP/2.0 407 Proxy Authentication Required", "1 INVITE", "", "one@lab", "x"),
        sip("INVITE sip:1@10.0.0.2 SIP/2.0", "2 INVITE", sdp(6000)),
    ]
    alone = of([(at, udp(text, 5060, 5060)) for at, text in enumerate(steps[:2])]).calls[0]
    steps.append(sip("SIP/2.0 200 OK", "2 INVITE", sdp(6100), "one@lab", "b"))
    again = of([(at, udp(text, 5060, 5060)) for at, text in enumerate(steps)]).calls[0]
    assert (alone.outcome, alone.code) == ("failed", 407)
    assert (again.outcome, again.code, again.setup_ms) == ("answered", 200, 3000.0)


def test_a_refusal_keeps_its_code_and_cause() -> None:
    no = sip("SIP/2.0 503 Service Unavailable", "1 INVITE", "", "one@lab", "b", extra='Reason: SIP;cause=503, Q.850;cause=34;text="x"\r\n')
    (call,) = of([(0.0, made.call()[0][1]), (0.4, udp(no, 5060, 5060, made.B, made.A))]).calls
    assert (call.outcome, call.code, call.reason, call.cause) == ("failed", 503, "Service Unavailable", 34)


def test_sip_in_tcp_is_put_together_from_segments_in_any_order() -> None:
    text = sip("INVITE sip:1@10.0.0.2 SIP/2.0", "1 INVITE", sdp(6000)) + sip("CANCEL sip:1@10.0.0.2 SIP/2.0", "1 CANCEL")
    parts = [(place, text[place : place + 100]) for place in range(0, len(text), 100)]
    order = [parts[0], *reversed(parts[1:]), parts[1]]
    seen = of([(float(at), made.tcp(part, 0xFFFFFFF0 + place)) for at, (place, part) in enumerate(order)])
    assert [line.text for line in seen.calls[0].ladder] == ["INVITE", "CANCEL"]


def test_tcp_octets_that_come_twice_count_once() -> None:
    text = sip("INVITE sip:1@10.0.0.2 SIP/2.0", "1 INVITE", sdp(6000))
    parts = [(0, text[:100]), (0, text[:80]), (50, text[50:250]), (250, text[250:])]
    seen = of([(float(at), made.tcp(part, 7000 + place)) for at, (place, part) in enumerate(parts)])
    assert [line.text for line in seen.calls[0].ladder] == ["INVITE"]
    assert (seen.calls[0].to_caller.port, seen.anomalies) == (6000, ())


def test_octets_that_are_missing_cost_one_message_not_the_connection() -> None:
    text = sip("INVITE sip:1@10.0.0.2 SIP/2.0", "1 INVITE", sdp(6000))
    packets = [made.tcp(text[:100], 0)]
    packets += [made.tcp(text[:1] + bytes(1400 - 1), 5000 + 1400 * count) for count in range(50)]
    packets += [made.tcp(text, 500_000)]
    seen = of([(float(at), packet) for at, packet in enumerate(packets)])
    assert "gaps" in words(seen)
    assert len(seen.calls) == 1


def test_a_fragmented_invite_is_put_together() -> None:
    whole = made.udp(sip("INVITE sip:1@10.0.0.2 SIP/2.0", "1 INVITE", sdp(6000), extra=f"X: {'y' * 3000}\r\n"), 5060, 5060)[20:]
    cut = [(place, whole[place : place + 1400]) for place in range(0, len(whole), 1400)]
    packets = [made.ip(part, 17, place=place // 8 | (0x2000 if place + 1400 < len(whole) else 0)) for place, part in cut]
    seen = of([(0.1 * at, packet) for at, packet in enumerate(reversed(packets))])
    assert len(seen.calls) == 1
    assert words(of([(0.0, packets[0])])) == {"fragments": 1}


def test_sip_in_tls_is_named_as_what_can_not_be_seen() -> None:
    assert words(of([(0.0, made.tcp(b"\x16\x03\x01\x02\x00\x01", 1, 5061, 40_000))])) == {"tls": 1}


def test_calls_are_chosen_and_the_worst_are_kept() -> None:
    packets = [packet for number in range(5) for packet in made.call(f"call-{number}@lab", number * 10.0)]
    packets += [
        (60.0, made.call("bad@lab")[0][1]),
        (60.1, udp(sip("SIP/2.0 500 Oops", "1 INVITE", "", "bad@lab", "b"), 5060, 5060, made.B, made.A)),
    ]
    data = pcap(framed(packets))
    assert [call.call_id for call in read(data, most=1).calls] == ["bad@lab"]
    assert [call.call_id for call in read(data, wanted="call-3").calls] == ["call-3@lab"]
    assert read(data, most=1).calls_seen == 6
    assert len(read(data, wanted="1380013").calls) == 6


def test_a_call_that_is_wanted_is_found_among_more_than_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour of a switch holds tens of thousands of calls, and one number is complained of."""
    monkeypatch.setattr("probe.capture.analysis.MOST_CALLS", 10)
    monkeypatch.setattr("probe.capture.analysis.MOST_STREAMS", 10)
    packets = [packet for number in range(30) for packet in made.call(f"call-{number}@lab", number * 10.0, 5.0, (6000 + 2 * number, 6001))]
    packets += [packet for number in range(30) for packet in voice(50, number * 10.0 + 2, ports=(7000 + number, 6001), ssrc=number)]
    data = pcap(framed(sorted(packets, key=lambda packet: packet[0])))
    everyone, one = read(data), read(data, wanted="call-28@")
    assert (len(everyone.calls), everyone.calls_seen, words(everyone)["calls"]) == (10, 30, 20)
    assert ([call.call_id for call in one.calls], one.calls_seen, "calls" in words(one)) == (["call-28@lab"], 30, False)
    assert [(stream.packets, stream.call) for stream in one.streams] == [(50, one.calls[0].number)]


@pytest.mark.parametrize(
    ("number", "shown"), [("13800138000", "1380013****"), ("8001", "80**"), ("1", "*"), ("", ""), ("1234567", "123****")]
)
def test_numbers_are_hidden_unless_asked_for(number: str, shown: str) -> None:
    assert mask(number) == shown
    assert read(pcap(framed(made.call())), numbers=True).calls[0].callee == "13800138000"


# damage

WHOLE = framed(sorted(made.call() + voice(60, 2.2) + voice(60, 2.2, back=True, ssrc=8), key=lambda packet: packet[0]))
FILES = {"pcap": pcap(WHOLE), "pcapng": pcapng(WHOLE)}


@settings(max_examples=300, deadline=None)
@given(form=st.sampled_from(sorted(FILES)), share=st.floats(0, 1))
def test_a_file_cut_anywhere_gives_what_came_before(form: str, share: float) -> None:
    data = FILES[form][: 24 + round(share * (len(FILES[form]) - 24))]
    seen, whole = read(data), read(FILES[form])
    assert seen.packets <= whole.packets
    assert (seen.packets == whole.packets or not seen.anomalies) or set(words(seen)) == {"cut"}
    assert seen.read_bytes <= len(data)
    if seen.read_bytes < len(data):
        assert words(seen) == {"cut": 1}


@settings(max_examples=300, deadline=None)
@given(form=st.sampled_from(sorted(FILES)), data=st.data())
def test_flipped_octets_are_survived_and_leave_most_of_it(form: str, data: st.DataObject) -> None:
    octets = bytearray(FILES[form])
    for _ in range(data.draw(st.integers(1, 5))):
        octets[data.draw(st.integers(4, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        seen = read(bytes(octets))
    except NotACapture:
        return
    assert seen.packets <= 130


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([b"", FILES["pcap"][:24], FILES["pcapng"][:48]]))
def test_any_octets_are_survived(noise: bytes, before: bytes) -> None:
    try:
        read(before + noise)
    except NotACapture:
        assert not before


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_packets_of_any_content_are_survived(data: st.DataObject) -> None:
    packets = [packet for _, packet in WHOLE]
    chosen = [bytearray(packet) for packet in data.draw(st.lists(st.sampled_from(packets), min_size=1, max_size=8))]
    for packet in chosen:
        for _ in range(data.draw(st.integers(0, 4))):
            packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
        del packet[data.draw(st.integers(0, len(packet))) :]
    read(pcap([(0.1 * at, bytes(packet)) for at, packet in enumerate(chosen)], data.draw(st.sampled_from(sorted(made.LINKS)))))


def test_times_that_can_not_be_are_survived_and_none_is_told() -> None:
    octets = bytearray(FILES["pcapng"])
    octets[63] ^= 4  # in the first packet's block: a time in the year 11157
    assert octets != FILES["pcapng"]
    assert read(bytes(octets)).packets > 0


def test_one_broken_record_does_not_cost_the_rest() -> None:
    octets = bytearray(FILES["pcap"])
    octets[24 + 8 : 24 + 12] = b"\xff\xff\xff\x7f"  # the first record says that it has 2 GiB
    seen, whole = read(bytes(octets)), read(FILES["pcap"])
    assert words(seen) == {"broken": 1}
    assert seen.packets == whole.packets - 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (gzip.compress(FILES["pcap"]), "compressed (gzip)"),
        (b"", "empty"),
        (b"PK\x03\x04" + bytes(50), "compressed (zip)"),
        (b"INVITE sip:1@lab SIP/2.0\r\n" * 9, "neither pcap nor pcapng"),
    ],
)
def test_what_is_no_capture_is_told_with_the_cure(data: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "call.pcap"
    file.write_bytes(data)
    outcome = ask(file)
    assert isinstance(outcome, Failure)
    assert outcome.kind is Kind.REJECTED
    assert said in outcome.detail


def test_reading_stops_when_its_time_is_over_and_says_so() -> None:
    anomalies, data = Anomalies(), FILES["pcap"]
    slow = Reader(_Slow(data), anomalies, time.monotonic() + 0.2)
    Analysis(anomalies).read(slow.packets())
    assert [one.what for one in anomalies.all()] == ["time-limit"]
    assert slow.offset < len(data)


class _Slow(io.BytesIO):
    """A file that gives a little at a time, and late."""

    def read(self, size: int | None = -1) -> bytes:
        time.sleep(0.03)
        return super().read(2000)


# the process


def ask(file: Path, **options: object) -> object:
    async def run() -> object:
        async with prober_file.open() as prober:
            return await prober.ask(Node(str(file), str(file)), prober_file.Options(**options))

    return asyncio.run(run())


def test_the_process_gives_the_sample(tmp_path: Path) -> None:
    file = tmp_path / "call.pcap"
    file.write_bytes(FILES["pcap"])
    outcome = ask(file)
    assert isinstance(outcome, CaptureSample)
    assert (outcome.path, outcome.packets, outcome.calls[0].callee) == (str(file), 126, "1380013****")


def test_a_file_that_is_not_there_or_no_file_is_told(tmp_path: Path) -> None:
    assert ask(tmp_path / "none.pcap") == Failure(Kind.REJECTED, "No such file or directory")
    assert isinstance(ask(Path("/dev/zero")), Failure)
    with pytest.raises(ValueError, match="there is no such file"):
        prober_file.read_target(str(tmp_path / "none.pcap"))
    os.mkfifo(tmp_path / "pipe")
    for odd in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(ValueError, match="no ordinary file"):
            prober_file.read_target(str(odd))
    assert ask(tmp_path) == Failure(Kind.REJECTED, "Is a directory")
    assert ask(tmp_path / "pipe") == Failure(Kind.REJECTED, "it is no ordinary file")


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import os; os.kill(os.getpid(), 9)", "signal 9"),
        ("raise ValueError('odd')", "ValueError: odd"),
        ("print('{}')", "no sample"),
        ("import sys; sys.stdout.write('x' * (80 << 20))", "signal 9"),
    ],
)
def test_a_process_that_fails_is_a_failure_with_words(program: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prober_file, "_START", program)
    monkeypatch.setattr(prober_file, "MOST_ANSWER", 1 << 20)
    outcome = ask(tmp_path)
    assert isinstance(outcome, Failure)
    assert outcome.kind is Kind.BROKEN
    assert said in outcome.detail


def test_the_process_knows_no_secret_and_has_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLINE_PASSWORD", "hunter2")
    program = "import os, sys; sys.exit('env ' + ' '.join(os.environ))"
    monkeypatch.setattr(prober_file, "_START", program)
    assert "FIRSTLINE" not in str(ask(tmp_path))
    greedy = "import probe.capture.reader as r, io\nr.Reader.packets = lambda self: bytearray(1 << 30)\n"
    start = "import sys; sys.path[:0] = sys.argv[1:]\n" + greedy + "import runpy; runpy.run_module('probe.capture', run_name='__main__')"
    monkeypatch.setattr(prober_file, "_START", start)
    file = tmp_path / "call.pcap"
    file.write_bytes(FILES["pcap"])
    outcome = ask(file)
    assert isinstance(outcome, Failure)
    assert "MiB of memory" in outcome.detail


def test_reading_does_not_import_scapy() -> None:
    assert "scapy" not in sys.modules


@pytest.mark.long
def test_a_gigabyte_is_read_in_a_minute_within_300_megabytes(tmp_path: Path) -> None:
    """5 million packets of 200 octets in 100 calls at a time; what the child used is what the kernel counted."""
    file = tmp_path / "large.pcap"
    packet = framed([(0.0, made.udp(made.rtp(0, 0)))])[0][1]
    with file.open("wb") as out:
        out.write(pcap([]))
        for tick in range(50_000):
            part = bytearray()
            for stream in range(100):
                octets = bytearray(packet)
                octets[26 + 8 : 26 + 10] = (10_000 + stream * 2).to_bytes(2, "big")
                octets[42:54] = made.rtp(tick, tick * 160, 1000 + stream, size=0)
                micros = tick * 20_000 + stream * 100
                part += struct.pack("<IIII", made.START_S + micros // 10**6, micros % 10**6, len(octets), len(octets)) + octets
            out.write(part)
    assert file.stat().st_size > 1 << 30
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    outcome = ask(file)
    took, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert isinstance(outcome, CaptureSample)
    assert (outcome.packets, outcome.streams_seen, outcome.anomalies) == (5_000_000, 100, ())
    print(
        f"{took:.1f} s, {after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime:.1f} s of CPU, {after.ru_maxrss / 1024:.0f} MiB"
    )
    assert after.ru_maxrss < 300 * 1024
    assert took < 60


def test_the_process_ends_with_the_one_that_asked_however_that_ended() -> None:
    inner = "import os, time; from probe.capture.__main__ import _end_with; _end_with(os.getppid()); print(os.getpid(), flush=True); time.sleep(60)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    with subprocess.Popen([sys.executable, "-c", outer], stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdout is not None
        child = psutil.Process(int(asking.stdout.readline()))
        asking.kill()
        assert psutil.wait_procs([child], timeout=10)[1] == []
