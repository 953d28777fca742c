"""A tree of nodes of which a whole PoP dies and comes back: one case, proven, while the loop stays punctual.

The service's own halves (watching, casework, the store) at work; only the network is simulated: what answers is what is not `dead`.
"""

import asyncio
import resource
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from checks.proof import explain, read, width_of
from checks.verdict import Width
from probe.agent.casework import Casework
from probe.agent.planned import Planned
from probe.agent.settings.load import load
from probe.agent.usual import Usual
from probe.agent.watching import Watch
from probe.job import Job
from probe.observation.icmp import EchoSample
from probe.observation.observation import Observation
from reports.case import Case, CaseEvent, EventKind
from reports.store.store import Store, open_store

FAN = 20  # nodes behind each router
AT_ONCE = 100  # answers in one go, as the sockets of a burst give them
WAVES = 8  # in which a PoP goes and comes
GOOD_AFTER = 3  # good looks until good is believed
POLL_S = 0.05


def tree(folder: Path, dying: int, staying: int) -> str:
    """Return a configuration of two PoPs behind a core with so many nodes each, every one measured."""
    lines = [
        f'[agent]\nname = "scale"\nnode = "here"\nstate_dir = "{folder}/state"\nlisten = "127.0.0.1:8470"\n',
        '[[node]]\nname = "here"\naddress = "localhost"\n',
    ]
    numbers = iter(range(1, 60_000))

    def node(name: str, kind: str, above: str, site: str | None = None) -> None:
        number = next(numbers)
        place = f'site = "{site}"\n' if site else ""
        address = f"198.18.{number // 250}.{number % 250 + 1}"
        check = '[[node.check]]\nprober = "icmp"\nevery = "60s"\n'
        lines.append(f'[[node]]\nname = "{name}"\naddress = "{address}"\nkind = "{kind}"\n{place}{check}')
        lines.append(f'[[link]]\nname = "to-{name}"\na = "{above}"\nb = "{name}"\n')

    node("core", "router", "here")
    for pop, count in (("pop-0", dying), ("pop-1", staying)):
        lines.append(f'[[site]]\nname = "{pop}-site"\nkind = "pop"\n')
        node(pop, "router", "core", f"{pop}-site")
        for at in range(count - 1):
            router = f"{pop}-r{at // (FAN + 1)}"
            node(
                router if at % (FAN + 1) == 0 else f"{router}-{at % (FAN + 1)}",
                *(("router", pop) if at % (FAN + 1) == 0 else ("server", router)),
            )
    return "\n".join(lines)


class Field:
    """The network: stands where the runner stands, and answers for what is not dead."""

    def __init__(self) -> None:
        self.dead: frozenset[str] = frozenset()
        self.measured = 0

    def start(self, jobs: Sequence[Job], deliver: Callable[[list[tuple[Job, Observation]]], None]) -> None:
        for at in range(0, len(jobs), AT_ONCE):
            asyncio.get_running_loop().call_later(0.02 + at / 20_000, self._answer, jobs[at : at + AT_ONCE], deliver)

    def _answer(self, jobs: Sequence[Job], deliver: Callable[[list[tuple[Job, Observation]]], None]) -> None:
        now = datetime.now(UTC)
        self.measured += len(jobs)
        deliver([(job, Observation("scale", job.node.name, "icmp", now, 5.0, self._outcome(job))) for job in jobs])

    def _outcome(self, job: Job) -> EchoSample:
        address = job.node.address or ""
        return EchoSample(address, 3, 0) if job.node.name in self.dead else EchoSample(address, 3, 3, 1.0, 1.1, 1.2, 0.1)


class Lab:
    """The service's halves around a field."""

    def __init__(self, watch: Watch, casework: Casework, field: Field, store: Store) -> None:
        self.watch, self.casework, self.field, self.store = watch, casework, field, store
        self.lags: list[float] = []

    @property
    def behind(self) -> list[str]:
        """What is reached over the PoP alone."""
        return list(self.watch.topology.behind("pop-0"))

    async def spread(self, names: Sequence[str], dead: bool) -> None:
        """Have these nodes die or live again, wave by wave, each seen at once; that they live is believed by the third look."""
        for wave in range(WAVES):
            some = names[wave::WAVES]
            self.field.dead = self.field.dead | set(some) if dead else self.field.dead - set(some)
            await self.look(some)
        for _ in range(0 if dead else GOOD_AFTER):
            await self.look(names)

    async def look(self, names: Sequence[str]) -> None:
        """Have these measured now."""
        self.watch.hasten((name, "icmp", "") for name in names)
        await asyncio.sleep(0.7)

    async def until(self, true: Callable[[list[Case]], bool], within_s: float) -> None:
        end = time.monotonic() + within_s
        while not true(self.casework.open):
            assert time.monotonic() < end, [(one.cause, one.element, len(one.keys), one.cleared_at) for one in self.casework.open[:20]]
            await asyncio.sleep(POLL_S)

    def whole(self, keys: int) -> Case:
        """Return the case with so many symptoms; of those that became a part of it some may have opened before it, and some after."""
        (case,) = (one for one in self.store.cases() if len(one.keys) == keys)
        return case

    def events(self) -> list[CaseEvent]:
        return [event for case in self.store.cases() for event in self.store.events(case.id)]

    async def measure_lag(self) -> None:
        """Note how late the loop is by what this process itself computes meanwhile: others on a busy machine are no fault of it."""
        loop = asyncio.get_running_loop()
        while True:
            planned, cpu_s = loop.time() + 0.01, time.process_time()
            await asyncio.sleep(0.01)
            self.lags.append(min(loop.time() - planned, time.process_time() - cpu_s))


@asynccontextmanager
async def running(folder: Path, dying: int, staying: int) -> AsyncIterator[Lab]:
    config = folder / "firstline.toml"
    config.write_text(tree(folder, dying, staying))
    settings = load(str(config))
    field, wakes = Field(), list[Casework]()

    def changed() -> None:
        for one in wakes:
            one.wake()

    def now() -> datetime:
        return datetime.now(UTC)

    runner: Any = field
    watch = Watch(settings, runner, Usual(), now, changed)
    with open_store(str(folder / "state"), agent="scale", feeds=("jsonl",), service=True) as store:
        casework = Casework(watch, store, Planned(settings), now, lambda: None)
        wakes.append(casework)
        lab = Lab(watch, casework, field, store)
        tasks = [asyncio.create_task(part) for part in (watch.run(), casework.run(), lab.measure_lag())]
        try:
            watch.hasten(job.key for job in settings.jobs)
            while watch.oldest(now()) is None:
                await asyncio.sleep(POLL_S)
            await asyncio.sleep(1.0)
            lab.lags.clear()
            yield lab
            assert not casework.broken
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            watch.eyes.close()


def proof_of(lab: Lab, case: Case) -> bytes:
    proof = lab.store.evidence(case.id)
    assert proof is not None
    assert width_of(proof) is not Width.NONE
    told = explain(read(proof))
    assert told.same
    return proof


async def die_and_come_back(lab: Lab, within_s: float) -> tuple[Case, dict[str, float]]:
    """Let the PoP die and come back in waves; return its case and the figures."""
    names = lab.behind
    cpu_s, rss_mb = time.process_time(), _peak_mb()
    await lab.spread(names, True)
    await lab.until(lambda cases: any(len(one.keys) == len(names) for one in cases), within_s)
    case = lab.whole(len(names))
    proof = await asyncio.to_thread(proof_of, lab, case)
    dying_s = time.process_time() - cpu_s
    assert (case.element, case.cause) == ("pop-0", "host_down")
    assert len([one for one in lab.casework.open if one.cleared_at is None]) == 1
    await lab.spread(names, False)
    await lab.until(lambda cases: not cases, within_s)
    lags = sorted(lab.lags)
    figures = {
        "cpu_s_dying": round(dying_s, 2),
        "cpu_s": round(time.process_time() - cpu_s, 2),
        "peak_mb_more": round(_peak_mb() - rss_mb, 1),
        "proof_mb": round(len(proof) / 1e6, 2),
        "updates": sum(event.kind is EventKind.UPDATED for event in lab.events()),
        "lag_ms_p99": round(1000 * lags[int(len(lags) * 0.99)], 1),
        "lag_ms_max": round(1000 * lags[-1], 1),
    }
    return case, figures


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.fixture
def pace() -> Iterator[None]:
    """Put back what the measuring loop sets for the whole process."""
    import gc
    import sys

    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*threshold)
    gc.unfreeze()


def ended_in(case: int, into: Mapping[int, int | None]) -> int:
    """Return the case that a case went into, over those between."""
    while (above := into[case]) is not None:
        case = above
    return case


def opened(lab: Lab) -> list[str]:
    return [event.body["case"]["element"] for event in lab.events() if event.kind is EventKind.OPENED]


def test_a_pop_that_dies_in_waves_is_one_case_with_its_proof_and_clears(tmp_path: Path, pace: None) -> None:
    async def go() -> None:
        async with running(tmp_path, 120, 60) as lab:
            case, figures = await die_and_come_back(lab, 30)
            print(f"\n120 nodes: {figures}")
            assert len(case.keys) == 120
            assert lab.whole(120).cleared_at is not None
            into = {one.id: one.merged_into for one in lab.store.cases()}
            assert {ended_in(number, into) for number in into} == {case.id}, opened(lab)

    asyncio.run(go())


@pytest.mark.long
def test_two_thousand_nodes_die_and_come_back_within_bounds(tmp_path: Path, pace: None) -> None:
    async def go() -> None:
        async with running(tmp_path, 2000, 1000) as lab:
            case, figures = await die_and_come_back(lab, 90)
            print(f"\n3,000 nodes, 2,000 die: {figures}, opened {len(opened(lab))}")
            assert len(case.keys) == 2000
            assert figures["cpu_s"] < 60
            assert figures["peak_mb_more"] < 300
            assert figures["proof_mb"] < 16
            assert figures["updates"] < 100
            assert figures["lag_ms_p99"] < 50

    asyncio.run(go())
