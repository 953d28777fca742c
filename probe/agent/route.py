"""How the agent reaches an address: the kernel's own answer, kept until the kernel says that something changed."""

import ipaddress
import socket
from types import TracebackType

from checks.sight import Route
from probe.agent import netlink

_MOST = 20_000


class Routes:
    """The routes to the agent's targets. Asking the kernel costs some 20 µs, asking again 1–2 µs; no table is ever stale.

    Both sockets belong to one thread. `msgspec` values come out, so an answer may be kept by whoever got it.
    """

    def __init__(self) -> None:
        self._kept: dict[str, Route | None] = {}
        self._asked = netlink.open_socket()
        try:
            self._changes = netlink.open_socket(netlink.RTMGRP_CHANGES)
        except OSError:
            self._asked.close()
            raise
        self._changes.setblocking(False)

    def __enter__(self) -> "Routes":
        return self

    def __exit__(self, kind: type[BaseException] | None, why: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close both sockets."""
        self._asked.close()
        self._changes.close()

    def to(self, address: str, named: bool = False) -> Route | None:
        """Return the route to an IP address, None when it is this host itself. `named`: the target goes by a DNS name.

        OSError as the kernel gives it when there is none (ENETUNREACH), ValueError when `address` is no IP address.
        """
        self._forget_on_change()
        if address in self._kept:
            route = self._kept[address]
        else:
            route = self._kept[address] = self._find(address)
        return Route(route.interface, route.gateway, route.source, named) if route and named else route

    def _find(self, address: str) -> Route | None:
        answer = netlink.ask_route(self._asked, address)
        if answer.local:
            return None
        if len(self._kept) >= _MOST:
            self._kept.clear()
        interface = socket.if_indextoname(answer.interface)
        return Route(interface, zoned(answer.gateway, interface), answer.source)

    def _forget_on_change(self) -> None:
        while True:
            try:
                heard = self._changes.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError:  # ENOBUFS: so many changes that some were lost
                heard = b"lost"
            if heard:
                self._kept.clear()


def zoned(address: str | None, interface: str) -> str | None:
    """Return a link-local address with its interface (RFC 4007: it means nothing without), any other as it is."""
    if address is not None and "%" not in address and ipaddress.ip_address(address).is_link_local and ":" in address:
        return f"{address}%{interface}"
    return address


def route_to(address: str) -> Route | None:
    """Return the route to one IP address, None when it is this host itself or there is no route now; for many, keep a `Routes` open."""
    try:
        with Routes() as routes:
            return routes.to(address)
    except OSError:
        return None
