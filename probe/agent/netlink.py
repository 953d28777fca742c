"""What the kernel's routing socket (rtnetlink(7)) tells the agent about its own network: the way to an address, and the neighbours."""

import ipaddress
import os
import socket
import struct
from typing import NamedTuple

from probe.netlink import BUFFER, attribute, attributes, dump, messages, number_of, raise_refusal, request

RTM_NEWROUTE, RTM_GETROUTE = 24, 26
RTM_NEWNEIGH, RTM_GETNEIGH = 28, 30
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PREFSRC, RTA_VIA = 1, 4, 5, 7, 18
NDA_DST, NDA_LLADDR = 1, 2
RTN_LOCAL = 2
# Links, addresses, routes and rules of both families: whatever can change the answer to a question for a route.
RTMGRP_CHANGES = 0x1 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400 | 0x40000
NUD_USABLE = 0x02 | 0x04 | 0x08 | 0x10  # reachable, stale, delay, probe

_ROUTE = struct.Struct("=BBBBBBBBI")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")


class RouteAnswer(NamedTuple):
    """What the kernel would do with a packet: the interface's number, next hop and source as text (None: none), and whether it is us."""

    interface: int
    gateway: str | None
    source: str | None
    local: bool


class Neighbour(NamedTuple):
    """One entry of the neighbour table: address, link-layer address, number of the interface."""

    address: str
    mac: str
    interface: int


def open_socket(groups: int = 0) -> socket.socket:
    """Return a routing socket that never blocks for long; with `groups` it hears of changes."""
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    try:
        opened.bind((0, groups))
        opened.settimeout(1.0)
    except OSError:
        opened.close()
        raise
    return opened


def ask_route(asked: socket.socket, address: str) -> RouteAnswer:
    """Return the route that the kernel would take to an IP address; OSError (ENETUNREACH, …) as the kernel gives it."""
    parsed = ipaddress.ip_address(address)
    family = socket.AF_INET if parsed.version == 4 else socket.AF_INET6
    body = _ROUTE.pack(family, parsed.max_prefixlen, 0, 0, 0, 0, 0, 0, 0) + attribute(RTA_DST, parsed.packed)
    zone = getattr(parsed, "scope_id", None)
    if zone:
        index = int(zone) if zone.isdigit() else socket.if_nametoindex(zone)
        body += attribute(RTA_OIF, struct.pack("=I", index))
    number = int.from_bytes(os.urandom(4), "little")
    asked.send(request(RTM_GETROUTE, 0, number, body))
    while number_of(answer := asked.recv(BUFFER)) != number:
        pass  # an earlier answer, for which nobody waited
    raise_refusal(answer)
    for route in messages(answer, RTM_NEWROUTE):
        return _read_route(route)
    raise OSError("the kernel did not answer")


def neighbours(family: int) -> list[Neighbour]:
    """Return the usable neighbours of a family (AF_INET, AF_INET6); OSError when the kernel refuses."""
    found = []
    for buffer in dump(socket.NETLINK_ROUTE, RTM_GETNEIGH, _NEIGHBOUR.pack(family, 0, 0, 0, 0)):
        for answer in messages(buffer, RTM_NEWNEIGH):
            got, index, state, _, _ = _NEIGHBOUR.unpack_from(answer)
            told = attributes(answer, _NEIGHBOUR.size)
            if got == family and state & NUD_USABLE and NDA_DST in told and len(told.get(NDA_LLADDR, b"")) == 6:
                found.append(Neighbour(socket.inet_ntop(family, told[NDA_DST]), told[NDA_LLADDR].hex(":"), index))
    return found


def _read_route(answer: bytes) -> RouteAnswer:
    family, kind = answer[0], answer[7]
    told = attributes(answer, _ROUTE.size)
    gateway = told.get(RTA_GATEWAY)
    via = told.get(RTA_VIA)  # an IPv4 route by an IPv6 next hop (RFC 5549)
    hop = socket.inet_ntop(family, gateway) if gateway else None
    if via:
        hop = socket.inet_ntop(struct.unpack_from("=H", via)[0], via[2:])
    source = told.get(RTA_PREFSRC)
    index = struct.unpack("=I", told[RTA_OIF])[0] if RTA_OIF in told else 0
    return RouteAnswer(index, hop, socket.inet_ntop(family, source) if source else None, kind == RTN_LOCAL)
