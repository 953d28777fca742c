"""The partitions of an audit in this process, in several, or on a Dask cluster: the same results in the same order."""

import collections
import concurrent.futures
import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import reduction
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import pandas as pd

from billing_audit.engine.packing import Ints
from billing_audit.engine.spill import Rows, Spill, Stretch
from billing_audit.engine.steady import steady
from billing_audit.ledger import Bill, Note, Value
from billing_audit.options import AuditError

Job = TypeVar("Job")
Part = TypeVar("Part")
Work = Callable[[Job, pd.DataFrame, pd.DataFrame], Part]

AHEAD: Final = 2  # partitions under way beyond one a worker: results that wait are bounded
CONNECT_S: Final = 30
PR_SET_PDEATHSIG: Final = 1
LOCAL: Final = ("127.0.0.1", "::1", "localhost")


def over(
    spill: Spill, stretches: Sequence[Stretch], job: Job, work: "Work[Job, Part]", workers: int = 1, scheduler: str | None = None
) -> "Iterator[Part]":
    """Yield `work(job, local, customer)` of each stretch, in order. AuditError when the cluster can't be used."""
    if scheduler is not None:
        yield from _on_cluster(spill, stretches, job, work, scheduler)
    elif workers > 1 and len(stretches) > 1:
        yield from _in_processes(spill, stretches, job, work, min(workers, len(stretches)))
    else:
        for stretch in stretches:
            yield work(job, spill.read(Bill.LOCAL, stretch), spill.read(Bill.CUSTOMER, stretch))


class _Descriptor:
    """An open file that a process started by `spawn` gets as its own."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (reduction.DupFd(self.number) if self.number >= 0 else None,)


def _arrived(sent: Any) -> _Descriptor:
    return _Descriptor(-1 if sent is None else sent.detach())


class _Place:
    """What a worker process keeps between partitions."""

    told: "tuple[dict[Bill, Rows], Ints | None, int, Any, Any] | None" = None


def _begin(bills: dict[Bill, Rows], renamed: Ints | None, file: _Descriptor, job: Any, work: Any) -> None:
    if os.name == "posix" and hasattr(ctypes, "CDLL"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # a worker does not outlive an audit that was killed
    steady()
    _Place.told = bills, renamed, file.number, job, work


def _one(stretch: Stretch) -> Any:
    assert _Place.told is not None
    bills, renamed, file, job, work = _Place.told
    return work(job, bills[Bill.LOCAL].read(file, stretch, renamed), bills[Bill.CUSTOMER].read(file, stretch, renamed))


def _in_processes(spill: Spill, stretches: Sequence[Stretch], job: Job, work: "Work[Job, Part]", workers: int) -> "Iterator[Part]":
    begun = (spill.bills, spill.renamed, _Descriptor(spill.file), job, work)
    with concurrent.futures.ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin, begun) as pool:
        try:
            yield from _in_order(stretches, lambda stretch: pool.submit(_one, stretch), workers + AHEAD)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _in_order(stretches: Sequence[Stretch], submit: Callable[[Stretch], Any], most: int) -> Iterator[Any]:
    """Yield the results in order, with at most so many under way."""
    waiting: collections.deque[Any] = collections.deque()
    for stretch in stretches:
        waiting.append(submit(stretch))
        if len(waiting) >= most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _on_cluster(spill: Spill, stretches: Sequence[Stretch], job: Job, work: "Work[Job, Part]", scheduler: str) -> "Iterator[Part]":
    """Send partitions to the workers of a Dask cluster."""
    told = urlsplit(scheduler)
    if told.scheme != "tls" and not (told.scheme == "tcp" and told.hostname in LOCAL):
        raise AuditError(Note("audit.unreadable.scheduler_open", {"scheduler": scheduler}), Note("audit.cure.scheduler_tls"))
    try:
        import distributed
    except ImportError as why:
        raise AuditError(Note("audit.unreadable.no_cluster_extra"), Note("audit.cure.cluster_extra")) from why
    try:
        connect: Any = distributed.Client
        client: Any = connect(scheduler, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, TypeError, ValueError) as why:
        values: dict[str, Value] = {"scheduler": scheduler, "why": str(why).split("\n", 1)[0][:200]}
        raise AuditError(Note("audit.unreadable.scheduler_silent", values), Note("audit.cure.scheduler_silent")) from why
    with client:
        shared = client.scatter(job, broadcast=True, hash=False)
        threads = max(sum(client.nthreads().values()), 1)

        def submit(stretch: Stretch) -> Any:
            both = client.scatter([spill.read(bill, stretch) for bill in Bill], hash=False)
            return client.submit(work, shared, *both, pure=False)

        yield from _in_order(stretches, submit, threads + AHEAD)
