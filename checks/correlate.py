"""Many findings → few diagnoses. For now the identity: one cause at one element is one diagnosis; what causes what comes later."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from checks.ask import Ask
from checks.assess import Memory, Standing
from checks.causes import OTHER, Cause, area, cause_of, side, urgency
from checks.finding import Finding, Message, worst
from checks.history import Track
from checks.topology import Topology
from checks.verdict import Diagnosis
from probe.inventory import Customer, Inventory, Node

RULES = "1"  # the version of judgement and correlation; a verdict derived by another one may differ

JobKey = tuple[str, str, str]  # node, prober, item


class Correlation(msgspec.Struct, frozen=True):
    """What the memories lead to: diagnoses that can be told now, and what is to be measured before more is said.

    A bad key that is in no diagnosis is still held: it waits for the measurements in `asks`.
    """

    diagnoses: tuple[Diagnosis, ...] = ()
    asks: tuple[Ask, ...] = ()


def correlate(memories: Mapping[JobKey, Memory], topology: Topology, now: datetime | None = None) -> Correlation:
    """Return what is wrong. With `now` a verdict is held back for some seconds until what could change it has been measured freshly;
    without, it is made of what is there (a replay, an explanation).
    """
    del now
    standing = [one for key in sorted(memories) for one in memories[key].standing]
    return Correlation(tuple(_identity(standing, topology.inventory)))


def _identity(bad: Sequence[Standing], inventory: Inventory) -> list[Diagnosis]:
    """Return one diagnosis for each cause and element among what is believed bad, ordered by cause and element.

    A warning opens a case as a critical state does, with normal urgency: passive became active service. Departures from the usual alone
    (`.usual`) open none, for they are hints and show in the status; beside a real finding of the same cause they are part of it. What flaps
    without having been believed bad is not among `bad`.
    """
    groups: dict[tuple[str, str], tuple[Cause, list[Standing]]] = {}
    for one in bad:
        if not one.track.bad:
            continue
        cause = cause_of(one.finding.check, one.track.said or one.finding.message.id) or OTHER
        groups.setdefault((cause.code, _element(cause, one.finding)), (cause, []))[1].append(one)
    found = []
    for (_, element), (cause, standing) in sorted(groups.items(), key=lambda group: group[0]):
        if not all(one.finding.check.endswith(".usual") for one in standing):
            found.append(_diagnose(cause, element, sorted(standing, key=lambda one: one.track.key), inventory))
    return found


def affected_by(node: Node | None, inventory: Inventory) -> tuple[Customer, ...]:
    """Return the customers who are at the node's site, by name."""
    place = inventory.sites.get(node.site) if node is not None and node.site is not None else None
    if place is None or place.customer is None:
        return ()
    return (inventory.customers.get(place.customer) or Customer(place.customer),)


def _element(cause: Cause, finding: Finding) -> str:
    """Return the culprit: the node, or the part of it at which the fault shows."""
    _, node, check, item = finding.key
    if cause is OTHER:
        return f"{node}:{check}:{item}" if item else f"{node}:{check}"
    return node if cause.whole or not item else f"{node}:{item}"


def _diagnose(cause: Cause, element: str, standing: list[Standing], inventory: Inventory) -> Diagnosis:
    findings = tuple(one.finding for one in standing)
    node = inventory.nodes.get(findings[0].seen.node)
    customers = affected_by(node, inventory)
    state = worst({one.track.hard for one in standing})
    values = {"element": element, "node": findings[0].seen.node}
    return Diagnosis(
        kind=cause.kind,
        cause=cause.code,
        element=element,
        side=side(node),
        area=area(cause, node),
        urgency=urgency(cause, state, node, customers),
        confidence=None,
        since=min(_since(one.track, one.finding) for one in standing),
        keys=tuple(one.track.key for one in standing),
        findings=findings,
        summary=Message(f"cause.{cause.code}", {**values}),
        action=Message(cause.action, {**values}),
        affected=tuple(customer.name for customer in customers),
        state=state,
    )


def _since(track: Track, finding: Finding) -> datetime:
    return track.since or finding.seen.at
