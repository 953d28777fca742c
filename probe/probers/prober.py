"""The form of a prober: what `open()` of every file here yields."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol, runtime_checkable

from probe.inventory import Node
from probe.job import Job
from probe.observation.observation import Outcome


class Prober(Protocol):
    """An open prober: its sockets and sessions live as long as it does."""

    async def ask(self, node: Node, options: Any) -> Outcome:
        """Measure once. A refusal by the peer is returned as Failure(REJECTED); OSError and TimeoutError may rise to `run`."""
        ...


@runtime_checkable
class BurstProber(Protocol):
    """A prober that measures many nodes at once more cheaply than one after another."""

    async def ask(self, node: Node, options: Any) -> Outcome:
        """Measure once."""
        ...

    def ask_all(self, jobs: Sequence[Job]) -> AsyncIterator[list[tuple[Job, Outcome]]]:
        """Measure all; each job's outcome is yielded once, as soon as it is known, so that no slow node delays another."""
        ...
