"""What an `snmp` check takes from the inventory: the node's credential, the ports and neighbours that the plan has."""

from pathlib import Path

import pytest

from probe.agent.actions.check import known_job
from probe.agent.settings.load import read_settings
from probe.agent.settings.settings import Settings
from probe.agent.settings.show import show_settings
from probe.agent.watching import owns
from probe.inventory import Node
from probe.job import Job
from probe.probers import snmp

FILE = """
[[credential]]
name = "core-ro"
snmp = "v2c"
community = {{ file = "community" }}

[[credential]]
name = "edge-v3"
snmp = "v3"
user = "watcher"
auth = "sha256"
auth_password = {{ file = "community" }}

[[node]]
name = "core"
address = "192.0.2.1"
snmp = "core-ro"
{check}

[[node]]
name = "edge"
address = "192.0.2.2"
snmp = "edge-v3"

[[node]]
name = "bare"
address = "192.0.2.3"

[[link]]
name = "core-edge"
a = "core"
b = "edge"
ports = ["Gi1/0/1", "ge-0/0/3"]

[[link]]
name = "edge-bare"
a = "edge"
b = "bare"
ports = ["ge-0/0/4", ""]
"""
SECRET = "only-for-eyes"
CHECK = '[[node.check]]\nprober = "snmp"\n'


def read(folder: Path, check: str = CHECK, bare: str = "", secrets: bool = True) -> tuple[Settings, list[str]]:
    community = folder / "community"
    community.write_text(SECRET)
    community.chmod(0o600)
    file = folder / "firstline.toml"
    file.write_text(FILE.format(check=check) + (f'\n[[node]]\nname = "other"\naddress = "192.0.2.9"\n{bare}' if bare else ""))
    found, problems = read_settings(file, secrets)
    return found, [str(problem) for problem in problems]


def test_credential_ports_and_neighbours_come_from_the_inventory(tmp_path: Path) -> None:
    found, problems = read(tmp_path)
    assert problems == []
    options = found.jobs[0].options
    assert (options.version, options.community) == ("v2c", SECRET)
    assert (options.ports, options.cables) == (("Gi1/0/1",), ("Gi1/0/1=edge:ge-0/0/3",))


def test_a_carrier_s_end_is_watched_and_not_expected_to_say_who_it_is(tmp_path: Path) -> None:
    far = '[[node]]\nname = "pop"\nowner = "carrier"\n[[link]]\nname = "fibre"\na = "core"\nb = "pop"\nports = ["Te1/1/1", "xe-0"]\n'
    found, problems = read(tmp_path, CHECK + far)
    assert problems == []
    options = found.jobs[0].options
    assert set(options.ports) == {"Gi1/0/1", "Te1/1/1"}
    assert options.cables == ("Gi1/0/1=edge:ge-0/0/3",)


@pytest.mark.parametrize(
    ("check", "item", "options", "owned"),
    [
        ("snmp/rx-power", "ge-0/0/3 Rx", {}, True),
        ("interfaces/oper", "ge-0/0/3", {}, True),
        ("interfaces/oper", "ge-0/0/3", {"port": 1161}, True),
        ("host/disk", "/", {}, True),
        ("snmp/rx-power.usual", "ge-0/0/3 Rx", {}, True),
        ("icmp/loss", "", {}, False),
        ("tcp/port", "5060", {}, False),
    ],
)
def test_all_that_a_poll_says_is_its_own_to_watch(check: str, item: str, options: dict[str, int], owned: bool) -> None:
    job = Job("pop-a", Node("edge", "192.0.2.1"), "snmp", snmp.Options(community="x", **options))
    assert owns(job, ("pop-a", "edge", check, item)) is owned
    assert owns(job, ("pop-a", "other", check, item)) is False


def test_the_check_s_own_table_stands_above_the_inventory(tmp_path: Path) -> None:
    found, problems = read(tmp_path, CHECK + 'ports = ["uplink*"]\ncables = []\n')
    assert problems == []
    assert (found.jobs[0].options.ports, found.jobs[0].options.cables) == (("uplink*",), ())


def test_a_check_on_demand_takes_the_same(tmp_path: Path) -> None:
    found, _ = read(tmp_path)
    job = known_job(found, "snmp", "edge", {})
    assert job is not None
    assert (job.options.version, job.options.user, job.options.auth, job.options.auth_password) == ("v3", "watcher", "sha256", SECRET)
    assert job.options.cables == ("ge-0/0/3=core:Gi1/0/1", "ge-0/0/4=bare")


def test_without_a_credential_it_is_refused_with_the_cure(tmp_path: Path) -> None:
    _, problems = read(tmp_path, bare=CHECK)
    assert len(problems) == 1
    assert 'snmp needs a credential; write snmp = "NAME" at "other"' in problems[0]


def test_a_secret_that_cannot_be_read_is_a_problem_with_its_line(tmp_path: Path) -> None:
    read(tmp_path)
    (tmp_path / "community").chmod(0o644)
    _, problems = read_settings(tmp_path / "firstline.toml")
    assert any("chmod 0600" in str(problem) and SECRET not in str(problem) for problem in problems)


@pytest.mark.parametrize("secrets", [True, False])
def test_what_is_shown_has_no_secret(tmp_path: Path, secrets: bool) -> None:
    found, problems = read(tmp_path, secrets=secrets)
    assert problems == []
    shown = show_settings(found)
    assert SECRET not in shown
    assert "(set)" in shown
    assert SECRET not in repr(found.jobs[0].options)


def test_endpoints_are_read_and_shown_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "firstline.toml"
    file.write_text('[traps]\nlisten = "[::]:162"\n[stamp]\nlisten = "192.0.2.7:862"\nallow = ["192.0.2.0/24"]\n')
    found, problems = read_settings(file)
    assert problems == []
    shown = tmp_path / "shown.toml"
    shown.write_text(show_settings(found))
    again, problems = read_settings(shown)
    assert problems == []
    assert (again.traps, again.stamp) == (found.traps, found.stamp)
    assert found.traps is not None
    assert (found.traps.host, found.traps.port) == ("::", 162)
