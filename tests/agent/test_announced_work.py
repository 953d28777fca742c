"""Announced work on the running service: nothing new is alarmed; measuring and clearing go on."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FIRSTLINE = str(Path(sys.executable).with_name("firstline"))
START = '\n[rules]\nhard_after = 1\nrecover_after = 1\n\n[[node]]\nname = "here"\naddress = "localhost"\n'


def said(service: Any, *words: str) -> str:
    """Run a command that is to fail with exit code 3; return what it said on stderr."""
    done = subprocess.run([FIRSTLINE, *words], capture_output=True, text=True, env=service.environment, timeout=30, check=False)
    assert done.returncode == 3, done
    assert "Traceback" not in done.stderr
    return done.stderr


def rounds(service: Any, until: Any, outcome: str, count: int) -> None:
    name = f'firstline_observations_total{{outcome="{outcome}",prober="tcp"'
    begun = service.metric(name) or 0.0
    until(lambda: (service.metric(name) or 0.0) >= begun + count, why=f"{count} more {outcome}")


def events(service: Any, node: str) -> list[str]:
    return [line["event"] for line in service.lines() if line["identity"]["element"].startswith(node)]


def test_work_holds_back_opening_neither_measuring_nor_clearing(service: Any, door: Callable[[], Any], until: Any) -> None:
    ill, well = door(), door()
    service.configure(START + ill.text + well.text)
    service.start()
    ill.shut()
    until(lambda: events(service, ill.name) == ["opened"], why=service.journal)
    service.run("maintenance", ill.name, "2h")
    assert well.name in service.run("maintenance", well.name, "30m", "--why", "a new power supply")
    shown = service.run("maintenance")
    assert well.name in shown
    assert "a new power supply" in shown

    well.shut()
    until(lambda: service.metric('firstline_checks{prober="tcp",state="critical"') == 2.0, why="measured and shown")
    rounds(service, until, "refused", 3)
    ill.open()
    until(lambda: events(service, ill.name) == ["opened", "cleared"], why="recovery is not held back")
    ill.shut()  # and again, under the work announced here
    rounds(service, until, "refused", 4)
    assert events(service, well.name) == []
    assert events(service, ill.name) == ["opened", "cleared"]
    assert {work["node"] for work in service.status()["maintenance"]} == {ill.name, well.name}
    text = service.run("status", "--language", "en")
    assert well.name in text
    assert "a new power supply" in text

    assert service.stop(5.0) == 0
    service.start()  # announced work outlives a restart
    rounds(service, until, "refused", 2)
    assert events(service, well.name) == []
    service.run("maintenance", well.name, "--end")
    until(lambda: events(service, well.name) == ["opened"], 10, why="the fault is still there when the work ends")
    service.run("maintenance", ill.name, "1h")  # replaces the one before
    assert service.run("maintenance").count(ill.name) == 1
    service.run("maintenance", ill.name, "--end")
    until(lambda: len(service.cases()) == 3, 10, why="the second episode")
    assert service.run("maintenance").strip() == "no work is announced"


def test_work_that_can_not_be_announced_says_why(service: Any, door: Callable[[], Any]) -> None:
    assert "no service" in said(service, "maintenance") or "does not answer" in said(service, "maintenance")
    service.configure(START + door().text)
    service.start()
    assert "no node named nobody" in said(service, "maintenance", "nobody", "2h")
    assert "is not a duration" in said(service, "maintenance", "here", "soon")
    assert "for how long?" in said(service, "maintenance", "here")
    assert "at most 30 days" in said(service, "maintenance", "here", "99d")
    assert "not in maintenance" in said(service, "maintenance", "here", "--end")
    assert json.loads(service.ask("GET", "/v1/maintenance")[1]) == []


@pytest.mark.needs_root
@pytest.mark.needs("setpriv")
def test_who_may_not_use_the_socket_is_told_which_group_may(service: Any, door: Callable[[], Any]) -> None:
    service.configure(START + door().text)
    service.start()
    os.chown(service.socket, 65534, 65534)  # another's, and who asks has no right beyond that of files
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", FIRSTLINE, "maintenance", "here", "2h"]
    done = subprocess.run(command, capture_output=True, text=True, env=service.environment, timeout=30, check=False)
    assert done.returncode == 3
    assert "permission denied; join the group that owns it" in done.stderr
    assert "Traceback" not in done.stderr
