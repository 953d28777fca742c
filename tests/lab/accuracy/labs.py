"""Many runs in several labs beside each other, each lab a process of its own."""

import multiprocessing
import queue
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.lab.accuracy import outcome
from tests.lab.accuracy.campaign import Campaign
from tests.lab.accuracy.scoring import judge
from tests.lab.faults import FAULTS

MOST_FAILURES = 3  # of a lab in a row, after which its process ends


class Task(NamedTuple):
    """One run: a fault's name, "2" or "3" faults at once, or "quiet"."""

    what: str
    seed: int
    minutes: float = 0.0


def run(tasks: Sequence[Task], labs: int, results: Path) -> None:
    """Do all tasks in so many labs, each a process of its own; what comes of each is in the results file at once."""
    results.parent.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    waiting = context.Queue()
    for task in tasks:
        waiting.put(task)
    workers = [context.Process(target=work, args=(waiting, results)) for _ in range(min(labs, len(tasks)))]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()


def work(waiting: "multiprocessing.Queue[Task]", results: Path) -> None:
    """Do tasks until none is left, in one lab; a lab that fails is built anew."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    campaign: Campaign | None = None
    failures = 0
    try:
        while failures < MOST_FAILURES:
            try:
                task = Task(*waiting.get(timeout=1.0))
            except queue.Empty:
                return
            try:
                campaign = campaign or Campaign(results.with_suffix(""))
                campaign.renew()
                one = _do(campaign, task)
                failures = 0
            except Exception as why:  # whatever breaks a lab, the others go on
                print(f"{task.what} {task.seed}: the lab failed: {why!r}"[:2000], file=sys.stderr, flush=True)
                failures += 1
                if campaign is not None:
                    campaign.down()
                campaign = None
                continue
            outcome.append(results, one)
            found = judge(one)
            print(f"{one.key[0]} {one.seed}: {found.why or 'right'} ({one.undone_s:.0f} s, load {one.load})", file=sys.stderr, flush=True)
    finally:
        if campaign is not None:
            campaign.down()


def _do(campaign: Campaign, task: Task) -> outcome.Outcome:
    if task.what == "quiet":
        return campaign.quiet(task.minutes, task.seed)
    if task.what in {"2", "3"}:
        among = [name for name, fault in FAULTS.items() if not fault.machine_wide and fault.seen != "statistical"]
        return campaign.several(int(task.what), task.seed, among)
    return campaign.one(task.what, task.seed)
