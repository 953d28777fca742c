"""Which of correlate's diagnoses explains the complaint: what he feels, of what he or his calls cross."""

from collections.abc import Collection, Sequence
from enum import StrEnum

import msgspec

from checks.causes import MAIN_ROLES
from checks.diagnosis.explains import next_test, rank
from checks.diagnosis.ground import Trouble, customer_of, customers_nodes
from checks.diagnosis.symptom import Symptom
from checks.finding import Message, State, Value
from checks.topology import LINK, Topology
from checks.verdict import Area, Diagnosis, Side
from probe.inventory import Inventory, Owner

# Without these no call comes about, though none passes through most of them.
CALL_ROLES = MAIN_ROLES | {"database", "dns", "registrar", "radius", "media", "proxy", "billing"}
DEVICE_AT_FAULT = frozenset({"gateway_down", "gateway_standard"})  # if help does not mend it: whose is it?
_SEVERITY = (State.CRITICAL, State.WARNING)
_CARRIERS = frozenset({Area.FIBRE, Area.CARRIER_NETWORK})  # a peer or a way of theirs, told of by a router that he crosses
_CUTS = frozenset({"fibre_cut", "interface_down", "interface_admin_down"})
_UNRELATED = 9


class Answer(StrEnum):
    """How a diagnosis ended."""

    FAULT = "fault"
    NONE = "none"
    UNDETERMINED = "undetermined"


class Verdict(msgspec.Struct, frozen=True):
    """The answer to a complaint. `diagnosis` is what explains it; `others` are faults as well, each a case of its own.

    `decides` is the next test: the one that would decide when it is undetermined, where to look on when no fault was found.
    """

    answer: Answer
    diagnosis: Diagnosis | None = None
    others: tuple[Diagnosis, ...] = ()
    decides: Message | None = None


def judge(found: Sequence[Diagnosis], topology: Topology, trouble: Trouble, symptoms: Collection[Symptom], seen: bool = True) -> Verdict:
    """Return which diagnosis explains the complaint, and what is left.

    `seen` False says that too little of our own side could be read to call it good: then nothing found is not "no fault".
    """
    ranked = sorted(
        (place, one.cause, one.element, number)
        for number, one in enumerate(found)
        if (place := _place(one, topology, trouble, symptoms)) is not None
    )
    if ranked:
        chosen = found[ranked[0][-1]]
        others = tuple(one for one in found if one is not chosen)
        answer = Answer.UNDETERMINED if chosen.side is Side.UNDETERMINED else Answer.FAULT
        return Verdict(answer, chosen, others, chosen.decides)
    blind = next((one for one in found if one.cause == "agent_blind"), None)
    if blind is not None:  # nothing else can be said until that is mended
        return Verdict(Answer.FAULT, blind, tuple(one for one in found if one is not blind), blind.decides)
    if not seen:
        return Verdict(Answer.UNDETERMINED, None, tuple(found), Message("next.unseen"))
    return Verdict(Answer.NONE, None, tuple(found), next_test(symptoms))


def _place(one: Diagnosis, topology: Topology, trouble: Trouble, symptoms: Collection[Symptom]) -> tuple[int, ...] | None:
    """Return how well a diagnosis explains the complaint, the best smallest; None when it does not."""
    near = closeness(one, topology, trouble)
    fits = rank(one.cause, symptoms)
    if near is None or one.cause == "agent_blind" or _carried_on(one, topology):
        return None
    if fits is None:
        if one.state is not State.CRITICAL or near > 1 or rank(one.cause, ()) is None:
            return None
        fits = _UNRELATED  # what cuts him off explains more than his words may say
    severity = _SEVERITY.index(one.state) if one.state in _SEVERITY else len(_SEVERITY)
    elsewhere = trouble.customer is not None and trouble.customer not in one.affected
    beyond = one.side is not Side.COMPANY or near > 1  # blame starts at our own side
    return (fits if severity == 0 else fits + 1, severity, elsewhere, beyond, near)


def _carried_on(one: Diagnosis, topology: Topology) -> bool:
    """Tell whether a line is cut that nobody misses: what it led to is reached another way, and nobody is affected."""
    lines = _elements(one, topology)
    if one.cause not in _CUTS or one.affected or len(lines) != 1:
        return False
    (line,) = lines
    return line.startswith(LINK) and topology.link(line) is not None and not any(topology.behind(line))


def closeness(one: Diagnosis, topology: Topology, trouble: Trouble) -> int | None:
    """Return 0 for what he himself or all his calls cross, 1 for what calls need, 2 for the rest of our own; None: none of his business."""
    inventory = topology.inventory
    customer = trouble.customer or customer_of(inventory.nodes.get(trouble.node or ""), inventory)
    elements = _elements(one, topology)
    if customer is not None and customer in one.affected:
        return 0
    theirs = customers_nodes(customer, inventory) if customer is not None else frozenset()
    targets: frozenset[str] = theirs
    if trouble.node is not None and trouble.node in inventory.nodes:
        targets = frozenset({trouble.node})
    crossed = {element for name in targets for element in topology.chain(name)} - {topology.here}
    if elements & (crossed | theirs):
        return 1 if one.area in _CARRIERS and not any(element.startswith(LINK) for element in elements) else 0
    strangers = {customer_of(inventory.nodes.get(name), inventory) for name in elements} - {None, customer}
    if strangers and customer is not None:
        return None
    if customer is None and trouble.node is None and (strangers or one.affected):
        return 0
    nodes = [inventory.nodes[name] for name in elements if name in inventory.nodes]
    untold = not any(node.role in CALL_ROLES for node in inventory.nodes.values())  # then any server may be the one
    if any(node.role in CALL_ROLES or node.owner is Owner.CARRIER or node.kind == "carrier" or untold for node in nodes):
        return 1
    if any(element.startswith(LINK) and _to_carrier(element, topology) for element in elements):
        return 1
    return 2 if customer is None and trouble.node is None else None


def needed(topology: Topology, trouble: Trouble) -> frozenset[str]:
    """Return the nodes that the customer's calls need: his own, what lies on the way to them, and those that no call does without."""
    inventory = topology.inventory
    customer = trouble.customer or customer_of(inventory.nodes.get(trouble.node or ""), inventory)
    theirs = customers_nodes(customer, inventory) if customer is not None else frozenset()
    named = {trouble.node} if trouble.node is not None and trouble.node in inventory.nodes else set()
    way = {element for name in theirs | named for element in topology.shortest(name) if not element.startswith(LINK)}
    main = {node.name for node in inventory.nodes.values() if node.role in CALL_ROLES and customer_of(node, inventory) is None}
    return frozenset({topology.here, *way, *theirs, *main})


def _elements(one: Diagnosis, topology: Topology) -> set[str]:
    """Return the culprit as elements of the topology: a port with a link is that link, another part its node, a site its nodes."""
    found: set[str] = set()
    for name in one.element.split("+"):  # lines that are cut together
        inventory = topology.inventory
        node, _, part = name.partition(":")
        if name in inventory.links:
            found.add(LINK + name)
        elif name in inventory.nodes:
            found.add(name)
        elif name in inventory.sites:
            found |= set(topology.nodes_at(name))
        elif node in inventory.nodes:
            link = topology.link_at(node, part)
            found |= {LINK + link.name} if link is not None else {node}
    return found


def _to_carrier(element: str, topology: Topology) -> bool:
    link = topology.link(element)
    ends = [] if link is None else [topology.node(link.a), topology.node(link.b)]
    return any(node.owner is Owner.CARRIER or node.kind == "carrier" for node in ends)


def remedy(one: Diagnosis, inventory: Inventory) -> tuple[tuple[str, Message], ...]:
    """Return what is to be done and by whom, in this order: (who, what); the words of `who` are the messages `who.<who>`."""
    return (("technician", one.action), *_carriers(one, inventory), *_customers(one, inventory))


def _carriers(one: Diagnosis, inventory: Inventory) -> Sequence[tuple[str, Message]]:
    """Report to the carrier (报修): the line by its circuit, and the sheet that its desk asks for."""
    if one.side is not Side.CARRIER:
        return ()
    node = one.element.partition(":")[0]
    links = [
        *(inventory.links.get(name) for name in one.element.split("+")),
        *(link for link in inventory.links.values() if node in (link.a, link.b)),
    ]
    link = next((link for link in links if link is not None and link.carrier is not None), None)
    link = link or next((link for link in inventory.links.values() if link.carrier is not None), None)
    if link is None or link.carrier is None:
        return (("carrier", Message("todo.report-unknown")),)
    carrier = inventory.carriers.get(link.carrier)
    contacts = ", ".join(carrier.contacts) if carrier is not None and carrier.contacts else "–"
    told: dict[str, Value] = {"carrier": link.carrier, "circuit": link.circuit or link.name, "contacts": contacts, "link": link.name}
    return (("carrier", Message("todo.report", told)),)


def _customers(one: Diagnosis, inventory: Inventory) -> Sequence[tuple[str, Message]]:
    """Help the customer: whom to call, and who answers for a device that stays dead or is not to standard."""
    if one.side is not Side.CUSTOMER:
        return ()
    node = inventory.nodes.get(one.element.partition(":")[0])
    name = customer_of(node, inventory) or next(iter(one.affected), None)
    customer = inventory.customers.get(name) if name is not None else None
    steps = []
    if customer is not None and customer.contacts:
        steps.append(("technician", Message("todo.call", {"customer": customer.name, "contacts": ", ".join(customer.contacts)})))
    if node is not None and node.kind == "gateway" and one.cause in DEVICE_AT_FAULT:
        ours = node.supplied_by is Owner.COMPANY or (node.supplied_by is None and node.owner is Owner.COMPANY)
        told = {"node": node.name}
        if not ours:
            steps.append(("vendor", Message("todo.vendor", {**told})))
        elif node.warranty_until is None:
            steps.append(("commerce", Message("todo.commerce", {**told})))
        else:
            steps.append(("commerce", Message("todo.commerce-warranty", {**told, "until": node.warranty_until.isoformat()})))
    return steps
