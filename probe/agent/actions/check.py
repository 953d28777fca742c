"""One check now: measure, judge, and say what was seen; no service and no configuration needed."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from checks import catalogue as judges
from checks.finding import Finding
from probe.inventory import Node
from probe.job import Job
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation
from probe.probers import catalogue as probers
from probe.probers.prober import BurstProber
from probe.run import Runner, observe, observe_all

if TYPE_CHECKING:  # a single check needs no settings, and must start fast
    from probe.agent.settings.settings import Settings

SECOND_LOOK_S = 1.0  # rates need two looks; a single check waits this long for the second
HERE = "here"


class Reading(msgspec.Struct, frozen=True):
    """What one check found: the observation and its findings."""

    seen: Observation
    findings: tuple[Finding, ...]


class CheckProblem(Exception):
    """The check cannot be asked as it was; the text says what, where and the cure."""


def read_job(prober: str, target: str, given: dict[str, Any], timeout_s: float | None = None) -> Job:
    """Return the job for an address as typed ("192.0.2.1", "db:5432", a URL) with options by name; CheckProblem says what is wrong."""
    module = probers.load(prober)
    if prober in probers.LOCAL and not is_here(target):
        raise _elsewhere(prober, target)
    try:
        address, options = module.read_target(target) if hasattr(module, "read_target") else (target, {})
    except ValueError as why:
        raise CheckProblem(str(why)) from why
    try:
        settings = msgspec.convert({**options, **given}, module.Options, strict=False)
    except msgspec.ValidationError as why:
        missing = str(why).partition("missing required field `")[2].rstrip("`")
        what = f"--{missing.replace('_', '-')} is needed" if missing else str(why)
        raise CheckProblem(f"{prober}: {what}; `firstline check {prober} --help` lists the options") from why
    return Job(HERE, Node(target, address), prober, settings, timeout_s=timeout_s or default_timeout_s(settings))


def is_here(target: str) -> bool:
    """Tell whether a name or an address, as typed, is this machine's own; a name may be looked up for it, which blocks."""
    own = socket.gethostname().lower()
    if target.lower() in {"localhost", own, own.partition(".")[0]}:
        return True
    try:
        rows = socket.getaddrinfo(target.strip("[]"), 0, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return False
    return any(_can_be_bound(row[0], row[4]) for row in rows)


def _can_be_bound(family: int, address: Any) -> bool:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(address)
        except OSError:
            return False
    return True


def _elsewhere(prober: str, target: str) -> CheckProblem:
    return CheckProblem(f"{prober} measures the machine on which it runs, and {target} is not this one; run it there, or name localhost")


def default_timeout_s(options: Any) -> float:
    """Return how long one measurement may take: its own statement where its options make one, else 5 s."""
    return float(getattr(options, "longest_s", 5.0))


def known_job(settings: "Settings", prober: str, target: str, given: dict[str, Any], timeout_s: float | None = None) -> Job | None:
    """Return the job for a node of the inventory: its configured check of this prober with `given` changed; None for an unknown name."""
    node = settings.inventory.nodes.get(target)
    if node is None:
        return None
    if prober in probers.LOCAL and target != settings.inventory.here:
        raise _elsewhere(prober, target)
    mine = [job for job in settings.jobs if job.node.name == target and job.prober == prober]
    if len(mine) > 1:
        mine = [job for job in mine if all(getattr(job.options, name, None) == value for name, value in given.items())]
    if len(mine) > 1:
        items = ", ".join(job.options.item for job in mine)
        raise CheckProblem(f"{target} has {len(mine)} {prober} checks: {items}; say by an option which of them")
    configured = msgspec.structs.asdict(mine[0].options) if mine else _from_inventory(settings, node, prober)
    if prober == "path":
        from probe.agent.settings.marks import path_options

        given = {**given, **path_options(node, settings.inventory, {**configured, **given})}
    if node.address is None and prober not in probers.LOCAL:
        raise CheckProblem(f"{target} has no address in the inventory")
    try:
        options = msgspec.convert({**configured, **given}, probers.load(prober).Options, strict=False)
    except msgspec.ValidationError as why:
        raise CheckProblem(f"{prober} on {target}: {why}") from why
    longest_s = timeout_s or (mine[0].timeout_s if mine else default_timeout_s(options))
    return Job(settings.agent.name, node, prober, options, timeout_s=longest_s)


def _from_inventory(settings: "Settings", node: Node, prober: str) -> dict[str, Any]:
    """Return the options that the inventory gives to a check that is not configured."""
    if prober != "snmp":
        return {}
    from probe.agent.settings.devices import device_options
    from probe.agent.settings.secret import Secret, SecretError

    try:
        return device_options(node, settings.inventory, settings.credentials, Secret.reveal)
    except SecretError as why:
        raise CheckProblem(f"credential {node.snmp} of {node.name}: {why}") from why


async def check(
    job: Job,
    now: Callable[[], datetime],
    limits: Any = None,
    every_s: float | None = None,
    service: Callable[[], Reading | None] | None = None,
) -> AsyncIterator[Reading]:
    """Yield one reading, or with `every_s` one after another until the caller stops.

    What this user may not measure, `service` is asked for (see `by_service`). CheckProblem when a target that was typed is a name that
    does not resolve: that is more likely a slip than an outage; a node of the inventory that does not resolve is a reading.
    """
    module = judges.load(job.prober)
    limits = limits if limits is not None else module.Limits()
    before: Observation | None = None
    loop = asyncio.get_running_loop()
    async with Runner(now) as runner:
        while True:
            started = loop.time()
            first, seen = await measure(runner, job, now)
            if job.agent == HERE and before is None and isinstance(seen.outcome, Failure) and seen.outcome.kind is Kind.UNRESOLVED:
                raise CheckProblem(f"{job.node.address}: the name does not resolve; check its spelling, or give the address instead")
            reading = Reading(seen, tuple(module.judge(seen, first or before, limits)))
            if service is not None and isinstance(seen.outcome, Failure) and seen.outcome.kind is Kind.DENIED:
                told: Reading | None = await asyncio.to_thread(service)
                reading = told or reading
            yield reading
            if every_s is None:
                return
            before = seen if not isinstance(seen.outcome, Failure) else before
            await asyncio.sleep(max(0.0, started + every_s - loop.time()))


def by_service(
    prober: str, target: str, given: dict[str, Any], timeout_s: float | None, config: str | None
) -> Callable[[], Reading | None]:
    """Return how to have it measured by the service that runs here; that gives None when there is none, or it may not be asked."""

    def reading() -> Reading | None:
        from probe.agent.client import ServiceProblem, ask

        wanted = {"prober": prober, "target": target, "options": msgspec.to_builtins(given), "timeout_s": timeout_s}
        try:
            return msgspec.convert(ask("POST", "/v1/check", wanted, config), Reading)
        except ServiceProblem:
            return None

    return reading


async def measure(runner: Runner, job: Job, now: Callable[[], datetime]) -> tuple[Observation | None, Observation]:
    """Return what was seen now, and the look before it where rates needed two."""
    seen = await _look(runner, job, now)
    if isinstance(seen.outcome, Failure) or getattr(seen.outcome, "over_s", 0.0) is not None:
        return None, seen
    await asyncio.sleep(SECOND_LOOK_S)
    return seen, await _look(runner, job, now)


async def _look(runner: Runner, job: Job, now: Callable[[], datetime]) -> Observation:
    try:
        prober = await runner.prober(job.prober)
    except OSError as why:
        return await observe(job, _Closed(why), now)
    if isinstance(prober, BurstProber):  # it keeps its own time: of a burst that is cut short, what came counts
        found: list[tuple[Job, Observation]] = []
        await observe_all([job], prober, now, found.extend)
        return found[0][1]
    return await observe(job, prober, now)


class _Closed:
    """A prober that could not be opened: every question meets the same refusal."""

    def __init__(self, why: OSError) -> None:
        self._why = why

    async def ask(self, node: Node, options: Any) -> Any:
        raise self._why
