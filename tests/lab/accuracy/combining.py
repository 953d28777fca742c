"""Which faults can stand beside each other: neither at one place, nor one hidden behind the other. Pure."""

from tests.lab import topology
from tests.lab.accuracy.outcome import Planted
from tests.lab.accuracy.scoring import place

# What lets nothing through, or so little that what lies behind it can't be told apart any more.
IN_THE_WAY = frozenset(
    {
        *("host_down", "site_power", "customer_line", "customer_router", "gateway_down", "agent_blind", "conntrack", "duplex"),
        *("fibre_cut", "interface_down", "interface_admin_down", "carrier_network", "path_own_side", "routing_loop", "bgp_down"),
        *("loss", "delay", "saturation", "carrier_quality", "path_voice", "mtu_black_hole"),
    }
)
LINKS = {
    **{cable.name: (cable.a, cable.a_port, cable.b, cable.b_port) for cable in topology.CABLES if cable.name},
    **{fibre.name: (fibre.a, fibre.name, fibre.b, fibre.name) for fibre in topology.FIBRES},
}


def disturb(one: Planted, other: Planted) -> bool:
    """Tell whether two faults can't be told beside each other: at one place or one customer's, or one in the way to the other."""
    places = [{place(element) for element in planted.elements} for planted in (one, other)]
    if places[0] & places[1] or set(one.customers) & set(other.customers):
        return True
    return hides(one, other) or hides(other, one)


def hides(near: Planted, far: Planted) -> bool:
    """Tell whether a fault is in the way from the agent to another."""
    if not IN_THE_WAY & set(near.causes):
        return False
    seen = _seen_without(set(near.elements))
    return any(_nodes(element) - seen for element in far.elements)


def _nodes(element: str) -> set[str]:
    """Return the nodes that an element is, has at its ends, or holds."""
    name = place(element)
    if name in LINKS:
        return {LINKS[name][0], LINKS[name][2]}
    return set(topology.SITES[name][2]) if name in topology.SITES and name not in topology.NODES else {name}


def _seen_without(gone: set[str]) -> set[str]:
    """Return the nodes that the agent still reaches when these elements let nothing through."""
    dead = {name for element in gone if ":" not in element and element not in LINKS for name in _nodes(element)}
    ways = [
        (a, b)
        for name, (a, a_port, b, b_port) in LINKS.items()
        if not {name, f"{a}:{a_port}", f"{b}:{b_port}"} & gone and not {a, b} & dead
    ]
    seen, left = {"agent"}, ["agent"]
    while left:
        at = left.pop()
        for a, b in ways:
            for near, far in ((a, b), (b, a)):
                if near == at and far not in seen:
                    seen.add(far)
                    left.append(far)
    return seen
