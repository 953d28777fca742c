"""Builds a network by rtnetlink(7), so that the demo needs no program: cables, bridges, addresses, routes; and tells the state of ports."""

import ipaddress
import os
import socket
import struct
from collections.abc import Iterator

import msgspec

from probe.agent.demo.kernel import Place
from probe.netlink import BUFFER, attribute, attributes, dump, messages, number_of, raise_refusal, request

_NEWLINK, _GETLINK, _SETLINK, _NEWADDR, _NEWROUTE = 16, 18, 19, 20, 24
_ACK, _REPLACE, _EXCL, _CREATE = 0x4, 0x100, 0x200, 0x400
_IFNAME, _MASTER, _OPERSTATE, _LINKINFO, _STATS64, _AF_SPEC, _NET_NS_FD = 3, 10, 16, 18, 23, 26, 28
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_INET_CONF, _FORWARDING = 1, 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DST, _RTA_GATEWAY, _RTA_TABLE = 1, 5, 15
_IFF_UP = 1
_OPER_UP = 6
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")
_STATS = struct.Struct("=8Q")


class Port(msgspec.Struct, frozen=True):
    """A port as the kernel has it; packets and octets since it was made, in and out."""

    index: int
    name: str
    admin_up: bool
    oper_up: bool
    packets: tuple[int, int]
    octets: tuple[int, int]


def cable(a: Place, a_port: str, b: Place, b_port: str) -> None:
    """Lay a cable between ports of two machines, both switched off still."""
    peer = _LINK.pack(0, 0, 0, 0, 0) + _text(_IFNAME, b_port) + attribute(_NET_NS_FD, struct.pack("=I", b.handle))
    kind = _text(_INFO_KIND, "veth") + attribute(_INFO_DATA, attribute(_VETH_PEER, peer))
    _ask(a, _NEWLINK, _CREATE | _EXCL, _LINK.pack(0, 0, 0, 0, 0) + _text(_IFNAME, a_port) + attribute(_LINKINFO, kind))


def bridge(place: Place, name: str, ports: tuple[str, ...]) -> None:
    """Make a bridge of ports, switch them all on."""
    _ask(
        place,
        _NEWLINK,
        _CREATE | _EXCL,
        _LINK.pack(0, 0, 0, 0, 0) + _text(_IFNAME, name) + attribute(_LINKINFO, _text(_INFO_KIND, "bridge")),
    )
    master = attribute(_MASTER, struct.pack("=I", _index(place, name)))
    for port in ports:
        _ask(place, _SETLINK, 0, _LINK.pack(0, 0, _index(place, port), 0, 0) + master)
        switch(place, port, on=True)
    switch(place, name, on=True)


def switch(place: Place, port: str, on: bool) -> None:
    """Switch a port on or off."""
    _ask(place, _SETLINK, 0, _LINK.pack(0, 0, _index(place, port), _IFF_UP if on else 0, _IFF_UP))


def address(place: Place, port: str, text: str) -> None:
    """Give a port an address, written like 10.0.0.1/24."""
    found = ipaddress.ip_interface(text)
    body = _ADDRESS.pack(socket.AF_INET, found.network.prefixlen, 0, 0, _index(place, port))
    _ask(place, _NEWADDR, _CREATE | _EXCL, body + attribute(_IFA_LOCAL, found.packed) + attribute(_IFA_ADDRESS, found.packed))


def route(place: Place, network: str, via: str) -> None:
    """Lead a network by a neighbour, in the place of an earlier route to it."""
    found = ipaddress.ip_network(network)
    table, boot, universe, unicast = 254, 3, 0, 1
    body = _ROUTE.pack(socket.AF_INET, found.prefixlen, 0, 0, table, boot, universe, unicast, 0)
    if found.prefixlen:
        body += attribute(_RTA_DST, found.network_address.packed)
    _ask(place, _NEWROUTE, _CREATE | _REPLACE, body + attribute(_RTA_GATEWAY, ipaddress.ip_address(via).packed))


def forward(place: Place, port: str) -> None:
    """Have what comes in at a port go on to others: as sysctl forwarding does, which a container may have made read-only."""
    devconf = attribute(_INET_CONF, attribute(_FORWARDING, struct.pack("=I", 1)))
    _ask(place, _SETLINK, 0, _LINK.pack(0, 0, _index(place, port), 0, 0) + attribute(_AF_SPEC, attribute(socket.AF_INET, devconf)))


def ports(place: Place) -> list[Port]:
    """Return the ports of a machine, loopback left out."""
    with place.inside():
        return list(_read())


def _read() -> Iterator[Port]:
    for buffer in dump(socket.NETLINK_ROUTE, _GETLINK, _LINK.pack(0, 0, 0, 0, 0)):
        for body in messages(buffer, _NEWLINK):
            _, _, index, flags, _ = _LINK.unpack_from(body)
            told = attributes(body, _LINK.size)
            name = told[_IFNAME].rstrip(b"\0").decode()
            if name != "lo":
                oper = told.get(_OPERSTATE, b"\0")[0]
                received, sent, octets_in, octets_out, *_ = _STATS.unpack_from(told[_STATS64])
                yield Port(index, name, bool(flags & _IFF_UP), oper == _OPER_UP, (received, sent), (octets_in, octets_out))


def _index(place: Place, name: str) -> int:
    with place.inside():
        return socket.if_nametoindex(name)


def _text(kind: int, text: str) -> bytes:
    return attribute(kind, text.encode() + b"\0")


def _ask(place: Place, kind: int, flags: int, body: bytes) -> None:
    """Ask, and wait until the kernel has done it; OSError when it refuses."""
    with place.inside(), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as asked:
        asked.settimeout(2.0)
        number = int.from_bytes(os.urandom(4), "little")
        asked.send(request(kind, _ACK | flags, number, body))
        while number_of(answer := asked.recv(BUFFER)) != number:
            pass
        code = struct.unpack_from("=i", answer, 16)[0]
        if code != 0:
            raise_refusal(answer)
