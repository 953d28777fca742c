"""The written flow as a table: which questions are asked, in which order, by which measurements, and what an answer rules in or out.

The flow only orders measuring. Our own side comes first and always whole: whether the agent sees, servers, resources, devices, fibre. Then
the customer's: line, router, gateway, whether it is to standard, NAT. Each question is put to places (`Place`) by measurements (`probers`);
a node with an address and none of them gets `default`. A bad reading there rules in the `causes`, good ones rule them out.
"""

from enum import StrEnum

import msgspec

from checks.verdict import CaseKind


class Place(StrEnum):
    """Where a question is put."""

    HERE = "here"  # the agent's own node, its next neighbours, name and time servers
    SERVERS = "servers"
    OURS = "ours"  # servers and devices
    DEVICES = "devices"
    CARRIER = "carrier"  # both ends of the lines to carriers, and what lies beyond
    LINE = "line"  # both ends of the customer's line
    ROUTER = "router"  # what stands at the customer's and is no gateway
    GATEWAY = "gateway"


class Question(msgspec.Struct, frozen=True):
    """One step. Its texts are `question.<name>` (what is looked at).

    `causes` are what a bad reading rules in and good ones rule out; empty: whatever the place can have. `tells` are the checks whose good
    readings are worth telling; `ours` says that it is one of our own side's, which are always asked.
    """

    name: str
    place: Place
    probers: tuple[str, ...]
    default: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    tells: tuple[str, ...] = ()
    ours: bool = False


_SIGHT = ("agent_blind", "interface_down", "interface_admin_down", "dns", "time_server", "clock")
_RESOURCES = (
    *("connections", "descriptors", "retransmission", "listen_queue", "ports", "conntrack", "sockets", "datagrams_lost", "saturation"),
    *("sessions", "licence_full", "trunk_full", "duplicate_address", "mac_changed", "loss", "delay", "path_voice", "responder_silent"),
)
_FIBRE = (
    *("fibre_cut", "fibre_degraded", "optics_tx", "redundancy_lost", "bgp_down", "bgp_flapping", "prefixes", "carrier_network"),
    *("carrier_quality", "path_broken", "path_own_side", "routing_loop", "path_change", "mtu_small", "mtu_black_hole"),
)

_OURS = (
    Question("sight", Place.HERE, ("interfaces", "host", "dns", "ntp"), ("interfaces",), _SIGHT, ("dns/answer", "ntp/offset"), True),
    Question(
        "servers",
        Place.SERVERS,
        ("icmp", "sip", "tcp", "tls", "http", "registration", "postgresql", "mysql", "host", "snmp"),
        ("icmp",),
        (),
        ("sip/answer", "database/answer"),
        True,
    ),
    Question(
        "resources",
        Place.OURS,
        ("sockets", "host", "interfaces", "snmp", "cdr", "arp"),
        (),
        tuple(_RESOURCES),
        ("snmp/sessions", "cdr/concurrent", "sockets/conntrack", "database/connections"),
        True,
    ),
    Question("devices", Place.DEVICES, ("icmp", "snmp", "tcp", "http", "tls"), ("icmp",), (), (), True),
    Question(
        "fibre",
        Place.CARRIER,
        ("icmp", "path", "stamp", "pmtu", "snmp", "sip", "tcp", "dns", "ntp", "interfaces"),
        ("icmp",),
        tuple(_FIBRE),
        ("path/reach", "snmp/rx-power", "snmp/bgp"),
        True,
    ),
)
_LINE = Question("line", Place.LINE, ("icmp", "path", "snmp", "interfaces"), ("icmp",), ("customer_line", "site_power"), ("icmp/loss",))
_ROUTER = Question("router", Place.ROUTER, ("icmp", "snmp", "tcp", "http"), ("icmp",), ("customer_router",), ("icmp/latency",))
_NAT = Question("nat", Place.GATEWAY, ("gateway",), (), ("nat_dmz", "sip_alg"), ("gateway/nat", "gateway/alg"))
_GATEWAY = Question(
    "gateway",
    Place.GATEWAY,
    ("icmp", "sip", "tcp", "snmp", "gateway"),
    ("icmp",),
    ("gateway_down", "gateway_registration", "account"),
    ("icmp/loss", "gateway/answer"),
)
_STANDARD = Question("standard", Place.GATEWAY, ("gateway",), (), ("gateway_standard",), ("gateway/standard",))

FLOWS = {
    CaseKind.NETWORK: (*_OURS, _LINE, _ROUTER, _NAT, _GATEWAY, _STANDARD),
    CaseKind.EQUIPMENT: (*_OURS, _LINE, _ROUTER, _GATEWAY, _STANDARD, _NAT),
}
"""Flow B asks for the way to the gateway first, flow C for the gateway: does it answer, configuration or hardware, to standard, reached?"""
