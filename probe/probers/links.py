"""Links and addresses as the kernel tells them by rtnetlink(7)."""

import ipaddress
import socket
import struct
from collections.abc import Iterable
from typing import NamedTuple

from probe.netlink import attributes, dump, messages

RTM_NEWLINK, RTM_GETLINK, RTM_NEWADDR, RTM_GETADDR = 16, 18, 20, 22
IFLA_IFNAME, IFLA_MTU, IFLA_MASTER, IFLA_OPERSTATE, IFLA_LINKINFO, IFLA_STATS64 = 3, 4, 10, 16, 18, 23
IFLA_EXT_MASK, IFLA_CARRIER, IFLA_CARRIER_CHANGES = 29, 33, 35
IFLA_INFO_KIND, IFA_ADDRESS, IFA_LOCAL = 1, 1, 2
IFF_UP, IFF_LOOPBACK, IFF_RUNNING = 0x1, 0x8, 0x40
OPER_UNKNOWN, OPER_UP = 0, 6  # RFC 2863 as in the kernel's operstates.rst
SCOPE_LINK = 253
ARPHRD_ETHER = 1

_LINK = struct.Struct("=BxHiII")
_STATS = struct.Struct("=8Q")
_ADDRESS = struct.Struct("=BBBBI")


class Counters(NamedTuple):
    """The first of rtnl_link_stats64, in its order."""

    in_packets: int
    out_packets: int
    in_octets: int
    out_octets: int
    in_errors: int
    out_errors: int
    in_discards: int
    out_discards: int


class Link(NamedTuple):
    """One link; `info` is what a virtual one is ("veth", "bridge", …), empty for a real one; `carrier` None where it is not told."""

    ifindex: int
    name: str
    ethernet: bool
    loopback: bool
    admin_up: bool
    oper_up: bool
    carrier: bool | None
    carrier_changes: int | None
    mtu: int | None
    info: str
    enslaved: bool
    counters: Counters


class Addresses(NamedTuple):
    """The addresses of one link with their prefix lengths, and whether one of them reaches beyond the link."""

    texts: tuple[str, ...]
    routable: bool


def read_links() -> list[Link]:
    """Return all links of this network namespace; OSError when the kernel refuses."""
    return parse_links(dump(socket.NETLINK_ROUTE, RTM_GETLINK, _LINK.pack(0, 0, 0, 0, 0)))


def parse_links(buffers: Iterable[bytes]) -> list[Link]:
    """Return the links of a dump; one without a name or counters is left out."""
    links = []
    for buffer in buffers:
        for body in messages(buffer, RTM_NEWLINK):
            _, hardware, index, flags, _ = _LINK.unpack_from(body)
            found = attributes(body, _LINK.size)
            if IFLA_IFNAME not in found or len(found.get(IFLA_STATS64, b"")) < _STATS.size:
                continue
            oper = found.get(IFLA_OPERSTATE, b"\0")[0]
            admin_up = bool(flags & IFF_UP)
            carrier = found.get(IFLA_CARRIER)
            links.append(
                Link(
                    ifindex=index,
                    name=found[IFLA_IFNAME].rstrip(b"\0").decode("utf-8", "replace"),
                    ethernet=hardware == ARPHRD_ETHER,
                    loopback=bool(flags & IFF_LOOPBACK),
                    admin_up=admin_up,
                    oper_up=oper == OPER_UP or (oper == OPER_UNKNOWN and admin_up and bool(flags & IFF_RUNNING)),
                    carrier=None if carrier is None or not admin_up else bool(carrier[0]),
                    carrier_changes=_word(found.get(IFLA_CARRIER_CHANGES)),
                    mtu=_word(found.get(IFLA_MTU)),
                    info=_info(found.get(IFLA_LINKINFO)),
                    enslaved=IFLA_MASTER in found,
                    counters=Counters._make(_STATS.unpack_from(found[IFLA_STATS64])),
                )
            )
    return links


def read_addresses() -> dict[int, Addresses]:
    """Return the addresses by index of the link; OSError when the kernel refuses."""
    return parse_addresses(dump(socket.NETLINK_ROUTE, RTM_GETADDR, _ADDRESS.pack(0, 0, 0, 0, 0)))


def parse_addresses(buffers: Iterable[bytes]) -> dict[int, Addresses]:
    """Return the addresses of a dump by index of the link; on a point-to-point link it is the local one."""
    texts: dict[int, list[str]] = {}
    routable = set()
    for buffer in buffers:
        for body in messages(buffer, RTM_NEWADDR):
            family, length, _, scope, index = _ADDRESS.unpack_from(body)
            found = attributes(body, _ADDRESS.size)
            raw = found.get(IFA_LOCAL) or found.get(IFA_ADDRESS) or b""
            if family not in (socket.AF_INET, socket.AF_INET6) or len(raw) not in (4, 16):
                continue
            texts.setdefault(index, []).append(f"{ipaddress.ip_address(raw)}/{length}")
            if scope < SCOPE_LINK:
                routable.add(index)
    return {index: Addresses(tuple(found), index in routable) for index, found in texts.items()}


def _word(raw: bytes | None) -> int | None:
    return None if raw is None or len(raw) < 4 else int(struct.unpack_from("=I", raw)[0])


def _info(raw: bytes | None) -> str:
    kind = attributes(raw, 0).get(IFLA_INFO_KIND, b"") if raw else b""
    return kind.rstrip(b"\0").decode("ascii", "replace")
