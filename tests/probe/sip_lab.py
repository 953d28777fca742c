"""SIP peers for the tests: a scriptable device in a thread, kamailio with a registrar, and answers made of requests."""

import contextlib
import os
import re
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from probe.sip.message import SipMessage, parse

KAMAILIO = """#!KAMAILIO
debug=0
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
dns=no
rev_dns=no
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules:/usr/lib/kamailio/modules:/usr/lib/aarch64-linux-gnu/kamailio/modules"
{tls}
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "siputils.so"
loadmodule "pv.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "textops.so"
loadmodule "corex.so"
modparam("registrar", "min_expires", 1)
request_route {{
  if (is_method("REGISTER")) {{
    if ($tU == "404") {{ sl_send_reply("404", "Not Found"); exit; }}
    if ($tU == "403") {{ sl_send_reply("403", "Forbidden"); exit; }}
    if (!is_present_hf("X-Gateway") && !pv_auth_check("127.0.0.1", "secret", "0", "0")) {{ auth_challenge("127.0.0.1", "1"); exit; }}
    save("location");
    exit;
  }}
  if (has_totag()) {{
    if (loose_route()) {{ t_relay(); }} else if (is_method("ACK")) {{ t_check_trans(); }} else {{ sl_send_reply("404", "Not Found"); }}
    exit;
  }}
  if (is_method("CANCEL")) {{ if (t_check_trans()) {{ t_relay(); }} exit; }}
  if (is_method("INVITE") && $rU == "8888") {{
    record_route();
    $du = "sip:127.0.0.1:{callee}";
    t_relay();
    exit;
  }}
  if ($rU == "503") {{ append_to_reply("Retry-After: 30\\r\\n"); sl_send_reply("503", "Service Unavailable"); exit; }}
  if ($rU != $null) {{ sl_send_reply("404", "Not Found"); exit; }}
  append_to_reply("Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\\r\\n");
  sl_send_reply("200", "OK");
}}
"""


def answer(request: SipMessage, first: str = "200 OK", *more: str, body: bytes = b"", copied: tuple[str, ...] = ()) -> bytes:
    """Return an answer to a request: its Via, From, To, Call-ID and CSeq, then `more` header lines."""
    names = ("via", "from", "to", "call-id", "cseq", *copied)
    lines = [
        f"{name}: {value}" + (";tag=far" if name == "to" and "tag=" not in value else "") for name in names for value in request.all(name)
    ]
    return "\r\n".join([f"SIP/2.0 {first}", *lines, *more, f"Content-Length: {len(body)}", "", ""]).encode() + body


class Device:
    """A UDP peer on `host` that does `act(device, request, from)` with each request; `requests` are those it had."""

    def __init__(self, act: Callable, host: str = "127.0.0.1", port: int = 0) -> None:
        self.act, self.requests, self.errors = act, [], []
        self.sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host, port))
        self.sock.settimeout(0.05)
        self.host, self.port = host, self.sock.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def methods(self) -> list[str]:
        return [one.method for one in self.requests]

    def say(self, data: bytes, to: tuple) -> None:
        self.sock.sendto(data, to)

    def wait_for(self, method: str, patience_s: float = 10.0) -> None:
        end = time.monotonic() + patience_s
        while method not in self.methods():
            assert time.monotonic() < end, f"no {method} within {patience_s} s: {self.methods()}"
            time.sleep(0.01)

    def _work(self) -> None:
        while not self._over.is_set():
            try:
                data, source = self.sock.recvfrom(65_535)
            except (TimeoutError, ConnectionError):
                continue
            try:
                request = parse(data)
                self.requests.append(request)
                self.act(self, request, source)
            except Exception as why:  # the test says so at its end
                self.errors.append(why)

    def __enter__(self) -> "Device":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.sock.close()
        assert self.errors == []


def replying(first: str, *more: str, body: bytes = b"") -> Callable:
    """Answer every request but ACK the same way."""

    def act(device: Device, request: SipMessage, source: tuple) -> None:
        if request.method and request.method != "ACK":
            device.say(answer(request, first, *more, body=body), source)

    return act


@contextlib.contextmanager
def kamailio(
    port: int, binary: str, certificate: tuple[Path, Path] | None = None, tls_port: int = 0, callee: int = 9
) -> Iterator[subprocess.Popen]:
    """Run kamailio on 127.0.0.1:`port` (UDP, TCP), with a certificate also TLS; calls to 8888 go to `callee`. It is ready when it answers."""
    with tempfile.TemporaryDirectory(prefix="firstline-test-kamailio-") as folder:
        tls, listen = "", [f"udp:127.0.0.1:{port}", f"tcp:127.0.0.1:{port}"]
        if certificate:
            own = Path(folder, "tls.cfg")
            own.write_text(f"[server:default]\nmethod = TLSv1.2+\nprivate_key = {certificate[1]}\ncertificate = {certificate[0]}\n")
            tls = f'enable_tls=yes\nloadmodule "tls.so"\nmodparam("tls", "config", "{own}")'
            listen.append(f"tls:127.0.0.1:{tls_port}")
        config = Path(folder, "kamailio.cfg")
        config.write_text(KAMAILIO.format(tls=tls, callee=callee))
        log = Path(folder, "log")
        command = [
            binary,
            "-DD",
            "-E",
            "-f",
            str(config),
            "-m",
            "32",
            "-M",
            "4",
            "-Y",
            folder,
            *(word for one in listen for word in ("-l", one)),
        ]
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        try:
            _until_it_answers(port, process, log)
            yield process
        finally:
            _end_group(process)


def signal_group(process: subprocess.Popen, number: int) -> None:
    """Send a signal to a daemon and all its children."""
    os.killpg(process.pid, number)


def _end_group(process: subprocess.Popen) -> None:
    import signal

    for number in (signal.SIGCONT, signal.SIGTERM):
        with contextlib.suppress(ProcessLookupError):
            signal_group(process, number)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        signal_group(process, signal.SIGKILL)
        process.wait()


def _until_it_answers(port: int, process: subprocess.Popen, log: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.1)
        sock.connect(("127.0.0.1", port))
        for _ in range(200):
            assert process.poll() is None, log.read_text(errors="replace")[-3000:]
            with contextlib.suppress(OSError):
                via = f"SIP/2.0/UDP 127.0.0.1:{sock.getsockname()[1]};branch=z9hG4bKready"
                ask = f"OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\nVia: {via}\r\nFrom: <sip:t@x>;tag=1\r\nTo: <sip:x>\r\nCall-ID: r\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
                sock.send(ask.encode())
                if sock.recv(4096).startswith(b"SIP/2.0"):
                    return
            time.sleep(0.05)
    raise AssertionError(log.read_text(errors="replace")[-3000:])


def register(port: int, number: str, contact: str, expires_s: int) -> None:
    """Register a number at kamailio as a gateway would (it lets X-Gateway in without a password)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.connect(("127.0.0.1", port))
        here = f"127.0.0.1:{sock.getsockname()[1]}"
        sock.send(
            f"REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{number}{expires_s}\r\nX-Gateway: yes\r\n"
            f"From: <sip:{number}@127.0.0.1>;tag=1\r\nTo: <sip:{number}@127.0.0.1>\r\nCall-ID: {number}-{expires_s}\r\nCSeq: 1 REGISTER\r\n"
            f"Contact: <{contact}>\r\nExpires: {expires_s}\r\nContent-Length: 0\r\n\r\n".encode()
        )
        said = sock.recv(4096).decode()
        assert re.match(r"SIP/2.0 200", said), said
