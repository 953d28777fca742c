"""Two agents on one PostgreSQL: the one whose cable is pulled knows that it is blind, for the other sees what it can't."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.needs_root, pytest.mark.needs("ip", "postgres", "initdb")]

NET = "198.18.7"
PLACES = {"agent-a": 10, "agent-b": 11, "switch": 1, "one": 21, "two": 22, "three": 23}
QUIET_S = 8.0  # longer than a verdict waits, and than an exchange takes


class Network:
    """A switch with two agents and a machine of three addresses at it, each in a namespace of its own."""

    def __init__(self) -> None:
        self.tag = f"vtg{os.getpid() % 10000}"
        self.spaces = {name: f"{self.tag}{name[-1]}" for name in ("agent-a", "agent-b", "switch", "far")}
        for space in self.spaces.values():
            subprocess.run(["ip", "netns", "add", space], check=True)
            self._ip(space, "link", "set", "lo", "up")
        switch = self.spaces["switch"]
        self._ip(switch, "link", "add", "br0", "address", "02:00:00:00:00:01", "type", "bridge")  # else that of a port, which may leave
        self._ip(switch, "addr", "add", f"{NET}.1/24", "dev", "br0")
        self._ip(switch, "link", "set", "br0", "up")
        for name in ("agent-a", "agent-b", "far"):
            there, port = self.spaces[name], f"p-{name}"
            subprocess.run(["ip", "link", "add", "up0", "netns", there, "type", "veth", "peer", "name", port, "netns", switch], check=True)
            for number in (PLACES[name],) if name in PLACES else (21, 22, 23):
                self._ip(there, "addr", "add", f"{NET}.{number}/24", "dev", "up0")
            self._ip(there, "link", "set", "up0", "up")
            self._ip(switch, "link", "set", port, "up")
            self.plug(name)

    @staticmethod
    def _ip(space: str, *words: str) -> None:
        subprocess.run(["ip", "-n", space, *words], check=True)

    def plug(self, name: str) -> None:
        self._ip(self.spaces["switch"], "link", "set", f"p-{name}", "master", "br0")

    def unplug(self, name: str) -> None:
        """Pull the cable behind a converter: the agent's own port stays up."""
        self._ip(self.spaces["switch"], "link", "set", f"p-{name}", "nomaster")

    def close(self) -> None:
        for space in self.spaces.values():
            subprocess.run(["ip", "netns", "del", space], check=False)


def configuration(agent: str, url: str) -> str:
    """Return what one of the agents measures: all the others each 5 s, and its own port."""
    parts = [f'\n[store]\nurl = "{url}"\n\n[[silence]]\nname = "the clock of this machine is not part of the test"\nchecks = ["host/*"]\n']
    for name, number in PLACES.items():
        kind = "switch" if name == "switch" else "server"
        check = 'prober = "interfaces"\nnames = ["up0"]' if name == agent else 'prober = "icmp"'
        parts.append(f'\n[[node]]\nname = "{name}"\naddress = "{NET}.{number}"\nkind = "{kind}"\n')
        parts.append(f'\n[[node.check]]\n{check}\nevery = "5s"\n')
    parts += [f'\n[[link]]\nname = "to-{name}"\na = "{name}"\nb = "switch"\n' for name in PLACES if name != "switch"]
    return "".join(parts)


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    one = Network()
    yield one
    one.close()


@pytest.fixture
def agents(network: Network, postgresql: Any, a_service: Callable[[Path], Any], tmp_path: Path, until: Any) -> Iterator[dict[str, Any]]:
    running = {}
    try:
        for name in ("agent-a", "agent-b"):
            (tmp_path / name).mkdir()
            one = running[name] = a_service(tmp_path / name)
            one.configure(configuration(name, postgresql.url))
            one.config.write_text(one.config.read_text().replace('name = "test"\nnode = "here"', f'name = "{name}"\nnode = "{name}"', 1))
            one.before = ("ip", "netns", "exec", network.spaces[name])
            one.start(wait=False)
        for one in running.values():
            until(one.ready, why=one.journal)
        until(lambda: told(postgresql.url) == len(running) * len(PLACES), why="that each has told what it sees")
        yield running
    finally:
        for one in running.values():
            one.stop()


def told(url: str) -> int:
    """Return how many nodes the agents have told that they see, each for itself."""
    import psycopg

    with psycopg.connect(url) as session:
        row = session.execute("SELECT count(*) FROM sight WHERE alive_at IS NOT NULL AND dark_since IS NULL").fetchone()
    return int(row[0]) if row else 0


def cases(one: Any) -> list[tuple[str, str, bool]]:
    return sorted((case["cause"], case["element"], case["cleared_at"] is None) for case in one.cases())


def test_agent_whose_cable_is_pulled_knows_that_it_is_blind_and_nothing_else_opens(
    network: Network, agents: dict[str, Any], until: Any
) -> None:
    a, b = agents["agent-a"], agents["agent-b"]
    network.unplug("agent-a")
    until(lambda: cases(a), why=a.journal)
    end = time.monotonic() + QUIET_S
    while time.monotonic() < end:  # that nothing else comes can only be seen by waiting
        assert cases(a) == [("agent_blind", "agent-a", True)], a.journal + b.journal
        time.sleep(0.5)
    (case,) = a.cases()
    assert (case["affected"], case["alternatives"], case["elsewhere"], case["side"]) == ([], [], [], "company")
    explained = json.loads(a.run("case", "explain", str(case["id"]), "--format", "json"))
    assert explained["same"] is True

    network.plug("agent-a")
    until(lambda: cases(a) == [("agent_blind", "agent-a", False)], why=a.journal)
    for one in (a, b):
        assert "Traceback" not in one.journal
