"""Traces through real routers: namespaces in a chain, and what each fault looks like from its first end."""

import asyncio
import importlib.util
import itertools
import random
import socket
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.finding import Finding, State
from checks.path import Limits, judge
from probe.inventory import Node
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation
from probe.observation.path import Hop, PathSample, Said
from probe.probers import path, pmtu
from probe.probers.hop_channel import Answer, Channels, _Waiting, aim, round_trip_ms
from probe.probers.icmp_batch import Oddity
from probe.probers.icmp_wire import checksum, echo_request
from probe.probers.path_history import MOST_ROUTES, MOST_TARGETS, History, same
from probe.probers.path_pace import BURST, Pace
from probe.probers.path_trace import GAP, loop_in
from probe.probers.path_udp import quoted_udp

HERE = Path(__file__).parent
spec = importlib.util.spec_from_file_location("path_chain", HERE / "path_chain.py")
assert spec is not None
assert spec.loader is not None
path_chain = importlib.util.module_from_spec(spec)
spec.loader.exec_module(path_chain)
FAR, FAR6, NODES = path_chain.FAR, path_chain.FAR6, path_chain.NODES

QUICK = {"count": 10, "interval_ms": 10, "wait_ms": 150}
MARKED = QUICK | {"edge": ["10.0.0.1"], "pop": ["10.255.0.2", "10.255.1.2"]}
CHAIN = [pytest.mark.needs_root, pytest.mark.needs("ip", "nft")]


@pytest.fixture(scope="module")
def built() -> Iterator[Any]:
    with path_chain.Chain() as made:
        yield made


@pytest.fixture
def chain(built: Any) -> Iterator[Any]:
    """Give the chain with nothing wrong, and probers that have seen nothing yet."""
    yield built
    built.heal()
    built.over("pop")
    built.forget()


def ask(chain: Any, address: str = FAR, **options: Any) -> Any:
    return msgspec.convert(chain.ask("path", address, **(MARKED | options)), PathSample | Failure)


def judged(outcome: Any) -> dict[str, Finding]:
    seen = Observation("here", "far", "path", datetime(2026, 1, 1, tzinfo=UTC), 1.0, outcome)
    return {finding.check: finding for finding in judge(seen, None, Limits())}


def places(sample: PathSample) -> list[str | None]:
    return [hop.address for hop in sample.hops]


LISTEN = """
import socket, sys
sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
sock.bind(("agent", 0x0800))
print("ready", flush=True)
target, left = socket.inet_aton(sys.argv[1]), int(sys.argv[2])
while left:
    packet, sender = sock.recvfrom(2048)
    if packet[16:20] == target and packet[9] == 1 and sender[2] != 4:
        print(packet.hex())
        left -= 1
"""


def answered_after_burst(chain: Any) -> None:
    """Give the routers time to answer as many errors as before: their allowance grows by one a second."""
    for node in NODES:
        chain.run(node, "sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")


class TestOnAChain:
    pytestmark = CHAIN

    @pytest.mark.parametrize("protocol", ["icmp", "udp"])
    @pytest.mark.parametrize(
        ("target", "hops"), [(FAR, ["10.0.0.1", "10.255.0.2", FAR]), (FAR6, ["fd00::1", "fd00:255::2", FAR6])], ids=["ipv4", "ipv6"]
    )
    def test_good_path_has_every_hop_and_no_loss(self, chain: Any, protocol: str, target: str, hops: list[str]) -> None:
        seen = ask(chain, target, protocol=protocol)
        assert places(seen) == hops
        assert [hop.said for hop in seen.hops] == [Said.EXCEEDED, Said.EXCEEDED, Said.REPLY]
        assert (seen.reached, seen.sent, seen.answered, seen.loop) == (True, 10, 10, ())
        assert all(hop.min_ms is not None and 0 < hop.min_ms <= hop.mean_ms <= hop.max_ms < 50 for hop in seen.hops)
        assert [(mark.place, mark.answered) for mark in seen.marks] == [("edge", 10), ("pop", 10), ("pop", 10)]
        assert seen.source == ("10.0.0.2" if target == FAR else "fd00::2")
        assert {finding.state for finding in judged(seen).values()} == {State.OK}

    def test_host_of_our_own_segment_has_no_next_hop_to_blame(self, chain: Any) -> None:
        gone, far = ask(chain, "10.0.0.99", wait_ms=4000), ask(chain, count=1)
        assert judged(gone)["path/reach"].message.id == "path.neighbour.gone"
        chain.nft("edge", "meta l4proto icmp drop", hook="input")
        silent = ask(chain, "10.0.0.1", count=1)
        chain.heal()
        assert judged(silent)["path/reach"].message.id == "path.neighbour.silent"
        assert (gone.neighbour, silent.neighbour, far.neighbour) == (True, True, False)

    def test_unprivileged_user_traces_too(self, chain: Any) -> None:
        chain.run("agent", "sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647")
        chain.forget()
        chain._uid = 65534
        try:
            for target, first in ((FAR, "10.0.0.1"), (FAR6, "fd00::1")):
                seen = ask(chain, target)
                assert (places(seen)[0], seen.reached, seen.answered) == (first, True, 10)
            assert ask(chain, FAR, protocol="udp").kind is Kind.DENIED
        finally:
            chain.forget()
            chain._uid = 0

    def test_carrier_s_far_end_down_is_told_from_the_line(self, chain: Any) -> None:
        answered_after_burst(chain)
        assert ask(chain).reached
        chain.nft("pop", f"ip daddr {FAR} drop")
        seen = ask(chain)
        assert (seen.reached, seen.answered, places(seen)[:2]) == (False, 0, ["10.0.0.1", "10.255.0.2"])
        assert len(seen.hops) == 2 + GAP
        unmarked = msgspec.structs.replace(seen, marks=())
        assert judged(unmarked)["path/reach"].message.id == "path.ends.target"  # the hop before the last one known answers
        found = judged(seen)
        assert (found["path/reach"].state, found["path/reach"].message.id) == (State.CRITICAL, "path.ends.beyond")
        assert found["path/reach"].message.values == {"hop": "10.255.0.2"}
        assert found["path/loss"].state is State.UNKNOWN

    def test_line_to_the_pop_is_told_from_what_lies_behind_it(self, chain: Any) -> None:
        answered_after_burst(chain)
        chain.nft("edge", 'oifname { "pop", "pop2" } drop')
        found = judged(ask(chain))
        assert (found["path/reach"].message.id, found["path/reach"].message.values) == ("path.ends.line", {"hop": "10.0.0.1"})

    def test_pop_that_never_answers_says_nothing_by_its_silence(self, chain: Any) -> None:
        answered_after_burst(chain)
        chain.nft("pop", "meta l4proto icmp drop", hook="input")
        chain.nft("pop", "icmp type time-exceeded drop", hook="output")
        good = ask(chain, edge=["10.0.0.1"], pop=["10.255.0.2"])
        assert (good.reached, [mark.quiet for mark in good.marks]) == (True, [False, True])
        chain.nft("pop", f"ip daddr {FAR} drop")
        seen = ask(chain, edge=["10.0.0.1"], pop=["10.255.0.2"])
        assert (seen.reached, [mark.quiet for mark in seen.marks]) == (False, [False, True])
        assert judged(seen)["path/reach"].message.id == "path.ends.outside"

    def test_our_own_side_is_told_from_the_line(self, chain: Any) -> None:
        chain.nft("edge", 'iifname "agent" meta l4proto icmp drop', hook="prerouting")
        found = judged(ask(chain))
        assert (found["path/reach"].state, found["path/reach"].message.id) == (State.CRITICAL, "path.silent")
        chain.heal()
        chain.nft("edge", f'iifname "agent" ip daddr {{ 10.255.0.2, {FAR} }} drop', hook="prerouting")
        assert judged(ask(chain, edge=["10.0.0.7"], pop=["10.255.0.2"]))["path/reach"].message.id == "path.silent"

    def test_refusing_router_is_named(self, chain: Any) -> None:
        answered_after_burst(chain)
        chain.ip("pop", "route add unreachable 203.0.113.0/24")
        try:
            reach = judged(ask(chain))["path/reach"]
        finally:
            chain.ip("pop", "route del unreachable 203.0.113.0/24")
        assert reach.message.id == "path.unreachable.beyond"
        assert reach.message.values == {"error": "host unreachable from 10.255.0.2"}

    def test_fibre_cut_at_our_own_port_is_ours(self, chain: Any) -> None:
        chain.ip("agent", "link set edge down")
        try:
            assert ask(chain).kind is Kind.UPLINK
        finally:
            chain.ip("agent", "link set edge up", "route add default via 10.0.0.1")
            chain.ip("agent", "addr replace fd00:0:0::2/64 dev edge nodad", "route add ::/0 via fd00:0:0::1")

    def test_cut_behind_the_edge_leaves_its_words(self, chain: Any) -> None:
        answered_after_burst(chain)
        chain.run("edge", "sysctl", "-qw", "net.ipv4.neigh.pop.retrans_time_ms=50")
        chain.ip("pop", "link set edge down")
        try:
            chain.ip("edge", "neigh flush dev pop")
            reach = judged(ask(chain, pop=["10.255.0.2"]))["path/reach"]
        finally:
            chain.ip("pop", "link set edge up", "route add 10.0.0.0/24 via 10.255.0.1")
            chain.ip("pop", "addr replace fd00:255:0::2/64 dev edge nodad", "route replace fd00:0:0::/64 via fd00:255:0::1")
        assert reach.state is State.CRITICAL
        assert reach.message.id in {"path.ends.line", "path.unreachable.line"}

    @pytest.mark.parametrize(("target", "route"), [(FAR, "203.0.113.0/24 via 10.255.0.1"), (FAR6, "2001:db8::/64 via fd00:255:0::1")])
    def test_routing_loop_names_both_routers(self, chain: Any, target: str, route: str) -> None:
        answered_after_burst(chain)
        chain.ip("pop", f"route add {route}")
        try:
            seen = ask(chain, target)
        finally:
            chain.ip("pop", f"route del {route.split(maxsplit=1)[0]}")
        assert len(seen.loop) == 2
        assert set(seen.loop) <= set(places(seen))
        assert judged(seen)["path/reach"].message.id == "path.loop"

    def test_loss_at_a_middle_hop_alone_is_no_loss(self, chain: Any) -> None:
        chain.nft("edge", "icmp type time-exceeded drop", hook="output")
        seen = ask(chain)
        assert (seen.hops[0].address, seen.hops[0].answered, seen.reached) == (None, 0, True)
        assert {finding.state for finding in judged(seen).values()} == {State.OK}

    def test_loss_behind_the_pop_is_blamed_there(self, chain: Any) -> None:
        chain.nft("pop", f"ip daddr {FAR} numgen inc mod 3 == 0 drop")
        loss = judged(ask(chain, count=60))["path/loss"]
        assert (loss.state, loss.message.id) == (State.CRITICAL, "path.loss.beyond")
        assert loss.value == pytest.approx(0.33, abs=0.06)

    def test_loss_on_the_line_is_blamed_there(self, chain: Any) -> None:
        chain.nft("edge", 'oifname "pop" numgen inc mod 3 == 0 drop')
        loss = judged(ask(chain, count=30, pop=["10.255.0.2"]))["path/loss"]
        assert (loss.state, loss.message.id) == (State.CRITICAL, "path.loss.line")

    def test_change_of_the_path_is_told_with_what_was_before(self, chain: Any) -> None:
        assert judged(ask(chain, rounds=1))["path/change"].message.id == "path.first"
        assert judged(ask(chain, rounds=1))["path/change"].message.id == "path.steady"
        chain.over("pop2")
        change = judged(ask(chain, rounds=1))["path/change"]
        assert (change.state, change.message.id) == (State.WARNING, "path.changed")
        said = change.message.values
        assert (said["ttl"], said["old"], said["new"], said["hops"]) == (2, "10.255.0.2", "10.255.1.2", 3)
        chain.over("pop")
        ask(chain, rounds=1)
        chain.over("pop2")
        back = ask(chain, rounds=1)
        assert [route.hops[1] for route in back.routes] == ["10.255.1.2", "10.255.0.2"]
        assert judged(back)["path/change"].message.id == "path.unstable"

    def test_broken_path_says_what_was_before(self, chain: Any) -> None:
        ask(chain)
        chain.nft("edge", "drop")
        before = judged(ask(chain))["path/change"]
        assert (before.state, before.message.id, before.message.values["hops"]) == (State.UNKNOWN, "path.before", 3)

    def test_routers_are_not_asked_beyond_their_patience(self) -> None:
        """Linux answers 6 errors at once, then one a second: that must not be shown as loss."""
        with path_chain.Chain() as fresh:
            seen = [ask(fresh, count=1) for _ in range(6)]
        assert [hop for sample in seen for hop in sample.hops if hop.answered < hop.sent] == []
        assert sum(sample.hops[0].sent for sample in seen) <= BURST + 3
        assert all(sample.reached for sample in seen)

    def test_shared_load_is_no_change_of_the_path(self, chain: Any) -> None:
        """Both PoPs are next hops at once, chosen by addresses and ports: each protocol goes one way, trace after trace."""
        chain.run("edge", "sysctl", "-qw", "net.ipv4.fib_multipath_hash_policy=1")
        chain.ip("edge", "route replace default nexthop via 10.255.0.2 nexthop via 10.255.1.2")
        try:
            seen = [ask(chain, protocol=protocol, count=1) for _ in range(8) for protocol in ("udp", "icmp")]
        finally:
            chain.over("pop")
        assert [(sample.changes, len(sample.routes)) for sample in seen] == [(0, 1)] * 16
        assert all(hop.others == () for sample in seen for hop in sample.hops)

    def test_all_probes_are_one_flow(self, chain: Any) -> None:
        """Routers share load by the first bytes of the transport header: type, code and checksum, or both ports."""
        ear = chain.popen("edge", sys.executable, "-c", LISTEN, FAR, "13")
        assert ear.stdout.readline() == b"ready\n"
        ask(chain, count=1, edge=[], pop=[], wait_ms=200)
        packets = [bytes.fromhex(line) for line in ear.communicate(timeout=10)[0].decode().split()]
        assert len(packets) == 13
        assert len({packet[20:26] for packet in packets}) == 1
        assert len({packet[26:28] for packet in packets}) == 13


def test_our_own_loopback_is_reached_in_one_hop() -> None:
    async def once() -> Any:
        async with path.open() as prober:
            return await prober.ask(Node("me", "127.0.0.1"), path.Options(count=2, wait_ms=100))

    seen = asyncio.run(once())
    if isinstance(seen, Failure):
        assert seen.kind is Kind.DENIED
    else:
        assert (seen.reached, len(seen.hops)) == (True, 1)


@pytest.mark.parametrize("prober", [path, pmtu])
@pytest.mark.parametrize(
    ("address", "kind", "words"),
    [
        ("224.0.0.1", Kind.DENIED, "a multicast address"),
        ("0.0.0.0", Kind.DENIED, "the unspecified address"),
        ("::", Kind.DENIED, "the unspecified address"),
        ("255.255.255.255", Kind.DENIED, "the broadcast address"),
        ("127.255.255.255", Kind.DENIED, "the broadcast address of a segment"),
        ("fe80::1", Kind.DENIED, "say on which interface"),
        ("fe80::1%nowhere", Kind.UPLINK, "no interface nowhere"),
        (None, Kind.BROKEN, "no address"),
    ],
)
def test_what_can_t_be_traced_is_said(prober: Any, address: str | None, kind: Kind, words: str) -> None:
    async def once() -> Any:
        async with prober.open() as made:
            return await made.ask(Node("x", address), prober.Options())

    failure = asyncio.run(once())
    assert (failure.kind, words in failure.detail) == (kind, True), failure


def test_ipv4_host_of_a_mapped_address_is_reached_by_ipv4() -> None:
    assert aim(socket.AF_INET6, "::ffff:192.0.2.1") == aim(socket.AF_INET, "192.0.2.1")


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.binary(min_size=8, max_size=8), st.integers(0, 60))
def test_balanced_echoes_have_one_checksum(one: int, other: int, token: bytes, more: int) -> None:
    def sealed(seq: int) -> bytes:
        return echo_request(socket.AF_INET, 7, seq, token + (0xFFFF - seq).to_bytes(2, "big") + bytes(range(more)))

    assert sealed(one)[2:4] == sealed(other)[2:4]
    assert checksum(sealed(one)) == 0


@pytest.mark.parametrize(
    ("addresses", "loop"),
    [
        ("ABC", ""),
        ("ABAB", "AB"),
        ("XABA", "AB"),
        ("ABCA", "ABC"),
        ("AABB", ""),  # a router that counts badly answers twice in a row
        ("A.A", "A"),
        ("A.BA", "AB"),
        ("", ""),
    ],
)
def test_loop_is_an_address_that_comes_again(addresses: str, loop: str) -> None:
    hops = [
        Hop(n, None if a == "." else a, 1, int(a != "."), Said.SILENT if a == "." else Said.EXCEEDED) for n, a in enumerate(addresses, 1)
    ]
    assert loop_in(hops) == tuple(loop)


def test_history_knows_one_route_from_another() -> None:
    known = History()
    assert known.note("t", 0.0, ("a", "b", "t"), 2.0)[0][0].since_s == 0.0
    routes, changes, watched = known.note("t", 10.0, ("a", None, "t"), 1.0)
    assert (len(routes), changes, watched) == (1, 0, 10.0)
    assert (routes[0].hops, routes[0].since_s, routes[0].times, routes[0].min_ms) == (("a", "b", "t"), 10.0, 2, 1.0)
    routes, changes, _ = known.note("t", 20.0, ("a", "c", "t"), None)
    assert ([route.hops[1] for route in routes], changes, routes[1].seen_s) == (["c", "b"], 1, 10.0)
    routes, changes, _ = known.note("t", 30.0, ("a", "b", "t"), 3.0)
    assert ([route.hops[1] for route in routes], changes, routes[0].since_s) == (["b", "c"], 2, 0.0)
    routes, changes, _ = known.note("t", 40.0, None, None)
    assert (routes[0].seen_s, changes) == (10.0, 2)
    assert known.note("t", 4000.0, None, None)[1] == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.lists(st.sampled_from("abc"), max_size=3)), max_size=40))
def test_history_stays_small_and_true(traces: list[tuple[int, list[str]]]) -> None:
    known = History()
    for at, (target, hops) in enumerate(traces):
        routes, changes, _ = known.note(str(target), float(at), tuple(hops), 1.0)
        assert 1 <= len(routes) <= MOST_ROUTES
        assert routes[0].hops == tuple(hops)
        assert changes <= at
        assert not any(same(a.hops, b.hops) for a, b in itertools.combinations(routes, 2))
        assert [route.seen_s for route in routes] == sorted(route.seen_s for route in routes)


def test_history_forgets_the_target_asked_longest_ago() -> None:
    known = History()
    for number in range(MOST_TARGETS + 1):
        known.note(str(number), float(number), ("a",), None)
    assert (known.latest("0"), known.latest("1")) == ((), ("a",))


def test_patience_of_a_router_is_six_then_one_a_second() -> None:
    pace = Pace()
    assert [pace.take("r", 0.0) for _ in range(7)] == [True] * 6 + [False]
    assert not pace.take("spared", 0.0, BURST)
    assert pace.take("spared", 0.0, BURST - 1)
    assert [pace.take("r", 0.9), pace.take("r", 1.0), pace.take("r", 1.5)] == [False, True, False]
    assert pace.take("other", 1.5)
    pace.charge("new", 0.0)
    assert [pace.take("new", 0.0) for _ in range(6)] == [True] * 5 + [False]


@given(st.binary(max_size=128), st.sampled_from([2, 10]))
def test_no_packet_breaks_the_reading_of_quoted_udp(data: bytes, family: int) -> None:
    quoted_udp(family, Oddity(bytes(16), None, [], data))


@pytest.mark.needs_root
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_no_answer_breaks_the_channel_or_is_taken_for_another(family: int) -> None:
    """Mutate true answers byte by byte: each is told once, as what it is, from a place it can be from, or not at all."""
    chance = random.Random(7)
    us, it, hop = (bytes([n]) * (4 if family == socket.AF_INET else 16) for n in (10, 11, 12))

    def header(source: bytes, target: bytes, body: bytes) -> bytes:
        if family == socket.AF_INET6:
            return b"\x60\0\0\0" + len(body).to_bytes(2, "big") + b"\x3a\x40" + source + target
        return b"\x45\0" + (20 + len(body)).to_bytes(2, "big") + bytes(4) + b"\x40\x01\0\0" + source + target

    async def inside() -> int:
        channels, told = Channels(), 0
        channel = channels.of(family)
        assert not isinstance(channel, Failure)
        for _ in range(4000):
            answers: list[Answer] = []
            seq = channel._free()
            channel._waiting[seq] = _Waiting(it, time.time_ns(), time.monotonic_ns(), answers.append)
            echo = echo_request(family, channel._ident, seq, channel._token + bytes(8))
            reply = bytes([0 if family == socket.AF_INET else 129]) + echo[1:]
            error = bytes([11 if family == socket.AF_INET else 3]) + bytes(7) + header(us, it, echo) + echo
            body = bytearray(chance.choice([reply, error]))
            for _ in range(chance.randrange(4)):
                body[chance.randrange(len(body))] = chance.randrange(256)
            del body[chance.randrange(len(body)) if chance.random() < 0.2 else len(body) :]
            source = it if chance.random() < 0.5 else hop
            data = bytes(body) if family == socket.AF_INET6 else header(source, us, bytes(body)) + bytes(body)
            channel._read(Oddity(source, None, [], data))
            channel._read(Oddity(source, None, [], data))
            assert len(answers) <= 1
            assert all(answer.hop == source and (answer.said is not Said.REPLY or source == it) for answer in answers)
            told += len(answers)
            channel.forget(seq)
        channels.close()
        return told

    assert 1000 < asyncio.run(inside()) < 4000


def test_round_trip_across_a_step_of_the_clock_is_the_monotonic_one() -> None:
    sent = SimpleNamespace(wall=time.time_ns(), mono=time.monotonic_ns() - 5_000_000)
    assert round_trip_ms(sent.wall - 5_000_000, sent.mono, sent.wall) == pytest.approx(5, abs=0.1)
    for step in (-3_600_000_000_000, 3_600_000_000_000):
        assert 5 <= round_trip_ms(sent.wall - 5_000_000 + step, sent.mono, sent.wall) < 50
