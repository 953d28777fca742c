"""The MySQL prober against a real MariaDB, and against servers that mean no good."""

import contextlib
import hashlib
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from probe.observation.database import DatabaseSample
from probe.observation.failure import Failure, Kind
from probe.probers import mysql
from probe.probers.mysql import Options
from probe.wire.mysql import OURS, SSL, caching_sha2_scramble, native_scramble, read_greeting

pytestmark = pytest.mark.needs("mariadbd", "mysql_install_db", "mariadb")


def test_refusal_of_the_unknown_user_is_a_greeting(mariadb, ask) -> None:
    seen = ask("mysql", mariadb.port)
    assert isinstance(seen, DatabaseSample), seen
    assert (seen.engine, seen.stage, seen.connections) == ("mariadb", "greeting", None)
    assert seen.server_version.startswith("1")
    assert 0 < seen.connect_ms < seen.ready_ms


@pytest.mark.parametrize("tls", ["off", "prefer", "require"])
@pytest.mark.parametrize("user", ["native", "open"])
def test_login_and_statements_work(mariadb, ask, password, user, tls) -> None:
    seen = ask("mysql", mariadb.port, user=user, password=password if user == "native" else None, tls=tls)
    assert isinstance(seen, DatabaseSample), seen
    assert (seen.stage, seen.max_connections, seen.in_recovery) == ("query", 10, None)
    assert seen.connections >= 1
    assert seen.query_ms > 0


def test_tls_is_spoken_when_it_is_offered(mariadb, ask, password) -> None:
    assert ask("mysql", mariadb.port, user="enveloped", password=password).stage == "query"
    seen = ask("mysql", mariadb.port, user="enveloped", password=password, tls="off")
    assert (seen.kind, seen.detail[:5]) == (Kind.REJECTED, "1045 ")


def test_login_without_query_stops_there(mariadb, ask, password) -> None:
    seen = ask("mysql", mariadb.port, user="native", password=password, query=False)
    assert (seen.stage, seen.query_ms, seen.connections) == ("authenticated", None, None)


@pytest.mark.parametrize("tls", ["off", "prefer"])
@pytest.mark.parametrize(
    ("options", "code"),
    [({"user": "native", "password": "wrong"}, "1045"), ({"user": "native"}, "1045"), ({"user": "open", "database": "billing"}, "1044")],
)
def test_refused_login_is_a_rejection_with_its_number(mariadb, ask, options, code, tls) -> None:
    seen = ask("mysql", mariadb.port, **options, tls=tls)
    assert isinstance(seen, Failure), seen
    assert (seen.kind, seen.detail.split()[0]) == (Kind.REJECTED, code)


@pytest.mark.parametrize("tls", ["off", "prefer"])
def test_named_database_is_opened(mariadb, ask, password, tls) -> None:
    assert ask("mysql", mariadb.port, user="native", password=password, database="billing", tls=tls).stage == "query"


def test_plugin_that_we_lack_is_ours(mariadb, ask, password) -> None:
    seen = ask("mysql", mariadb.port, user="edwards", password=password)
    assert (seen.kind, "client_ed25519" in seen.detail) == (Kind.DENIED, True)


def test_connections_are_counted_with_our_own(mariadb, ask) -> None:
    with clients(mariadb, 3):
        eventually(lambda: ask("mysql", mariadb.port, user="open").connections == 4)


def test_all_connections_taken_is_1040_for_a_user_while_the_greeting_still_works(mariadb, ask) -> None:
    def full(**options) -> bool:
        seen = ask("mysql", mariadb.port, **options)
        return isinstance(seen, Failure) and (seen.kind, seen.detail[:5]) == (Kind.REJECTED, "1040 ")

    until_gone(mariadb)
    with clients(mariadb, 9), clients(mariadb, 1):
        eventually(lambda: full(user="open"))
        # the administrator's slot: what the docs say a greeting can't see (once the server has done with who came before)
        eventually(lambda: not full())
        with clients(mariadb, 1, ["-u", "root", f"--socket={mariadb.socket}"]):
            eventually(full)
    until_gone(mariadb)


def test_stopped_server_accepts_and_says_nothing(mariadb, ask) -> None:
    os.kill(mariadb.process.pid, signal.SIGSTOP)
    try:
        seen = ask("mysql", mariadb.port, timeout_s=0.5)
    finally:
        os.kill(mariadb.process.pid, signal.SIGCONT)
    assert seen.kind is Kind.TIMEOUT
    assert ask("mysql", mariadb.port).stage == "greeting"


def test_closed_port_is_refused(unused_port, ask) -> None:
    assert ask("mysql", unused_port).kind is Kind.REFUSED


def test_successful_login_is_not_counted_as_aborted(mariadb, ask, password) -> None:
    before = mariadb.status("Aborted_connects"), mariadb.status("Aborted_clients")
    for _ in range(3):
        ask("mysql", mariadb.port, user="native", password=password)
    until_gone(mariadb)
    assert (mariadb.status("Aborted_connects"), mariadb.status("Aborted_clients")) == before


@contextlib.contextmanager
def clients(server, count: int, who: list[str] | None = None):
    """Hold sessions, by another client than ours; the server may need a moment to forget who came before."""
    to = who or ["-h", "127.0.0.1", "-P", str(server.port), "-u", "open"]
    command = [server.client, "--no-defaults", *to, "-N", "-B", "--unbuffered"]
    with contextlib.ExitStack() as stack:
        held = 0
        end = time.monotonic() + 20
        while held < count:
            assert time.monotonic() < end
            client = stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
            )
            with contextlib.suppress(BrokenPipeError):
                client.stdin.write(b"SELECT 'here';\n")
            held += client.stdout.readline() == b"here\n"
        yield


def eventually(true) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def until_gone(server) -> None:
    """Wait until the only session is the one that asks."""
    eventually(lambda: server.status("Threads_connected") <= 1)


# What only MySQL has, and what a hostile server can do

SALT = bytes(range(1, 21))
ALL = OURS | SSL


def greeting(plugin: str = "caching_sha2_password", capabilities: int = OURS, version: bytes = b"8.4.0") -> bytes:
    low, high = capabilities & 0xFFFF, capabilities >> 16
    head = b"\x0a" + version + b"\0" + struct.pack("<I", 7) + SALT[:8] + b"\0" + struct.pack("<HBHHB", low, 45, 2, high, 21)
    return head + bytes(10) + SALT[8:] + b"\0" + plugin.encode() + b"\0"


def packet(number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


def read_packet(peer: socket.socket) -> tuple[int, bytes]:
    header = read(peer, 4)
    return (header[3], read(peer, int.from_bytes(header[:3], "little"))) if header else (-1, b"")


def read(peer: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        part = peer.recv(count - len(got))
        if not part:
            return b""
        got += part
    return got


OK = b"\0\0\0\2\0\0\0"
END = b"\xfe\0\0\2\0"


def login_fields(response: bytes) -> tuple[bytes, bytes]:
    user, _, rest = response[32:].partition(b"\0")
    return user, rest[1 : 1 + rest[0]]


class CachingSha2:
    """The server's half of caching_sha2_password, written from MySQL's own description; knows one user."""

    def __init__(self, password: str, cached: bool, context: ssl.SSLContext | None = None):
        self.password, self.cached, self.context = password.encode(), cached, context
        self.received: list[bytes] = []

    def __call__(self, peer: socket.socket) -> None:
        peer.sendall(packet(0, greeting(capabilities=ALL if self.context else OURS)))
        number, response = read_packet(peer)
        if self.context and len(response) == 32:
            with self.context.wrap_socket(peer, server_side=True) as inner:
                self.serve(inner, *read_packet(inner))
        else:
            self.serve(peer, number, response)

    def serve(self, peer: socket.socket, number: int, response: bytes) -> None:
        _, answer = login_fields(response)
        once = hashlib.sha256(self.password).digest()
        mask = hashlib.sha256(hashlib.sha256(once).digest() + SALT).digest()
        if not answer or hashlib.sha256(bytes(a ^ b for a, b in zip(answer, mask, strict=True))).digest() != hashlib.sha256(once).digest():
            peer.sendall(packet(number + 1, b"\xff\x15\x04#28000Access denied"))
            return
        if self.cached:
            peer.sendall(packet(number + 1, b"\1\3") + packet(number + 2, OK))
        else:
            peer.sendall(packet(number + 1, b"\1\4"))
            number, secret = read_packet(peer)
            self.received.append(secret)
            right = secret == self.password + b"\0"
            peer.sendall(packet(number + 1, OK if right else b"\xff\x15\x04#28000Access denied"))
        for value in (b"151", b"7"):
            _, question = read_packet(peer)
            if question[:1] != b"\3":
                return
            row = b"\x11Threads_connected" * (value == b"7") + bytes([len(value)]) + value
            columns = 2 if value == b"7" else 1
            rows = [bytes([columns]), *[b"\3def"] * columns, END, row, END]
            peer.sendall(b"".join(packet(n + 1, part) for n, part in enumerate(rows)))
        read_packet(peer)


@pytest.fixture
def server_context(tmp_path, certificate):
    crt, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    return context


def test_caching_sha2_password_in_the_cache_needs_no_tls(hostile, ask) -> None:
    with hostile(CachingSha2("pässword", cached=True)) as port:
        seen = ask("mysql", port, user="u", password="pässword")
        assert (seen.engine, seen.server_version, seen.stage) == ("mysql", "8.4.0", "query")
        assert (seen.connections, seen.max_connections) == (7, 151)
        assert ask("mysql", port, user="u", password="other").detail == "1045 Access denied"


def test_caching_sha2_password_gives_the_password_only_to_tls(hostile, ask, server_context) -> None:
    server = CachingSha2("pässword", cached=False, context=server_context)
    with hostile(server) as port:
        assert ask("mysql", port, user="u", password="pässword").stage == "query"
    server = CachingSha2("pässword", cached=False)
    with hostile(server) as port:
        assert ask("mysql", port, user="u", password="pässword").kind is Kind.DENIED
    assert server.received == [b""]


def test_tls_that_fails_is_not_preferred_again(hostile, ask_twice) -> None:
    starts = []

    def act(peer: socket.socket) -> None:
        peer.sendall(packet(0, greeting(capabilities=ALL)))
        number, response = read_packet(peer)
        starts.append(len(response) == 32)
        peer.sendall(b"no TLS here" if starts[-1] else packet(number + 1, b"\xff\x15\x04#28000Access denied"))

    with hostile(act) as port:
        seen = ask_twice("mysql", port, user="u", password="x")
    assert [one.detail for one in seen] == ["1045 Access denied"] * 2
    assert starts == [True, False, False]


@pytest.mark.parametrize(
    ("password", "expected"),
    [("secret", "f490e76f66d9d86665ce54d98c78d0acfe2fb0b08b423da807144873d30b312c"), ("", "")],
)
def test_caching_sha2_scramble_is_what_other_drivers_send(password, expected) -> None:
    salt = bytes([10, 47, 74, 111, 75, 73, 34, 48, 88, 76, 114, 74, 37, 13, 3, 80, 82, 2, 23, 21])
    assert caching_sha2_scramble(password, salt).hex() == expected


def test_greeting_is_read_with_its_whole_salt() -> None:
    read = read_greeting(greeting(version=b"5.5.5-10.4.1-MariaDB"))
    assert (read.version, read.engine, read.salt, read.plugin) == ("10.4.1-MariaDB", "mariadb", SALT, "caching_sha2_password")


def speak(*packets: bytes):
    def act(peer: socket.socket) -> None:
        for one in packets:
            peer.sendall(one)
            read_packet(peer)

    return act


def flood(block: bytes):
    def act(peer: socket.socket) -> None:
        while True:
            peer.sendall(block)

    return act


NATIVE = packet(0, greeting("mysql_native_password"))
HOSTILE = {
    "garbage": flood(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "endless greetings": flood(packet(0, greeting())),
    "huge length": speak(b"\xff\xff\xff\0"),
    "empty packet": speak(b"\0\0\0\0"),
    "closing at once": lambda peer: None,
    "closing in the middle": lambda peer: peer.sendall(packet(0, greeting())[:20]),
    "short greeting": speak(packet(0, b"\x0a5.7\0")),
    "old protocol": speak(packet(0, b"\x093.23\0" + bytes(60))),
    "ancient": speak(packet(0, greeting(capabilities=1))),
    "wrong number": speak(packet(5, greeting())),
    "short error": speak(packet(0, b"\xff")),
    "endless switching": lambda peer: (
        peer.sendall(NATIVE),
        [peer.sendall(packet(n, b"\xfemysql_native_password\0" + SALT)) for n in range(2, 200, 2)],
    ),
    "a demand for a file": speak(NATIVE, packet(2, OK), packet(1, b"\xfb/etc/passwd")),
    "a row without values": speak(
        NATIVE, packet(2, OK), packet(1, b"\1") + packet(2, b"\3def") + packet(3, END) + packet(4, b"\xfd") + packet(5, END)
    ),
    "no rows": speak(NATIVE, packet(2, OK), packet(1, b"\1") + packet(2, b"\3def") + packet(3, END) + packet(4, END)),
    "more connections than can be": speak(
        NATIVE,
        packet(2, OK),
        *[packet(1, b"\1") + packet(2, b"\3def") + packet(3, END) + packet(4, b"\x1e" + b"9" * 30) + packet(5, END)] * 2,
    ),
    "words for a number": speak(
        NATIVE, packet(2, OK), *[packet(1, b"\1") + packet(2, b"\3def") + packet(3, END) + packet(4, b"\1x") + packet(5, END)] * 2
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_server_is_a_bounded_rejection(hostile, ask, what) -> None:
    with hostile(HOSTILE[what]) as port:
        seen = ask("mysql", port, user="u", password="hunter2", tls="off", timeout_s=10)
    assert isinstance(seen, Failure), seen
    assert seen.kind is Kind.REJECTED, seen
    assert len(seen.detail) <= 200
    assert "hunter2" not in repr(seen)


def test_silent_server_is_a_timeout(hostile, ask) -> None:
    with hostile(lambda peer: peer.recv(1)) as port:
        assert ask("mysql", port, timeout_s=0.3).kind is Kind.TIMEOUT


def test_server_without_tls_is_rejected_when_tls_is_required_and_gets_no_user_name(hostile, ask) -> None:
    said = []

    def act(peer: socket.socket) -> None:
        peer.sendall(NATIVE)
        number, response = read_packet(peer)
        said.append(login_fields(response))
        peer.sendall(packet(number + 1, b"\xff\x15\x04#28000Access denied"))

    with hostile(act) as port:
        assert ask("mysql", port, user="u", password="hunter2", tls="require") == Failure(Kind.REJECTED, "offers no TLS")
    assert said == [(b"firstline", b"")]


def test_password_is_in_nothing_that_is_shown(hostile, ask, caplog) -> None:
    error = packet(2, b"\xff\x15\x04#28000no hunter2 for hunter2\x1b[2J")
    with hostile(speak(packet(0, greeting(version=b"8.0-hunter2")), error)) as port:
        seen = ask("mysql", port, user="u", password="hunter2", tls="off")
    options = Options(user="u", password="hunter2")
    assert seen.detail == "1045 no *** for *** [2J"
    shown = [repr(seen), str(options), repr(options), repr(options.__rich_repr__()), options.item, caplog.text]
    assert not [text for text in shown if "hunter2" in text]


def test_native_scramble_is_undone_by_the_stored_hash() -> None:
    once = hashlib.sha1(b"secret").digest()
    mask = hashlib.sha1(SALT + hashlib.sha1(once).digest()).digest()
    assert bytes(a ^ b for a, b in zip(native_scramble("secret", SALT), mask, strict=True)) == once


def test_target_is_read() -> None:
    assert mysql.read_target("db") == ("db", {"port": 3306})
    assert mysql.read_target("db:3307") == ("db", {"port": 3307})


# The harm that a monitor can do: after max_connect_errors handshake errors a server blocks the whole host.

NET = "10.213.7.1"
INSIDE = """
import asyncio, contextlib, json, socket, sys
from datetime import UTC, datetime
import msgspec
from probe.inventory import Node
from probe.job import Job
from probe.probers import mysql
from probe.run import observe

async def ask(options):
    async with mysql.open() as prober:
        timeout_s = options.pop("timeout_s", 20)
        job = Job("here", Node("db", sys.argv[1]), "mysql", mysql.Options(**options), timeout_s=timeout_s)
        return (await observe(job, prober, lambda: datetime.now(UTC))).outcome

def hang_up(port):
    with socket.create_connection((sys.argv[1], port), timeout=20) as peer:
        peer.recv(4096)

port, what, count = int(sys.argv[2]), json.loads(sys.argv[3]), int(sys.argv[4])
for _ in range(count):
    seen = hang_up(port) if what == "hang up" else msgspec.to_builtins(asyncio.run(ask({"port": port, **what})))
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def guarded(new_mariadb, until_ready):
    """A MariaDB in its own network namespace (loopback addresses are never blocked) that blocks after 3 handshake errors."""
    with new_mariadb() as server:
        hosts = server.folder / "hosts"
        hosts.write_text(f"127.0.0.1 localhost\n{NET} monitor\n")
        setup = f'mount --bind {hosts} /etc/hosts && ip link set lo up && ip addr add {NET}/24 dev lo && exec "$@"'
        command = server.command(f"--bind-address={NET}", "--max-connect-errors=3", "--user=mysql")
        with until_ready(server, ["unshare", "--net", "--mount", "sh", "-c", setup, "sh", *command]):
            yield server


def inside(server, what, count: int = 1):
    """Do something `count` times in the server's network namespace; return the last outcome."""
    command = [
        "nsenter",
        "-t",
        str(server.process.pid),
        "-n",
        sys.executable,
        "-c",
        INSIDE,
        NET,
        str(server.port),
        json.dumps(what),
        str(count),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def handshake_errors(server) -> int:
    rows = server.sql(f"SELECT SUM_CONNECT_ERRORS FROM performance_schema.host_cache WHERE IP = '{NET}'")
    return int(rows or 0)


needs_namespace = [pytest.mark.needs_root, pytest.mark.needs("ip", "unshare", "nsenter")]


def until_counted(server, count: int) -> None:
    """Wait until the server has noticed that many handshake errors: it does so after we have gone."""
    eventually(lambda: handshake_errors(server) >= count)


class TestBlocking:
    pytestmark = needs_namespace

    @pytest.fixture(autouse=True)
    def forgotten(self, guarded):
        guarded.sql("CREATE USER IF NOT EXISTS known@'%'; FLUSH HOSTS")

    def test_hanging_up_after_the_greeting_blocks_the_host(self, guarded) -> None:
        inside(guarded, "hang up", 3)
        until_counted(guarded, 3)
        seen = inside(guarded, {})
        assert (seen["kind"], seen["detail"][:5]) == ("rejected", "1129 ")

    @pytest.mark.parametrize("tls", ["off", "prefer", "require"])
    def test_our_greeting_never_does(self, guarded, tls) -> None:
        seen = inside(guarded, {"tls": tls}, 10)
        assert seen.get("stage") == "greeting", seen
        assert handshake_errors(guarded) == 0

    def test_wrong_password_never_does(self, guarded) -> None:
        seen = inside(guarded, {"user": "known", "password": "wrong"}, 10)
        assert seen["detail"][:5] == "1045 "
        assert handshake_errors(guarded) == 0

    def test_plugin_that_we_lack_never_does(self, guarded) -> None:
        # many of them: the server answers an unknown user as if it were one of those that exist
        names = [f"edwards{n}" for n in range(60)]
        guarded.sql("INSTALL SONAME 'auth_ed25519'")
        guarded.sql("".join(f"CREATE USER {name}@'%' IDENTIFIED VIA ed25519 USING PASSWORD('x');" for name in names))
        seen = inside(guarded, {"user": names[0], "password": "x"}, 10)
        assert seen["kind"] == "denied", seen
        assert handshake_errors(guarded) == 0
        seen = inside(guarded, {}, 10)
        assert seen.get("stage") == "greeting", seen
        assert handshake_errors(guarded) == 0
        guarded.sql("".join(f"DROP USER {name}@'%';" for name in names))

    def test_successful_login_sets_the_count_back(self, guarded) -> None:
        inside(guarded, "hang up", 2)
        until_counted(guarded, 2)
        assert inside(guarded, {"user": "known"})["stage"] == "query"
        assert handshake_errors(guarded) == 0

    def test_giving_up_on_a_stopped_server_is_counted_as_the_docs_say(self, guarded) -> None:
        os.kill(guarded.process.pid, signal.SIGSTOP)
        try:
            assert inside(guarded, {"timeout_s": 0.1})["kind"] == "timeout"
        finally:
            os.kill(guarded.process.pid, signal.SIGCONT)
        until_counted(guarded, 1)
        assert inside(guarded, {"user": "known"})["stage"] == "query"
        assert handshake_errors(guarded) == 0

    def test_host_without_any_right_is_a_greeting_and_not_counted(self, guarded) -> None:
        guarded.sql("DROP USER known@'%'; FLUSH PRIVILEGES; FLUSH HOSTS")
        seen = inside(guarded, {}, 10)
        assert (seen.get("stage"), seen.get("server_version")) == ("greeting", None), seen
        assert handshake_errors(guarded) == 0
