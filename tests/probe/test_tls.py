"""Handshakes with real TLS servers whose certificates are as they should be, and as they should not."""

import asyncio
import ipaddress
import os
import socket
import ssl
import struct
import threading
import warnings
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from probe.inventory import Node
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Outcome
from probe.observation.tls import TlsSample
from probe.probers import tls

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


class Made:
    """A certificate and its key."""

    def __init__(
        self,
        name: str,
        by: "Made | None" = None,
        *,
        names: tuple[str, ...] = (),
        ca: bool = False,
        since: datetime = NOW - 30 * DAY,
        until: datetime = NOW + 60 * DAY,
    ) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test"), x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.subject)
            .issuer_name(by.subject if by else self.subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(since)
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            shown = [x509.IPAddress(ipaddress.ip_address(n)) if n[0].isdigit() else x509.DNSName(n) for n in names]
            builder = builder.add_extension(x509.SubjectAlternativeName(shown), critical=False)
        self.pem = builder.sign((by or self).key, hashes.SHA256()).public_bytes(Encoding.PEM)


ROOT = Made("Root", ca=True, until=NOW + 900 * DAY)
INTERMEDIATE = Made("Intermediate", ROOT, ca=True, until=NOW + 20 * DAY)
STRANGER = Made("Stranger", ca=True)
LEAF = Made("leaf", INTERMEDIATE, names=("site.test", "*.wild.test", "127.0.0.1"))


def context_of(tmp_path: Path, *chain: Made) -> ssl.SSLContext:
    key = chain[0].key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = tmp_path / "server.pem"
    file.write_bytes(key + b"".join(made.pem for made in chain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def look(tmp_path: Path, context: ssl.SSLContext, trusted: Made = ROOT, *, family: str = "ipv4", **options: object) -> Outcome:
    (tmp_path / "ca.pem").write_bytes(trusted.pem)
    given = {"server_name": "site.test", "ca_file": str(tmp_path / "ca.pem"), **options}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def run() -> Outcome:
        asyncio.get_running_loop().set_exception_handler(lambda loop, details: None)  # refused handshakes are the server's everyday life
        async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server, tls.open() as prober:
            port = server.sockets[0].getsockname()[1]
            return await asyncio.wait_for(prober.ask(Node("n", "127.0.0.1"), tls.Options(port=port, **given)), 5)

    return asyncio.run(run())


def sample(outcome: Outcome) -> TlsSample:
    assert isinstance(outcome, TlsSample), outcome
    return outcome


def test_a_good_chain_is_read_as_sent_and_trusted(tmp_path: Path) -> None:
    seen = sample(look(tmp_path, context_of(tmp_path, LEAF, INTERMEDIATE)))
    assert (seen.verified, seen.name_matches, seen.problem) == (True, True, "")
    assert [one.subject for one in seen.chain] == ["CN=leaf, O=Test", "CN=Intermediate, O=Test"]
    assert [one.issuer for one in seen.chain] == ["CN=Intermediate, O=Test", "CN=Root, O=Test"]
    assert seen.chain[0].names == ("site.test", "*.wild.test", "127.0.0.1")
    assert (seen.chain[0].not_before, seen.chain[0].not_after) == (NOW - 30 * DAY, NOW + 60 * DAY)
    assert seen.early_expiry == NOW + 20 * DAY, "the intermediate expires first"
    assert seen.protocol.startswith("TLSv1.")
    assert seen.cipher
    assert seen.server_name == "site.test"
    assert seen.handshake_ms > 0
    assert seen.connect_ms > 0


SELF = Made("self", names=("site.test",))
EXPIRED = Made("leaf", INTERMEDIATE, names=("site.test",), since=NOW - 60 * DAY, until=NOW - DAY)
EARLY = Made("leaf", INTERMEDIATE, names=("site.test",), since=NOW + DAY, until=NOW + 60 * DAY)


@pytest.mark.parametrize(
    ("chain", "problem"),
    [
        ((LEAF,), "unable to get local issuer certificate"),
        ((LEAF, INTERMEDIATE, ROOT), "self-signed certificate in certificate chain"),
        ((SELF,), "self-signed certificate"),
    ],
)
def test_a_chain_that_is_not_trusted_is_still_read(tmp_path: Path, chain: tuple[Made, ...], problem: str) -> None:
    trusted = ROOT if chain == (LEAF,) else STRANGER
    seen = sample(look(tmp_path, context_of(tmp_path, *chain), trusted))
    assert (seen.verified, seen.problem) == (False, problem)
    assert len(seen.chain) == len(chain)
    assert seen.name_matches is True


@pytest.mark.parametrize(("leaf", "problem"), [(EXPIRED, "certificate has expired"), (EARLY, "certificate is not yet valid")])
def test_dates_out_of_range_are_read(tmp_path: Path, leaf: Made, problem: str) -> None:
    seen = sample(look(tmp_path, context_of(tmp_path, leaf, INTERMEDIATE)))
    assert (seen.verified, seen.problem) == (False, problem)
    assert len(seen.chain) == 2


def test_a_wrong_name_is_told_apart_from_a_wrong_chain(tmp_path: Path) -> None:
    seen = sample(look(tmp_path, context_of(tmp_path, LEAF, INTERMEDIATE), server_name="other.test"))
    assert (seen.verified, seen.name_matches) == (True, False)


def test_without_a_name_none_is_compared(tmp_path: Path) -> None:
    seen = sample(look(tmp_path, context_of(tmp_path, LEAF, INTERMEDIATE), server_name=""))
    assert (seen.verified, seen.name_matches, seen.server_name) == (True, None, None)


def what_servers_hear(tmp_path: Path, connections: int, **options: object) -> list[str]:
    """Return how each connection to a server ends, in the server's eyes."""
    ends: list[str] = []

    def serve(server: socket.socket, context: ssl.SSLContext) -> None:
        for _ in range(connections):
            raw, _ = server.accept()
            try:
                with context.wrap_socket(raw, server_side=True, suppress_ragged_eofs=False) as peer:
                    ends.append("goodbye" if peer.recv(1) == b"" else "data")
            except OSError as why:
                ends.append(str(why))

    async def run(port: int) -> Outcome:
        async with tls.open() as prober:
            return await prober.ask(Node("n", "127.0.0.1"), tls.Options(port=port, **options))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server, context_of(tmp_path, LEAF)))
        thread.start()
        sample(asyncio.run(run(server.getsockname()[1])))
        thread.join(5)
    return ends


def test_the_server_is_told_goodbye_and_logs_no_broken_connection(tmp_path: Path) -> None:
    assert what_servers_hear(tmp_path, 1, verify=False) == ["goodbye"]


def test_a_server_whose_chain_is_refused_is_told_why(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(STRANGER.pem)
    refused, read = what_servers_hear(tmp_path, 2, ca_file=str(tmp_path / "ca.pem"))
    assert "unknown ca" in refused
    assert read == "goodbye"


def test_verification_can_be_left_out(tmp_path: Path) -> None:
    seen = sample(look(tmp_path, context_of(tmp_path, SELF), verify=False))
    assert (seen.verified, seen.problem) == (None, "")


def test_a_server_of_old_protocols_is_read_and_not_accepted(tmp_path: Path) -> None:
    context = context_of(tmp_path, LEAF, INTERMEDIATE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    seen = sample(look(tmp_path, context))
    assert (seen.protocol, seen.verified, len(seen.chain)) == ("TLSv1.1", False, 2)
    assert "only TLSv1.1" in seen.problem


def test_a_host_without_any_ca_says_so_instead_of_blaming_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    seen = sample(look(tmp_path, context_of(tmp_path, LEAF, INTERMEDIATE), ca_file=""))
    assert seen.verified is None
    assert "trusts no CA" in seen.problem


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_can_not_be_used_is_ours(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "mine.pem"
    if content:
        file.write_text(content)
    seen = look(tmp_path, context_of(tmp_path, LEAF), ca_file=str(file))
    assert isinstance(seen, Failure)
    assert seen.ours
    assert str(file) in seen.detail


def test_a_changed_ca_file_is_read_anew(tmp_path: Path) -> None:
    prober = tls.TlsProber()
    file = tmp_path / "ca.pem"
    file.write_bytes(ROOT.pem)
    first = prober.trust.context(str(file))
    assert prober.trust.context(str(file)) is first
    file.write_bytes(STRANGER.pem)
    os.utime(file, (1, 1))
    assert prober.trust.context(str(file)) is not first


def meet(peer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], timeout_s: float = 3.0) -> Outcome:
    async def run() -> Outcome:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await peer(reader, writer)
            except ConnectionError:
                pass
            finally:
                writer.transport.abort()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, tls.open() as prober:
            port = server.sockets[0].getsockname()[1]
            return await asyncio.wait_for(prober.ask(Node("n", "127.0.0.1"), tls.Options(port=port)), timeout_s)

    return asyncio.run(run())


async def speak_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()
    await reader.read()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10000)
    writer.write_eof()
    await reader.read()


async def half_a_record(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10000)
    writer.write(b"\x16\x03\x03\x00\x7a\x02\x00")
    writer.write_eof()
    await reader.read()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(10)


@pytest.mark.parametrize(
    ("peer", "words"),
    [(speak_http, "wrong version number"), (hang_up, "hung up"), (half_a_record, "hung up"), (reset, "reset by peer")],
)
def test_a_peer_that_does_not_speak_tls_is_rejected(peer: Callable, words: str) -> None:
    seen = meet(peer)
    assert isinstance(seen, Failure)
    assert seen.kind is Kind.REJECTED
    assert words in seen.detail.lower()


def test_a_peer_that_accepts_and_is_silent_ends_at_the_deadline() -> None:
    with pytest.raises(TimeoutError):
        meet(silence, 0.2)


def test_a_server_that_hung_up_once_is_not_said_to_have_a_bad_chain() -> None:
    modern = tls.Shown("TLSv1.3", "x", (), 1.0)
    with pytest.raises(ssl.SSLEOFError):
        tls.refusal(ssl.SSLEOFError(8, "EOF"), modern)


SMTP = [
    (b"", b"220-hello\r\n220 mail.test\r\n"),
    (b"EHLO firstline\r\n", b"250-mail.test\r\n250 STARTTLS\r\n"),
    (b"STARTTLS\r\n", b"220 go\r\n"),
]
IMAP = [(b"", b"* OK ready\r\n"), (b"a STARTTLS\r\n", b"* note\r\na OK go\r\n")]
POSTGRESQL = [(b"\0\0\0\x08\x04\xd2\x16\x2f", b"S")]


def before_tls(talk: list[tuple[bytes, bytes]], context: ssl.SSLContext | None, **options: object) -> Outcome:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for heard, said in talk:
                assert await reader.readexactly(len(heard)) == heard
                for octet in said:  # in the smallest pieces
                    writer.write(bytes([octet]))
                    await writer.drain()
                    await asyncio.sleep(0)
            if context:
                await writer.start_tls(context)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def run() -> Outcome:
        asyncio.get_running_loop().set_exception_handler(lambda loop, details: None)
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, tls.open() as prober:
            given = tls.Options(port=server.sockets[0].getsockname()[1], **options)
            return await asyncio.wait_for(prober.ask(Node("n", "127.0.0.1"), given), 5)

    return asyncio.run(run())


@pytest.mark.parametrize(("protocol", "talk"), [("smtp", SMTP), ("imap", IMAP), ("postgresql", POSTGRESQL)])
def test_tls_that_begins_within_another_protocol(tmp_path: Path, protocol: str, talk: list[tuple[bytes, bytes]]) -> None:
    (tmp_path / "ca.pem").write_bytes(ROOT.pem)
    for chain, verified in (((LEAF, INTERMEDIATE), True), ((LEAF,), False)):
        seen = sample(before_tls(talk, context_of(tmp_path, *chain), starttls=protocol, ca_file=str(tmp_path / "ca.pem")))
        assert (seen.verified, len(seen.chain)) == (verified, len(chain))


@pytest.mark.parametrize(
    ("protocol", "talk", "words"),
    [
        ("smtp", [(b"", b"554 no\r\n")], "554 no"),
        ("smtp", [*SMTP[:2], (b"STARTTLS\r\n", b"454 not now\r\n")], "454 not now"),
        ("smtp", [(b"", b"220-" + b"x" * 9000)], "longer than"),
        ("smtp", [(b"", b"220 he")], "closed after"),
        ("imap", [(b"", b"* OK\r\n"), (b"a STARTTLS\r\n", b"a BAD\r\n")], "a BAD"),
        ("postgresql", [(POSTGRESQL[0][0], b"N")], "not offered"),
        ("postgresql", [(POSTGRESQL[0][0], b"")], "not offered"),
    ],
)
def test_a_server_that_does_not_go_over_to_tls_is_rejected(protocol: str, talk: list[tuple[bytes, bytes]], words: str) -> None:
    seen = before_tls(talk, None, starttls=protocol)
    assert isinstance(seen, Failure)
    assert seen.kind is Kind.REJECTED
    assert words in seen.detail


@pytest.mark.parametrize(
    ("name", "names", "valid"),
    [
        ("site.test", ("site.test",), True),
        ("SITE.test.", ("site.TEST",), True),
        ("a.wild.test", ("*.wild.test",), True),
        ("a.b.wild.test", ("*.wild.test",), False),
        ("wild.test", ("*.wild.test",), False),
        ("site.test", ("s*.test", "other.test"), False),
        ("test", ("*",), False),
        ("bücher.test", ("xn--bcher-kva.test",), True),
        ("192.0.2.1", ("192.0.2.1",), True),
        ("2001:db8::1", ("2001:DB8:0:0:0:0:0:1",), True),
        ("192.0.2.1", ("*.0.2.1", "192.0.2.2"), False),
        ("site.test", (), False),
    ],
)
def test_names_are_compared_as_rfc_9525_says(name: str, names: tuple[str, ...], valid: bool) -> None:
    assert tls.matches(name, names) is valid


@pytest.mark.parametrize(
    ("text", "read"), [("example.org", ("example.org", 443)), ("example.org:8443", ("example.org", 8443)), ("::1", ("::1", 443))]
)
def test_tls_target_is_read(text: str, read: tuple[str, int]) -> None:
    assert tls.read_target(text) == (read[0], {"port": read[1]})


def test_the_name_asked_for_is_part_of_the_item() -> None:
    assert tls.Options().item == "443"
    assert tls.Options(server_name="a.test").item == "443 a.test"


@pytest.mark.parametrize("name", [".example.org", "a..b", "x" * 64 + ".test", "a b", "a\0b", "https://a", "a:443", "\x9b2J.test"])
def test_a_name_that_no_server_can_have_is_refused_before_it_is_asked_for(name: str) -> None:
    with pytest.raises(ValueError, match="server_name"):
        tls.Options(server_name=name)


@pytest.mark.parametrize("name", ["", "a", "a.test.", "_sip.example.org", "münchen.example", "192.0.2.1", "2001:db8::1"])
def test_a_name_that_a_server_can_have_is_taken(name: str) -> None:
    assert tls.Options(server_name=name).server_name == name
