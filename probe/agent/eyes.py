"""What the agent knows of its own eyes: its interfaces, gateways, resolver and clock, from its own measurements."""

import socket
from collections.abc import Mapping
from datetime import datetime

import msgspec

from checks.sight import Look, Route, Sight, look
from probe.agent.discovery import find_resolvers
from probe.agent.route import Routes
from probe.agent.settings.settings import Settings
from probe.inventory import Node
from probe.job import Job
from probe.observation.dns import DnsSample
from probe.observation.failure import Failure
from probe.observation.host import HostSample
from probe.observation.icmp import EchoSample
from probe.observation.interfaces import InterfacesSample
from probe.observation.observation import Observation

ANYWHERE = "192.0.2.1"  # RFC 5737: never routed specially, so its route is the default route; nothing is sent


class Eyes:
    """Keeps `sight` up to date from the observations that pass by."""

    def __init__(self, settings: Settings, sight: Sight = Sight()) -> None:  # noqa: B008
        self.here = settings.inventory.here
        self.sight = sight
        self._routes: dict[str, Route | None] = {}
        self._gateways: set[str] = set()
        self._table = _open_table()
        for node in settings.inventory.nodes.values():
            self.route(node)
        self._resolvers = frozenset(find_resolvers()[0])  # behind a stub the real ones, as discovery measures them

    def close(self) -> None:
        """Let go of the kernel's routing table."""
        if self._table is not None:
            self._table.close()

    def route(self, node: Node) -> Route | None:
        """Return the way to a node; None for the agent's own host, for loopback, and while there is none."""
        address = node.address
        if node.name == self.here or address is None or address == "localhost":
            return None
        if address not in self._routes:
            self._find(address)
        route = self._routes[address]
        return None if route is not None and route.interface == "lo" else route

    def look_up(self, node: Node) -> Route | None:
        """Return the way to a node as it is now: an interface may have come up late, a route may have moved.

        Where there is none any more it is the last one known: that it is gone is seen at its interface.
        """
        if node.address is not None and node.address in self._routes:
            self._find(node.address)
        return self.route(node)

    def _find(self, address: str) -> None:
        named = not _is_address(address)
        route = None
        if self._table is not None:
            try:
                route = self._table.to(ANYWHERE if named else address, named)
            except OSError:
                pass
        self._routes[address] = route or self._routes.get(address)
        if route is not None and route.gateway is not None:
            self._gateways.add(route.gateway)

    def look(self, job: Job, seen: Observation) -> None:
        """Take what an observation says about the agent itself; most say nothing."""
        outcome, address = seen.outcome, job.node.address
        match outcome:
            case InterfacesSample() if job.node.name == self.here:
                known = self.sight.interfaces
                looks = {one.name: look(known.get(one.name), one.admin_up and one.oper_up, seen.at) for one in outcome.interfaces}
                self.sight = msgspec.structs.replace(self.sight, interfaces=looks)
            case HostSample(clock=clock) if job.node.name == self.here and clock is not None:
                self.sight = msgspec.structs.replace(self.sight, clock=Look(clock.synchronised, seen.at))
            case EchoSample() if address in self._gateways:
                self._gateway(address, outcome.received > 0, seen.at)
            case DnsSample() if address in self._resolvers:
                self.sight = msgspec.structs.replace(self.sight, resolver=look(self.sight.resolver, True, seen.at))
            case Failure(ours=False) if job.prober == "dns" and address in self._resolvers:
                self.sight = msgspec.structs.replace(self.sight, resolver=look(self.sight.resolver, False, seen.at))
            case Failure(ours=False) if job.prober == "icmp" and address in self._gateways:
                self._gateway(address, False, seen.at)

    def _gateway(self, address: str | None, good: bool, at: datetime) -> None:
        if address is not None:
            gateways: Mapping[str, Look] = {**self.sight.gateways, address: look(self.sight.gateways.get(address), good, at)}
            self.sight = msgspec.structs.replace(self.sight, gateways=dict(gateways))


def _open_table() -> Routes | None:
    try:
        return Routes()
    except OSError:
        return None


def _is_address(text: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text.partition("%")[0])
        except OSError:
            continue
        return True
    return False
