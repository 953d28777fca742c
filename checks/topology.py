"""What hangs together, and what a measurement crosses on its way: nodes and links as seen from the agent's place.

Nodes and links are both *elements*, for both can fail. An element *dominates* a node when every way from the agent to the node leads over
it (Lengauer and Tarjan's word, TOPLAS 1979): its failure alone takes the node away, and a good answer of the node clears it. Behind a
second way nothing is dominated, which is what redundancy means.
"""

from collections import deque
from collections.abc import Collection, Iterator, Sequence

import msgspec

from probe.inventory import Customer, Inventory, Link, Node

LEAVES = frozenset({"server", "gateway", "ups"})  # kinds that forward nothing for others, as long as there is another way
LINK = "\nlink:"  # marks a link among elements: a node may have the same name, but no name of an inventory holds a line break

Element = str  # a node's name, or LINK + a link's name


def link_element(link: Link) -> Element:
    """Return the element of a link."""
    return LINK + link.name


class Topology:
    """The network of an inventory. Built once for each configuration; nothing in it changes.

    `order` are all elements within reach of the agent, nearest first; `parent` is the nearest dominator of each. ValueError when a node is
    named as only links are marked, which no configuration lets in, but a file from elsewhere may say.
    """

    def __init__(self, inventory: Inventory) -> None:
        ends = (end for link in inventory.links.values() for end in (link.a, link.b))
        if (wrong := next((name for name in (inventory.here, *inventory.nodes, *ends) if name.startswith(LINK)), None)) is not None:
            raise ValueError(f"no node can be named {wrong!r}")
        self.inventory = inventory
        self.links: dict[str, list[tuple[Link, str]]] = {}  # by node: each link there and the node at its other end
        for link in inventory.links.values():
            self.links.setdefault(link.a, []).append((link, link.b))
            self.links.setdefault(link.b, []).append((link, link.a))
        self._ports = {
            (node, port): link
            for link in inventory.links.values()
            if link.ports is not None
            for node, port in zip((link.a, link.b), link.ports, strict=True)
            if port
        }
        self._local = frozenset((inventory.here, *(node.name for node in inventory.nodes.values() if node.loopback)))
        self._near: dict[Element, tuple[Element, ...]] = {link_element(link): (link.a, link.b) for link in inventory.links.values()}
        self._near.update((node, tuple(link_element(link) for link, _ in there)) for node, there in self.links.items())
        self._transit = self._forwarders()
        self.order = self._walk()
        self.parent = self._dominators()
        self._children: dict[Element, list[Element]] = {}
        for element in self.order[1:]:
            self._children.setdefault(self.parent[element], []).append(element)
        self._chains: dict[str, tuple[Element, ...]] = {}
        self._elsewhere: dict[str, Topology] = {}  # by place: the nodes on which other agents stand
        self._shortest: dict[str, tuple[frozenset[Element], frozenset[Element]]] = {}
        self._sites: dict[str, list[str]] = {}
        for node in inventory.nodes.values():
            if node.site is not None:
                self._sites.setdefault(node.site, []).append(node.name)

    @property
    def here(self) -> str:
        """The node on which the agent stands."""
        return self.inventory.here

    def seen_from(self, here: str) -> "Topology":
        """Return the same network as it is seen from another node; made once for each."""
        if here not in self._elsewhere:
            self._elsewhere[here] = Topology(msgspec.structs.replace(self.inventory, here=here))
        return self._elsewhere[here]

    def local(self, name: str) -> bool:
        """Tell whether a node is the agent's own, or answers on the agent's loopback: its answer says nothing of any way."""
        return name in self._local

    def node(self, name: str) -> Node:
        """Return a node; one that the inventory does not list is known by its name alone."""
        return self.inventory.nodes.get(name) or Node(name)

    def link(self, element: Element) -> Link | None:
        """Return the link of an element; None for a node."""
        return self.inventory.links.get(element.removeprefix(LINK)) if element.startswith(LINK) else None

    def link_at(self, node: str, port: str) -> Link | None:
        """Return the link that is plugged into a port; None where the inventory names none."""
        return self._ports.get((node, port))

    def nodes_at(self, site: str) -> list[str]:
        """Return the nodes of a site."""
        return self._sites.get(site, [])

    def neighbours(self, element: Element) -> Sequence[Element]:
        """Return what an element touches: a link's two nodes, a node's links."""
        return self._near.get(element, ())

    def chain(self, node: str) -> tuple[Element, ...]:
        """Return what every way from the agent to a node crosses, both included; of a node without any way both alone."""
        known = self._chains.get(node)
        if known is None:
            found = [node]
            while (above := self.parent.get(found[-1])) is not None:
                found.append(above)
            if found[-1] != self.here:
                found.append(self.here)
            known = self._chains[node] = tuple(reversed(found))
        return known

    def behind(self, element: Element) -> Iterator[str]:
        """Yield the nodes that can be reached over this element alone, itself included when it is a node."""
        left = [element]
        while left:
            one = left.pop()
            if not one.startswith(LINK):
                yield one
            left.extend(self._children.get(one, ()))

    def reached(self, without: Collection[Element]) -> set[Element]:
        """Return the elements that the agent still reaches when some have failed."""
        if self.here in without:
            return set()
        found, left = {self.here}, deque([self.here])
        while left:
            for near in self.onwards(left.popleft()):
                if near not in found and near not in without:
                    found.add(near)
                    left.append(near)
        return found

    def shortest(self, node: str) -> frozenset[Element]:
        """Return what lies on the shortest ways to a node: what its packets may cross."""
        return self._ways(node)[0]

    def crossed(self, node: str) -> frozenset[Element]:
        """Return what lies on all of the shortest ways to a node: what its packets cross, unless they take a longer one.

        Of lines beside each other all are: a clean answer from their far end is taken to have come over the one that others use, too.
        """
        return self._ways(node)[1]

    def _ways(self, node: str) -> tuple[frozenset[Element], frozenset[Element]]:
        known = self._shortest.get(node)
        if known is None:
            known = self._shortest[node] = self._find_ways(node)
        return known

    def _find_ways(self, node: str) -> tuple[frozenset[Element], frozenset[Element]]:
        far = self.distance
        if node not in far:
            alone = frozenset(self.chain(node))
            return alone, alone
        found, layer, certain = {node}, [node], {node}
        while layer:
            nearer = {
                near for one in layer for near in self.neighbours(one) if near in far and far[near] == far[one] - 1 and self.may_cross(near)
            }
            found |= nearer
            if len(nearer) == 1 or self._parallel(nearer):
                certain |= nearer
            layer = sorted(nearer)
        return frozenset(found), frozenset(certain)

    def _parallel(self, elements: set[Element]) -> bool:
        """Tell whether elements are lines beside each other: what is sent to one place and on behind it commonly takes the same of them."""
        ends = {frozenset(self.neighbours(one)) if self.link(one) is not None else None for one in elements}
        return len(ends) == 1 and None not in ends

    def customers_of(self, nodes: Collection[str]) -> tuple[Customer, ...]:
        """Return the customers at whose sites some nodes stand, by name."""
        found = {}
        for name in nodes:
            place = self.inventory.sites.get(self.node(name).site or "")
            if place is not None and place.customer is not None:
                found[place.customer] = self.inventory.customers.get(place.customer) or Customer(place.customer)
        return tuple(found[name] for name in sorted(found))

    def may_cross(self, element: Element) -> bool:
        """Tell whether packets for others pass an element: every link, and the nodes that forward."""
        return element.startswith(LINK) or element in self._transit or element == self.here

    def onwards(self, element: Element) -> Sequence[Element]:
        """Return what a packet at an element may go on to; nothing from where none is forwarded."""
        return self._near.get(element, ()) if self.may_cross(element) else ()

    def _forwarders(self) -> set[str]:
        """Return the nodes that forward: switches, routers and the like, and others where nothing else leads on."""
        known = self.inventory.nodes
        transit = {name for name in self.links if (known[name].kind if name in known else "server") not in LEAVES}
        found, left = {self.here}, deque([self.here])
        waiting: deque[str] = deque()
        while left or waiting:
            one = left.popleft() if left else waiting.popleft()
            if one != self.here and one not in transit:
                if all(other in found for _, other in self.links.get(one, ())):
                    continue
                transit.add(one)
            for _, other in self.links.get(one, ()):
                if other not in found:
                    found.add(other)
                    (left if other in transit else waiting).append(other)
        return transit

    def _walk(self) -> list[Element]:
        self.distance = {self.here: 0}
        order = [self.here]
        for element in order:  # grows while it is walked
            for near in self.onwards(element):
                if near not in self.distance:
                    self.distance[near] = self.distance[element] + 1
                    order.append(near)
        return order

    def _dominators(self) -> dict[Element, Element]:
        """Return the nearest dominator of each element but the first.

        Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm" (2001), on the order of a breadth-first walk: an element's number
        is larger than that of its dominators, and a few rounds settle what rings and second ways make unsettled.
        """
        number = {element: at for at, element in enumerate(self.order)}
        parent = [0] + [-1] * (len(self.order) - 1)
        before = [[number[near] for near in self.neighbours(element) if near in number and self.may_cross(near)] for element in self.order]
        changed = True
        while changed:
            changed = False
            for at in range(1, len(self.order)):
                best = -1
                for near in before[at]:
                    if parent[near] >= 0:
                        best = near if best < 0 else _meet(parent, best, near)
                if parent[at] != best:
                    parent[at] = best
                    changed = True
        return {element: self.order[parent[at]] for at, element in enumerate(self.order) if at}


def _meet(parent: list[int], a: int, b: int) -> int:
    while a != b:
        while a > b:
            a = parent[a]
        while b > a:
            b = parent[b]
    return a
