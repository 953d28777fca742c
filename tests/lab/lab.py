"""The lab: an operator with its softswitch, its fibres to the carrier and two customers, up in seconds and gone in one."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import daemons, faults, recordings, topology
from tests.lab.daemons import wait_until
from tests.lab.node import Node
from tests.lab.topology import MACHINES, Home
from tests.lab.wire import Wire

NEEDS = [  # of every test that uses the lab
    pytest.mark.needs_root,
    pytest.mark.needs(
        "ip", "unshare", "setpriv", "nft", "ping", "arping", "snmpd", "snmpget", "bgpd", "kamailio", "unbound", "nginx", "openssl"
    ),
]
SYS_UPTIME = "1.3.6.1.2.1.1.3.0"
OUR_NETWORK = "10.0.0.0/24"
OURS_BY_BGP = (OUR_NETWORK, "10.254.0.0/30", "10.254.0.4/30", "192.168.50.0/24", "192.168.60.0/24")
ISOLATED = {"FIRSTLINE_CONFIG": "", "FIRSTLINE_SOCKET": "/run/lab/none", "FIRSTLINE_LANG": "en"}


@dataclass(frozen=True)
class Found:
    """One finding of a check, as its test looks at it."""

    check: str
    item: str
    state: str
    message: str
    values: dict[str, Any]
    value: float | None


class Look:
    """One check's reading: `findings`, and `seen`, the sample or failure as JSON."""

    def __init__(self, told: dict[str, Any]) -> None:
        assert "problem" not in told, told
        self.seen: dict[str, Any] = told["seen"]
        self.findings = [Found(**one) for one in told["findings"]]

    def of(self, check: str, item: str = "") -> Found:
        """Return the only finding of a check (of an item, where there are several)."""
        found = [one for one in self.findings if one.check == check and item in {"", one.item}]
        assert len(found) == 1, f"{len(found)} findings of {check} {item}: {self}"
        return found[0]

    @property
    def bad(self) -> set[tuple[str, str]]:
        """Check and item of everything that is warning or critical."""
        return {(one.check, one.item) for one in self.findings if one.state in {"warning", "critical"}}

    def __repr__(self) -> str:
        lines = [f"{one.check} [{one.item}] {one.state} {one.message} {one.values}" for one in self.findings]
        return "\n".join(["", *lines, json.dumps(self.seen)[:4000]])


class Eye:
    """The checks, measured from a machine; one process answers one after another."""

    def __init__(self, node: Node) -> None:
        log = (node.files / "eye.log").open("ab")
        command = node.inside([sys.executable, str(Path(__file__).with_name("looking.py"))])
        pipe = subprocess.PIPE
        surroundings = {**os.environ, **ISOLATED, "PYTHONPATH": str(Path(__file__).parents[2])}
        with log:
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=log, text=True, start_new_session=True, env=surroundings
            )
        self._log = node.files / "eye.log"

    def answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the eye is blind: {self._log.read_text()[-3000:]}"
        return dict(json.loads(line))

    def ask(self, do: str, **words: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **words}) + "\n")
        self._process.stdin.flush()
        told = self.answer()
        assert told.get("seen", {}).get("kind") != "broken", self._log.read_text()[-3000:]
        return told

    def down(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        self._process.wait(10)


class Lab:
    """A running lab. `node` are its machines, `wire` its fibres, `took_s` how long it took to come up."""

    def __init__(self) -> None:
        started = time.monotonic()
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
        self._lay_cables()
        self.eyes["agent"] = Eye(self.node["agent"])
        for machine in MACHINES:
            self.node[machine.name].ip(*machine.setup)
        self._start_daemons()
        self._wait()

    def _lay_cables(self) -> None:
        pid = {name: node.pid for name, node in self.node.items()}
        lines = [f"link add {one.a_port} netns {pid[one.a]} type veth peer name {one.b_port} netns {pid[one.b]}" for one in topology.CABLES]
        subprocess.run(["ip", "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True, capture_output=True)
        for fibre in topology.FIBRES:
            self.wire[fibre.name] = Wire(pid[fibre.a], fibre.name, pid[fibre.b], fibre.name)
        for wire in self.wire.values():
            wire.ready()

    def _start_daemons(self) -> None:
        edge, core, soft = self.node["edge"], self.node["core"], self.node["soft"]
        self.ports = {fibre.name: daemons.port_index(edge, fibre.name) for fibre in topology.FIBRES}
        self.edge_ports = max(self.ports.values())
        daemons.snmpd(
            edge,
            f"sysObjectID {daemons.HUAWEI_ROUTER}",
            "sysDescr Huawei Versatile Routing Platform Software VRP (R) software, Version 8.180 (NE40E V800R010C10SPC500)",
            *(f"interface {port} 6 1000000000" for port in self.ports),
            f"trap2sink {topology.AGENT} {daemons.COMMUNITY}",
            *daemons.recorded(edge, "edge.snmprec", recordings.edge(self.ports), *recordings.EDGE_TREES),
            *daemons.recorded(edge, "errors.snmprec", recordings.errors(self.edge_ports), daemons.IF_IN_ERRORS),
        )
        daemons.snmpd(core, *daemons.recorded(core, "core.snmprec", recordings.core(), *recordings.CORE_TREES))
        daemons.snmpd(soft)
        daemons.snmpd(self.node["db"])
        daemons.bgp(edge, 65001, "1.1.1.1", 64512, (topology.POP_FIB0, topology.POP_FIB1), OURS_BY_BGP)
        ends = (topology.EDGE_FIB0, topology.EDGE_FIB1)
        daemons.bgp(self.node["pop"], 64512, "2.2.2.2", 65001, ends, ("203.0.113.0/24",))
        daemons.kamailio(soft, topology.SOFT)
        daemons.unbound(soft, topology.SOFT)
        daemons.nginx(soft)
        for home in topology.HOMES:
            self.translate(home)
            self.start_gateway(home.gateway)
        self.node["carrier"].start_python("gateway", "gateway.py", topology.CARRIER, "CarrierSwitch/7")
        self.node["carrier"].start_python("reflector", "reflector.py", topology.CARRIER, OUR_NETWORK)

    def start_gateway(self, name: str, software: str = "") -> None:
        """Start a customer's gateway, which says that it is this software."""
        home = topology.HOME_OF[name]
        words = (home.gateway_address, software or home.software, topology.SOFT, home.number)
        self.node[name].start_python("gateway", "gateway.py", *words)

    def all_registered(self) -> bool:
        return daemons.registered(self.node["soft"]) == len(topology.HOMES)

    def restart_snmp(self, name: str, just_up: bool = False) -> None:
        """End the SNMP agent of a machine that has nothing recorded, start it, and wait for its answer."""
        self.node[name].daemons["snmpd"].kill()
        daemons.snmpd(self.node[name], just_up=just_up)
        wait_until(
            lambda: self.node[name].succeeds("snmpget", "-v2c", "-c", daemons.COMMUNITY, "-t0.2", "-r0", "127.0.0.1", SYS_UPTIME), "SNMP"
        )

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
        agent, edge = self.node["agent"], self.node["edge"]
        snmp = ("snmpget", "-v2c", "-c", daemons.COMMUNITY, "-t0.2", "-r0")
        for address in (topology.EDGE, topology.CORE, topology.SOFT, topology.DB):
            wait_until(lambda a=address: agent.succeeds(*snmp, a, SYS_UPTIME), f"SNMP of {address}")
        for name in ("edge", "core"):
            daemons.believe_interfaces_at_once(self.node[name])
        wait_until(self.all_registered, "every gateway registered")
        wait_until(self.routed, f"BGP:\n{edge.daemons['bgpd'].log}\n{edge.daemons['zebra'].log}")
        wait_until(self.both_peers, "both BGP peers")
        self.eyes["agent"].answer()

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

    def healthy(self) -> bool:
        return self.routed() and self.both_peers()

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
        for node in self.node.values():
            node.down()
        for node in self.node.values():
            node.gone()


class Series:
    """Looks at one target, each with the one before it."""

    def __init__(self, eye: Eye, first: Look) -> None:
        self._eye = eye
        self.first = first

    def next(self) -> Look:
        return Look(self._eye.ask("next"))


def main() -> None:
    """`python -m tests.lab.lab`: bring a lab up, tell how to enter it, keep it until a signal or the end of the input."""
    lab = Lab()
    print(f"up in {lab.took_s:.2f} s", flush=True)
    for name, node in lab.node.items():
        print(f"{name}: nsenter -t {node.pid} -n -m -p -u -T sh", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        sys.stdin.read()
    finally:
        started = time.monotonic()
        lab.down()
        print(f"gone in {time.monotonic() - started:.2f} s", flush=True)


if __name__ == "__main__":
    main()
