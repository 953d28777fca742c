"""Echo bursts on real sockets: this machine's loopback, and namespaces in which hosts are silent, lie, or are not there."""

import asyncio
import errno
import itertools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.inventory import Node
from probe.job import Job
from probe.observation.failure import Failure, Kind
from probe.observation.icmp import EchoSample
from probe.observation.observation import Outcome
from probe.probers import icmp, icmp_channel
from probe.probers.icmp import IcmpProber, Options
from probe.probers.icmp_batch import Receiver, Sender, Sent
from probe.probers.icmp_burst import Bunch, Destination, jitter_ns
from probe.probers.icmp_wire import checksum, echo_request, read_error4, read_error6
from probe.probers.prober import BurstProber

ROOT = Path(__file__).parents[2]
QUICK = Options(interval_ms=1, wait_ms=300)
NOBODY = 65534


def run(work: Callable[[IcmpProber], Coroutine[Any, Any, Any]]) -> Any:
    async def inside() -> Any:
        async with icmp.open() as prober:
            return await work(prober)

    return asyncio.run(inside())


def ask(address: str, options: Options = QUICK) -> Outcome:
    return run(lambda prober: prober.ask(Node("node", address), options))


def loopback(number: int) -> str:
    return f"127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}"


def jobs(count: int, options: Options = QUICK, **more: Any) -> list[Job]:
    return [Job("agent", Node(f"n{n}", loopback(n)), "icmp", options, **more) for n in range(count)]


async def gather(prober: IcmpProber, wanted: list[Job]) -> list[tuple[Job, Outcome]]:
    return [one async for some in prober.ask_all(wanted) for one in some]


def lab(setup: str, *addresses: str, uid: int = 0, way: str = "one", habits: dict[str, str] | None = None, **options: Any) -> Any:
    """Run tests/probe/icmp_lab.py in a network namespace after the shell commands of `setup`; return {address: (seconds, outcome)}."""
    program = [sys.executable, str(ROOT / "tests/probe/icmp_lab.py"), str(uid), json.dumps(options), way, json.dumps(habits or {})]
    script = f"""trap '[ -z "${{peer:-}}" ] || kill $peer' EXIT; ip link set lo up; {setup}\n"$@" """
    done = subprocess.run(
        ["unshare", "--net", "sh", "-euc", script, "sh", *program, *addresses],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {address: (seconds, msgspec.convert(outcome, EchoSample | Failure)) for address, seconds, outcome in rows}


SILENT_KERNEL = "sysctl -qw net.ipv4.icmp_echo_ignore_all=1"
ROUTER = """
unshare --net sleep 60 >/dev/null 2>&1 & peer=$!
until [ "$(readlink /proc/$peer/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
ip link add near type veth peer name far netns $peer
nsenter -t $peer -n sh -euc 'ip link set lo up; ip addr add 10.9.0.2/24 dev far; ip addr add fd09::2/64 dev far nodad; ip link set far up
  sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
  ip route add unreachable 203.0.113.0/24; ip route add unreachable fd99::/64'
ip addr add 10.9.0.1/24 dev near; ip addr add fd09::1/64 dev near nodad; ip link set near up
ip route add 203.0.113.0/24 via 10.9.0.2; ip route add fd99::/64 via fd09::2
sysctl -qw net.ipv4.neigh.near.retrans_time_ms=50 net.ipv6.neigh.near.retrans_time_ms=50
until ip -6 addr show dev near | grep -q 'scope link' && ! ip -6 addr show dev near | grep -q tentative; do :; done
"""


# Jitter, wire


@pytest.mark.parametrize(
    ("round_trips", "jitter"),
    [
        ([], None),
        ([7], None),
        ([10, 10], 0.0),
        ([10, 26], 1.0),  # J = 16/16
        ([10, 26, 10], 1.0 + 15 / 16),  # J += (16 - 1)/16
        ([10, 26, 26], 1.0 - 1 / 16),
        ([10, 26, 10, 10], (1 + 15 / 16) * 15 / 16),
        ([16, 0, 32], 1.0 + 31 / 16),
    ],
)
def test_jitter_is_rfc_3550s(round_trips: list[int], jitter: float | None) -> None:
    assert jitter_ns(round_trips) == pytest.approx(jitter)


@given(st.binary(max_size=200))
def test_a_message_with_its_checksum_in_it_sums_to_zero(payload: bytes) -> None:
    assert checksum(echo_request(socket.AF_INET, 1, 2, payload)) == 0


@given(st.binary(max_size=120))
def test_no_packet_breaks_the_reading_of_errors(data: bytes) -> None:
    read_error4(data)
    read_error6(data, bytes(16))


@given(st.lists(st.integers(0, 20)), st.integers(1, 7))
def test_bunches_lose_nobody_and_hold_no_address_twice(addresses: list[int], most: int) -> None:
    bunch = Bunch()
    for number, address in enumerate(addresses):
        bunch.add(Destination(socket.AF_INET, str(address), b"", bytes([address])), print, number)
    parts = bunch.split(most)
    assert sorted(token for part in parts for token in part.tokens) == list(range(len(addresses)))
    for part in parts:
        packed = [destination.packed for destination in part.destinations]
        assert len(set(packed)) == len(packed) <= most


# Loopback


@pytest.mark.needs_root
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost"])
@pytest.mark.parametrize("size", [16, 56, 57, 1000, 20000])
def test_loopback_answers_every_echo(address: str, size: int) -> None:
    seen = ask(address, Options(interval_ms=1, size=size))
    assert isinstance(seen, EchoSample)
    assert (seen.sent, seen.received, seen.duplicates, seen.error) == (5, 5, 0, None)
    assert seen.min_rtt_ms is not None
    assert seen.mean_rtt_ms is not None
    assert seen.max_rtt_ms is not None
    assert 0 < seen.min_rtt_ms <= seen.mean_rtt_ms <= seen.max_rtt_ms < 100
    assert seen.jitter_ms is not None


@pytest.mark.needs_root
def test_a_thousand_targets_lose_nothing_and_each_is_answered_once() -> None:
    wanted = jobs(1000, Options(interval_ms=5))
    got = run(lambda prober: gather(prober, wanted))
    assert sorted(job.key for job, _ in got) == sorted(job.key for job in wanted)
    assert {(seen.sent, seen.received, seen.error) for _, seen in got} == {(5, 5, None)}
    assert all(seen.address == job.node.address for job, seen in got)


@pytest.mark.needs_root
def test_echoes_are_paced() -> None:
    start = time.monotonic()
    got = run(lambda prober: gather(prober, jobs(1000, Options(count=1))))
    assert len(got) == 1000
    assert time.monotonic() - start > (1000 - 2 * 256) / icmp_channel.MOST_PER_S


@pytest.mark.needs_root
def test_families_options_and_one_address_twice_go_together() -> None:
    wanted = [*jobs(20), *jobs(20, Options(count=1, wait_ms=200)), *jobs(20)]
    wanted += [Job("agent", Node("six", "::1"), "icmp", QUICK), Job("agent", Node("name", "localhost"), "icmp", QUICK)]
    got = run(lambda prober: gather(prober, wanted))
    assert len(got) == 62
    assert all(seen.received == job.options.count for job, seen in got)


@pytest.mark.needs_root
def test_many_asks_at_once_and_cancelling_some_hurts_no_other() -> None:
    async def work(prober: IcmpProber) -> list[Outcome]:
        tasks = [asyncio.create_task(prober.ask(Node("n", loopback(n)), Options(interval_ms=20))) for n in range(60)]
        tasks += [asyncio.create_task(prober.ask(Node("same", "127.1.0.1"), Options(interval_ms=20))) for _ in range(2)]
        await asyncio.sleep(0)
        tasks[60].cancel()  # still waiting to be sent
        await asyncio.sleep(0.03)
        for task in tasks[:30]:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(one, asyncio.CancelledError) for one in (*done[:30], done[60]))
        return [*done[30:60], done[61]]

    assert all(seen.received == seen.sent == 5 for seen in run(work))


@pytest.mark.needs_root
def test_a_cancelled_burst_leaves_nothing_under_way() -> None:
    async def work(prober: IcmpProber) -> None:
        call = prober.ask_all(jobs(300, Options(count=100, interval_ms=50)))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(aiter(call)), 0.1)
        await call.aclose()
        channel = prober._channels[socket.AF_INET]
        assert isinstance(channel, icmp_channel.Channel)
        assert not channel._bursts
        assert not channel._by_seq
        assert not channel._echoes

    run(work)


@pytest.mark.needs_root
def test_the_jobs_own_deadline_cuts_the_burst_not_the_wait() -> None:
    start = time.monotonic()
    ((_, seen),) = run(lambda prober: gather(prober, jobs(1, Options(count=100, interval_ms=100, wait_ms=100), timeout_s=0.55)))
    assert time.monotonic() - start < 1
    assert 4 <= seen.sent == seen.received <= 5


@pytest.mark.needs_root
@pytest.mark.parametrize("why", [errno.EAGAIN, errno.ENOBUFS])
def test_a_full_send_buffer_only_delays(why: int, monkeypatch: pytest.MonkeyPatch) -> None:
    send, calls = Sender.send, itertools.count()
    monkeypatch.setattr(Sender, "send", lambda self, *span: Sent(0, why) if next(calls) % 3 == 1 else send(self, *span))
    got = run(lambda prober: gather(prober, jobs(100)))
    assert {(seen.sent, seen.received) for _, seen in got} == {(5, 5)}


def open_files() -> set[str]:
    return {f"{number} {os.readlink(f'/proc/self/fd/{number}')}" for number in os.listdir("/proc/self/fd") if _is_open(number)}


def _is_open(number: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{number}")


@pytest.mark.needs_root
def test_sockets_close_with_open_and_whoever_still_waits_is_told_that_it_is_ours() -> None:
    async def inside() -> tuple[set[str], set[str], list[Outcome]]:
        before = open_files()
        async with icmp.open() as prober:
            assert isinstance(prober, BurstProber)
            tasks = [
                asyncio.create_task(prober.ask(Node("n", address), Options(count=100, interval_ms=50))) for address in ("127.0.0.1", "::1")
            ]
            await asyncio.sleep(0.02)
            assert len(open_files() - before) == 2
        return before, open_files(), await asyncio.gather(*tasks)

    before, after, outcomes = asyncio.run(inside())
    assert after == before
    assert outcomes == [Failure(Kind.BROKEN, "the prober was closed")] * 2


@pytest.mark.parametrize("address", ["224.0.0.1", "255.255.255.255", "0.0.0.0", "ff02::1", "::"])
def test_an_address_of_many_hosts_is_refused_as_ours(address: str) -> None:
    seen = ask(address)
    assert isinstance(seen, Failure)
    assert (seen.kind, seen.ours) == (Kind.DENIED, True)
    assert address in seen.detail


def test_an_ipv4_address_in_ipv6_dress_is_asked_as_the_ipv4_host_that_it_is() -> None:
    seen = ask("::ffff:127.0.0.1")
    assert isinstance(seen, EchoSample)
    assert (seen.address, seen.received) == ("::ffff:127.0.0.1", seen.sent)


def test_a_long_burst_says_how_long_it_takes() -> None:
    assert Options().longest_s == 5.0
    assert Options(count=1000).longest_s == pytest.approx(11.99)
    assert Options(wait_ms=60_000).longest_s > 60


def test_a_name_that_is_none_and_a_node_without_address_are_told_apart() -> None:
    assert ask("127.0.0.1", Options(family="ipv6")) == Failure(Kind.UNRESOLVED, "127.0.0.1 is not an IPv6 address")
    seen = run(lambda prober: prober.ask(Node("node"), QUICK))
    assert seen == Failure(Kind.BROKEN, "node has no address in the inventory")


@pytest.mark.parametrize("ahead_s", [-3, 3])
@pytest.mark.needs_root
def test_a_clock_set_during_a_burst_makes_no_absurd_round_trip(ahead_s: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is wrong by some seconds while the echo is sent, and right when the answer is read."""
    wrong = [ahead_s * 10**9]
    clock = SimpleNamespace(time_ns=lambda: time.time_ns() + wrong[0], monotonic_ns=time.monotonic_ns)
    monkeypatch.setattr(icmp_channel, "time", clock)
    take = Receiver.take

    def take_after_the_step(self: Receiver) -> int:
        wrong[0] = 0
        return take(self)

    monkeypatch.setattr(Receiver, "take", take_after_the_step)
    seen = ask("127.0.0.1", Options(count=1))
    assert isinstance(seen, EchoSample)
    assert seen.received == 1
    assert seen.mean_rtt_ms is not None
    assert 0 < seen.mean_rtt_ms < 100


@pytest.mark.needs_root
def test_an_overflowing_receive_buffer_is_our_fault_not_a_loss() -> None:
    async def work(prober: IcmpProber) -> list[tuple[Job, Outcome]]:
        await prober.ask(Node("n", "127.0.0.1"), QUICK)
        channel = prober._channels[socket.AF_INET]
        assert isinstance(channel, icmp_channel.Channel)
        channel._socket.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        return await gather(prober, jobs(200))

    got = run(work)
    lost = [seen for _, seen in got if not isinstance(seen, EchoSample) or seen.received < 5]
    assert lost
    assert all(isinstance(seen, Failure) and seen.kind is Kind.BROKEN and "overflowed" in seen.detail for seen in lost)


# Hosts that are silent or lie


@pytest.fixture(scope="module")
def liars() -> Any:
    habits = [
        "good",
        "twice",
        "slow",
        "late",
        "foreign",
        "damaged",
        "damaged checksum",
        "short",
        "options",
        "other ident",
        "other token",
        "other seq",
    ]
    habits += ["error", "error of another", "dead"]
    places = {f"127.0.1.{number}": habit for number, habit in enumerate(habits, 1)}
    found = lab(SILENT_KERNEL, *places, way="all", habits=places, count=2, interval_ms=20, wait_ms=250)
    return {habit: found[place] for place, habit in places.items()}


LIES = [
    ("good", 2, 0, None),
    ("twice", 2, 1, None),
    ("slow", 2, 0, None),
    ("late", 0, 0, None),
    ("foreign", 0, 0, None),
    ("damaged", 0, 0, "damaged answer"),
    ("damaged checksum", 0, 0, "damaged answer"),
    ("short", 0, 0, "damaged answer"),
    ("options", 2, 0, None),
    ("other ident", 0, 0, None),
    ("other token", 0, 0, None),
    ("other seq", 0, 0, None),
    ("error", 0, 0, "time to live exceeded from 127.9.9.9"),
    ("error of another", 0, 0, None),
    ("dead", 0, 0, None),
]


@pytest.mark.needs_root
@pytest.mark.parametrize(("habit", "received", "duplicates", "error"), LIES)
def test_only_the_right_answer_of_the_right_host_in_time_counts(
    liars: Any, habit: str, received: int, duplicates: int, error: str | None
) -> None:
    _, seen = liars[habit]
    assert (seen.sent, seen.received, seen.error) == (2, received, error)
    assert seen.duplicates >= duplicates
    assert (seen.mean_rtt_ms is None) == (received == 0)


@pytest.mark.needs_root
def test_a_dead_target_never_delays_a_live_ones_result(liars: Any) -> None:
    assert liars["good"][0] < 0.2
    assert liars["error"][0] < 0.2
    assert liars["dead"][0] >= 0.25


@pytest.mark.needs_root
def test_an_answer_from_another_address_is_named_when_one_host_was_asked() -> None:
    ((_, seen),) = lab(SILENT_KERNEL, "127.0.1.1", habits={"127.0.1.1": "foreign"}, count=1, wait_ms=200).values()
    assert seen == EchoSample("127.0.1.1", 1, 0, error="answer from another address, 127.8.8.8")


@pytest.mark.needs_root
def test_late_answers_of_one_burst_are_not_taken_for_the_next() -> None:
    found = lab(SILENT_KERNEL, "127.0.1.1", "127.0.1.2", habits={"127.0.1.1": "late", "127.0.1.2": "dead"}, count=1, wait_ms=250)
    assert [seen.received for _, seen in found.values()] == [0, 0]


@pytest.mark.needs_root
def test_answers_that_lie_in_the_buffer_while_the_loop_is_busy_count_by_when_they_came() -> None:
    habits = {"127.0.1.1": "slow", "127.0.1.2": "late"}
    found = lab(SILENT_KERNEL, *habits, way="stall", habits=habits, count=1, wait_ms=300)
    (took, slow), (_, late) = found["127.0.1.1"], found["127.0.1.2"]
    assert took > 1
    assert slow.received == 1
    assert 95 < slow.mean_rtt_ms < 300
    assert late.received == 0


@pytest.mark.needs("nft")
@pytest.mark.needs_root
def test_ten_thousand_targets_half_of_them_dead(tmp_path: Path) -> None:
    """No live one is lost, no dead one answers, and the event loop is never held for long."""
    program = tmp_path / "many.py"
    program.write_text(MANY)
    script = "ip link set lo up; nft add table ip t; nft add chain ip t i '{ type filter hook input priority 0; }'"
    script += '; nft add rule ip t i ip daddr 127.128.0.0/9 drop; exec "$@"'
    done = subprocess.run(
        ["unshare", "--net", "sh", "-euc", script, "sh", sys.executable, str(program)],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    print(found)
    assert (found["live_lost"], found["dead_answered"], found["answers"]) == (0, 0, 10_000)
    assert found["held_ms"] < 60  # 10 ms on an idle machine
    assert found["memory_mb"] < 40
    assert found["last_live_s"] < found["first_dead_s"] + 3


MANY = """
import asyncio, json, resource, time
from probe.inventory import Node
from probe.job import Job
from probe.probers import icmp
jobs = [Job("a", Node(f"n{n}", f"127.{1 + n % 2 * 127}.{n // 250}.{1 + n % 250}"), "icmp", icmp.Options(wait_ms=800)) for n in range(10_000)]
async def main():
    held = []
    async def tick():
        while True:
            before = time.monotonic()
            await asyncio.sleep(0)
            held.append(time.monotonic() - before)
            await asyncio.sleep(0.001)
    found = dict(answers=0, live_lost=0, dead_answered=0, last_live_s=0.0, first_dead_s=99.0)
    async with icmp.open() as prober:
        ticking = asyncio.create_task(tick())
        memory, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
        async for some in prober.ask_all(jobs):
            now = time.monotonic() - start
            for job, seen in some:
                dead = job.node.address.startswith("127.128.")
                found["answers"] += 1
                found["dead_answered" if dead else "live_lost"] += seen.received if dead else 5 - seen.received
                found["first_dead_s"], found["last_live_s"] = (min(found["first_dead_s"], now), found["last_live_s"]) if dead else (found["first_dead_s"], now)
        ticking.cancel()
    found["held_ms"] = max(held) * 1000
    found["memory_mb"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    print(json.dumps(found))
asyncio.run(main())
"""


# Networks


@pytest.mark.needs("nft", "ip")
@pytest.mark.needs_root
def test_loss_of_thirty_percent_is_seen_as_such() -> None:
    drop = "nft add table ip t; nft add chain ip t i '{ type filter hook input priority 0; }'"
    drop += "; nft add rule ip t i icmp type echo-request numgen random mod 100 \\< 30 drop"
    ((_, seen),) = lab(drop, "127.0.0.1", count=400, interval_ms=1, wait_ms=300).values()
    assert seen.sent == 400
    assert 0.2 < seen.loss_ratio < 0.4


USERS = [pytest.param(0, "true", id="raw"), pytest.param(NOBODY, 'sysctl -qw net.ipv4.ping_group_range="0 2147483647"', id="datagram")]


@pytest.mark.needs("ip")
@pytest.mark.needs_root
@pytest.mark.parametrize(("uid", "setup"), USERS)
@pytest.mark.parametrize("way", ["one", "all"])
def test_unreachable_hosts_are_told_with_the_hop_that_said_so(uid: int, setup: str, way: str) -> None:
    there = ["10.9.0.2", "fd09::2", "127.0.0.1", "::1"]
    gone = {
        "203.0.113.7": "host unreachable from 10.9.0.2",
        "fd99::7": "no route from fd09::2",
        "10.9.0.77": "host unreachable from 10.9.0.1 (this host: no answer to ARP)",
        "fd09::77": "address unreachable from fd09::1 (this host: no answer to neighbour discovery)",
    }
    found = lab(f"{ROUTER}\n{setup}", *there, *gone, "198.51.100.1", uid=uid, way=way, count=2, interval_ms=5, wait_ms=2000)
    assert {address: (found[address][1].received, found[address][1].error) for address in there} == dict.fromkeys(there, (2, None))
    assert {address: (found[address][1].received, found[address][1].error) for address in gone} == {
        address: (0, error) for address, error in gone.items()
    }
    if way == "all":
        assert found["203.0.113.7"][0] < 1, "an error ends the wait"
    assert found["198.51.100.1"][1] == Failure(Kind.UPLINK, "198.51.100.1: Network is unreachable")


@pytest.mark.needs("nft", "ip")
@pytest.mark.needs_root
def test_our_own_filter_and_broadcasts_are_denied_not_lost() -> None:
    drop = "nft add table ip t; nft add chain ip t o '{ type filter hook output priority 0; }'; nft add rule ip t o ip daddr 10.9.0.2 drop"
    found = lab(f"{ROUTER}\n{drop}", "10.9.0.2", "10.9.0.255", count=2, interval_ms=5, wait_ms=300)
    assert {seen.kind for _, seen in found.values()} == {Kind.DENIED}


@pytest.mark.needs_root
def test_without_any_right_the_failure_names_the_cure() -> None:
    found = lab('sysctl -qw net.ipv4.ping_group_range="1 0"', "127.0.0.1", "::1", uid=NOBODY)
    for _, seen in found.values():
        assert (seen.kind, seen.ours) == (Kind.DENIED, True)
        assert "CAP_NET_RAW" in seen.detail
        assert "ping_group_range" in seen.detail


@pytest.mark.needs_root
def test_a_thousand_targets_lose_nothing_on_an_unprivileged_socket_with_a_small_buffer() -> None:
    addresses = [loopback(n) for n in range(1000)]
    setup = 'sysctl -qw net.ipv4.ping_group_range="0 2147483647"'
    found = lab(setup, *addresses, uid=NOBODY, way="all", count=2)
    assert {(seen.sent, seen.received) for _, seen in found.values()} == {(2, 2)}
    assert len(found) == 1000


@pytest.mark.needs_root
def test_a_single_echo_loads_nothing_heavy() -> None:
    code = "import sys; from probe.probers import icmp; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert not {"psutil", "scapy", "click", "sqlalchemy", "pandas"} & set(loaded)
