"""ARP on the wire (RFC 826): a packet socket on one interface that sends requests, and hears only of the addresses that are watched."""

import asyncio
import ctypes
import errno
import socket
import struct
from collections.abc import Callable, Collection
from typing import NamedTuple

from probe.way import mac_of, mac_text

ETH_P_ARP = 0x0806
REQUEST, REPLY = 1, 2
BROADCAST = b"\xff" * 6
MOST_WATCHED = 500  # more at once than any agent looks at; the filter takes 16 kB of the 20 that an older kernel grants (optmem_max)
_PACKET = struct.Struct("!HHBBH6s4s6s4s")
_SO_ATTACH_FILTER = 26
_AT_ONCE = 64
_PACKET_OUTGOING = 4


class Heard(NamedTuple):
    """One ARP packet: its operation, who sent it (hardware address, IPv4 address, packed), and to whom."""

    operation: int
    mac: bytes
    address: bytes
    target_mac: bytes
    target: bytes


def arp(operation: int, mac: bytes, address: bytes, target: bytes, target_mac: bytes = bytes(6)) -> bytes:
    """Return an ARP packet for IPv4 over Ethernet."""
    return _PACKET.pack(1, 0x0800, 6, 4, operation, mac, address, target_mac, target)


def read_arp(data: bytes) -> Heard | None:
    """Read an ARP packet; None when it is not one of IPv4 over Ethernet, or claims a hardware address that no host can have."""
    if len(data) < _PACKET.size:
        return None
    hardware, protocol, hlen, plen, operation, mac, address, target_mac, target = _PACKET.unpack_from(data)
    if (hardware, protocol, hlen, plen) != (1, 0x0800, 6, 4) or operation not in (REQUEST, REPLY):
        return None
    if mac[0] & 1 or mac == bytes(6):  # a group address, or none
        return None
    return Heard(operation, mac, address, target_mac, target)


def filter_of(addresses: Collection[bytes]) -> bytes:
    """Return a classic BPF program that passes ARP packets whose sender is one of these IPv4 addresses (at most MOST_WATCHED)."""
    steps = [(0x20, 0, 0, 14)]  # the sender's address
    for address in addresses:
        steps += [(0x15, 0, 1, int.from_bytes(address, "big")), (0x06, 0, 0, 0xFFFF)]  # a jump over all of them would be too far
    steps.append((0x06, 0, 0, 0))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


class ArpSocket:
    """An open packet socket. `hear` is called with each ARP packet of others whose sender is watched."""

    def __init__(self, interface: str, hear: Callable[[Heard], None]) -> None:
        """OSError: EPERM without CAP_NET_RAW, ENODEV without that interface."""
        self._hear = hear
        self._watched: dict[bytes, None] = {}
        self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
        try:
            self._attach()
            self._sock.bind((interface, ETH_P_ARP))
            kind, mac = self._sock.getsockname()[3:5]
            _must_be_ethernet(kind)
            self.mac = bytes(mac[:6])
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._sock, self._readable)
        except BaseException:
            self._sock.close()
            raise
        self._interface, self._number = interface, socket.if_nametoindex(interface)

    def fits(self) -> bool:
        """Tell whether the interface is still the one that was opened, with the hardware address it had: a bond takes another one."""
        try:
            return socket.if_nametoindex(self._interface) == self._number and mac_of(self._interface) == mac_text(self.mac)
        except OSError:
            return False

    def close(self) -> None:
        """Close the socket."""
        self._loop.remove_reader(self._sock)
        self._sock.close()

    def watch(self, address: bytes) -> None:
        """Hear of this address from now on; of more than MOST_WATCHED the one asked for longest ago is given up."""
        known = address in self._watched
        self._watched.pop(address, None)
        self._watched[address] = None
        if len(self._watched) > MOST_WATCHED:
            del self._watched[next(iter(self._watched))]
        if not known:
            self._attach()

    def ask(self, address: bytes, source: bytes) -> None:
        """Send one request to all for `address`, from `source` (0.0.0.0: a probe that enters no table, RFC 5227 1.1). OSError."""
        self._sock.sendto(arp(REQUEST, self.mac, source, address), (self._interface, ETH_P_ARP, 0, 0, BROADCAST))

    def _attach(self) -> None:
        program = filter_of(list(self._watched))
        code = ctypes.create_string_buffer(program)
        self._sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program) // 8, ctypes.addressof(code)))

    def _readable(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                data, sender = self._sock.recvfrom(128)
            except OSError:  # nothing more, or the interface went down
                return
            heard = None if sender[2] == _PACKET_OUTGOING else read_arp(data)
            if heard is not None:
                self._hear(heard)


def _must_be_ethernet(kind: int) -> None:
    if kind != 1:
        raise OSError(errno.EPFNOSUPPORT, "it is no Ethernet")
