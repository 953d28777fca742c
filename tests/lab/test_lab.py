"""The lab itself: up at once, gone at once, several beside each other, and nothing left behind when it is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lab import topology
from tests.lab.lab import NEEDS, Lab

pytestmark = NEEDS
ROOT = Path(__file__).parents[2]


def left_behind(pids: list[int]) -> list[int]:
    """Return those that still run; one that has ended and waits for its new parent to notice does not."""
    return [pid for pid in pids if alive(pid)]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_lab_comes_up_within_five_seconds_and_goes_within_one(lab: Lab) -> None:
    second = Lab()
    pids = [node.pid for node in second.node.values()]
    started = time.monotonic()
    second.down()
    gone_s = time.monotonic() - started
    assert not left_behind(pids)
    assert second.took_s <= 5, f"up in {second.took_s:.1f} s"
    assert gone_s <= 1, f"gone in {gone_s:.1f} s"
    assert lab.healthy(), "another lab that goes disturbs this one"


def test_killed_lab_leaves_nothing_behind() -> None:
    command = [sys.executable, "-m", "tests.lab.lab"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as running:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("up")
        pids = [int(running.stdout.readline().split(" -t ")[1].split()[0]) for _ in topology.MACHINES]
        children = descendants([running.pid, *pids])
        spaces = [os.readlink(f"/proc/{pid}/ns/{kind}") for pid in pids for kind in ("net", "mnt", "uts", "pid", "ipc")]
        assert os.readlink("/proc/self/ns/ipc") not in spaces, "a killed database would leave its shared memory to the machine"
        running.send_signal(signal.SIGKILL)
    end = time.monotonic() + 5
    while (left := left_behind([*pids, *children])) and time.monotonic() < end:
        time.sleep(0.02)
    assert not left, subprocess.run(["ps", "-fp", ",".join(map(str, left))], capture_output=True, text=True, check=False).stdout
    mounts = Path("/proc/self/mountinfo").read_text()
    assert not [space for space in spaces if space in mounts], "a namespace is held by a mount"


def descendants(pids: list[int]) -> list[int]:
    found: list[int] = []
    for pid in pids:
        below = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        found += [*below, *descendants(below)]
    return found


@pytest.mark.parametrize("target", [topology.EDGE, topology.CORE, topology.SOFT, topology.DB, topology.CARRIER, topology.GATEWAY_A])
def test_every_machine_answers_the_agent(lab: Lab, target: str) -> None:
    assert not lab.look("icmp", target, count=3).bad


def test_program_itself_runs_at_the_agent(lab: Lab) -> None:
    done = lab.firstline("check", "icmp", topology.CARRIER, "--format", "nagios")
    assert done.returncode == 0, done.stdout + done.stderr
    gone = lab.firstline("check", "tcp", f"{topology.SOFT}:5999", "--format", "nagios")
    assert gone.returncode == 2, gone.stdout + gone.stderr
