"""The lab: an operator with its softswitch, its fibres to the carrier and two customers, up in seconds and gone in one."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.lab import daemons, faults, kernel, recordings, servers, topology
from tests.lab.daemons import wait_until
from tests.lab.eye import ISOLATED, Eye, Look, Series
from tests.lab.node import FILES, Node
from tests.lab.topology import MACHINES, SERVICES, Home
from tests.lab.wire import Wire

NEEDS = [  # of every test that uses the lab
    pytest.mark.needs_root,
    pytest.mark.needs(
        "ip",
        "unshare",
        "setpriv",
        "nft",
        "ping",
        "arping",
        "snmpd",
        "snmpget",
        "bgpd",
        "kamailio",
        "unbound",
        "nginx",
        "openssl",
        "postgres",
        "chronyd",
        "faketime",
    ),
]
BESIDE_OTHERS_S, RECOVERS_S = 4.0, 30.0
SYS_UPTIME = "1.3.6.1.2.1.1.3.0"
OUR_NETWORK = "10.0.0.0/24"
OURS_BY_BGP = (OUR_NETWORK, "10.254.0.0/30", "10.254.0.4/30", "192.168.50.0/24", "192.168.60.0/24", "192.168.70.0/24")
WITH_AGENT = ("edge", "core", "soft", "db", "ups", "branch-sw", "branch-1", "branch-2")  # of SNMP


class Lab:
    """A running lab. `node` are its machines, `wire` its fibres, `took_s` how long it took to come up."""

    def __init__(self) -> None:
        started = time.monotonic()
        self.standing = 0  # faults
        self._kernels: subprocess.Popen[bytes] | None = None
        self.node: dict[str, Node] = {}
        self.wire: dict[str, Wire] = {}
        self.eyes: dict[str, Eye] = {}
        try:
            self._build()
        except BaseException:
            self.down()
            raise
        self.took_s = time.monotonic() - started

    def _build(self) -> None:
        for machine in MACHINES:
            self.node[machine.name] = Node(machine.name, machine.forwards, machine.up_days, topology.SOFT)
        for node in self.node.values():
            node.ready()
        made = servers.make_database(self.node["db"])
        self._lay_cables()
        self.eyes["agent"] = Eye(self.node["agent"])
        for machine in MACHINES:
            self.node[machine.name].ip(*machine.setup)
        self._keep_kernels()
        self._start_daemons()
        assert made.wait(30) == 0, made.communicate()[1]
        made.communicate()
        servers.start_postgresql(self.node["db"])
        self._wait()

    def _keep_kernels(self) -> None:
        """Let all with an SNMP agent see memory and processors of their own instead of those of the machine under the lab."""
        mounts = " && ".join(f"mount --bind {FILES}/{file} /proc/{file}" for file in ("stat", "meminfo"))
        command = [sys.executable, str(Path(__file__).with_name("kernel.py"))]
        for name in WITH_AGENT:
            node = self.node[name]
            node.write("stat", kernel.stat(10_000, 500))
            node.write("meminfo", kernel.memory())
            node.run("sh", "-c", mounts)
            command.append(str(node.files / "stat"))
        self._kernels = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def _lay_cables(self) -> None:
        pid = {name: node.pid for name, node in self.node.items()}
        lines = [f"link add {one.a_port} netns {pid[one.a]} type veth peer name {one.b_port} netns {pid[one.b]}" for one in topology.CABLES]
        subprocess.run(["ip", "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True, capture_output=True)
        for fibre in topology.FIBRES:
            self.wire[fibre.name] = Wire(pid[fibre.a], fibre.name, pid[fibre.b], fibre.name)
        for wire in self.wire.values():
            wire.ready()

    def _start_daemons(self) -> None:
        edge, soft, carrier = self.node["edge"], self.node["soft"], self.node["carrier"]
        self.ports = {fibre.name: daemons.port_index(edge, fibre.name) for fibre in topology.FIBRES}
        self.edge_ports = max(daemons.port_index(edge, port) for port in (*self.ports, "cust0", "cust1", "lan0"))
        self._lines = self._own_lines()
        for name in WITH_AGENT:
            self.start_snmp(name)
        daemons.bgp(edge, 65001, "1.1.1.1", 64512, (topology.POP_FIB0, topology.POP_FIB1), OURS_BY_BGP)
        ends = (topology.EDGE_FIB0, topology.EDGE_FIB1)
        daemons.bgp(self.node["pop"], 64512, "2.2.2.2", 65001, ends, ("203.0.113.0/24",))
        daemons.kamailio(soft, topology.SOFT)
        servers.resolver(soft)
        servers.carriers_resolver(carrier)
        servers.chronyd(soft)
        for name in ("soft", "branch-1", "branch-2"):
            servers.nginx(self.node[name])
        for home in topology.HOMES:
            self.translate(home)
            self.start_gateway(home.gateway)
        carrier.start_python("gateway", "gateway.py", topology.CARRIER, "CarrierSwitch/7", "")
        carrier.start_python("reflector", "reflector.py", topology.CARRIER, OUR_NETWORK)

    def _own_lines(self) -> dict[str, list[str]]:
        """Return the lines that SNMP agents have of their own."""
        edge, core, ups = self.node["edge"], self.node["core"], self.node["ups"]
        return {
            "edge": [
                f"sysObjectID {daemons.HUAWEI_ROUTER}",
                "sysDescr Huawei Versatile Routing Platform Software VRP (R) software, Version 8.180 (NE40E V800R010C10SPC500)",
                *(f"interface {port} 6 {topology.FIBRE_KBIT * 1000}" for port in self.ports),
                f"trap2sink {topology.AGENT} {daemons.COMMUNITY}",
                *daemons.recorded(edge, "edge.snmprec", recordings.edge(self.ports), *recordings.EDGE_TREES),
                *daemons.recorded(edge, "errors.snmprec", recordings.errors(self.edge_ports), daemons.IF_IN_ERRORS),
            ],
            "core": daemons.recorded(core, "core.snmprec", recordings.core(), *recordings.CORE_TREES),
            "ups": daemons.recorded(ups, "ups.snmprec", recordings.ups(), *recordings.UPS_TREES),
            "db": [f"disk {servers.DATA} 5%"],
        }

    def start_snmp(self, name: str, just_up: bool = False, community: str = daemons.COMMUNITY) -> None:
        daemons.snmpd(self.node[name], *self._lines.get(name, ()), just_up=just_up, community=community)

    def start_gateway(self, name: str, software: str = "", codecs: str = "", registers: bool = True) -> None:
        """Start a customer's gateway, which says that it is this software and has these codecs."""
        home = topology.HOME_OF[name]
        words = (home.gateway_address, software or home.software, codecs, *((topology.SOFT, home.number) if registers else ()))
        self.node[name].start_python("gateway", "gateway.py", *words)

    def start_service(self, service: str) -> None:
        """Start a service of `SERVICES` that has ended, and wait until it answers."""
        start = {
            "sip": lambda node: daemons.kamailio(node, topology.SOFT),
            "dns": servers.resolver,
            "https": servers.nginx,
            "postgresql": servers.start_postgresql,
            "ntp": servers.chronyd,
        }
        start[service](self.node[SERVICES[service].node])
        self.until(lambda: self.serves(service), service)

    def all_registered(self) -> bool:
        return daemons.registered(self.node["soft"]) == len(topology.HOMES)

    def restart_snmp(self, name: str, just_up: bool = False, community: str = daemons.COMMUNITY) -> None:
        """End the SNMP agent of a machine, start it, and wait for its answer."""
        self.node[name].daemons["snmpd"].kill()
        self.start_snmp(name, just_up, community)
        self.until(lambda: self.answers_snmp(name, community), f"SNMP of {name}")

    def answers_snmp(self, name: str, community: str = daemons.COMMUNITY) -> bool:
        address = topology.ADDRESS[name]
        return self.node["agent"].succeeds("snmpget", "-v2c", "-c", community, "-t0.2", "-r0", address, SYS_UPTIME)

    def translate(self, home: Home, gateway: str = "", more: str = "") -> None:
        """Load a site's address translation: voice from outside to its gateway, everything from inside behind the site's address."""
        to = gateway or home.gateway_address
        self.node[home.router].nft(
            f"""flush ruleset
table ip translate {{
{more}
  chain in {{ type nat hook prerouting priority -100; iifname wan0 ip daddr {home.public} udp dport {{ 5060, 40000 }} dnat to {to}; }}
  chain out {{ type nat hook postrouting priority 100; oifname wan0 masquerade; }}
}}
"""
        )

    def _wait(self) -> None:
        """Return when everything works that has to."""
        edge = self.node["edge"]
        for name in WITH_AGENT:
            wait_until(partial(self.answers_snmp, name), f"SNMP of {name}")
        for name in ("edge", "core", "branch-sw"):
            daemons.believe_interfaces_at_once(self.node[name])
        wait_until(self.all_registered, "every gateway registered")
        wait_until(self.routed, f"BGP:\n{edge.daemons['bgpd'].log}\n{edge.daemons['zebra'].log}")
        wait_until(self.both_peers, "both BGP peers")
        self.eyes["agent"].answer()
        for service in SERVICES:
            wait_until(partial(self.serves, service), service)

    def until(self, true: Callable[[], object], why: str, within_s: float = 20.0) -> None:
        """Wait until something that a fault makes or undoes holds; beside other faults it may never, and is waited for a while only."""
        if self.standing <= 1:
            wait_until(true, why, within_s)
            return
        end = time.monotonic() + BESIDE_OTHERS_S
        while not true() and time.monotonic() < end:
            time.sleep(0.05)

    def recover(self, what: str) -> None:
        """Wait until everything works after this."""
        try:
            wait_until(self.healthy, what, RECOVERS_S)
        except AssertionError as why:
            raise AssertionError(f"not healthy after {what}: {self.ills()} {self.peer_states()}") from why

    def routed(self, via: str = topology.POP_FIB0) -> bool:
        """Tell whether the edge router knows the carrier's network by this neighbour, and the PoP the way back."""
        there = self.node["edge"].run("ip", "route", "show", "203.0.113.0/24")
        back = self.node["pop"].run("ip", "route", "show", "10.0.0.0/24")
        return via in there and {topology.POP_FIB0: topology.EDGE_FIB0, topology.POP_FIB1: topology.EDGE_FIB1}[via] in back

    def peer_states(self) -> list[str]:
        """Return bgpPeerState of the edge router's peers; 6 is established."""
        row = ("snmpwalk", "-v2c", "-c", daemons.COMMUNITY, "-Oqv", "-t1", "-r0", topology.EDGE, "1.3.6.1.2.1.15.3.1.2")
        return self.node["agent"].run(*row, check=False).split()

    def both_peers(self) -> bool:
        return self.peer_states() == ["6", "6"]

    def carried(self) -> bool:
        """Tell whether both BGP sessions are up and the first fibre carries."""
        return self.routed() and self.both_peers()

    def healthy(self) -> bool:
        """Tell whether everything works."""
        return self.carried() and self.all_registered() and not self.ills()

    def ills(self) -> list[str]:
        """Return what an agent that looks at every machine and service once finds wrong."""
        looks: dict[str, tuple[str, str, dict[str, Any]]] = {
            name: ("icmp", address, {"count": 1}) for name, address in topology.ADDRESS.items()
        }
        looks |= {f"SIP of {home.gateway}": ("sip", home.gateway_address, {}) for home in topology.HOMES}
        looks |= {service: (one.prober, topology.ADDRESS[one.node], dict(one.options)) for service, one in SERVICES.items()}
        looks |= {f"name {name}": ("dns", topology.SOFT, {"name": name}) for name in (topology.OWN_NAME, topology.OUTSIDE_NAME)}
        found = {what: self.look(prober, address, 1, **options) for what, (prober, address, options) in looks.items()}
        ills = [f"{what}: {look}" for what, look in found.items() if look.bad - {("tls/chain", "443 portal.lab")}]
        return ills + [f"SNMP of {name}" for name in self._silent_agents()]

    def _silent_agents(self) -> list[str]:
        """Return the machines whose SNMP agent does not answer; all are asked at once."""
        ask = f"snmpget -v2c -c {daemons.COMMUNITY} -t0.5 -r0 $1 {SYS_UPTIME} >/dev/null 2>&1 || echo $0"
        each = " ".join(f"{name} {topology.ADDRESS[name]}" for name in WITH_AGENT)
        script = f"echo {each} | xargs -n2 -P{len(WITH_AGENT)} sh -c '{ask}'"
        return self.node["agent"].run("sh", "-c", script, check=False).split()

    def serves(self, service: str) -> bool:
        """Tell whether a service of `SERVICES` answers the agent at all."""
        one = SERVICES[service]
        return bool(self.look(one.prober, topology.ADDRESS[one.node], 1, **one.options).seen["type"] != "failure")

    def look(self, prober: str, target: str, timeout_s: float | None = None, **options: Any) -> Look:
        """Return what the check says now, measured from the agent."""
        return Look(self.eyes["agent"].ask("check", prober=prober, target=target, options=options, timeout_s=timeout_s))

    @contextmanager
    def series(self, prober: str, target: str, timeout_s: float | None = None, every_s: float = 0.2, **options: Any) -> Iterator["Series"]:
        """Give looks of which each sees the one before; `first` is the first."""
        eye = self.eyes["agent"]
        first = Look(eye.ask("open", prober=prober, target=target, options=options, timeout_s=timeout_s, every_s=every_s))
        try:
            yield Series(eye, first)
        finally:
            eye.ask("close")

    def through(self, fault: str, prober: str, target: str, timeout_s: float | None = None, **options: Any) -> tuple[Look, Look, Look]:
        """Return what a check says before a fault, in it and after it, each look knowing the one before."""
        with self.series(prober, target, timeout_s, **options) as looks:
            with self.fault(fault):
                during = looks.next()
            return looks.first, during, looks.next()

    def firstline(self, *words: str, timeout_s: float = 60.0) -> "subprocess.CompletedProcess[str]":
        """Run the program itself at the agent."""
        command = self.node["agent"].inside([str(Path(sys.executable).with_name("firstline")), *words])
        surroundings = {**os.environ, **ISOLATED}
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False, env=surroundings)

    def fault(self, name: str, seed: int | None = None) -> AbstractContextManager[faults.Truth]:
        """Make a fault of `faults.FAULTS` and undo it; on return each holds. Without a seed its place and severity are the plainest."""
        return faults.FAULTS[name].plant(self, faults.Plain() if seed is None else random.Random(seed))

    def down(self) -> None:
        """Take everything away."""
        for eye in self.eyes.values():
            eye.down()
        for wire in self.wire.values():
            wire.down()
        if self._kernels is not None and self._kernels.stdin is not None:
            self._kernels.stdin.close()
            self._kernels.wait(10)
        for node in self.node.values():
            node.down()
        for node in self.node.values():
            node.gone()


def main() -> None:
    """`python -m tests.lab.lab`: bring a lab up, tell how to enter it, keep it until a signal or the end of the input."""
    lab = Lab()
    print(f"up in {lab.took_s:.2f} s", flush=True)
    for name, node in lab.node.items():
        print(f"{name}: nsenter -t {node.pid} -n -m -p -u -i -T sh", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        sys.stdin.read()
    finally:
        started = time.monotonic()
        lab.down()
        print(f"gone in {time.monotonic() - started:.2f} s", flush=True)


if __name__ == "__main__":
    main()
