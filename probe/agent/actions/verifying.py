"""Verification (效果验证) of a case: the measurements that it stands on, made again from here now; is the symptom gone?"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

import msgspec

from checks.ask import Ask
from checks.finding import Finding, State, base
from probe.agent.actions.believing import Believing
from probe.agent.actions.diagnose import FIRST_S, Known
from probe.agent.settings.settings import Settings
from probe.agent.watching import owns
from probe.job import Job
from probe.run import Runner
from reports.case import Case, CaseState, EventKind, Step
from reports.diagnosis import Request, Telling, Verified
from reports.store.store import Store

_BAD = frozenset({State.WARNING, State.CRITICAL})

NOT_NOTED = "the case changes faster than this can be noted in it; try again"
TOLD = 100  # readings of a wide case that are told one by one
TRIES = 8  # the service may change the same case at the same moment


class Result(StrEnum):
    """What came of a verification."""

    GONE = "gone"
    STILL = "still"
    UNKNOWN = "unknown"  # not all of it could be measured


async def verify(settings: Settings, case: Case, runner: Runner, now: Callable[[], datetime], known: Known = Known()) -> Verified:  # noqa: B008
    """Return whether every symptom of a case is gone, by measurements made now; bad readings are repeated until they are believed."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    keys = [key for key in case.keys if key[2] == base(key[2])]  # a trend or what is usual is not measured in a moment
    with Believing(settings, runner, now, known.memories, known.sight, known.baselines) as believing:
        of_node: dict[str, list[Job]] = {}  # or every key would look at every job: minutes with thousands of both
        for one in settings.jobs:
            of_node.setdefault(one.node.name, []).append(one)
        jobs = {key: next((one.key for one in of_node.get(key[1], ()) if owns(one, key)), None) for key in keys}
        asked = {job: believing.ask(Ask(*job)) for job in jobs.values() if job is not None}
        tasks = [task for task in asked.values() if task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=FIRST_S)
        good, bad, unknown = [], [], 0
        for key, job in jobs.items():
            memory = believing.memories.get(job) if job in believing.measured and job is not None else None
            found = next((one for one in memory.found if one.key == key), None) if memory is not None else None
            track = memory.tracks.get(key[2:]) if memory is not None else None
            if found is None or track is None or found.state is State.UNKNOWN:
                unknown += 1
            elif found.state in _BAD or track.bad:
                bad.append(found)
            else:
                good.append(found)
    result = Result.STILL if bad else Result.UNKNOWN if unknown or not good else Result.GONE
    told = tuple(_telling(one) for one in (bad or good)[:TOLD])
    return Verified(case.id, result.value, len(good), len(bad), unknown, told, loop.time() - started)


def _telling(one: Finding) -> Telling:
    return Telling(one.seen.node, one.state, one.message)


def step(case: Case, told: Verified, now: datetime) -> Step:
    """Return what happens to the case: it is noted; what was resolved is verified, or in progress again where the symptom is there."""
    state = case.state
    if told.result == Result.GONE and state is CaseState.RESOLVED:
        state = CaseState.VERIFIED
    elif told.result == Result.STILL and state in (CaseState.RESOLVED, CaseState.VERIFIED) and case.cleared_at is None:
        state = CaseState.IN_PROGRESS
    body = {"result": told.result, "good": told.good, "bad": told.bad, "unknown": told.unknown}
    return Step(EventKind.VERIFIED, msgspec.structs.replace(case, state=state, updated_at=now), body)


def note(store: Store, told: Verified, now: Callable[[], datetime]) -> bool:
    """Note a verification in its case as that stands now, for it may have changed while it was measured; False when it could not be."""
    for _ in range(TRIES):
        case = store.case(told.case)
        if case is None:
            return False
        if store.accept([step(case, told, now())], now()):
            return True
    return False


def request_of(case: Case) -> Request:
    """Return the complaint with which the flow goes on where the symptom is still there."""
    customer = case.affected[0] if len(case.affected) == 1 else None
    return Request(case.kind, customer)
