"""Measures everything that a carrier's desk asks for about one line: both ends, and the path over it."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from checks.device.ports import Ports
from checks.finding import Message
from probe.agent.actions.check import CheckProblem, by_service, check, known_job
from probe.agent.settings.settings import Settings
from probe.inventory import Link, Node, Owner
from probe.job import Job
from probe.observation.device import DeviceSample
from reports.case import Case
from reports.handoff import End, Handoff, Reading
from reports.render.handoff import not_measured

ECHOES = 20  # enough to tell 5 % loss from none


class HandoffProblem(Exception):
    """There can be no sheet; the text says why and what to do."""


async def handoff(settings: Settings, name: str, to: str | None, cases: list[Case], now: Callable[[], datetime]) -> Handoff:
    """Return the sheet of the link `name`, whose path is traced to the node `to` (its far end unless said); HandoffProblem."""
    link = _link(settings, name)
    nodes = settings.inventory.nodes
    a, b = nodes[link.a], nodes[link.b]
    far = _far(settings, to, a, b)
    at = now()
    ports = link.ports or ("", "")
    end_a, end_b, path = await asyncio.gather(
        _end(settings, a, ports[0], b, now), _end(settings, b, ports[1], a, now), _measured(settings, far, "path", {}, now)
    )
    carrier = settings.inventory.carriers.get(link.carrier) if link.carrier is not None else None
    left = (path,) if isinstance(path, Message) else ()
    trace = path if isinstance(path, Reading) else None
    sheet = Handoff(settings.agent.name, at, link, carrier, (end_a, end_b), far.name, trace, (), left)
    told = {found.key for found in sheet.findings}
    ours = tuple(one for one in cases if one.cleared_at is None and told & set(one.keys))  # not those of other lines of the same devices
    return msgspec.structs.replace(sheet, cases=ours)


def _link(settings: Settings, name: str) -> Link:
    links = settings.inventory.links
    if name in links:
        return links[name]
    by_circuit = [link for link in links.values() if link.circuit == name]
    if len(by_circuit) == 1:
        return by_circuit[0]
    known = ", ".join(sorted(links)) or "none; write [[link]] tables"
    raise HandoffProblem(f"no link or circuit {name} in the inventory; there are: {known}")


def _far(settings: Settings, to: str | None, a: Node, b: Node) -> Node:
    if to is not None:
        if to not in settings.inventory.nodes:
            raise HandoffProblem(f"no node named {to} in the inventory")
        return settings.inventory.nodes[to]
    if settings.inventory.here in (a.name, b.name):
        return b if a.name == settings.inventory.here else a
    return a if b.owner is Owner.COMPANY and a.owner is not Owner.COMPANY else b


async def _end(settings: Settings, node: Node, port: str, other: Node, now: Callable[[], datetime]) -> End:
    site = settings.inventory.sites.get(node.site) if node.site is not None else None
    wanted: list[tuple[str, dict[str, Any]]] = [("icmp", {"count": ECHOES})]
    left: list[Message] = []
    if node.snmp is not None:
        wanted.append(("snmp", {}))
    elif node.name != settings.inventory.here:
        left.append(not_measured("credential", node.name))
    if node.name == settings.inventory.here:
        wanted = [("interfaces", {})]
    if not port and any(prober != "icmp" for prober, _ in wanted):
        left.append(not_measured("port", node.name))
    found = await asyncio.gather(*(_measured(settings, node, prober, given, now) for prober, given in wanted))
    readings = tuple(one for one in found if isinstance(one, Reading))
    left += [one for one in found if isinstance(one, Message)]
    return End(node, _as_named(port, readings), site, readings, other.address or "", tuple(left))


def _as_named(port: str, readings: tuple[Reading, ...]) -> str:
    """Return a port by the name that its device has for it: the plan may say Gi0/1 for GigabitEthernet0/1."""
    for one in readings:
        if isinstance(one.seen.outcome, DeviceSample) and one.seen.outcome.interfaces is not None:
            found = Ports(one.seen.outcome.interfaces.interfaces).get(port)
            return found.name if found is not None else port
    return port


async def _measured(settings: Settings, node: Node, prober: str, given: dict[str, Any], now: Callable[[], datetime]) -> Reading | Message:
    """Return one reading, or why there is none."""
    if node.address is None and prober != "interfaces":
        return not_measured("address", node.name)
    try:
        job: Job | None = known_job(settings, prober, node.name, given)
    except CheckProblem as why:
        return Message("handoff.not-asked", {"node": node.name, "prober": prober, "why": str(why)})
    assert job is not None  # the node was looked up in this very inventory
    reading = await asyncio.to_thread(by_service(prober, node.name, given, None, settings.file))  # it measures where the agent stands
    if reading is None:
        reading = await anext(check(job, now, settings.limits.get(job.key)))
    return Reading(reading.seen, reading.findings)
