"""What the service answers when it is asked over HTTP: the actions behind pages, metrics and the commands' socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar

import msgspec

from checks import catalogue as judges
from probe.agent.actions.check import CheckProblem, known_job, measure, read_job
from probe.agent.actions.complaining import complain
from probe.agent.casework import Casework
from probe.agent.looking_into import LookingInto
from probe.agent.planned import Planned
from probe.agent.settings.jobs import LOCAL
from probe.agent.showing import Showing
from probe.job import Job
from probe.probers.catalogue import BY_HAND, HELD, PROBERS, TOLD
from probe.run import Runner
from reports.audit.opening import step
from reports.case import Case, CaseEvent
from reports.complaint import Complaint
from reports.diagnosis import Line
from reports.diagnosis import Request as DiagnoseRequest
from reports.metrics import render
from reports.render.status import Maintenance as Shown
from reports.render.status import Status
from reports.store.errors import StoreError
from reports.store.store import Store
from reports.store.values import Maintenance
from reports.web.actions import AuditRequest, Checked, CheckRequest, ComplaintRequest, MaintenanceRequest, Refused

MOST_CASES = 10_000
P = ParamSpec("P")
T = TypeVar("T")


class Answers:
    """The service behind `reports.web.actions.Actions`; `trouble` and `reload` are its own."""

    def __init__(
        self,
        showing: Showing,
        casework: Casework,
        planned: Planned,
        store: Store,
        runner: Runner,
        now: Callable[[], datetime],
        trouble: Callable[[], str],
        reload: Callable[[], Awaitable[Sequence[object]]],
        looking_into: LookingInto,
    ) -> None:
        self._showing, self._casework, self._planned = showing, casework, planned
        self._store, self._runner = store, runner
        self._trouble, self._reload, self._looking_into = trouble, reload, looking_into
        self._scraping = asyncio.Lock()
        self.now = now

    @property
    def language(self) -> str:
        """The configured language, or that of the service's environment."""
        return self._showing.settings.agent.language or ""

    def healthy(self) -> str:
        """Return "" while measuring goes on."""
        return self._trouble() or ("casework fails; the log says why" if self._casework.broken else "")

    def ready(self) -> str:
        """Return "" once every check has been measured and the store takes what is found."""
        if self._casework.store_problem is not None:
            return f"the store is away: {self._casework.store_problem}"
        return "" if self._showing.measured_all() else "not every check has been measured yet"

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """Return the exposition; one at a time, in a thread."""
        async with self._scraping:
            return await asyncio.to_thread(lambda: render(self._showing.snapshot(self.now()), accept))

    async def probe(self, target: str, module: str, timeout_s: float | None) -> Checked:
        """Measure a target of the inventory with a network check."""
        if module not in PROBERS or module in LOCAL | BY_HAND:
            networked = ", ".join(sorted(set(PROBERS) - LOCAL - BY_HAND))
            raise Refused(400, f"no network check named {module}; there are: {networked}")
        job = known_job(self._showing.settings, module, target, {}, timeout_s)
        if job is None:
            raise Refused(404, f"no node named {target} in the inventory; only what is listed there is measured on request")
        return await self._measure(job)

    async def check(self, request: CheckRequest) -> Checked:
        """Measure anything, for someone who may use this machine's socket."""
        if request.prober not in PROBERS:
            raise Refused(400, f"no prober named {request.prober}")
        if request.prober in BY_HAND:  # this process may read files that the one who asks may not
            raise Refused(400, f"{request.prober} reads a file; ask for it without the service")
        if held := HELD.get(request.prober, frozenset()) & set(request.options):
            raise Refused(400, f"{request.prober}: only the configuration of the service sets {', '.join(sorted(held))}; write it there")
        try:
            job = known_job(self._showing.settings, request.prober, request.target, request.options, request.timeout_s)
            job = job or read_job(request.prober, request.target, request.options, request.timeout_s)
        except CheckProblem as why:
            raise Refused(400, str(why)) from why
        known = self._showing.settings.jobs
        if request.prober in TOLD and not any(job.key == one.key and job.options == one.options for one in known):
            raise Refused(400, f"{request.prober} reads a file; the service reads only those of its configuration")
        return await self._measure(job)

    async def diagnose(self, request: DiagnoseRequest) -> AsyncIterator[Line]:
        """Look into a complaint with what this service knows."""
        return self._looking_into.begin(request)

    async def verify(self, number: int) -> AsyncIterator[Line] | None:
        """Measure a case's symptoms again, and look on where they are still there."""
        case = await self.case(number)
        return None if case is None else self._looking_into.verify(case)

    async def _measure(self, job: Job) -> Checked:
        module = judges.load(job.prober)
        limits = self._showing.settings.limits.get(job.key) or module.Limits()
        before, seen = await measure(self._runner, job, self.now)
        return Checked(seen, tuple(module.judge(seen, before, limits)))

    async def reload(self) -> Sequence[str]:
        """Reload the configuration; return its problems as lines."""
        return [str(problem) for problem in await self._reload()]

    async def status(self) -> Status:
        """Return what the status screen shows."""
        return self._showing.status(self.now())

    async def cases(self, everything: bool) -> Sequence[Case]:
        """Return open cases, or all."""
        return await self._stored(self._store.cases, not everything, MOST_CASES)

    async def open_audit(self, request: AuditRequest) -> Case | None:
        """Open the case of an audit; the same one again when it is open already."""
        if "\0" in request.customer:
            raise Refused(400, "a text holds a NUL character")  # PostgreSQL keeps none
        try:
            planned = step(bytes(request.audit), request.customer, self._showing.settings.agent.name, self.now())
        except msgspec.DecodeError as why:
            raise Refused(400, f"the audit does not fit: {why}") from why
        if planned is None:
            return None
        await self._stored(self._store.accept, [planned], self.now())
        await self._reloaded()
        return next((one for one in self._casework.open if one.identity == planned.case.identity), None)

    async def case(self, number: int) -> Case | None:
        """Return one case."""
        return await self._stored(self._store.case, number)

    async def events(self, number: int) -> Sequence[CaseEvent]:
        """Return what happened to a case."""
        return await self._stored(self._store.events, number)

    async def parts(self, number: int) -> Sequence[Case]:
        """Return the cases that became a part of one."""
        return await self._stored(self._store.parts, number)

    async def complaints(self, number: int) -> Sequence[Complaint]:
        """Return the complaints that hang on a case."""
        return await self._stored(self._store.complaints, number)

    async def complain(self, request: ComplaintRequest) -> Case:
        """Let a complaint join the case that explains it."""
        case = await self._stored(complain, self._store, request, self.now)
        await self._reloaded()
        return case

    async def _reloaded(self) -> None:
        """Look at what is open again, and tell it."""
        try:
            await self._casework.load()
        except StoreError as why:
            raise Refused(503, str(why)) from why
        self._casework.tell()

    async def evidence(self, number: int) -> bytes | None:
        """Return the evidence of a case."""
        return await self._stored(self._store.evidence, number)

    async def maintenance(self) -> Sequence[Shown]:
        """Return the work that is on."""
        return self._showing.status(self.now()).maintenance

    async def begin_maintenance(self, request: MaintenanceRequest) -> Shown:
        """Announce work on a node from now on."""
        if request.node not in self._showing.settings.inventory.nodes:
            raise Refused(404, f"no node named {request.node} in the inventory")
        now = self.now()
        work = Maintenance(request.node, now, now + timedelta(seconds=request.seconds), request.who, request.why)
        await self._end(request.node)
        kept = await self._stored(self._store.add_maintenance, work)
        self._planned.announced = await self._stored(self._store.maintenance, now)
        return Shown(kept.node, kept.ends_at, kept.reason, kept.who)

    async def end_maintenance(self, node: str) -> bool:
        """End announced work on a node."""
        ended = await self._end(node)
        self._planned.announced = await self._stored(self._store.maintenance, self.now())
        self._casework.wake()
        return ended

    async def _end(self, node: str) -> bool:
        mine = [work for work in self._planned.announced if work.node == node]
        for work in mine:
            await self._stored(self._store.remove_maintenance, work.id)
        return bool(mine)

    async def _stored(self, read: Callable[P, T], *words: P.args, **named: P.kwargs) -> T:
        try:
            return await asyncio.to_thread(read, *words, **named)
        except StoreError as why:
            raise Refused(503, str(why)) from why
