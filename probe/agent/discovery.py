"""Without a configuration: what this host itself is set up to need is found and measured. Nothing is scanned, nobody else is asked.

A resolver is asked for `localhost`: RFC 6761 6.3 tells it to answer that by itself, so the question is fair in a closed network and
burdens nobody else. It shows that the resolver is reachable and works; whether it can resolve your names is a check of your own
(`prober = "dns"` with a name that matters). One that does not know localhost is asked for the root's name servers instead, which it
keeps for days.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from checks.finding import Message
from probe.agent import hostfiles
from probe.agent.hostfiles import Gateway, TimeSource
from probe.agent.settings.inventory import is_address
from probe.agent.settings.jobs import LOCAL, default_timeout_s, options_of
from probe.agent.settings.levels import standard_levels
from probe.agent.settings.settings import Settings
from probe.inventory import Inventory, Link, Node
from probe.job import Job
from probe.observation.dns import DnsSample
from probe.observation.failure import Failure, Kind
from probe.observation.icmp import EchoSample
from probe.observation.observation import Outcome
from probe.probers.catalogue import TOLD
from probe.run import Runner, observe

MOST_OF_A_KIND = 4
FAST_S, SLOW_S = 6.0, 60.0  # what everything else is seen through, and the rest
TRIES = 2
ROUND_S = 1.0
MOST_BYTES = 1 << 20
STUBS = frozenset({"127.0.0.53", "127.0.0.54"})  # systemd-resolved's own listeners
# Public services: a machine is often set to one by its distribution, not by its owner. Who wants it measured writes it down.
PUBLIC_TIME = (
    "pool.ntp.org", "ntp.ubuntu.com", "time.google.com", "time.cloudflare.com", "time.windows.com", "time.apple.com",
    "time.facebook.com", "time.nist.gov", "ntp.aliyun.com", "ntp.tencent.com",
)  # fmt: skip
QUESTIONS = ({"name": "localhost", "rrtype": "A"}, {"name": ".", "rrtype": "NS"})

NOT_MEASURED = frozenset(
    f"discovery.{what}" for what in ("public-time", "no-gateway", "no-resolver", "no-time", "not-measurable", "left-out")
)

Ask = Callable[[Job], Awaitable[Outcome]]


class Discovery(msgspec.Struct, frozen=True):
    """What was found, as settings to measure by, and notes on what was found, what not, and what was left out and why."""

    settings: Settings
    notes: tuple[Message, ...]


class _Target(msgspec.Struct):
    """One address and what is asked of it; a gateway that is also the resolver is one node."""

    node: Node
    checks: list[tuple[str, dict[str, str], float]]


async def discover(
    base: Settings, runner: Runner, now: Callable[[], datetime], root: Path = Path("/")
) -> tuple[Settings, tuple[Message, ...]]:
    """Return settings that measure this host and what it needs, as far as that answers now, and notes on what was found and left out."""
    found = look_around(base, root)

    async def ask(job: Job) -> Outcome:
        try:
            prober = await runner.prober(job.prober)
        except OSError as why:
            return Failure(Kind.DENIED, why.strerror or str(why))
        return (await observe(job, prober, now)).outcome

    kept, notes = await trial(found.settings.jobs, ask)
    limits = {job.key: found.settings.limits[job.key] for job in kept}
    return msgspec.structs.replace(found.settings, jobs=kept, limits=limits), found.notes + notes


def look_around(base: Settings, root: Path = Path("/")) -> Discovery:
    """Return what this host is set up to use, read from its files below `root`; `base` gives the agent and the node it stands on."""
    notes: list[Message] = []
    targets: dict[str, _Target] = {}
    gateways = find_gateways(root)
    for gateway in gateways:
        _add(targets, gateway.address, "gateway", Node("", kind="router", role="gateway"), ("icmp", {}, FAST_S))
        notes.append(Message("discovery.gateway", {"address": gateway.address, "interface": gateway.interface}))
    resolvers, stub = find_resolvers(root)
    if stub:
        notes.append(Message("discovery.stub", {"address": stub}))
    for address in resolvers:
        for question in QUESTIONS:
            _add(targets, address, "resolver", Node("", role="resolver"), ("dns", question, FAST_S))
        notes.append(Message("discovery.resolver", {"address": address}))
    sources, public = find_time_sources(root)
    for name in sources:
        _add(targets, name, "time", Node("", role="time"), ("ntp", {}, SLOW_S))
        notes.append(Message("discovery.time", {"name": name}))
    notes += [Message("discovery.public-time", {"name": name}) for name in public]
    missing = (("discovery.no-gateway", gateways), ("discovery.no-resolver", resolvers), ("discovery.no-time", sources or public))
    notes += [Message(id) for id, found in missing if not found]
    return Discovery(_settings(base, targets, gateways), tuple(notes))


def _add(targets: dict[str, _Target], address: str, what: str, node: Node, check: tuple[str, dict[str, str], float]) -> None:
    if address not in targets:
        targets[address] = _Target(msgspec.structs.replace(node, name=f"{what}-{address}", address=address), [])
    targets[address].checks.append(check)


def _settings(base: Settings, targets: dict[str, _Target], gateways: list[Gateway]) -> Settings:
    here = base.inventory.nodes[base.inventory.here]
    agent = base.agent.name
    jobs = [_job(agent, here, prober, {}, FAST_S) for prober in sorted(LOCAL - TOLD)]
    jobs += [_job(agent, target.node, *check) for target in targets.values() for check in target.checks]
    nodes = {**base.inventory.nodes, **{target.node.name: target.node for target in targets.values()}}
    links = {}
    for gateway in gateways:
        name = f"{here.name}-{targets[gateway.address].node.name}"
        links[name] = Link(name, here.name, targets[gateway.address].node.name)
    inventory = Inventory(
        here.name,
        nodes,
        base.inventory.sites,
        {**links, **base.inventory.links},
        base.inventory.carriers,
        base.inventory.customers,
    )
    limits = {job.key: standard_levels(job.prober) for job in jobs}
    return msgspec.structs.replace(base, inventory=inventory, jobs=tuple(jobs), limits=limits)


def _job(agent: str, node: Node, prober: str, options: dict[str, str], every_s: float) -> Job:
    made = options_of(prober)(**options)
    return Job(agent, node, prober, made, every_s, default_timeout_s(made, every_s))


async def trial(jobs: Sequence[Job], ask: Ask) -> tuple[tuple[Job, ...], tuple[Message, ...]]:
    """Return the jobs worth judging: those of this host, and of the others the ones that answered now; and a note on each of them.

    A target that never answers (many gateways drop echo requests) must not open a case on a newcomer's first day. Of several questions
    by one prober to one node the first that is answered is kept. `ask` measures once and does not raise.
    """
    groups: dict[tuple[str, str], list[Job]] = {}
    for job in jobs:
        if job.prober not in LOCAL:
            groups.setdefault((job.node.name, job.prober), []).append(job)
    results = await asyncio.gather(*(_first_answered(group, ask) for group in groups.values()))
    kept = {job.key for job, _ in results if job}
    return tuple(job for job in jobs if job.prober in LOCAL or job.key in kept), tuple(note for _, note in results)


async def _first_answered(group: list[Job], ask: Ask) -> tuple[Job | None, Message]:
    node, prober = group[0].node.name, group[0].prober
    why = ""
    for number in range(TRIES):
        if number:
            await asyncio.sleep(ROUND_S)
        for job in group:
            outcome = await ask(job)
            if answered(outcome):
                return job, Message("discovery.kept", {"node": node, "prober": prober})
            if isinstance(outcome, Failure) and outcome.ours:
                return None, Message("discovery.not-measurable", {"node": node, "prober": prober, "why": describe(outcome)})
            why = describe(outcome)
    return None, Message("discovery.left-out", {"node": node, "prober": prober, "why": why})


def answered(outcome: Outcome) -> bool:
    """Tell whether a target does what it is asked: any sample, but echoes must come back and a resolver must not refuse."""
    match outcome:
        case Failure():
            return False
        case EchoSample(received=received):
            return received > 0
        case DnsSample(rcode=rcode):
            return rcode == "NOERROR"
        case _:
            return True


def describe(outcome: Outcome) -> str:
    """Return in a word or two why an outcome is no answer."""
    match outcome:
        case Failure(kind=kind, detail=detail):
            return f"{kind}: {detail}" if detail else str(kind)
        case EchoSample(sent=sent):
            return f"0/{sent}"
        case DnsSample(rcode=rcode):
            return rcode
        case _:
            return ""


def find_gateways(root: Path = Path("/")) -> list[Gateway]:
    """Return the default gateways of both families, best first."""
    four = hostfiles.read_route4(_read(root / "proc/net/route"))
    return (four + hostfiles.read_route6(_read(root / "proc/net/ipv6_route")))[:MOST_OF_A_KIND]


def find_resolvers(root: Path = Path("/")) -> tuple[list[str], str | None]:
    """Return the resolvers that do the work, and systemd-resolved's stub when that stands in front of them."""
    listed = hostfiles.read_resolv_conf(_read(root / "etc/resolv.conf"))
    stub = next((address for address in listed if address in STUBS), None)
    if stub is not None:
        real = hostfiles.read_resolv_conf(_read(root / "run/systemd/resolve/resolv.conf"))
        listed = [address for address in [*real, *listed] if address not in STUBS] or listed
    return list(dict.fromkeys(listed))[:MOST_OF_A_KIND], stub


def find_time_sources(root: Path = Path("/")) -> tuple[list[str], list[str]]:
    """Return the time servers of this host's own time service, and public ones, which are not asked."""
    found = _chrony(root) or _ntp(root) or _timesyncd(root)
    names = list(dict.fromkeys(source.name for source in found if is_address(source.name)))
    public = [name for name in names if is_public(name)]
    return [name for name in names if name not in public][:MOST_OF_A_KIND], public


def is_public(name: str) -> bool:
    """Tell whether a name belongs to one of the public time services."""
    plain = name.lower().rstrip(".")
    return any(plain == one or plain.endswith("." + one) for one in PUBLIC_TIME) or (plain.startswith("time") and ".google." in plain)


def _chrony(root: Path) -> list[TimeSource]:
    found: list[TimeSource] = []
    waiting = [root / "etc/chrony/chrony.conf", root / "etc/chrony.conf"]
    seen: set[Path] = set()
    while waiting and len(seen) < 100:
        file = waiting.pop(0)
        if file in seen:
            continue
        seen.add(file)
        sources, more = hostfiles.read_chrony(_read(file))
        found += sources
        for word, path in more:
            place = root / path.lstrip("/")
            pattern = {"confdir": "*.conf", "sourcedir": "*.sources"}.get(word)
            waiting += sorted(place.glob(pattern)) if pattern else sorted(place.parent.glob(place.name)) if place.name else []
    return found


def _ntp(root: Path) -> list[TimeSource]:
    return [source for file in ("etc/ntpsec/ntp.conf", "etc/ntp.conf") for source in hostfiles.read_ntp_conf(_read(root / file))]


def _timesyncd(root: Path) -> list[TimeSource]:
    files = [root / "etc/systemd/timesyncd.conf"]
    for folder in ("usr/lib/systemd", "run/systemd", "etc/systemd"):
        files += sorted((root / folder / "timesyncd.conf.d").glob("*.conf"))
    given = hostfiles.read_timesyncd("\n".join(map(_read, files)))
    by_dhcp = [source for file in _networkd(root) for source in hostfiles.read_timesyncd(_read(file))]
    return by_dhcp + given


def _networkd(root: Path) -> Iterable[Path]:
    return [root / "run/systemd/netif/state", *sorted((root / "run/systemd/netif/links").glob("*"))]


def _read(file: Path) -> str:
    """Return the text of a file, "" when it can't be read: what is not there is not found."""
    try:
        with open(file, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as opened:
            return opened.read(MOST_BYTES).decode(errors="replace")
    except OSError:
        return ""


def left_out(notes: Iterable[Message]) -> tuple[Message, ...]:
    """Return the notes on what is not measured: what a person should know who believes that all is seen."""
    return tuple(note for note in notes if note.id in NOT_MEASURED)
