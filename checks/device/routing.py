"""Are the routing neighbours there, do they stay, and do they send routes?"""

from collections.abc import Iterator

import msgspec

from checks.device.limits import Limits
from checks.device.sides import finite
from checks.finding import Finding, Levels, Message, State, Value
from probe.observation.device import DeviceSample
from probe.observation.observation import Observation
from probe.observation.routing import BgpPeer, OspfNeighbour

SETTLES_S = 300.0  # our choice: after its restart an agent has no rows of its routing daemon for 10 to 15 s, some for longer
_OSPF = {"full": State.OK, "two-way": State.OK, "down": State.CRITICAL, "attempt": State.CRITICAL}  # others are on their way, or stuck
_NOT_JUDGED = "our choice: judged by its state"


def judge_routing(seen: Observation, device: DeviceSample, limits: Limits) -> Iterator[Finding]:
    """Judge BGP peers and OSPF neighbours; the item is the peer's address. An empty table of a young agent says nothing."""
    young = device.uptime_s is not None and device.uptime_s < SETTLES_S
    if device.bgp_peers is not None:
        if not device.bgp_peers and young:
            yield Finding("snmp/bgp", seen, State.UNKNOWN, Message("snmp.table-young"))
        for peer in device.bgp_peers:
            yield from _bgp(seen, peer, device, limits)
    if device.ospf_neighbours is not None:
        if not device.ospf_neighbours and young:
            yield Finding("snmp/ospf-neighbours", seen, State.UNKNOWN, Message("snmp.table-young"))
        else:
            yield from _ospf(seen, device.ospf_neighbours, limits)


def _bgp(seen: Observation, peer: BgpPeer, device: DeviceSample, limits: Limits) -> Iterator[Finding]:
    who: dict[str, Value] = {"peer": peer.peer, "remote_as": peer.remote_as if peer.remote_as is not None else "?"}
    if not peer.admin_up:
        yield Finding("snmp/bgp", seen, State.OK, Message("snmp.bgp-off", who), item=peer.peer)
        return
    if peer.state != "established":
        if peer.last_error:
            text = Message("snmp.bgp-down-error", {**who, "word": peer.state, "error": peer.last_error})
        else:
            text = Message("snmp.bgp-down", {**who, "word": peer.state})
        known = peer.state in ("idle", "connect", "active", "opensent", "openconfirm")
        yield Finding("snmp/bgp", seen, State.CRITICAL if known else State.UNKNOWN, text, item=peer.peer)
        return
    yield Finding("snmp/bgp", seen, State.OK, Message("snmp.bgp", who), item=peer.peer)
    yield from _flaps(seen, peer, device, limits.bgp_up)
    if peer.prefixes is not None and peer.prefixes >= 0:
        loss = limits.prefix_loss if peer.prefixes == 0 else _deaf(limits.prefix_loss)
        text = Message("snmp.prefixes", {"peer": peer.peer, "count": peer.prefixes})
        value = float(peer.prefixes)
        yield Finding("snmp/prefixes", seen, State.OK, text, limits.prefixes, peer.peer, value, seasonal=True, loss=loss)


def _flaps(seen: Observation, peer: BgpPeer, device: DeviceSample, levels: Levels) -> Iterator[Finding]:
    """Judge how long a session has been up: one that is young, and not the first, was lost. A young device is another fault."""
    gone = peer.transitions_since or 0
    since = finite(peer.since_s)
    if since is None or since < 0:
        if peer.transitions_since is not None:
            state = State.WARNING if gone else State.OK
            text = Message("snmp.bgp-flaps", {"peer": peer.peer, "count": gone})
            yield Finding("snmp/bgp-flaps", seen, state, text, item=peer.peer)
        return
    up = device.host_uptime_s if device.host_uptime_s is not None else device.uptime_s
    first = peer.transitions is not None and peer.transitions <= 1
    started = up is not None and up < since + levels_s(levels)
    if first or started:
        yield Finding("snmp/bgp-flaps", seen, State.OK, _up(peer.peer, since), levels, peer.peer, since, gated=True)
        return
    state = levels.judge(since)
    back = Message("snmp.bgp-back", {"peer": peer.peer, "minutes": since / 60})
    yield Finding("snmp/bgp-flaps", seen, state, _up(peer.peer, since) if state is State.OK else back, levels, peer.peer, since)


def _up(peer: str, since_s: float) -> Message:
    """Return how long a session has been up, in the unit that a person would say it in."""
    if since_s >= 2 * 86400:
        return Message("snmp.bgp-up-days", {"peer": peer, "days": since_s / 86400})
    return Message("snmp.bgp-up", {"peer": peer, "minutes": since_s / 60})


def levels_s(levels: Levels) -> float:
    """Return the longer of two limits in seconds."""
    return max(levels.warning or 0.0, levels.critical or 0.0)


def _ospf(seen: Observation, neighbours: tuple[OspfNeighbour, ...], limits: Limits) -> Iterator[Finding]:
    """Judge each neighbour's state, and how many there are: a row vanishes when its neighbour is dead (RFC 2328 10.1)."""
    there = len(neighbours)  # a stuck one is told by its own state
    for one in neighbours:
        state = _OSPF.get(one.state, State.WARNING)
        name = one.address or one.router_id
        values: dict[str, Value] = {"peer": name, "word": one.state}
        text = Message("snmp.ospf-2way" if one.state == "two-way" else "snmp.ospf", values)
        yield Finding("snmp/ospf", seen, state, text, item=name)
    levels = Levels(None, None, "neighbours", _NOT_JUDGED, low=True)
    text = Message("snmp.ospf-neighbours", {"count": there})
    yield Finding("snmp/ospf-neighbours", seen, State.OK, text, levels, value=float(there), loss=limits.ospf_loss)


def _deaf(levels: Levels) -> Levels:
    return msgspec.structs.replace(levels, warning=None, critical=None)
