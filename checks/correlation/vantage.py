"""Several agents as several places to look from: what one of them sees alive clears what lies on its own way there.

What only one can't see is not gone: the fault lies on that one's way. What all of them can't see lies where their ways are one.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from checks.correlation.fault import Basis, Fault
from checks.correlation.view import View
from checks.topology import Element, Topology


class Others:
    """What the other agents see, laid over the network as each of them crosses it."""

    def __init__(self, views: Iterable[View], topology: Topology) -> None:
        self.views, self._topology = tuple(views), topology
        self._crossed: dict[str, dict[Element, datetime]] = {}

    def see(self, node: str, since: datetime) -> bool:
        """Tell whether some other agent has seen a node alive since then."""
        return any(view.sees(node, since) for view in self.views)

    def blind_to(self, node: str) -> list[View]:
        """Return the views to which a node is dark as well."""
        return [view for view in self.views if node in view.dark]

    def await_word(self, node: str, since: datetime) -> bool:
        """Tell whether another agent that measures a node has not yet told of it since then."""
        return any(view.knows(node) and node not in view.dark and not view.sees(node, since) for view in self.views)

    def narrowed(self, suspects: Sequence[Element], node: str, since: datetime) -> list[Element]:
        """Return what is left of the suspects for a dark node: not what others have crossed since, and of two agents' ways the common part."""
        left = [one for one in suspects if not any(self._across(view, one, since) for view in self.views)]
        for view in self.blind_to(node):
            theirs = self._topology.seen_from(view.here).chain(node)
            left = [one for one in left if one in theirs] or left
        return left

    def apart(self, node: str, element: Element) -> bool:
        """Tell whether a node is dark to another agent whose way to it does not cross an element: that is not why."""
        return any(element not in self._topology.seen_from(view.here).chain(node) for view in self.blind_to(node))

    def _across(self, view: View, element: Element, since: datetime) -> bool:
        """Tell whether something answered another agent since then that it can't reach without crossing an element."""
        crossed = self._crossed.get(view.agent)
        if crossed is None:
            crossed = self._crossed[view.agent] = _crossed(view, self._topology.seen_from(view.here))
        at = crossed.get(element)
        return at is not None and at >= since


def _crossed(view: View, topology: Topology) -> dict[Element, datetime]:
    """Return by element the newest sign of life that crossed it on its way to an agent."""
    crossed: dict[Element, datetime] = {}
    for node, at in view.alive.items():
        element: Element | None = node if node not in view.dark else None
        while element is not None and ((known := crossed.get(element)) is None or known < at):
            crossed[element] = at
            element = topology.parent.get(element)
    return crossed


def name_the_blind(faults: Iterable[Fault], lit: frozenset[str], others: Others, topology: Topology) -> None:
    """Rename faults that are an agent's blindness: ours, when all that is left is our own uplink, and another's that sees nothing itself."""
    here = topology.here
    blind = {view.here for view in others.views if view.blind}
    for fault in faults:
        if fault.nodes and fault.nodes <= blind & lit and len(fault.nodes) == 1:
            fault.code, fault.element = "agent_blind", next(iter(fault.nodes))
            fault.node, fault.alternatives, fault.elsewhere = fault.element, (), ()
        elif fault.link is not None and here in topology.neighbours(fault.link) and _alone(fault) and fault.nodes & lit:
            fault.code, fault.element, fault.node, fault.nodes = "agent_blind", here, here, frozenset()


def _alone(fault: Fault) -> bool:
    return fault.node is None and not fault.elsewhere and fault.basis in {Basis.SILENCE, Basis.WIDE}


def shut_out(symptoms: list, node: str) -> Fault:  # type: ignore[type-arg]
    """Return the fault of a node that others see, over all that lies between: something stops us alone, a filter or a wrong route."""
    return Fault("service_blocked", node, symptoms, Basis.CLASS, alternatives=("path_own_side", "agent_blind"))
