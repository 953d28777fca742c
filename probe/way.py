"""The kernel's own answer to how it would reach an address: over which interface, by which next hop, from which address (rtnetlink(7))."""

import fcntl
import ipaddress
import os
import socket
import struct
from typing import NamedTuple

from probe.netlink import BUFFER, attribute, attributes, messages, number_of, raise_refusal, request

_RTM_NEWROUTE, _RTM_GETROUTE = 24, 26
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC, _RTA_VIA = 1, 4, 5, 7, 18
_RTN_LOCAL, _RTN_BROADCAST = 2, 3
_SIOCGIFMTU, _SIOCGIFHWADDR = 0x8921, 0x8927
_ROUTE = struct.Struct("=BBBBBBBBI")
_ANSWERS = 4


class Way(NamedTuple):
    """How an address is reached: `direct` without a router in between, `local` when it is this host itself, `broadcast` when it is every
    host of a segment. `source` "" when not told.
    """

    interface: str
    number: int
    source: str
    direct: bool
    local: bool
    broadcast: bool


def way_to(address: str) -> Way:
    """Return the way to an IP address; OSError as the kernel gives it (ENETUNREACH …) when there is none."""
    parsed = ipaddress.ip_address(address)
    family = socket.AF_INET if parsed.version == 4 else socket.AF_INET6
    body = _ROUTE.pack(family, parsed.max_prefixlen, 0, 0, 0, 0, 0, 0, 0) + attribute(_RTA_DST, parsed.packed)
    zone = getattr(parsed, "scope_id", None)
    if zone:
        body += attribute(_RTA_OIF, struct.pack("=i", int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)))
    number = int.from_bytes(os.urandom(4), "little")
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as asked:
        asked.settimeout(1.0)
        asked.send(request(_RTM_GETROUTE, 0, number, body))
        for _ in range(_ANSWERS):
            buffer = asked.recv(BUFFER)
            if number_of(buffer) == number:
                break
    raise_refusal(buffer)
    for message in messages(buffer, _RTM_NEWROUTE):
        kind = _ROUTE.unpack_from(message)[7]
        found = attributes(message, _ROUTE.size)
        index = struct.unpack("=i", found[_RTA_OIF][:4])[0]
        source = socket.inet_ntop(family, found[_RTA_PREFSRC]) if _RTA_PREFSRC in found else ""
        direct = _RTA_GATEWAY not in found and _RTA_VIA not in found
        return Way(socket.if_indextoname(index), index, source, direct, kind == _RTN_LOCAL, kind == _RTN_BROADCAST)
    raise OSError(101, os.strerror(101))


def mtu_of(interface: str) -> int:
    """Return the MTU of an interface in bytes; OSError when it is not there."""
    return int(struct.unpack_from("=i", _ask(interface, _SIOCGIFMTU), 16)[0])


def mac_of(interface: str) -> str:
    """Return the hardware address of an interface as text, "" when it has none of Ethernet's kind; OSError when it is not there."""
    family, mac = struct.unpack_from("=H6s", _ask(interface, _SIOCGIFHWADDR), 16)
    return mac_text(mac) if family == 1 else ""


def mac_text(mac: bytes) -> str:
    """Return a hardware address as people write it."""
    return ":".join(f"{octet:02x}" for octet in mac)


def _ask(interface: str, what: int) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        return fcntl.ioctl(sock.fileno(), what, struct.pack("16s24x", interface.encode()))
