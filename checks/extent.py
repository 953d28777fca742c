"""The part of an inventory that leads to the same ways: what of the network a verdict about some nodes needs."""

from collections.abc import Collection, Iterable, Mapping
from heapq import heappop, heappush
from itertools import pairwise
from typing import TypeVar

from checks.topology import LEAVES, Element, Topology
from probe.inventory import Inventory

Named = TypeVar("Named")
State = tuple[Element, bool]


class Extent:
    """The ways from the agent's place to every node of an inventory. Built once; what was asked is kept, for it is asked again."""

    def __init__(self, inventory: Inventory) -> None:
        self.topology = Topology(inventory)
        self._pairs: dict[Element, frozenset[Element]] = {}  # at most one for each element
        self._place = {name: at for at, name in enumerate(inventory.nodes)}
        self._link_place = {name: at for at, name in enumerate(inventory.links)}

    def ways(self, names: Iterable[str]) -> set[str]:
        """Return the nodes that must be there so that exactly the same elements lie on every way to these: two ways where there are two.

        By Menger's theorem two ways without a common element are all that it takes to show that none between them is crossed by every way.
        """
        kept: set[Element] = set()
        done: set[Element] = set()  # an element of a second way is kept, but needs no way of its own
        left = list(names)
        while left:
            at: Element | None = left.pop()
            while at is not None and at not in done:
                done.add(at)
                pair = self._pair(at)
                left += [other for one in pair - kept if self._leads_on(one) for other in self.around(one) - done]
                kept |= pair
                at = self.topology.parent.get(at)
        return self.nodes_of(kept)

    def part(self, names: Iterable[str], affected: Collection[str] = ()) -> Inventory:
        """Return the inventory with these nodes alone, and the links between them, their sites, carriers and customers, in its order.

        `affected` are customers that must be there whether a node of theirs is or not. It costs what the part is, not what the whole is.
        """
        inventory = self.topology.inventory
        nodes = {name: inventory.nodes[name] for name in sorted(inventory.nodes.keys() & names, key=self._place.__getitem__)}
        between = {link.name for name in nodes for link, other in self.topology.links.get(name, ()) if other in nodes}
        links = {name: inventory.links[name] for name in sorted(between, key=self._link_place.__getitem__)}
        sites = _named(inventory.sites, {node.site for node in nodes.values()})
        customers = _named(inventory.customers, {*affected, *(site.customer for site in sites.values())})
        carriers = _named(inventory.carriers, {link.carrier for link in links.values()})
        return Inventory(inventory.here, nodes, sites, links, carriers, customers)

    def nodes_of(self, elements: Iterable[Element]) -> set[str]:
        """Return the nodes among some elements, and both ends of the links."""
        found = set()
        for element in elements:
            link = self.topology.link(element)
            found |= {element} if link is None else {link.a, link.b}
        return found

    def around(self, node: str) -> set[str]:
        """Return the nodes at the other ends of a node's links."""
        return {other for _, other in self.topology.links.get(node, ())}

    def at_port(self, node: str, port: str) -> set[str]:
        """Return the nodes at both ends of the link at a port."""
        link = self.topology.link_at(node, port)
        return set() if link is None else {link.a, link.b}

    def _leads_on(self, element: Element) -> bool:
        """Tell whether a node of a kind that forwards nothing does so because nothing else leads to those behind it: they must be seen."""
        node = self.topology.inventory.nodes.get(element)
        return node is not None and node.kind in LEAVES and element != self.topology.here and self.topology.may_cross(element)

    def _pair(self, element: Element) -> frozenset[Element]:
        """Return the elements of two ways from an element's nearest dominator to it that share no other; of the one where it touches it."""
        found = self._pairs.get(element)
        if found is None:
            above = self.topology.parent.get(element)
            found = frozenset((element,)) if above is None else _two_ways(self.topology, above, element)
            self._pairs[element] = found
        return found


def _named(known: Mapping[str, Named], names: Collection[str | None]) -> dict[str, Named]:
    return {name: one for name, one in known.items() if name in names}


def _two_ways(topology: Topology, above: Element, element: Element) -> frozenset[Element]:
    """Return the elements of two ways from an element to its nearest dominator without a common one: a shortest, and one that augments it.

    The second is looked for in the residual graph of the first (Suurballe 1974), nearest to the agent first. Where the two touch there is
    one way only.
    """
    first = [element]  # downhill: every way to the agent leads over the dominator
    while first[-1] != above:
        first.append(min(_inwards(topology, first[-1]), key=topology.distance.__getitem__))
    if len(first) == 2:
        return frozenset(first)
    back = {after: before for before, after in pairwise(first)}  # each element of the first way but its start → the one before it
    inner = set(first[1:-1])
    start = (element, True)
    came: dict[State, State | None] = {start: None}
    todo = [(topology.distance[element], 0, start)]
    while todo:
        state = heappop(todo)[2]
        at, free = state  # free: may be left anywhere; else it belongs to the first way, which must be walked back
        nexts: list[State] = [(back[at], True)] if at in inner else []
        for near in _inwards(topology, at) if free else ():
            if back.get(near) == at:
                continue  # a step of the first way
            if near == above:
                return frozenset((*first, *_walked(state, came)))
            nexts.append((near, near not in inner))
        for after in nexts:
            if after not in came and after[0] != above:
                came[after] = state
                heappush(todo, (topology.distance[after[0]], len(came), after))
    return frozenset(first)


def _inwards(topology: Topology, element: Element) -> list[Element]:
    """Return what an element touches that the agent's packets may cross on their way to it."""
    return [near for near in topology.neighbours(element) if near in topology.distance and topology.may_cross(near)]


def _walked(state: State | None, came: Mapping[State, State | None]) -> Iterable[Element]:
    while state is not None:
        yield state[0]
        state = came[state]
