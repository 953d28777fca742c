"""What happens to a simulated operator, and what the agent sees of it: observations as the probers make them."""

import random
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from bench.simulator.operator_network import Job, Network
from probe.inventory import Owner
from probe.observation.device import DeviceSample, Identity
from probe.observation.failure import Failure, Kind
from probe.observation.icmp import EchoSample
from probe.observation.interfaces import InterfaceSample, InterfacesSample
from probe.observation.observation import Observation, Outcome
from probe.observation.tcp import ConnectSample

ECHOES = 20  # of one burst, where a link loses
KINDS = ("node", "link", "site", "service", "lossy")
_IDENTITY = Identity("1.3.6.1.4.1.2011", "simulated")


class Fault(NamedTuple):
    """What is wrong: `element` is a node, a link, a site, or "node:port" of a service; `loss` of a lossy link."""

    kind: str
    element: str
    loss: float = 0.0


class World(NamedTuple):
    """What still works: the nodes that the agent reaches, what is dead, what share of packets each node loses on its way."""

    reached: frozenset[str]
    dead: frozenset[str]
    cut: frozenset[str]
    loss: Mapping[str, float]
    refused: frozenset[str]


def draw_fault(net: Network, kind: str, draw: random.Random) -> Fault:
    """Return a fault of a kind at a place that was drawn; never the agent, its own link, or the switch on which it hangs."""
    inventory = net.inventory
    own = {inventory.here, *(other for _, other in net.beside[inventory.here])}
    ours = {node.name for node in inventory.nodes.values() if node.owner is not Owner.CUSTOMER}

    def one_of(names: Iterable[str], is_ours: Callable[[str], bool]) -> str:
        """Draw one: half of all faults are in the operator's own network, however many customers there are."""
        names = sorted(names)
        near = [name for name in names if is_ours(name)]
        return draw.choice(near if near and draw.random() < 0.5 else names)

    def is_trunk(name: str) -> bool:
        return {inventory.links[name].a, inventory.links[name].b} <= ours

    if kind == "node":
        return Fault(kind, one_of(set(inventory.nodes) - own, ours.__contains__))
    if kind == "site":
        sites = set(inventory.sites) - {inventory.nodes[inventory.here].site or ""}
        return Fault(kind, one_of(sites, lambda name: inventory.sites[name].customer is None))
    if kind == "service":
        services = [f"{job.node}:{job.item}" for job in net.jobs if job.prober == "tcp"]
        return Fault(kind, one_of(services, lambda name: name.partition(":")[0] in ours))
    links = {name for name, link in inventory.links.items() if inventory.here not in (link.a, link.b)}
    if kind == "link":
        return Fault(kind, one_of(links, is_trunk))
    used = {link for link, _ in ways(net).values()}
    return Fault(kind, one_of(links & used, is_trunk), draw.choice((0.5, 0.6, 0.7, 0.8)))


def ways(net: Network, dead: Collection[str] = (), cut: Collection[str] = ()) -> dict[str, tuple[str, str]]:
    """Return the nodes that the agent reaches, nearest first: the last link on a shortest way to each, and the node before it.

    Servers and gateways forward nothing.
    """
    here = net.inventory.here
    found = {here: ("", here)}
    left = deque([here])
    while left:
        one = left.popleft()
        if one != here and net.inventory.nodes[one].kind in ("server", "gateway"):
            continue
        for link, other in net.beside[one]:
            if other not in found and other not in dead and link not in cut:
                found[other] = (link, one)
                left.append(other)
    return found


def world(net: Network, fault: Fault | None) -> World:
    """Return what a fault leaves."""
    kind, element = (fault.kind, fault.element) if fault is not None else ("", "")
    dead = {element} if kind == "node" else set()
    if kind == "site":
        dead = {node.name for node in net.inventory.nodes.values() if node.site == element}
    cut = {element} if kind == "link" else set()
    found = ways(net, dead, cut)
    loss: dict[str, float] = {}
    for node, (link, before) in found.items():
        if fault is not None and kind == "lossy" and (link == element or before in loss):
            loss[node] = fault.loss
    return World(frozenset(found), frozenset(dead), frozenset(cut), loss, frozenset({element} if kind == "service" else ()))


def signature(net: Network, seen: World, jobs: Collection[Job]) -> frozenset[tuple[str, ...]]:
    """Return what is seen to be bad, chance left aside: two faults of one signature can't be told apart from the agent's place."""
    bad: set[tuple[str, ...]] = set()
    for job in jobs:
        if job.node not in seen.reached:
            bad.add((*job, "silent"))
        elif job.node in seen.loss and job.prober == "icmp":
            bad.add((*job, "loss"))
        elif job.prober == "tcp" and f"{job.node}:{job.item}" in seen.refused:
            bad.add((*job, "refused"))
        elif job.prober == "snmp":
            bad.update((*job, port) for port, up in _ports(net, seen, job.node) if not up)
    return frozenset(bad)


def _ports(net: Network, seen: World, node: str) -> Iterator[tuple[str, bool]]:
    for name, other in net.beside[node]:
        link = net.inventory.links[name]
        if link.ports is not None:
            yield link.ports[0 if link.a == node else 1], name not in seen.cut and other not in seen.dead


def alike(net: Network, fault: Fault, jobs: Collection[Job]) -> frozenset[str]:
    """Return the elements at which a fault looks just the same from the agent's place, the fault's own among them."""
    mine = signature(net, world(net, fault), jobs)
    inventory = net.inventory
    near: set[str] = {fault.element.partition(":")[0]}
    for _ in range(3):
        near |= {node.name for node in inventory.nodes.values() if node.site in near}
        near |= {name for one in near & inventory.nodes.keys() for link, other in net.beside[one] for name in (link, other)}
        near |= {end for one in near & inventory.links.keys() for end in (inventory.links[one].a, inventory.links[one].b)}
        near |= {inventory.nodes[one].site or "" for one in near & inventory.nodes.keys()}
        if len(near) > 60:
            break
    found = {fault.element}
    if fault.kind == "service":  # a gateway's service is what the gateway is there for
        node = fault.element.partition(":")[0]
        return frozenset(found | ({node} if inventory.nodes[node].kind == "gateway" else set()))
    if len(mine) == 1:  # where the service alone is measured, it may hang
        found |= {f"{node}:{item}" for node, prober, item, _ in mine if prober == "tcp"}
    for element in sorted(near - {inventory.here, inventory.nodes[inventory.here].site}):
        for kind, of in (("node", inventory.nodes), ("link", inventory.links), ("site", inventory.sites)):
            if element in of:
                other = Fault("lossy" if fault.kind == "lossy" else kind, element, fault.loss)
                if fault.kind == "lossy" and kind != "link":
                    continue
                if signature(net, world(net, other), jobs) == mine:
                    found.add(element)
    if fault.kind == "lossy":  # a node loses what each of its links may lose
        found |= {end for link in found & inventory.links.keys() for end in (inventory.links[link].a, inventory.links[link].b)}
    return frozenset(found)


def observe(net: Network, seen: World, job: Job, at: datetime, draw: random.Random) -> Observation:
    """Return what a job's measurement shows."""
    return Observation("agent", job.node, job.prober, at, 1.0, _outcome(net, seen, job, draw), job.item)


def _outcome(net: Network, seen: World, job: Job, draw: random.Random) -> Outcome:
    address = net.inventory.nodes[job.node].address or job.node
    if job.prober == "icmp":
        lost = 1.0 if job.node not in seen.reached else seen.loss.get(job.node, 0.0)
        got = sum(draw.random() >= lost for _ in range(ECHOES)) if 0 < lost < 1 else (0 if lost else ECHOES)
        return EchoSample(address, ECHOES, got, *((1.0, 1.1, 1.3, 0.1) if got else ()))
    if job.node not in seen.reached:
        return Failure(Kind.TIMEOUT)
    if job.prober == "tcp":
        return Failure(Kind.REFUSED) if f"{job.node}:{job.item}" in seen.refused else ConnectSample(address, int(job.item), 1.5)
    return DeviceSample(
        _IDENTITY, 9e5, 9e5, 60.0, interfaces=InterfacesSample(tuple(_port(name, up) for name, up in _ports(net, seen, job.node)), 60.0)
    )


def _port(name: str, up: bool) -> InterfaceSample:
    counters = (None,) * 9
    return InterfaceSample(name, 1, "ethernet", True, up, up, 1500, 10**9, "full", (), *counters, expected=True)
