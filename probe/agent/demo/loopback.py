"""The demo's machines where no namespaces are to be had: services on loopback, and cables that exist in what the devices tell alone."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from probe.agent.demo.links import Port
from probe.agent.demo.plan import FIBRES, MACHINES, SWITCHES

DUCTS = {"fib0": "fib0", "fib1": "fib1", "harbour": "cust0", "pier": "cust1"}


class Loopback:
    """Stands in the place of `network.Network`."""

    def __init__(self) -> None:
        names = {machine.name: [port for port, _ in machine.ports] for machine in MACHINES}
        names |= {switch.name: list(switch.ports) for switch in SWITCHES}
        self._ports = {
            machine: [Port(at, port, True, True, (0, 0), (0, 0)) for at, port in enumerate(there, 2)] for machine, there in names.items()
        }

    @contextmanager
    def at(self, name: str) -> Iterator[None]:
        """Do nothing: every machine is here."""
        del name
        yield

    def ports(self, name: str) -> list[Port]:
        """Return the ports that a machine tells of."""
        return self._ports[name]

    def cut(self, duct: str, on: bool) -> None:
        """Have the edge tell that a line is down, or up again."""
        ports = self._ports["edge"]
        self._ports["edge"] = [msgspec.structs.replace(one, oper_up=on) if one.name == DUCTS[duct] else one for one in ports]

    def unplug(self, name: str, on: bool) -> None:
        """Do nothing: whoever runs the machine's services ends them."""

    def lit(self) -> list[str]:
        """Return the fibres that carry light."""
        up = {port.name for port in self._ports["edge"] if port.oper_up}
        return [name for name, _, _ in FIBRES if name in up]

    def follow_light(self) -> None:
        """Do nothing: nothing is led anywhere."""
