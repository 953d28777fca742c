import asyncio
import contextlib
import ctypes
import socket
import struct
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.inventory import Node
from probe.observation.sockets import SocketsSample
from probe.probers import sockets
from probe.probers.procfs import Procfs
from probe.probers.socket_table import Table, name_destination, parse_table, read_table, read_table_by_proc
from probe.probers.sockets import Looks, Options, parse_conntrack_drops, parse_counters, parse_usage

CLONE_NEWNET = 0x40000000
RANGE = range(32768, 61000)


def in_new_namespace(work: Callable[[], None]) -> None:
    """Run `work` in a thread with a network namespace of its own, which ends with it."""
    failed: list[BaseException] = []

    def thread() -> None:
        try:
            assert ctypes.CDLL(None).unshare(CLONE_NEWNET) == 0
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            work()
        except BaseException as why:  # told to the test below
            failed.append(why)

    one = threading.Thread(target=thread)
    one.start()
    one.join()
    if failed:
        raise failed[0]


@pytest.fixture
def namespace_root(tmp_path: Path) -> str:
    """A root whose /proc/net is that of the reading thread; /proc/net itself is the first thread's."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/net").symlink_to("/proc/thread-self/net")
    (tmp_path / "proc/sys").symlink_to("/proc/sys")
    return f"{tmp_path}/"


@contextlib.contextmanager
def connected(count: int) -> Iterator[int]:
    server = socket.create_server(("127.0.0.1", 0), backlog=count)
    held = [server]
    try:
        for _ in range(count):
            held.append(socket.create_connection(server.getsockname()))
            held.append(server.accept()[0])
        yield server.getsockname()[1]
    finally:
        for one in held:
            one.close()


def test_this_machine_has_sockets() -> None:
    async def twice() -> object:
        async with sockets.open() as prober:
            await prober.ask(Node("here"), Options())
            return await prober.ask(Node("here"), Options())

    with connected(3):
        sample = asyncio.run(twice())
    assert isinstance(sample, SocketsSample)
    assert sample.missing == {}
    assert sample.states["ESTABLISHED"] >= 6
    assert sample.states["LISTEN"] >= 1
    assert sample.tcp_in_use is not None
    assert sample.tcp_in_use >= 7
    assert sample.out_segments_since is not None
    assert sample.over_s is not None
    assert msgspec.json.decode(msgspec.json.encode(sample), type=SocketsSample) == sample


def test_first_look_has_no_differences() -> None:
    looks = Looks()
    sample = looks.look(Options(table=False))
    looks.close()
    assert (sample.over_s, sample.out_segments_since, sample.listen_drops_since, sample.retransmission_ratio) == (None,) * 4
    assert (sample.states, sample.ephemeral_in_use) == ({}, None)


@pytest.mark.needs_root
@pytest.mark.needs("ip")
def test_overflowed_listening_socket_is_counted(namespace_root: str) -> None:
    def work() -> None:
        looks = Looks(namespace_root)
        server = socket.create_server(("127.0.0.1", 0), backlog=0)
        looks.look(Options())
        clients = []
        for _ in range(8):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(server.getsockname())
            clients.append(client)
        sample = looks.look(Options())
        for one in (server, *clients):
            one.close()
        looks.close()
        assert sample.listen_overflows_since is not None
        assert sample.listen_overflows_since >= 5
        assert sample.listen_drops_since is not None
        assert sample.listen_drops_since >= sample.listen_overflows_since
        assert sample.states["SYN-SENT"] >= 5

    in_new_namespace(work)


@pytest.mark.needs_root
@pytest.mark.needs("ip")
def test_ports_towards_one_destination_are_counted_when_they_run_short(namespace_root: str) -> None:
    def work() -> None:
        Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40099")
        looks = Looks(namespace_root)
        with socket.create_server(("127.0.0.1", 9000), backlog=100), socket.create_server(("127.0.0.2", 9000), backlog=100):
            held = [socket.create_connection(("127.0.0.1", 9000)) for _ in range(60)]
            held += [socket.create_connection(("127.0.0.2", 9000)) for _ in range(10)]
            sample = looks.look(Options())
            for one in held:
                one.close()
        looks.close()
        assert sample.ephemeral_ports == 100
        assert sample.ephemeral_in_use is not None
        assert 60 <= sample.ephemeral_in_use <= 70  # the kernel may use a port for both destinations
        assert (sample.busiest_destination, sample.busiest_ports) == ("127.0.0.1:9000", 60)

    in_new_namespace(work)


@pytest.mark.needs_root
@pytest.mark.needs("ip")
def test_datagrams_thrown_away_are_counted(namespace_root: str) -> None:
    def work() -> None:
        looks = Looks(namespace_root)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as slow, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
            slow.bind(("127.0.0.1", 0))
            looks.look(Options(table=False))
            for _ in range(50):
                out.sendto(bytes(500), slow.getsockname())
            sample = looks.look(Options(table=False))
        looks.close()
        assert sample.udp_receive_errors_since is not None
        assert sample.udp_receive_errors_since >= 30

    in_new_namespace(work)


def test_table_by_netlink_and_by_proc_agree(namespace_root: str) -> None:
    with connected(40) as port:
        files = Procfs()
        diag, proc = read_table(range(port, port + 1)), read_table_by_proc(files, range(port, port + 1))
        files.close()
    for state in ("ESTABLISHED", "LISTEN"):
        assert abs(diag.states[state] - proc.states[state]) <= 4  # others may connect between the two
    assert diag.ephemeral_in_use == proc.ephemeral_in_use == 1


def message(state: int, port: int, peer: tuple[str, int] = ("192.0.2.9", 443), more: int = 0) -> bytes:
    body = struct.pack("=BBBB", socket.AF_INET, state, 0, 0) + struct.pack("!HH", port, peer[1])
    body += bytes(16) + socket.inet_aton(peer[0]) + bytes(12) + bytes(12) + bytes(20) + bytes(more)
    return struct.pack("=IHHII", 16 + len(body), 20, 2, 1, 0) + body


DONE = struct.pack("=IHHIII", 20, 3, 2, 1, 0, 0)


@given(st.lists(st.tuples(st.sampled_from([1, 2, 6, 10]), st.integers(1, 65535), st.sampled_from([0, 8, 36])), max_size=40))
def test_bulk_reading_counts_what_one_after_another_would(rows: list[tuple[int, int, int]]) -> None:
    buffer = b"".join(message(state, port, more=more) for state, port, more in rows) + DONE
    table = parse_table([buffer], RANGE)
    names = {1: "ESTABLISHED", 2: "SYN-SENT", 6: "TIME-WAIT", 10: "LISTEN"}
    assert table.states == Counter(names[state] for state, _, _ in rows)
    assert table.ephemeral_in_use == len({port for state, port, _ in rows if state != 10 and port in RANGE})


def test_destinations_are_told_apart_by_address_and_port() -> None:
    rows = [message(1, 100 + n, ("192.0.2.9", 443)) for n in range(3)] + [message(6, 110, ("192.0.2.9", 80)), message(10, 105)]
    table = parse_table([b"".join(rows)], range(100, 116))
    assert table.destinations is not None
    assert {name_destination(peer): count for peer, count in table.destinations.items()} == {"192.0.2.9:443": 3, "192.0.2.9:80": 1}
    assert parse_table([b"".join(rows)], range(100, 117)).destinations is None


@given(st.binary(max_size=300))
def test_no_content_breaks_the_table(raw: bytes) -> None:
    parse_table([raw], RANGE)


def test_cut_off_message_is_left_out() -> None:
    assert parse_table([message(1, 40000) + message(1, 40001)[:50]], RANGE).states == {"ESTABLISHED": 1}


def test_kernel_without_inet_diag_is_read_by_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(ports: range) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(sockets, "read_table", refuse)
    looks = Looks()
    with connected(2):
        sample = looks.look(Options())
    looks.close()
    assert sample.missing == {}
    assert sample.states["ESTABLISHED"] >= 4


def test_one_refusal_of_the_kernel_does_not_cost_the_table_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([OSError(105, "No buffer space available"), Table({"LISTEN": 77}, 0, None)])

    def read(ports: range) -> Table:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(sockets, "read_table", read)
    looks = Looks()
    assert looks.look(Options()).states.get("LISTEN") != 77
    looks._table_until = 0.0
    assert looks.look(Options()).states == {"LISTEN": 77}
    looks.close()


@pytest.mark.parametrize(("cpu_s", "reads"), [(0.0, 3), (0.02, 1)])
def test_table_that_takes_long_is_not_read_at_every_look(monkeypatch: pytest.MonkeyPatch, cpu_s: float, reads: int) -> None:
    count = 0

    def read(ports: range) -> Table:
        nonlocal count
        count += 1
        until = time.thread_time() + cpu_s
        while time.thread_time() < until:
            pass
        return Table({"LISTEN": count}, 0, None)

    monkeypatch.setattr(sockets, "read_table", read)
    looks = Looks()
    seen = [looks.look(Options()).states for _ in range(3)]
    looks.close()
    assert count == reads
    assert seen[-1] == {"LISTEN": reads}


def test_usage_of_both_families_is_read() -> None:
    raw = b"sockets: used 17\nTCP: inuse 5 orphan 1 tw 2 alloc 6 mem 3\nUDP: inuse 4 mem 0\nFRAG: inuse 0 memory 0\nTCP6: inuse 2\nodd\n"
    used = parse_usage(raw)
    assert (used["TCP inuse"], used["TCP tw"], used["TCP6 inuse"], used["UDP inuse"]) == (5, 2, 2, 4)


def test_counters_are_read_by_their_names_whatever_their_order() -> None:
    raw = b"Ip: A B\nIp: 1 2\nTcp: MaxConn OutSegs RetransSegs New\nTcp: -1 3561 7 9\nUdp: InErrors\nUdp: 4\nTcpExt: X\n"
    assert parse_counters(raw, frozenset((b"Tcp", b"Udp", b"TcpExt"))) == {
        "Tcp MaxConn": -1,
        "Tcp OutSegs": 3561,
        "Tcp RetransSegs": 7,
        "Tcp New": 9,
        "Udp InErrors": 4,
    }


@pytest.mark.parametrize(
    ("raw", "drops"),
    [
        (b"entries found drop early_drop\n01 00 0000000a 3\n01 00 00000010 0\n", 26),
        (b"entries drop\n", 0),
        (b"entries found\n1 2\n", None),
        (b"", None),
    ],
)
def test_drops_of_all_processors_are_summed(raw: bytes, drops: int | None) -> None:
    assert parse_conntrack_drops(raw) == drops


def recorded(root: Path, **files: str) -> Looks:
    for path, text in files.items():
        file = root / "proc" / path.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return Looks(f"{root}/")


NEEDED = {
    "net__sockstat": "TCP: inuse 5 orphan 1 tw 2 alloc 6 mem 3\n",
    "net__snmp": "Tcp: OutSegs RetransSegs\nTcp: 1000 10\nUdp: InErrors\nUdp: 0\n",
    "net__netstat": "TcpExt: ListenOverflows ListenDrops\nTcpExt: 0 0\n",
}


def test_kernel_without_conntrack_has_none_of_it_and_nothing_is_missing(tmp_path: Path) -> None:
    sample = recorded(tmp_path, **NEEDED).look(Options(table=False))
    assert (sample.conntrack_count, sample.conntrack_max, sample.conntrack_drops_since, sample.missing) == (None, None, None, {})


def test_full_conntrack_is_told(tmp_path: Path) -> None:
    looks = recorded(tmp_path, **NEEDED, sys__net__netfilter__nf_conntrack_count="150\n", sys__net__netfilter__nf_conntrack_max="150\n")
    stats = tmp_path / "proc/net/stat/nf_conntrack"
    stats.parent.mkdir()
    stats.write_text("entries drop\n0 00\n")
    assert looks.look(Options(table=False)).conntrack_drops_since is None
    stats.write_text("entries drop\n0 1f\n")
    sample = looks.look(Options(table=False))
    assert (sample.conntrack_count, sample.conntrack_max, sample.conntrack_drops_since) == (150, 150, 31)


def test_counters_that_fell_give_no_difference(tmp_path: Path) -> None:
    looks = recorded(tmp_path, **NEEDED)
    looks.look(Options(table=False))
    (tmp_path / "proc/net/snmp").write_text("Tcp: OutSegs RetransSegs\nTcp: 5 0\nUdp: InErrors\nUdp: 0\n")
    sample = looks.look(Options(table=False))
    assert (sample.out_segments_since, sample.retransmitted_since, sample.retransmission_ratio) == (None, None, None)


def test_part_that_breaks_is_missing_and_leaves_the_others(tmp_path: Path) -> None:
    sample = recorded(tmp_path, **NEEDED | {"net__snmp": "Tcp: OutSegs\nTcp: many\n"}).look(Options(table=False))
    assert sample.missing.keys() == {"counters"}
    assert sample.tcp_in_use == 5
