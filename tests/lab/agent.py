"""The running agent: `firstline run` inside the lab's agent machine with the operator's own configuration, looked at from outside."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.lab import daemons, plan
from tests.lab.lab import ISOLATED, Lab
from tests.lab.node import FILES
from tests.unix_http import UnixConnection

STATE = f"{FILES}/agent"  # in the machine: a file system of its own, which ends with it
READY_S, STOP_S = 60.0, 10.0
ROOT = str(Path(__file__).parents[2])  # whatever is installed, the agent is the one of this tree
FIRSTLINE = str(Path(sys.executable).with_name("firstline"))

Event = dict[str, Any]


class Agent:
    """The agent of one lab; every start is a new life, with nothing known of the one before."""

    def __init__(self, lab: Lab, pages: int = 0) -> None:
        self.lab, self._pages = lab, pages
        self._node = lab.node["agent"]
        self._process: subprocess.Popen[bytes] | None = None
        self._runs = 0
        self._read_to = 0
        self._node.run("sh", "-c", f"mkdir -p {STATE} && mount -t tmpfs -o size=512m,mode=755 tmpfs {STATE}")

    @property
    def state(self) -> Path:
        """Its folder, as it is seen from outside."""
        return self._node.root / self._state.lstrip("/")

    @property
    def _state(self) -> str:
        return f"{STATE}/{self._runs}"

    @property
    def journal(self) -> str:
        """What it printed."""
        path = self.state / "journal"
        return path.read_text() if path.exists() else ""

    def start(self, within_s: float = READY_S) -> None:
        """Start it with nothing known, and wait until every check was measured once."""
        self._runs += 1
        self._read_to = 0
        self._node.run("mkdir", "-p", self._state)
        secret = self.state / "community"
        secret.write_text(daemons.COMMUNITY)
        secret.chmod(0o600)
        (self.state / "portal.pem").write_text((self.lab.node["soft"].files / "ca.pem").read_text())
        config = plan.configuration(self._state, f"{self._state}/portal.pem", self._pages)
        (self.state / "firstline.toml").write_text(config)
        with (self.state / "journal").open("ab") as journal:
            self._process = subprocess.Popen(
                self._node.inside([FIRSTLINE, "run", "--config", f"{self._state}/firstline.toml"]),
                stdin=subprocess.DEVNULL,
                stdout=journal,
                stderr=journal,
                start_new_session=True,
                env={**os.environ, **ISOLATED, "PYTHONPATH": ROOT},
            )
        self._until(self.ready, within_s, "ready")

    def stop(self) -> None:
        """Ask it to end; one that does not is killed."""
        if self._process is None:
            return
        with contextlib.suppress(OSError, ValueError, IndexError):
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
            os.kill(int(children[0]), signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_S)
        self._process = None

    def restart(self) -> None:
        """Begin anew: no case, no track, nothing known."""
        self.stop()
        self.start()

    def _until(self, true: Callable[[], object], within_s: float, why: str) -> None:
        end = time.monotonic() + within_s
        while not true():
            assert self.alive(), f"the agent has ended:\n{self.journal[-3000:]}"
            assert time.monotonic() < end, f"not {why} within {within_s:g} s:\n{self.journal[-3000:]}"
            time.sleep(0.1)

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ready(self) -> bool:
        """Tell whether every check was measured."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ask("/-/ready")[0] == 200
        return False

    def ask(self, path: str) -> tuple[int, bytes]:
        """Ask it over its unix socket."""
        connection = UnixConnection(self.state / "socket")
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def told(self, path: str) -> Any:
        """Return what it answers as JSON."""
        status, body = self.ask(path)
        assert status == 200, f"{path}: {status} {body[:500]!r}"
        return json.loads(body)

    def run(self, *words: str, timeout_s: float = 60.0) -> "subprocess.CompletedProcess[str]":
        """Run a command of the program beside the service."""
        surroundings = {**os.environ, **ISOLATED, "PYTHONPATH": ROOT, "FIRSTLINE_SOCKET": f"{self._state}/socket"}
        surroundings["FIRSTLINE_CONFIG"] = f"{self._state}/firstline.toml"
        command = self._node.inside([FIRSTLINE, *words])
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False, env=surroundings)

    def cases(self) -> list[dict[str, Any]]:
        """Return the cases that are open."""
        return list(self.told("/v1/cases"))

    def events(self) -> list[Event]:
        """Return what has happened to cases since the last call, from the feed: each event with the case as it stood right after it."""
        feed = self.state / "cases.jsonl"
        if not feed.exists():
            return []
        with feed.open("rb") as lines:
            lines.seek(self._read_to)
            told = lines.read()
        whole = told[: told.rfind(b"\n") + 1]
        self._read_to += len(whole)
        return [json.loads(line) for line in whole.splitlines()]

    def bad(self) -> list[str]:
        """Return a line for each track that is not good, from the store: node, check, item, what is believed, what it says, since when.

        What is silenced is left out.
        """
        with tempfile.TemporaryDirectory() as copy:  # SQLite would look for its files where the machine has them
            for part in self.state.glob("firstline.sqlite*"):
                shutil.copy(part, copy)
            with contextlib.closing(sqlite3.connect(f"{copy}/firstline.sqlite")) as store:
                rows = store.execute("SELECT node, question, item, body FROM track ORDER BY node, question, item").fetchall()
        tracks = [(*row[:3], json.loads(row[3])) for row in rows]
        return [
            f"{node} {check} [{item}] {track.get('hard')} soft {track.get('soft')} {track.get('said', '')} since {track.get('since')}"
            for node, check, item, track in tracks
            if {track.get("hard"), track.get("soft")} & {"warning", "critical"} and not plan.silenced(node, check)
        ]

    def down(self) -> None:
        """End it and let go of its folder."""
        self.stop()
