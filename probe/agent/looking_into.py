"""Looks into a complaint for someone who asks the service: with what it believes, and its own open probers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime

import msgspec

from checks.assess import Memory
from checks.correlation.view import fresh
from checks.diagnosis.plan import FLOWS
from checks.verdict import Diagnosis
from probe.agent.actions.complaints import complaint_of, hang
from probe.agent.actions.diagnose import Known, Wrong, diagnose, find, read_symptoms
from probe.agent.actions.verifying import NOT_NOTED, Result, note, request_of, verify
from probe.agent.casework import Casework
from probe.agent.planned import Planned
from probe.agent.usual import Usual
from probe.agent.watching import Watch
from probe.run import Runner
from probe.schedule import JobKey
from reports.case import Case
from reports.diagnosis import Line, Opened, Request
from reports.store.errors import StoreError
from reports.store.store import Store
from reports.web.actions import Refused


class LookingInto:
    """Diagnoses on request; what they measure stays theirs, unless a case is opened by it."""

    def __init__(
        self, watch: Watch, casework: Casework, planned: Planned, usual: Usual, store: Store, runner: Runner, now: Callable[[], datetime]
    ) -> None:
        self._watch, self._casework, self._planned, self._usual = watch, casework, planned, usual
        self._store, self._runner, self._now = store, runner, now

    def begin(self, request: Request) -> AsyncIterator[Line]:
        """Return the steps as they will happen; Refused when the complaint names what is not there."""
        settings = self._watch.settings
        try:
            read_symptoms(request)
            find(request, settings)
        except Wrong as why:
            raise Refused(400, str(why)) from why
        watch, known = self._watch, self._known()

        async def hang_on(diagnosis: Diagnosis, proof: bytes | None, told: Request, measured: Mapping[JobKey, Memory]) -> Opened | None:
            _adopt(watch, measured, known.memories)  # or the service would find all well, and clear the case
            return await self._hang(diagnosis, proof, told)

        return diagnose(settings, request, self._runner, self._now, known, hang_on, self._planned)

    async def verify(self, case: Case) -> AsyncIterator[Line]:
        """Yield what comes of a case's verification, which is noted, and the steps of a diagnosis where the symptom is still there."""
        settings = self._watch.settings
        told = await verify(settings, case, self._runner, self._now, self._known())
        try:
            if not await asyncio.to_thread(note, self._store, told, self._now):
                told = msgspec.structs.replace(told, problem=NOT_NOTED)
            await self._casework.load()
        except StoreError as why:
            told = msgspec.structs.replace(told, problem=str(why))
        self._casework.tell()
        yield told
        if told.result == Result.STILL and case.kind in FLOWS:
            async for line in self.begin(request_of(case)):
                yield line

    def _known(self) -> Known:
        watch, now = self._watch, self._now()
        past, views = self._casework.past(now), fresh(self._casework.views, now)
        return Known(dict(watch.memories), dict(watch.rules), watch.eyes.sight, self._usual.baselines, past, views, True)

    async def _hang(self, diagnosis: Diagnosis, proof: bytes | None, request: Request) -> Opened | None:
        try:
            complaint = complaint_of(request, self._now())
            opened = await asyncio.to_thread(hang, self._store, diagnosis, proof, complaint, self._now)
            await self._casework.load()
        except StoreError as why:
            raise OSError(str(why)) from why
        self._casework.tell()
        return opened


def _adopt(watch: Watch, measured: Mapping[JobKey, Memory], before: Mapping[JobKey, Memory]) -> None:
    """Have the service believe what was measured for a complaint that began with the memories `before`; what it has measured itself
    meanwhile it looks at again instead.
    """
    again = []
    for key, memory in measured.items():
        own = watch.memories.get(key)
        if key not in watch.rules:
            continue
        if own is not before.get(key):
            again.append(key)
            continue
        watch.memories[key] = memory
        known = own.tracks if own is not None else {}
        watch.moved.update((track.key, track) for short, track in memory.tracks.items() if known.get(short) is not track)
    watch.hasten(again)
