"""Many tasks, each in a lab of its own, so many labs beside each other; what comes of each is a JSON line in a file at once."""

import multiprocessing
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from tests.lab.agent import Agent
from tests.lab.lab import Lab

Task = TypeVar("Task")
Result = TypeVar("Result")


def each(do: Callable[[Lab, Agent, Task], Result], tasks: Sequence[Task], labs: int, results: Path, line: Callable[[Result], str]) -> None:
    """Do all tasks, each by a process of its own with a fresh lab and a running agent; `line` says in words what came of one."""
    if not tasks:
        return
    results.parent.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the labs are ended too
    spawning = multiprocessing.get_context("spawn")
    with spawning.Pool(min(labs, len(tasks)), maxtasksperchild=1) as pool, results.open("ab") as out:
        for one in pool.imap_unordered(partial(_guarded, do), tasks):
            if isinstance(one, str):
                print(one, file=sys.stderr, flush=True)
                continue
            out.write(msgspec.json.encode(one) + b"\n")
            out.flush()
            print(line(one), file=sys.stderr, flush=True)


def alone(do: Callable[[Lab, Agent, Task], Result], task: Task) -> Result:
    """Do one task with a fresh lab and a running agent."""
    lab = Lab()
    try:
        agent = Agent(lab)
        try:
            agent.start()
            return do(lab, agent, task)
        finally:
            agent.down()
    finally:
        lab.down()


def _guarded(do: Callable[[Lab, Agent, Task], Result], task: Task) -> Result | str:
    """Do a task; whatever breaks a lab is told, and the others go on."""
    try:
        return alone(do, task)
    except Exception as why:
        return f"{task}: the lab failed: {why!r}"[:3000]


def read(results: Path, kind: type[Result]) -> list[Result]:
    """Return what is in a results file; a last line that was left unfinished is not."""
    lines = results.read_bytes().splitlines(keepends=True) if results.exists() else []
    return [msgspec.json.decode(line, type=kind) for line in lines if line.endswith(b"\n")]
