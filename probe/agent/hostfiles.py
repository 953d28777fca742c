"""What the host's own files say of its network: pure functions from a text to values. A line that is not understood is passed over."""

import ipaddress
import re
import socket
import sys
from typing import NamedTuple

RTF_UP, RTF_GATEWAY, RTF_REJECT = 0x1, 0x2, 0x200
ATF_COM = 0x2
NO_MAC = "00:00:00:00:00:00"


class Gateway(NamedTuple):
    """A default gateway: address (link-local ones with their interface), interface, metric (the least is used first)."""

    address: str
    interface: str
    metric: int


class TimeSource(NamedTuple):
    """A server that a time service is told to use, and by which word ("server", "pool", "peer")."""

    name: str
    word: str


class Neighbour(NamedTuple):
    """An address that answered on the own network, its link-layer address, and the interface."""

    address: str
    mac: str
    interface: str


def read_route4(text: str) -> list[Gateway]:
    """Return the default gateways of /proc/net/route (proc_net(5)), best first; addresses there are in the machine's byte order."""
    found = []
    for fields in map(str.split, text.splitlines()[1:]):
        if len(fields) < 8:
            continue
        numbers = _hex(fields[1], fields[2], fields[3], fields[7])
        if numbers is None or not fields[6].isdecimal():
            continue
        to, gateway, flags, mask = numbers
        if to == 0 and mask == 0 and flags & RTF_UP and flags & RTF_GATEWAY and not flags & RTF_REJECT and 0 < gateway < 1 << 32:
            found.append(Gateway(socket.inet_ntoa(gateway.to_bytes(4, sys.byteorder)), fields[0], int(fields[6])))
    return _best(found)


def read_route6(text: str) -> list[Gateway]:
    """Return the default gateways of /proc/net/ipv6_route, best first."""
    found = []
    for fields in map(str.split, text.splitlines()):
        if len(fields) != 10:
            continue
        numbers = _hex(fields[0], fields[1], fields[4], fields[5], fields[8])
        if numbers is None:
            continue
        to, length, gateway, metric, flags = numbers
        if to or length or not gateway or gateway >> 128 or not flags & RTF_UP or not flags & RTF_GATEWAY or flags & RTF_REJECT:
            continue
        address = ipaddress.IPv6Address(gateway)
        shown = f"{address}%{fields[9]}" if address.is_link_local else str(address)
        found.append(Gateway(shown, fields[9], metric))
    return _best(found)


def _hex(*fields: str) -> list[int] | None:
    try:
        return [int(field, 16) for field in fields]
    except ValueError:
        return None


def _best(found: list[Gateway]) -> list[Gateway]:
    best: dict[str, Gateway] = {}
    for gateway in sorted(found, key=lambda one: one.metric):
        best.setdefault(gateway.address, gateway)
    return list(best.values())


def read_resolv_conf(text: str) -> list[str]:
    """Return the nameservers in their order (resolv.conf(5)); only addresses, each once."""
    servers: dict[str, None] = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 2 and fields[0] == "nameserver" and is_ip(fields[1]):
            servers.setdefault(fields[1])
    return list(servers)


def read_timesyncd(text: str) -> list[TimeSource]:
    """Return the servers of a timesyncd.conf(5) or of networkd's state: NTP= and FallbackNTP=; an empty one clears those before it."""
    servers: dict[str, list[str]] = {"NTP": [], "FallbackNTP": []}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if not equals or key.strip() not in servers:
            continue
        words = value.split()
        servers[key.strip()] = servers[key.strip()] + words if words else []
    return [TimeSource(name, "server") for name in servers["NTP"] or servers["FallbackNTP"]]


def read_chrony(text: str) -> tuple[list[TimeSource], list[tuple[str, str]]]:
    """Return the sources of a chrony.conf(5), and what else it tells to read: (confdir | sourcedir | include, path)."""
    sources, more = [], []
    for line in text.splitlines():
        if line.lstrip()[:1] in {"!", ";", "#", "%"}:
            continue
        fields = line.split()
        if len(fields) < 2:
            continue
        word = fields[0].lower()
        if word in {"server", "pool", "peer"}:
            sources.append(TimeSource(fields[1], word))
        elif word in {"confdir", "sourcedir", "include"}:
            more += [(word, path) for path in (fields[1:] if word != "include" else fields[1:2])]
    return sources, more


def read_ntp_conf(text: str) -> list[TimeSource]:
    """Return the sources of an ntp.conf(5); 127.127.x.x are not servers but clocks at this host."""
    sources = []
    for line in text.splitlines():
        fields = [field for field in line.partition("#")[0].split() if field not in {"-4", "-6", "iburst"}]
        if len(fields) >= 2 and fields[0] in {"server", "pool", "peer"} and not fields[1].startswith("127.127."):
            sources.append(TimeSource(fields[1], fields[0]))
    return sources


def read_arp(text: str) -> list[Neighbour]:
    """Return the complete entries of /proc/net/arp."""
    found = []
    for fields in map(str.split, text.splitlines()[1:]):
        if len(fields) < 6 or not is_ip(fields[0]) or not re.fullmatch(r"0x[0-9a-fA-F]+", fields[2]):
            continue
        if int(fields[2], 16) & ATF_COM and fields[3] != NO_MAC:
            found.append(Neighbour(fields[0], fields[3], fields[5]))
    return found


def is_ip(text: str) -> bool:
    """Tell whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
