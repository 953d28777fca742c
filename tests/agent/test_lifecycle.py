"""The service's life: what it tells systemd, how it ends, reloads, restarts, and what it says when it can't start."""

import asyncio
import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from probe.agent.service import PROGRESS_WITHIN_S, Service
from probe.agent.settings.settings import Agent, Settings
from probe.inventory import Inventory

FIRSTLINE = str(Path(sys.executable).with_name("firstline"))


class Supervisor:
    """A real NOTIFY_SOCKET; keeps what was told, each datagram as its lines."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self.told: list[list[str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while message := self._socket.recv(4096):
                self.told.append(message.decode().splitlines())

    def words(self) -> list[str]:
        return [lines[0].partition("=")[0] for lines in self.told]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    one = Supervisor(tmp_path)
    yield one
    one.close()


def here(*doors: Any) -> str:
    return '\n[rules]\nhard_after = 1\nrecover_after = 1\n\n[[node]]\nname = "here"\naddress = "localhost"\n' + "".join(
        door.text for door in doors
    )


def test_systemd_is_told_when_it_is_ready_alive_reloading_and_stopping(
    service: Any, supervisor: Supervisor, door: Callable[[], Any], until: Any
) -> None:
    service.configure(here(door()))
    service.extra = {"NOTIFY_SOCKET": str(supervisor.path), "WATCHDOG_USEC": "1500000"}
    service.start(wait=False)
    until(lambda: "READY" in supervisor.words(), why=service.journal)
    assert service.get("/-/healthy")[0] == 200  # it listened before it said so
    assert service.ask("GET", "/-/healthy")[0] == 200
    until(lambda: supervisor.words().count("WATCHDOG") >= 3, 5, why="signs of life every half second")
    service.process.send_signal(signal.SIGHUP)
    until(lambda: supervisor.words().count("READY") == 2, why="the reload")
    (reloading,) = [lines for lines in supervisor.told if lines[0] == "RELOADING=1"]
    assert re.fullmatch(r"MONOTONIC_USEC=\d+", reloading[1])
    assert abs(int(reloading[1].partition("=")[2]) / 1e6 - time.clock_gettime(time.CLOCK_MONOTONIC)) < 60
    assert service.stop(5.0) == 0
    until(lambda: "STOPPING" in supervisor.words(), 2, why="the last word")
    assert [word for word in supervisor.words() if word != "WATCHDOG"] == ["READY", "RELOADING", "READY", "STOPPING"]


@pytest.mark.parametrize(("idle_s", "alive"), [(0.0, True), (PROGRESS_WITHIN_S - 0.1, True), (PROGRESS_WITHIN_S, False), (900.0, False)])
def test_watchdog_is_fed_only_while_the_scheduler_turns(
    idle_s: float, alive: bool, supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(supervisor.path))
    monkeypatch.setenv("WATCHDOG_USEC", "60000")

    async def feed() -> str:
        one = Service(None, tmp_path, Settings(Agent("test"), Inventory("here", {})))
        one.watch = SimpleNamespace(idle_s=lambda: idle_s)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(one._feed_watchdog(), 0.3)
        return one.trouble()

    trouble = asyncio.run(feed())
    assert (trouble == "") is alive
    assert (supervisor.words().count("WATCHDOG") >= 3) is alive
    assert alive or supervisor.words() == []


class Tarpit:
    """A mail server that greets and then never answers."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.callers: list[socket.socket] = []
        self.spoken = threading.Event()
        threading.Thread(target=self._greet, daemon=True).start()

    def _greet(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                self.callers.append(caller)
                caller.sendall(b"220 mail.example ESMTP\r\n")
                if caller.recv(1000):
                    self.spoken.set()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for caller in self.callers:
            caller.close()


def test_term_ends_within_five_seconds_while_mail_hangs_and_a_target_is_silent(service: Any, door: Callable[[], Any], until: Any) -> None:
    silent = socket.socket()  # bound and full: its backlog takes no more, so a handshake waits
    silent.bind(("127.0.0.1", 0))
    silent.listen(0)
    fillers = [socket.socket() for _ in range(3)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(silent.getsockname())
    tarpit, broken = Tarpit(), door()
    mail = f"""
[[feed]]
name = "post"
kind = "mail"
host = "127.0.0.1"
port = {tarpit.port}
security = "none"
sender = "firstline@example.org"
recipients = ["duty@example.org"]
"""
    quiet = f"""
[[node]]
name = "silent"
address = "127.0.0.1"

[[node.check]]
prober = "tcp"
port = {silent.getsockname()[1]}
every = "60s"
timeout = "30s"
"""
    service.configure(mail + here(broken) + quiet)
    try:
        service.start(wait=False)
        until(lambda: "page and metrics" in service.journal, why=service.journal)
        broken.shut()
        until(tarpit.spoken.is_set, why="a mail on its way")
        begun = time.monotonic()
        assert service.stop(5.0) == 0
        print(f"ended after {time.monotonic() - begun:.2f} s")
    finally:
        tarpit.close()
        for one in (*fillers, silent):
            one.close()


def test_reload_takes_a_good_file_whole_and_keeps_the_old_for_a_bad_one(service: Any, door: Callable[[], Any], until: Any) -> None:
    stays, goes, comes = door(), door(), door()
    service.configure(here(stays, goes))
    service.start()
    stays.shut()
    goes.shut()
    until(lambda: len(service.cases()) == 2, why=service.journal)

    service.config.write_text(service.config.read_text() + '\n[[node]]\nname = "bad"\nadress = "192.0.2.1"\n')
    service.process.send_signal(signal.SIGHUP)
    until(lambda: service.metric("firstline_config_reload_success") == 0.0, why="the metric")
    assert "adress: unknown key" in service.journal
    assert 'did you mean "address"' in service.journal
    assert "the old configuration stays in force" in service.journal
    assert "status.reload-refused" in [problem["id"] for problem in service.status()["problems"]]
    assert service.status()["checks"] == 2

    kept = {case["element"]: case["id"] for case in service.cases()}
    service.configure(here(stays, comes))
    status, text = service.get("/-/reload", "POST")
    assert (status, json.loads(text)) == (200, {"problems": []})
    assert service.metric("firstline_config_reload_success") == 1.0
    assert [problem["id"] for problem in service.status()["problems"]] == []
    until(lambda: [line for line in service.lines() if line["event"] == "unwatched"], why="what is no longer measured is said")
    (line,) = [line for line in service.lines() if line["event"] == "unwatched"]
    assert line["identity"]["element"].startswith(goes.name)
    goes.open()  # nobody looks: nothing clears
    until(service.ready, why="the new check is measured")
    cases = {case["element"]: case for case in service.cases()}
    assert {element: case["id"] for element, case in cases.items()} == kept
    assert all(case["state"] == "open" and case["cleared_at"] is None for case in cases.values())
    comes.shut()
    until(lambda: len(service.cases()) == 3, why="the new check works")
    stays.open()
    until(lambda: [line for line in service.lines() if line["event"] == "cleared"], why="the old one too")
    (line,) = [line for line in service.lines() if line["event"] == "cleared"]
    assert line["identity"]["element"].startswith(stays.name)


def test_reload_is_refused_to_the_page_of_another_site(service: Any, door: Callable[[], Any]) -> None:
    service.configure(here(door()))
    service.start()
    before = service.journal
    assert service.get("/-/reload", "POST", {"Origin": "http://evil.example"})[0] == 403
    assert service.get("/-/reload", "POST", {"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert service.get("/-/reload", "POST", {"Host": "evil.example"})[0] == 421
    assert service.get("/-/reload")[0] == 405
    assert service.journal == before
    assert service.get("/-/reload", "POST")[0] == 200


def refused(service: Any) -> str:
    """Start a service that can't start; return what it said."""
    command = [FIRSTLINE, "run", "--config", str(service.config)]
    done = subprocess.run(command, capture_output=True, text=True, env=service.environment, timeout=30, check=False)
    assert done.returncode not in (0, None), done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_what_is_taken_is_named_with_its_cure(service: Any, door: Callable[[], Any], port: Callable[..., int], tmp_path: Path) -> None:
    service.configure(here(door()))
    with socket.create_server(("127.0.0.1", service.port)):
        said = refused(service)
        assert f"can't listen on 127.0.0.1:{service.port}: Address already in use" in said
        assert "listen" in said.partition("Address already in use")[2]
    service.socket.write_text("a file of somebody")
    assert "is no socket; move it away" in refused(service)
    assert service.socket.read_text() == "a file of somebody"
    service.socket.unlink()

    service.start()
    said = refused(service)
    assert f"another service (process {service.process.pid}) uses this store" in said
    assert "state_dir" in said
    text = service.config.read_text()
    service.config.write_text(text.replace(str(service.state), str(tmp_path / "other")).replace(f":{service.port}", f":{port()}"))
    assert f"another service answers at {service.socket}" in refused(service)


def test_folder_that_may_not_be_written_is_named(service: Any, door: Callable[[], Any]) -> None:
    service.configure(here(door()))
    service.config.write_text(service.config.read_text().replace(str(service.state), "/proc/state"))
    assert "/proc/state" in refused(service)


def test_restart_goes_on_with_open_cases_and_clears_what_was_mended_meanwhile(service: Any, door: Callable[[], Any], until: Any) -> None:
    mended, broken = door(), door()
    service.configure(here(mended, broken))
    service.start()
    mended.shut()
    broken.shut()
    until(lambda: len(service.cases()) == 2, why=service.journal)
    service.kill()
    assert service.socket.is_socket()  # what a killed service leaves is taken over
    mended.open()
    service.start()
    until(lambda: [line for line in service.lines() if line["event"] == "cleared"], why=service.journal)
    states = {case["element"].split(":")[0]: case["state"] for case in service.cases()}
    assert states == {mended.name: "resolved", broken.name: "open"}
    assert service.stop(5.0) == 0
    assert not service.socket.exists()
    service.start()
    assert len(service.cases()) == 2
    broken.open()
    until(lambda: {case["state"] for case in service.cases()} == {"resolved"}, why=service.journal)
    assert sorted(line["event"] for line in service.lines() if line["event"] != "updated") == ["cleared", "cleared", "opened", "opened"]
