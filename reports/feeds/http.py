"""One HTTP/1.1 request (RFC 9112) with one deadline over all of it; redirects are not followed."""

import asyncio
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

MAX_HEAD = 65536


class Answer(msgspec.Struct, frozen=True):
    """What came back: status and headers by lower-case name (the first of each); nobody waits for the body."""

    status: int
    reason: str
    headers: dict[str, str]


class Target(msgspec.Struct, frozen=True):
    """Where a URL points."""

    host: str
    port: int
    path: str
    secure: bool
    authority: str


def target(url: str) -> Target:
    """Return where a URL points; ValueError when it is not a plain http(s) URL, or holds a password."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("a URL is http://… or https://… with a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL holds no user and no password: name a secret file instead")
    if not url.isascii() or any(sign <= " " for sign in url):
        raise ValueError("a URL is ASCII without blanks: write names in Punycode and the rest percent-encoded")
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.hostname, port, path, secure, parts.netloc)


async def post(where: Target, headers: Mapping[str, str], body: bytes, tls: ssl.SSLContext | None, timeout_s: float) -> Answer:
    """Send one POST and return the answer. Errors: OSError (also ssl.SSLError, TimeoutError), ValueError when it is no HTTP."""
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_connection(where.host, where.port, ssl=tls, limit=MAX_HEAD)
        try:
            writer.write(_request(where, headers, body))
            try:
                await writer.drain()
            except ConnectionError:
                pass  # it may have answered before it closed: read that
            return await _answer(reader)
        finally:
            writer.transport.abort()


def _request(where: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    own = {"Host": where.authority, "Content-Length": str(len(body)), "Connection": "close", "User-Agent": "firstline", "Accept": "*/*"}
    lines = [f"POST {where.path} HTTP/1.1", *(f"{name}: {value}" for name, value in {**own, **headers}.items())]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header holds a line break")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii") + body


async def _answer(reader: asyncio.StreamReader) -> Answer:
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as why:
            if not why.partial:
                raise ConnectionResetError("closed without an answer") from why
            raise ValueError("the answer ends within its headers") from why
        except asyncio.LimitOverrunError as why:
            raise ValueError(f"the answer's headers are longer than {MAX_HEAD} bytes") from why
        answer = _head(head)
        if answer.status >= 200:  # 1xx are only announcements (RFC 9110 15.2)
            return answer


def _head(head: bytes) -> Answer:
    first, *rest = head.decode("latin-1").split("\r\n")
    version, _, status = first.partition(" ")
    code, _, reason = status.partition(" ")
    if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit() and len(code) == 3):
        raise ValueError(f"this is no HTTP: {first[:60]!r}")
    headers: dict[str, str] = {}
    for line in rest:
        name, colon, value = line.partition(":")
        if colon:
            headers.setdefault(name.strip().lower(), value.strip())
    return Answer(int(code), reason, headers)
