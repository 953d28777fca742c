"""An operator's network as it is, drawn by seed: a data centre, rings of PoPs, PoPs on two ways or one, customers, carriers.

The agent stands in the data centre on a core switch that has a twin; rings begin and end at the two edge routers.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from probe.inventory import Carrier, Customer, Inventory, Link, Node, Owner, Site

COMPANY, CARRIER, CUSTOMER = Owner.COMPANY, Owner.CARRIER, Owner.CUSTOMER
RING = 6  # PoPs of a ring
BRANCHES = 2  # further PoPs that hang on each PoP of a ring, half of them on two of its PoPs
SERVICES = {"softswitch": 5060, "database": 5432, "web": 443, "gateway": 5060}


class Job(NamedTuple):
    """One thing that is measured again and again."""

    node: str
    prober: str
    item: str = ""


class Network(NamedTuple):
    """The network as it truly is: each node's links with the node at the other end; and what the agent measures of it."""

    inventory: Inventory
    jobs: tuple[Job, ...]
    beside: Mapping[str, Sequence[tuple[str, str]]]


class _Draft:
    """Nodes, sites and links while they are drawn."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.sites: dict[str, Site] = {}
        self.links: dict[str, Link] = {}
        self.customers: dict[str, Customer] = {}
        self._ports: dict[str, int] = defaultdict(int)

    def node(self, name: str, site: str, kind: str, owner: Owner = COMPANY, role: str | None = None) -> str:
        number = len(self.nodes)
        self.nodes[name] = Node(name, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", site, kind, role, owner)
        return name

    def link(self, a: str, b: str, kind: str = "ethernet", carrier: str | None = None) -> None:
        name = f"{a}={b}"
        ports = (self._port(a), self._port(b))
        self.links[name] = Link(name, a, b, ports, kind, carrier)

    def _port(self, node: str) -> str:
        self._ports[node] += 1
        return f"p{self._ports[node]}"

    def customer(self, number: int, pop: str, draw: random.Random) -> None:
        """A customer behind one PoP: a router, and a gateway behind it, now and then a second one."""
        name = f"customer-{number}"
        self.customers[name] = Customer(name, draw.choice(("normal", "normal", "normal", "key")))
        self.sites[f"site-{number}"] = Site(f"site-{number}", "customer", customer=name)
        router = self.node(f"router-{number}", f"site-{number}", "router", CUSTOMER)
        self.link(pop, router, draw.choice(("fibre", "ethernet", "radio")))
        for extra in range(1 + (draw.random() < 0.2)):
            gateway = self.node(f"gateway-{number}-{extra}", f"site-{number}", "gateway", CUSTOMER, "gateway")
            self.link(router, gateway)


def network(size: int, seed: int) -> Network:
    """Return a network of about so many nodes."""
    draw = random.Random(seed)
    draft = _Draft()
    draft.sites["dc"] = Site("dc", "datacentre")
    draft.node("agent", "dc", "server")
    for name in ("core-1", "core-2"):
        draft.node(name, "dc", "switch", role="core")
    draft.link("agent", "core-1")
    draft.link("core-1", "core-2")
    for name in ("edge-1", "edge-2"):
        draft.node(name, "dc", "router", role="core")
        draft.link("core-1", name)
        draft.link("core-2", name)
    for number, role in enumerate(("softswitch", "database", "web", "softswitch", "database", "web")):
        draft.link(f"core-{1 + number // 3}", draft.node(f"{role}-{1 + number // 3}", "dc", "server", role=role))
    for number in (1, 2):
        near, far, carrier = f"carrier-pop-{number}", f"carrier-dc-{number}", f"carrier-{number}"
        for name in (near, far):
            draft.sites[f"{name}-site"] = Site(f"{name}-site", "carrier")
            draft.node(name, f"{name}-site", "carrier", CARRIER)
        draft.link(f"edge-{number}", near, "fibre", carrier)
        draft.link(near, far, "fibre", carrier)
    pops = _rings(draft, max(1, size // 150), draw)
    number = 0
    while len(draft.nodes) < size:
        draft.customer(number, draw.choice(pops), draw)
        number += 1
    inventory = Inventory(
        "agent",
        draft.nodes,
        draft.sites,
        draft.links,
        {name: Carrier(name) for name in ("carrier-1", "carrier-2")},
        draft.customers,
    )
    beside: dict[str, list[tuple[str, str]]] = {name: [] for name in draft.nodes}
    for link in draft.links.values():
        beside[link.a].append((link.name, link.b))
        beside[link.b].append((link.name, link.a))
    return Network(inventory, tuple(_jobs(inventory)), beside)


def _rings(draft: _Draft, rings: int, draw: random.Random) -> list[str]:
    """Draw the rings and what hangs on them; return the switches to which customers are connected."""
    pops: list[str] = []
    for ring in range(rings):
        routers = [_pop(draft, f"{ring}-{at}", pops) for at in range(RING)]
        for a, b in zip(["edge-1", *routers], [*routers, "edge-2"], strict=True):
            draft.link(a, b, "fibre")
        for at, router in enumerate(routers):
            for branch in range(BRANCHES):
                far = _pop(draft, f"{ring}-{at}-{branch}", pops)
                draft.link(router, far, "fibre")
                if draw.random() < 0.5:
                    draft.link(routers[(at + 1) % RING], far, "fibre")
    return pops


def _pop(draft: _Draft, name: str, pops: list[str]) -> str:
    """Add a PoP, a router and a switch of one site; return the router."""
    site = f"pop-{name}"
    draft.sites[site] = Site(site, "pop")
    router = draft.node(f"pop-router-{name}", site, "router")
    pops.append(draft.node(f"pop-switch-{name}", site, "switch"))
    draft.link(router, pops[-1])
    return router


def _jobs(inventory: Inventory) -> list[Job]:
    """Return what is measured: every node answers echoes, ours tell their ports, servers and gateways have a service."""
    jobs = []
    for node in inventory.nodes.values():
        if node.name == inventory.here:
            continue
        jobs.append(Job(node.name, "icmp"))
        if node.owner is COMPANY and node.kind in ("switch", "router"):
            jobs.append(Job(node.name, "snmp"))
        if node.role in SERVICES:
            jobs.append(Job(node.name, "tcp", str(SERVICES[node.role])))
    return jobs


def mistaken(inventory: Inventory, share: float, draw: random.Random) -> Inventory:
    """Return the inventory with a share of its links attached elsewhere: one end at another node of the same kind."""
    alike: dict[tuple[str, Owner], list[str]] = defaultdict(list)
    for node in inventory.nodes.values():
        alike[node.kind, node.owner].append(node.name)
    links = dict(inventory.links)
    movable = sorted(name for name, link in links.items() if inventory.here not in (link.a, link.b))
    for name in draw.sample(movable, round(share * len(movable))):
        link = links[name]
        end = inventory.nodes[link.a]
        others = [other for other in alike[end.kind, end.owner] if other not in (link.a, link.b)]
        if others:
            other = draw.choice(others)
            links[name] = Link(name, other, link.b, (f"moved-{name}", (link.ports or ("", ""))[1]), link.kind, link.carrier)
    return Inventory(inventory.here, inventory.nodes, inventory.sites, links, inventory.carriers, inventory.customers)
