"""Shakes hands in TLS and reads what the server shows: protocol, chain as sent, and whether a client would accept it."""

import ipaddress
import os
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from probe import job
from probe.channel import Channel, TlsChannel
from probe.dial import FAMILIES, DialError, Dialled, address_of, dial, failure_of, hang_up
from probe.inventory import Node
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Outcome
from probe.observation.tls import CertificateSample, TlsSample
from probe.resolve import literal_family
from probe.starttls import NoTlsError, ask_for_tls
from probe.target import is_host, read_address_and_port

HUNG_UP = (ssl.SSLEOFError, ssl.SSLZeroReturnError)  # which of them is raised depends on the version of Python
NO_TRUST = "this host trusts no CA (Debian: ca-certificates)"


class Options(job.Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set for a `tls` check."""

    port: Annotated[int, Meta(description="TCP port", ge=1, le=65535)] = 443
    starttls: Annotated[
        Literal["none", "smtp", "imap", "postgresql"], Meta(description="what is spoken before TLS; none where TLS begins at once")
    ] = "none"
    server_name: Annotated[
        str, Meta(description="name to ask for (SNI) and to find in the certificate; default: the node's address if that is a name")
    ] = ""
    ca_file: Annotated[str, Meta(description="PEM file of the CAs to trust instead of the system's")] = ""
    verify: Annotated[bool, Meta(description="whether the chain must be trusted")] = True
    family: Annotated[
        Literal["any", "ipv4", "ipv6"], Meta(description="which addresses of a name to use; the first of them is measured")
    ] = "any"

    def __post_init__(self) -> None:
        """Refuse what could not be asked; ValueError."""
        if self.server_name and not is_host(self.server_name):
            raise ValueError(f"server_name: {self.server_name!r} is no host name; write www.example.org, without scheme, port and path")

    @property
    def item(self) -> str:
        """The port, and the name asked for when it is not the node's own."""
        return f"{self.port} {self.server_name}".rstrip()


class Shown(msgspec.Struct, frozen=True):
    """A handshake that succeeded: what the server sent."""

    protocol: str
    cipher: str
    chain: tuple[CertificateSample, ...]
    handshake_ms: float


class TrustStores:
    """Keeps contexts that verify, which take long to load. One whose CAs have changed on disk is loaded anew."""

    def __init__(self, check_hostname: bool) -> None:
        self._check_hostname = check_hostname
        self._known: dict[str, tuple[float, ssl.SSLContext | None]] = {}

    def context(self, ca_file: str) -> ssl.SSLContext | None:
        """Return a context that verifies, None when this host has no trust store; DialError when `ca_file` can't be used."""
        try:
            stamp = os.stat(ca_file or ssl.get_default_verify_paths().capath or "/").st_mtime
            known = self._known.get(ca_file)
            if known is None or known[0] != stamp:
                made = verifying_context(ca_file)
                if made:
                    made.check_hostname = self._check_hostname
                known = self._known[ca_file] = (stamp, made)
        except OSError as why:  # ssl.SSLError is one
            raise DialError(Failure(Kind.BROKEN, f"ca_file {ca_file}: {words(why)}")) from None
        return known[1]


class TlsProber:
    """Keeps the trust stores."""

    def __init__(self) -> None:
        self.trust = TrustStores(check_hostname=False)
        self.reader = reading_context()

    async def ask(self, node: Node, options: Options) -> Outcome:
        """Return the handshake. A chain that is not trusted is read in a second handshake that trusts anything."""
        try:
            address = address_of(node)
            name = options.server_name or ("" if literal_family(address) else address.removesuffix("."))
            trusting = self.trust.context(options.ca_file) if options.verify else None
            verified, problem = None, "" if trusting or not options.verify else NO_TRUST
            to = await dial(address, options.port, FAMILIES[options.family])
            if trusting:
                try:
                    shown, verified = await shake(to, trusting, name, options.starttls), True
                except ssl.SSLError as why:
                    to = await dial(to.address, options.port)
                    shown, verified = await shake(to, self.reader, name, options.starttls), False
                    problem = refusal(why, shown)
            else:
                shown = await shake(to, self.reader, name, options.starttls)
        except DialError as why:
            return why.failure
        except NoTlsError as why:
            return Failure(Kind.REJECTED, str(why))
        except ssl.SSLError as why:
            return Failure(Kind.REJECTED, f"TLS: {words(why)}")
        except OSError as why:
            return failure_of(why)
        return TlsSample(
            to.address,
            options.port,
            name or None,
            shown.protocol,
            shown.cipher,
            to.connect_ms,
            shown.handshake_ms,
            shown.chain,
            min((one.not_after for one in shown.chain), default=None),
            verified,
            matches(name, shown.chain[0].names) if name and shown.chain else None,
            problem,
        )


def verifying_context(ca_file: str) -> ssl.SSLContext | None:
    """Return a context that trusts `ca_file` or the system's CAs (None when there are none); names are compared by us, apart."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if ca_file:
        context.load_verify_locations(ca_file)
        return context
    context.load_default_certs()
    folder = ssl.get_default_verify_paths().capath  # read by OpenSSL as needed, so not in the statistics
    if not context.cert_store_stats()["x509_ca"] and not (folder and os.path.isdir(folder) and os.listdir(folder)):
        return None
    return context


def reading_context() -> ssl.SSLContext:
    """Return a context that accepts whatever a server offers, old protocols and weak ciphers too: it only looks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def refusal(why: ssl.SSLError, shown: Shown) -> str:
    """Return why a usual client refuses what was `shown` to one that accepts anything; raises `why` when that does not follow."""
    if isinstance(why, ssl.SSLCertVerificationError):
        return why.verify_message
    if isinstance(why, HUNG_UP) and shown.protocol in {"TLSv1.2", "TLSv1.3"}:
        raise why  # it hung up once and not the next time: that says nothing of its chain
    return f"{words(why)}; only {shown.protocol} with {shown.cipher} is agreed to"


async def shake(to: Dialled, context: ssl.SSLContext, name: str, starttls: str) -> Shown:
    """Shake hands and hang up; ssl.SSLError as for a client that wants to go on, NoTlsError, OSErrors of the connection."""
    try:
        await ask_for_tls(Channel(to.sock), starttls)
        channel = TlsChannel(to.sock, context, name or None)
        start = time.perf_counter()
        await channel.handshake()
        took_ms = (time.perf_counter() - start) * 1e3
        channel.say_goodbye()
        tls = channel.tls
        # The public get_unverified_chain (Python 3.13) gives DER; this one, there since 3.10, gives objects that the stdlib can read.
        raw = getattr(tls, "_sslobj").get_unverified_chain() or ()  # noqa: B009
        cipher = tls.cipher()
        return Shown(tls.version() or "", cipher[0] if cipher else "", tuple(certificate(one) for one in raw), took_ms)
    finally:
        hang_up(to.sock)


def certificate(raw: Any) -> CertificateSample:
    """Return what the standard library reads of one certificate; ssl.SSLError when it can't."""
    try:
        info = raw.get_info()
        return CertificateSample(
            distinguished(info.get("subject", ())),
            distinguished(info.get("issuer", ())),
            moment(info["notBefore"]),
            moment(info["notAfter"]),
            tuple(name for kind, name in info.get("subjectAltName", ()) if kind in {"DNS", "IP Address"}),
        )
    except (ValueError, OverflowError, KeyError) as why:
        raise ssl.SSLError(ssl.SSL_ERROR_SSL, f"a certificate can't be read: {why}") from None


_SHORT = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "localityName": "L",
    "stateOrProvinceName": "ST",
}


def distinguished(name: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    """Return a distinguished name as text, most specific first ("CN=example.org, O=Example")."""
    return ", ".join(f"{_SHORT.get(kind, kind)}={value}" for part in reversed(name) for kind, value in part)


def moment(text: str) -> datetime:
    """Return the aware UTC time of a certificate's date."""
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)


def matches(name: str, names: tuple[str, ...]) -> bool:
    """Tell whether a certificate for `names` is valid for `name`: RFC 9525 6.3, a wildcard stands for the whole left-most label."""
    names = tuple(one for one in names if len(one) <= 253)  # RFC 1035; what is longer would only fill memory
    if literal_family(name):
        return any(ipaddress.ip_address(name) == ipaddress.ip_address(one) for one in names if literal_family(one))
    wanted = name.removesuffix(".").lower()
    if not wanted.isascii():
        wanted = wanted.encode("idna").decode()
    shown = {one.removesuffix(".").lower() for one in names if not literal_family(one)}
    _, _, parent = wanted.partition(".")
    return wanted in shown or f"*.{parent}" in shown


def words(why: OSError) -> str:
    """Return the verifier's or OpenSSL's own words, without its function names."""
    if isinstance(why, ssl.SSLCertVerificationError):
        return why.verify_message
    if isinstance(why, HUNG_UP):
        return "the peer hung up during the handshake"
    reason = getattr(why, "reason", None)
    return reason.replace("_", " ").lower() if isinstance(reason, str) and reason else why.strerror or str(why)


@asynccontextmanager
async def open() -> AsyncIterator[TlsProber]:
    """Yield the prober."""
    yield TlsProber()


def read_target(text: str) -> tuple[str, dict[str, Any]]:
    """Read `host`, `host:port` or `[::1]:port` (443 when none is given); ValueError says what is wrong."""
    address, port = read_address_and_port(text, 443)
    return address, {"port": port}
