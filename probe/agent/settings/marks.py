"""What a `path` check takes from the inventory: its marks, our port to the carrier (`edge`) and the carrier's port towards us (`pop`)."""

from collections.abc import Iterator, Mapping
from typing import Any

from probe.inventory import Inventory, Node, Owner

PLACES = ("edge", "pop")
MOST = 4  # of each, as the option bears


def path_options(node: Node, inventory: Inventory, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the marks of a path check of `node`: those of its `own` table, the name of a node as its address; where it names none at
    all, both ends of every line to a carrier that the node lies behind.
    """
    if any(own.get(place) for place in PLACES):
        return {place: _addresses(own[place], inventory) for place in PLACES if place in own}
    marks: dict[str, list[str]] = {place: [] for place in PLACES}
    for near, far in _lines(inventory):
        if node.name in _behind(far, inventory):
            for place, end in zip(PLACES, (near, far), strict=True):
                if end.address is not None and end.address not in marks[place]:
                    marks[place].append(end.address)
    return {place: found[:MOST] for place, found in marks.items() if found}


def _addresses(names: Any, inventory: Inventory) -> Any:
    """Return the list with the address of each node that it names; what is no list is left for its reader to refuse."""
    if not isinstance(names, list | tuple):
        return names
    nodes = [inventory.nodes.get(name) if isinstance(name, str) else None for name in names]
    return [node.address if node is not None and node.address else name for name, node in zip(names, nodes, strict=True)]


def _lines(inventory: Inventory) -> Iterator[tuple[Node, Node]]:
    """Yield (our end, the carrier's end) of every link between the two."""
    for link in inventory.links.values():
        a, b = inventory.nodes.get(link.a), inventory.nodes.get(link.b)  # an end that is not there was refused where it stands
        for near, far in ((a, b), (b, a)):
            if near and far and near.owner is Owner.COMPANY and far.owner is Owner.CARRIER:
                yield near, far


def _behind(far: Node, inventory: Inventory) -> set[str]:
    """Return the names of the carrier's end and of all that hangs on it without one of our own nodes in between."""
    found, left = {far.name}, [far.name]
    while left:
        name = left.pop()
        for link in inventory.links.values():
            other = inventory.nodes.get(link.b if link.a == name else link.a if link.b == name else name)
            if other is not None and other.name not in found and other.owner is not Owner.COMPANY:
                found.add(other.name)
                left.append(other.name)
    return found
