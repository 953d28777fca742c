"""A thread for what may block: a hung file system must not stop the loop, nor the end of the process."""

import asyncio
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 4.0  # below the usual deadline of 5 s, so that a hung reading is told as ours


class StuckError(Exception):
    """The work before has not come back; its text says for how long."""


class Worker:
    """One daemon thread that does one blocking thing after another (daemon: the interpreter does not wait for a hung one)."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._busy_since: float | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, or raise what it raises; StuckError when it takes longer than `PATIENCE_S`."""
        since = self._busy_since
        if since is not None and time.monotonic() - since > PATIENCE_S:
            raise StuckError(f"the {self._name} reading begun {time.monotonic() - since:.0f} s ago has not come back")
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def task() -> None:
            try:
                done, value = future.set_result, work()
            except Exception as why:  # noqa: BLE001 - handed to who awaits
                _tell(loop, future, future.set_exception, why)
            else:
                _tell(loop, future, done, value)

        self._queue.put(task)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await future
        except TimeoutError:
            raise StuckError(f"the {self._name} reading has not come back within {PATIENCE_S:.0f} s") from None

    def close(self, *last: Callable[[], None]) -> None:
        """Let the thread end after what it does now and, as `last`, what it should still do; does not wait for it."""
        for work in (*last, None):
            self._queue.put(work)

    def _serve(self) -> None:
        while (task := self._queue.get()) is not None:
            self._busy_since = time.monotonic()
            task()
            self._busy_since = None


def _tell(loop: asyncio.AbstractEventLoop, future: "asyncio.Future[T]", tell: Callable[..., None], value: object) -> None:
    def set_unless_given_up() -> None:
        if not future.done():
            tell(value)

    try:
        loop.call_soon_threadsafe(set_unless_given_up)
    except RuntimeError:  # the loop is closed: nobody waits any more
        return
