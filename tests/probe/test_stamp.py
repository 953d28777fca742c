"""STAMP sessions between two programs, through routers that lose one way only, and with another implementation of the packets."""

import asyncio
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.assess import Memory, Rules, assess
from checks.stamp import Limits, judge
from probe.inventory import Node
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation
from probe.observation.stamp import StampSample
from probe.probers import stamp as prober
from probe.probers.stamp import SKIPPED, Came, Losses, Options, _Session, jitter_ms, losses, read_target
from probe.stamp_reflector import MOST_PER_SOURCE, MOST_SESSIONS, Bucket, reflecting
from probe.stamp_wire import (
    SIZE,
    Error,
    OwnClock,
    Question,
    Reflection,
    error_of,
    question,
    read_error,
    read_question,
    read_reflection,
    reflection,
    unix_ns,
)

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
spec = importlib.util.spec_from_file_location("path_chain", HERE / "path_chain.py")
assert spec is not None
assert spec.loader is not None
path_chain = importlib.util.module_from_spec(spec)
spec.loader.exec_module(path_chain)

NOW_NS = 1_800_000_000_123_456_789
QUICK = {"count": 60, "interval_ms": 5, "wait_ms": 300}


@contextmanager
def peer(*arguments: str, chain: Any = None) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run stamp_peer.py, in a chain's far node if one is given; give its port and the program."""
    program = [sys.executable, str(HERE / "stamp_peer.py"), *arguments]
    if chain is not None:
        started = chain.popen("far", *program)
    else:
        env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        started = subprocess.Popen(program, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        yield int(started.stdout.readline()), started
    finally:
        started.stdin.close()
        started.kill()
        started.wait()
        started.stdout.close()


def ask(address: str, port: int, **options: Any) -> Any:
    async def once() -> Any:
        async with prober.open() as opened:
            return await opened.ask(Node("far", address), Options(port=port, **(QUICK | options)))

    return asyncio.run(once())


# The packets, byte by byte (RFC 8762 figures 2 and 5, RFC 8972 figures 2 and 4)


def test_sender_s_packet_is_the_standard_s() -> None:
    packet = question(0x01020304, 1_000_000_000, 0x8001, 0xBEEF)
    assert packet == bytes.fromhex("0102030483aa7e81000000008001beef") + bytes(28)
    assert len(packet) == SIZE


def test_reflector_s_packet_is_the_standard_s() -> None:
    asked = read_question(question(7, 1_500_000_000, 0x0001, 0xBEEF))
    assert asked is not None
    packet = reflection(asked, 9, 2_250_000_000, 2_500_000_000, 0x8123, 254)
    wanted = "0000000983aa7e82800000008123beef83aa7e82400000000000000783aa7e818000000000010000fe000000"
    assert packet == bytes.fromhex(wanted)
    seen = read_reflection(packet, 2_500_000_000)
    assert seen is not None
    assert (seen.seq, seen.sent_ns, seen.received_ns, seen.hops_left, seen.session) == (9, 2_500_000_000, 2_250_000_000, 254, 0xBEEF)
    assert seen.asked == asked


@given(st.binary(max_size=100))
def test_no_packet_breaks_the_reading(data: bytes) -> None:
    assert (read_question(data) is None) == (len(data) < SIZE)
    assert (read_reflection(data, NOW_NS) is None) == (len(data) < SIZE)


@given(st.integers(1_400_000_000_000_000_000, 4_000_000_000_000_000_000))
def test_times_survive_both_formats_and_the_era_of_2036(at_ns: int) -> None:
    packet = question(0, at_ns, 1, 1)
    assert abs(unix_ns(int.from_bytes(packet[4:12], "big"), False, at_ns + 10**12) - at_ns) <= 1
    ptp = (at_ns // 10**9 & 0xFFFFFFFF) << 32 | at_ns % 10**9
    assert unix_ns(ptp, True, at_ns) == at_ns


@given(st.floats(0, 1000), st.booleans())
def test_error_estimate_is_never_below_the_error(seconds: float, synchronised: bool) -> None:
    read = read_error(error_of(synchronised, seconds))
    assert seconds <= read.seconds <= max(seconds * 1.03, 2**-30)
    assert (read.synchronised, read.ptp) == (synchronised, False)


def test_error_estimate_of_the_standard_s_example() -> None:
    assert read_error(0x8000 | 0x4000 | 20 << 8 | 1) == Error(True, True, 2.0**-12)


# Which way what was lost


def session(fate: str, stateful: bool = True) -> tuple[list[int], list[Came]]:
    """Return a session in which each packet fared well (.), was lost on the way out (>) or back (<)."""
    sent = [n if n < SKIPPED else n + 1 for n in range(len(fate))]
    came, reached = [], 0
    for seq, what in zip(sent, fate, strict=True):
        if what == ">":
            continue
        if what == ".":
            came.append(Came(seq, reached if stateful else seq, 0, 0, 1.0))
        reached += 1
    return sent, came


@pytest.mark.parametrize(
    ("fate", "told"),
    [
        ("....", Losses(True, 0, 0, 0)),
        ("..>.", Losses(True, 1, 0, 0)),
        (">...", Losses(True, 1, 0, 0)),
        ("..<.", Losses(True, 0, 1, 0)),
        ("<...", Losses(True, 0, 1, 0)),
        (">.<>.<.", Losses(True, 2, 2, 0)),
        ("..><", Losses(True, 0, 0, 2)),
        ("...>", Losses(True, 0, 0, 1)),
        (".>><", Losses(None, None, None, 3)),  # only the first came: not enough to know what kind of reflector it is
        ("<>><", Losses(None, None, None, 4)),
    ],
)
def test_losses_are_told_by_direction(fate: str, told: Losses) -> None:
    assert losses(*session(fate)) == told


def test_reflector_without_a_count_tells_no_direction() -> None:
    assert losses(*session("..>.<..", stateful=False)) == Losses(False, None, None, 2)
    assert losses(*session("....", stateful=False)) == Losses(False, None, None, 0)


def test_count_that_goes_on_from_an_earlier_session_is_taken_off() -> None:
    sent, came = session("..>..<.")
    later = [one._replace(counted=one.counted + 500) for one in came]
    assert losses(sent, later) == Losses(True, 1, 1, 0)


def test_reflector_that_restarted_lost_nothing() -> None:
    sent, came = session("." * 20)
    assert losses(sent, [one._replace(counted=one.counted % 12) for one in came]) == Losses(None, None, None, 0)
    sent, came = session(".....>..<.....><.")
    assert losses(sent, [one._replace(counted=one.counted % 9) for one in came]) == Losses(None, None, None, 4)


def test_packets_that_overtake_each_other_on_the_way_are_no_restart() -> None:
    sent, came = session("..........")
    came[4], came[6] = came[4]._replace(counted=6), came[6]._replace(counted=4)
    assert losses(sent, came) == Losses(True, 0, 0, 0)


@given(st.text(alphabet="...><", min_size=1, max_size=60))
def test_no_packet_is_counted_twice_or_forgotten(fate: str) -> None:
    sent, came = session(fate)
    told = losses(sent, came)
    assert len(came) + (told.out or 0) + (told.back or 0) + told.unknown == len(sent)
    if told.stateful:
        tail = len(fate) - len(fate.rstrip("<>"))
        assert (told.out, told.back, told.unknown) == (fate[: len(fate) - tail].count(">"), fate[: len(fate) - tail].count("<"), tail)


@pytest.mark.parametrize(("transits", "jitter"), [([], None), ([5], None), ([5, 5], 0.0), ([0, 16_000_000], 1.0), ([-16_000_000, 0], 1.0)])
def test_jitter_is_rfc_3550s(transits: list[int], jitter: float | None) -> None:
    assert jitter_ms(transits) == jitter


# On the wire


def test_session_with_our_own_reflector_loses_nothing_and_knows_both_ways() -> None:
    with peer("reflect", "127.0.0.1", "0", "127.0.0.0/8") as (port, _):
        seen = ask("127.0.0.1", port)
    assert (seen.sent, seen.answered, seen.stateful, seen.lost_out, seen.lost_back, seen.lost_unknown) == (60, 60, True, 0, 0, 0)
    assert 0 < seen.min_rtt_ms <= seen.rtt_ms < 50
    assert (seen.out_ms is None) == (seen.clock_error_ms is None)
    assert seen.jitter_out_ms < 20


def test_ipv6_too() -> None:
    with peer("reflect", "::", "0", "::1/128") as (port, _):
        seen = ask("::1", port, count=10)
    assert (seen.answered, seen.lost_out, seen.lost_back) == (10, 0, 0)


@pytest.mark.parametrize("how", ["stateful", "stateless"])
def test_another_implementation_s_reflector_is_understood(how: str) -> None:
    with peer("foreign", "0", how) as (port, _):
        seen = ask("127.0.0.1", port, count=20, interval_ms=20)
    assert (seen.answered, seen.stateful) == (20, how == "stateful")
    assert (seen.lost_out, seen.lost_back) == ((0, 0) if how == "stateful" else (None, None))


def test_another_implementation_s_sender_is_answered() -> None:
    with peer("reflect", "127.0.0.1", "0", "127.0.0.1/32") as (port, _):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(HERE / "stamp_peer.py"), "ask", str(port), "3"],
            env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True, timeout=30,
        )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["seq"], row["seq_sender"], row["ssid"], row["length"]) for row in rows] == [(n, n, 77, SIZE) for n in range(3)]
    assert all(row["ttl_sender"] == 64 and not row["mbz1"] and not row["mbz2"] for row in rows)
    assert all(-0.01 < row["late_s"] < 1 and 0 <= row["stayed_s"] < 0.1 for row in rows)


def test_reflector_s_own_time_that_can_t_be_is_not_taken_off() -> None:
    """A reflector that says that it kept a packet for ten seconds, of a round trip of none: 0 ms would be made up."""

    async def run() -> Came:
        made = _Session(socket.AF_INET, "127.0.0.1", Options(port=9), OwnClock())
        try:
            made._sent[2] = (1_000_000_000, time.monotonic_ns())
            said = Reflection(1, 11_000_000_000, 1_000_500_000, Error(False, False, 1.0), 0, Question(2, 0, 0, 0), 255)
            made._take(said, 1_001_000_000)
            return made._came[2]
        finally:
            made.close()

    assert asyncio.run(run()).rtt_ms == pytest.approx(1.0)


def test_closed_port_is_refused() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    assert ask("127.0.0.1", port).kind is Kind.REFUSED


def test_silent_port_is_a_sample_without_answers() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        seen = ask("127.0.0.1", deaf.getsockname()[1], count=5)
    assert (seen.sent, seen.answered, seen.rtt_ms, seen.lost_out, seen.lost_unknown) == (5, 0, None, None, 5)


def reflect(work: Any, allowed: tuple[str, ...] = ("127.0.0.0/8",)) -> Any:
    """Run `work(reflector, socket of a sender)` beside an open reflector."""

    async def inside() -> Any:
        async with reflecting("127.0.0.1", 0, allowed) as reflector:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.connect(("127.0.0.1", reflector.port))
                sock.setblocking(False)
                return await work(reflector, sock)

    return asyncio.run(inside())


async def answers(sock: socket.socket, packets: list[bytes]) -> list[bytes]:
    """Send packets, let the reflector read them all, return what came back."""
    for packet in packets:
        sock.send(packet)
    for _ in range(len(packets) // 64 + 3):
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
    found = []
    while True:
        try:
            found.append(sock.recv(2048))
        except BlockingIOError:
            return found


ASKED = question(0, NOW_NS, 1, 5)


@pytest.mark.parametrize("extra", [0, 1, 4, 100, 1472 - SIZE])
def test_answer_is_as_long_as_the_question_and_no_longer(extra: int) -> None:
    (back,) = reflect(lambda _, sock: answers(sock, [ASKED + bytes([0x80] * extra)]))
    assert len(back) == SIZE + extra
    assert back[SIZE:] == bytes([0x80] * extra)  # TLVs that are not understood go back with their U flag (RFC 8972 4)


@pytest.mark.parametrize("packet", [b"", b"x", ASKED[:-1], ASKED + bytes(1473 - SIZE)])
def test_what_is_no_test_packet_gets_no_answer(packet: bytes) -> None:
    async def work(reflector: Any, sock: socket.socket) -> tuple[list[bytes], int]:
        return await answers(sock, [packet]), reflector.counts.malformed

    assert reflect(work) == ([], 1)


def test_who_is_not_allowed_gets_no_answer() -> None:
    async def work(reflector: Any, sock: socket.socket) -> tuple[list[bytes], int]:
        return await answers(sock, [ASKED]), reflector.counts.refused

    assert reflect(work, ("127.0.0.2/32", "::1/128")) == ([], 1)
    assert reflect(work, ()) == ([], 1)


def test_two_reflectors_do_not_talk_to_each_other() -> None:
    async def work(reflector: Any, _: socket.socket) -> int:
        reflector._handle(ASKED, [], ("127.0.0.1", 862))
        reflector._handle(ASKED, [], ("127.0.0.1", reflector.port))
        return int(reflector.counts.refused)

    assert reflect(work) == 2


def test_flood_is_answered_up_to_its_bound() -> None:
    async def work(reflector: Any, _: socket.socket) -> Any:
        for _packet in range(3000):
            reflector._handle(ASKED, [], ("127.0.0.1", 9))
        return reflector.counts

    counts = reflect(work)
    assert MOST_PER_SOURCE <= counts.answered < MOST_PER_SOURCE * 2
    assert counts.answered + counts.limited == 3000


def test_sessions_have_their_own_counts_and_are_bounded() -> None:
    async def work(reflector: Any, _: socket.socket) -> Any:
        first = [reflector._count(("a", 1, 1), 0.0) for _ in range(3)]
        other = [reflector._count(("a", 1, 2), 0.0), reflector._count(("a", 2, 1), 0.0)]
        later = [reflector._count(("a", 1, 1), 899.0), reflector._count(("a", 1, 1), 1800.0)]
        for number in range(MOST_SESSIONS + 10):
            reflector._count(("b", number, 0), 1800.0)
        return first, other, later, len(reflector._sessions)

    assert reflect(work) == ([0, 1, 2], [0, 0], [3, 0], MOST_SESSIONS)


def test_bucket_fills_again() -> None:
    bucket = Bucket(2.0, 0.0)
    assert [bucket.take(0.0), bucket.take(0.0), bucket.take(0.0), bucket.take(0.5), bucket.take(0.6)] == [True, True, False, True, False]


def test_network_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 network"):
        reflect(lambda _, __: asyncio.sleep(0), ("everybody",))


@pytest.mark.parametrize(("text", "read"), [("a", ("a", {"port": 862})), ("a:7", ("a", {"port": 7})), ("[::1]:9", ("::1", {"port": 9}))])
def test_target_is_a_host_with_the_usual_port(text: str, read: Any) -> None:
    assert read_target(text) == read


@pytest.fixture(scope="module")
def chain() -> Iterator[Any]:
    with path_chain.Chain() as made:
        yield made


@pytest.mark.needs_root
@pytest.mark.needs("ip", "nft")
class TestThroughRouters:
    @pytest.mark.parametrize(
        ("rule", "out", "back"),
        [
            (None, 0, 0),
            ("ip daddr 203.0.113.10 udp dport 862 numgen inc mod 5 == 2 drop", 12, 0),
            ("ip saddr 203.0.113.10 udp sport 862 numgen inc mod 5 == 2 drop", 0, 12),
        ],
    )
    def test_loss_is_laid_to_its_direction(self, chain: Any, rule: str | None, out: int, back: int) -> None:
        chain.heal()
        if rule:
            chain.nft("pop", rule)
        with peer("reflect", "0.0.0.0", "862", "10.0.0.0/24", chain=chain):
            seen = msgspec.convert(chain.ask("stamp", "203.0.113.10", **QUICK), StampSample | Failure)
        assert (seen.sent, seen.answered, seen.stateful) == (60, 60 - out - back, True)
        assert (seen.lost_out, seen.lost_back, seen.lost_unknown) == (out, back, 0)

    def test_answer_leaves_from_the_address_that_was_asked(self, chain: Any) -> None:
        """The far node would answer from 10.254.0.2: a connected socket, and every firewall, would not take that for the answer."""
        chain.heal()
        with peer("reflect", "::", "862", "fd00:0:0::/64", chain=chain):
            seen = msgspec.convert(chain.ask("stamp", "2001:db8::10", **(QUICK | {"count": 5})), StampSample | Failure)
        assert seen.answered == 5

    @pytest.mark.long
    @pytest.mark.parametrize(
        ("match", "way"), [("ip daddr 203.0.113.10 udp dport 862", "out"), ("ip saddr 203.0.113.10 udp sport 862", "back")]
    )
    def test_1_percent_of_a_line_is_said_within_300_s(self, chain: Any, match: str, way: str) -> None:
        """As the service asks: a session every 10 s, sooner while a bad reading is not believed yet; 100 s of them before, unharmed."""
        chain.heal()
        chain.forget()
        memory, rules = Memory(), Rules(judge, Limits())
        with peer("reflect", "0.0.0.0", "862", "10.0.0.0/24", chain=chain):
            begun = time.monotonic() + 100
            start, hurt, said = begun - 100, False, ""
            while not said and start < begun + 300:
                time.sleep(max(0.0, start - time.monotonic()))
                if start >= begun and not hurt:
                    chain.nft("pop", f"{match} numgen random mod 100 == 0 drop")
                    hurt = True
                seen = msgspec.convert(chain.ask("stamp", "203.0.113.10"), StampSample | Failure)
                memory, result = assess(Observation("agent", "far", "stamp", datetime.now(UTC), 1.0, seen), memory, rules)
                track = memory.tracks.get(("stamp/loss-lately", ""))
                said = track.said if track is not None and track.bad else ""
                start = time.monotonic() + 1.0 if result.repeat else start + 10.0
            assert (said, hurt) == (f"stamp.lately.{way}", True)
            assert time.monotonic() - begun <= 300
        chain.heal()


def test_a_session_takes_the_time_it_says() -> None:
    start = time.monotonic()
    with peer("reflect", "127.0.0.1", "0", "127.0.0.0/8") as (port, _):
        ask("127.0.0.1", port, count=20, interval_ms=10)
    assert time.monotonic() - start < Options(count=20, interval_ms=10).longest_s
