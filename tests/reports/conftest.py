"""Golden files (what a reader sees, kept as text), a PostgreSQL, and the real servers at the other end of the feeds."""

import getpass
import glob
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from ipaddress import ip_address
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from checks.finding import Finding, Message, State
from checks.history import Track
from checks.verdict import Area, CaseKind, Diagnosis, Side, Urgency
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation
from reports.case import Case
from reports.complaint import Complaint
from reports.feeds.feed import FeedEvent, feed_event
from reports.opening import plan
from reports.store.store import Store, open_store

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Return a function that holds a text to the golden file of a name; FIRSTLINE_GOLDEN=write renews it (then look at it)."""

    def hold(name: str, text: str) -> None:
        path = GOLDEN / f"{name}.txt"
        if os.environ.get("FIRSTLINE_GOLDEN") == "write":
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return hold


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Give the address of a PostgreSQL: TEST_DATABASE_URL, else one started here, on a socket only and without fsync."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    programs = Path(sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1])
    user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    name = "postgres" if user else getpass.getuser()
    folder = Path(tempfile.mkdtemp(prefix="firstline-pg-"))
    try:
        if user:
            shutil.chown(folder, "postgres", "postgres")
        data = folder / "data"
        quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, **user}
        subprocess.run([programs / "initdb", "-D", data, "-A", "trust", "-U", name, "-N", "-E", "UTF8", "--no-locale"], check=True, **quiet)
        settings = [f"-cunix_socket_directories={folder}", "-clisten_addresses=", "-cfsync=off", "-cshared_buffers=16MB"]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen([programs / "postgres", "-D", data, *settings], cwd=folder, stdout=log, stderr=log, **user)
        try:
            url = f"postgresql://{name}@/postgres?host={folder}"
            _wait_for_postgresql(url, server, folder / "log")
            yield url
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)
    finally:
        shutil.rmtree(folder)


def _wait_for_postgresql(url: str, server: subprocess.Popen, log: Path) -> None:
    import psycopg

    until = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)


@pytest.fixture
def postgresql(postgresql_server: str) -> Iterator[str]:
    """Give the address of an empty database of its own."""
    import psycopg

    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql_server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield urlsplit(postgresql_server)._replace(path=f"/{name}").geturl()
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


_NEEDS = () if os.environ.get("TEST_DATABASE_URL") else (pytest.mark.needs("postgres"),)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=_NEEDS)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give where an empty store may be made, once a kind of database."""
    return str(tmp_path / "state") if request.param == "sqlite" else request.getfixturevalue("postgresql")


class HttpSink(ThreadingHTTPServer):
    """Answers POSTs as `answers` says, one by one, then 204: a status, (status, headers), "slow", "reset" or raw bytes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _HttpSinkHandler)
        self.answers: list = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.let_go = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/cases?x=1"

    def shut(self) -> None:
        self.let_go.set()
        self.shutdown()
        self.server_close()


class _HttpSinkHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.server.answers.pop(0) if self.server.answers else 204
        self.close_connection = True
        if answer == "slow":
            self.server.let_go.wait(20)
        elif answer == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif isinstance(answer, bytes):
            self.wfile.write(answer)
        else:
            status, headers = answer if isinstance(answer, tuple) else (answer, {})
            if 200 <= status < 300:
                self.server.got.append((dict(self.headers), body))
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def http_sink() -> Iterator[HttpSink]:
    sink = HttpSink()
    thread = threading.Thread(target=sink.serve_forever, args=(0.01,))
    thread.start()
    yield sink
    sink.shut()
    thread.join()


class SmtpSink:
    """Keeps mails; `rcpt` maps an address to the reply that refuses it, `data` holds replies to whole mails, used up one by one."""

    def __init__(self) -> None:
        self.got: list[tuple[list[str], EmailMessage]] = []
        self.rcpt: dict[str, str] = {}
        self.data: list[str] = []

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:  # noqa: N802
        if address in self.rcpt:
            return self.rcpt[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802
        if self.data:
            return self.data.pop(0)
        self.got.append((envelope.rcpt_tos, message_from_bytes(envelope.original_content, policy=policy.default)))
        return "250 taken"


@pytest.fixture
def smtp_sink() -> Iterator[Callable[..., tuple[SmtpSink, int]]]:
    """Give a function that starts a real SMTP server with aiosmtpd's options and returns its sink and port."""
    running: list[Controller] = []

    def start(**options: object) -> tuple[SmtpSink, int]:
        sink = SmtpSink()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        controller = Controller(sink, hostname="127.0.0.1", port=port, **options)
        controller.start()
        running.append(controller)
        return sink, port

    yield start
    for controller in running:
        controller.stop()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a PEM file with a key and a self-signed certificate for 127.0.0.1, good for ten days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=10))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


START = datetime(2026, 1, 1, tzinfo=UTC)


def diagnose(element: str = "web-1", cause: str = "tcp.silent", questions: tuple[str, ...] = ("tcp/port",), **changes) -> Diagnosis:
    """Return a diagnosis that `element` is down, of one bad reading a question, all at START."""
    seen = Observation("pop-1", element, "tcp", START, 1.0, Failure(Kind.TIMEOUT))
    findings = tuple(Finding(question, seen, State.CRITICAL, Message("failure.timeout", {"detail": ""})) for question in questions)
    values = {
        "kind": CaseKind.SERVICE,
        "cause": cause,
        "element": element,
        "side": Side.COMPANY,
        "area": Area.SERVER,
        "urgency": Urgency.URGENT,
        "confidence": None,
        "since": START,
        "keys": tuple(finding.key for finding in findings),
        "findings": findings,
        "summary": Message("failure.timeout", {"detail": "没有应答"}),
        "action": Message("action.look", {"node": element}),
        "affected": ("shop",),
        "state": State.CRITICAL,
    }
    return Diagnosis(**(values | changes))


def good(case: Case, at: datetime = START + timedelta(minutes=5)) -> dict:
    """Return tracks that say that every key of the case is good since `at`."""
    return {key: Track(key, hard=State.OK, soft=State.OK, streak=3, since=at, soft_since=at) for key in case.keys}


def story(store: Store, element: str = "web-1", cause: str = "tcp.silent") -> list:
    """Let a case be opened, updated and cleared; return its three events."""
    minute = timedelta(minutes=1)
    first = store.accept(plan([diagnose(element, cause)], {}, store.cases(open_only=True), START), START)
    graver = diagnose(element, cause, urgency=Urgency.EMERGENCY)
    mine = [case for case in store.cases(open_only=True) if case.id == first[0].case]
    second = store.accept(plan([graver], {}, mine, START + minute), START + minute)
    mine = [store.case(first[0].case)]
    third = store.accept(plan([], good(mine[0]), mine, START + 9 * minute), START + 9 * minute)
    return [*first, *second, *third]


def complain(customer: str = "harbour", **changes) -> Complaint:
    """Return what a customer complains of at START."""
    values = {
        "symptoms": ("no-calls",),
        "contact": "Ms Chen",
        "number": "+8613800138000",
        "since": START,
        "taken_at": START,
        "by": "Li Wei",
    }
    return Complaint(customer=customer, **(values | changes))


@pytest.fixture
def making() -> SimpleNamespace:
    """Give the makers of cases: `diagnose`, `good`, `story`, `complaint`, `events` (what a feed gets of one case) and START."""

    def events(tmp_path: Path) -> list[FeedEvent]:
        with open_store(tmp_path / "made", agent="pop-1", service=True) as store:
            return [feed_event(event, lambda message: f"{message.id}: no answer – 没有应答") for event in story(store)]

    return SimpleNamespace(START=START, diagnose=diagnose, good=good, story=story, complaint=complain, events=events)


@pytest.fixture(scope="session")
def audit_sample() -> ModuleType:
    """Give tests/reports/audit_sample.py: `make(count)` is a dispute as the audit would give it."""
    spec = spec_from_file_location("audit_sample", Path(__file__).with_name("audit_sample.py"))
    module = module_from_spec(spec)
    sys.modules["audit_sample"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def dispute(audit_sample: ModuleType) -> Any:
    """Give a dispute of 1,200 calls: audit, frames, calls, lines, number."""
    return audit_sample.make(1_200)
