"""What is measured once, because its answer would decide, is known no longer than the configuration under which it was asked."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, cast

import msgspec

from checks.ask import Ask
from probe.agent.settings.settings import Agent, Settings
from probe.agent.usual import Usual
from probe.agent.watching import Watch
from probe.inventory import Inventory, Node
from probe.job import Job
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = Settings(Agent("pop-1"), Inventory("here", {"here": Node("here"), "web-1": Node("web-1", "127.0.0.1")}), ())


class Slow:
    """A runner whose answers come when the test says so."""

    def __init__(self) -> None:
        self.asked: list[Job] = []

    def start(self, jobs: Iterable[Job], _: object) -> None:
        self.asked += jobs


def asked_once(reload: bool) -> dict[Any, Any]:
    async def run() -> dict[Any, Any]:
        runner = Slow()
        watch = Watch(SETTINGS, cast(Any, runner), Usual(), lambda: NOW, lambda: None)
        watch.ask([Ask("web-1", "icmp", "")])
        (job,) = runner.asked
        if reload:
            watch.apply(msgspec.structs.replace(SETTINGS, agent=Agent("pop-1", language="zh")))
        watch._deliver_once([(job, Observation("pop-1", "web-1", "icmp", NOW, 1.0, Failure(Kind.TIMEOUT)))])
        watch.eyes.close()
        return watch.memories

    return asyncio.run(run())


def test_an_answer_is_known() -> None:
    assert list(asked_once(reload=False)) == [("web-1", "icmp", "")]


def test_an_answer_that_comes_after_a_reload_is_not_kept_for_ever() -> None:
    assert asked_once(reload=True) == {}
