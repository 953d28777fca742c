"""A complaint looked into without a service: by this process, from the configuration, or from what discovery finds."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from checks.verdict import Diagnosis
from probe.agent.actions.complaints import complaint_of, hang
from probe.agent.actions.diagnose import diagnose
from probe.agent.discovery import discover
from probe.agent.places import state_folder, store_address
from probe.agent.settings.load import load
from probe.agent.settings.secret import SecretError
from probe.agent.settings.settings import Settings
from probe.run import Runner
from reports.diagnosis import Line, Opened, Request
from reports.store.errors import StoreError
from reports.store.store import open_store


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


def _hang(settings: Settings, diagnosis: Diagnosis, proof: bytes | None, told: Request) -> Opened | None:
    """Open or join the case in the store beside us; OSError when that can't be."""
    try:
        where = store_address(settings, state_folder(settings))
        with open_store(where, agent=settings.agent.name, feeds=[feed.name for feed in settings.feeds]) as store:
            return hang(store, diagnosis, proof, complaint_of(told, _now()), _now)
    except (StoreError, SecretError) as why:
        raise OSError(str(why)) from why


def _now() -> datetime:
    return datetime.now(UTC)
