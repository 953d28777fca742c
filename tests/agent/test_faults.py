"""Real faults on this machine around the running service: one case and one message each, and clear again when undone."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

WITHIN_S = 15.0
INTERVAL = "6s"

pytestmark = [pytest.mark.needs_root, pytest.mark.needs("ip", "unbound", "mount")]


class Faults:
    """What the service watches here, and how each of it is broken and mended."""

    def __init__(self, folder: Path, dns_port: int, binary: Callable[[str], str], until: Callable[..., Any]) -> None:
        self.until = until
        self.folder = folder
        self.mount = folder / "data"
        self.mount.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(self.mount)], check=True)
        self.tag = f"flt{os.getpid() % 10000}"
        self.near, self.far = f"{self.tag}a", f"{self.tag}b"
        subprocess.run(["ip", "netns", "add", self.tag], check=True)
        subprocess.run(["ip", "link", "add", self.near, "type", "veth", "peer", "name", self.far, "netns", self.tag], check=True)
        subprocess.run(["ip", "addr", "add", "198.51.100.1/30", "dev", self.near], check=True)
        subprocess.run(["ip", "link", "set", self.near, "up"], check=True)
        self.in_peer("ip", "addr", "add", "198.51.100.2/30", "dev", self.far)
        self.in_peer("ip", "link", "set", self.far, "up")
        self.worker_script = folder / f"worker-{self.tag}"
        self.worker_script.write_text("import signal; signal.pause()\n")
        self.worker: subprocess.Popen[bytes] | None = None
        self.dns: subprocess.Popen[bytes] | None = None
        self.dns_port = dns_port
        self.unbound = binary("unbound")
        self.mend_process()
        self.mend_dns()

    def in_peer(self, *command: str) -> None:
        subprocess.run(["ip", "netns", "exec", self.tag, *command], check=True)

    def break_disk(self) -> None:
        with contextlib.suppress(OSError):
            (self.mount / "fill").write_bytes(b"x" * 9_000_000)

    def mend_disk(self) -> None:
        (self.mount / "fill").unlink()

    def break_process(self) -> None:
        assert self.worker is not None
        self.worker.kill()
        self.worker.wait()

    def mend_process(self) -> None:
        self.worker = subprocess.Popen([sys.executable, str(self.worker_script)])

    def break_dns(self) -> None:
        assert self.dns is not None
        self.dns.send_signal(signal.SIGTERM)
        self.dns.wait(10)

    def mend_dns(self) -> None:
        config = self.folder / "unbound.conf"
        config.write_text(
            f'server:\n interface: 127.0.0.1@{self.dns_port}\n username: ""\n chroot: ""\n directory: "{self.folder}"\n pidfile: ""\n'
            ' use-syslog: no\n logfile: ""\n do-daemonize: no\n local-zone: "example." static\n local-data: "www.example. 60 IN A 192.0.2.80"\n'
            ' module-config: "iterator"\nremote-control:\n control-enable: no\n'
        )
        with (self.folder / "unbound.log").open("ab") as log:
            self.dns = subprocess.Popen([self.unbound, "-d", "-c", str(config)], stdout=log, stderr=log)
        self.until(self.dns_answers, why="unbound")

    def dns_answers(self) -> bool:
        query = b"\x12\x34\x01\x00\x00\x01" + bytes(6) + b"\x03www\x07example\x00\x00\x01\x00\x01"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(0.5)
            asking.connect(("127.0.0.1", self.dns_port))
            try:
                asking.send(query)
                return asking.recv(512).startswith(b"\x12\x34")
            except OSError:
                return False

    def break_link(self) -> None:
        self.in_peer("ip", "link", "set", self.far, "down")

    def mend_link(self) -> None:
        self.in_peer("ip", "link", "set", self.far, "up")

    def close(self) -> None:
        for process in (self.worker, self.dns):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        subprocess.run(["ip", "link", "del", self.near], check=False)
        subprocess.run(["ip", "netns", "del", self.tag], check=False)
        subprocess.run(["umount", str(self.mount)], check=False)


@pytest.fixture
def faults(tmp_path: Path, port: Callable[..., int], binary: Callable[[str], str], until: Callable[..., Any]) -> Iterator[Faults]:
    one = Faults(tmp_path, port(), binary, until)
    yield one
    one.close()


def configuration(faults: Faults, mail_port: int) -> str:
    return f"""
[[feed]]
name = "post"
kind = "mail"
host = "127.0.0.1"
port = {mail_port}
security = "none"
sender = "firstline@example.org"
recipients = ["duty@example.org"]

[[silence]]
name = "other work on this machine, and its clock, are not part of the test"
checks = ["host/clock-sync", "host/boot", "host/cpu", "host/load", "host/iowait", "host/steal", "host/pressure", "host/disk-*", "host/memory"]

[[node]]
name = "here"
address = "localhost"

[[node.check]]
prober = "host"
every = "{INTERVAL}"
expected = ["*{faults.worker_script.name}"]
mounts = ["{faults.mount}"]

[[node.check]]
prober = "interfaces"
every = "{INTERVAL}"
names = ["{faults.near}"]

[[node]]
name = "peer"
address = "198.51.100.2"

[[node.check]]
prober = "icmp"
every = "{INTERVAL}"

[[node]]
name = "resolver"
address = "127.0.0.1"

[[node.check]]
prober = "dns"
every = "{INTERVAL}"
port = {faults.dns_port}
name = "www.example"
"""


EXPECTED = {
    "disk": ("disk_full", "here:{mount}"),
    "process": ("process_down", "here:*{worker}"),
    "dns": ("process_down", "resolver:"),  # refused: the host lives, nothing listens
    "link": ("agent_blind", "here"),  # the one uplink that is measured; what our own loopback answers is no sight
}


@pytest.mark.parametrize("fault", EXPECTED)
def test_each_fault_is_one_case_one_message_and_clears_when_undone(fault: str, service: Any, mail: Any, faults: Faults, until: Any) -> None:
    service.configure(configuration(faults, mail.port))
    service.start()  # ready: every check was measured once
    assert service.cases() == []

    getattr(faults, f"break_{fault}")()
    broken = time.monotonic()
    opened = until(lambda: [line for line in service.lines() if line["event"] == "opened"], WITHIN_S, why=service.journal)
    print(f"{fault}: case after {time.monotonic() - broken:.1f} s")
    cause, element = EXPECTED[fault]
    names = {"mount": faults.mount, "worker": faults.worker_script.name, "near": faults.near}
    assert opened[0]["identity"]["cause"] == cause
    assert opened[0]["identity"]["element"].startswith(element.format(**names))
    until(lambda: len(mail.messages) == 1, WITHIN_S - (time.monotonic() - broken), why="one message")

    (case,) = service.cases()
    assert case["state"] == "open"
    explained = json.loads(service.run("case", "explain", str(case["id"]), "--format", "json"))
    assert explained["same"] is True
    changed = service.folder / "evidence.json"
    changed.write_text(service.run("case", "explain", str(case["id"]), "--evidence"))
    assert json.loads(service.run("case", "explain", "--from", str(changed), "--format", "json"))["same"] is True
    changed.write_text(made_good(changed.read_text()))
    assert json.loads(service.run("case", "explain", "--from", str(changed), "--format", "json", expect=1))["same"] is False

    getattr(faults, f"mend_{fault}")()
    until(lambda: service.cases()[0]["state"] == "resolved", 30, why=service.journal)
    (case,) = service.cases()
    assert case["cleared_at"] is not None
    until(lambda: len(mail.messages) == 2, why="the message that it is over")
    assert [line["event"] for line in service.lines() if line["event"] != "updated"] == ["opened", "cleared"]
    assert service.stop(5.0) == 0


def made_good(text: str) -> str:
    """Return the evidence with every bad reading replaced by the good one before them."""
    proof = json.loads(text)
    for strand in proof["evidence"]["strands"]:
        good = strand["start"].get("before") or strand["steps"][0]["seen"]
        for step in strand["steps"]:
            step["seen"]["outcome"] = good["outcome"]
    return json.dumps(proof)
