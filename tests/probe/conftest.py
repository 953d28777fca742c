"""Real servers for the probers' tests: started once, awaited until they answer, ended by their process id."""

import asyncio
import contextlib
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from probe.inventory import Node
from probe.job import Job
from probe.probers import catalogue
from probe.run import observe


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def as_user(name: str) -> dict:
    """Return the subprocess arguments that give up root for a daemon's own user; nothing when we are not root."""
    return {} if os.geteuid() != 0 else {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}


@contextlib.contextmanager
def folder_of(user: str) -> Iterator[Path]:
    """Give a folder that the daemon's user owns and can reach (pytest's own are closed to others)."""
    path = Path(tempfile.mkdtemp(prefix=f"firstline-test-{user}-"))
    try:
        if os.geteuid() == 0:
            os.chown(path, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def daemon(command: list, log: Path, **arguments) -> Iterator[subprocess.Popen]:
    """Run a server with its output in a file; end it by its own process id, awake or stopped."""
    words = [str(part) for part in command]
    with log.open("wb") as out:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=log.parent, **arguments)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGINT if words[0].endswith("/postgres") else signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def until(ready, process: subprocess.Popen, log: Path, patience_s: float = 60) -> None:
    """Wait until `ready()` is true; say what the server wrote when it ends or takes too long."""
    end = time.monotonic() + patience_s
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            raise AssertionError(f"{process.args[0]} is not ready:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.02)


def certificate_for_localhost(folder: Path) -> tuple[Path, Path]:
    """Write a self-signed certificate; return the files of certificate and key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    crt, pem = folder / "server.crt", folder / "server.key"
    crt.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    )
    for path in (crt, pem):
        path.chmod(0o600)
        if os.geteuid() == 0:
            owner = folder.stat()
            os.chown(path, owner.st_uid, owner.st_gid)
    return crt, pem


class Postgres:
    """A PostgreSQL server of the tests on 127.0.0.1."""

    def __init__(self, folder: Path, binaries: Path, port: int):
        self.folder, self.binaries, self.port = folder, binaries, port
        self.log = folder / "log"
        self.process: subprocess.Popen | None = None

    def make(self, hba: str, **more: int) -> None:
        run(
            [
                self.binaries / "initdb",
                "-D",
                self.folder / "data",
                "-U",
                "postgres",
                "-A",
                "trust",
                "--no-sync",
                "--locale=C",
                "-E",
                "UTF8",
            ],
            "postgres",
        )
        crt, key = certificate_for_localhost(self.folder)
        settings = {
            "listen_addresses": "'127.0.0.1'",
            "port": self.port,
            "unix_socket_directories": "''",
            "fsync": "off",
            "shared_buffers": "'4MB'",
            "max_connections": 8,
            "superuser_reserved_connections": 2,
            "max_wal_senders": 0,
            "autovacuum": "off",
            "ssl": "on",
            "ssl_cert_file": f"'{crt}'",
            "ssl_key_file": f"'{key}'",
            **more,
        }
        with (self.folder / "data/postgresql.conf").open("a") as conf:
            conf.writelines(f"{name} = {value}\n" for name, value in settings.items())
        (self.folder / "data/pg_hba.conf").write_text(hba)

    @contextlib.contextmanager
    def running(self, *more: str) -> Iterator["Postgres"]:
        command = [self.binaries / "postgres", "-D", self.folder / "data", *more]
        with daemon(command, self.log, **as_user("postgres")) as self.process:
            yield self

    def accepts(self) -> bool:
        isready = [self.binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(isready, check=False, env={"PGSSLMODE": "disable"}).returncode == 0

    def sql(self, statement: str) -> str:
        psql = [
            self.binaries / "psql",
            "-X",
            "-q",
            "-A",
            "-t",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            "postgres",
            "-c",
            statement,
            "postgres",
        ]
        return subprocess.run(psql, check=True, capture_output=True, text=True).stdout.strip()


def run(command: list, user: str) -> None:
    done = subprocess.run(
        [str(part) for part in command], check=False, capture_output=True, text=True, cwd="/", stdin=subprocess.DEVNULL, **as_user(user)
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-1500:]}{done.stderr[-1500:]}"


class Mariadb:
    """A MariaDB server of the tests on 127.0.0.1 (or in a network namespace)."""

    def __init__(self, folder: Path, server: str, client: str, port: int):
        self.folder, self.server, self.client, self.port = folder, server, client, port
        self.log, self.socket = folder / "log", folder / "socket"
        self.process: subprocess.Popen | None = None

    def make(self, installer: str) -> None:
        run(
            [installer, "--no-defaults", f"--datadir={self.folder / 'data'}", "--auth-root-authentication-method=normal", "--skip-test-db"],
            "mysql",
        )
        certificate_for_localhost(self.folder)

    def command(self, *more: str) -> list[str]:
        return [
            self.server,
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            f"--port={self.port}",
            f"--socket={self.socket}",
            f"--pid-file={self.folder / 'pid'}",
            f"--ssl-cert={self.folder / 'server.crt'}",
            f"--ssl-key={self.folder / 'server.key'}",
            "--innodb-buffer-pool-size=8M",
            "--innodb-flush-log-at-trx-commit=0",
            "--performance-schema=on",
            *more,
        ]

    @contextlib.contextmanager
    def running(self, *more: str) -> Iterator["Mariadb"]:
        with daemon(self.command("--bind-address=127.0.0.1", *more), self.log, **as_user("mysql")) as self.process:
            yield self

    def accepts(self) -> bool:
        return subprocess.run([*self._client(), "-e", "SELECT 1"], check=False, capture_output=True).returncode == 0

    def sql(self, statement: str) -> str:
        return subprocess.run([*self._client(), "-N", "-B", "-e", statement], check=True, capture_output=True, text=True).stdout.strip()

    def status(self, name: str) -> int:
        return int(self.sql(f"SHOW GLOBAL STATUS LIKE '{name}'").split()[1])

    def _client(self) -> list[str]:
        return [self.client, "--no-defaults", f"--socket={self.socket}", "-u", "root"]


def path_of(name: str) -> str:
    places = [os.environ.get("PATH", ""), "/usr/sbin", "/sbin", *sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)]
    found = shutil.which(name, path=os.pathsep.join(places))
    assert found, f"{name} is missing: `make lab-packages`"
    return found


HBA = """
host secret all 127.0.0.1/32 reject
host all postgres 127.0.0.1/32 trust
host all trusty 127.0.0.1/32 trust
host all hashed 127.0.0.1/32 md5
host all scrammed 127.0.0.1/32 scram-sha-256
host all clear 127.0.0.1/32 password
host all all 127.0.0.1/32 scram-sha-256
"""
PASSWORD = "s3cret-Pa55-\u00e4\u2160"  # SASLprep makes of the last letter a plain I


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL with one user for each way to log in; 6 connections for ordinary users."""
    with folder_of("postgres") as folder:
        server = Postgres(folder, Path(path_of("postgres")).resolve().parent, free_port())
        server.make(HBA)
        with server.running():
            until(server.accepts, server.process, server.log)
            server.sql("CREATE ROLE trusty LOGIN")
            server.sql(f"SET password_encryption = md5; CREATE ROLE hashed LOGIN PASSWORD '{PASSWORD}'")
            server.sql(f"CREATE ROLE scrammed LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE clear LOGIN PASSWORD '{PASSWORD}'")
            yield server


@pytest.fixture(scope="session")
def standby() -> Iterator[Postgres]:
    """The data of a standby that can be started hot or cold; not running."""
    with folder_of("postgres") as folder:
        server = Postgres(folder, Path(path_of("postgres")).resolve().parent, free_port())
        server.make("host all all 127.0.0.1/32 trust\n", max_connections=100, max_wal_senders=10)  # not below what initdb wrote
        (folder / "data/standby.signal").touch()
        if os.geteuid() == 0:
            shutil.chown(folder / "data/standby.signal", "postgres")
        yield server


@contextlib.contextmanager
def fresh_mariadb() -> Iterator[Mariadb]:
    with folder_of("mysql") as folder:
        server = Mariadb(folder, path_of("mariadbd"), path_of("mariadb"), free_port())
        server.make(path_of("mysql_install_db"))
        yield server


@pytest.fixture(scope="session")
def new_mariadb():
    """Make the data of a MariaDB: `with new_mariadb() as server`; not running."""
    return fresh_mariadb


@pytest.fixture(scope="session")
def until_ready():
    """Run a server by a command of the test's and wait for it: `with until_ready(server, command)`."""

    @contextlib.contextmanager
    def run_until_ready(server, command: list) -> Iterator[None]:
        with daemon(command, server.log) as server.process:
            until(server.accepts, server.process, server.log)
            yield

    return run_until_ready


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Mariadb]:
    """A running MariaDB with one user for each way to log in; 10 connections."""
    with fresh_mariadb() as server, server.running("--max-connections=10"):
        until(server.accepts, server.process, server.log)
        server.sql(f"CREATE USER native@'127.0.0.1' IDENTIFIED VIA mysql_native_password USING PASSWORD('{PASSWORD}')")
        server.sql("CREATE USER open@'127.0.0.1'")
        server.sql(f"CREATE USER enveloped@'127.0.0.1' IDENTIFIED BY '{PASSWORD}' REQUIRE SSL")
        server.sql("INSTALL SONAME 'auth_ed25519'")
        server.sql(f"CREATE USER edwards@'127.0.0.1' IDENTIFIED VIA ed25519 USING PASSWORD('{PASSWORD}')")
        server.sql("CREATE DATABASE billing; GRANT SELECT ON billing.* TO native@'127.0.0.1'")
        yield server


@pytest.fixture
def ask():
    """Ask a prober once, as the runner does: `ask("mysql", port, user=…)` → the outcome."""
    return lambda name, port, **options: ask_prober(name, port, times=1, **options)[0]


@pytest.fixture
def ask_twice():
    """Ask one open prober twice."""
    return lambda name, port, **options: ask_prober(name, port, times=2, **options)


def ask_prober(name: str, port: int, *, times: int, host: str = "127.0.0.1", timeout_s: float = 20.0, **options) -> list:
    prober = catalogue.load(name)
    job = Job("here", Node("target", host), name, prober.Options(port=port, **options), timeout_s=timeout_s)

    async def all_times() -> list:
        async with prober.open() as opened:
            return [(await observe(job, opened, lambda: datetime.now(UTC))).outcome for _ in range(times)]

    return asyncio.run(all_times())


@pytest.fixture
def certificate():
    """Make a certificate for localhost: `certificate(folder)` → its file and its key's."""
    return certificate_for_localhost


@pytest.fixture
def hostile():
    """Give a server that does `act(socket)` to each connection: `with hostile(act) as port`."""

    @contextlib.contextmanager
    def serve(act) -> Iterator[int]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0.05)
            over = threading.Event()

            def work() -> None:
                while not over.is_set():
                    try:
                        peer, _ = listener.accept()
                    except TimeoutError:
                        continue
                    peer.settimeout(5)
                    with peer, contextlib.suppress(OSError):
                        act(peer)

            thread = threading.Thread(target=work)
            thread.start()
            try:
                yield listener.getsockname()[1]
            finally:
                over.set()
                thread.join()

    return serve


@pytest.fixture(scope="session")
def password() -> str:
    return PASSWORD


@pytest.fixture
def unused_port() -> int:
    return free_port()


@pytest.fixture
def until_accepts():
    """Wait until a server of the tests takes connections."""
    return lambda server: until(server.accepts, server.process, server.log)


@pytest.fixture
def peer_that():
    """Give a UDP peer that does `act(socket, datagram, from)` with each datagram: `with peer_that(act) as port`."""

    @contextlib.contextmanager
    def serve(act) -> Iterator[int]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(0.05)
            over = threading.Event()

            def work() -> None:
                while not over.is_set():
                    with contextlib.suppress(TimeoutError, ConnectionError):
                        act(sock, *sock.recvfrom(2048))

            thread = threading.Thread(target=work)
            thread.start()
            try:
                yield sock.getsockname()[1]
            finally:
                over.set()
                thread.join()

    return serve


@pytest.fixture
def run_daemon():
    """Run a server: `with run_daemon(command, log file) as process`."""
    return daemon


@pytest.fixture
def free_udp_port():
    """Find a UDP port that nobody uses: `free_udp_port()`."""
    return lambda: free_port(socket.SOCK_DGRAM)
