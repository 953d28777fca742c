"""Faults that touch the whole machine under the lab: never beside another lab, and put back even when the test dies."""

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.truth import Truth, fault, truth

if TYPE_CHECKING:
    from tests.lab.lab import Lab

MOST_TRACKED = Path("/proc/sys/net/netfilter/nf_conntrack_max")
TRACKING = """table inet tracked {
  chain out { type filter hook output priority 0; ct state new accept; }
  chain in { type filter hook input priority 0; ct state new accept; }
}
"""


@contextmanager
def guarded(setting: Path, text: str) -> Iterator[None]:
    """Write a setting of the kernel for a while; another process puts it back when this one is through with it, or dead."""
    command = [sys.executable, str(Path(__file__).with_name("guard.py")), str(setting), text]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True) as guard:
        assert guard.stdout is not None
        assert guard.stdin is not None
        assert guard.stdout.readline().strip() == "guarded", f"{setting} can't be set"
        try:
            yield
        finally:
            guard.stdin.close()
            guard.wait(10)


@contextmanager
def conntrack(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
    """The agent's own machine tracks as many connections as it may: no new one can be made."""
    agent = lab.node["agent"]
    agent.nft(TRACKING)
    load = None
    try:
        with guarded(MOST_TRACKED, str(draw.randint(150, 250))):
            load = agent.start_python("load", "load.py", "connections", "127.0.0.1", "20000")
            lab.until(lambda: "full" in load.log, "no more connections")
            yield truth("conntrack agent_blind", "company", "agent")
    finally:
        if load is not None:
            load.kill()
        agent.nft("delete table inet tracked\n")


FAULTS = (fault(conntrack, machine_wide=True),)
