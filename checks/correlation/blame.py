"""Whose side, which area, how urgent, who is affected, how sure: a fault made into a diagnosis."""

from checks.causes import BY_CODE, OTHER, Cause, area, urgency
from checks.correlation.confidence import confidence
from checks.correlation.fault import Basis, Fault
from checks.correlation.follows import SWITCHES
from checks.finding import Message, Value, worst
from checks.topology import Topology
from checks.verdict import Area, Diagnosis, Side
from probe.inventory import Customer, Node, Owner

CAUSE_OF: dict[str, Cause] = {code: cause for (_, code), cause in BY_CODE.items()}
CUT = frozenset({"fibre_cut", "carrier_network", "bgp_down", "routing_loop"})  # with these no call reaches the carrier
UNUSED = frozenset({"redundancy_lost"})  # nobody notices
STOPS = frozenset({"host_down", "process_down", "service_hung", "service_error", "service_blocked", "site_power", "duplicate_address"})
INDEPENDENT = 2  # readings beyond the demarcation that a verdict against somebody else needs


def diagnose(fault: Fault, topology: Topology) -> Diagnosis:
    """Return the diagnosis of a fault."""
    symptoms = sorted({one.key: one for one in fault.symptoms}.values(), key=lambda one: one.key)
    cause = CAUSE_OF.get(fault.code, OTHER)
    state = worst({one.standing.track.hard for one in symptoms})
    node = _node(fault, topology)
    whose = side_of(fault, topology)
    customers = affected(fault, topology)
    values: dict[str, Value] = {"element": fault.element, "node": node.name if node is not None else symptoms[0].node}
    alternatives = fault.alternatives or (cause.like if fault.basis is Basis.SAID else ())
    decides = Message(cause.decides, values) if alternatives and cause.decides else None
    if whose is Side.UNDETERMINED:
        decides = Message("decides.second-reading", {"element": fault.element})
    return Diagnosis(
        kind=cause.kind,
        cause=cause.code,
        element=fault.element,
        side=whose,
        area=area_of(fault, cause, node, topology),
        urgency=urgency(cause, state, node, customers),
        confidence=confidence(fault, symptoms),
        since=fault.since,
        keys=tuple(one.key for one in symptoms),
        findings=tuple(one.standing.finding for one in symptoms),
        summary=Message(f"cause.{cause.code}", values),
        action=Message(cause.action, values),
        affected=tuple(customer.name for customer in customers),
        ruled_out=tuple(sorted({one.key: one for one in fault.cleared}.values(), key=lambda one: one.key)),
        state=state,
        alternatives=alternatives,
        elsewhere=fault.elsewhere,
        decides=decides,
    )


def side_of(fault: Fault, topology: Topology) -> Side:
    """Return whose side a fault is on.

    Blame starts with us: against a carrier or a customer it takes two independent readings, unless their own device said it, or a port of
    ours that is well has lost the line itself.
    """
    if fault.node is not None and fault.node not in topology.inventory.nodes:
        return Side.UNDETERMINED
    owner = _owner(fault, topology)
    if owner is Owner.COMPANY:
        return Side.COMPANY
    readings = {(one.node, one.job[1]) for one in fault.symptoms}
    if fault.basis in {Basis.SILENCE, Basis.CLASS, Basis.AGAINST} and len(readings) < INDEPENDENT:
        return Side.UNDETERMINED
    return Side.CARRIER if owner is Owner.CARRIER else Side.CUSTOMER


def _owner(fault: Fault, topology: Topology) -> Owner:
    if fault.code in {"gateway_registration", "account"} and _of_customer(fault, topology):
        return Owner.CUSTOMER
    if fault.code == "interface_admin_down":  # somebody switched the port off: who owns the port did
        return _whose(topology.node(fault.symptoms[0].node), topology)
    if fault.code in {"bgp_down", "bgp_flapping", "prefixes", "routing_loop", "mtu_black_hole"} and _faces_carrier(fault, topology):
        return Owner.CARRIER  # our router tries and says so; whom it speaks to does not answer
    if fault.code in {"optics_tx", "interface_errors", "duplex", "agent_blind"} and fault.node is not None:
        return _whose(topology.node(fault.node), topology)
    if fault.site is not None:
        site = topology.inventory.sites.get(fault.site)
        kind = site.kind if site is not None else ""
        customers = site is not None and site.customer is not None
        return Owner.CUSTOMER if customers or kind == "customer" else Owner.CARRIER if kind in {"carrier", "pop"} else Owner.COMPANY
    link = topology.link(fault.link) if fault.link is not None and (fault.node is None or fault.code == "fibre_degraded") else None
    if link is None and fault.code in {"fibre_degraded", "link_flapping"} and fault.link is not None:
        link = topology.link(fault.link)
    if link is not None:
        owners = {_whose(topology.node(link.a), topology), _whose(topology.node(link.b), topology)}
        for owner in (Owner.CARRIER, Owner.CUSTOMER):
            if owner in owners:
                return owner
        return Owner.CARRIER if link.carrier is not None and link.kind == "fibre" else Owner.COMPANY
    return _whose(topology.node(fault.node), topology) if fault.node is not None else Owner.COMPANY


def _of_customer(fault: Fault, topology: Topology) -> bool:
    """Tell whether a lost registration is of one customer's numbers: our registrar has told it, and others' it still has."""
    return len(_by_number(fault, topology)) == 1  # of several customers at once it is our registrar


def _by_number(fault: Fault, topology: Topology) -> set[str]:
    numbers = {one.part for one in fault.symptoms}
    return {name for name, one in topology.inventory.customers.items() if not numbers.isdisjoint(one.accounts)}


def _faces_carrier(fault: Fault, topology: Topology) -> bool:
    names = {one.node for one in fault.symptoms}
    return any(
        topology.node(other).owner is Owner.CARRIER or topology.node(name).owner is Owner.CARRIER
        for name in names
        for _, other in topology.links.get(name, ())
    )


def _whose(node: Node, topology: Topology) -> Owner:
    """Return whose side a node is on: what stands at a customer's is on the customer's, whoever supplied it."""
    site = topology.inventory.sites.get(node.site or "")
    at_customers = site is not None and site.customer is not None
    return Owner.CUSTOMER if node.owner is Owner.COMPANY and at_customers else node.owner


def _node(fault: Fault, topology: Topology) -> Node | None:
    if fault.node is not None:
        return topology.node(fault.node)
    return None


def area_of(fault: Fault, cause: Cause, node: Node | None, topology: Topology) -> Area:
    """Return what kind of thing is broken."""
    if fault.code == "agent_blind":
        return Area.AGENT
    link = topology.link(fault.link) if fault.link is not None and fault.node is None else None
    if link is None:
        if fault.code in {"bgp_down", "routing_loop", "fibre_degraded"}:
            return cause.area
        return area(cause, node)
    owners = {topology.node(link.a).owner, topology.node(link.b).owner}
    if owners == {Owner.CARRIER}:
        return Area.CARRIER_NETWORK
    if Owner.CARRIER in owners or link.kind == "fibre":
        return Area.DEVICE if fault.code == "interface_admin_down" else Area.FIBRE
    return Area.CUSTOMER_NETWORK if _owner(fault, topology) is Owner.CUSTOMER else Area.DEVICE


def affected(fault: Fault, topology: Topology) -> tuple[Customer, ...]:
    """Return the customers who notice: at whose sites it is dark or poor, and all of them when calls have nowhere to go."""
    if fault.code in UNUSED:
        return ()
    names = set(fault.nodes) | ({fault.node} if fault.node is not None else set())
    everybody = fault.code in CUT and bool(fault.nodes)
    if fault.code in STOPS and any(topology.node(name).role in SWITCHES for name in names):
        everybody = everybody or fault.code in {"host_down", "site_power", "duplicate_address"} or _is_sip(fault)
    if everybody:
        return tuple(customer for _, customer in sorted(topology.inventory.customers.items()))
    if fault.link is not None and fault.node is None:
        names |= set(topology.behind(fault.link)) if fault.code != "interface_admin_down" or fault.nodes else set()
        names |= {one.node for one in fault.symptoms if one.sort != "own"}
    elif fault.code in STOPS | {"customer_router", "loss", "delay"} and fault.node is not None:
        names |= set(topology.behind(fault.node))
    found = {one.name: one for one in topology.customers_of(names)}
    if fault.code in {"gateway_registration", "account"}:
        found.update((name, topology.inventory.customers[name]) for name in _by_number(fault, topology))
    return tuple(found[name] for name in sorted(found))


def _is_sip(fault: Fault) -> bool:
    return any(one.job[1] in {"sip", "registration", "call"} for one in fault.symptoms)
