"""TCP, HTTP and DNS probes against prometheus-blackbox-exporter, on the same loopback targets; ours is the whole service at work."""

import contextlib
import os
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from bench.measure import Row, Scraped, free_port, in_turns, listens, ready, running
from bench.pipeline import Pipeline, job, pipeline
from probe.job import Job

PROBES = 200  # of one turn
TOGETHER = 20  # jobs due within one tick
TURNS = 7
OTHER = "prometheus-blackbox-exporter"

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


async def run(folder: Path) -> list[Row]:
    """Start the targets and the exporter, compare, and end what was started."""
    ports = {"http": free_port(), "dns": free_port(), "blackbox": free_port()}
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, user=user, **ports))
    (folder / "unbound.conf").write_text(UNBOUND.format(folder=folder, **ports))
    (folder / "blackbox.yml").write_text(BLACKBOX)
    rows = []
    with contextlib.ExitStack() as stack:
        web = stack.enter_context(running("nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr", folder=folder))
        names = stack.enter_context(running("unbound", "-d", "-c", str(folder / "unbound.conf"), folder=folder))
        listen = f"--web.listen-address=127.0.0.1:{ports['blackbox']}"
        exporter = stack.enter_context(
            running(OTHER, f"--config.file={folder / 'blackbox.yml'}", listen, "--log.level=error", folder=folder)
        )
        asked: dict[str, tuple[list[Job], str]] = {}
        for prober, there, port, given in (
            ("tcp", web, ports["http"], {}),
            ("http", web, ports["http"], {}),
            ("dns", names, ports["dns"], {"name": "a.test"}),
        ):
            if there:
                ready(partial(listens, port), prober)
                jobs = [job(prober, "127.0.0.1", f"{prober}-{at}", port=port, **given) for at in range(TOGETHER)]
                asked[prober] = (jobs, f"http://127.0.0.1:{port}/" if prober == "http" else f"127.0.0.1:{port}")
        theirs = Scraped(exporter, ports["blackbox"]) if exporter else None
        if theirs:
            for prober, (_, target) in asked.items():
                ready(partial(_succeeds, theirs, _path(prober, target)), OTHER)
            theirs.rest()
        async with pipeline((one for jobs, _ in asked.values() for one in jobs), folder / "state") as service:
            if service.failures():
                raise RuntimeError(f"not everything answers: {service.failures()[0]}")
            for prober, (jobs, target) in asked.items():
                rows.append(await _compare(service, prober, jobs, _path(prober, target), theirs))
    return rows


async def _compare(service: Pipeline, prober: str, jobs: list[Job], path: str, theirs: Scraped | None) -> Row:
    async def ours() -> float:
        return await service.cost_s(jobs, PROBES // len(jobs)) * 1e3

    async def other() -> float:
        return theirs.cost_s(path, PROBES) * 1e3 if theirs else 0.0

    mine, their = await in_turns(TURNS, ours, other)
    return Row(f"one {prober} probe", mine, "ms", their or None, OTHER, 0.5)


def _succeeds(theirs: Scraped, path: str) -> bool:
    return b"\nprobe_success 1" in theirs.get(path)


def _path(prober: str, target: str) -> str:
    return "/probe?" + urlencode({"module": prober, "target": target})
