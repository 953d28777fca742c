"""Connecting to real sockets: open, closed, silent, out of our own means; and how the target is typed."""

import asyncio
import errno
import resource
import socket
import time
from collections.abc import Awaitable, Callable

import msgspec
import pytest

import probe.dial
from probe.dial import failure_of
from probe.inventory import Node
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Outcome
from probe.observation.tcp import ConnectSample
from probe.probers import tcp
from probe.target import read_address_and_port


def ask(address: str | None, port: int, timeout_s: float = 3.0, **options: str) -> Outcome:
    async def run() -> Outcome:
        async with tcp.open() as prober:
            return await asyncio.wait_for(prober.ask(Node("n", address), tcp.Options(port=port, **options)), timeout_s)

    return asyncio.run(run())


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        sock.bind((host, 0))
        return sock.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_open_port_is_measured(host: str) -> None:
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as server:
        port = server.getsockname()[1]
        seen = ask(host, port)
    assert isinstance(seen, ConnectSample)
    assert (seen.address, seen.port) == (host, port)
    assert 0 < seen.connect_ms < 1000


def test_our_own_delay_is_not_taken_for_theirs() -> None:
    async def run() -> Outcome:
        async with tcp.open() as prober:
            asked = asyncio.create_task(prober.ask(Node("n", "127.0.0.1"), tcp.Options(port=port)))
            await asyncio.sleep(0)
            time.sleep(0.2)  # noqa: ASYNC251  the loop is busy with something else
            return await asked

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        seen = asyncio.run(run())
    assert isinstance(seen, ConnectSample)
    assert 0 < seen.connect_ms < 100


def test_a_repeated_syn_counts_in_full() -> None:
    async def run() -> Outcome:
        async with tcp.open() as prober:
            asked = asyncio.create_task(prober.ask(Node("n", "127.0.0.1"), tcp.Options(port=server.getsockname()[1])))
            await asyncio.sleep(0.2)  # the first SYN has met a full queue
            for _ in fillers:
                server.accept()[0].close()
            return await asyncio.wait_for(asked, 5)

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        fillers = [socket.create_connection(server.getsockname())]
        try:
            seen = asyncio.run(run())
        finally:
            for one in fillers:
                one.close()
    assert isinstance(seen, ConnectSample)
    assert 900 < seen.connect_ms < 2500


def test_a_name_is_resolved_in_the_family_asked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        seen = ask("localhost", server.getsockname()[1], family="ipv4")
    assert isinstance(seen, ConnectSample)
    assert seen.address == "127.0.0.1"


def test_an_address_of_the_other_family_is_not_asked() -> None:
    seen = ask("127.0.0.1", 9, family="ipv6")
    assert isinstance(seen, Failure)
    assert seen.kind is Kind.UNRESOLVED


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_closed_port_is_refused_not_silent(host: str) -> None:
    assert ask(host, free_port(host)) == Failure(Kind.REFUSED, "Connection refused")


def test_a_node_without_address_is_our_fault() -> None:
    seen = ask(None, 80)
    assert isinstance(seen, Failure)
    assert seen.ours
    assert "n has no address" in seen.detail


def test_a_host_that_drops_our_packets_ends_at_the_deadline_and_leaves_no_socket() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        fillers = []
        try:
            for _ in range(3):  # a full queue drops further SYNs
                one = socket.socket()
                one.setblocking(False)
                one.connect_ex(server.getsockname())
                fillers.append(one)
            with pytest.raises(TimeoutError):
                ask("127.0.0.1", server.getsockname()[1], timeout_s=0.3)
        finally:
            for one in fillers:
                one.close()


def test_when_our_descriptors_are_used_up_it_is_denied_and_not_their_outage() -> None:
    async def run() -> Outcome:
        async with tcp.open() as prober:
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            with socket.socket() as last:
                top = last.fileno()
            resource.setrlimit(resource.RLIMIT_NOFILE, (top, hard))
            try:
                return await prober.ask(Node("n", "127.0.0.1"), tcp.Options(port=9))
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    seen = asyncio.run(run())
    assert seen == Failure(Kind.DENIED, "Too many open files")


@pytest.mark.parametrize(
    ("code", "at_once", "later"),
    [
        (errno.ENETUNREACH, Kind.UPLINK, Kind.UNREACHABLE),
        (errno.EHOSTUNREACH, Kind.UPLINK, Kind.UNREACHABLE),
        (errno.EACCES, Kind.DENIED, Kind.UNREACHABLE),
        (errno.EPERM, Kind.DENIED, Kind.DENIED),
        (errno.EADDRNOTAVAIL, Kind.DENIED, Kind.DENIED),
        (errno.EMFILE, Kind.DENIED, Kind.DENIED),
        (errno.ENETDOWN, Kind.UPLINK, Kind.UPLINK),
        (errno.ECONNREFUSED, Kind.REFUSED, Kind.REFUSED),
        (errno.ECONNRESET, Kind.REJECTED, Kind.REJECTED),
        (errno.ETIMEDOUT, Kind.TIMEOUT, Kind.TIMEOUT),
        (errno.ELOOP, Kind.BROKEN, Kind.BROKEN),
    ],
)
def test_what_the_kernel_says_at_once_is_ours_and_what_comes_back_is_theirs(code: int, at_once: Kind, later: Kind) -> None:
    why = OSError(code, "words")
    assert failure_of(why, at_once=True) == Failure(at_once, "words")
    assert failure_of(why) == Failure(later, "words")


def with_server(peer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], times: int) -> None:
    async def run() -> None:
        met = 0
        done = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal met
            await peer(reader, writer)
            met += 1
            writer.close()
            if met == times:
                done.set()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, tcp.open() as prober:
            for _ in range(times):
                await prober.ask(Node("n", "127.0.0.1"), tcp.Options(port=server.sockets[0].getsockname()[1]))
            await asyncio.wait_for(done.wait(), 3)

    asyncio.run(run())


def test_the_peer_sees_an_ordinary_end_and_beyond_the_bound_a_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[str] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            ends.append("end" if await reader.read() == b"" else "data")
        except ConnectionResetError:
            ends.append("reset")

    monkeypatch.setattr(probe.dial, "MOST_TIME_WAIT", 2)
    monkeypatch.setattr(probe.dial._Closed, "count", 0)
    monkeypatch.setattr(probe.dial._Closed, "minute", 0)
    monkeypatch.setattr(probe.dial.time, "monotonic", lambda: 30.0)
    with_server(listen, 4)
    assert sorted(ends) == ["end", "end", "reset", "reset"]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("db:5432", ("db", 5432)),
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("[::1]:443", ("::1", 443)),
        ("[fe80::1%eth0]:443", ("fe80::1%eth0", 443)),
        ("db.example.org:1", ("db.example.org", 1)),
        ("h:65535", ("h", 65535)),
    ],
)
def test_target_is_read(text: str, read: tuple[str, int]) -> None:
    assert tcp.read_target(text) == (read[0], {"port": read[1]})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("db", "the port is missing"),
        ("127.0.0.1", "the port is missing"),
        ("[::1]", "the port is missing"),
        ("::1", "brackets"),
        ("::1:443", "brackets"),
        ("fe80::1:2:443", "brackets"),
        ("[db]:1", "IPv6"),
        ("db:0", "no port"),
        ("db:65536", "no port"),
        ("db:http", "no port"),
        ("db:٣", "no port"),
        (":80", "no host"),
        ("", "no host"),
        ("user@db:80", "no host"),
        ("http://db:80", "brackets"),
        ("a b:80", "no host"),
    ],
)
def test_what_is_no_target_is_refused_with_its_cure(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"write host:port") as why:
        tcp.read_target(text)
    assert words in str(why.value)


@pytest.mark.parametrize(
    ("text", "read"),
    [("h", ("h", 443)), ("::1", ("::1", 443)), ("[::1]", ("::1", 443)), ("[::1]:8443", ("::1", 8443)), ("10.0.0.1", ("10.0.0.1", 443))],
)
def test_with_a_usual_port_the_port_may_be_left_out(text: str, read: tuple[str, int]) -> None:
    assert read_address_and_port(text, 443) == read


@pytest.mark.parametrize("given", [{}, {"port": 0}, {"port": 65536}, {"port": 80, "prot": 1}, {"port": 80, "family": "ipv5"}])
def test_options_out_of_range_are_refused(given: dict) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(given, tcp.Options)


def test_item_is_the_port() -> None:
    assert tcp.Options(port=22).item == "22"
