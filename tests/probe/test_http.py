"""Asking real web servers, and such as misbehave in every way that a peer can; the reader of answers is fuzzed."""

import asyncio
import itertools
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from probe.http1 import MOST_HEAD, GarbageError, Response, read_head
from probe.inventory import Node
from probe.observation.failure import Failure, Kind
from probe.observation.http import HttpSample
from probe.observation.observation import Outcome
from probe.probers import http
from probe.probers.http import Step, follow, found_in, within

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def ask(port: int, address: str = "127.0.0.1", timeout_s: float = 5.0, **options: object) -> Outcome:
    async def run() -> Outcome:
        async with http.open() as prober:
            return await asyncio.wait_for(prober.ask(Node("n", address), http.Options(port=port, **options)), timeout_s)

    return asyncio.run(run())


def meet(peer: Peer | bytes, timeout_s: float = 5.0, **options: object) -> Outcome:
    """Ask a peer that does as the function says, or answers those octets."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if isinstance(peer, bytes):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(peer)
                await writer.drain()
                writer.write_eof()
                await reader.read()
            else:
                await peer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def run() -> Outcome:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, http.open() as prober:
            port = server.sockets[0].getsockname()[1]
            return await asyncio.wait_for(prober.ask(Node("n", "127.0.0.1"), http.Options(port=port, **options)), timeout_s)

    return asyncio.run(run())


def sample(outcome: Outcome) -> HttpSample:
    assert isinstance(outcome, HttpSample), outcome
    return outcome


# ---- nginx -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "site.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("site.test")]), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )
    file = tmp_path_factory.mktemp("certificate") / "site.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made)
    return file


NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  log_format probe '$request $status $http_host $http_user_agent $http_x_probe';
  access_log {folder}/access.log probe; default_type text/plain;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{
    listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl; server_name site.test;
    ssl_certificate {certificate}; ssl_certificate_key {certificate};
    location = / {{ return 200 "all is well\\n"; }}
    location = /health {{ return 200 "status: UP"; }}
    location = /fail {{ return 503 "no"; }}
    location = /none {{ return 204; }}
    location = /to {{ return 302 /; }}
    location = /up {{ return 301 https://site.test:{tls}/; }}
    location = /down {{ return 301 http://site.test:{plain}/; }}
    location = /loop {{ return 302 /loop; }}
    location = /file {{ root {folder}; }}
    location = /packed {{ gzip on; gzip_types text/plain; gzip_min_length 0; alias {folder}/file; }}
  }}
}}
"""


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory, certificate: Path, binary_of_nginx: str) -> Iterator[dict]:
    folder = tmp_path_factory.mktemp("nginx")
    ports = {"plain": free_port(), "tls": free_port()}
    (folder / "file").write_bytes(b"x" * 300_000)
    conf = folder / "nginx.conf"
    conf.write_text(("user root;\n" if folder.owner() == "root" else "") + NGINX.format(folder=folder, certificate=certificate, **ports))
    with (folder / "out").open("wb") as out:
        server = subprocess.Popen(
            [binary_of_nginx, "-p", str(folder), "-c", str(conf), "-e", str(folder / "error.log")], stdout=out, stderr=out
        )
    try:
        end = time.monotonic() + 10
        while isinstance(ask(ports["plain"]), Failure):
            assert server.poll() is None, (folder / "out").read_text()
            assert time.monotonic() < end
        yield {**ports, "log": folder / "access.log"}
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def binary_of_nginx() -> str:
    found = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    assert found, "nginx is missing: `make lab-packages`"
    return found


@pytest.mark.needs("nginx")
def test_nginx_answers_and_every_phase_is_timed(nginx: dict) -> None:
    seen = sample(ask(nginx["plain"], headers={"X-Probe": "yes"}))
    assert (seen.status, seen.reason, seen.version, seen.body_bytes) == (200, "OK", "1.1", 12)
    assert (seen.resolve_ms, seen.tls_ms, seen.body_matches, seen.redirects) == (None, None, None, 0)
    assert seen.url == f"http://127.0.0.1:{nginx['plain']}/"
    assert seen.status_expected is True
    phases = seen.connect_ms + seen.first_byte_ms + seen.transfer_ms
    assert 0 < phases <= seen.total_ms
    assert f"GET / HTTP/1.1 200 127.0.0.1:{nginx['plain']} firstline yes" in nginx["log"].read_text()


@pytest.mark.needs("nginx")
def test_nginx_over_tls_by_the_name_of_the_site(nginx: dict, certificate: Path) -> None:
    seen = sample(ask(nginx["tls"], scheme="https", host="site.test", ca_file=str(certificate)))
    assert seen.status == 200
    assert seen.tls_ms > 0
    assert seen.url == f"https://site.test:{nginx['tls']}/"


@pytest.mark.needs("nginx")
@pytest.mark.parametrize(
    ("given", "words"), [({"host": "other.test"}, "not valid for 'other.test'"), ({"host": "site.test", "ca_file": ""}, "self-signed")]
)
def test_a_certificate_that_clients_refuse_is_a_rejection(nginx: dict, certificate: Path, given: dict, words: str) -> None:
    seen = ask(nginx["tls"], **{"scheme": "https", "ca_file": str(certificate), **given})
    assert isinstance(seen, Failure)
    assert seen.kind is Kind.REJECTED
    assert words in seen.detail


@pytest.mark.needs("nginx")
def test_without_verification_any_certificate_will_do(nginx: dict) -> None:
    assert sample(ask(nginx["tls"], scheme="https", verify=False)).status == 200


@pytest.mark.needs("nginx")
@pytest.mark.parametrize(
    ("path", "given", "status", "octets", "redirects"),
    [
        ("/fail", {}, 503, 2, 0),
        ("/none", {}, 204, 0, 0),
        ("/file", {}, 200, 300_000, 0),
        ("/file", {"method": "HEAD"}, 200, 0, 0),
        ("/packed", {"headers": {"Accept-Encoding": "gzip"}}, 200, None, 0),  # chunked
        ("/to", {}, 302, None, 0),
        ("/to", {"redirects": 1}, 200, 12, 1),
        ("/loop", {"redirects": 3}, 302, None, 3),
    ],
)
def test_what_nginx_can_answer(nginx: dict, path: str, given: dict, status: int, octets: int | None, redirects: int) -> None:
    seen = sample(ask(nginx["plain"], path=path, **given))
    assert (seen.status, seen.redirects, seen.truncated) == (status, redirects, False)
    assert octets is None or seen.body_bytes == octets


@pytest.mark.needs("nginx")
def test_a_redirect_to_tls_is_followed_on_the_same_node_and_back_it_is_not(nginx: dict, certificate: Path) -> None:
    given = {"redirects": 2, "host": "site.test", "ca_file": str(certificate)}
    seen = sample(ask(nginx["plain"], path="/up", **given))
    assert (seen.status, seen.address, seen.redirects) == (200, "127.0.0.1", 1)
    refused = ask(nginx["tls"], scheme="https", path="/down", **given)
    assert isinstance(refused, Failure)
    assert "from https to http" in refused.detail


@pytest.mark.needs("nginx")
@pytest.mark.parametrize(("pattern", "matches"), [("UP", True), ("^status: (UP|OK)$", True), ("DOWN", False)])
def test_the_body_is_searched(nginx: dict, pattern: str, matches: bool) -> None:
    assert sample(ask(nginx["plain"], path="/health", body_pattern=pattern)).body_matches is matches


@pytest.mark.needs("nginx")
def test_tls_asked_of_a_plain_port_and_plain_of_a_tls_port(nginx: dict) -> None:
    seen = ask(nginx["plain"], scheme="https", verify=False)
    assert isinstance(seen, Failure)
    assert seen.kind is Kind.REJECTED
    assert sample(ask(nginx["tls"])).status == 400


# ---- peers that misbehave ------------------------------------------------------------------------------------------------


def test_a_closed_port_is_refused() -> None:
    seen = ask(free_port())
    assert isinstance(seen, Failure)
    assert seen.kind is Kind.REFUSED


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "begin with an HTTP status line but with 'SSH-2.0"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "status line"),
        (b"HTTP/1.1 200", "closed after 'HTTP/1.1 200'"),
        (b"HTTP/1.1 99 No\r\n\r\n", "status line"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "header line"),
        (b"HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n", "header line"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "middle of the body, after 3"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "size is no number"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n", "longer than it says"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "middle of the body"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20, "interim"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * MOST_HEAD, "head is longer"),
    ],
)
def test_garbage_is_rejected_with_an_excerpt(answer: bytes, words: str) -> None:
    seen = meet(answer)
    assert isinstance(seen, Failure)
    assert seen.kind is Kind.REJECTED
    assert words in seen.detail
    assert len(seen.detail) < 200


@pytest.mark.parametrize(
    ("answer", "status", "octets"),
    [
        (b"HTTP/1.0 200\r\n\r\nuntil the end", 200, 13),
        (b"HTTP/1.1 200 \n\nbare line feeds", 200, 15),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, 0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabcdef", 200, 3),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 30\r\n\r\n", 304, 0),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n", 200, 13),
        (b"HTTP/1.1 599 \xe4\xbd\xa0\r\nContent-Length: 0\r\n\r\n", 599, 0),
    ],
)
def test_every_way_to_end_a_body_is_understood(answer: bytes, status: int, octets: int) -> None:
    seen = sample(meet(answer))
    assert (seen.status, seen.body_bytes, seen.truncated) == (status, octets, False)


def test_an_endless_body_is_read_up_to_the_limit_and_no_further() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    seen = sample(meet(endless, most_body=100_000, body_pattern="y"))
    assert seen.truncated
    assert 100_000 <= seen.body_bytes < 100_000 + 65536
    assert seen.body_matches is False


def test_a_server_that_waits_is_slow_at_the_first_octet_and_one_that_dribbles_in_the_transfer() -> None:
    async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.15)
        for part in (b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 2\r\n\r\na", b"b"):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.05)

    seen = sample(meet(waits))
    assert seen.first_byte_ms > 140
    assert seen.transfer_ms > 90
    assert seen.total_ms > 240


def test_a_server_that_accepts_and_is_silent_ends_at_the_deadline() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(10)

    with pytest.raises(TimeoutError):
        meet(silent, timeout_s=0.2)


def test_a_reset_is_a_rejection() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    seen = meet(reset)
    assert isinstance(seen, Failure)
    assert seen.kind is Kind.REJECTED


def test_headers_of_ours_do_not_go_to_another_host() -> None:
    asked: list[bytes] = []

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        port = writer.get_extra_info("sockname")[1]
        writer.write(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://localhost:%d/x\r\n\r\n" % port)
        await writer.drain()
        await reader.read()

    seen = sample(meet(peer, redirects=1, headers={"X-Tenant": "a"}, family="ipv4"))
    assert (seen.redirects, seen.url.rpartition("/")[2]) == (1, "x")
    assert [b"X-Tenant: a" in one for one in asked] == [True, False]


# ---- the reader ----------------------------------------------------------------------------------------------------------

BODY = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: 1\r\na: 2\r\n\r\n4\r\nWiki\r\n5\r\npedia\r\n0\r\n\r\n"


@given(st.lists(st.integers(1, len(BODY)), max_size=20))
def test_an_answer_reads_the_same_in_whatever_pieces_it_comes(cuts: list[int]) -> None:
    response = Response(head_only=False, most_body=1000)
    edges = [0, *sorted(set(cuts)), len(BODY)]
    for start, end in itertools.pairwise(edges):
        response.feed(BODY[start:end])
    response.end()
    assert response.head is not None
    assert (response.head.fields["a"], bytes(response.body), response.body_bytes) == ("1, 2", b"Wikipedia", 9)


PIECE = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 100 \r\n", b"\r\n", b"\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"5\r\nabcde\r\n", b"0\r\n\r\n", b"ffffffffffffff\r\n"]),
)  # fmt: skip


@given(st.lists(PIECE, max_size=30), st.booleans(), st.integers(0, 50))
def test_no_octets_can_do_more_than_be_garbage(pieces: list[bytes], head_only: bool, most: int) -> None:
    response = Response(head_only=head_only, most_body=most)
    try:
        for piece in pieces:
            response.feed(piece)
        response.end()
    except GarbageError:
        pass
    assert len(response.body) <= most
    assert response.head is None or 100 <= response.head.status <= 999


@given(st.binary(max_size=200))
def test_a_head_is_read_or_refused(data: bytes) -> None:
    try:
        head = read_head(b"HTTP/1.1 200 OK\r\n" + data)
    except GarbageError:
        return
    assert all(name == name.lower() and "\n" not in value for name, value in head.fields.items())


# ---- options and targets ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address", "options"),
    [
        ("http://a.test", "a.test", {"scheme": "http", "path": "/"}),
        ("https://a.test:8443/x?y=1", "a.test", {"scheme": "https", "path": "/x?y=1", "port": 8443}),
        ("http://[::1]:80/", "::1", {"scheme": "http", "path": "/", "port": 80}),
        ("a.test/x", "a.test", {"scheme": "http", "path": "/x"}),
        ("127.0.0.1:8080", "127.0.0.1", {"scheme": "http", "path": "/", "port": 8080}),
        ("HTTP://A.test/#part", "a.test", {"scheme": "http", "path": "/"}),
    ],
)
def test_url_is_read(text: str, address: str, options: dict) -> None:
    assert http.read_target(text) == (address, options)
    msgspec.convert(options, http.Options)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://user:secret@a.test/", "user name or password"),
        ("ftp://a.test", "'ftp' is not asked"),
        ("http://", "host is missing"),
        ("", "host is missing"),
        ("http://a.test:0x50/", "no URL"),
        ("http://a.test:99999/", "no URL"),
        ("http://[::1/", "no URL"),
        ("http://a.test/bücher", "%XX"),
        ("http://a.test/a b", "%XX"),
    ],
)
def test_what_is_no_url_is_refused_with_its_cure_and_without_its_secret(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"write|leave out") as why:
        http.read_target(text)
    assert words in str(why.value)
    assert "secret" not in str(why.value)


@pytest.mark.parametrize(
    "given",
    [
        {"path": "x"},
        {"path": "/a b"},
        {"path": "/a\r\nX: 1"},
        {"method": "POST"},
        {"expect_status": "2xx"},
        {"expect_status": ""},
        {"headers": {"Authorization": "Basic eA=="}},
        {"headers": {"cookie": "x"}},
        {"headers": {"Host": "x"}},
        {"headers": {"X": "a\r\nb"}},
        {"headers": {"X y": "a"}},
        {"host": "a.test/x"},
        {"host": "a.test\r\n"},
        {"body_pattern": "("},
        {"redirects": 6},
        {"most_body": (1 << 20) + 1},
        {"port": 0},
        {"nonsense": 1},
    ],
)
def test_http_options_that_could_not_be_asked_are_refused(given: dict) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(given, http.Options)


@pytest.mark.parametrize(
    ("status", "ranges", "inside"),
    [
        (199, "200-399", False),
        (200, "200-399", True),
        (399, "200-399", True),
        (400, "200-399", False),
        (401, "200,401", True),
        (402, "200,401", False),
    ],
)
def test_expected_status(status: int, ranges: str, inside: bool) -> None:
    assert within(status, ranges) is inside


@pytest.mark.parametrize(
    ("options", "item"),
    [({}, "http:80/"), ({"scheme": "https", "path": "/x"}, "https:443/x"), ({"host": "a.test", "port": 81}, "http://a.test:81/")],
)
def test_item_tells_checks_of_one_node_apart(options: dict, item: str) -> None:
    assert http.Options(**options).item == item


HERE = Step("https", "192.0.2.1", 443, "a.test", "/x/y")


@pytest.mark.parametrize(
    ("location", "there"),
    [
        ("/z", Step("https", "192.0.2.1", 443, "a.test", "/z")),
        ("z?q=1#f", Step("https", "192.0.2.1", 443, "a.test", "/x/z?q=1")),
        ("https://b.test:444", Step("https", "b.test", 444, "b.test", "/")),
        ("//b.test/ü", Step("https", "b.test", 443, "b.test", "/%C3%BC")),
        ("https://A.TEST/", Step("https", "192.0.2.1", 443, "a.test", "/")),
    ],
)
def test_redirects_lead_where_they_say(location: str, there: Step) -> None:
    assert follow(HERE, location) == there


@pytest.mark.parametrize(
    "location",
    ["http://a.test/", "ftp://a.test", "javascript:1", "https://u:p@a.test/", "https://[::1", "https://:1/", "https://b.test:99999/"],
)
def test_redirects_that_lead_nowhere_are_refused(location: str) -> None:
    with pytest.raises(GarbageError):
        follow(HERE, location)


@given(st.text(max_size=60))
def test_no_location_can_put_a_line_into_our_request(location: str) -> None:
    try:
        there = follow(HERE, location)
    except GarbageError:
        return
    assert http.request("GET", there, {}).count(b"\r\n") == 6
    assert b"\n" not in http.request("GET", there, {}).replace(b"\r\n", b"")


def test_a_host_that_trusts_no_ca_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.probers.tls.verifying_context", lambda ca_file: None)
    seen = ask(9, scheme="https")
    assert isinstance(seen, Failure)
    assert seen.ours


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (".*ready", True),
        (".*?ready.*", True),
        (".*.*READY", False),
        (".*no|ready", True),
        (".*no|neither", False),
        (".", True),
        (".*", True),
    ],
)
def test_a_pattern_may_begin_with_anything_on_a_page_that_is_one_long_line(pattern: str, found: bool) -> None:
    start = time.process_time()
    assert found_in("x" * (1 << 20) + "ready", pattern) is found
    assert time.process_time() - start < 1


@given(
    st.sampled_from(["", ".*", ".*?", ".*.*", ".*+", ".*{2}", ".*?+"]),
    st.sampled_from(["a", "ab|c", "b$", "^b", "(a|b)c"]),
    st.text("abc\n"),
)
def test_what_is_found_is_what_a_search_finds(lead: str, rest: str, body: str) -> None:
    try:
        wanted = re.search(lead + rest, body) is not None
    except re.error:
        return
    assert found_in(body, lead + rest) is wanted


def test_a_changed_ca_file_is_read_anew_and_names_are_still_compared(certificate: Path, tmp_path: Path) -> None:
    prober, file = http.HttpProber(), tmp_path / "ca.pem"
    file.write_bytes(certificate.read_bytes())
    options = http.Options(scheme="https", ca_file=str(file))
    first = prober.context(options)
    assert prober.context(options) is first
    os.utime(file, (1, 1))
    anew = prober.context(options)
    assert anew is not first
    assert anew.check_hostname


def test_a_ca_file_that_is_missing_is_ours(tmp_path: Path) -> None:
    seen = ask(9, scheme="https", ca_file=str(tmp_path / "none.pem"))
    assert isinstance(seen, Failure)
    assert seen.ours
    assert "none.pem" in seen.detail


def test_an_ssl_error_is_never_taken_for_a_system_error() -> None:
    assert issubclass(ssl.SSLError, OSError), "its errno is not one: every prober must catch it before OSError"
