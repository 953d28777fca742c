"""One deadline, exceptions become failures, nobody delays anybody."""

import asyncio
import errno
import logging
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from probe.inventory import Node
from probe.job import Job, Options
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation, Outcome
from probe.observation.tcp import ConnectSample
from probe.probers import catalogue
from probe.run import Runner, observe

AT = datetime(2026, 10, 1, tzinfo=UTC)
GOOD = ConnectSample("127.0.0.1", 1, 0.1)


def job(name: str = "a", prober: str = "fake", timeout_s: float = 0.2) -> Job:
    return Job("agent", Node(name, "127.0.0.1"), prober, Options(), 6.0, timeout_s)


class Raising:
    def __init__(self, why: BaseException) -> None:
        self.why = why

    async def ask(self, node: Node, options: Any) -> Outcome:
        raise self.why


@pytest.mark.parametrize(
    ("why", "kind", "ours"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), Kind.REFUSED, False),
        (ConnectionResetError(errno.ECONNRESET, "reset"), Kind.REJECTED, False),
        (OSError(errno.EHOSTUNREACH, "No route to host"), Kind.UNREACHABLE, False),
        (OSError(errno.ETIMEDOUT, "timed out"), Kind.TIMEOUT, False),
        (TimeoutError(), Kind.TIMEOUT, False),
        (asyncio.IncompleteReadError(b"", 4), Kind.REJECTED, False),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), Kind.UPLINK, True),
        (OSError(errno.ENETDOWN, "Network is down"), Kind.UPLINK, True),
        (PermissionError(errno.EPERM, "Operation not permitted"), Kind.DENIED, True),
        (OSError(errno.EMFILE, "Too many open files"), Kind.DENIED, True),
        (OSError(errno.EIO, "odd"), Kind.BROKEN, True),
        (ZeroDivisionError("division by zero"), Kind.BROKEN, True),
        (AssertionError(), Kind.BROKEN, True),
    ],
)
def test_exception_of_a_prober_is_a_failure(why: BaseException, kind: Kind, ours: bool) -> None:
    seen = asyncio.run(observe(job(), Raising(why), lambda: AT))
    assert isinstance(seen.outcome, Failure)
    assert (seen.outcome.kind, seen.outcome.ours) == (kind, ours)


def test_traceback_of_a_broken_prober_is_in_the_log_only(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        seen = asyncio.run(observe(job(), Raising(ZeroDivisionError("secret detail")), lambda: AT))
    assert isinstance(seen.outcome, Failure)
    assert "secret detail" not in seen.outcome.detail
    assert caplog.records[0].exc_info is not None


def test_deadline_comes_from_outside() -> None:
    class Silent:
        async def ask(self, node: Node, options: Any) -> Outcome:
            await asyncio.Event().wait()
            raise AssertionError

    seen = asyncio.run(observe(job(timeout_s=0.05), Silent(), lambda: AT))
    assert seen.outcome == Failure(Kind.TIMEOUT, "> 0.05 s")
    assert 50 <= seen.took_ms < 1000
    assert seen.at == AT


class Bursts:
    """A burst prober whose course is given: lists of names to yield, an exception to raise."""

    def __init__(self, course: Sequence[Any]) -> None:
        self.course = course

    async def ask(self, node: Node, options: Any) -> Outcome:
        return GOOD

    async def ask_all(self, jobs: Sequence[Job]) -> AsyncIterator[list[tuple[Job, Outcome]]]:
        by_name = {one.node.name: one for one in jobs}
        for step in self.course:
            if isinstance(step, BaseException):
                raise step
            await asyncio.sleep(0)
            yield [(by_name[name], GOOD) for name in step]


@pytest.fixture
def with_prober(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(prober: Any) -> None:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Any]:
            if isinstance(prober, BaseException):
                raise prober
            yield prober

        monkeypatch.setattr(catalogue, "load", lambda name: SimpleNamespace(open=opened))

    return install


def run_all(jobs: list[Job], within_s: float = 5.0) -> list[tuple[Job, Observation]]:
    found: list[tuple[Job, Observation]] = []

    async def go() -> None:
        done = asyncio.Event()

        def deliver(results: list[tuple[Job, Observation]]) -> None:
            found.extend(results)
            if len(found) >= len(jobs):
                done.set()

        async with Runner(lambda: AT) as runner:
            runner.start(jobs, deliver)
            async with asyncio.timeout(within_s):
                await done.wait()

    asyncio.run(go())
    return found


@pytest.mark.parametrize(
    ("course", "failed"),
    [
        ([["a", "b"], ["c"]], {}),
        ([["a"], OSError(errno.ENOBUFS, "no buffers")], {"b": Kind.DENIED, "c": Kind.DENIED}),
        ([ZeroDivisionError()], {"a": Kind.BROKEN, "b": Kind.BROKEN, "c": Kind.BROKEN}),
        ([["c"]], {"a": Kind.BROKEN, "b": Kind.BROKEN}),
    ],
)
def test_each_job_of_a_burst_is_delivered_once_whatever_happens(course: Sequence[Any], failed: dict[str, Kind], with_prober: Any) -> None:
    with_prober(Bursts(course))
    found = run_all([job("a"), job("b"), job("c")])
    assert sorted(one.node.name for one, _ in found) == ["a", "b", "c"]
    kinds = {one.node.name: seen.outcome.kind for one, seen in found if isinstance(seen.outcome, Failure)}
    assert kinds == failed


def test_prober_that_cannot_open_fails_its_jobs_and_nothing_else(with_prober: Any) -> None:
    with_prober(PermissionError(errno.EPERM, "Operation not permitted"))
    found = run_all([job("a"), job("b")])
    assert {seen.outcome.kind for _, seen in found if isinstance(seen.outcome, Failure)} == {Kind.DENIED}
    assert len(found) == 2


def test_slow_target_never_delays_another() -> None:
    """One listener never answers the handshake's bytes; the others are measured while it is waited for."""
    with socket.create_server(("127.0.0.1", 0)) as open_port:
        port = open_port.getsockname()[1]
        module = catalogue.load("tcp")
        quick = [Job("agent", Node(f"q{n}", "127.0.0.1"), "tcp", module.Options(port=port), 6.0, 2.0) for n in range(20)]
        # the listen queue of this one is full, so its SYN is dropped in silence
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            fillers = []
            for _ in range(8):
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex(full.getsockname())
                fillers.append(filler)
            slow = Job("agent", Node("slow", "127.0.0.1"), "tcp", module.Options(port=full.getsockname()[1]), 6.0, 1.0)
            times: dict[str, float] = {}

            async def go() -> None:
                start, done = time.monotonic(), asyncio.Event()

                def deliver(results: list[tuple[Job, Observation]]) -> None:
                    times.update({one.node.name: time.monotonic() - start for one, _ in results})
                    if len(times) == 21:
                        done.set()

                async with Runner(lambda: AT) as runner:
                    runner.start([slow, *quick], deliver)
                    await done.wait()

            asyncio.run(go())
            for filler in fillers:
                filler.close()
    assert times["slow"] >= 0.9
    assert max(taken for name, taken in times.items() if name != "slow") < 0.5


def test_no_more_than_the_bound_is_in_flight(with_prober: Any) -> None:
    class Counting:
        now, most = 0, 0

        async def ask(self, node: Node, options: Any) -> Outcome:
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0)
            self.now -= 1
            return GOOD

    counting = Counting()
    with_prober(counting)

    async def go() -> None:
        left = [40]
        done = asyncio.Event()

        def deliver(results: list[tuple[Job, Observation]]) -> None:
            left[0] -= len(results)
            if not left[0]:
                done.set()

        async with Runner(lambda: AT, in_flight=3) as runner:
            runner.start([job(f"n{n}") for n in range(40)], deliver)
            await done.wait()

    asyncio.run(go())
    assert counting.most == 3


def test_leaving_the_runner_cancels_what_still_runs(with_prober: Any) -> None:
    cancelled = []

    class Endless:
        async def ask(self, node: Node, options: Any) -> Outcome:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(node.name)
                raise
            raise AssertionError

    with_prober(Endless())

    async def go() -> None:
        async with Runner(lambda: AT) as runner:
            runner.start([job("a", timeout_s=60), job("b", timeout_s=60)], lambda results: None)
            await asyncio.sleep(0.05)

    asyncio.run(go())
    assert sorted(cancelled) == ["a", "b"]
