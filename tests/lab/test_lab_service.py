"""The service at the agent: what a real router tells of itself makes it look at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.conftest import Service, wait_for
from tests.lab import daemons, topology
from tests.lab.lab import NEEDS, Lab

pytestmark = NEEDS

CONFIGURATION = """
[traps]
listen = "{agent}:162"

[[credential]]
name = "read"
snmp = "v2c"
community = {{ file = "{secret}" }}

[[node]]
name = "here"
address = "{agent}"

[[node]]
name = "edge"
kind = "router"
address = "{edge}"
snmp = "read"
[[node.check]]
prober = "snmp"
every = "1h"

[[node]]
name = "pop"
kind = "carrier"
owner = "carrier"

[[link]]
name = "line"
a = "edge"
b = "pop"
ports = ["fib0", "fib0"]
kind = "fibre"
"""


@pytest.fixture
def service(own_lab: Lab, tmp_path: Path) -> Iterator[Service]:
    secret = tmp_path / "community"
    secret.write_text(daemons.COMMUNITY)
    secret.chmod(0o600)
    made = Service(tmp_path)
    made.before = ("nsenter", "-t", str(own_lab.node["agent"].pid), "-n", "--")
    made.configure(CONFIGURATION.format(agent=topology.AGENT, edge=topology.EDGE, secret=secret))
    made.start()
    yield made
    made.stop()


def test_router_s_own_notification_opens_and_clears_one_case_an_hour_before_its_next_round(own_lab: Lab, service: Service) -> None:
    wait_for(lambda: service.status()["oldest_s"] is not None, why="the first look")

    def known(state: str) -> set[tuple[str, str]]:
        return {(case["cause"], case["element"]) for case in service.cases() if case["state"] == state}

    cut = ("fibre_cut", "line")  # here nothing is known of a second one: port, light and session have one cause
    assert not known("open")
    with own_lab.fault("fibre_cut"):
        wait_for(lambda: known("open") == {cut}, 20, 0.3, "the case of the line")
    # a session that is not back when the light is told to be is seen by the look 20 s later, and believed by the third
    wait_for(lambda: cut in known("resolved"), 60, 0.3, "the case cleared")
    assert not known("open")
    assert "bgpBackwardTransNotification" in service.journal
