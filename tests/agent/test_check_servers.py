"""`firstline check` as a program: against real servers, for Nagios and for other programs, live at a terminal, and by the service."""

import contextlib
import fcntl
import http.server
import json
import os
import pty
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

FIRSTLINE = str(Path(sys.executable).with_name("firstline"))
WORDS = {0: "OK", 1: "WARNING", 2: "CRITICAL", 3: "UNKNOWN"}


def run(*words: str, before: tuple[str, ...] = (), **surroundings: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("FIRSTLINE_")}
    command = [*before, FIRSTLINE, "check", *words]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, cwd="/", env={**plain, "FIRSTLINE_LANG": "en", **surroundings}
    )
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    return done


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"all is well"
        self.send_response(200 if self.path == "/" else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def web() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """Give a TLS server's port and the file of its self-signed certificate, of whose time a fifth is left."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 77, now - timedelta(days=20), now + timedelta(days=5))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    signed = made.add_extension(names, False).add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256())
    folder = tmp_path_factory.mktemp("tls")
    file = folder / "server.pem"
    kind = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    file.write_bytes(key.private_bytes(kind, serialization.PrivateFormat.PKCS8, plain) + signed.public_bytes(kind))
    trusted = folder / "ca.pem"
    trusted.write_bytes(signed.public_bytes(kind))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = listener.accept()
                with contextlib.suppress(OSError), context.wrap_socket(caller, server_side=True) as inside:
                    inside.recv(1)

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1], trusted
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture(scope="module")
def dns(tmp_path_factory: pytest.TempPathFactory, binary: Callable[[str], str], until: Any) -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("dns")
    config = folder / "unbound.conf"
    config.write_text(
        f'server:\n interface: 127.0.0.1@{number}\n username: ""\n chroot: ""\n directory: "{folder}"\n pidfile: ""\n use-syslog: no\n'
        ' logfile: ""\n do-daemonize: no\n local-zone: "example." static\n local-data: "www.example. 60 IN A 192.0.2.80"\n'
        ' module-config: "iterator"\nremote-control:\n control-enable: no\n'
    )
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([binary("unbound"), "-d", "-c", str(config)], stdout=log, stderr=log)
    until(lambda: run("dns", "127.0.0.1", "--port", str(number), "--name", "www.example").returncode == 0, why="unbound")
    yield number
    server.kill()
    server.wait()


def nagios(code: int, *words: str) -> str:
    """Run a check for Nagios, hold it to its exit code and its form, and return its line."""
    done = run(*words, "--format", "nagios")
    assert done.returncode == code, done
    assert re.fullmatch(rf"{words[0].upper()} {WORDS[code]} - [^|\n]+( \| [^|\n]+)?\n", done.stdout), done.stdout
    return done.stdout


@pytest.mark.needs_root
def test_icmp_for_nagios(port: Callable[..., int]) -> None:
    line = nagios(0, "icmp", "127.0.0.1", "--count", "2")
    assert re.search(r"loss=0%;20;40;0;100 ", line)


def test_tcp_http_and_refusals_for_nagios(door: Callable[[], Any], web: int, port: Callable[..., int]) -> None:
    nagios(0, "tcp", f"127.0.0.1:{door().port}")
    nagios(0, "http", f"http://127.0.0.1:{web}/", "--body-pattern", "well")
    nagios(2, "http", f"http://127.0.0.1:{web}/broken")
    nagios(2, "http", f"http://127.0.0.1:{web}/", "--body-pattern", "another")
    closed = str(port())
    for words in (
        ("tcp", f"127.0.0.1:{closed}"),
        ("http", f"http://127.0.0.1:{closed}/"),
        ("tls", f"127.0.0.1:{closed}"),
        ("postgresql", f"127.0.0.1:{closed}"),
        ("mysql", f"127.0.0.1:{closed}"),
        ("ntp", "127.0.0.1", "--port", closed),
    ):
        nagios(2, *words)


def test_tls_for_nagios(certified: tuple[int, Path]) -> None:
    number, trusted = certified
    known = ("--ca-file", str(trusted), "--server-name", "localhost")
    nagios(1, "tls", f"127.0.0.1:{number}", *known)  # less than a third of its time is left
    nagios(2, "tls", f"127.0.0.1:{number}", "--server-name", "localhost")
    nagios(2, "tls", f"127.0.0.1:{number}", "--ca-file", str(trusted), "--server-name", "other.example")


@pytest.mark.needs("unbound")
def test_dns_for_nagios(dns: int) -> None:
    nagios(0, "dns", "127.0.0.1", "--port", str(dns), "--name", "www.example")
    nagios(2, "dns", "127.0.0.1", "--port", str(dns), "--name", "nothing.example")


@pytest.mark.parametrize("prober", ["host", "interfaces", "sockets"])
def test_this_machine_for_programs(prober: str) -> None:
    done = run(prober, "localhost", "--format", "json")
    found = json.loads(done.stdout)
    assert done.returncode == {"ok": 0, "warning": 1, "critical": 2, "unknown": 3}[found["state"]]
    assert set(found) == {"target", "prober", "state", "at", "took_ms", "findings", "outcome"}
    assert (found["target"], found["prober"]) == ("localhost", prober)
    assert datetime.fromisoformat(found["at"]).utcoffset() == timedelta()
    for finding in found["findings"]:
        assert set(finding) == {"check", "item", "state", "value", "unit", "levels", "message"}
        assert finding["levels"] is None or set(finding["levels"]) == {"warning", "critical", "low", "source"}


def test_mistakes_are_usage_errors_with_their_cure(tmp_path: Path) -> None:
    for words, cure in (
        (("icpm", "127.0.0.1"), 'did you mean "icmp"?'),
        (("carrier-pigeon", "127.0.0.1"), "there are: arp, call"),
        (("tcp",), "TARGET"),
        (("tcp", "127.0.0.1"), "port"),
        (("tcp", "127.0.0.1:99999"), "99999"),
        (("icmp", "127.0.0.1", "--count", "many"), "'many' is not a valid integer"),
        (("icmp", "127.0.0.1", "--count", "-1"), "count"),
        (("icmp", "127.0.0.1", "--cuont", "1"), "--count"),
        (("dns", "127.0.0.1"), "--name"),
        (("icmp", "127.0.0.1", "--config", str(tmp_path / "none.toml")), "none.toml"),
    ):
        done = run(*words)
        assert done.returncode == 3, (words, done)
        assert cure in done.stderr, (words, done.stderr)
        assert done.stdout == ""


@pytest.mark.needs_root
def test_a_name_of_the_inventory_brings_its_options_and_levels(tmp_path: Path) -> None:
    config = tmp_path / "firstline.toml"
    config.write_text(
        '[agent]\nname = "here"\n[[node]]\nname = "gate"\naddress = "127.0.0.1"\n[[node.check]]\nprober = "icmp"\ncount = 3\n'
        "[node.check.levels.latency]\nwarning = 0.000001\ncritical = 10000.0\n"
    )
    done = run("icmp", "gate", "--config", str(config), "--format", "json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["state"], found["outcome"]["sent"]) == (1, "warning", 3)
    (latency,) = [one for one in found["findings"] if one["check"] == "icmp/latency"]
    assert (latency["levels"]["warning"], latency["levels"]["critical"]) == (0.000001, 10000.0)
    assert json.loads(run("icmp", "gate", "--count", "2", "--config", str(config), "--format", "json").stdout)["outcome"]["sent"] == 2


@pytest.mark.needs_root
@pytest.mark.needs("setpriv", "unshare", "ip")
def test_what_this_user_may_not_measure_is_measured_by_the_service(service: Any, door: Callable[[], Any]) -> None:
    """Without CAP_NET_RAW and in a new namespace nobody may send echoes: `ping_group_range` begins as empty there."""
    script = f'ip link set lo up && exec "{FIRSTLINE}" check icmp 127.0.0.1 "$@"'
    powerless = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", "unshare", "-n", "sh", "-c", script, "sh"]

    def check(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*powerless, *words], capture_output=True, text=True, env=service.environment, timeout=60, check=False)

    service.configure('\n[[node]]\nname = "here"\naddress = "localhost"\n' + door().text)
    alone = check("--format", "json")
    assert alone.returncode == 3, alone
    found = json.loads(alone.stdout)
    assert (found["state"], found["outcome"]["kind"]) == ("unknown", "denied")
    assert "CAP_NET_RAW" in found["findings"][0]["message"]
    assert "CAP_NET_RAW" in " ".join(check().stdout.split())

    service.start()
    helped = check("--format", "json", "--count", "2")
    assert helped.returncode == 0, helped
    found = json.loads(helped.stdout)
    assert (found["state"], found["outcome"]["sent"], found["target"]) == ("ok", 2, "127.0.0.1")
    assert check("--format", "nagios").stdout.startswith("ICMP OK - ")


def watched(columns: int, seconds: float) -> tuple[str, int]:
    """Run `check --watch` at a terminal of this width, press Ctrl-C there, and return what it drew and its exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where the tests run in the background
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        words = [FIRSTLINE, "check", "icmp", "127.0.0.1", "--watch", "--every", "0.3", "--count", "1", "--language", "en"]
        os.execve(FIRSTLINE, words, {"PATH": os.environ["PATH"], "TERM": "xterm", "TZ": "UTC"})
    drawn = bytearray()

    def read(done: Callable[[], bool]) -> None:
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, drawn
            try:
                drawn.extend(os.read(terminal, 65536))
            except OSError:  # it has ended
                return

    read(lambda: drawn.count(b"\x1b[J") >= 4)
    os.write(terminal, b"\x03")
    read(lambda: False)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return drawn.decode(), os.waitstatus_to_exitcode(status)


@pytest.mark.needs_root
@pytest.mark.parametrize("columns", [100, 60, 40])
def test_watch_redraws_one_block_in_place_and_leaves_a_clean_terminal(columns: int) -> None:
    drawn, code = watched(columns, 30)
    assert code == 130
    assert "Traceback" not in drawn
    blocks = drawn.split("\x1b[J")
    heights = {block.count("\r\n") for block in blocks[:4]}
    assert len(heights) == 1
    (height,) = heights
    assert all(block.startswith(f"\x1b[{height}A") for block in blocks[1:4])
    for block in blocks[:4]:
        for line in block.replace(f"\x1b[{height}A", "").split("\r\n"):
            assert len(re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line).replace("\r", "")) <= columns, line
    assert "\x1b[?25l" not in drawn or "\x1b[?25h" in drawn  # a cursor that was hidden is shown again
    assert "\x1b[?1049h" not in drawn  # what was on the screen before is still there
    colours = re.findall(r"\x1b\[([0-9;]*)m", drawn)
    assert not colours or colours[-1] in ("0", "")


def test_a_reader_that_goes_away_ends_it_in_silence(door: Callable[[], Any]) -> None:
    command = [FIRSTLINE, "check", "tcp", f"127.0.0.1:{door().port}", "--watch", "--every", "0.2", "--format", "nagios"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as going:
        assert going.stdout is not None
        assert going.stderr is not None
        assert going.stdout.readline().startswith(b"TCP OK")
        going.stdout.close()
        assert going.wait(10) == 0
        assert going.stderr.read() == b""


def test_watch_in_a_pipe_is_one_reading_after_another_and_obeys_ctrl_c(door: Callable[[], Any]) -> None:
    command = [FIRSTLINE, "check", "tcp", f"127.0.0.1:{door().port}", "--watch", "--every", "0.2", "--format", "nagios"]
    # The tests themselves may run in the background, where a shell has SIGINT ignored; a terminal's foreground has it not.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    finally:
        signal.signal(signal.SIGINT, before)
    with started as going:
        assert going.stdout is not None
        assert going.stderr is not None
        try:
            for _ in range(3):
                assert going.stdout.readline().startswith(b"TCP OK")
            going.send_signal(signal.SIGINT)
            assert going.wait(10) == 130
            assert going.stderr.read().strip() == b""
        finally:
            going.kill()
