"""What all tests share: which system packages a test needs, and how a missing one is made visible."""

import glob
import os
import shutil
from collections.abc import Generator
from typing import Any

import pytest

os.environ["TZ"] = "UTC"

PACKAGE_OF = {
    "arping": "iputils-arping",
    "bgpd": "frr frr-snmp",
    "nginx": "nginx-light",
    "ping": "iputils-ping",
    "setpriv": "util-linux",
    "snmpget": "snmp",
    "unshare": "util-linux",
    "nft": "nftables",
    "ip": "iproute2",
    "chronyd": "chrony",
    "mariadbd": "mariadb-server-core",
    "mysql_install_db": "mariadb-server-core",
    "postgres": "postgresql",
    "sipp": "sip-tester",
    "editcap": "wireshark-common",
    "systemd-analyze": "systemd",
    "blackbox_exporter": "prometheus-blackbox-exporter",
    "node_exporter": "prometheus-node-exporter",
    "snmptrap": "snmp",
    "snmpinform": "snmp",
    "soffice": "libreoffice-calc",
}


def find_binary(name: str) -> str | None:
    """Return the path of a program, looking also where Debian keeps servers, FRR's and PostgreSQL's own folders."""
    path = os.pathsep.join(
        [os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/lib/frr", *sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)]
    )
    return shutil.which(name, path=path)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*binaries): system programs without which the test cannot run")
    config.addinivalue_line("markers", "needs_root: the test makes namespaces, mounts or raw sockets")
    config.addinivalue_line("markers", "long: minutes of running time; `make test-long`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out visibly what can't run here; under CI=true a left-out test is an error instead."""
    wants_long = "long" in (config.option.markexpr or "")
    deselected = [item for item in items if item.get_closest_marker("long") and not wants_long]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in set(deselected)]
    for item in items:
        reason = _missing(item)
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


def _missing(item: pytest.Item) -> str | None:
    names = [name for mark in item.iter_markers("needs") for name in mark.args if find_binary(name) is None]
    if names:
        packages = " ".join(sorted({PACKAGE_OF.get(name, name) for name in names}))
        return f"needs {packages}: bring it back with `make lab-packages`"
    if item.get_closest_marker("needs_root") and os.geteuid() != 0:
        return "needs root (namespaces, mounts): bring it back with `sudo make test`"
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    return _counted(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    return _counted(report)


def _counted(report: Any) -> Any:
    """Return the report of a test; under CI=true one that was left out has failed."""
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"left out, and CI leaves nothing out: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def binary():
    """Give the path of a program that the test's `needs` mark names."""

    def path(name: str) -> str:
        found = find_binary(name)
        assert found, f"{name} is missing: `make lab-packages`"
        return found

    return path
