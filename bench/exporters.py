"""CPU per probe: ours (ask, judge and what follows) against a running prometheus-blackbox-exporter, on the same loopback targets.

Run `.venv/bin/python -m bench.exporters [PROBES] [ROUNDS]`. Both are asked one probe after another, in turns; medians and their ratio
are printed. `follow` is called with each observation and its findings: put state and store there to have them counted.
"""

import asyncio
import contextlib
import http.client
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from checks import catalogue as judges
from checks.finding import Finding
from probe.inventory import Node
from probe.job import Job
from probe.observation.failure import Failure
from probe.observation.observation import Observation
from probe.probers import catalogue
from probe.run import observe

Follow = Callable[[Observation, list[Finding]], None]
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"

NGINX = """daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1; {user}
events {{ }}
http {{ access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{http}; location / {{ default_type text/plain; return 200 "all is well\\n"; }} }} }}
"""
UNBOUND = """server:
  interface: 127.0.0.1@{dns}
  port: {dns}
  do-daemonize: no
  use-syslog: no
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: "{folder}/unbound.pid"
  module-config: "iterator"
  outgoing-interface: 127.0.0.1
  local-zone: "test." static
  local-data: "a.test. A 192.0.2.1"
"""
BLACKBOX = """modules:
  tcp: {prober: tcp, timeout: 5s, tcp: {preferred_ip_protocol: ip4}}
  http: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4}}
  dns: {prober: dns, timeout: 5s, dns: {query_name: a.test, query_type: A, preferred_ip_protocol: ip4}}
"""


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def running(name: str, *arguments: str, folder: Path) -> Iterator[subprocess.Popen[bytes] | None]:
    """Run a program; None (and a line that says so) when it is not installed."""
    program = shutil.which(name, path=PATH)
    if program is None:
        print(f"{name} is missing: what needs it is left out (Debian: apt-get install {name})")
        yield None
        return
    with (folder / f"{name}.out").open("wb") as out:
        process = subprocess.Popen([program, *arguments], stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process and its threads, in seconds (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


class Theirs:
    """The exporter: each probe is a scrape over one kept connection."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.pid = process.pid
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.idle = 0.0  # CPU seconds a second without work

    def scrape(self, module: str, target: str) -> bool:
        """Make one probe; tell whether it succeeded."""
        try:
            self.connection.request("GET", "/probe?" + urlencode({"module": module, "target": target}))
            return b"\nprobe_success 1" in self.connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            self.connection.close()  # else it stays in the middle of this request
            raise

    def rest(self, seconds: float = 2.0) -> None:
        """Measure what it uses by itself."""
        start = cpu_s(self.pid)
        time.sleep(seconds)
        self.idle = (cpu_s(self.pid) - start) / seconds

    def cost_ms(self, module: str, target: str, probes: int) -> float:
        """Return the CPU milliseconds of one probe."""
        start, wall = cpu_s(self.pid), time.monotonic()
        for _ in range(probes):
            assert self.scrape(module, target), f"{module} {target} failed"
        used = cpu_s(self.pid) - start - self.idle * (time.monotonic() - wall)
        return used / probes * 1e3


async def ours_ms(job: Job, prober: Any, follow: Follow, probes: int) -> float:
    """Return the CPU milliseconds of one probe of ours: deadline, question, judgement and what follows."""
    module = judges.load(job.prober)
    limits = module.Limits()
    start = time.process_time()
    for _ in range(probes):
        seen = await observe(job, prober, lambda: datetime.now(UTC))
        follow(seen, list(module.judge(seen, None, limits)))
    used = time.process_time() - start
    assert not isinstance(seen.outcome, Failure), seen
    return used / probes * 1e3


def nothing(seen: Observation, findings: list[Finding]) -> None:
    """Follow with nothing: only asking and judging are counted."""


def ready(attempt: Callable[[], bool], what: str) -> None:
    """Wait until `attempt` succeeds."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if attempt():
                return
        time.sleep(0.05)
    raise SystemExit(f"{what} does not answer")


def listens(port: int) -> bool:
    """Tell whether somebody accepts connections there; OSError when not."""
    socket.create_connection(("127.0.0.1", port), 1).close()
    return True


async def compare(jobs: dict[str, tuple[Job, str]], theirs: Theirs | None, follow: Follow, probes: int, rounds: int) -> dict[str, float]:
    """Print a line for each prober, and return our share of their CPU by prober (only what both could do)."""
    ratios = {}
    print(f"CPU milliseconds per probe, median of {rounds} rounds of {probes}, in turns\n{'':6}{'ours':>8}{'blackbox':>10}{'ratio':>8}")
    for name, (job, target) in jobs.items():
        async with catalogue.load(name).open() as prober:
            await ours_ms(job, prober, follow, 50)
            mine, other = [], []
            for _ in range(rounds):
                mine.append(await ours_ms(job, prober, follow, probes))
                if theirs:
                    other.append(theirs.cost_ms(name, target, probes))
        line = f"{name:6}{statistics.median(mine):8.3f}"
        if other:
            ratios[name] = statistics.median(mine) / statistics.median(other)
            line += f"{statistics.median(other):10.3f}{ratios[name]:8.2f}"
        print(line, flush=True)
    return ratios


def main(probes: int = 500, rounds: int = 5, follow: Follow = nothing) -> dict[str, float]:
    """Start the targets and the exporter, compare, and end what was started."""
    ports = {"http": free_port(), "dns": free_port(), "blackbox": free_port()}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, user=user, **ports))
        (folder / "unbound.conf").write_text(UNBOUND.format(folder=folder, **ports))
        (folder / "blackbox.yml").write_text(BLACKBOX)
        web = stack.enter_context(running("nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr", folder=folder))
        names = stack.enter_context(running("unbound", "-d", "-c", str(folder / "unbound.conf"), folder=folder))
        listen = f"--web.listen-address=127.0.0.1:{ports['blackbox']}"
        config = f"--config.file={folder / 'blackbox.yml'}"
        exporter = stack.enter_context(running("prometheus-blackbox-exporter", config, listen, "--log.level=error", folder=folder))

        node, jobs = Node("here", "127.0.0.1"), {}
        for name, there, port, given in (
            ("tcp", web, ports["http"], {}),
            ("http", web, ports["http"], {}),
            ("dns", names, ports["dns"], {"name": "a.test"}),
        ):
            if there:
                ready(partial(listens, port), name)
                options = catalogue.load(name).Options(port=port, **given)
                address = f"127.0.0.1:{port}"
                jobs[name] = (Job("bench", node, name, options), f"http://{address}/" if name == "http" else address)
        theirs = Theirs(exporter, ports["blackbox"]) if exporter else None
        if theirs:
            for name, (_, target) in jobs.items():
                ready(partial(theirs.scrape, name, target), "prometheus-blackbox-exporter")
            theirs.rest()
        return asyncio.run(compare(jobs, theirs, follow, probes, rounds))


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:3]]
    main(given[0] if given else 500, given[1] if len(given) > 1 else 5)
