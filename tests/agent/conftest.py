"""A real service for tests: started as a process, stopped by its own pid, with a real SMTP sink and a JSON lines feed."""

import contextlib
import email
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests.unix_http import UnixConnection

PATIENCE_S = 30.0


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: Callable[[], Any], within_s: float = PATIENCE_S, every_s: float = 0.05, why: str = "") -> Any:
    """Return the first true result of `what`; fail with its last one when the time is up."""
    end = time.monotonic() + within_s
    while not (result := what()):
        assert time.monotonic() < end, f"{why or what} did not come true within {within_s} s: {result!r}"
        time.sleep(every_s)
    return result


class Service:
    """One `firstline run` with its own folder; `journal` is what it printed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "firstline.toml"
        self.state = folder / "state"
        self.socket = folder / "firstline.sock"
        self.feed = folder / "cases.jsonl"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.before: tuple[str, ...] = ()  # words before the command, such as `ip netns exec …`
        self.extra: dict[str, str] = {}  # more environment for the service alone

    def configure(self, text: str, agent: str = "") -> None:
        """Write the configuration; `text` follows the service's own part, `agent` stands in its [agent]."""
        own = f"""
[agent]
{agent}
name = "test"
node = "here"
state_dir = "{self.state}"
listen = "127.0.0.1:{self.port}"
socket = "{self.socket}"

[[feed]]
name = "lines"
kind = "jsonl"
path = "{self.feed}"
"""
        self.config.write_text(own + text)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "FIRSTLINE_SOCKET": str(self.socket), "FIRSTLINE_LANG": "en", "FIRSTLINE_CONFIG": str(self.config)}

    def start(self, wait: bool = True) -> None:
        with (self.folder / "journal").open("ab") as journal:
            command = [*self.before, str(Path(sys.executable).with_name("firstline")), "run", "--config", str(self.config)]
            surroundings = {**self.environment, **self.extra}
            self.process = subprocess.Popen(command, stdout=journal, stderr=journal, stdin=subprocess.DEVNULL, env=surroundings)
        if wait:
            wait_for(self.ready, why=f"readiness; its journal:\n{self.journal}")

    @property
    def journal(self) -> str:
        path = self.folder / "journal"
        return path.read_text() if path.exists() else ""

    def ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the service ended with {self.process.returncode}:\n{self.journal}"
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ask("GET", "/-/ready")[0] == 200
        return False

    def ask(self, method: str, path: str) -> tuple[int, str]:
        """Ask over the unix socket, which a namespace of the network does not hide."""
        return _exchange(UnixConnection(self.socket), method, path, {})

    def get(self, path: str, method: str = "GET", headers: dict[str, str] | None = None) -> tuple[int, str]:
        """Ask over TCP, as others do."""
        return _exchange(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10), method, path, headers or {})

    def metric(self, start: str) -> float | None:
        """Return the value of the first metric whose line begins so."""
        lines = self.ask("GET", "/metrics")[1].splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(start)), None)

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.ask("GET", "/v1/status")[1]))

    def run(self, *words: str, expect: int | None = 0) -> str:
        """Run a command of the program beside the service and return what it printed."""
        command = [str(Path(sys.executable).with_name("firstline")), *words]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment, timeout=60, check=False)
        if expect is not None:
            assert done.returncode == expect, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.journal}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout

    def cases(self) -> list[dict[str, Any]]:
        return list(json.loads(self.run("case", "list", "--all", "--format", "json")))

    def lines(self) -> list[dict[str, Any]]:
        """Return the whole lines of the JSON lines feed."""
        if not self.feed.exists():
            return []
        return [json.loads(line) for line in self.feed.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self, within_s: float = 10.0) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(within_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
                pytest.fail(f"SIGTERM was not obeyed within {within_s} s:\n{self.journal}")
        return int(self.process.returncode)


def _exchange(connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


class Door:
    """A TCP port on loopback that is open or shut: the cheapest thing that can break and be mended."""

    def __init__(self) -> None:
        self.port = free_port()
        self.name = f"door-{self.port}"
        self._listener: socket.socket | None = None
        self.open()

    def open(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._greet, args=(listener,), daemon=True).start()

    @staticmethod
    def _greet(listener: socket.socket) -> None:
        while True:
            try:
                listener.accept()[0].close()
            except OSError:
                return

    def shut(self) -> None:
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    @property
    def text(self) -> str:
        """Its node and check in the configuration."""
        return (
            f'\n[[node]]\nname = "{self.name}"\naddress = "127.0.0.1"\n\n[[node.check]]\nprober = "tcp"\nport = {self.port}\nevery = "5s"\n'
        )


class MailSink:
    """A real SMTP server (aiosmtpd) that keeps what it was sent."""

    def __init__(self, port: int | None = None) -> None:
        from aiosmtpd.controller import Controller

        self.messages: list[EmailMessage] = []
        self.port = port or free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        from email.policy import default

        self.messages.append(email.message_from_bytes(envelope.content, policy=default))
        return "250 OK"

    def close(self) -> None:
        if not self._controller.loop.is_closed():
            self._controller.stop()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    one = Service(tmp_path)
    yield one
    if one.process is not None:
        one.stop()


@pytest.fixture
def a_service() -> Callable[[Path], Service]:
    """Give a maker of services beside each other; who makes one stops it."""
    return Service


@pytest.fixture
def mail() -> Iterator[MailSink]:
    sink = MailSink()
    yield sink
    sink.close()


@pytest.fixture(scope="session")
def until() -> Callable[..., Any]:
    return wait_for


@pytest.fixture
def port() -> Callable[..., int]:
    return free_port


@pytest.fixture
def door() -> Iterator[Callable[[], Door]]:
    """Give a maker of doors, which are shut when the test ends."""
    made: list[Door] = []

    def make() -> Door:
        made.append(Door())
        return made[-1]

    yield make
    for one in made:
        one.shut()


@pytest.fixture(scope="module")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Give a service that the tests of one module share; the first of them configures and starts it."""
    one = Service(tmp_path_factory.mktemp("shared"))
    yield one
    if one.process is not None:
        one.stop()


class PostgreSQL:
    """A server of its own on a unix socket, to be stopped and started."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="firstline-pg-"))
        self._user: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        if self._user:
            shutil.chown(self.folder, "postgres", "postgres")
        self.url = f"postgresql://postgres@/postgres?host={self.folder}"
        options = ["-A", "trust", "-U", "postgres", "-N", "-E", "UTF8", "--no-locale"]
        self._run(programs / "initdb", "-D", self.folder / "data", *options)
        self._server: subprocess.Popen[bytes] | None = None

    def _run(self, *command: Any) -> None:
        subprocess.run(command, check=True, cwd=self.folder, stdout=subprocess.DEVNULL, **self._user)

    def start(self, until: Any) -> None:
        settings = [f"-cunix_socket_directories={self.folder}", "-clisten_addresses=", "-cfsync=off", "-cshared_buffers=16MB"]
        with (self.folder / "log").open("ab") as log:
            command = [self._programs / "postgres", "-D", self.folder / "data", *settings]
            self._server = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, **self._user)
        until(self._answers, why="PostgreSQL")

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)  # fast: open sessions are ended
            self._server.wait(30)
            self._server = None


@pytest.fixture
def postgresql(binary: Callable[[str], str], until: Any) -> Iterator[PostgreSQL]:
    server = PostgreSQL(Path(binary("initdb")).parent)
    server.start(until)
    yield server
    server.stop()
    shutil.rmtree(server.folder)
