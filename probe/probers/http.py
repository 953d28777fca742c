"""Asks a web server one question over HTTP/1.1 and times each phase; no connection is kept, so that all of them are measured."""

import re
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal
from urllib.parse import urljoin, urlsplit

import msgspec
from msgspec import Meta

from probe import job
from probe.channel import Channel, TlsChannel
from probe.dial import FAMILIES, DialError, address_of, dial, failure_of, hang_up
from probe.http1 import GarbageError, Response
from probe.inventory import Node
from probe.observation.failure import Failure, Kind
from probe.observation.http import HttpSample
from probe.observation.observation import Outcome
from probe.probers.tls import NO_TRUST, TrustStores, reading_context, words
from probe.target import is_host

MOST_BODY = 1 << 20
_RANGES = re.compile(r"[1-5]\d\d(?:-[1-5]\d\d)?(?:,[1-5]\d\d(?:-[1-5]\d\d)?)*", re.ASCII)
_ANYTHING = re.compile(r"(?:\.\*\??)+(?![*+?{])")
_FIELD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SECRET = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token"})
_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "user-agent"})


class Options(job.Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set for an `http` check."""

    scheme: Annotated[Literal["http", "https"], Meta(description="http, or https for TLS")] = "http"
    port: Annotated[Annotated[int, Meta(ge=1, le=65535)] | None, Meta(description="TCP port; default 80 for http, 443 for https")] = None
    path: Annotated[str, Meta(description="path and query to ask for", pattern=r"^/[!-~]*$")] = "/"
    host: Annotated[str, Meta(description="name of the site (Host header, SNI, certificate); default: the node's address")] = ""
    method: Annotated[Literal["GET", "HEAD"], Meta(description="HEAD spares the body")] = "GET"
    headers: Annotated[dict[str, str], Meta(description="further header fields; no credentials")] = msgspec.field(default_factory=dict)
    expect_status: Annotated[str, Meta(description='status codes that are right: "200-399", "200,401"')] = "200-399"
    body_pattern: Annotated[str, Meta(description="regular expression that must be found in the body")] = ""
    most_body: Annotated[int, Meta(description="octets of the body that are read", ge=0, le=MOST_BODY)] = MOST_BODY
    redirects: Annotated[int, Meta(description="how many redirects to follow; 0 measures the redirect itself", ge=0, le=5)] = 0
    verify: Annotated[bool, Meta(description="whether the certificate must be trusted and name the host")] = True
    ca_file: Annotated[str, Meta(description="PEM file of the CAs to trust instead of the system's")] = ""
    family: Annotated[
        Literal["any", "ipv4", "ipv6"], Meta(description="which addresses of a name to use; the first of them is measured")
    ] = "any"

    def __post_init__(self) -> None:
        """Refuse what could not be asked; ValueError."""
        if not _RANGES.fullmatch(self.expect_status):
            raise ValueError(f"expect_status: {self.expect_status!r} is no list of status codes; write 200, 200-399 or 200,401")
        if self.host and not is_host(self.host):
            raise ValueError(f"host: {self.host!r} is no host name; write www.example.org, without scheme, port and path")
        for name, value in self.headers.items():
            if not _FIELD.fullmatch(name) or not value.isprintable() or not value.isascii():
                raise ValueError(f"headers: {name!r} and its value must be printable ASCII, the name a token (RFC 9110 5)")
            if name.lower() in _SECRET:
                raise ValueError(f"headers: {name} carries a credential, which has no place among a check's options; ask without it")
            if name.lower() in _OURS:
                raise ValueError(f"headers: {name} is set by the check itself (host: use the option `host`); leave it out")
        try:
            re.compile(self.body_pattern)
        except re.error as why:
            raise ValueError(f"body_pattern: {self.body_pattern!r} is no regular expression: {why}") from None

    @property
    def item(self) -> str:
        """The URL when the site has a name of its own, else scheme, port and path ("http:80/")."""
        port = self.port or (443 if self.scheme == "https" else 80)
        return f"{self.scheme}://{self.host}:{port}{self.path}" if self.host else f"{self.scheme}:{port}{self.path}"


class Step(msgspec.Struct, frozen=True):
    """One request to be made: where to connect, and what to ask there."""

    scheme: str
    connect_to: str
    port: int
    host: str
    path: str

    @property
    def url(self) -> str:
        """What a browser would show."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def authority(self) -> str:
        """Host, and the port where it is not the scheme's own (RFC 9110 7.2)."""
        host = f"[{self.host.partition('%')[0]}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"


class HttpProber:
    """Keeps the trust stores."""

    def __init__(self) -> None:
        self.trust = TrustStores(check_hostname=True)
        self.reader = reading_context()

    async def ask(self, node: Node, options: Options) -> Outcome:
        """Return the answer to the last request that was made, and the phases of that one; `total_ms` spans them all."""
        start = time.perf_counter()
        try:
            address = address_of(node)
            port = options.port or (443 if options.scheme == "https" else 80)
            step = Step(options.scheme, address, port, options.host or address, options.path)
            for followed in range(options.redirects + 1):
                own = step.host == (options.host or address)
                seen = await self.exchange(step, options, options.headers if own else {})
                target = seen.response.head.fields.get("location") if seen.response.head else None
                if followed == options.redirects or seen.status not in {301, 302, 303, 307, 308} or not target:
                    break
                step = follow(step, target)
        except DialError as why:
            return why.failure
        except GarbageError as why:
            return Failure(Kind.REJECTED, str(why))
        except ssl.SSLCertVerificationError as why:
            return Failure(Kind.REJECTED, f"certificate: {why.verify_message}")
        except ssl.SSLError as why:
            return Failure(Kind.REJECTED, f"TLS: {words(why)}")
        except OSError as why:
            return failure_of(why)
        return seen.sample(options, followed, (time.perf_counter() - start) * 1e3)

    async def exchange(self, step: Step, options: Options, headers: dict[str, str]) -> "Exchange":
        """Make one request on a connection of its own; DialError, GarbageError, OSError."""
        context = self.context(options) if step.scheme == "https" else None
        to = await dial(step.connect_to, step.port, FAMILIES[options.family])
        try:
            tls_ms = None
            channel = Channel(to.sock)
            if context:
                begin = time.perf_counter()
                channel = secure = TlsChannel(to.sock, context, step.host)
                await secure.handshake()
                tls_ms = (time.perf_counter() - begin) * 1e3
            await channel.send(request(options.method, step, headers))
            sent = time.perf_counter()
            response = Response(head_only=options.method == "HEAD", most_body=options.most_body)
            data = await channel.receive()
            first = time.perf_counter()
            while data and not response.done:
                response.feed(data)
                if not response.done:
                    data = await channel.receive()
            response.end()
            done = time.perf_counter()
        finally:
            hang_up(to.sock)
        return Exchange(step, to.address, to.resolve_ms, to.connect_ms, tls_ms, (first - sent) * 1e3, (done - first) * 1e3, response)

    def context(self, options: Options) -> ssl.SSLContext:
        """Return the TLS context for these options; DialError when none can be made."""
        context = self.trust.context(options.ca_file) if options.verify else self.reader
        if context is None:
            raise DialError(Failure(Kind.BROKEN, f"{NO_TRUST}; install them, or set verify = false"))
        return context


class Exchange(msgspec.Struct, frozen=True):
    """One request and its answer, with the milliseconds of each phase."""

    step: Step
    address: str
    resolve_ms: float | None
    connect_ms: float
    tls_ms: float | None
    first_byte_ms: float
    transfer_ms: float
    response: Response

    @property
    def status(self) -> int:
        """The status code; an exchange without one raised."""
        assert self.response.head is not None
        return self.response.head.status

    def sample(self, options: Options, redirects: int, total_ms: float) -> HttpSample:
        """Return what there is to tell."""
        head = self.response.head
        assert head is not None
        body = self.response.body.decode("utf-8", "replace") if options.body_pattern else ""
        return HttpSample(
            self.step.url,
            self.address,
            head.status,
            head.reason[:100],
            head.version,
            self.response.body_bytes,
            self.resolve_ms,
            self.connect_ms,
            self.tls_ms,
            self.first_byte_ms,
            self.transfer_ms,
            total_ms,
            found_in(body, options.body_pattern) if options.body_pattern else None,
            redirects,
            self.response.truncated,
            within(head.status, options.expect_status),
            options.expect_status,
        )


def found_in(body: str, pattern: str) -> bool:
    """Tell whether a pattern is found anywhere.

    A leading `.*` changes nothing about that, but would be tried from every character: for minutes on a page that is one long line.
    """
    return re.search(_ANYTHING.sub("", pattern, count=1) if _ANYTHING.match(pattern) else pattern, body) is not None


def request(method: str, step: Step, headers: dict[str, str]) -> bytes:
    """Return the octets of a request (RFC 9112 3)."""
    lines = [f"{method} {step.path} HTTP/1.1", f"Host: {step.authority}", "User-Agent: firstline"]
    if not any(name.lower() == "accept" for name in headers):
        lines.append("Accept: */*")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()


def follow(step: Step, location: str) -> Step:
    """Return where a redirect leads; GarbageError for one that is no http(s) URL or would give up TLS."""
    try:
        parts = urlsplit(urljoin(step.url, location.strip()))
        host, port = parts.hostname or "", parts.port
        host.encode("ascii")
    except (ValueError, UnicodeError):
        parts, host, port = urlsplit(""), "", None
    if parts.scheme not in {"http", "https"} or not host or parts.username is not None:
        raise GarbageError(f"the redirect leads to no URL that can be asked: {location[:100]!r}")
    if step.scheme == "https" and parts.scheme == "http":
        raise GarbageError(f"the redirect leads from https to http: {location[:100]!r}")
    path = "".join(c if "!" <= c <= "~" else "".join(f"%{b:02X}" for b in c.encode()) for c in parts.path or "/")
    query = "".join(c if "!" <= c <= "~" else "".join(f"%{b:02X}" for b in c.encode()) for c in parts.query)
    own = host == step.host.lower()
    to = step.connect_to if own else host  # the same site: on the node that is measured, whatever DNS says
    port = port or (443 if parts.scheme == "https" else 80)
    return Step(parts.scheme, to, port, step.host if own else host, path + (f"?{query}" if query else ""))


def within(status: int, ranges: str) -> bool:
    """Tell whether a status is in a list such as "200-399,401"."""
    for part in ranges.split(","):
        low, _, high = part.partition("-")
        if int(low) <= status <= int(high or low):
            return True
    return False


@asynccontextmanager
async def open() -> AsyncIterator[HttpProber]:
    """Yield the prober."""
    yield HttpProber()


def read_target(text: str) -> tuple[str, dict[str, Any]]:
    """Read a URL (`http://` is understood when there is no scheme); ValueError: what is wrong with it, and the cure."""
    cure = "write http://host:port/path or https://…"
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as why:
        raise ValueError(f"{text!r} is no URL: {why}; {cure}") from None
    if parts.username is not None or "@" in parts.netloc:
        raise ValueError("the URL holds a user name or password, which would be shown in listings and logs; leave out what is before the @")
    if parts.scheme not in {"http", "https"}:
        raise ValueError(f"{text!r}: {parts.scheme!r} is not asked; {cure}")
    if not host or not is_host(host):
        raise ValueError(f"{text!r}: the host is missing or none; {cure}")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not all("!" <= c <= "~" for c in path):
        raise ValueError(f"{text!r}: write other characters than printable ASCII as %XX (RFC 3986 2.1)")
    options: dict[str, Any] = {"scheme": parts.scheme, "path": path}
    return host, options | ({"port": port} if port else {})
