"""What went dark at one site at one time: its power is gone, or what feeds it."""

from collections.abc import Collection, Sequence
from datetime import timedelta

from checks.correlation.fault import Basis, Fault
from checks.correlation.names import far_end
from checks.correlation.picture import Picture
from checks.topology import Topology

TOGETHER = timedelta(seconds=60)  # faults that begin within this time of each other may be one event (a site's power, a cable of fibres)
LEAST = 3  # nodes of a site that are dark together before its power is the first guess
OWN_WORD = frozenset({"gateway_down", "interface_admin_down"})  # these are no matter of power


def join_sites(faults: Sequence[Fault], dark: Collection[str], picture: Picture) -> list[Fault]:
    """Return the faults, those that take a whole site away at one time made into one, or its power named as what it may be as well."""
    topology, left = picture.topology, list(faults)
    by_site: dict[str, list[Fault]] = {}
    for fault in faults:
        if fault.nodes and (place := _place(fault, topology)) is not None:
            by_site.setdefault(place, []).append(fault)
    for site, those in sorted(by_site.items()):
        measured = [name for name in topology.nodes_at(site) if name != topology.here and picture.measured(name)]
        if len(measured) < 2 or any(name not in dark for name in measured):
            continue
        begin = [one.since for one in those]
        covered = {name for one in those for name in one.nodes}.issuperset(measured)
        if covered and max(begin) - min(begin) <= TOGETHER:
            whole = _whole(site, those, len(measured))
            if whole is not None:
                gone = {id(one) for one in those}
                left = [*(one for one in left if id(one) not in gone), whole]
    return left


def _place(fault: Fault, topology: Topology) -> str | None:
    """Return the site at which all that a fault takes away begins: its own node's, or that of the far end of its link."""
    first = fault.node or (far_end(topology, fault.link) if fault.link is not None else None)
    site = topology.node(first).site if first is not None else None
    if site is None:
        return None
    here = set(topology.nodes_at(site))
    beyond = all(name in here or not here.isdisjoint(topology.chain(name)) for name in fault.nodes)
    return site if beyond else None


def _whole(site: str, faults: list[Fault], measured: int) -> Fault | None:
    """Return the site's fault; None when what there is stays the first guess, with the power among its alternatives."""
    first = faults[0]
    customers = first.code in {"customer_line", "customer_router", "gateway_down"}
    if len(faults) == 1 and (customers or measured < LEAST or first.code in OWN_WORD):
        if first.code not in OWN_WORD:
            first.alternatives = (*first.alternatives, "site_power")
            first.basis = Basis.CLASS
        return None
    whole = Fault("site_power", site, [], Basis.CLASS if len(faults) == 1 else Basis.PORT, None, first.link, site=site)
    if len(faults) == 1:
        whole.alternatives = tuple(dict.fromkeys((first.code, *first.alternatives)))
        whole.elsewhere = tuple(dict.fromkeys((first.element, *first.elsewhere)))
    for fault in faults:
        whole.take(fault)
    return whole
