"""Asks a registrar where an address-of-record can be reached: a REGISTER without Contact, which only asks (RFC 3261 10.2.3).

It never changes a binding: the request carries neither Contact nor Expires, and a test holds it to that.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from msgspec import Meta

from probe.dial import DialError, address_of
from probe.inventory import Node
from probe.observation.failure import Failure
from probe.observation.observation import Outcome
from probe.observation.sip import Binding, RegistrationSample, SipSample
from probe.sip import fields
from probe.sip.client import SipOptions, bracketed, converse, sample
from probe.sip.conversation import Conversation, Secret
from probe.sip.datagram import Endpoints
from probe.sip.message import SipMessage
from probe.target import read_address_and_port

MOST_BINDINGS = 64


class Options(SipOptions, frozen=True, kw_only=True):
    """What can be set for a `registration` check."""

    number: Annotated[str, Meta(description="user part of the address-of-record, mostly the telephone number", min_length=1)]
    user: Annotated[str, Meta(description="name for the digest; default: the number")] = ""
    password: Annotated[str, Meta(description="password for the digest (MD5, SHA-256, SHA-512-256)")] = ""

    def __post_init__(self) -> None:
        """Refuse what could not be sent; ValueError."""
        self.check_texts(number=self.number)
        self.check_words(user=self.user)

    @property
    def item(self) -> str:
        """The number, and transport and port where they are not the usual ones."""
        return f"{self.number} {self.at}".strip()


class RegistrationProber:
    """Keeps one UDP socket for each address family."""

    def __init__(self) -> None:
        self._endpoints = Endpoints()

    async def ask(self, node: Node, options: Options) -> Outcome:
        """Return the bindings, or the registrar's refusal as its code."""
        try:
            host = address_of(node)
        except DialError as why:
            return why.failure
        secret = Secret(options.user or options.number, options.password) if options.password else None
        return await ask_bindings(self._endpoints, host, options, options.number, secret)

    def close(self) -> None:
        """Close the sockets."""
        self._endpoints.close()


async def ask_bindings(
    endpoints: Endpoints, host: str, options: SipOptions, number: str, secret: Secret | None
) -> RegistrationSample | Failure:
    """Return what the registrar at `host` knows of `number`."""
    domain = bracketed(options.domain or host)
    aor = f"sip:{fields.escaped(number)}@{domain}"

    async def talk(conversation: Conversation) -> RegistrationSample:
        conversation.uri = f"sip:{domain}"  # RFC 3261 10.2: the domain alone, no user
        conversation.remote_uri = conversation.local_uri = aor
        reply = await conversation.ask("REGISTER", [], secret=secret)
        bound = bindings(reply.message) if 200 <= reply.message.code < 300 else ()
        return RegistrationSample(aor, sample(conversation, reply), bound, reply.authenticated)

    seen = await converse(endpoints, host, options, number, talk)
    return RegistrationSample(aor, seen) if isinstance(seen, SipSample) else seen


def bindings(answer: SipMessage) -> tuple[Binding, ...]:
    """Return the Contacts of a registrar's answer that have not expired."""
    overall = fields.seconds(answer.first("expires"))
    found = []
    for value in answer.all("contact"):
        for part in fields.split(value):
            one = fields.address(part)
            expires_s = fields.seconds(one.params["expires"]) if "expires" in one.params else overall
            if one.host and expires_s != 0:
                found.append(Binding(fields.shown(one.uri) or "", fields.shown(one.host) or "", expires_s))
    return tuple(found[:MOST_BINDINGS])


@asynccontextmanager
async def open() -> AsyncIterator[RegistrationProber]:
    """Yield the prober; its sockets are closed at the end."""
    prober = RegistrationProber()
    try:
        yield prober
    finally:
        prober.close()


def read_target(text: str) -> tuple[str, dict[str, Any]]:
    """Read `registrar`, `registrar:port` or `[::1]:port`; ValueError says what is wrong."""
    address, port = read_address_and_port(text, 0)
    return address, {"port": port} if port else {}
