"""A customer's gateway asked by two ways: on loopback against devices, and in namespaces through real NAT, a wrong DMZ and the kernel's ALG."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from probe.observation.failure import Failure, Kind
from probe.observation.sip import GatewaySample, RegistrationSample, SipSample, Standard
from probe.probers import gateway
from tests.probe.sip_lab import Device, kamailio, register, replying

AGREED = {"agreed": "Ms Li, 1 June"}
HT814 = ("User-Agent: Grandstream HT814 1.0.41.2", "Contact: <sip:gw@192.168.50.10:5060>")


@pytest.mark.parametrize("agreed", ["", "   "])
def test_nothing_is_sent_without_the_customer_s_consent(ask, agreed: str) -> None:
    with Device(replying("200 OK")) as device:
        seen = ask("gateway", device.port, agreed=agreed, nat_address="127.0.0.1")
    assert isinstance(seen, Failure)
    assert seen.kind is Kind.DENIED
    assert "not agreed" in seen.detail
    assert device.requests == []


def test_both_ways_and_the_standard_are_in_the_sample(ask) -> None:
    with Device(replying("200 OK", *HT814)) as direct, Device(replying("200 OK", *HT814), "127.0.0.2") as nat:
        wanted = {"models": ("HT814",), "min_firmware": "1.0.41", "codecs": ("PCMA",), "nat_mode": "private"}
        seen = ask("gateway", direct.port, nat_address="127.0.0.2", nat_port=nat.port, **wanted, **AGREED)
    assert isinstance(seen, GatewaySample)
    assert isinstance(seen.direct, SipSample)
    assert isinstance(seen.nat, SipSample)
    assert (seen.direct.port, seen.nat.port, seen.direct.contact_host) == (direct.port, nat.port, "192.168.50.10")
    assert seen.standard == Standard(("HT814",), "1.0.41", ("PCMA",), (), "private", False)
    assert (seen.agreed, seen.registration) == ("Ms Li, 1 June", None)


def test_a_silent_way_does_not_hide_what_the_other_says(ask, monkeypatch) -> None:
    monkeypatch.setattr(gateway, "PATIENCE_S", 0.6)
    with Device(replying("200 OK", *HT814)) as direct, Device(lambda *_: None, "127.0.0.2") as nat:
        seen = ask("gateway", direct.port, nat_address="127.0.0.2", nat_port=nat.port, **AGREED)
    assert seen.direct.code == 200
    assert seen.nat.kind is Kind.TIMEOUT


@pytest.mark.needs("kamailio")
def test_its_registration_is_asked_of_the_registrar(ask, free_udp_port, binary, monkeypatch) -> None:
    port = free_udp_port()
    monkeypatch.setattr("probe.sip.client.DEFAULT_PORTS", {"udp": port})
    with kamailio(port, binary("kamailio")), Device(replying("200 OK", *HT814)) as direct:
        register(port, "1001", "sip:1001@192.168.50.10", 600)
        seen = ask("gateway", direct.port, registrar="127.0.0.1", number="1001", password="secret", **AGREED)
    assert isinstance(seen.registration, RegistrationSample)
    assert [one.host for one in seen.registration.bindings] == ["192.168.50.10"]
    assert seen.standard.registration


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"nat_address": "sip:x"}, "nat_address"),
        ({"registrar": "10.0.0.1"}, "belong together"),
        ({"number": "1"}, "belong together"),
        ({"direct": False}, "there must be a nat_address"),
        ({"user": "a b"}, "SIP URI"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        gateway.Options(**options)


# agent (203.0.113.1) - the customer's router (203.0.113.5, 192.168.50.1) - gateway (192.168.50.10), another host (192.168.50.20)

SITE = """
set -e
unshare --net sleep 60 >/dev/null 2>&1 & router=$!
unshare --net sleep 60 >/dev/null 2>&1 & inside=$!
trap 'kill $router $inside $devices' EXIT
for pid in $router $inside; do until [ "$(readlink /proc/$pid/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done; done
on() { nsenter --net=/proc/$1/ns/net "${@:2}"; }
ip link set lo up; on $inside ip link set lo up
ip link add near type veth peer name outer netns $router
on $router ip link add lan type veth peer name gw netns $inside
ip address add 203.0.113.1/24 dev near; ip link set near up
on $router ip address add 203.0.113.5/24 dev outer; on $router ip link set outer up
on $router ip address add 192.168.50.1/24 dev lan; on $router ip link set lan up
on $inside ip address add 192.168.50.10/24 dev gw; on $inside ip address add 192.168.50.20/24 dev gw; on $inside ip link set gw up
ip route add 192.168.50.0/24 via 203.0.113.5; on $inside ip route add default via 192.168.50.1
on $router sysctl -qw net.ipv4.ip_forward=1
on $router nft -f - <<< "$RULES"
nsenter --net=/proc/$inside/ns/net "$PYTHON" -c "$DEVICES" >/dev/null 2>&1 & devices=$!
until on $inside grep -q ":13C4 " /proc/net/udp; do sleep 0.01; done
"$PYTHON" -W error -c "$ASK"
"""
DEVICES = """
import os
from tests.probe.sip_lab import Device, replying
import time
kinds = {"192.168.50.10": "Grandstream HT814 1.0.41.2"} | ({"192.168.50.20": "Camera 7"} if "camera" in %r else {})
made = [Device(replying("200 OK", f"User-Agent: {name}", f"Contact: <sip:gw@{host}:5060>"), host, 5060) for host, name in kinds.items()]
for one in made:
    one.__enter__()
time.sleep(15)
os._exit(0)
"""
ASKED = """
import asyncio, msgspec
from probe.inventory import Node
from probe.probers import gateway
gateway.PATIENCE_S = 1.2
async def main():
    async with gateway.open() as prober:
        options = gateway.Options(agreed="x", nat_address="203.0.113.5")
        print(msgspec.json.encode(await prober.ask(Node("gw", "192.168.50.10"), options)).decode())
asyncio.run(main())
"""
DNAT = """
table ip nat {
  chain pre { type nat hook prerouting priority -100; ip daddr 203.0.113.5 udp dport 5060 dnat to %s; }
  chain post { type nat hook postrouting priority 100; }
}
"""
ALG = """
table ip alg {
  ct helper sip-5060 { type "sip" protocol udp; }
  chain pre { type filter hook prerouting priority -150; ip daddr 203.0.113.5 udp dport 5060 ct helper set "sip-5060"; }
}
"""


def at_site(rules: str, devices: str = "") -> dict:
    done = subprocess.run(
        ["unshare", "--net", "bash", "-c", SITE],
        capture_output=True, text=True, check=False, timeout=20, cwd=Path(__file__).parents[2],
        env={"RULES": rules, "PYTHON": sys.executable, "DEVICES": DEVICES % devices, "ASK": ASKED, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


in_namespaces = [pytest.mark.needs_root, pytest.mark.needs("unshare", "nsenter", "bash", "ip", "nft", "sysctl")]


class TestAtASite:
    pytestmark = in_namespaces

    def test_right_port_forwarding_shows_the_same_device_unchanged(self) -> None:
        seen = at_site(DNAT % "192.168.50.10")
        for way in (seen["direct"], seen["nat"]):
            assert (way["code"], way["contact_host"], way["server"]) == (200, "192.168.50.10", "Grandstream HT814 1.0.41.2")
            assert not way.get("via_changed")

    def test_a_dmz_that_leads_to_nobody_is_refused_or_silent(self) -> None:
        nobody = at_site(DNAT % "192.168.50.20")
        assert (nobody["direct"]["code"], nobody["nat"]["kind"]) == (200, "refused")
        gone = at_site(DNAT % "192.168.50.99")
        assert (gone["direct"]["code"], gone["nat"]["type"]) == (200, "failure")
        assert gone["nat"]["kind"] in {"timeout", "unreachable"}

    def test_a_dmz_that_leads_to_another_device_shows_its_name(self) -> None:
        seen = at_site(DNAT % "192.168.50.20", "camera")
        assert (seen["direct"]["server"], seen["nat"]["server"]) == ("Grandstream HT814 1.0.41.2", "Camera 7")

    def test_no_forwarding_at_all_is_refused_by_the_router(self) -> None:
        seen = at_site("")
        assert (seen["direct"]["code"], seen["nat"]["kind"]) == (200, "refused")

    def test_the_kernel_s_alg_is_seen_by_the_contact_that_it_rewrites(self) -> None:
        seen = at_site(DNAT % "192.168.50.10" + ALG)
        assert (seen["direct"]["contact_host"], seen["nat"]["contact_host"]) == ("192.168.50.10", "203.0.113.5")
        assert seen["nat"]["code"] == 200
