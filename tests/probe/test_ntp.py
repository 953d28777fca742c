"""The NTP prober against chronyd, and against a server that says what each test wants."""

import contextlib
import glob
import os
import secrets
import socket
import struct
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.observation.failure import Failure, Kind
from probe.observation.ntp import NtpSample
from probe.probers import ntp

ERA_END = datetime(2036, 2, 7, 6, 28, 16, tzinfo=UTC)  # RFC 5905 figure 4: era 1 begins
DAY_NS = 86_400 * 10**9


def unix_ns(moment: datetime) -> int:
    return round(moment.timestamp()) * 10**9


def answer(
    question: bytes, *, ahead_s: float = 0.0, first: int = 0x24, stratum: int = 2, reference: bytes = b"\xc0\0\2\1", **more
) -> bytes:
    """Return a server's answer (RFC 5905 9.2) whose clock is `ahead_s` ahead of this machine's."""
    now = ntp.stamp(time.time_ns() + round(ahead_s * 1e9))
    origin = more.get("origin", struct.unpack("!Q", question[40:48])[0])
    t2, t3 = more.get("t2", now), more.get("t3", now)
    return ntp.PACKET.pack(first, stratum, 6, -20, 65536 // 4, 65536 // 2, reference, 0, origin, t2, t3)


@pytest.fixture
def server(peer_that):
    """A UDP server for the time of a `with`: `server(act)` → port; `act(socket, question, from)`."""
    return peer_that


def replies(**how):
    return lambda sock, question, peer: sock.sendto(answer(question, **how), peer)


@pytest.mark.parametrize("ahead_s", [0.0, 90.0, -90.0, 0.25, -3600.0])
def test_offset_is_theirs_minus_ours(server, ask, ahead_s) -> None:
    with server(replies(ahead_s=ahead_s)) as port:
        seen = ask("ntp", port)
    assert isinstance(seen, NtpSample), seen
    assert seen.offset_ms == pytest.approx(ahead_s * 1000, abs=50)
    assert 0 < seen.delay_ms < 100
    assert (seen.stratum, seen.leap, seen.reference_id) == (2, 0, "192.0.2.1")
    assert (seen.root_delay_ms, seen.root_dispersion_ms) == (250.0, 500.0)


def test_our_question_is_a_client_of_version_4_and_tells_no_time(server, ask) -> None:
    questions = []

    def act(sock, question, peer) -> None:
        questions.append(question)
        sock.sendto(answer(question), peer)

    with server(act) as port:
        ask("ntp", port)
        ask("ntp", port)
    assert [(len(question), question[0], question[1:40]) for question in questions] == [(48, 0x23, bytes(39))] * 2
    assert questions[0][40:] != questions[1][40:]
    told = struct.unpack("!Q", questions[0][40:48])[0]
    assert abs(ntp.apart_s(told, ntp.stamp(time.time_ns()))) > 1


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"first": 0xE4}, (2, 3)),
        ({"stratum": 16}, (16, 0)),
        ({"stratum": 255}, (255, 0)),
        ({"first": 0x64}, (2, 1)),
        ({"first": 0x1C}, (2, 0)),  # an old server answers in version 3
    ],
)
def test_what_the_server_says_of_itself_is_reported(server, ask, how, expected) -> None:
    with server(replies(**how)) as port:
        seen = ask("ntp", port)
    assert (seen.stratum, seen.leap) == expected


def test_reference_of_stratum_1_is_a_name(server, ask) -> None:
    with server(replies(stratum=1, reference=b"GPS\0")) as port:
        assert ask("ntp", port).reference_id == "GPS"


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"origin": 1}, "another question"),
        ({"origin": 0}, "another question"),
        ({"first": 0x23}, "mode 3"),
        ({"first": 0x25}, "mode 5"),
        ({"first": 0x26}, "mode 6"),
        ({"first": 0x04}, "version 0"),
        ({"t2": 0}, "without a time"),
        ({"t3": 0}, "without a time"),
    ],
)
def test_what_is_no_answer_to_our_question_is_rejected(server, ask, how, words) -> None:
    with server(replies(**how)) as port:
        seen = ask("ntp", port)
    assert seen.kind is Kind.REJECTED
    assert words in seen.detail


@pytest.mark.parametrize("garbage", [b"", b"x", bytes(47), b"\x24" * 1000])
def test_garbage_is_rejected(server, ask, garbage) -> None:
    with server(lambda sock, question, peer: sock.sendto(garbage, peer)) as port:
        assert ask("ntp", port).kind is Kind.REJECTED


def test_flood_of_garbage_is_bounded(server, ask) -> None:
    with server(lambda sock, question, peer: [sock.sendto(b"x", peer) for _ in range(200)]) as port:
        start = time.monotonic()
        assert ask("ntp", port).kind is Kind.REJECTED
    assert time.monotonic() - start < 5


def test_forged_datagrams_before_the_true_one_do_not_count(server, ask) -> None:
    def act(sock, question, peer) -> None:
        sock.sendto(answer(question, origin=secrets.randbits(64), ahead_s=1e6), peer)
        sock.sendto(b"short", peer)
        sock.sendto(answer(question, ahead_s=5), peer)

    with server(act) as port:
        assert ask("ntp", port).offset_ms == pytest.approx(5000, abs=50)


def test_silent_server_is_a_timeout(server, ask) -> None:
    with server(lambda *_: None) as port:
        assert ask("ntp", port, timeout_s=0.2).kind is Kind.TIMEOUT


def test_closed_port_is_refused(ask) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    assert ask("ntp", port).kind is Kind.REFUSED


@pytest.mark.parametrize("code", ["DENY", "RSTR", "RATE"])
def test_after_a_kiss_the_server_is_left_alone(server, ask_twice, code) -> None:
    questions = []

    def act(sock, question, peer) -> None:
        questions.append(question)
        sock.sendto(answer(question, stratum=0, reference=code.encode(), t2=0, t3=0), peer)

    with server(act) as port:
        first, second = ask_twice("ntp", port)
    assert (first.stratum, first.reference_id, first.offset_ms, first.delay_ms) == (0, code, None, None)
    assert second.kind is Kind.DENIED
    assert code in second.detail
    assert len(questions) == 1


def test_server_that_is_not_ready_may_be_asked_again(server, ask_twice) -> None:
    with server(replies(stratum=0, reference=b"INIT", first=0xE4)) as port:
        assert [one.reference_id for one in ask_twice("ntp", port)] == ["INIT", "INIT"]


def test_each_further_kiss_for_asking_too_often_doubles_the_silence() -> None:
    prober, lengths = ntp.NtpProber(), []
    for _ in range(8):
        prober._heed(("a", 123), "RATE")
        lengths.append(prober._silences["a", 123].length_s)
    assert lengths == [64, 128, 256, 512, 1024, 2048, 3600, 3600]
    prober._heed(("a", 123), None)
    assert not prober._silences


def test_whole_control_characters_of_a_hostile_reference_are_not_shown(server, ask) -> None:
    with server(replies(stratum=0, reference=b"\x1b[2J")) as port:
        assert ask("ntp", port).reference_id == "[2J"


# the arithmetic


def test_stamp_of_1970_and_of_the_new_era() -> None:
    assert ntp.stamp(0) == 2_208_988_800 << 32
    assert ntp.stamp(unix_ns(ERA_END)) == 0
    assert ntp.stamp(500_000_000) & 0xFFFFFFFF == 1 << 31


def exchange(sent_ns: int, *, ahead_ns: int, there_ns: int, back_ns: int, busy_ns: int = 0) -> NtpSample | str:
    """Compute what is read of an exchange whose every time is known."""
    t2 = sent_ns + there_ns + ahead_ns
    data = ntp.PACKET.pack(0x24, 2, 6, -30, 0, 0, b"\0" * 4, 0, 7, ntp.stamp(t2), ntp.stamp(t2 + busy_ns))
    return ntp.read_answer(data, "s", 7, sent_ns, sent_ns + there_ns + busy_ns + back_ns)


@pytest.mark.parametrize("before_s", [0.0005, 0.5, 1, 3600])
@pytest.mark.parametrize("ahead_s", [0, 0.001, 90, -90, 86400])
def test_offset_is_right_across_the_end_of_the_era(before_s, ahead_s) -> None:
    seen = exchange(unix_ns(ERA_END) - round(before_s * 1e9), ahead_ns=round(ahead_s * 1e9), there_ns=10**6, back_ns=10**6)
    assert seen.offset_ms == pytest.approx(ahead_s * 1000, abs=1e-3)
    assert seen.delay_ms == pytest.approx(2, abs=1e-3)


@given(
    sent_ns=st.integers(0, unix_ns(ERA_END + timedelta(days=20_000))),
    ahead_ns=st.integers(-20_000 * DAY_NS, 20_000 * DAY_NS),
    there_ns=st.integers(0, 10**9),
    back_ns=st.integers(0, 10**9),
    busy_ns=st.integers(0, 10**9),
)
def test_true_offset_is_within_half_the_round_trip(sent_ns, ahead_ns, there_ns, back_ns, busy_ns) -> None:
    seen = exchange(sent_ns, ahead_ns=ahead_ns, there_ns=there_ns, back_ns=back_ns, busy_ns=busy_ns)
    if isinstance(seen, str):  # the one stamp in an era that means "no time"
        assert 0 in {ntp.stamp(sent_ns + there_ns + ahead_ns), ntp.stamp(sent_ns + there_ns + ahead_ns + busy_ns)}
        return
    assert abs(seen.offset_ms - ahead_ns / 1e6) <= seen.delay_ms / 2 + 1e-3
    assert seen.delay_ms == pytest.approx(max((there_ns + back_ns) / 1e6, 2**-30 * 1e3), abs=1e-3)


def test_step_of_our_clock_backwards_gives_no_negative_round_trip() -> None:
    seen = exchange(10**18, ahead_ns=0, there_ns=10**6, back_ns=-(10**9))
    assert seen.delay_ms > 0


@given(st.binary(max_size=100))
def test_no_datagram_raises(data) -> None:
    assert isinstance(ntp.read_answer(data, "s", 1, 0, 0), str | NtpSample)


@pytest.mark.parametrize(
    ("text", "expected"), [("ntp.example", ("ntp.example", 123)), ("[::1]:1123", ("::1", 1123)), ("192.0.2.1:1", ("192.0.2.1", 1))]
)
def test_target_is_read(text, expected) -> None:
    address, options = ntp.read_target(text)
    assert (address, options["port"]) == expected


# a real one


@contextlib.contextmanager
def chronyd(daemon, free_udp_port, path, folder, conf: str, **environment: str):
    port = free_udp_port()
    (folder / "chrony.conf").write_text(
        f"port {port}\ncmdport 0\nbindaddress 127.0.0.1\nallow 127.0.0.1\npidfile {folder / 'pid'}\n{conf}\n"
    )
    command = [path, "-x", "-d", "-n", "-u", "root", "-F", "0", "-f", folder / "chrony.conf"]
    with daemon(command, folder / "log", env=os.environ | environment) as process:
        yield port, process


def until_it_answers(ask, port: int, process) -> NtpSample:
    end = time.monotonic() + 20
    while isinstance(seen := ask("ntp", port, timeout_s=1), Failure):
        assert process.poll() is None
        assert time.monotonic() < end, seen
        time.sleep(0.02)
    return seen


needs_chronyd = [pytest.mark.needs("chronyd"), pytest.mark.needs_root]


class TestChronyd:
    pytestmark = needs_chronyd

    def test_our_own_clock_served_back_has_no_offset(self, ask, chrony, tmp_path) -> None:
        with chrony(tmp_path, "local stratum 10") as (port, process):
            seen = until_it_answers(ask, port, process)
        assert (seen.stratum, seen.leap) == (10, 0)
        assert abs(seen.offset_ms) < 50
        assert abs(seen.offset_ms) <= seen.delay_ms / 2 + 0.5

    def test_server_without_a_source_says_so(self, ask, chrony, tmp_path) -> None:
        with chrony(tmp_path, "") as (port, process):
            seen = until_it_answers(ask, port, process)
        assert seen.leap == 3

    @pytest.mark.needs("faketime")
    @pytest.mark.parametrize("ahead_s", [90, -90])
    def test_wrong_clock_is_seen_with_its_sign(self, ask, chrony, tmp_path, ahead_s) -> None:
        # the library itself: the program faketime forks, and would be what is ended
        library = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")[0]
        with chrony(tmp_path, "local stratum 10", LD_PRELOAD=library, FAKETIME=f"{ahead_s:+d}s") as (port, process):
            seen = until_it_answers(ask, port, process)
        assert seen.offset_ms == pytest.approx(ahead_s * 1000, abs=500)

    @pytest.fixture
    def chrony(self, binary, run_daemon, free_udp_port):
        return lambda folder, conf, **more: chronyd(run_daemon, free_udp_port, binary("chronyd"), folder, conf, **more)
