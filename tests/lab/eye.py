"""What the checks see from a machine of the lab."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.node import Node

ISOLATED = {"FIRSTLINE_CONFIG": "", "FIRSTLINE_SOCKET": "/run/lab/none", "FIRSTLINE_LANG": "en"}


@dataclass(frozen=True)
class Found:
    """One finding of a check, as its test looks at it."""

    check: str
    item: str
    state: str
    message: str
    values: dict[str, Any]
    value: float | None


class Look:
    """One check's reading: `findings`, and `seen`, the sample or failure as JSON."""

    def __init__(self, told: dict[str, Any]) -> None:
        assert "problem" not in told, told
        self.seen: dict[str, Any] = told["seen"]
        self.findings = [Found(**one) for one in told["findings"]]

    def of(self, check: str, item: str = "") -> Found:
        """Return the only finding of a check (of an item, where there are several)."""
        found = [one for one in self.findings if one.check == check and item in {"", one.item}]
        assert len(found) == 1, f"{len(found)} findings of {check} {item}: {self}"
        return found[0]

    @property
    def bad(self) -> set[tuple[str, str]]:
        """Check and item of everything that is warning or critical."""
        return {(one.check, one.item) for one in self.findings if one.state in {"warning", "critical"}}

    def __repr__(self) -> str:
        lines = [f"{one.check} [{one.item}] {one.state} {one.message} {one.values}" for one in self.findings]
        return "\n".join(["", *lines, json.dumps(self.seen)[:4000]])


class Eye:
    """The checks, measured from a machine; one process answers one after another."""

    def __init__(self, node: Node) -> None:
        log = (node.files / "eye.log").open("ab")
        command = node.inside([sys.executable, str(Path(__file__).with_name("looking.py"))])
        pipe = subprocess.PIPE
        surroundings = {**os.environ, **ISOLATED, "PYTHONPATH": str(Path(__file__).parents[2])}
        with log:
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=log, text=True, start_new_session=True, env=surroundings
            )
        self._log = node.files / "eye.log"

    def answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the eye is blind: {self._log.read_text()[-3000:]}"
        return dict(json.loads(line))

    def ask(self, do: str, **words: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **words}) + "\n")
        self._process.stdin.flush()
        told = self.answer()
        assert told.get("seen", {}).get("kind") != "broken", self._log.read_text()[-3000:]
        return told

    def down(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        self._process.wait(10)


class Series:
    """Looks at one target, each with the one before it."""

    def __init__(self, eye: Eye, first: Look) -> None:
        self._eye = eye
        self.first = first

    def next(self) -> Look:
        return Look(self._eye.ask("next"))
