"""The catalogue of named causes: what is broken, in which area, how urgent, what to do; and which finding points to which."""

import msgspec

from checks.finding import State, base
from checks.verdict import Area, CaseKind, Side, Urgency
from probe.inventory import Customer, Node, Owner

NORMAL, URGENT, EMERGENCY = Urgency.NORMAL, Urgency.URGENT, Urgency.EMERGENCY

MAIN_ROLES = frozenset({"softswitch", "sbc", "gateway", "core"})  # calls pass through it: without it the main service is gone
KEY_GRADES = frozenset({"key", "vip", "大客户"})  # 用户等级
DEVICE_KINDS = frozenset({"switch", "router", "firewall", "gateway", "ups"})


class Cause(msgspec.Struct, frozen=True):
    """One named cause. Its texts are the messages `cause.<code>` (one line, of {element}) and `action.<code>` (what to do next).

    `explains` are findings that point to it: "check", "check:message-id" or "*:message-id"; the more exact one wins. `urgency` is what a
    critical state comes to at worst: emergency means that something can't be used. With `whole` the node is the culprit, not the item.
    """

    code: str
    area: Area
    urgency: Urgency
    explains: tuple[str, ...]
    whole: bool = False
    kind: CaseKind = CaseKind.NETWORK

    @property
    def action(self) -> str:
        """The message that says what to do next."""
        return f"action.{self.code}"


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
    ),
    Cause("loss", _RESOURCE, URGENT, ("icmp/loss", "path/loss", "stamp/loss-out", "stamp/loss-back"), whole=True),
    Cause("delay", _RESOURCE, URGENT, ("icmp/latency", "icmp/jitter", "path/delay", "stamp/delay", "stamp/jitter"), whole=True),
    Cause("path_voice", _RESOURCE, URGENT, ("path/voice", "stamp/voice"), whole=True),
    Cause("reboot", _SERVER, URGENT, ("host/boot", "snmp/restart"), whole=True),
    # a service on it
    Cause("process_down", _SERVER, EMERGENCY, ("host/process", "*:failure.refused")),
    Cause("service_silent", _SERVER, EMERGENCY, ("tcp/port", "*:failure.timeout")),  # accepts nothing: hung, or a firewall drops it
    Cause("service_error", _SERVER, EMERGENCY, ("http/status", "http/body", "*:failure.rejected")),
    Cause("service_slow", _SERVER, URGENT, ("tcp/connect", "http/time", "tls/handshake", "sip/time")),
    Cause("certificate", _SERVER, URGENT, ("tls/chain", "tls/days-left", "tls/names")),
    Cause("dns", _SERVER, URGENT, ("dns/answer", "dns/answer:failure.timeout", "dns/time", "*:failure.unresolved")),
    Cause("database", _SERVER, EMERGENCY, ("database/answer", "database/ready-time")),
    Cause("connections", _RESOURCE, URGENT, ("database/connections",)),
    Cause("time_server", _SERVER, NORMAL, ("ntp/stratum", "ntp/answer", "ntp/answer:failure.timeout")),
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
    Cause("snmp_silent", _DEVICE, URGENT, ("snmp/answer", "snmp/answer:failure.timeout"), whole=True),
    Cause("snmp_agent", _DEVICE, NORMAL, ("snmp/answer:failure.refused",), whole=True),
    Cause("snmp_credential", _DEVICE, NORMAL, ("snmp/answer:failure.rejected",), whole=True),
    Cause("snmp_answers", _DEVICE, NORMAL, ("snmp/answers",), whole=True),
    Cause("device_cpu", _DEVICE, URGENT, ("snmp/cpu",)),
    Cause("device_memory", _DEVICE, URGENT, ("snmp/memory", "snmp/storage")),
    Cause("sessions", _RESOURCE, EMERGENCY, ("snmp/sessions",)),
    Cause("temperature", _DEVICE, URGENT, ("snmp/temperature",)),
    Cause("fan", _DEVICE, URGENT, ("snmp/fan",)),
    Cause("power", _DEVICE, URGENT, ("snmp/power-supply", "snmp/voltage")),
    Cause("device_part", _DEVICE, URGENT, ("snmp/module", "snmp/alarm", "snmp/state", "snmp/sensor", "snmp/mac")),
    Cause("registration", _DEVICE, URGENT, ("snmp/registration",)),
    Cause("tunnel", _DEVICE, URGENT, ("snmp/tunnel",)),
    Cause("ups_on_battery", _DEVICE, EMERGENCY, ("snmp/ups", "snmp/ups-minutes", "snmp/ups-charge"), whole=True),
    Cause("ups_battery", _DEVICE, URGENT, ("snmp/ups-battery", "snmp/battery"), whole=True),
    Cause("ups_load", _DEVICE, URGENT, ("snmp/ups-load",), whole=True),
    Cause("optics_rx", Area.FIBRE, URGENT, ("snmp/rx-power", "snmp/power-level")),
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
    ),
    Cause("carrier_line", Area.FIBRE, EMERGENCY, ("path/reach:path.ends.line", "path/reach:path.unreachable.line")),
    Cause("carrier_beyond", _NETWORK, EMERGENCY, ("path/reach:path.ends.beyond", "path/reach:path.unreachable.beyond")),
    Cause("path_broken", _NETWORK, EMERGENCY, ("path/reach", "path/reach:failure.timeout")),
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
    ),
    Cause("path_change", _NETWORK, NORMAL, ("path/change",)),
    Cause("mac_changed", _RESOURCE, NORMAL, ("arp/change",), whole=True),
    Cause("duplicate_address", _RESOURCE, URGENT, ("arp/duplicate",), whole=True),
    Cause("mtu_small", _NETWORK, NORMAL, ("pmtu/mtu",)),
    Cause("mtu_black_hole", _NETWORK, URGENT, ("pmtu/black-hole",)),
    Cause("responder_silent", _RESOURCE, URGENT, ("stamp/answer", "stamp/answer:failure.timeout", "stamp/answer:failure.refused")),
    # the voice service
    Cause("sip_error", _SERVER, EMERGENCY, ("sip/answer", "gateway/answer")),
    Cause("sip_unavailable", _SERVER, EMERGENCY, ("*:sip.unavailable", "*:sip.unavailable-until")),
    Cause("sip_blocked", _RESOURCE, EMERGENCY, ("*:sip.blocked", "gateway/nat:gateway.nat-blocked")),
    Cause("registration_lost", _DEVICE, EMERGENCY, ("registration/state", "gateway/standard:registration.none")),
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
    Cause("test_call_quality", _NETWORK, URGENT, ("call/quality", "call/pdd")),
    Cause("dmz", _DEVICE, EMERGENCY, ("gateway/nat",), kind=CaseKind.EQUIPMENT),
    Cause("sip_alg", _DEVICE, URGENT, ("gateway/alg",), kind=CaseKind.EQUIPMENT),
    Cause("not_standard", _DEVICE, URGENT, ("gateway/standard",), whole=True, kind=CaseKind.EQUIPMENT),
)

OTHER = Cause("other", _SERVER, URGENT, ())  # a bad finding that no cause explains; a test sees to it that no check of ours needs it

BY_CODE = {(cause.kind, cause.code): cause for cause in CAUSES}
EXPLAINED_BY = {finding: cause for cause in CAUSES for finding in cause.explains}


def default(check: str) -> Cause | None:
    """Return the cause to which a check points when nothing more exact is known; `.usual` and `.trend` point where their check does."""
    return EXPLAINED_BY.get(base(check))


def cause_of(check: str, said: str) -> Cause | None:
    """Return the cause to which a check that says `said` (a message id) points; None for a check that the catalogue does not know."""
    return EXPLAINED_BY.get(f"{check}:{said}") or EXPLAINED_BY.get(f"*:{said}") or default(check)


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
