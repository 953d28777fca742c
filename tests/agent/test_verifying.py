"""A verification is noted in the case as it stands then, and a case of thousands of readings holds nothing up."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from checks.finding import Key, Message, State
from checks.verdict import Area, CaseKind, Diagnosis, Side, Urgency
from probe.agent.actions.verifying import Result, note, verify
from probe.agent.settings.settings import Agent, Settings
from probe.inventory import Inventory, Node
from probe.job import Job
from probe.probers.call import Options
from probe.run import Runner
from reports.case import CaseState, EventKind, Step
from reports.diagnosis import Verified
from reports.opening import plan
from reports.store.store import Store, open_store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WEB: Key = ("pop-1", "web-1", "icmp/loss", "")


def diagnosis(*keys: Key) -> Diagnosis:
    said = Message("cause.host_down", {"element": "web-1"})
    return Diagnosis(
        CaseKind.NETWORK, "host_down", "web-1", Side.COMPANY, Area.SERVER, Urgency.URGENT, None, NOW, keys, (), said, said,
        state=State.CRITICAL,
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with open_store(tmp_path, agent="pop-1", service=True) as opened:
        opened.accept(plan([diagnosis(WEB)], {}, [], NOW), NOW)
        yield opened


def test_a_case_that_changed_while_it_was_measured_is_noted_as_it_stands_then(store: Store) -> None:
    before = store.case(1)
    assert before is not None
    changed = msgspec.structs.replace(before, state=CaseState.RESOLVED, updated_at=NOW + timedelta(seconds=5))
    assert store.accept([Step(EventKind.UPDATED, changed, {})], NOW)
    assert note(store, Verified(1, Result.GONE, 1, 0, 0), lambda: NOW)
    after = store.case(1)
    assert after is not None
    assert (after.state, after.events) == (CaseState.VERIFIED, 3)
    assert [one.kind for one in store.events(1)] == ["opened", "updated", "verified"]


def test_a_case_that_is_none_is_noted_nowhere(store: Store) -> None:
    assert not note(store, Verified(7, Result.GONE, 1, 0, 0), lambda: NOW)


def test_thousands_of_readings_and_checks_are_brought_together_in_a_moment(store: Store) -> None:
    names = [f"n{number}" for number in range(4000)]
    inventory = Inventory("here", {name: Node(name) for name in names})
    jobs = tuple(
        Job("pop-1", inventory.nodes[name], "call", Options(number="1", allowed=("1",))) for name in names
    )  # never made on request
    case = store.case(1)
    assert case is not None
    wide = msgspec.structs.replace(case, keys=tuple(("pop-1", name, "call/answer", "") for name in names))

    async def measure() -> Verified:
        async with Runner(lambda: NOW) as runner:
            return await verify(Settings(Agent("pop-1"), inventory, jobs), wide, runner, lambda: NOW)

    began = time.perf_counter()
    told = asyncio.run(measure())
    assert (told.result, told.unknown) == (Result.UNKNOWN, len(names))
    assert time.perf_counter() - began < 2
