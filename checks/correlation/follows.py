"""What follows from what: the table by which one fault explains another, so that one cause is one case.

A rule says: a fault of these codes (`effects`) follows from a fault of those (`causes`) when the two are so `related`. The table is read
from the top; the first cause that fits takes the effect. Nothing follows from what began later (but for the time in which a device
caches its readings), and nothing follows from what is an effect of it itself.
"""

from collections.abc import Callable
from datetime import timedelta
from itertools import chain

import msgspec

from checks.correlation.fault import Basis, Fault
from checks.finding import State
from checks.topology import Topology
from probe.inventory import Owner

LINK_DOWN = frozenset({"fibre_cut", "customer_line", "interface_down", "interface_admin_down", "redundancy_lost"})
GONE = LINK_DOWN | {"host_down", "customer_router", "gateway_down", "carrier_network", "site_power"}
PORT = frozenset({"interface_down", "interface_errors", "link_flapping", "fibre_degraded", "optics_tx", "duplex", "cabling"})
ROUTING = frozenset({"bgp_down", "bgp_flapping", "prefixes", "ospf"})
POOR = frozenset({"loss", "delay", "path_voice", "carrier_quality", "service_slow", "snmp_answers", "path_change", "retransmission"})
LATE = frozenset({"dns", "database", "test_call_quality", "responder_silent", "bgp_flapping", "gateway_registration"})
SERVICE = frozenset(
    {
        "process_down",
        "service_hung",
        "service_error",
        "service_slow",
        "service_blocked",
        "dns",
        "database",
        "time_server",
        "snmp_silent",
        "snmp_answers",
        "responder_silent",
        "connections",
        "units",
    }
)
STARVED = frozenset(
    {
        "cpu",
        "device_cpu",
        "memory",
        "oom",
        "disk_full",
        "inodes",
        "read_only",
        "mount",
        "disk_slow",
        "descriptors",
        "conntrack",
        "pressure",
    }
)
CALLS = frozenset(
    {"calls_fail", "voice_one_way", "voice_quality", "test_call", "test_call_audio", "test_call_quality", "records_missing", "trunk_full"}
)
HARDWARE = frozenset({"temperature", "fan", "power_supply", "fibre_degraded", "optics_tx"})
ACUTE = frozenset({"icmp/loss", "path/loss", "stamp/loss-out", "stamp/loss-back"})  # of this moment, not of the last minutes
MOMENT = timedelta(seconds=4)  # our choice: within it a router with a second session has another way
AGAIN = timedelta(minutes=1)  # our choice: a session that came back and is lost again for no longer flaps
SWITCHES = frozenset({"softswitch", "sbc"})  # roles that carry every call

Relation = Callable[[Fault, Fault, Topology], bool]


def nodes_of(fault: Fault) -> set[str]:
    """Return the machines that a fault is at, or takes away."""
    return {fault.node, *fault.nodes} if fault.node is not None else set(fault.nodes)


def same_node(effect: Fault, cause: Fault, topology: Topology) -> bool:  # noqa: ARG001
    """The same machine."""
    return bool(nodes_of(effect) & nodes_of(cause))


def same_link(effect: Fault, cause: Fault, topology: Topology) -> bool:  # noqa: ARG001
    """A port, or a sensor in it, of the same link."""
    return effect.link is not None and (effect.link == cause.link or any(one.link == effect.link for one in cause.symptoms))


def at_its_end(effect: Fault, cause: Fault, topology: Topology) -> bool:
    """On a machine at an end of the link, or next to what is dark."""
    link = topology.link(cause.link) if cause.link is not None else None
    ends = {link.a, link.b} if link is not None else set()
    near = {other for name in nodes_of(cause) for _, other in topology.links.get(name, ())}
    return bool(nodes_of(effect) & (ends | near | nodes_of(cause)))


def towards_dark(effect: Fault, cause: Fault, topology: Topology) -> bool:
    """At a port whose link leads to what is dark."""
    link = topology.link(effect.link) if effect.link is not None else None
    return link is not None and bool({link.a, link.b} & nodes_of(cause))


def dark(effect: Fault, cause: Fault, topology: Topology) -> bool:  # noqa: ARG001
    """Of a machine that is dark because of it."""
    return bool(nodes_of(effect) & cause.nodes)


def beyond(effect: Fault, cause: Fault, topology: Topology) -> bool:
    """Of measurements that may cross it."""
    places = {cause.link} if cause.link is not None else nodes_of(cause)
    measured = nodes_of(effect) or {one.node for one in effect.symptoms}
    return any(places & topology.shortest(name) for name in measured)


def for_a_moment(effect: Fault, cause: Fault, topology: Topology) -> bool:
    """Beyond a session, for the moment until there is another way: what is lost for longer is why the session is down."""
    return not _lasts(effect) and beyond(effect, cause, topology)


def lasting_at_its_end(effect: Fault, cause: Fault, topology: Topology) -> bool:
    """At one end of the line on which packets are lost, for longer than it takes to find another way."""
    return _lasts(cause) and at_its_end(effect, cause, topology)


def _lasts(loss: Fault) -> bool:
    return any(one.check in ACUTE and one.standing.finding.seen.at - one.since >= MOMENT for one in loss.symptoms)


def lost_again(effect: Fault, cause: Fault, topology: Topology) -> bool:  # noqa: ARG001
    """The same session, which had come back and is lost again, for less than a minute."""
    if effect.element != cause.element or cause.since >= effect.since:
        return False
    return max(one.standing.finding.seen.at - one.since for one in effect.symptoms) < AGAIN


def for_good(effect: Fault, cause: Fault, topology: Topology) -> bool:
    """The same session, lost for the first time, or for more than a minute."""
    return effect.element == cause.element and not lost_again(cause, effect, topology)


def from_full(effect: Fault, cause: Fault, topology: Topology) -> bool:
    """Of measurements that may cross a machine whose table is full; nearly full it still lets everything pass."""
    return _is_full(cause) and beyond(effect, cause, topology)


def unheard(effect: Fault, cause: Fault, topology: Topology) -> bool:
    """Nothing answers, no port of ours is down, and our own table is full."""
    return effect.basis is Basis.CLASS and _is_full(cause) and same_node(effect, cause, topology)


def _is_full(cause: Fault) -> bool:
    return any(one.standing.track.hard is State.CRITICAL for one in cause.symptoms)


def of_echoes(effect: Fault, cause: Fault, topology: Topology) -> bool:
    """Echoes alone, of which a whole burst was lost where others lose some."""
    return all(one.check.startswith("icmp/") for one in effect.symptoms) and beyond(effect, cause, topology)


def by_carrier(effect: Fault, cause: Fault, topology: Topology) -> bool:  # noqa: ARG001
    """Something that takes away the carrier, or the way to it."""
    link = topology.link(cause.link) if cause.link is not None else None
    places = nodes_of(cause) | ({link.a, link.b} if link is not None else set()) | {one.node for one in cause.symptoms}
    cut = chain.from_iterable(topology.behind(one) for one in ([cause.link] if cause.link is not None else sorted(nodes_of(cause))))
    return any(topology.node(name).owner is Owner.CARRIER for name in chain(places, cut))


def upstream(effect: Fault, cause: Fault, topology: Topology) -> bool:
    """A server of ours that asks one of a carrier's, which is what fails."""
    ours = all(topology.node(name).owner is not Owner.CARRIER for name in nodes_of(effect))
    return ours and any(topology.node(name).owner is Owner.CARRIER for name in nodes_of(cause))


def of_account(effect: Fault, cause: Fault, topology: Topology) -> bool:
    """Of the customer whose number it is, or at whose site it is."""
    numbers = {one.part for one in effect.symptoms}
    theirs = topology.customers_of(nodes_of(cause) | {one.node for one in cause.symptoms})
    return any(not numbers.isdisjoint(customer.accounts) for customer in theirs)


def of_calls(effect: Fault, cause: Fault, topology: Topology) -> bool:  # noqa: ARG001
    """Calls cross the softswitch, the lines to the carriers, and the carriers."""
    nodes = [topology.node(name) for name in nodes_of(cause)]
    if any(one.role in SWITCHES for one in nodes) or (cause.code == "site_power" and any(one.owner is Owner.CARRIER for one in nodes)):
        return True
    return cause.code in {"fibre_cut", "carrier_network", "carrier_quality", "bgp_down", "agent_blind"}


def of_registrar(effect: Fault, cause: Fault, topology: Topology) -> bool:  # noqa: ARG001
    """The softswitch: gone, without its database, or amiss in SIP; not another service of its machine."""
    here = any(topology.node(name).role in SWITCHES for name in nodes_of(cause))
    return here and (bool(cause.nodes) or cause.code == "database" or any(one.service == "sip" for one in cause.symptoms))


def at_the_switch(effect: Fault, cause: Fault, topology: Topology) -> bool:
    """Said of a gateway by the softswitch, which says it of itself, too."""
    here = any(topology.node(name).role in SWITCHES for name in nodes_of(cause))
    return here and not any(topology.node(name).role in SWITCHES for name in nodes_of(effect))


def anywhere(effect: Fault, cause: Fault, topology: Topology) -> bool:  # noqa: ARG001
    """Whatever is not the agent's own."""
    return True


class Rule(msgspec.Struct, frozen=True):
    """One line of the table."""

    effects: frozenset[str]
    causes: frozenset[str]
    related: Relation


def _set(*codes: str) -> frozenset[str]:
    return frozenset(codes)


RULES = (
    # our own eyes first
    Rule(GONE | POOR | SERVICE | ROUTING, _set("agent_blind"), anywhere),
    Rule(PORT, _set("agent_blind"), same_node),
    # two machines with one address: each answers some of the time
    Rule(SERVICE | POOR | _set("host_down", "mac_changed", "certificate", "snmp_agent"), _set("duplicate_address"), same_node),
    Rule(SERVICE | GONE | PORT | ROUTING, _set("reboot"), same_node),
    Rule(PORT | ROUTING | _set("redundancy_lost"), _set("reboot"), at_its_end),
    # a line, and what lights up at its ends
    Rule(PORT, LINK_DOWN - {"interface_down"}, same_link),
    Rule(PORT - {"interface_down"}, _set("interface_down"), same_link),
    Rule(PORT | _set("redundancy_lost"), GONE, towards_dark),
    Rule(_set("interface_errors", "link_flapping"), _set("fibre_degraded", "optics_tx", "duplex"), same_link),
    Rule(_set("fibre_degraded"), _set("optics_tx"), same_link),
    Rule(_set("interface_errors"), _set("link_flapping"), same_link),
    # routing over it
    Rule(ROUTING, GONE, at_its_end),
    Rule(ROUTING, _set("link_flapping", "fibre_degraded", "saturation", "interface_errors", "duplicate_address"), at_its_end),
    Rule(ROUTING, _set("loss", "carrier_quality"), lasting_at_its_end),
    Rule(_set("bgp_down"), _set("bgp_flapping"), lost_again),
    Rule(_set("bgp_flapping"), _set("bgp_down"), for_good),
    Rule(_set("prefixes"), _set("bgp_down"), same_node),
    Rule(_set("carrier_network"), _set("bgp_down"), beyond),
    Rule(GONE | _set("path_broken"), _set("routing_loop"), same_node),
    # names of elsewhere are asked for over the carrier
    Rule(_set("dns"), GONE | POOR | _set("bgp_down", "routing_loop", "saturation", "fibre_degraded", "path_own_side"), by_carrier),
    Rule(_set("dns"), _set("dns", "service_hung", "process_down"), upstream),
    Rule(_set("path_change"), _set("bgp_flapping"), beyond),
    # what crosses it
    Rule(
        POOR,
        _set("saturation", "fibre_degraded", "interface_errors", "duplex", "link_flapping", "conntrack", "routing_loop"),
        beyond,
    ),
    Rule(POOR | LATE, GONE | _set("path_own_side"), beyond),
    Rule((POOR | LATE) - _set("bgp_flapping"), _set("bgp_down"), for_a_moment),
    Rule(
        LATE | _set("service_slow", "snmp_answers", "retransmission", "path_voice", "path_change"),
        _set("loss", "delay", "carrier_quality"),
        beyond,
    ),
    Rule(SERVICE | (GONE - LINK_DOWN), _set("conntrack"), from_full),
    Rule(_set("agent_blind"), _set("conntrack"), unheard),
    Rule(_set("mtu_small"), _set("mtu_black_hole"), beyond),
    Rule(_set("service_hung"), _set("loss", "carrier_quality", "saturation", "fibre_degraded"), of_echoes),
    # a machine that comes back: its services take their time
    Rule(SERVICE | _set("gateway_down"), GONE | _set("reboot"), dark),
    # a machine that lacks something
    Rule((SERVICE | _set("records_missing")) - _set("process_down"), STARVED, same_node),
    Rule(_set("process_down"), STARVED - _set("cpu", "device_cpu", "pressure", "disk_slow", "conntrack"), same_node),
    Rule(_set("memory", "disk_slow", "pressure", "processes_stuck"), _set("oom", "read_only"), same_node),
    Rule(_set("service_hung", "database"), _set("connections"), same_node),
    Rule(_set("certificate"), _set("clock"), same_node),
    Rule(_set("device_part"), HARDWARE | _set("ups_on_battery"), same_node),
    Rule(_set("power_supply", "ups_load", "ups_battery"), _set("ups_on_battery"), same_node),
    Rule(_set("temperature"), _set("fan"), same_node),
    # the customer's gateway
    Rule(_set("gateway_registration", "nat_dmz", "sip_alg", "gateway_standard", "service_error"), _set("gateway_down"), same_node),
    Rule(_set("gateway_registration", "nat_dmz", "service_hung", "gateway_down"), GONE, dark),
    Rule(_set("gateway_registration"), GONE | _set("gateway_down", "nat_dmz"), of_account),
    Rule(_set("gateway_registration"), _set("gateway_registration"), of_account),
    Rule(
        _set("gateway_registration", "account", "service_blocked", "service_error"),
        _set("account", "service_blocked", "service_error"),
        at_the_switch,
    ),
    Rule(_set("gateway_registration", "account"), SERVICE | _set("host_down", "site_power"), of_registrar),
    Rule(CALLS, SERVICE | GONE | POOR | STARVED | _set("bgp_down", "nat_dmz", "sip_alg", "mtu_black_hole"), of_calls),
)

RULES_OF: dict[str, list[Rule]] = {}
for _rule in RULES:
    for _code in _rule.effects:
        RULES_OF.setdefault(_code, []).append(_rule)
CAUSES_HERE = {code: frozenset().union(*(one.causes for one in rules if one.related is same_node)) for code, rules in RULES_OF.items()}
