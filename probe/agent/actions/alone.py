"""A complaint looked into without a service: by this process, from the configuration, or from what discovery finds."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from checks.diagnosis.plan import FLOWS
from checks.verdict import Diagnosis
from probe.agent.actions.complaints import complaint_of, hang
from probe.agent.actions.diagnose import Wrong, diagnose
from probe.agent.actions.verifying import NOT_NOTED, Result, note, request_of, verify
from probe.agent.discovery import discover
from probe.agent.places import state_folder, store_address
from probe.agent.settings.load import load
from probe.agent.settings.secret import SecretError
from probe.agent.settings.settings import Settings
from probe.run import Runner
from reports.diagnosis import Line, Opened, Request
from reports.store.errors import StoreError
from reports.store.store import Store, open_store

T = TypeVar("T")


async def looked_into(request: Request, config: str | None) -> AsyncIterator[Line]:
    """Yield what `diagnose` does; SettingsError for a configuration that can't be used."""
    settings = load(config)

    async def hang_here(diagnosis: Diagnosis, proof: bytes | None, told: Request, _: object) -> Opened | None:
        return await asyncio.to_thread(_hang, settings, diagnosis, proof, told)

    async with Runner(_now) as runner:
        if not settings.jobs and settings.file is None:
            settings, _ = await discover(settings, runner, _now)
        async for line in diagnose(settings, request, runner, _now, hang=hang_here):
            yield line


async def verified(number: int, config: str | None) -> AsyncIterator[Line]:
    """Yield what comes of the verification of a case in the store beside us, and what `diagnose` yields where its symptom is still there.

    Wrong when there is no case of that number, OSError when the store can't be had.
    """
    settings = load(config)
    case = await asyncio.to_thread(_in_store, settings, lambda store: store.case(number))
    if case is None:
        raise Wrong(f"there is no case #{number}; `firstline case list --all` shows all")
    async with Runner(_now) as runner:
        told = await verify(settings, case, runner, _now)
        if not await asyncio.to_thread(_in_store, settings, lambda store: note(store, told, _now)):
            told = msgspec.structs.replace(told, problem=NOT_NOTED)
        yield told
        if told.result == Result.STILL and case.kind in FLOWS:
            async for line in diagnose(settings, request_of(case), runner, _now):
                yield line


def _hang(settings: Settings, diagnosis: Diagnosis, proof: bytes | None, told: Request) -> Opened | None:
    """Open or join the case in the store beside us; OSError when that can't be."""
    return _in_store(settings, lambda store: hang(store, diagnosis, proof, complaint_of(told, _now()), _now))


def _in_store(settings: Settings, do: Callable[[Store], T]) -> T:
    try:
        where = store_address(settings, state_folder(settings))
        with open_store(where, agent=settings.agent.name, feeds=[feed.name for feed in settings.feeds]) as store:
            return do(store)
    except (StoreError, SecretError) as why:
        raise OSError(str(why)) from why


def _now() -> datetime:
    return datetime.now(UTC)
