"""The agent knows its way to a target as the kernel does, also right after the way changed."""

import errno
import ipaddress
import os
import socket
import subprocess
import sys

import pytest

from checks.sight import Route
from probe.agent.route import Routes, route_to, zoned

IN_NAMESPACE = """
import subprocess, sys
from probe.agent.route import Routes, route_to

def ip(*words):
    subprocess.run(["ip", *words], check=True)

ip("link", "set", "lo", "up")
for name in ("left", "right"):  # each a pair, so that it has a carrier
    ip("link", "add", name, "type", "veth", "peer", "name", name + "-far")
    ip("link", "set", name + "-far", "up")
ip("addr", "add", "192.0.2.2/24", "dev", "left")
ip("addr", "add", "198.51.100.2/24", "dev", "right")
ip("addr", "add", "2001:db8::2/64", "dev", "left", "nodad")
for name in ("left", "right"):
    ip("link", "set", name, "up")
with Routes() as routes:
    try:
        routes.to("203.0.113.9")
    except OSError as why:
        print(why.errno)
    print(route_to("203.0.113.9"))
    ip("route", "add", "default", "via", "192.0.2.1")
    print(routes.to("203.0.113.9"))
    print(routes.to("203.0.113.9", named=True).named)
    print(routes.to("192.0.2.77"), routes.to("192.0.2.2"), routes.to("127.0.0.1"))
    ip("route", "add", "203.0.113.0/24", "via", "198.51.100.1")
    print(routes.to("203.0.113.9"))
    ip("rule", "add", "to", "203.0.113.9", "lookup", "77")
    ip("route", "add", "default", "via", "192.0.2.1", "table", "77")
    print(routes.to("203.0.113.9").gateway)
    ip("-6", "route", "add", "default", "via", "fe80::1", "dev", "left")
    print(routes.to("2001:db8:1::1").gateway)
    ip("route", "add", "203.0.113.128/25", "via", "inet6", "fe80::9", "dev", "right")
    print(routes.to("203.0.113.200").gateway)
    ip("route", "add", "unreachable", "192.0.2.128/25")
    try:
        routes.to("192.0.2.200")
    except OSError as why:
        print(why.errno)
    ip("link", "set", "left", "down")
    print(routes.to("203.0.113.10").interface)
"""


@pytest.mark.needs("ip", "unshare")
@pytest.mark.needs_root
def test_routes_follow_the_kernel_through_every_change() -> None:
    done = subprocess.run(["unshare", "--net", sys.executable, "-c", IN_NAMESPACE], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        str(errno.ENETUNREACH),
        "None",
        str(Route("left", "192.0.2.1", "192.0.2.2")),
        "True",
        f"{Route('left', None, '192.0.2.2')} None None",
        str(Route("right", "198.51.100.1", "198.51.100.2")),
        "192.0.2.1",
        "fe80::1%left",
        "fe80::9%right",
        str(errno.EHOSTUNREACH),
        "right",
    ]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1"])
def test_this_host_is_reached_without_a_network(address: str) -> None:
    if address == "::1" and not socket.has_ipv6:
        return
    assert route_to(address) is None


def test_an_answer_is_kept_until_something_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    from probe.agent import netlink

    asked = []
    monkeypatch.setattr(
        netlink, "ask_route", lambda sock, address: asked.append(address) or netlink.RouteAnswer(1, "192.0.2.1", "192.0.2.2", False)
    )
    with Routes() as routes:
        assert routes.to("203.0.113.1") == routes.to("203.0.113.1") == Route("lo", "192.0.2.1", "192.0.2.2")
        assert asked == ["203.0.113.1"]
        routes._forget_on_change()
        routes._kept.clear()
        routes.to("203.0.113.1")
        assert len(asked) == 2


def test_a_name_is_no_address() -> None:
    with pytest.raises(ValueError, match=r"web-1\.example"):
        route_to("web-1.example")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("fe80::1", "fe80::1%eth0"),
        ("fe80::1%eth1", "fe80::1%eth1"),
        ("2001:db8::1", "2001:db8::1"),
        ("169.254.1.1", "169.254.1.1"),
        (None, None),
    ],
)
def test_a_link_local_address_means_nothing_without_its_interface(address: str | None, shown: str | None) -> None:
    assert zoned(address, "eth0") == shown


NEIGHBOURS = """
import socket, subprocess, time
from probe.agent.netlink import neighbours

def ip(words):
    subprocess.run(["ip", *words.split()], check=True)

ip("link add left type veth peer name right")
ip("link set left up")
print(neighbours(socket.AF_INET))
for last in range(1, 121):
    ip(f"neigh add 192.0.2.{last} lladdr 02:00:00:00:00:{last:02x} dev left nud reachable")
    if last in (1, 120):
        start = time.monotonic()
        found = neighbours(socket.AF_INET)
        print(len(found), found[0].mac[:15], time.monotonic() - start < 1)
"""


@pytest.mark.needs("unshare", "ip")
@pytest.mark.needs_root
def test_neighbours_are_told_without_waiting_for_an_end_that_has_come_already() -> None:
    command = ["unshare", "--net", sys.executable, "-c", NEIGHBOURS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env={**os.environ, "PYTHONPATH": "."})
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[]", "1 02:00:00:00:00: True", "120 02:00:00:00:00: True"]


def test_the_sockets_are_closed() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        route_to(str(ipaddress.ip_address("192.0.2.1")))
    assert len(os.listdir("/proc/self/fd")) == before
