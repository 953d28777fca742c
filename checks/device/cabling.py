"""Is each port's neighbour the one of the plan, and on which port is a MAC address?"""

import re
from collections.abc import Iterator

from checks.device.ports import same_port
from checks.finding import Finding, Message, State
from probe.observation.device import DeviceSample
from probe.observation.observation import Observation
from probe.observation.routing import Neighbour

MOST_MACS = 64  # a whole table of a core switch would be a series for every telephone
_ADDRESS = re.compile(r"[0-9.]+|[0-9a-f]*:[0-9a-f:.]+", re.IGNORECASE)  # an IP or MAC address has no domain to be cut off
_NO_NAME = re.compile(r"\d+|(?:[0-9a-f]{2}[:.-]?){5}[0-9a-f]{2}", re.IGNORECASE)  # a port told by number or MAC address names nothing


def judge_cabling(seen: Observation, device: DeviceSample) -> Iterator[Finding]:
    """Judge each cable of the plan by what is heard on its port (LLDP, IEEE 802.1AB, or CDP); the item is our port."""
    for cable in device.cables:
        port, equals, wanted = cable.partition("=")
        if not equals or not port.strip() or not wanted.strip():
            continue
        yield _cable(seen, port.strip(), *_end(wanted), device.neighbours)


def _end(wanted: str) -> tuple[str, str]:
    """Return neighbour and its port, "" where the plan names none; an address keeps its colons."""
    wanted = wanted.strip()
    if _ADDRESS.fullmatch(wanted):
        return wanted, ""
    name, _, port = wanted.partition(":")
    return name.strip(), port.strip()


def same_node(first: str, second: str) -> bool:
    """Tell whether two names mean the same node: without domain, serial number in brackets, and case."""
    return _bare(first) == _bare(second) != ""


def _bare(name: str) -> str:
    name = name.partition("(")[0].strip().lower()
    return name if _ADDRESS.fullmatch(name) else name.partition(".")[0]


def _cable(seen: Observation, port: str, name: str, remote: str, heard: tuple[Neighbour, ...] | None) -> Finding:
    """Judge one cable: one neighbour that fits is enough, for LLDP and CDP may both speak, and an unnamed one proves nothing."""
    there = [one for one in heard or () if same_port(one.port, port) and (one.name or one.address)]
    if not there:
        text = Message("snmp.cable-unheard", {"port": port, "wanted": name})
        return Finding("snmp/cabling", seen, State.UNKNOWN, text, item=port)
    named = [one for one in there if same_node(one.name, name) or (one.address and one.address == name)]
    if not named:
        known = next((one for one in there if one.name and not _NO_NAME.fullmatch(one.name)), None)
        if known is None:
            text = Message("snmp.cable-unnamed", {"port": port, "wanted": name, "heard": there[0].name or there[0].address})
            return Finding("snmp/cabling", seen, State.UNKNOWN, text, item=port)
        text = Message("snmp.cable-other", {"port": port, "wanted": name, "heard": known.name})
        return Finding("snmp/cabling", seen, State.WARNING, text, item=port)
    fits = not remote or any(not _named(one.remote_port) or same_port(one.remote_port, remote) for one in named)
    if not fits:
        text = Message("snmp.cable-port", {"port": port, "name": name, "wanted": remote, "heard": named[0].remote_port})
        return Finding("snmp/cabling", seen, State.WARNING, text, item=port)
    return Finding("snmp/cabling", seen, State.OK, Message("snmp.cable", {"port": port, "name": name}), item=port)


def judge_modes(seen: Observation, device: DeviceSample) -> Iterator[Finding]:
    """Judge whether both ends of a link run at the same speed and duplex, where the neighbour tells its own; the item is our port.

    A mismatch of duplex lets the link come up: the half-duplex end sees late collisions, the other one broken frames.
    """
    ports = {port.name: port for port in (device.interfaces.interfaces if device.interfaces is not None else ())}
    for one in device.neighbours or ():
        port = ports.get(one.port)
        if port is None or not port.oper_up:
            continue
        pairs = [(port.duplex, one.duplex)] if port.duplex and one.duplex else []
        speeds = port.speed_bps and one.speed_bps
        if not pairs and not speeds:
            continue
        ours = {"port": one.port, "name": one.name, "ours": _mode(port.speed_bps, port.duplex), "theirs": _mode(one.speed_bps, one.duplex)}
        same = all(first == second for first, second in pairs) and (not speeds or port.speed_bps == one.speed_bps)
        text = Message("snmp.mode" if same else "snmp.mode-other", {**ours})
        yield Finding("snmp/link-mode", seen, State.OK if same else State.WARNING, text, item=one.port)


def _mode(speed_bps: int | None, duplex: str | None) -> str:
    """Return "1000 Mbit/s full" as far as it is known."""
    return " ".join(filter(None, (f"{speed_bps / 1e6:g} Mbit/s" if speed_bps else "", duplex or "")))


def _named(port: str) -> bool:
    return bool(port) and not _NO_NAME.fullmatch(port.strip())


def judge_macs(seen: Observation, device: DeviceSample) -> Iterator[Finding]:
    """Tell at which ports each MAC address is; the item is the address. Of more than MOST_MACS the first ones are told.

    One that is not learned may be silent, elsewhere, or in a table that this community or context does not show: that is unknown.
    """
    places: dict[str, list[str]] = {}
    for one in device.macs or ():
        found = places.setdefault(one.mac, [])
        if one.port:
            found.append(one.port if one.vlan is None else f"{one.port} (VLAN {one.vlan})")
    for mac in sorted(places)[:MOST_MACS]:
        if not places[mac]:
            yield Finding("snmp/mac", seen, State.UNKNOWN, Message("snmp.mac-nowhere", {"mac": mac}), item=mac)
            continue
        text = Message("snmp.mac", {"mac": mac, "ports": ", ".join(places[mac][:8])})
        yield Finding("snmp/mac", seen, State.OK, text, item=mac)
