"""The PostgreSQL prober against a real server, and against servers that mean no good."""

import contextlib
import os
import signal
import socket
import struct
import time

import msgspec
import psycopg
import pytest

from probe.observation.database import DatabaseSample
from probe.observation.failure import Failure, Kind
from probe.probers import postgresql
from probe.probers.postgresql import Options

pytestmark = pytest.mark.needs("postgres")
LOGIN = {"user": "scrammed"}


@contextlib.contextmanager
def sessions(server, count: int):
    """Hold sessions of an ordinary user, by another client than ours, and no others."""
    eventually(lambda: server.sql("SELECT count(*) FROM pg_stat_activity WHERE usesysid IS NOT NULL AND datid IS NOT NULL") == "1")
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            eventually(lambda: open_session(stack, server.port, "trusty"))
        yield


def open_session(stack: contextlib.ExitStack, port: int, user: str) -> bool:
    """Open one more session; not when the server has not yet done with one that has gone."""
    try:
        stack.enter_context(psycopg.connect(host="127.0.0.1", port=port, user=user, dbname="postgres", connect_timeout=10))
    except psycopg.OperationalError:
        return False
    return True


def eventually(true) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_demand_for_a_password_is_a_greeting(postgres, ask) -> None:
    seen = ask("postgresql", postgres.port)
    assert isinstance(seen, DatabaseSample)
    assert (seen.engine, seen.stage, seen.server_version, seen.connections) == ("postgresql", "greeting", None, None)
    assert 0 < seen.connect_ms < seen.ready_ms


def test_greeting_leaves_no_error_in_the_servers_log(postgres, ask) -> None:
    before = postgres.log.read_text()
    ask("postgresql", postgres.port)
    ask("postgresql", postgres.port, tls="off")
    postgres.sql("SELECT 1")
    assert postgres.log.read_text() == before


def test_greeting_inside_tls_does_not_wait_for_a_delayed_acknowledgement(postgres, ask) -> None:
    took = sorted(ask("postgresql", postgres.port, tls="require").ready_ms for _ in range(9))
    assert took[0] < 40  # the kernel's delay would be in every one of them


def test_refusal_by_host_rule_is_a_greeting(postgres, ask) -> None:
    assert ask("postgresql", postgres.port, database="secret").stage == "greeting"


def test_refused_rule_is_a_failure_for_a_configured_user(postgres, ask) -> None:
    seen = ask("postgresql", postgres.port, database="secret", user="trusty")
    assert seen.kind is Kind.REJECTED
    assert seen.detail.startswith("28000 ")


@pytest.mark.parametrize("tls", ["off", "prefer", "require"])
@pytest.mark.parametrize("user", ["trusty", "hashed", "scrammed"])
def test_login_and_statement_work_with_every_method(postgres, ask, password, user, tls) -> None:
    seen = ask("postgresql", postgres.port, user=user, password=password, tls=tls)
    assert isinstance(seen, DatabaseSample), seen
    assert (seen.stage, seen.in_recovery, seen.max_connections) == ("query", False, 6)
    assert seen.server_version.split(".")[0].isdigit()
    assert seen.query_ms > 0


def test_password_in_the_clear_goes_only_through_tls(postgres, ask, password) -> None:
    seen = ask("postgresql", postgres.port, user="clear", password=password, tls="require")
    assert seen.stage == "query"
    seen = ask("postgresql", postgres.port, user="clear", password=password, tls="off")
    assert (seen.kind, "only sent inside TLS" in seen.detail) == (Kind.DENIED, True)


def test_login_without_query_stops_there(postgres, ask, password) -> None:
    seen = ask("postgresql", postgres.port, **LOGIN, password=password, query=False)
    assert (seen.stage, seen.query_ms, seen.connections, seen.in_recovery) == ("authenticated", None, None, None)


@pytest.mark.parametrize("user", ["hashed", "scrammed", "clear", "nobody"])
def test_wrong_password_is_a_rejection_with_its_sqlstate(postgres, ask, user) -> None:
    seen = ask("postgresql", postgres.port, user=user, password="wrong")
    assert (seen.kind, seen.detail[:6]) == (Kind.REJECTED, "28P01 ")


def test_user_without_password_can_not_see_when_one_is_demanded(postgres, ask) -> None:
    assert ask("postgresql", postgres.port, **LOGIN).kind is Kind.DENIED


def test_missing_database_is_a_rejection_with_its_sqlstate(postgres, ask) -> None:
    assert ask("postgresql", postgres.port, user="trusty", database="none").detail.startswith("3D000 ")


def test_connections_of_ordinary_users_are_counted_with_our_own(postgres, ask) -> None:
    with sessions(postgres, 3):
        eventually(lambda: ask("postgresql", postgres.port, user="trusty").connections == 4)


def test_all_slots_taken_is_53300_for_a_user_while_the_greeting_still_works(postgres, ask) -> None:
    def full(**options) -> bool:
        seen = ask("postgresql", postgres.port, **options)
        return isinstance(seen, Failure) and (seen.kind, seen.detail[:6]) == (Kind.REJECTED, "53300 ")

    with sessions(postgres, 6), contextlib.ExitStack() as stack:
        eventually(lambda: full(user="trusty"))
        eventually(lambda: not full())  # the reserved slots: what the docs say it can't see
        for _ in range(2):
            eventually(lambda: open_session(stack, postgres.port, "postgres"))
        eventually(full)


def test_stopped_server_accepts_and_says_nothing(postgres, ask) -> None:
    os.kill(postgres.process.pid, signal.SIGSTOP)
    try:
        seen = ask("postgresql", postgres.port, timeout_s=0.5)
    finally:
        os.kill(postgres.process.pid, signal.SIGCONT)
    assert seen.kind is Kind.TIMEOUT
    assert ask("postgresql", postgres.port).stage == "greeting"


def test_closed_port_is_refused(unused_port, ask) -> None:
    assert ask("postgresql", unused_port).kind is Kind.REFUSED


def test_cold_standby_says_that_it_does_not_accept_connections(standby, ask) -> None:
    with standby.running("-c", "hot_standby=off"):
        seen = Failure(Kind.REFUSED)
        while seen.kind is Kind.REFUSED:  # not listening yet
            assert standby.process.poll() is None, standby.log.read_text()
            seen = ask("postgresql", standby.port, tls="off")
    assert (seen.kind, seen.detail[:6]) == (Kind.REJECTED, "57P03 ")


def test_hot_standby_is_told_from_a_primary(standby, ask, until_accepts) -> None:
    with standby.running("-c", "hot_standby=on"):
        until_accepts(standby)
        seen = ask("postgresql", standby.port, user="postgres")
    assert (seen.stage, seen.in_recovery) == ("query", True)


# what a hostile server can do

DEMAND_MD5 = b"R" + struct.pack("!ii", 12, 5) + b"salt"


def after_question(*answers: bytes):
    def act(peer: socket.socket) -> None:
        for answer in answers:
            peer.recv(4096)
            peer.sendall(answer)
        while peer.recv(4096):
            pass

    return act


def flood(block: bytes):
    def act(peer: socket.socket) -> None:
        peer.recv(4096)
        while True:
            peer.sendall(block)

    return act


def sasl(number: int, body: bytes) -> bytes:
    return b"R" + struct.pack("!ii", len(body) + 8, number) + body


LET_IN = sasl(0, b"") + b"Z" + struct.pack("!i", 5) + b"I"


def counted(connections: bytes):
    """Let in, then answer the statement with that many connections."""
    row = b"\0\3\0\0\0\1f" + struct.pack("!i", len(connections)) + connections + b"\0\0\0\x0210"
    return after_question(LET_IN, b"D" + struct.pack("!i", len(row) + 4) + row + LET_IN[-6:])


HOSTILE = {
    "garbage": flood(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "endless parameters": flood(b"S" + struct.pack("!i", 9) + b"a\0b\0\0" + b"N" + struct.pack("!i", 4)),
    "huge length": after_question(b"R" + struct.pack("!i", 2**31 - 1)),
    "negative length": after_question(b"R" + struct.pack("!i", -5)),
    "length below itself": after_question(b"R" + struct.pack("!i", 3)),
    "closing at once": lambda peer: None,
    "closing in the middle": lambda peer: (peer.recv(4096), peer.sendall(b"R\0\0")),
    "reset": lambda peer: (peer.recv(10), peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))),
    "short demand": after_question(b"R" + struct.pack("!i", 6) + b"ab"),
    "error without a code": after_question(b"E" + struct.pack("!i", 5) + b"\0"),
    "another's nonce": after_question(sasl(10, b"SCRAM-SHA-256\0\0"), sasl(11, b"r=other,s=c2FsdA==,i=4096")),
    "more connections than can be": counted(b"9" * 30),
    "a number without end": counted(b"9" * 5000),
    "other digits": counted("\u0663".encode()),
    "not base64": after_question(sasl(10, b"SCRAM-SHA-256\0\0"), sasl(11, b"r=\xff")),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_server_is_a_bounded_rejection(hostile, ask, what) -> None:
    with hostile(HOSTILE[what]) as port:
        seen = ask("postgresql", port, **LOGIN, password="hunter2-hunter2", tls="off", timeout_s=10)
    assert seen.kind is Kind.REJECTED, seen
    assert len(seen.detail) <= 200


def scram_server(then):
    """Begin SCRAM properly, then send what `then(client's nonce)` says."""

    def act(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(sasl(10, b"SCRAM-SHA-256\0\0"))
        nonce = peer.recv(4096).rpartition(b"r=")[2]
        for answer in then(nonce):
            peer.sendall(answer)
            peer.recv(4096)

    return act


@pytest.mark.parametrize(
    ("then", "words"),
    [
        (lambda nonce: [LET_IN], "could not prove"),
        (lambda nonce: [sasl(11, b"r=" + nonce + b"x,s=c2FsdA==,i=1"), LET_IN], "could not prove"),
        (lambda nonce: [sasl(11, b"r=" + nonce + b"x,s=c2FsdA==,i=1"), sasl(12, b"v=AAAA") + LET_IN], "could not prove"),
        (lambda nonce: [sasl(11, b"r=" + nonce + b",s=c2FsdA==,i=1"), LET_IN], "nonce"),
        (lambda nonce: [sasl(11, b"r=other,s=c2FsdA==,i=1"), LET_IN], "nonce"),
        (lambda nonce: [sasl(11, b"r=" + nonce + b"x,s=c2FsdA==,i=1000001"), LET_IN], "iteration"),
        (lambda nonce: [sasl(11, b"r=" + nonce + b"x,s=c2FsdA==,i=4294967295"), LET_IN], "iteration"),
        (lambda nonce: [sasl(11, b"r=" + nonce + b"x,s=c2FsdA==,i=0"), LET_IN], "iteration"),
        (lambda nonce: [sasl(11, b"r=" + nonce + b"x,s=c2FsdA=="), LET_IN], "iteration"),
    ],
)
def test_server_that_cheats_in_scram_is_found_out(hostile, ask, then, words) -> None:
    with hostile(scram_server(then)) as port:
        seen = ask("postgresql", port, **LOGIN, password="x", tls="off", query=False, timeout_s=10)
    assert (seen.kind, words in seen.detail) == (Kind.REJECTED, True), seen


def test_plain_text_behind_the_consent_to_tls_is_not_believed(hostile, ask) -> None:
    injected = b"S" + b"E" + struct.pack("!i", 20) + b"C28P01\0Minjected\0\0"
    with hostile(after_question(injected)) as port:
        seen = ask("postgresql", port, timeout_s=10)
    assert seen == Failure(Kind.REJECTED, "sent plain text after agreeing to TLS")


def test_server_without_tls_is_rejected_when_tls_is_required(hostile, ask) -> None:
    with hostile(after_question(b"N")) as port:
        assert ask("postgresql", port, tls="require") == Failure(Kind.REJECTED, "offers no TLS")


def test_silent_server_is_a_timeout(hostile, ask) -> None:
    with hostile(lambda peer: peer.recv(1) and peer.recv(4096) and peer.recv(4096)) as port:
        assert ask("postgresql", port, timeout_s=0.3).kind is Kind.TIMEOUT


@pytest.mark.parametrize("echo", ["{}", "a\x01{}\nb", "{}" * 50])
def test_password_is_in_nothing_that_is_shown(hostile, ask, echo, caplog) -> None:
    secret = "hunter2 hunter2"
    text = echo.format(*[secret] * 50) if echo != "a\x01{}\nb" else "a\x01hunter2\x02hunter2\nb"
    error = b"C28P01\0M" + text.encode() + b"\0\0"
    with hostile(after_question(DEMAND_MD5, b"E" + struct.pack("!i", len(error) + 4) + error)) as port:
        seen = ask("postgresql", port, **LOGIN, password=secret, tls="off")
    options = Options(**LOGIN, password=secret)
    assert seen.detail.startswith("28P01 ")
    shown = [repr(seen), str(options), f"{options!r}", repr(options.__rich_repr__()), options.item, caplog.text]
    shown.append(repr([options]))
    shown.append(msgspec.json.encode(seen).decode())
    assert not [text for text in shown if secret in text or "hunter2" in text]


def test_password_is_in_no_error_of_the_options() -> None:
    for wrong in ({"password": "hunter2\0", "user": "x"}, {"password": "hunter2"}, {"password": "hunter2", "user": 5}):
        with pytest.raises(msgspec.ValidationError) as told:
            msgspec.convert(wrong, Options)
        assert "hunter2" not in str(told.value)


def test_password_is_not_in_the_traceback_of_a_broken_prober(hostile, ask, monkeypatch, caplog) -> None:
    def broken(*_):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(postgresql.protocol, "md5_password", broken)
    with hostile(after_question(DEMAND_MD5)) as port:
        seen = ask("postgresql", port, **LOGIN, password="hunter2", tls="off")
    assert seen.kind is Kind.BROKEN
    assert "a fault of ours" in caplog.text
    assert "hunter2" not in caplog.text + repr(seen)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("db", ("db", 5432)),
        ("db:1", ("db", 1)),
        ("[::1]:65535", ("::1", 65535)),
        ("::1", ("::1", 5432)),
        ("192.0.2.1", ("192.0.2.1", 5432)),
    ],
)
def test_target_is_read(text, expected) -> None:
    address, options = postgresql.read_target(text)
    assert (address, options["port"]) == expected


@pytest.mark.parametrize("text", ["", ":1", "db:0", "db:65536", "db:x"])
def test_wrong_target_is_refused(text) -> None:
    with pytest.raises(ValueError):
        postgresql.read_target(text)


def test_nothing_of_ours_is_left_running(postgres, ask, password) -> None:
    ask("postgresql", postgres.port, **LOGIN, password=password)
    eventually(lambda: postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'scrammed'") == "0")
