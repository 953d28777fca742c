"""What a broken link or a node that is gone is called, by whose it is."""

from checks.topology import Element, Topology
from probe.inventory import Link, Node, Owner


def line_code(topology: Topology, link: Link) -> str:
    """Return what a broken link is called, by whose ends it joins."""
    ends = [topology.node(link.a), topology.node(link.b)]
    owners = {node.owner for node in ends}
    if owners == {Owner.CARRIER}:
        return "carrier_network"
    if Owner.CARRIER in owners:
        return "fibre_cut"
    theirs = [is_customers(topology, node) for node in ends]
    if any(theirs):
        return "gateway_down" if all(theirs) else "customer_line"
    return "fibre_cut" if link.kind == "fibre" else "interface_down"


def node_code(topology: Topology, name: str) -> str:
    """Return what a node that is gone is called."""
    node = topology.node(name)
    if node.owner is Owner.CARRIER:
        return "carrier_network"
    if is_customers(topology, node):
        return "gateway_down" if node.kind == "gateway" else "customer_router"
    return "host_down"


def is_customers(topology: Topology, node: Node) -> bool:
    """Tell whether a node is a customer's, or stands at one's."""
    site = topology.inventory.sites.get(node.site or "")
    return node.owner is Owner.CUSTOMER or (site is not None and site.customer is not None)


def far_end(topology: Topology, element: Element) -> str:
    """Return the end of a link that is farther from the agent."""
    order = topology.distance
    return max(topology.neighbours(element), key=lambda name: (order.get(name, len(order)), name))


def is_leaf(topology: Topology, node: str) -> bool:
    """Tell whether nothing else is reached over a node alone."""
    return next((other for other in topology.behind(node) if other != node), None) is None
