"""The lab's servers of names, pages, data and time, each started in a machine; what they need lies in its folder."""

import signal
import subprocess
from pathlib import Path

from tests.lab import topology
from tests.lab.daemons import wait_until
from tests.lab.node import FILES, Daemon, Node

GOOD_DAYS = 90  # of the web server's certificate
DATA = "/srv"  # the database's own small disk
MOST_CLIENTS = 12  # of the database
DISK_MB, DISK_NODES = 64, 4000
POSTGRES = ("setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups")


def unbound(node: Node, address: str, more: str) -> Daemon:
    """Start a resolver; `more` is what it knows, or whom it asks. It remembers nothing, so that every question is asked now."""
    text = f"""server:
  interface: {address}
  access-control: 0.0.0.0/0 allow
  username: ""
  chroot: ""
  directory: "{FILES}"
  pidfile: "{FILES}/unbound.pid"
  use-syslog: no
  do-daemonize: no
  do-ip6: no
  num-threads: 1
  module-config: "iterator"
  cache-max-ttl: 0
  cache-max-negative-ttl: 0
  msg-cache-size: 0
  rrset-cache-size: 0
  infra-host-ttl: 1
  infra-keep-probing: yes
  outbound-msg-retry: 2
{more}
remote-control:
  control-enable: no
"""
    return node.start("unbound", "unbound", "-d", "-c", node.write("unbound.conf", text))


def resolver(node: Node) -> Daemon:
    """Start the operator's resolver: it knows `lab.` itself, and asks the carrier's for everything else."""
    own = f'  local-zone: "test." nodefault\n  local-zone: "lab." static\n  local-data: "{topology.OWN_NAME}. 60 IN A {topology.SOFT}"\n'
    return unbound(node, topology.SOFT, f'{own}forward-zone:\n  name: "."\n  forward-addr: {topology.CARRIER}')


def carriers_resolver(node: Node) -> Daemon:
    """Start the carrier's resolver: it knows the names outside."""
    return unbound(node, topology.CARRIER, f'  local-zone: "." static\n  local-data: "{topology.OUTSIDE_NAME}. 60 IN A {topology.CARRIER}"')


def certify(node: Node, age_days: int = 0) -> None:
    """Make the web server's certificate: made so many days ago, for `GOOD_DAYS`; the authority that signs it is made once."""
    config = f"[leaf]\nsubjectAltName=DNS:{topology.PORTAL}\n"
    node.write("leaf.conf", config)
    new = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    script = f"""set -e
cd {FILES}
[ -e ca.pem ] || {new} -x509 -days 3650 -subj '/CN=Lab authority' -keyout ca.key -out ca.pem
{new} -subj /CN={topology.PORTAL} -keyout key.pem -out leaf.csr
faketime -f -{age_days}d openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -days {GOOD_DAYS} -extfile leaf.conf -extensions leaf -out leaf.pem
cat leaf.pem ca.pem >certificate.pem
"""
    node.run("sh", "-c", script)


def nginx(node: Node) -> Daemon:
    """Start a web server on ports 80 and 443; a certificate that is there already stays."""
    if not (node.files / "certificate.pem").exists():
        certify(node)
    node.write("answer.conf", answering(200))
    text = f"""user root; pid {FILES}/nginx.pid; error_log stderr; worker_processes 1;
events {{ worker_connections 64; }}
http {{ access_log off; server {{
  listen 80; listen 443 ssl;
  ssl_certificate {FILES}/certificate.pem; ssl_certificate_key {FILES}/key.pem;
  location / {{ include {FILES}/answer.conf; }}
}} }}
"""
    return node.start("nginx", "nginx", "-e", "stderr", "-c", node.write("nginx.conf", text), "-g", "daemon off;")


def answering(code: int) -> str:
    """Return what makes the web server answer every request with this status."""
    return f'return {code} "{"ok" if code == 200 else "out of order"}";\n'


def reload_nginx(node: Node) -> None:
    """Let the web server read its files again; on return nobody answers any more who has read the old ones."""
    server = node.daemons["nginx"]
    old = set(server.family) - {server.pid}
    server.signal(signal.SIGHUP)
    wait_until(lambda: not old & set(server.family) and len(server.family) > 1, "a web server with what is new")


def make_database(node: Node) -> "subprocess.Popen[bytes]":
    """Mount the database's disk and begin to make its data; it is made when what is returned has ended."""
    node.run("mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,nr_inodes={DISK_NODES},mode=777", "tmpfs", DATA)
    programs = Path("/usr/lib/postgresql")
    initdb = max(programs.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    options = ("-U", "postgres", "-A", "trust", "--no-sync", "--no-instructions", "--locale=C", "-E", "UTF8", "--wal-segsize=1")
    command = node.inside([*POSTGRES, str(initdb), "-D", f"{DATA}/data", *options])
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def start_postgresql(node: Node) -> Daemon:
    """Start the database server on what was made."""
    data = node.root / DATA.lstrip("/") / "data"
    (data / "pg_hba.conf").write_text("host all all 0.0.0.0/0 trust\n")
    settings = {
        "listen_addresses": "*",
        "unix_socket_directories": "",
        "fsync": "off",
        "max_connections": MOST_CLIENTS,
        "superuser_reserved_connections": 2,
        "shared_buffers": "8MB",
        "max_wal_size": "4MB",
        "min_wal_size": "2MB",
        "autovacuum": "off",
        "max_wal_senders": 0,
        "wal_level": "minimal",
        "jit": "off",
    }
    (data / "postgresql.auto.conf").write_text("".join(f"{key} = '{value}'\n" for key, value in settings.items()))
    server = max(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return node.start("postgresql", *POSTGRES, str(server), "-D", f"{DATA}/data")


def chronyd(node: Node, wrong_by_s: int = 0) -> Daemon:
    """Start a time server that serves its machine's own clock, or one that is wrong."""
    lines = ("local stratum 3", "allow all", "cmdport 0", "bindcmdaddress /", f"pidfile {FILES}/chronyd.pid")
    command = ["chronyd", "-x", "-d", "-u", "root", "-f", node.write("chrony.conf", "\n".join(lines) + "\n")]
    if wrong_by_s:
        command = ["faketime", "-f", f"{wrong_by_s:+d}s", *command]
    return node.start("chronyd", *command)
