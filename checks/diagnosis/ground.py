"""Where the questions of the flow are put: the places of an inventory, the measurements there, and the question that a reading answers."""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from checks.ask import Ask
from checks.causes import DEVICE_KINDS, cause_of
from checks.diagnosis.plan import Place, Question
from checks.finding import Finding, Message
from probe.inventory import Inventory, Node, Owner

JobKey = tuple[str, str, str]  # node, prober, item
Port = tuple[str, str]

_EYES = frozenset({"dns", "ntp"})  # what tells the agent names and time, on whichever of our nodes it runs
_OWN_LOOK = frozenset({"interfaces", "host", "sockets", "cdr"})  # see the agent's own host only


class Trouble(msgspec.Struct, frozen=True):
    """What a complaint is about: the customer, or one node of his or ours; without either it is about everybody."""

    customer: str | None = None
    node: str | None = None


class Ground(msgspec.Struct, frozen=True):
    """The places as sets of nodes, and the ports of ours that lead to the carrier and to the customer."""

    here: str
    nodes: Mapping[Place, frozenset[str]]
    ports: Mapping[Place, frozenset[Port]]


def customer_of(node: Node | None, inventory: Inventory) -> str | None:
    """Return at which customer's a node stands; None for none."""
    site = inventory.sites.get(node.site) if node is not None and node.site is not None else None
    return site.customer if site is not None else None


def customers_nodes(customer: str, inventory: Inventory) -> frozenset[str]:
    """Return the nodes that stand at a customer's, whosoever they are."""
    return frozenset(node.name for node in inventory.nodes.values() if customer_of(node, inventory) == customer)


def survey(inventory: Inventory, trouble: Trouble) -> Ground:
    """Return the places of an inventory, those of the customer as far as the trouble names one."""
    ours, carriers = set(), set()
    for node in inventory.nodes.values():
        if node.owner is Owner.CARRIER or node.kind == "carrier":
            carriers.add(node.name)
        elif node.owner is Owner.COMPANY and customer_of(node, inventory) is None:
            ours.add(node.name)
    devices = {name for name in ours if inventory.nodes[name].kind in DEVICE_KINDS}
    customer = trouble.customer or customer_of(inventory.nodes.get(trouble.node or ""), inventory)
    theirs = customers_nodes(customer, inventory) if customer is not None else frozenset()
    gateways = frozenset(name for name in theirs if inventory.nodes[name].kind == "gateway")
    if trouble.node in gateways:
        gateways = frozenset({trouble.node})
    routers = theirs - {name for name in theirs if inventory.nodes[name].kind == "gateway"}
    to_carrier, to_customer = _ports(inventory, ours, carriers), _ports(inventory, ours | carriers, theirs)
    first = {name for link in inventory.links.values() for name in (link.a, link.b) if _crosses(link.a, link.b, ours | carriers, theirs)}
    return Ground(
        inventory.here,
        {
            Place.HERE: frozenset({inventory.here}),
            Place.SERVERS: frozenset(ours - devices),
            Place.OURS: frozenset(ours),
            Place.DEVICES: frozenset(devices),
            Place.CARRIER: frozenset(carriers | {name for name, _ in to_carrier}),
            Place.LINE: frozenset((first & theirs) | {name for name, _ in to_customer}),
            Place.ROUTER: routers,
            Place.GATEWAY: gateways,
        },
        {Place.CARRIER: to_carrier, Place.LINE: to_customer},
    )


def _crosses(a: str, b: str, near: Collection[str], far: Collection[str]) -> bool:
    return (a in near and b in far) or (b in near and a in far)


def _ports(inventory: Inventory, near: Collection[str], far: Collection[str]) -> frozenset[Port]:
    """Return our end of every link that leads from one set of nodes to another; the port is "" where the plan names none."""
    found = set()
    for link in inventory.links.values():
        names = link.ports or ("", "")
        for name, port, other in ((link.a, names[0], link.b), (link.b, names[1], link.a)):
            if name in near and other in far:
                found.add((name, port))
    return frozenset(found)


def wanted(question: Question, ground: Ground, known: Iterable[JobKey], inventory: Inventory) -> tuple[Ask, ...]:
    """Return what is to be measured for a question: the `known` (configured) checks, and the default ones where there are none."""
    why = Message(f"question.{question.name}")
    known = list(known)
    places = ground.nodes[question.place]
    found = {
        key for key in known if key[1] in question.probers and (key[0] in places or (question.place is Place.HERE and key[1] in _EYES))
    }
    have = {key[:2] for key in known}
    for name in places:
        for prober in question.default:
            local = prober in _OWN_LOOK
            if (name, prober) not in have and (name == ground.here if local else inventory.nodes[name].address is not None):
                found.add((name, prober, ""))
    return tuple(Ask(*key, why) for key in sorted(found))


def question_of(finding: Finding, flow: Iterable[Question], ground: Ground) -> str | None:
    """Return the name of the question that a finding answers; None for one that none of them asks for."""
    asked = {question.name: question for question in flow}
    _, node, check, item = finding.key
    cause = cause_of(check, finding.message.id)
    code = cause.code if cause is not None else ""
    nodes = ground.nodes
    if node in nodes[Place.GATEWAY]:
        return _at_gateway(check, item)
    if node in nodes[Place.ROUTER]:
        return "line" if node in nodes[Place.LINE] and (check == "icmp/loss" or check.startswith("path/")) else "router"
    if _at_port(node, item, ground.ports[Place.LINE]):
        return "line"
    if (node == ground.here and code in asked["sight"].causes) or check.startswith(("dns/", "ntp/")):
        return "sight"
    if node in nodes[Place.CARRIER] and (node not in nodes[Place.OURS] or code in asked["fibre"].causes):
        return "fibre"
    if _at_port(node, item, ground.ports[Place.CARRIER]):
        return "fibre"
    if node in nodes[Place.OURS]:
        if code in asked["resources"].causes:
            return "resources"
        return "devices" if node in nodes[Place.DEVICES] else "servers"
    return None


def _at_gateway(check: str, item: str) -> str:
    if check in ("gateway/nat", "gateway/alg"):
        return "nat"
    return "standard" if check == "gateway/standard" and item != "registration" else "gateway"


def _at_port(node: str, item: str, ports: Collection[Port]) -> bool:
    """Tell whether an item is one of the ports, or a part of it ("fib0 #2" is a lane)."""
    return bool(item) and (node, item.partition(" #")[0]) in ports
