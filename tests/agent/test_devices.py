"""A real device behind a real service: a trap makes the agent look at once, and what it sees becomes the case."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.needs_root, pytest.mark.needs("ip", "snmpd", "snmptrap")]

OURS, DEVICE = "198.18.77.1", "198.18.77.2"
WITHIN_S = 45.0  # the device's agent tells for 15 s what it read of its ports before


class Device:
    """A namespace with an SNMP agent and a port that can be switched off; the host's end of the wire is named `near`."""

    def __init__(self, folder: Path, snmpd: str) -> None:
        self.name = f"dev{os.getpid() % 100000}"
        self.near = f"v{self.name}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        subprocess.run(["ip", "link", "add", self.near, "type", "veth", "peer", "name", "mgmt", "netns", self.name], check=True)
        subprocess.run(["ip", "addr", "add", f"{OURS}/30", "dev", self.near], check=True)
        subprocess.run(["ip", "link", "set", self.near, "up"], check=True)
        self.ip("addr", "add", f"{DEVICE}/30", "dev", "mgmt")
        self.ip("link", "set", "mgmt", "up")
        self.ip("link", "set", "lo", "up")
        self.ip("link", "add", "uplink", "type", "veth", "peer", "name", "far")
        self.ip("link", "set", "far", "up")
        self.ip("link", "set", "uplink", "up")
        config = folder / "snmpd.conf"
        config.write_text(f"agentaddress udp:{DEVICE}:161\nrocommunity public\nsysName edge-a\n")
        command = ["ip", "netns", "exec", self.name, snmpd, "-f", "-Lf", str(folder / "snmpd.log"), "-C", "-c", str(config)]
        surroundings = {**os.environ, "SNMP_PERSISTENT_DIR": str(folder / "persistent")}
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=surroundings)

    def ip(self, *words: str) -> None:
        subprocess.run(["ip", "-n", self.name, *words], check=True)

    def trap(self, port: int, notification: str, community: str = "public") -> None:
        words = ["snmptrap", "-v2c", "-c", community, f"{OURS}:{port}", "42", notification]
        subprocess.run(["ip", "netns", "exec", self.name, *words], check=True, capture_output=True)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)
        subprocess.run(["ip", "netns", "del", self.name], check=True)
        subprocess.run(["ip", "link", "del", self.near], check=False, capture_output=True)


@pytest.fixture
def device(tmp_path: Path, binary: Callable[[str], str]) -> Iterator[Device]:
    made = Device(tmp_path, binary("snmpd"))
    yield made
    made.close()


def configuration(folder: Path, trap_port: int) -> str:
    community = folder / "community"
    community.write_text("public\n")
    community.chmod(0o600)
    return f"""
[traps]
listen = "{OURS}:{trap_port}"

[[credential]]
name = "ro"
snmp = "v2c"
community = {{ file = "{community}" }}

[[node]]
name = "here"

[[node]]
name = "edge"
kind = "router"
address = "{DEVICE}"
snmp = "ro"

[[node.check]]
prober = "snmp"
ports = ["uplink"]
parts = ["system", "interfaces"]
every = "1h"
"""


def test_a_trap_makes_the_agent_look_now_and_what_it_sees_is_the_case(
    device: Device, service: Any, tmp_path: Path, until: Callable[..., Any], port: Callable[..., int]
) -> None:
    traps = port(socket.SOCK_DGRAM)
    service.configure(configuration(tmp_path, traps))
    service.start()
    until(lambda: service.status()["checks"] == 1, WITHIN_S)
    assert service.cases() == []
    device.ip("link", "set", "uplink", "down")  # nobody would look again for an hour
    device.trap(traps, "1.3.6.1.6.3.1.1.5.3")
    cases = until(service.cases, WITHIN_S, why=f"a case; the journal:\n{service.journal}")
    assert [(case["cause"], case["element"]) for case in cases] == [("interface_admin_down", "edge:uplink")]
    assert service.metric('firstline_snmp_notifications_total{notification="linkDown",outcome="accepted"}') == 1
    device.ip("link", "set", "uplink", "up")
    device.trap(traps, "1.3.6.1.6.3.1.1.5.4")
    until(lambda: service.cases()[0]["cleared_at"] is not None, WITHIN_S)


def test_a_trap_is_not_believed_alone(
    device: Device, service: Any, tmp_path: Path, until: Callable[..., Any], port: Callable[..., int]
) -> None:
    traps = port(socket.SOCK_DGRAM)
    service.configure(configuration(tmp_path, traps))
    service.start()
    looks = service.metric('firstline_observations_total{outcome="ok",prober="snmp"}')
    device.trap(traps, "1.3.6.1.6.3.1.1.5.3")
    until(lambda: service.metric('firstline_observations_total{outcome="ok",prober="snmp"}') > looks, WITHIN_S)
    assert service.cases() == []
    device.trap(traps, "1.3.6.1.6.3.1.1.5.3", community="guessed")
    until(lambda: service.metric('firstline_snmp_notifications_total{notification="",outcome="wrong-credential"}') == 1, WITHIN_S)


def test_a_taken_port_is_named(service: Any, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        service.configure(f'[traps]\nlisten = "127.0.0.1:{other.getsockname()[1]}"\n[[node]]\nname = "here"\n')
        service.start(wait=False)
        service.process.wait(20)
    assert service.process.returncode == 3
    assert "[traps] listen: Address already in use" in service.journal
