"""`firstline demo` from a newcomer's chair: real processes, real namespaces, and what is left when it is over."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from probe.agent.demo import guard
from probe.agent.demo.faults import ROUND_S, TIMETABLE
from probe.agent.demo.screen import AUDIT_AT_S

pytestmark = [pytest.mark.needs("setpriv", "unshare")]
STARTED_S, FIRST_CASE_S = 30.0, 60.0


class Both(NamedTuple):
    network: Any
    loopback: Any


@pytest.fixture(scope="module")
def both(start_demo: Callable[..., Any]) -> Both:
    """Give two demos that run at the same time, one of which the kernel allows no namespaces; the tests share their minute."""
    return Both(start_demo(), start_demo(namespaces=False))


@pytest.fixture(params=["network", "loopback"])
def demo(both: Both, request: pytest.FixtureRequest) -> Any:
    return getattr(both, request.param)


def test_its_first_lines_say_what_is_real_and_where_namespaces_are_refused(both: Both) -> None:
    both.network.line("ends +at", STARTED_S)
    both.loopback.line("ends +at", STARTED_S)
    assert "in a network of its own" in both.network.lines[0][1]
    assert "on loopback only" in both.loopback.lines[0][1]
    assert "max_*_namespaces" in both.loopback.lines[0][1]
    both.network.line("real +12 machines", 1)
    both.loopback.line("simulated +all machines", 1)


def test_first_case_comes_within_a_minute_and_after_its_fault_not_before(demo: Any) -> None:
    fault_s, _ = demo.line("▸ the demo (pulls|ends)", FIRST_CASE_S)
    case_s, _ = demo.line(r"#\d+ opened · .*harbour-gateway", FIRST_CASE_S)
    first_s, _ = demo.line(r"#1 opened", FIRST_CASE_S)
    assert fault_s < first_s <= case_s < FIRST_CASE_S, demo.text
    demo.line("to do", FIRST_CASE_S)


def test_page_and_commands_reach_it_from_outside(demo: Any) -> None:
    _, address = demo.line(r"http://127\.0\.0\.1:\d+/", STARTED_S)
    _, config = demo.line(r"FIRSTLINE_CONFIG=(\S+)", STARTED_S)
    demo.line(r"#\d+ opened", FIRST_CASE_S)
    with urllib.request.urlopen(address[0], timeout=10) as page:
        assert "harbour-gateway" in page.read().decode()
    with urllib.request.urlopen(address[0] + "metrics", timeout=10) as metrics:
        assert b"firstline_" in metrics.read()
    command = [sys.executable, "-c", "from probe.agent.cli import main; main()", "case", "list", "--format", "json"]
    known = {**os.environ, "FIRSTLINE_CONFIG": config[1], "PYTHONPATH": str(Path(__file__).parents[2])}
    asked = subprocess.run(command, env=known, capture_output=True, text=True, timeout=60, check=False)
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout)[0]["id"] >= 1


def test_bills_are_audited_and_their_difference_is_a_case(demo: Any) -> None:
    demo.line("bills of Harbour Logistics", FIRST_CASE_S)
    for planted in ("minimum/increment", "missing in the customer's import", "duplicate records"):
        demo.line(planted, FIRST_CASE_S)


def test_interrupted_it_says_what_to_try_next_and_leaves_nothing(demo: Any) -> None:
    demo.line(r"#\d+ opened", FIRST_CASE_S)
    assert len(demo.processes()) >= 5
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(5) == 0, demo.text
    demo.gone(0.5)
    demo.line_after_end("firstline run")


@pytest.mark.parametrize("namespaces", [True, False])
def test_killed_it_leaves_nothing(start_demo: Callable[..., Any], namespaces: bool) -> None:
    demo = start_demo(namespaces=namespaces)
    demo.line("ends +at", STARTED_S)
    assert demo.folders()
    demo.process.send_signal(signal.SIGKILL)
    demo.gone()


@pytest.mark.parametrize("namespaces", [True, False])
def test_guard_killed_the_rest_ends_and_says_so(start_demo: Callable[..., Any], namespaces: bool) -> None:
    demo = start_demo(namespaces=namespaces)
    demo.line("ends +at", STARTED_S)
    own = demo.process.pid
    (guard,) = (pid for pid, stat in demo.processes().items() if int(stat.rpartition(")")[2].split()[1]) == own)
    os.kill(guard, signal.SIGKILL)
    assert demo.process.wait(10) == 3
    demo.gone()
    demo.line_after_end("ended by itself")


def test_all_killed_at_once_its_folder_goes_with_the_next_start(start_demo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    demo = start_demo(namespaces=False)  # so that the folder is this user's
    demo.line("ends +at", STARTED_S)
    (left,) = demo.folders()
    monkeypatch.setattr(guard.tempfile, "gettempdir", lambda: str(demo.folder))
    guard.sweep()
    assert left.exists()  # it runs
    for pid in demo.processes():
        os.kill(pid, signal.SIGKILL)
    demo.gone(folders=False)
    with (left / guard.LOCK).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a process that ends has no environment any more a little before its files are closed
    guard.sweep()
    assert not left.exists()


def test_it_ends_when_its_time_is_up(start_demo: Callable[..., Any]) -> None:
    demo = start_demo("--for", "2s")
    assert demo.process.wait(STARTED_S) == 0, demo.text
    demo.gone(0.5)


def test_time_that_is_none_is_refused() -> None:
    command = [sys.executable, "-c", "from probe.agent.cli import main; main()", "demo", "--for", "soon"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 3
    assert "write 90s, 5m or 1h" in told.stderr


def test_reader_of_its_output_that_goes_ends_it(start_demo: Callable[..., Any]) -> None:
    demo = start_demo("--for", "1m", lines=0)
    assert demo.process.wait(STARTED_S) == 0
    demo.gone()


def test_timetable_of_the_handbook_is_that_of_the_code() -> None:
    section = (Path(__file__).parents[2] / "docs" / "handbook.md").read_text("utf-8").partition("### demo")[2].partition("| when |")[0]
    rows = re.findall(r"^\| (\d+) s \|.*\| (?:(\d+) s|–) \|$", section, re.MULTILINE)
    planned = {(one.at_s, one.until_s) for one in TIMETABLE} | {(AUDIT_AT_S, None)}
    assert {(float(at), float(until) if until else None) for at, until in rows} == planned
    assert max(one.until_s for one in TIMETABLE) < ROUND_S
