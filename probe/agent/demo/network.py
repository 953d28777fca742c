"""Brings the machines of the demo up in network namespaces, and does to their cables what a fault does."""

from collections.abc import Iterator
from contextlib import contextmanager

from probe.agent.demo import links
from probe.agent.demo.kernel import CLONE_NEWNET, Place, unshare
from probe.agent.demo.links import Port
from probe.agent.demo.plan import CABLES, CARRIERS, FIBRES, MACHINES, OURS, SWITCHES


class Network:
    """The machines by name, and the routes that follow the light in the fibres."""

    def __init__(self) -> None:
        """Build it, and leave our own network for an empty one; OSError when the kernel refuses a part."""
        unshare(CLONE_NEWNET)  # from a machine there is no way back to a network of another owner
        self.places = {name: Place(name) for name in (*(one.name for one in MACHINES), *(one.name for one in SWITCHES))}
        self._carried: str | None = None
        for a, a_port, b, b_port in CABLES:
            links.cable(self.places[a], a_port, self.places[b], b_port)
        for machine in MACHINES:
            place = self.places[machine.name]
            links.switch(place, "lo", on=True)
            for port, address in machine.ports:
                links.address(place, port, address)
                links.switch(place, port, on=True)
                if machine.forwards:
                    links.forward(place, port)
        for switch in SWITCHES:
            links.bridge(self.places[switch.name], switch.bridge, switch.ports)
            if switch.address:
                links.address(self.places[switch.name], switch.bridge, switch.address)
        for machine in MACHINES:
            self.lead(machine.name)
        self.follow_light()

    def lead(self, name: str) -> None:
        """Set a machine's routes, which it loses with its port."""
        machine = next(one for one in MACHINES if one.name == name)
        place = self.places[name]
        for network, via in machine.routes:
            links.route(place, network, via)
        if machine.gateway:
            links.route(place, "0.0.0.0/0", machine.gateway)

    @contextmanager
    def at(self, name: str) -> Iterator[None]:
        """Be at a machine within the block."""
        with self.places[name].inside():
            yield

    def ports(self, name: str) -> list[Port]:
        """Return the ports of a machine."""
        return links.ports(self.places[name])

    def cut(self, duct: str, on: bool) -> None:
        """Cut a line within its duct, or splice it."""
        for port in ("a", "b"):
            links.switch(self.places[f"duct-{duct}"], port, on)

    def unplug(self, name: str, on: bool) -> None:
        """Switch a machine's power off or on, as far as the network sees it."""
        links.switch(self.places[name], "eth0", on)
        if on:
            self.lead(name)

    def lit(self) -> list[str]:
        """Return the fibres that carry light."""
        up = {port.name for port in self.ports("edge") if port.oper_up}
        return [name for name, _, _ in FIBRES if name in up]

    def follow_light(self) -> None:
        """Lead the way to the carrier and back by a fibre that has light: what BGP does at a real edge."""
        lit = self.lit()
        if not lit or lit[0] == self._carried:
            return
        self._carried = lit[0]
        ours, theirs = next((ours, theirs) for name, ours, theirs in FIBRES if name == lit[0])
        links.route(self.places["edge"], CARRIERS, theirs)
        for network in (OURS, "10.254.0.0/24", "192.168.0.0/16"):
            links.route(self.places["pop"], network, ours)
