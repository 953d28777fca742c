"""What the service records is played again to what it said: the same diagnoses in the same order."""

import gzip
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from checks import tcp
from checks.assess import Memory, Rules, Scene, assess
from checks.baseline import Baseline
from checks.correlate import RULES
from checks.history import RULE
from checks.recording import VERSION, Reading
from checks.recording import Job as JobLine
from checks.recording import Recording as RecordingLine
from checks.sight import Look, Sight
from probe.agent.actions.replay import ReplayProblem, Run
from probe.agent.recording import Recorder
from probe.agent.settings.settings import Agent, Settings
from probe.inventory import Inventory, Node
from probe.job import Job
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation, Outcome
from probe.observation.tcp import ConnectSample
from probe.probers.tcp import Options

START = datetime(2026, 3, 1, tzinfo=UTC)
GOOD, DEAD = ConnectSample("192.0.2.1", 80, 1.0), Failure(Kind.REFUSED)
NODE = Node("web-1", "192.0.2.1")
JOB = Job("agent", NODE, "tcp", Options(port=80))
INVENTORY = Inventory("here", {"here": Node("here"), "web-1": NODE})


class Recorded:
    """A recorder fed by hand, as the watch feeds it."""

    def __init__(self, path: Path, megabytes: int = 64) -> None:
        self.path = path
        self.recorder = Recorder()
        self.settings = Settings(Agent("agent", recording=str(path), recording_mb=megabytes), INVENTORY, (JOB,))
        self.recorder.apply(self.settings)
        self.rules = Rules(tcp.judge, tcp.Limits())
        self.memory: Memory | None = None
        self.minute = 0

    def see(self, outcome: Outcome, scene: Scene | None = None) -> None:
        scene = scene or Scene()
        seen = Observation("agent", "web-1", "tcp", START + timedelta(minutes=self.minute), 1.0, outcome, JOB.options.item)
        self.minute += 1
        old = self.memory
        self.memory, result = assess(seen, old or Memory(), self.rules, scene)
        self.recorder.reading(JOB, seen, old, self.rules, scene, result.findings)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path / "recording.jsonl")


def told(file: Path) -> list[tuple[str, str, str]]:
    return [(one.kind.value, one.diagnosis.cause, one.diagnosis.element.partition(":")[0]) for one in Run(str(file))]


def test_a_recording_is_for_nobody_else_and_leads_to_what_the_memory_believes(recorded: Recorded) -> None:
    for outcome in (GOOD, DEAD, DEAD, DEAD, DEAD):
        recorded.see(outcome)
    assert stat.S_IMODE(os.stat(recorded.path).st_mode) == 0o600
    assert [line["line"] for line in recorded.lines()] == ["recording", "job", *["reading"] * 5]
    run = Run(str(recorded.path))
    assert [one.kind for one in run] == ["born"]
    assert recorded.memory is not None
    played = run.replay.memories[JOB.key]
    assert (played.tracks, played.bad, played.found) == (recorded.memory.tracks, recorded.memory.bad, recorded.memory.found)


def test_the_older_half_goes_when_it_is_full_and_each_file_can_be_played_alone(recorded: Recorded) -> None:
    recorded.see(GOOD)
    recorded.recorder._most = 4_000
    for _ in range(40):
        recorded.see(DEAD)
    newest, before = recorded.path, recorded.path.with_name("recording.jsonl.1")
    assert newest.stat().st_size < 2_600
    assert before.stat().st_size < 2_600
    assert told(newest) == told(before) == [("born", "process_down", "web-1")]
    both = recorded.path.with_name("both")
    both.write_bytes(before.read_bytes() + newest.read_bytes())
    assert told(both) == [("born", "process_down", "web-1")]
    run = Run(str(newest))
    assert list(run)
    assert recorded.memory is not None
    assert run.replay.memories[JOB.key].tracks == recorded.memory.tracks


def test_what_the_agent_saw_of_itself_and_what_was_usual_is_written_when_it_changes(recorded: Recorded) -> None:
    key = ("agent", "web-1", "tcp/connect", JOB.options.item)
    dark = Sight(interfaces={"eth0": Look(False, START)})
    hour = {key: Baseline(1.0, 0.1, 600, 10)}
    for scene in (Scene(), Scene(dark), Scene(dark), Scene(dark, hour), Scene(dark, hour), Scene(dark, dict(hour)), Scene(dark, {})):
        recorded.see(GOOD, scene)
    lines = [line for line in recorded.lines() if line["line"] == "reading"]
    assert [at for at, line in enumerate(lines) if "sight" in line] == [1]
    assert [at for at, line in enumerate(lines) if "usual" in line] == [3, 6]
    assert lines[6]["usual"] == []


def test_a_disk_that_is_full_stops_nothing_and_leaves_no_torn_line(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded.see(GOOD)
    whole = recorded.path.read_bytes()
    write = os.write

    def torn(file: int, text: bytes) -> int:
        return write(file, text[:20])

    monkeypatch.setattr(os, "write", torn)
    recorded.see(DEAD)
    assert recorded.path.read_bytes() == whole
    monkeypatch.setattr(os, "write", write)
    recorded.see(DEAD)  # not tried again at once
    recorded.recorder._retry_at = 0.0
    recorded.see(DEAD)
    assert recorded.path.with_name("recording.jsonl.1").read_bytes() == whole
    assert [line["line"] for line in recorded.lines()] == ["recording", "job", "reading"]
    assert len(told(recorded.path)) == 1


def test_a_name_that_is_no_text_costs_as_long_as_it_is_remembered(recorded: Recorded) -> None:
    for outcome in (GOOD, Failure(Kind.REFUSED, "\udc80"), DEAD, DEAD):
        recorded.see(outcome)
    assert [line["line"] for line in recorded.lines()] == ["recording", "job", "reading", "job", "reading"]


def test_a_torn_last_line_is_told_and_the_rest_is_used(recorded: Recorded) -> None:
    for outcome in (GOOD, DEAD, DEAD, DEAD):
        recorded.see(outcome)
    whole = recorded.path.read_bytes()
    recorded.path.write_bytes(whole + whole.splitlines()[-1][:70])
    run = Run(str(recorded.path))
    assert [one.kind for one in run] == ["born"]
    assert run.torn == f"{recorded.path}:7"
    packed = recorded.path.with_name("recording.gz")
    packed.write_bytes(gzip.compress(whole))
    assert told(packed) == told(recorded.path)
    packed.write_bytes(gzip.compress(whole)[:-20])
    run = Run(str(packed))
    list(run)
    assert run.torn is not None


@pytest.mark.parametrize(
    ("change", "where", "cure"),
    [
        (lambda lines: [lines[0], b"{}", *lines[1:]], ":2: ", "take it out"),
        (lambda lines: [lines[0], *lines[2:]], ":2: ", "first line"),
        (lambda lines: lines[1:], ":1: ", "first line"),
        (lambda lines: [lines[0].replace(b'"version":1', b'"version":9'), *lines[1:]], ":1: ", "the version that recorded it"),
        (lambda lines: [lines[0], lines[1].replace(b'"prober":"tcp"', b'"prober":"telex"')], ":2: ", "the version that recorded it"),
        (
            lambda lines: [lines[0], lines[1].replace(b'"connect":', b'"conect":').replace(b'"limits":{', b'"limits":{"connect":3,')],
            ":2: ",
            "limits",
        ),
        (lambda lines: [*lines, lines[-1].replace(b'Z"', b'"')], ":4: ", "times that can't be reckoned with"),
        (lambda lines: [*lines[:2], re.sub(rb'"at":"[^".Z]+', b'"at":"9999-12-31T23:59:59', lines[2])], ":3: ", "times"),
        (lambda lines: [*lines, b'{"line":"reading","x":' + b"[" * 100_000], ":4: ", "take it out"),
        (lambda lines: [lines[0].replace(b'"nodes":{', b'"nodes":{"\\nlink:x":{"name":"\\nlink:x"},')], ":1: ", "no node can be named"),
        (lambda _: [b"hello"], ":1: ", "evidence"),
        (lambda _: [b""], ": ", "recording"),
    ],
)
def test_what_can_not_be_played_names_the_line_and_the_cure(
    recorded: Recorded, change: Callable[[list[bytes]], list[bytes]], where: str, cure: str
) -> None:
    recorded.see(GOOD)
    recorded.path.write_bytes(b"\n".join(change(recorded.path.read_bytes().splitlines())) + b"\n")
    if not recorded.path.read_bytes().strip():
        recorded.path.write_bytes(b"")
    with pytest.raises(ReplayProblem) as refused:
        list(Run(str(recorded.path)))
    assert str(refused.value).startswith(str(recorded.path) + where)
    assert cure in str(refused.value)


def test_another_version_of_the_rules_is_told_and_played(recorded: Recorded) -> None:
    for outcome in (GOOD, DEAD, DEAD, DEAD):
        recorded.see(outcome)
    text = recorded.path.read_text()
    recorded.path.write_text(text.replace(f'"rules":"{recorded.lines()[0]["rules"]}"', '"rules":"0"', 1))
    run = Run(str(recorded.path))
    assert len(list(run)) == 1
    assert (run.same_rules, run.rules) == (False, "0")


def command(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    program = str(Path(sys.executable).with_name("firstline"))
    surroundings = {**os.environ, "FIRSTLINE_LANG": "en"}
    return subprocess.run([program, "replay", *words], input=stdin, capture_output=True, timeout=60, check=False, env=surroundings)


def test_the_command_says_when_and_exits_by_whether_something_was_wrong(recorded: Recorded) -> None:
    recorded.see(GOOD)
    none = command(str(recorded.path))
    assert (none.returncode, none.stdout.decode()) == (0, "1 readings played; they lead to no diagnosis\n")
    for _ in range(3):
        recorded.see(DEAD)
    some = command("-", stdin=recorded.path.read_bytes())
    assert some.returncode == 1
    assert "new" in some.stdout.decode()
    assert b"\x1b" not in some.stdout
    document = json.loads(command(str(recorded.path), "--format", "json").stdout)
    assert [(one["told"], one["cause"]) for one in document["told"]] == [("born", "process_down")]
    assert document["readings"] == 4
    assert "新诊断" in command(str(recorded.path), "--language", "zh").stdout.decode()
    missing = command(str(recorded.path) + ".none")
    assert (missing.returncode, missing.stdout) == (3, b"")
    assert b"No such file" in missing.stderr


def write_long(file: Path, count: int) -> None:
    """Write a recording of 100 doors on 100 nodes, of which one is shut now and then."""
    nodes = {"here": Node("here"), **{f"web-{at}": Node(f"web-{at}", "192.0.2.1") for at in range(100)}}
    limits: dict[str, object] = msgspec.to_builtins(tcp.Limits())
    encode = msgspec.json.Encoder().encode
    with file.open("wb") as out:
        out.write(encode(RecordingLine(VERSION, RULES, "agent", Inventory("here", nodes), ())) + b"\n")
        for at in range(100):
            out.write(encode(JobLine(f"web-{at}", "tcp", "80", limits, RULE, None, 10.0)) + b"\n")
        for number in range(count):
            seen_at, turn = START + timedelta(seconds=number / 10), number // 100 % 200
            outcome = DEAD if number % 100 == 7 and turn > 190 else GOOD
            seen = Observation("agent", f"web-{number % 100}", "tcp", seen_at, 1.0, outcome, "80")
            out.write(encode(Reading(seen_at, seen)) + b"\n")


@pytest.mark.parametrize("count", [30_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_a_long_recording_takes_no_more_memory_than_a_short_one(tmp_path: Path, count: int) -> None:
    file = tmp_path / "long.jsonl"
    write_long(file, count)
    script = """
import sys
from probe.agent.actions.replay import Run
run = Run(sys.argv[1])
print(sum(1 for _ in run), run.replay.readings, open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
"""
    done = subprocess.run([sys.executable, "-c", script, str(file)], capture_output=True, text=True, timeout=300, check=True)
    told, readings, kilobytes = map(int, done.stdout.split())
    assert readings == count
    assert told == 2 * (count // 20_000) - (count % 20_000 == 0)
    assert kilobytes < 100_000


def test_the_service_records_and_a_replay_says_what_it_said(
    service: Any, door: Callable[[], Any], until: Callable[..., Any], tmp_path: Path
) -> None:
    doors = [door() for _ in range(2)]
    file = tmp_path / "recording.jsonl"
    service.configure(
        '[[node]]\nname = "here"\n' + "".join(one.text for one in doors) + "[rules]\nhard_after = 2\n",
        agent='recording = "recording.jsonl"',
    )
    service.start()
    until(lambda: file.exists() and file.read_text().count('"reading"') >= 4, why="readings")
    doors[0].shut()
    until(lambda: file.read_text().count('"refused"') >= 2, why="the first fault is believed before the second begins")
    doors[1].shut()
    until(lambda: len(service.cases()) == 2, why="cases")
    doors[0].open()
    until(lambda: any(case["cleared_at"] for case in service.cases()), why="clear")
    cases = sorted(service.cases(), key=lambda one: int(one["id"]))
    evidence = service.run("case", "explain", str(cases[0]["id"]), "--evidence")
    service.kill()

    live = [(one["kind"], one["cause"], one["element"]) for one in cases]
    born = [one.diagnosis for one in Run(str(file)) if one.kind == "born"]
    assert [(one.kind, one.cause, one.element) for one in born] == live
    ended = [one.diagnosis.element for one in Run(str(file)) if one.kind == "ended"]
    assert ended == [cases[0]["element"]]
    assert "secret" not in file.read_text()

    kept = tmp_path / "evidence.json"
    kept.write_text(evidence)
    assert [(one.diagnosis.kind, one.diagnosis.cause, one.diagnosis.element) for one in Run(str(kept)) if one.kind == "born"] == live[:1]
