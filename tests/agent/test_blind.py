"""The agent behind a gateway: "I can't see" is one case about what hides the others, never one about each of them."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

WITHIN_S = 15.0
GATEWAY, OUR = "198.51.100.1", "198.51.100.2"
FAR = ("198.18.0.1", "198.18.0.2", "198.18.0.3")
RESOLVER = "198.18.0.53"

pytestmark = [pytest.mark.needs_root, pytest.mark.needs("ip", "nft", "unbound")]

LISTEN = f"""
import socket
listener = socket.create_server(("{FAR[1]}", 5060), backlog=64)
print("ready", flush=True)
while True:
    listener.accept()[0].close()
"""


class Network:
    """Three namespaces in a row: the agent's, a gateway's, and a far one with targets and the agent's resolver."""

    def __init__(self, folder: Path, unbound: str, until: Callable[..., Any]) -> None:
        tag = f"bld{os.getpid() % 10000}"
        self.agent, self.gateway, self.far = f"{tag}a", f"{tag}g", f"{tag}f"
        self.folder, self.unbound, self.until = folder, unbound, until
        for name in (self.agent, self.gateway, self.far):
            subprocess.run(["ip", "netns", "add", name], check=True)
            self.ip(name, "link", "set", "lo", "up")
        self._join(self.agent, "up0", f"{OUR}/30", self.gateway, "gw0", f"{GATEWAY}/30")
        self._join(self.gateway, "gw1", "203.0.113.1/30", self.far, "far0", "203.0.113.2/30")
        self.ip(self.agent, "route", "add", "default", "via", GATEWAY)
        self.ip(self.far, "route", "add", "default", "via", "203.0.113.1")
        self.ip(self.gateway, "route", "add", "198.18.0.0/24", "via", "203.0.113.2")
        self.inside(self.gateway, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        for address in (*FAR, RESOLVER):
            self.ip(self.far, "addr", "add", f"{address}/32", "dev", "lo")
        own = Path("/etc/netns") / self.agent  # `ip netns exec` shows these in place of the files of /etc
        own.mkdir(parents=True)
        (own / "resolv.conf").write_text(f"nameserver {RESOLVER}\noptions timeout:1 attempts:1\n")
        (own / "hosts").write_text("127.0.0.1 localhost\n")
        command = ["ip", "netns", "exec", self.far, sys.executable, "-c", LISTEN]
        self.listener = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.listener.stdout is not None
        assert self.listener.stdout.readline() == "ready\n"
        self.dns: subprocess.Popen[bytes] | None = None
        self.mend_resolver()

    def _join(self, one: str, near: str, near_address: str, other: str, far: str, far_address: str) -> None:
        subprocess.run(["ip", "link", "add", near, "netns", one, "type", "veth", "peer", "name", far, "netns", other], check=True)
        for namespace, name, address in ((one, near, near_address), (other, far, far_address)):
            self.ip(namespace, "addr", "add", address, "dev", name)
            self.ip(namespace, "link", "set", name, "up")

    @staticmethod
    def ip(namespace: str, *words: str) -> None:
        subprocess.run(["ip", "-n", namespace, *words], check=True)

    @staticmethod
    def inside(namespace: str, *words: str, check: bool = True) -> int:
        done = subprocess.run(["ip", "netns", "exec", namespace, *words], check=check, capture_output=True)
        return done.returncode

    def break_gateway(self) -> None:
        """Let it hang: the link stays up, nothing that comes in is looked at."""
        self.inside(
            self.gateway, "nft", "table netdev hung { chain everything { type filter hook ingress device gw0 priority 0; policy drop; }; }"
        )

    def mend_gateway(self) -> None:
        self.inside(self.gateway, "nft", "delete table netdev hung")

    def break_uplink(self) -> None:
        self.ip(self.gateway, "link", "set", "gw0", "down")

    def mend_uplink(self) -> None:
        self.ip(self.gateway, "link", "set", "gw0", "up")

    def break_target(self) -> None:
        rules = f"table ip dead {{ chain everything {{ type filter hook input priority 0; ip daddr {FAR[0]} drop; }}; }}"
        self.inside(self.far, "nft", rules)

    def mend_target(self) -> None:
        self.inside(self.far, "nft", "delete table ip dead")

    def break_resolver(self) -> None:
        assert self.dns is not None
        self.dns.terminate()
        self.dns.wait(10)

    def mend_resolver(self) -> None:
        config = self.folder / "unbound.conf"
        config.write_text(
            f'server:\n interface: {RESOLVER}\n access-control: 0.0.0.0/0 allow\n username: ""\n chroot: ""\n directory: "{self.folder}"\n'
            ' pidfile: ""\n use-syslog: no\n logfile: ""\n do-daemonize: no\n local-zone: "example." static\n'
            f' local-data: "three.example. 60 IN A {FAR[2]}"\n module-config: "iterator"\nremote-control:\n control-enable: no\n'
        )
        with (self.folder / "unbound.log").open("ab") as log:
            command = ["ip", "netns", "exec", self.far, self.unbound, "-d", "-c", str(config)]
            self.dns = subprocess.Popen(command, stdout=log, stderr=log)
        answers = ["getent", "ahostsv4", "three.example"]
        self.until(lambda: self.inside(self.agent, *answers, check=False) == 0, why="the resolver")

    def close(self) -> None:
        for process in (self.listener, self.dns):
            if process is not None:
                process.kill()
                process.wait()
        if self.listener.stdout is not None:
            self.listener.stdout.close()
        for name in (self.agent, self.gateway, self.far):
            subprocess.run(["ip", "netns", "del", name], check=False)
        own = Path("/etc/netns") / self.agent
        for file in own.iterdir():
            file.unlink()
        own.rmdir()


CONFIGURATION = f"""
[[silence]]
name = "the clock of this machine is not part of the test"
checks = ["host/*"]

[[node]]
name = "here"
address = "localhost"

[[node.check]]
prober = "interfaces"
every = "6s"
names = ["up0"]

[[node]]
name = "gateway"
address = "{GATEWAY}"

[[node.check]]
prober = "icmp"
every = "6s"

[[node]]
name = "one"
address = "{FAR[0]}"

[[node.check]]
prober = "icmp"
every = "6s"

[[node]]
name = "two"
address = "{FAR[1]}"

[[node.check]]
prober = "tcp"
port = 5060
every = "6s"

[[node]]
name = "three"
address = "three.example"

[[node.check]]
prober = "icmp"
every = "6s"

[[node]]
name = "resolver"
address = "{RESOLVER}"

[[node.check]]
prober = "dns"
name = "three.example"
every = "6s"
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory, binary: Callable[[str], str], until: Callable[..., Any]) -> Iterator[Network]:
    one = Network(tmp_path_factory.mktemp("network"), binary("unbound"), until)
    yield one
    one.close()


@pytest.fixture(scope="module")
def running(network: Network, shared_service: Any) -> Any:
    shared_service.before = ("ip", "netns", "exec", network.agent)
    shared_service.configure(CONFIGURATION, "per_target_metrics = true")
    shared_service.start()
    return shared_service


def states(service: Any) -> dict[str, str]:
    """Return the worst state that the metrics show of each node: critical beats warning beats unknown."""
    names = ("ok", "warning", "critical", "unknown")
    found: dict[str, set[str]] = {}
    for node, code in re.findall(r'^firstline_state{[^}]*node="([^"]+)"[^}]*} ([0-3])\.0$', service.ask("GET", "/metrics")[1], re.M):
        found.setdefault(node, set()).add(names[int(code)])
    return {node: next(name for name in ("critical", "warning", "unknown", "ok") if name in seen) for node, seen in found.items()}


def reasons(service: Any) -> set[str]:
    return {problem["id"] for problem in service.status()["problems"] if problem["id"].startswith("sight.")}


# fault: the cause and the element of its one case, what the status says, and the nodes that are unknown meanwhile
FAULTS = {
    "gateway": ("host_down", "gateway", {"sight.gateway"}, {"one", "two", "three", "resolver"}),
    "uplink": ("agent_blind", "here", {"sight.uplink"}, {"one", "two", "three", "resolver", "gateway"}),
    "target": ("host_down", "one", set(), set()),
    "resolver": ("process_down", "resolver:", set(), {"three"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_hides_others_is_one_case_and_they_are_unknown(fault: str, running: Any, network: Network, until: Any) -> None:
    cause, element, why, hidden = FAULTS[fault]
    before = len(running.lines())
    until(lambda: set(states(running).values()) == {"ok"}, WITHIN_S, why="all well")

    getattr(network, f"break_{fault}")()
    broken = time.monotonic()
    try:
        opened = until(lambda: [line for line in running.lines()[before:] if line["event"] == "opened"], WITHIN_S, why=running.journal)
        print(f"{fault}: case after {time.monotonic() - broken:.1f} s")
        # what goes by a name is seen as long as the name's address is remembered, 30 s
        until(lambda: {node for node, state in states(running).items() if state == "unknown"} == hidden, 45, why=f"unknown are {hidden}")
        until(lambda: reasons(running) == why, WITHIN_S, why=f"seen as {why}")
        assert opened[0]["identity"]["cause"] == cause
        assert opened[0]["identity"]["element"].startswith(element)
    finally:
        getattr(network, f"mend_{fault}")()
    mended = time.monotonic()
    until(lambda: not running.status()["cases"] and set(states(running).values()) == {"ok"}, WITHIN_S, why=f"the truth after {fault}")
    print(f"{fault}: truth is back after {time.monotonic() - mended:.1f} s")
    until(lambda: running.lines()[before:][-1:] and running.lines()[-1]["event"] == "cleared", why="told that it is over")
    events = [line["event"] for line in running.lines()[before:] if line["event"] != "updated"]
    assert events == ["opened", "cleared"], running.lines()[before:]
    assert reasons(running) == set()


def test_way_that_comes_after_the_start_is_known_when_it_matters(network: Network, service: Any, until: Any, running: Any) -> None:
    """As at boot: the service is there before the network is. What is behind the gateway must not be blamed when that falls silent."""
    network.ip(network.agent, "route", "del", "default")
    service.before = ("ip", "netns", "exec", network.agent)
    service.configure(CONFIGURATION, "per_target_metrics = true")
    try:
        service.start()
        assert states(service)["two"] == "unknown"
        assert service.cases() == []
    finally:
        network.ip(network.agent, "route", "add", "default", "via", GATEWAY)
    until(lambda: set(states(service).values()) == {"ok"}, why=service.journal)
    network.break_gateway()
    try:
        until(lambda: reasons(service) == {"sight.gateway"}, 25, why=f"{reasons(service)}")
        until(lambda: len(service.cases()) == 1, why=service.journal)
        assert service.cases()[0]["element"] == "gateway"
    finally:
        network.mend_gateway()
