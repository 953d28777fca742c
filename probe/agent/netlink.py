"""The kernel's routing socket (rtnetlink(7)): the few questions that the agent asks about its own network."""

import ipaddress
import os
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

RTM_NEWROUTE, RTM_GETROUTE = 24, 26
RTM_NEWNEIGH, RTM_GETNEIGH = 28, 30
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_DUMP = 1, 0x300
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PREFSRC, RTA_VIA = 1, 4, 5, 7, 18
NDA_DST, NDA_LLADDR = 1, 2
RTN_LOCAL = 2
# Links, addresses, routes and rules of both families: whatever can change the answer to a question for a route.
RTMGRP_CHANGES = 0x1 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400 | 0x40000
NUD_USABLE = 0x02 | 0x04 | 0x08 | 0x10  # reachable, stale, delay, probe

_HEADER = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=BBBBBBBBI")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_ATTRIBUTE = struct.Struct("=HH")
_ERROR = struct.Struct("=i")
_MOST_BYTES = 1 << 17


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
    body = _ROUTE.pack(family, parsed.max_prefixlen, 0, 0, 0, 0, 0, 0, 0) + _attribute(RTA_DST, parsed.packed)
    zone = getattr(parsed, "scope_id", None)
    if zone:
        index = int(zone) if zone.isdigit() else socket.if_nametoindex(zone)
        body += _attribute(RTA_OIF, struct.pack("=I", index))
    for kind, answer in _exchange(asked, RTM_GETROUTE, 0, body):
        if kind == RTM_NEWROUTE:
            return _read_route(answer)
    raise OSError("the kernel did not answer")


def neighbours(asked: socket.socket, family: int) -> list[Neighbour]:
    """Return the usable neighbours of a family (AF_INET, AF_INET6)."""
    found = []
    for kind, answer in _exchange(asked, RTM_GETNEIGH, NLM_F_DUMP, _NEIGHBOUR.pack(family, 0, 0, 0, 0)):
        if kind != RTM_NEWNEIGH or len(answer) < _NEIGHBOUR.size:
            continue
        got, index, state, _, _ = _NEIGHBOUR.unpack_from(answer)
        attributes = dict(_attributes(answer[_NEIGHBOUR.size :]))
        if got == family and state & NUD_USABLE and NDA_DST in attributes and len(attributes.get(NDA_LLADDR, b"")) == 6:
            found.append(Neighbour(socket.inet_ntop(family, attributes[NDA_DST]), attributes[NDA_LLADDR].hex(":"), index))
    return found


def _read_route(answer: bytes) -> RouteAnswer:
    family, kind = answer[0], answer[7]
    attributes = dict(_attributes(answer[_ROUTE.size :]))
    gateway = attributes.get(RTA_GATEWAY)
    via = attributes.get(RTA_VIA)  # an IPv4 route by an IPv6 next hop (RFC 5549)
    hop = socket.inet_ntop(family, gateway) if gateway else None
    if via:
        hop = socket.inet_ntop(struct.unpack_from("=H", via)[0], via[2:])
    source = attributes.get(RTA_PREFSRC)
    index = struct.unpack("=I", attributes[RTA_OIF])[0] if RTA_OIF in attributes else 0
    return RouteAnswer(index, hop, socket.inet_ntop(family, source) if source else None, kind == RTN_LOCAL)


def _exchange(asked: socket.socket, kind: int, flags: int, body: bytes) -> Iterator[tuple[int, bytes]]:
    """Send one request and yield the messages of its answer; OSError when the kernel refuses."""
    number = int.from_bytes(os.urandom(4), "little")
    asked.send(_HEADER.pack(_HEADER.size + len(body), kind, NLM_F_REQUEST | flags, number, 0) + body)
    while True:
        data = asked.recv(_MOST_BYTES)
        at = 0
        while at + _HEADER.size <= len(data):
            size, got, got_flags, got_number, _ = _HEADER.unpack_from(data, at)
            if size < _HEADER.size:
                return
            answer = data[at + _HEADER.size : at + size]
            at += (size + 3) & ~3
            if got_number != number:
                continue  # the rest of an earlier answer
            if got == NLMSG_ERROR:
                code = -_ERROR.unpack_from(answer)[0]
                if code:
                    raise OSError(code, os.strerror(code))
                return
            if got == NLMSG_DONE:
                return
            yield got, answer
            if not got_flags & 2:  # NLM_F_MULTI
                return


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        size, kind = _ATTRIBUTE.unpack_from(data, at)
        if size < _ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, data[at + _ATTRIBUTE.size : at + size]
        at += (size + 3) & ~3
