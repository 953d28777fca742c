"""The part of an inventory that leads to the same ways: what of the network a verdict about some nodes needs."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise
from typing import TypeVar

from probe.inventory import Inventory

Named = TypeVar("Named")
End = tuple[str, str]  # a link, and the node at its other end


class Extent:
    """The ways from the agent's place to every node of an inventory. Built once; what was asked is kept, for it is asked again.

    `head` is the last node before another that every way to it crosses, `bridge` the link between the two when that is the only one.
    """

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self._ends = _ends(inventory)
        self.head, self.bridge = _heads(inventory.here, self._ends)
        self._below: dict[str, list[str]] = {}
        for node, head in self.head.items():
            self._below.setdefault(head, []).append(node)
        self._pairs: dict[str, frozenset[str]] = {}  # at most one for each node

    def ways(self, names: Iterable[str]) -> set[str]:
        """Return the nodes that must be there so that exactly the same elements lie on every way to these: two ways where there are two.

        By Menger's theorem two ways without a common node are all that it takes to show that no node between them is crossed by every one.
        """
        kept: set[str] = set()
        done: set[str] = set()  # a node of a second way is kept, but needs no way of its own
        for name in names:
            at: str | None = name
            while at is not None and at not in done:
                done.add(at)
                kept.add(at)
                if at in self.head:
                    kept |= self._pair(at)
                at = self.head.get(at)
        return kept

    def behind(self, name: str) -> set[str]:
        """Return the nodes that are reached only through this node or link, without it."""
        starts = [node for node, link in self.bridge.items() if link == name]
        found, todo = set(starts), deque([*starts, name])
        while todo:
            for node in self._below.get(todo.popleft(), ()):
                if node not in found:
                    found.add(node)
                    todo.append(node)
        return found

    def around(self, name: str) -> set[str]:
        """Return the nodes at the other ends of a node's links."""
        return {end for _, end in self._ends.get(name, ())}

    def at_port(self, node: str, port: str) -> set[str]:
        """Return the nodes at both ends of the links at a port."""
        found = set()
        for name, other in self._ends.get(node, ()):
            link = self.inventory.links[name]
            if link.ports is not None and port == link.ports[0 if link.a == node else 1]:
                found |= {node, other}
        return found

    def of_link(self, name: str) -> set[str]:
        """Return both ends of a link; nothing when there is none of this name."""
        link = self.inventory.links.get(name)
        return set() if link is None else {link.a, link.b}

    def _pair(self, node: str) -> frozenset[str]:
        """Return the nodes of two ways between a node and its head that share no other; of the one way when a single link joins them."""
        found = self._pairs.get(node)
        if found is None:
            ends = frozenset((node, self.head[node]))
            found = self._pairs[node] = ends if node in self.bridge else ends | _two_ways(self.head[node], node, self._ends)
        return found


def cut(inventory: Inventory, names: Collection[str]) -> Inventory:
    """Return the inventory with these nodes alone, and the links between them, their sites, carriers and customers."""
    nodes = {name: inventory.nodes[name] for name in sorted(names) if name in inventory.nodes}
    links = {name: link for name, link in sorted(inventory.links.items()) if link.a in nodes and link.b in nodes}
    sites = _named(inventory.sites, (node.site for node in nodes.values()))
    customers = _named(inventory.customers, (site.customer for site in sites.values()))
    carriers = _named(inventory.carriers, (link.carrier for link in links.values()))
    return Inventory(inventory.here, nodes, sites, links, carriers, customers)


def _named(known: Mapping[str, Named], names: Iterable[str | None]) -> dict[str, Named]:
    return {name: known[name] for name in sorted({name for name in names if name is not None}) if name in known}


def _ends(inventory: Inventory) -> dict[str, list[End]]:
    ends: dict[str, list[End]] = {}
    for name, link in sorted(inventory.links.items()):
        if link.a != link.b:
            ends.setdefault(link.a, []).append((name, link.b))
            ends.setdefault(link.b, []).append((name, link.a))
    return ends


def _heads(here: str, ends: Mapping[str, list[End]]) -> tuple[dict[str, str], dict[str, str]]:
    """Return each reachable node's head, and the bridges by the node behind them (lowpoints, Hopcroft and Tarjan 1973)."""
    number, low, parent, order = {here: 0}, {here: 0}, {here: ("", "")}, [here]
    stack = [(here, iter(ends.get(here, ())))]
    while stack:
        node, rest = stack[-1]
        for link, other in rest:
            if link == parent[node][0]:
                continue
            if other in number:
                low[node] = min(low[node], number[other])
                continue
            number[other] = low[other] = len(order)
            parent[other] = (link, node)
            order.append(other)
            stack.append((other, iter(ends.get(other, ()))))
            break
        else:
            stack.pop()
            if stack:
                above = stack[-1][0]
                low[above] = min(low[above], low[node])
    head: dict[str, str] = {}
    bridge: dict[str, str] = {}
    for node in order[1:]:
        link, above = parent[node]
        head[node] = above if low[node] >= number[above] else head[above]
        if low[node] > number[above]:
            bridge[node] = link
    return head, bridge


def _two_ways(start: str, goal: str, ends: Mapping[str, list[End]]) -> frozenset[str]:
    """Return the nodes of two ways from start to goal without a common node: one shortest way, and one way that augments it."""
    first = _shortest(start, goal, ends)
    used = set(first)
    back = {after: before for (after, _), (before, _) in pairwise(first)}  # each node of the first way but its start → the one before it
    inner = set(back) - {goal}
    came: dict[tuple[str, bool], tuple[str, bool] | None] = {(start, True): None}
    todo = deque(came)
    while todo:
        state = todo.popleft()
        node, free = state  # free: may be left by any link; else it belongs to the first way, which must be walked back
        nexts: list[tuple[str, bool]] = []
        if not free or node in inner:
            nexts.append((back[node], True))
        if free:
            for link, other in ends.get(node, ()):
                if (node, link) in used:
                    continue
                if other == goal:
                    return frozenset(_walked(state, came)) | set(back) | {start}
                nexts.append((other, other not in inner))
        for after in nexts:
            if after not in came and after[0] != goal:
                came[after] = state
                todo.append(after)
    raise ValueError(f"there is one way only between {start} and {goal}")


def _shortest(start: str, goal: str, ends: Mapping[str, list[End]]) -> list[tuple[str, str]]:
    """Return a shortest way, goal first: each node with the link by which it is left towards the goal."""
    came: dict[str, tuple[str, str]] = {start: ("", "")}
    todo = deque([start])
    while goal not in came:
        node = todo.popleft()
        for link, other in ends.get(node, ()):
            if other not in came:
                came[other] = (node, link)
                todo.append(other)
    way, at = [(goal, "")], goal
    while at != start:
        before, link = came[at]
        way.append((before, link))
        at = before
    return way


def _walked(state: tuple[str, bool] | None, came: Mapping[tuple[str, bool], tuple[str, bool] | None]) -> Iterable[str]:
    while state is not None:
        yield state[0]
        state = came[state]
