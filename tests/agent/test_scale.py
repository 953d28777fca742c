"""10,000 ICMP and 2,000 TCP targets, half of them dead, every 60 s: no overrun, no lag, little CPU, flat memory."""

import http.client
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ICMP, TCP = 10_000, 2_000
MINUTES = float(os.environ.get("FIRSTLINE_SCALE_MINUTES", "10"))
PORT = 5060
FILLED_AFTER = 4 * 5  # looks; after five minutes each of 6,000 dead targets has its last readings kept as evidence, and nothing grows

pytestmark = [pytest.mark.long, pytest.mark.needs_root, pytest.mark.needs("ip")]

ACCEPT = f"""
import socket
listener = socket.create_server(("0.0.0.0", {PORT}), backlog=1024)
print("ready", flush=True)
while True:
    listener.accept()[0].close()
"""


class Lab:
    """Two namespaces: the agent's, and one whose routing table makes half of 198.18.0.0/15 (RFC 2544) answer."""

    def __init__(self) -> None:
        tag = f"scl{os.getpid() % 10000}"
        self.agent, self.field = f"{tag}a", f"{tag}f"
        for name in (self.agent, self.field):
            subprocess.run(["ip", "netns", "add", name], check=True)
            self.ip(name, "link", "set", "lo", "up")
        subprocess.run(
            ["ip", "link", "add", "up0", "netns", self.agent, "type", "veth", "peer", "name", "down0", "netns", self.field], check=True
        )
        self.ip(self.agent, "addr", "add", "192.0.2.1/30", "dev", "up0")
        self.ip(self.field, "addr", "add", "192.0.2.2/30", "dev", "down0")
        self.ip(self.agent, "link", "set", "up0", "up")
        self.ip(self.field, "link", "set", "down0", "up")
        self.ip(self.agent, "route", "add", "198.18.0.0/15", "via", "192.0.2.2")
        self.ip(self.field, "route", "add", "local", "198.18.0.0/16", "dev", "lo")  # these live; 198.19.0.0/16 is dropped in silence
        command = ["ip", "netns", "exec", self.field, sys.executable, "-c", ACCEPT]
        self.listener = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.listener.stdout is not None
        assert self.listener.stdout.readline() == "ready\n"

    @staticmethod
    def ip(namespace: str, *words: str) -> None:
        subprocess.run(["ip", "-n", namespace, *words], check=True)

    def close(self) -> None:
        self.listener.kill()
        self.listener.wait()
        if self.listener.stdout is not None:
            self.listener.stdout.close()
        for name in (self.agent, self.field):
            subprocess.run(["ip", "netns", "del", name], check=False)


@pytest.fixture
def lab() -> Iterator[Lab]:
    one = Lab()
    yield one
    one.close()


def configuration(folder: Path) -> str:
    lines = [
        f'[agent]\nname = "scale"\nnode = "here"\nstate_dir = "{folder}/state"\nlisten = "127.0.0.1:8470"\nsocket = "{folder}/s.sock"\n',
        '[[node]]\nname = "here"\naddress = "localhost"\n',
    ]
    for prober, count, extra in (("icmp", ICMP, ""), ("tcp", TCP, f"port = {PORT}\n")):
        for n in range(count):
            half = 18 + n % 2
            address = f"198.{half}.{n // 250}.{n % 250 + 1}"
            lines.append(
                f'[[node]]\nname = "{prober}-{n}"\naddress = "{address}"\n[[node.check]]\nprober = "{prober}"\nevery = "60s"\n{extra}'
            )
    return "\n".join(lines)


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def test_twelve_thousand_targets_every_minute(tmp_path: Path, lab: Lab, until: Any) -> None:
    (tmp_path / "firstline.toml").write_text(configuration(tmp_path))
    command = [
        "ip",
        "netns",
        "exec",
        lab.agent,
        str(Path(sys.executable).with_name("firstline")),
        "run",
        "--config",
        str(tmp_path / "firstline.toml"),
    ]
    with (tmp_path / "journal").open("wb") as journal:
        process = subprocess.Popen(command, stdout=journal, stderr=journal)
    try:
        until((tmp_path / "s.sock").is_socket, 60, why=(tmp_path / "journal").read_text())
        end = time.monotonic() + 60 + 60 * MINUTES
        warm = time.monotonic() + 60  # the first minute holds the start and the opening of 6,000 cases
        begin: tuple[float, float] | None = None
        memory = []
        metrics = ""
        while time.monotonic() < end:
            assert process.poll() is None, (tmp_path / "journal").read_text()[-4000:]
            metrics = scrape(tmp_path / "s.sock")
            if time.monotonic() > warm:
                begin = begin or (time.monotonic(), cpu_s(process.pid))
                memory.append(rss_mb(process.pid))  # four a minute
            time.sleep(15)
        assert begin is not None
        share = (cpu_s(process.pid) - begin[1]) / (time.monotonic() - begin[0])
        filled = min(FILLED_AFTER, len(memory) // 2)
        figures = {
            "cpu_of_one_core": round(share, 4),
            "rss_mb_first_filled_last": (round(memory[0], 1), round(memory[filled], 1), round(memory[-1], 1)),
            "overruns": value(metrics, "firstline_schedule_overruns_total"),
            "lag_p99_s": lag_below(metrics, 0.99),
            "observations": sum(float(m) for m in re.findall(r"^firstline_observations_total\{[^}]*\} (\S+)$", metrics, re.M)),
        }
        print(f"\n{ICMP} ICMP + {TCP} TCP targets, half dead, {MINUTES:g} min: {figures}")
        assert figures["overruns"] == 0
        assert figures["lag_p99_s"] <= 0.05
        assert share <= 0.25
        assert memory[-1] <= memory[filled] * 1.05 + 5
        assert memory[-1] <= memory[0] * 1.15
    finally:
        process.terminate()
        process.wait(20)


def lag_below(metrics: str, share: float) -> float:
    """Return the bound of the histogram below which this share of the lags lies."""
    found = re.findall(r'^firstline_event_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)$', metrics, re.M)
    buckets = [(float(bound), float(count)) for bound, count in found]
    assert buckets, "no lag in the metrics"
    return next(bound for bound, count in buckets if count >= share * buckets[-1][1])


def value(metrics: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", metrics, re.M)
    assert found, f"no {name} in the metrics"
    return float(found[1])


def scrape(place: Path) -> str:
    import socket

    connection = http.client.HTTPConnection("localhost", timeout=30)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(place))
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()
