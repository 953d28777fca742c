"""Several agents as several places to look from: what one of them sees alive clears what lies on its own way there.

What only one can't see is not gone: the fault lies on that one's way. What all of them can't see lies where their ways are one.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from checks.correlation.fault import Basis, Fault, ask
from checks.correlation.picture import Dark, Picture, Symptom
from checks.correlation.view import View
from checks.topology import Element, Topology

FEW = 3  # dark nodes of a fault about which other agents are waited for


class Others:
    """What the other agents see, laid over the network as each of them crosses it."""

    def __init__(self, views: Iterable[View], topology: Topology) -> None:
        self.views, self._topology = tuple(views), topology
        self._crossed: dict[int, dict[Element, datetime]] = {}

    def see(self, node: str, since: datetime) -> bool:
        """Tell whether some other agent has seen a node alive since then."""
        return any(view.sees(node, since) for view in self.views)

    def see_over_the_network(self, node: str, since: datetime) -> bool:
        """Tell the same of agents that see more than themselves."""
        return any(view.sees(node, since) for view in self.views if not view.blind)

    def blind_to(self, node: str) -> list[View]:
        """Return the views to which a node is dark as well."""
        return [view for view in self.views if node in view.dark]

    def await_word(self, node: str, since: datetime) -> bool:
        """Tell whether another agent that measures a node has not yet told of it since then."""
        return any(view.knows(node) and node not in view.dark and not view.sees(node, since) for view in self.views)

    def await_agent(self, dark: Dark) -> bool:
        """Tell whether an agent that stands on a dark node lives, and has not yet told whether anything else has answered it since then.

        One that sees again may have been blind until just now: then the node is to be measured anew.
        """
        node, since = dark.node, dark.since
        last = max(one.standing.finding.seen.at for one in dark.symptoms)
        for view in self.views:
            theirs = [at for name, at in view.alive.items() if name != node and name not in view.dark]
            if view.here == node and view.sees(node, since) and theirs and (max(theirs) < since or last < max(theirs)):
                return True
        return False

    def narrowed(self, suspects: Sequence[Element], node: str, since: datetime) -> list[Element]:
        """Return what is left of the suspects for a dark node: not what others have crossed since, and of two ways the common part."""
        left = [one for one in suspects if not any(self._across(view, one, since) for view in self.views)]
        for view in self.blind_to(node):
            theirs = set(self._topology.seen_from(view.here).chain(node))
            left = [one for one in left if one in theirs] or left
        for view in self.views:
            if view.here == node and view.blind:  # it lives, and nothing answers it: what it crosses to all of that
                theirs = self._common(view)
                left = [one for one in left if one in theirs] or left
        return left

    def apart(self, node: str, element: Element) -> bool:
        """Tell whether a node is dark to another agent whose way to it does not cross an element: that is not why."""
        return any(element not in self._topology.seen_from(view.here).chain(node) for view in self.blind_to(node))

    def _common(self, view: View) -> set[Element]:
        ways = [self._topology.seen_from(view.here).chain(name) for name in view.dark]
        return set(ways[0]).intersection(*ways[1:])

    def _across(self, view: View, element: Element, since: datetime) -> bool:
        """Tell whether something answered another agent since then that it can't reach without crossing an element."""
        crossed = self._crossed.get(id(view))
        if crossed is None:
            crossed = self._crossed[id(view)] = _crossed(view, self._topology.seen_from(view.here))
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


def name_the_blind(faults: Iterable[Fault], dark: Mapping[str, Dark], others: Others, picture: Picture) -> None:
    """Rename faults that are an agent's blindness: ours, when our own uplink is all that is left, or another's, whom nothing answers of
    what answers us.
    """
    topology = picture.topology
    here, lit = topology.here, {name for name, one in dark.items() if others.see(name, one.since)}
    blind = {view.here for view in others.views if view.blind and any(picture.alive_at(name) and name not in dark for name in view.dark)}
    for fault in faults:
        if len(fault.nodes) == 1 and fault.nodes <= blind & lit:
            fault.code, fault.element = "agent_blind", next(iter(fault.nodes))
            fault.node, fault.alternatives, fault.elsewhere = fault.element, (), ()
        elif fault.link is not None and here in topology.neighbours(fault.link) and _alone(fault) and fault.nodes & lit:
            fault.code, fault.element, fault.node, fault.nodes = "agent_blind", here, here, frozenset()


def await_others(faults: Iterable[Fault], dark: Mapping[str, Dark], others: Others) -> None:
    """Have a fault wait for the word of other agents that measure what it leaves dark."""
    agents = {view.here for view in others.views}
    for fault in faults:
        silent = {one.node for one in fault.symptoms} & dark.keys()  # one that is shut to us alone is none of its `nodes`
        unsure = {name for name in silent & agents if others.await_agent(dark[name])}
        fault.awaits_agent = bool(unsure)
        some = {name for name in sorted(fault.nodes)[:FEW] if others.await_word(name, dark[name].since)}
        fault.asks += [ask(dark[name].symptoms[0].job, "parent", name) for name in sorted(unsure | some)]


def _alone(fault: Fault) -> bool:
    return fault.node is None and not fault.elsewhere and fault.basis in {Basis.SILENCE, Basis.WIDE}


def shut_out(symptoms: list[Symptom], node: str) -> Fault:
    """Return the fault of a node that others see, over all that lies between: something stops us alone, a filter or a wrong route."""
    return Fault("service_blocked", node, symptoms, Basis.CLASS, alternatives=("path_own_side", "agent_blind"))
