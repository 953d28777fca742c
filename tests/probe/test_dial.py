"""Whose fault a failed connection is, as the kernel really reports it: in namespaces of our own, with a router between."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# This namespace is the agent's; a second one (its process number is given) is the router at 10.9.0.2.
SCRIPT = """
import asyncio, json, subprocess, sys, time
from probe.inventory import Node
from probe.observation.failure import Failure
from probe.probers import dns, tcp

def ip(*words):
    subprocess.run(["ip", *words], check=True)

def router(*words):
    subprocess.run(["nsenter", "--net=/proc/%s/ns/net" % sys.argv[1], *words], check=True, stdout=subprocess.DEVNULL)

ip("link", "set", "lo", "up")
ip("link", "add", "v0", "type", "veth", "peer", "name", "v1", "netns", sys.argv[1])
ip("addr", "add", "10.9.0.1/24", "dev", "v0"); ip("link", "set", "v0", "up")
router("ip", "addr", "add", "10.9.0.2/24", "dev", "v1"); router("ip", "link", "set", "v1", "up"); router("ip", "link", "set", "lo", "up")
ip("route", "add", "10.10.0.0/16", "via", "10.9.0.2")
ip("route", "add", "blackhole", "10.11.0.0/16"); ip("route", "add", "unreachable", "10.12.0.0/16"); ip("route", "add", "prohibit", "10.13.0.0/16")
router("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.icmp_ratelimit=0")
router("ip", "route", "add", "unreachable", "10.10.0.0/17"); router("ip", "route", "add", "prohibit", "10.10.128.0/17")

async def said(prober, options, address):
    try:
        seen = await asyncio.wait_for(prober.ask(Node("n", address), options), 8)
    except TimeoutError:
        return "silence"
    return [seen.kind, seen.detail] if isinstance(seen, Failure) else "answer"

async def main():
    out = {}
    async with tcp.open() as prober, dns.open() as asker:
        for address in ("192.0.2.1", "10.11.0.1", "10.12.0.1", "10.13.0.1", "10.10.0.1", "10.10.200.1", "10.9.0.2", "10.9.0.77"):
            out["tcp " + address], out["dns " + address] = await asyncio.gather(
                said(prober, tcp.Options(port=80), address), said(asker, dns.Options(name="a.test"), address))
        burst = time.process_time()
        await asyncio.sleep(0.2)
        out["idle"] = time.process_time() - burst
        with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as ports:
            ports.write("40000 40001")
        selves = [await said(prober, tcp.Options(port=40000), "127.0.0.1") for _ in range(20)]
        out["selves"] = [one[0] for one in selves]
        out["ports"] = [await said(asker, dns.Options(name="a.test"), "127.0.0.%d" % n) for n in (2, 3, 4)][-1]
        ip("link", "set", "v0", "down")
        out["down"] = await said(prober, tcp.Options(port=80), "10.9.0.2")
    print(json.dumps(out))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def said() -> dict:
    router = subprocess.Popen(["unshare", "--net", "sleep", "60"])
    try:
        while os.readlink(f"/proc/{router.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            assert router.poll() is None
        done = subprocess.run(
            ["unshare", "--net", sys.executable, "-W", "error", "-c", SCRIPT, str(router.pid)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=Path(__file__).parents[2],
            env={"PYTHONPATH": ".", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
    finally:
        router.kill()
        router.wait()
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


pytestmark = [pytest.mark.needs("unshare", "ip", "nsenter", "sysctl"), pytest.mark.needs_root]


@pytest.mark.parametrize("prober", ["tcp", "dns"])
@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("192.0.2.1", "uplink"),  # no route
        ("10.11.0.1", "uplink"),  # our blackhole route
        ("10.12.0.1", "uplink"),  # our unreachable route
        ("10.13.0.1", "denied"),  # our prohibit route
        ("10.10.0.1", "unreachable"),  # the router says: host unreachable
        ("10.10.200.1", "unreachable"),  # the router says: administratively prohibited
        ("10.9.0.2", "refused"),  # the host says: nothing listens
        ("10.9.0.77", "unreachable"),  # nobody answers ARP
    ],
)
def test_our_routes_are_ours_and_what_routers_say_is_theirs(said: dict, prober: str, address: str, kind: str) -> None:
    assert said[f"{prober} {address}"][0] == kind, said[f"{prober} {address}"]


def test_an_icmp_error_does_not_keep_the_loop_busy(said: dict) -> None:
    assert said["idle"] < 0.05


def test_reaching_ourselves_on_a_closed_port_is_not_an_open_port(said: dict) -> None:
    assert said["selves"] == ["refused"] * 20


def test_our_own_link_down_is_ours(said: dict) -> None:
    assert said["down"][0] == "uplink"


def test_no_local_port_left_is_ours(said: dict) -> None:
    assert said["ports"][0] == "denied", said["ports"]
