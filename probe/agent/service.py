"""The service: puts the parts together, keeps them running, reloads, and stops within seconds."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from checks.finding import Message
from probe.agent.answers import Answers
from probe.agent.casework import Casework
from probe.agent.discovery import discover, left_out
from probe.agent.inbox import Inboxes
from probe.agent.looking_into import LookingInto
from probe.agent.notify import held_socket, notify, watchdog_s
from probe.agent.places import socket_path, store_address
from probe.agent.planned import Planned
from probe.agent.settings.jobs import LOCAL
from probe.agent.settings.load import SettingsError, load
from probe.agent.settings.problem import Problem
from probe.agent.settings.settings import Settings
from probe.agent.showing import Showing
from probe.agent.telling import Telling, open_feeds
from probe.agent.traps import Traps, open_socket, receiving
from probe.agent.usual import Usual
from probe.agent.vantage import Vantage
from probe.agent.watching import STALE_SWEEP_S, Watch
from probe.run import Runner
from probe.stamp_reflector import reflecting
from reports.locale.text import texts
from reports.metrics import Lag
from reports.store.errors import StoreError
from reports.store.store import Store, open_store
from reports.store.values import Hour
from reports.web.actions import AuditRequest, Refused
from reports.web.app import create_app
from reports.web.guard import Guard, listener_guard
from reports.web.serve import serving, tcp_socket, unix_socket

log = logging.getLogger(__name__)

LAG_EVERY_S = 0.5
PROGRESS_WITHIN_S = 3 * STALE_SWEEP_S  # the watch loop turns at least once in this time, or something holds it
DRAIN_S = 3.0
GROUP = "firstline"
PRUNE_EVERY_S = 3600.0
LOOK_AROUND_S = 60.0
ADMIT_EVERY_S = 600.0  # names of devices are looked up again, so that one that moved is still known by its address


def utc_now() -> datetime:
    """Return the time: the one clock that every room is handed."""
    return datetime.now(UTC)


class Service:
    """One running agent. `run` returns the exit code."""

    def __init__(self, config: str | None, state_dir: Path, settings: Settings) -> None:
        self._config, self._state_dir = config, state_dir
        self.settings = settings
        self._stop = asyncio.Event()
        self._reloading = asyncio.Lock()
        self.lag = Lag()
        self.traps: Traps | None = None
        self._admitted = asyncio.Event()

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT; 0 when it was asked to stop, 1 when a part of it failed."""
        async with AsyncExitStack() as stack:
            store = self._open_store()
            stack.callback(store.close)
            runner = await stack.enter_async_context(Runner(utc_now))
            notes = await self._discover(runner)
            await self._assemble(store, runner, notes)
            await self._listen(stack)
            await self._take_in(stack)
            self._signals()
            agent = self.settings.agent
            log.info("%s measures %d checks; page and metrics on %s", agent.name, len(self.settings.jobs), agent.listen)
            notify("READY=1", f"STATUS={len(self.settings.jobs)} checks")
            code = await self._supervise(store, runner)
            notify("STOPPING=1")
            await self._drain()
        return code

    def trouble(self) -> str:
        """Return "" while measuring goes on, else what is wrong."""
        idle_s = self.watch.idle_s()
        return "" if idle_s < PROGRESS_WITHIN_S else f"the scheduler has not turned for {idle_s:.0f} s"

    def _open_store(self) -> Store:
        where = store_address(self.settings, self._state_dir)
        self._state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        feeds = [feed.name for feed in self.settings.feeds]
        return open_store(where, agent=self.settings.agent.name, feeds=feeds, service=True, state_dir=self._state_dir)

    async def _discover(self, runner: Runner) -> tuple[Message, ...]:
        if self.settings.jobs:
            return ()
        self.settings, notes = await discover(self.settings, runner, utc_now)
        for note in notes:
            log.info("%s", texts("en").say(note))
        return notes

    async def _look_around_again(self, runner: Runner) -> None:
        """Without a configuration, and as long as only this host was found: the network may have come up after us."""
        while self.settings.file is None and all(job.prober in LOCAL for job in self.settings.jobs):
            await asyncio.sleep(LOOK_AROUND_S)
            found, notes = await discover(msgspec.structs.replace(self.settings, jobs=()), runner, utc_now)
            if len(found.jobs) > len(self.settings.jobs):
                self.settings = self.planned.settings = found
                self.watch.apply(found)
                self.showing.left_out = left_out(notes)
                log.info("the network came up: %d checks", len(found.jobs))
        await asyncio.Event().wait()

    async def _assemble(self, store: Store, runner: Runner, notes: tuple[Message, ...]) -> None:
        usual = Usual()
        self.planned = Planned(self.settings)
        self.watch = Watch(self.settings, runner, usual, utc_now, self._changed)
        self.telling = Telling(self.settings, store, utc_now)
        self.casework = Casework(self.watch, store, self.planned, utc_now, self.telling.wake)
        self.showing = Showing(self.watch, self.casework, self.telling, self.planned, self.lag, utc_now())
        self.showing.left_out = left_out(notes)
        self.usual = usual
        self.watch.apply(self.settings, await asyncio.to_thread(store.tracks, self.settings.agent.name))
        self.planned.announced = await asyncio.to_thread(store.maintenance, utc_now())
        await self.casework.load()
        await self.casework.recall()
        self.inboxes = Inboxes(self._open_audit, config=self.settings.file)
        self.inboxes.apply(self.settings.inboxes)
        self.showing.inboxes = self.inboxes
        looking_into = LookingInto(self.watch, self.casework, self.planned, usual, store, runner, utc_now)
        self.answers = Answers(self.showing, self.casework, self.planned, store, runner, utc_now, self.trouble, self.reload, looking_into)

    async def _open_audit(self, customer: str, told: bytes) -> None:
        try:
            await self.answers.open_audit(AuditRequest(customer, msgspec.Raw(told)))
        except Refused as why:  # the bills stay where they are, and it is tried again
            raise OSError(str(why)) from why

    def _changed(self) -> None:
        self.casework.wake()

    async def _listen(self, stack: AsyncExitStack) -> None:
        agent = self.settings.agent
        token = agent.token.reveal() if agent.token is not None else None
        place = socket_path(self.settings, self._state_dir)
        tcp = create_app(self.answers, listener_guard(agent.host, token))
        local = create_app(self.answers, Guard(local=True))
        await stack.enter_async_context(serving(tcp, tcp_socket(agent.host, agent.port)))
        await stack.enter_async_context(serving(local, unix_socket(str(place), GROUP)))

    async def _take_in(self, stack: AsyncExitStack) -> None:
        """Open what devices and other agents send to, where that is configured; OSError names what can't be had."""
        traps, stamp = self.settings.traps, self.settings.stamp
        if traps is not None:
            with _named_error("[traps] listen"):
                sock = open_socket(traps.host, traps.port) if traps.port else held_socket("traps")
            self.showing.traps = self.traps = await stack.enter_async_context(receiving(sock, self._look_at))
        if stamp is not None:
            with _named_error("[stamp] listen"):
                await stack.enter_async_context(reflecting(stamp.host, stamp.port, stamp.allowed))
            log.info("STAMP packets are answered on %s port %d", stamp.host, stamp.port)

    def _look_at(self, node: str) -> None:
        """Measure everything about a node now: it has sent a notification."""
        self.watch.hasten(job.key for job in self.watch.jobs_of(node))

    async def _admit(self) -> None:
        """Keep notifications accepted from the nodes of the configuration in force, whose names are looked up now and then."""
        while self.traps is not None:
            self._admitted.clear()
            await self.traps.admit(self.settings)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._admitted.wait(), ADMIT_EVERY_S)
        await asyncio.Event().wait()

    def _signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._background(self.reload()))

    def _background(self, work: Coroutine[Any, Any, Any]) -> None:
        self._extra = asyncio.create_task(work)

    async def _supervise(self, store: Store, runner: Runner) -> int:
        save, read = partial(_save_hours, store), partial(_read_hours, store, self.settings.agent.name)
        parts: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("watch", self.watch.run),
            ("sweep", self.watch.sweep),
            ("casework", self.casework.run),
            ("vantage", Vantage(self.watch, self.casework, store, utc_now).run),
            ("telling", self.telling.run),
            ("backlog", self.telling.look),
            ("usual", partial(self.usual.run, utc_now, save, read)),
            ("lag", self._measure_lag),
            ("watchdog", self._feed_watchdog),
            ("prune", partial(_prune, store)),
            ("discovery", partial(self._look_around_again, runner)),
            ("admission", self._admit),
            ("inboxes", self.inboxes.run),
        ]
        tasks = [asyncio.create_task(_named(part()), name=name) for name, part in parts]
        stop = asyncio.create_task(self._stop.wait(), name="stop")
        done, _ = await asyncio.wait([*tasks, stop], return_when=asyncio.FIRST_COMPLETED)
        failed = [task for task in done if task is not stop]
        for task in failed:
            log.critical("%s ended", task.get_name(), exc_info=task.exception())
        for task in (*tasks, stop):
            task.cancel()
        await asyncio.gather(*tasks, stop, return_exceptions=True)
        return 1 if failed else 0

    async def _drain(self) -> None:
        """Accept what is believed by now; what can't be accepted in time is derived again after the next start."""
        try:
            async with asyncio.timeout(DRAIN_S):
                await self.casework.round()
        except TimeoutError:
            log.warning("stopped before the last changes were accepted")

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            planned = loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self.lag.add(max(0.0, loop.time() - planned))

    async def _feed_watchdog(self) -> None:
        """Tell systemd that the service lives: only while measuring really goes on."""
        every_s = watchdog_s()
        if every_s is None:
            await asyncio.Event().wait()
            return
        while True:
            if not self.trouble():
                notify("WATCHDOG=1")
            await asyncio.sleep(every_s / 3)

    async def reload(self) -> list[Problem]:
        """Read the configuration again and put it in force whole, or keep the old one; returns the problems."""
        async with self._reloading:
            notify("RELOADING=1", f"MONOTONIC_USEC={int(asyncio.get_running_loop().time() * 1e6)}")
            problems = await self._reload()
            self.showing.reloads.note(not problems, utc_now())
            notify("READY=1", f"STATUS={len(self.settings.jobs)} checks" + (", the last reload was refused" if problems else ""))
            return problems

    async def _reload(self) -> list[Problem]:
        try:
            settings = await asyncio.to_thread(load, self._config)
            if not settings.jobs and self.settings.file is None:
                return []  # nothing configured before or now: what was discovered stays
            open_feeds(settings, utc_now)
        except SettingsError as why:
            for problem in why.problems:
                log.error("%s", problem)
            log.error("the old configuration stays in force: problems in the new one: %d", len(why.problems))
            return list(why.problems)
        except ValueError as why:
            log.error("%s; the old configuration stays in force", why)
            return [Problem(settings.file or "", 0, "feed", str(why))]
        fixed = _same_places(settings, self.settings)
        self.settings = fixed
        self.planned.settings = fixed
        self.watch.apply(fixed)
        self.telling.apply(fixed)
        self.inboxes.apply(fixed.inboxes)
        self._admitted.set()
        self.casework.wake()
        log.info("a new configuration is in force: %d checks", len(fixed.jobs))
        return []


def _same_places(new: Settings, old: Settings) -> Settings:
    """Return new settings with the agent's name and all places as they are: these change only by a restart."""
    for name in ("traps", "stamp"):
        if getattr(new, name) != getattr(old, name):
            log.warning("[%s] changes only by a restart", name)
    kept = {name: getattr(old.agent, name) for name in ("name", "state_dir", "host", "port", "socket", "token")}
    if any(getattr(new.agent, name) != value for name, value in kept.items()):
        log.warning("[agent] name, state_dir, listen, socket and token change only by a restart")
    return msgspec.structs.replace(new, agent=msgspec.structs.replace(new.agent, **kept), traps=old.traps, stamp=old.stamp)


@contextmanager
def _named_error(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as why:
        raise OSError(f"{what}: {why.strerror or why}") from why


async def _named(work: Awaitable[None]) -> None:
    await work


async def _save_hours(store: Store, hours: list[Hour]) -> None:
    try:
        await asyncio.to_thread(store.save_hours, hours)
    except StoreError as why:
        log.warning("the baselines of one hour are lost: %s", why)


async def _read_hours(store: Store, agent: str, hour: int) -> list[Hour]:
    try:
        return await asyncio.to_thread(store.hours, hour, agent)
    except StoreError as why:
        raise OSError(str(why)) from why


async def _prune(store: Store) -> None:
    while True:
        try:
            await asyncio.to_thread(store.prune, utc_now())
        except StoreError as why:
            log.warning("old rows stay for now: %s", why)
        await asyncio.sleep(PRUNE_EVERY_S)
