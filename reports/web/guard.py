"""Who may ask what: by listener, token, Host and Origin. Pure."""

import ipaddress
from collections.abc import Mapping
from hmac import compare_digest

import msgspec

from reports.web.actions import Refused

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LEAST_TOKEN = 16
MOST_QUERY = 2048


class Guard(msgspec.Struct, frozen=True):
    """How one listener is guarded.

    `local` is the unix socket, whose file's mode and group say who may: everything is allowed there. `open` is a loopback listener: the
    pages for machines (metrics, probe, health, reload) and the list of cases need no token, the interface under /v1 does. Otherwise
    everything needs the token. `hosts` are names by which it may be called besides localhost and addresses.
    """

    local: bool = False
    open: bool = False
    token: str | None = None
    hosts: frozenset[str] = frozenset()


def listener_guard(host: str, token: str | None, hosts: frozenset[str] = frozenset(), client_certificates: bool = False) -> Guard:
    """Return the guard of a TCP listener; ValueError says why it must not listen.

    Off loopback it needs a token, or TLS that demands client certificates.
    """
    if token is not None and len(token) < LEAST_TOKEN:
        raise ValueError(f"the token has {len(token)} characters; {LEAST_TOKEN} are the least (try: openssl rand -hex 32)")
    if is_loopback(host) or client_certificates:
        return Guard(open=True, token=token, hosts=hosts)
    if token is None:
        raise ValueError(f"{host or 'every address'} can be reached by others: listening there needs a token; or listen on 127.0.0.1")
    return Guard(token=token, hosts=hosts)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches a listener at this address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def admit(guard: Guard, method: str, path: str, query: bytes, headers: Mapping[str, str]) -> None:
    """Return when the request may go on; Refused says why not."""
    if len(query) > MOST_QUERY:
        raise Refused(414, f"the query is longer than {MOST_QUERY} bytes")
    if guard.local:
        return
    _admit_host(guard, headers.get("host"))
    if method not in SAFE:
        _admit_origin(headers)
    if guard.open and not path.startswith("/v1/"):
        return
    if guard.token is None:
        raise Refused(403, "this is served on the unix socket only, or with a token")
    scheme, _, shown = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not compare_digest(shown.strip().encode(), guard.token.encode()):
        raise Refused(401, "this needs the header `Authorization: Bearer …` with the token")


def _admit_host(guard: Guard, host: str | None) -> None:
    """Refuse names that are not ours: a page from elsewhere may let its own name point here (DNS rebinding); an address can't lie."""
    if host is None:
        raise Refused(400, "the request has no Host header")
    name = _name(host)
    if name == "localhost" or name in guard.hosts:
        return
    try:
        ipaddress.ip_address(name)
    except ValueError:
        raise Refused(421, "this is not served under that Host name; add it to the allowed names, or use the address") from None


def _admit_origin(headers: Mapping[str, str]) -> None:
    """Refuse what a page of another site made a browser send (RFC 6454, Fetch Metadata); programs send neither header."""
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower():
        raise Refused(403, "the Origin is not this Host")
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise Refused(403, "a page of another site may not ask this")


def _name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().rstrip(".")
