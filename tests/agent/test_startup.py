"""A check starts fast because it imports little: which modules a command loads is held here, the time is the bench's."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "alembic",
    "cryptography",
    "pandas",
    "prometheus_client",
    "psutil",
    "pysnmp",
    "rich",
    "scapy",
    "sqlalchemy",
    "starlette",
    "uvicorn",
    "probe.agent.service",
    "probe.agent.settings",
    "reports.store",
}
PROGRAM = """
import json, sys
from probe.agent.cli import main
if sys.argv[1] == "check":
    from probe.agent.cli import known
    known.PLACES = known.PLACES[:1]  # a configuration that is installed on this machine has no part in this
sys.argv = ["firstline", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    code = end.code
    print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


def imported(folder: Path, *words: str) -> set[str]:
    """Run a command in a process of its own; return the modules that it has loaded at its end."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "FIRSTLINE_SOCKET": str(folder / "none")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code in (0, 3), done.stderr  # 3: echoes may be denied here, which changes nothing about the imports
    return set(modules)


def heavy(modules: set[str]) -> set[str]:
    return {name for name in modules if any(name == one or name.startswith(one + ".") for one in HEAVY)}


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("--version",),
        ("check", "--help"),
        ("check", "icmp", "--help"),
        ("check", "icmp", "127.0.0.1"),
        ("check", "icmp", "127.0.0.1", "--format", "json"),
        ("check", "icmp", "127.0.0.1", "--format", "nagios", "--language", "zh"),
        ("checks",),
    ],
    ids=" ".join,
)
def test_command_loads_nothing_heavy(words: tuple[str, ...], tmp_path: Path) -> None:
    assert heavy(imported(tmp_path, *words)) == set()


def test_help_imports_no_command(tmp_path: Path) -> None:
    modules = imported(tmp_path, "--help")
    assert {name for name in modules if name.startswith("probe.agent.cli.")} == set()
    assert not any(name.startswith("probe.probers.") for name in modules)


def test_a_check_imports_its_own_prober_and_judgement_only(tmp_path: Path) -> None:
    modules = imported(tmp_path, "check", "icmp", "127.0.0.1")
    others = {"tcp", "tls", "http", "dns", "ntp", "postgresql", "mysql", "host", "interfaces", "sockets"}
    assert "probe.probers.icmp" in modules
    assert not modules & {f"probe.probers.{name}" for name in others}
    assert not modules & {f"checks.{name}" for name in others}


def test_a_heavy_module_is_seen(tmp_path: Path) -> None:
    (tmp_path / "firstline.toml").write_text('[agent]\nname = "a"\n', encoding="utf-8")
    assert "probe.agent.settings.load" in heavy(imported(tmp_path, "check", "icmp", "127.0.0.1"))
