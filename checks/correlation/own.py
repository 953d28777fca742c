"""What an element says of itself, and services that are silent on a machine that answers."""

from collections.abc import Iterable

from checks.causes import CAUSES, OTHER, Sort
from checks.correlation.fault import Basis, Fault, ask
from checks.correlation.picture import Picture, Symptom
from checks.correlation.sites import TOGETHER
from checks.topology import LINK

LIKE = {cause.code: cause.like for cause in CAUSES}
WAY = frozenset({"icmp", "path", "stamp"})  # what measures the way to a node and nothing else of it
SERVICES = frozenset(
    {"process_down", "service_error", "service_blocked", "dns", "account"}
)  # of a program, not of one name that it was asked for


def said(picture: Picture) -> list[Fault]:
    """Return a fault for each cause and element that the element itself told of; departures from the usual alone make none."""
    groups: dict[tuple[str, str], list[Symptom]] = {}
    for one in picture.symptoms:
        if one.sort is Sort.OWN:
            element = f"{one.node}:{one.service}" if one.cause.code in SERVICES else element_of(one)
            groups.setdefault((_code(one), element), []).append(one)
    faults = []
    for (code, element), symptoms in sorted(groups.items()):
        if all(one.check.endswith(".usual") for one in symptoms):
            continue
        first = symptoms[0]
        fault = Fault(code, element, symptoms, Basis.SAID, first.node, first.link)
        if code == "process_down" and _is_gateway(first.node, picture):  # a gateway whose SIP is dead is down, whatever else answers
            fault.code, fault.element = "gateway_down", first.node
        faults.append(fault)
    return faults


def _code(one: Symptom) -> str:
    """Return what a finding points to; a registration that is amiss is no matter of the gateway's make, whatever the registrar answered."""
    registration = one.check == "gateway/standard" and one.part == "registration" and one.cause.code == "gateway_standard"
    return "gateway_registration" if registration else one.cause.code


def silent_services(alive: Iterable[Symptom], picture: Picture) -> list[Fault]:
    """Return a fault for each service that is silent on a node that answers otherwise: one for those behind one port."""
    groups: dict[tuple[str, str, str], list[Symptom]] = {}
    for one in alive:
        code = _silent_code(one)
        groups.setdefault((code, one.node, one.service), []).append(one)
    faults = []
    for (code, node, place), symptoms in sorted(groups.items()):
        if all(one.check.endswith(".usual") for one in symptoms):
            continue
        whole = code in {"snmp_silent", "gateway_down"} or not place
        fault = Fault(code, node if whole else f"{node}:{place}", symptoms, Basis.CLASS, node)
        fault.alternatives = LIKE.get(code, ())
        if not fault.alternatives:
            fault.basis = Basis.SAID
        if code == "gateway_down" or (code == "service_hung" and _is_gateway(node, picture)):
            fault.code, fault.element, fault.alternatives = "gateway_down", node, ("service_hung", "service_blocked")
        fault.clear([picture.sign(node)])
        fault.asks += [ask(job, "service", node) for job in picture.doubts(node)]
        fault.asks += [ask(one.job, "service", node) for one in symptoms if picture.outdated(one)]
        faults.append(fault)
    return _by_host(faults)


def slow_services(slow: Iterable[Symptom], picture: Picture) -> list[Fault]:
    """Return a fault for each service that answers late; the way to it is to be measured before it is said so."""
    groups: dict[tuple[str, str], list[Symptom]] = {}
    for one in slow:
        groups.setdefault((one.cause.code, element_of(one)), []).append(one)
    faults = []
    for (code, element), symptoms in sorted(groups.items()):
        if all(one.check.endswith(".usual") for one in symptoms):
            continue
        node, since = symptoms[0].node, min(one.since for one in symptoms)
        fault = Fault(code, element, symptoms, Basis.SAID, node)
        for job, memory in picture.jobs.get(node, ()):
            old = memory.last_at is not None and memory.last_at < since
            if job[1] in WAY and (old or any(track.doubtful for track in memory.tracks.values())):
                fault.asks.append(ask(job, "quality", element))
        faults.append(fault)
    return faults


def element_of(one: Symptom) -> str:
    """Return the culprit: the node, the part of it at which the fault shows, or the link at its port when that is what is down."""
    node, item = one.node, one.part
    if one.cause is OTHER:
        return f"{node}:{one.check}:{item}" if item else f"{node}:{one.check}"
    if one.link is not None and one.cause.code in {"interface_down", "interface_admin_down", "fibre_degraded"}:
        return one.link.removeprefix(LINK)
    return node if one.cause.whole or not item or one.check == "gateway/standard" else f"{node}:{item}"


def _is_gateway(node: str, picture: Picture) -> bool:
    return picture.topology.node(node).kind == "gateway"


def _silent_code(one: Symptom) -> str:
    code = one.cause.code
    return "service_hung" if code in {"host_down", "path_broken", "path_own_side", "fibre_cut", "carrier_network"} else code


def _by_host(faults: list[Fault]) -> list[Fault]:
    """Join the silent services of one node that went silent together: what hangs is the machine, not three processes."""
    by_node: dict[str, list[Fault]] = {}
    for fault in faults:
        if fault.code in {"service_hung", "dns", "snmp_silent", "time_server"}:
            by_node.setdefault(str(fault.node), []).append(fault)
    for node, those in by_node.items():
        begin = [one.since for one in those]
        if len(those) < 3 or max(begin) - min(begin) > TOGETHER:
            continue
        whole = Fault("service_hung", node, [s for one in those for s in one.symptoms], Basis.CLASS, node)
        whole.alternatives = ("service_blocked", "host_down")
        for one in those:
            whole.clear(one.cleared)
            faults.remove(one)
        faults.append(whole)
    return faults
