"""The catalogue of named causes: what is broken, in which area, how urgent, what to do; and which finding points to which."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from checks.finding import State, base
from checks.verdict import Area, CaseKind, Side, Urgency
from probe.inventory import Customer, Node, Owner

NORMAL, URGENT, EMERGENCY = Urgency.NORMAL, Urgency.URGENT, Urgency.EMERGENCY

MAIN_ROLES = frozenset({"softswitch", "sbc", "gateway", "core"})  # calls pass through it: without it the main service is gone
KEY_GRADES = frozenset({"key", "vip", "大客户"})  # 用户等级
DEVICE_KINDS = frozenset({"switch", "router", "firewall", "gateway", "ups"})


class Sort(StrEnum):
    """What a bad finding says of the way to its target: whether something else on that way may be why.

    The sort of a finding, not of a cause: a resolver that is silent may be behind a cut, one that answers wrongly is not.
    """

    SILENT = "silent"  # the target gave no answer at all: whatever stands on the way to it may be why
    POOR = "poor"  # it answered late, unevenly, or not every time: whatever stands on the way may be why
    OWN = "own"  # the target itself said or showed it, so that the way to it bears it: only what it hangs on may be why


class Cause(msgspec.Struct, frozen=True):
    """One named cause. Its texts are the messages `cause.<code>` (one line, of {element}) and `action.<code>` (what to do next).

    `explains` are the findings that point to it when they stand alone: "check", "check:message-id" or "*:message-id"; the more exact one
    wins. A cause without any is found only by laying several findings side by side. `sort` is theirs, `besides` names those of them that
    are of another sort. `urgency` is what a critical state comes to at worst: emergency means that something can't be used. With `whole`
    the node is the culprit, not the item.
    """

    code: str
    area: Area
    urgency: Urgency
    explains: tuple[str, ...]
    whole: bool = False
    kind: CaseKind = CaseKind.NETWORK
    sort: Sort = Sort.OWN
    besides: Mapping[str, Sort] = {}

    @property
    def action(self) -> str:
        """The message that says what to do next."""
        return f"action.{self.code}"


_SILENT, _POOR, _OWN = Sort.SILENT, Sort.POOR, Sort.OWN
_SERVER, _RESOURCE, _DEVICE, _NETWORK = Area.SERVER, Area.RESOURCE, Area.DEVICE, Area.CARRIER_NETWORK

CAUSES = (
    # the node as a whole
    Cause(
        "host_down",
        _SERVER,
        EMERGENCY,
        (
            "icmp/loss:icmp.no-reply",
            "icmp/loss:icmp.error",
            "icmp/loss:failure.timeout",
            "*:failure.unreachable",
            "path/reach:path.ends.target",
            "path/reach:path.unreachable.target",
            "path/reach:path.neighbour.gone",
            "path/reach:path.neighbour.silent",
            "arp/answer",
        ),
        whole=True,
        sort=_SILENT,
    ),
    Cause("loss", _RESOURCE, URGENT, ("icmp/loss", "path/loss", "stamp/loss-out", "stamp/loss-back"), whole=True, sort=_POOR),
    Cause("delay", _RESOURCE, URGENT, ("icmp/latency", "icmp/jitter", "path/delay", "stamp/delay", "stamp/jitter"), whole=True, sort=_POOR),
    Cause("path_voice", _RESOURCE, URGENT, ("path/voice", "stamp/voice"), whole=True, sort=_POOR),
    Cause("reboot", _SERVER, URGENT, ("host/boot", "snmp/restart"), whole=True),
    # a service on it
    Cause("process_down", _SERVER, EMERGENCY, ("host/process", "*:failure.refused")),
    Cause("service_hung", _SERVER, EMERGENCY, ("tcp/port", "*:failure.timeout"), sort=_SILENT),  # or a firewall drops it
    Cause(
        "service_error",
        _SERVER,
        EMERGENCY,
        (
            "http/status",
            "http/body",
            "*:failure.rejected",
            "sip/answer",
            "gateway/answer",
            "*:sip.unavailable",
            "*:sip.unavailable-until",
        ),
    ),
    Cause("service_blocked", _RESOURCE, EMERGENCY, ("*:sip.blocked", "gateway/nat:gateway.nat-blocked")),
    Cause("service_slow", _SERVER, URGENT, ("tcp/connect", "http/time", "tls/handshake", "sip/time"), sort=_POOR),
    Cause("certificate", _SERVER, URGENT, ("tls/chain", "tls/days-left", "tls/names")),
    Cause(
        "dns",
        _SERVER,
        URGENT,
        ("dns/answer", "dns/answer:failure.timeout", "dns/time", "*:failure.unresolved"),
        besides={"dns/answer:failure.timeout": _SILENT, "dns/time": _POOR},
    ),
    Cause("database", _SERVER, EMERGENCY, ("database/answer", "database/ready-time"), besides={"database/ready-time": _POOR}),
    Cause("connections", _RESOURCE, URGENT, ("database/connections",)),
    Cause(
        "time_server",
        _SERVER,
        NORMAL,
        ("ntp/stratum", "ntp/answer", "ntp/answer:failure.timeout"),
        besides={"ntp/answer:failure.timeout": _SILENT},
    ),
    Cause("clock", _SERVER, URGENT, ("ntp/offset", "host/clock-sync", "snmp/clock"), whole=True),
    # what the host runs on
    Cause("cpu", _SERVER, URGENT, ("host/cpu", "host/load"), whole=True),
    Cause("cpu_stolen", _SERVER, URGENT, ("host/steal",), whole=True),
    Cause("pressure", _SERVER, URGENT, ("host/pressure",)),
    Cause("memory", _SERVER, URGENT, ("host/memory", "host/swap"), whole=True),
    Cause("oom", _SERVER, URGENT, ("host/oom",), whole=True),
    Cause("disk_full", _SERVER, URGENT, ("host/disk",)),
    Cause("inodes", _SERVER, URGENT, ("host/inodes",)),
    Cause("mount", _SERVER, EMERGENCY, ("host/mount",)),
    Cause("read_only", _SERVER, EMERGENCY, ("host/read-only",)),
    Cause("disk_slow", _SERVER, URGENT, ("host/disk-latency", "host/disk-busy", "host/iowait")),
    Cause("descriptors", _RESOURCE, URGENT, ("host/descriptors",), whole=True),
    Cause("processes_stuck", _SERVER, NORMAL, ("host/zombies", "host/uninterruptible"), whole=True),
    Cause("units", _SERVER, URGENT, ("host/units",)),
    # network resources and interfaces
    Cause("retransmission", _RESOURCE, URGENT, ("sockets/retransmission",), whole=True),
    Cause("listen_queue", _RESOURCE, URGENT, ("sockets/listen",), whole=True),
    Cause("ports", _RESOURCE, URGENT, ("sockets/ephemeral",), whole=True),
    Cause("conntrack", _RESOURCE, URGENT, ("sockets/conntrack", "sockets/conntrack-drops"), whole=True),
    Cause("sockets", _RESOURCE, NORMAL, ("sockets/orphans", "sockets/memory"), whole=True),
    Cause("datagrams_lost", _RESOURCE, URGENT, ("sockets/udp-receive",), whole=True),
    Cause("interface_down", _DEVICE, URGENT, ("interfaces/oper",)),
    Cause("interface_admin_down", _DEVICE, URGENT, ("interfaces/oper:interfaces.admin-down",)),
    Cause("interface_errors", _DEVICE, URGENT, ("interfaces/errors", "interfaces/discards")),
    Cause("duplex", _DEVICE, URGENT, ("interfaces/duplex", "snmp/link-mode")),
    Cause("saturation", _RESOURCE, URGENT, ("interfaces/utilisation",)),
    Cause("link_flapping", _DEVICE, URGENT, ("interfaces/flaps",)),
    # calls, as a capture shows them
    Cause("voice_one_way", _RESOURCE, EMERGENCY, ("capture/one-way",)),
    Cause("voice_quality", _NETWORK, URGENT, ("capture/loss", "capture/jitter", "capture/mos", "cdr/acd"), whole=True),
    Cause("calls_fail", _SERVER, URGENT, ("capture/setup", "capture/release", "cdr/asr", "cdr/ner", "cdr/pdd"), whole=True),
    Cause("capture_unreadable", Area.AGENT, NORMAL, ("capture/file", "capture/calls")),
    Cause("trunk_full", _RESOURCE, EMERGENCY, ("cdr/concurrent",)),
    Cause("records_missing", _SERVER, URGENT, ("cdr/fresh", "cdr/lines", "cdr/calls"), whole=True),
    # devices by SNMP
    Cause("snmp_silent", _DEVICE, URGENT, ("snmp/answer", "snmp/answer:failure.timeout"), whole=True, sort=_SILENT),
    Cause("snmp_agent", _DEVICE, NORMAL, ("snmp/answer:failure.refused",), whole=True),
    Cause("snmp_credentials", _DEVICE, NORMAL, ("snmp/answer:failure.rejected",), whole=True),
    Cause("snmp_answers", _DEVICE, NORMAL, ("snmp/answers",), whole=True, sort=_POOR),
    Cause("device_cpu", _DEVICE, URGENT, ("snmp/cpu",)),
    Cause("device_memory", _DEVICE, URGENT, ("snmp/memory", "snmp/storage")),
    Cause("sessions", _RESOURCE, EMERGENCY, ("snmp/sessions",)),
    Cause("temperature", _DEVICE, URGENT, ("snmp/temperature",)),
    Cause("fan", _DEVICE, URGENT, ("snmp/fan",)),
    Cause("power_supply", _DEVICE, URGENT, ("snmp/power-supply", "snmp/voltage")),
    Cause("device_part", _DEVICE, URGENT, ("snmp/module", "snmp/alarm", "snmp/state", "snmp/sensor", "snmp/mac")),
    Cause("registration", _DEVICE, URGENT, ("snmp/registration",)),
    Cause("tunnel", _DEVICE, URGENT, ("snmp/tunnel",)),
    Cause("ups_on_battery", _DEVICE, EMERGENCY, ("snmp/ups", "snmp/ups-minutes", "snmp/ups-charge"), whole=True),
    Cause("ups_battery", _DEVICE, URGENT, ("snmp/ups-battery", "snmp/battery"), whole=True),
    Cause("ups_load", _DEVICE, URGENT, ("snmp/ups-load",), whole=True),
    Cause("fibre_degraded", Area.FIBRE, URGENT, ("snmp/rx-power", "snmp/power-level")),
    Cause(
        "optics_tx",
        _DEVICE,
        URGENT,
        ("snmp/tx-power", "snmp/bias", "snmp/module-temperature", "snmp/optics"),
    ),
    Cause("bgp_down", _NETWORK, EMERGENCY, ("snmp/bgp",)),
    Cause("bgp_flapping", _NETWORK, URGENT, ("snmp/bgp-flaps",)),
    Cause("prefixes", _NETWORK, URGENT, ("snmp/prefixes",)),
    Cause("ospf", _DEVICE, URGENT, ("snmp/ospf", "snmp/ospf-neighbours")),
    Cause("cabling", _DEVICE, NORMAL, ("snmp/cabling",)),
    # the path, by the stage at which it fails: our side, the line to the carrier's PoP, what lies behind it
    Cause(
        "path_own_side",
        _DEVICE,
        EMERGENCY,
        ("path/reach:path.ends.our-side", "path/reach:path.unreachable.our-side", "path/reach:path.next-hop", "path/reach:path.silent"),
        sort=_SILENT,
    ),
    Cause("fibre_cut", Area.FIBRE, EMERGENCY, ("path/reach:path.ends.line", "path/reach:path.unreachable.line"), sort=_SILENT),
    Cause("carrier_network", _NETWORK, EMERGENCY, ("path/reach:path.ends.beyond", "path/reach:path.unreachable.beyond"), sort=_SILENT),
    Cause("path_broken", _NETWORK, EMERGENCY, ("path/reach", "path/reach:failure.timeout"), sort=_SILENT),
    Cause("routing_loop", _NETWORK, EMERGENCY, ("path/reach:path.loop",)),
    Cause(
        "carrier_quality",
        _NETWORK,
        URGENT,
        (
            "path/loss:path.loss.line",
            "path/loss:path.loss.beyond",
            "path/loss:path.loss.outside",
            "path/delay:path.delay.line",
            "path/delay:path.delay.beyond",
            "path/delay:path.delay.outside",
        ),
        sort=_POOR,
    ),
    Cause("path_change", _NETWORK, NORMAL, ("path/change",)),
    Cause("mac_changed", _RESOURCE, NORMAL, ("arp/change",), whole=True),
    Cause("duplicate_address", _RESOURCE, URGENT, ("arp/duplicate",), whole=True),
    Cause("mtu_small", _NETWORK, NORMAL, ("pmtu/mtu",)),
    Cause("mtu_black_hole", _NETWORK, URGENT, ("pmtu/black-hole",)),
    Cause(
        "responder_silent",
        _RESOURCE,
        URGENT,
        ("stamp/answer", "stamp/answer:failure.timeout", "stamp/answer:failure.refused"),
        sort=_SILENT,
        besides={"stamp/answer:failure.refused": _OWN},
    ),
    # the voice service
    Cause("gateway_registration", _DEVICE, EMERGENCY, ("registration/state", "gateway/standard:registration.none")),
    Cause(
        "account",
        _SERVER,
        URGENT,
        (
            "registration/state:registration.wrong-password",
            "registration/state:registration.forbidden",
            "registration/state:registration.unknown",
            "gateway/standard:registration.wrong-password",
            "gateway/standard:registration.forbidden",
            "gateway/standard:registration.unknown",
        ),
    ),
    Cause("test_call", _SERVER, EMERGENCY, ("call/answer", "call/release")),
    Cause("test_call_audio", _RESOURCE, EMERGENCY, ("call/audio",)),
    Cause("test_call_quality", _NETWORK, URGENT, ("call/quality", "call/pdd"), sort=_POOR),
    Cause(
        "nat_dmz",
        _DEVICE,
        EMERGENCY,
        ("gateway/nat", "gateway/nat:gateway.nat-alone"),
        kind=CaseKind.EQUIPMENT,
        besides={"gateway/nat:gateway.nat-alone": _SILENT},  # no other way was asked: it may as well be the gateway, or the line
    ),
    Cause("sip_alg", _DEVICE, URGENT, ("gateway/alg",), kind=CaseKind.EQUIPMENT),
    Cause("gateway_standard", _DEVICE, URGENT, ("gateway/standard",), whole=True, kind=CaseKind.EQUIPMENT),
    # found only by laying findings side by side
    Cause("redundancy_lost", Area.FIBRE, NORMAL, (), whole=True),  # one of several ways is gone, everything is still reached
    Cause("site_power", _DEVICE, EMERGENCY, (), whole=True),  # all that stands at a site is silent
    Cause("customer_line", Area.CUSTOMER_NETWORK, EMERGENCY, (), whole=True),
    Cause("customer_router", Area.CUSTOMER_NETWORK, EMERGENCY, (), whole=True),
    Cause("gateway_down", Area.CUSTOMER_EQUIPMENT, EMERGENCY, (), whole=True, kind=CaseKind.EQUIPMENT),
    Cause("agent_blind", Area.AGENT, EMERGENCY, (), whole=True),  # what is silent is silent to us alone
)

OTHER = Cause("other", _SERVER, URGENT, ())  # a bad finding that no cause explains; a test sees to it that no check of ours needs it

BY_CODE = {(cause.kind, cause.code): cause for cause in CAUSES}
EXPLAINED_BY = {finding: cause for cause in CAUSES for finding in cause.explains}
SORTS = {finding: cause.besides.get(finding, cause.sort) for finding, cause in EXPLAINED_BY.items()}


def default(check: str) -> Cause | None:
    """Return the cause to which a check points when nothing more exact is known; `.usual` and `.trend` point where their check does."""
    return EXPLAINED_BY.get(base(check))


def cause_of(check: str, said: str) -> Cause | None:
    """Return the cause to which a check that says `said` (a message id) points; None for a check that the catalogue does not know."""
    return EXPLAINED_BY.get(f"{check}:{said}") or EXPLAINED_BY.get(f"*:{said}") or default(check)


def sort_of(check: str, said: str) -> Sort:
    """Return whether something on the way to its target may be why a check says `said` (a message id); of an unknown check: its own."""
    return next((SORTS[one] for one in (f"{check}:{said}", f"*:{said}", base(check)) if one in SORTS), Sort.OWN)


def side(node: Node | None) -> Side:
    """Return whose side a fault of this node is on, as long as only it was seen.

    Ours is ours. A verdict against carrier or customer needs two independent readings beyond the demarcation, which one finding is not.
    """
    return Side.COMPANY if node is not None and node.owner is Owner.COMPANY else Side.UNDETERMINED


def area(cause: Cause, node: Node | None) -> Area:
    """Return what kind of thing is broken: the cause says it for a server, the node's kind and owner for anything else."""
    if node is None:
        return cause.area
    if node.owner is Owner.CUSTOMER:
        return Area.CUSTOMER_EQUIPMENT if node.kind == "gateway" else Area.CUSTOMER_NETWORK
    if node.owner is Owner.CARRIER or node.kind == "carrier":
        return _NETWORK
    return _DEVICE if node.kind in DEVICE_KINDS and cause.area is _SERVER else cause.area


def urgency(cause: Cause, state: State, node: Node | None, affected: tuple[Customer, ...]) -> Urgency:
    """Return how urgent it is (紧迫程度), from severity, extent and the customer's grade.

    A warning is normal: work is not impeded yet. What can't be used is an emergency where it carries calls, or is a key account's or
    several customers'; elsewhere the main service works on and it is urgent.
    """
    if state is not State.CRITICAL:
        return NORMAL
    if cause.urgency is not EMERGENCY:
        return cause.urgency
    carries = node is not None and node.role in MAIN_ROLES
    grave = carries or len(affected) > 1 or any(customer.grade in KEY_GRADES for customer in affected)
    return EMERGENCY if grave else URGENT
