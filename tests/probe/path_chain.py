"""A chain of routers in network namespaces: agent – edge – pop (or pop2) – far; for tests, imported by path.

    agent 10.0.0.2 ── 10.0.0.1 edge 10.255.0.1 ── 10.255.0.2 pop  10.254.0.1 ── 10.254.0.2 far 203.0.113.10
                                    10.255.1.1 ── 10.255.1.2 pop2 10.254.1.1 ── 10.254.1.2
The same in IPv6 with fd00:A:B::/64 and 2001:db8::10. The way leads over pop unless a test changes it.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import msgspec

ROOT = Path(__file__).parents[2]
NODES = ("agent", "edge", "pop", "pop2", "far")
WIRES = (("agent", "edge", "0:0"), ("edge", "pop", "255:0"), ("edge", "pop2", "255:1"), ("pop", "far", "254:0"), ("pop2", "far", "254:1"))
FAR, FAR6 = "203.0.113.10", "2001:db8::10"


def addresses(wire: str, end: int) -> tuple[str, str]:
    """Return both addresses of one end (0, 1) of a wire; the agent is 10.0.0.2, for the rest the end nearer to it has .1."""
    high, low = wire.split(":")
    last = (2 if end == 0 else 1) if wire == "0:0" else end + 1
    return f"10.{high}.{low}.{last}", f"fd00:{high}:{low}::{last}"


class Chain:
    """The namespaces, from `with` to its end, and a program in the agent's that measures."""

    def __init__(self, uid: int = 0) -> None:
        self._name = f"fl{os.getpid()}-{time.monotonic_ns() % 10**6}-"
        self._uid = uid
        self._hurt: set[str] = set()
        self._asked: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._build()
            self._wait()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def run(self, node: str, *command: str, check: bool = True) -> str:
        """Run a command within a node; return what it printed."""
        done = subprocess.run(["ip", "netns", "exec", self._name + node, *command], capture_output=True, text=True, check=False, timeout=20)
        assert done.returncode == 0 or not check, f"{node}: {' '.join(command)}: {done.stderr}"
        return done.stdout

    def ip(self, node: str, *lines: str) -> None:
        """Run lines of ip(8) within a node."""
        done = subprocess.run(
            ["ip", "-n", self._name + node, "-batch", "-"], input="\n".join(lines) + "\n", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{node}: {done.stderr}"

    def nft(self, node: str, *rules: str, hook: str = "forward") -> None:
        """Let a node drop or answer packets by rules of nft(8) until `heal`; each call adds a chain."""
        self._hurt.add(node)
        chain = f"inet fault c{time.monotonic_ns()}"
        lines = [
            "add table inet fault",
            f"add chain {chain} {{ type filter hook {hook} priority 0; }}",
            *(f"add rule {chain} {r}" for r in rules),
        ]
        self.run(node, "nft", "; ".join(lines))

    def heal(self) -> None:
        """Take away what `nft` did."""
        while self._hurt:
            node = self._hurt.pop()
            self.run(node, "nft", "add table inet fault; delete table inet fault")

    def ask(self, prober: str, address: str, **options: Any) -> Any:
        """Return the outcome of one measurement from the agent's namespace, as plain JSON."""
        if self._asked is None:
            program = ["ip", "netns", "exec", self._name + "agent", sys.executable, str(ROOT / "tests/probe/path_lab.py"), str(self._uid)]
            env = os.environ | {"PYTHONPATH": str(ROOT)}
            self._asked = subprocess.Popen(program, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._asked.stdin is not None
        assert self._asked.stdout is not None
        self._asked.stdin.write(msgspec.json.encode({"prober": prober, "address": address, "options": options}) + b"\n")
        self._asked.stdin.flush()
        return msgspec.json.decode(self._asked.stdout.readline())

    def popen(self, node: str, *program: str) -> subprocess.Popen[bytes]:
        """Start a program within a node; whoever did ends it."""
        return subprocess.Popen(
            ["ip", "netns", "exec", self._name + node, *program],
            cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def forget(self) -> None:
        """End the measuring program: the next question meets one that has seen nothing yet."""
        if self._asked is not None:
            assert self._asked.stdin is not None
            assert self._asked.stdout is not None
            self._asked.stdin.close()
            try:
                self._asked.wait(5)
            except subprocess.TimeoutExpired:
                self._asked.kill()
                self._asked.wait()
            self._asked.stdout.close()
            self._asked = None

    def _build(self) -> None:
        for node in NODES:
            subprocess.run(["ip", "netns", "add", self._name + node], check=True)
            self.run(
                node, "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0", "net.ipv4.ip_forward=1",
                "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
            )  # fmt: skip
            self.ip(node, "link set lo up")
        for a, b, wire in WIRES:
            self.ip(a, f"link add {b} type veth peer name {a} netns {self._name}{b}")
            for end, (node, name) in enumerate(((a, b), (b, a))):
                v4, v6 = addresses(wire, end)
                self.ip(node, f"addr add {v4}/24 dev {name}", f"addr add {v6}/64 dev {name} nodad", f"link set {name} up")
        self.ip("far", f"addr add {FAR}/32 dev lo", f"addr add {FAR6}/128 dev lo nodad")
        self.ip("agent", "route add default via 10.0.0.1", "route add ::/0 via fd00:0:0::1")
        self.ip("edge", "route add default via 10.255.0.2", "route add ::/0 via fd00:255:0::2")
        for number, pop in enumerate(("pop", "pop2")):
            self.ip(pop, f"route add default via 10.254.{number}.2", f"route add ::/0 via fd00:254:{number}::2")
            self.ip(pop, f"route add 10.0.0.0/24 via 10.255.{number}.1", f"route add fd00:0:0::/64 via fd00:255:{number}::1")
        self.ip("far", "route add default via 10.254.0.1", "route add ::/0 via fd00:254:0::1")

    def _wait(self) -> None:
        """Wait until both families reach the far end over either way: IPv6 takes a while to find its neighbours."""
        until = time.monotonic() + 10
        for pop in ("pop2", "pop"):
            self.over(pop)
            for target in (FAR, FAR6):
                while not self.ask("icmp", target, count=1, wait_ms=100).get("received"):
                    assert time.monotonic() < until, f"{target} is not reached over {pop}"

    def over(self, pop: str) -> None:
        """Send the edge's traffic over "pop" or "pop2"."""
        number = {"pop": 0, "pop2": 1}[pop]
        self.ip("edge", f"route replace default via 10.255.{number}.2", f"route replace ::/0 via fd00:255:{number}::2")

    def _remove(self) -> None:
        self.forget()
        for node in NODES:
            subprocess.run(["ip", "netns", "del", self._name + node], check=False, capture_output=True)
