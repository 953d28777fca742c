"""Tests a customer's voice gateway by two ways, its own address and its public one behind NAT, and notes what the standard asks for.

Only where the customer agreed: without `agreed` (who, when) nothing is sent. The same OPTIONS goes both ways; what differs between the two
answers was done by what stands in between (port forwarding, DMZ, a SIP ALG).
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from probe.dial import DialError, address_of
from probe.inventory import Node
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Outcome
from probe.observation.sip import GatewaySample, RegistrationSample, SipSample, Standard
from probe.probers.registration import ask_bindings
from probe.resolve import literal_family
from probe.sip.client import SipOptions, ask_options
from probe.sip.conversation import Secret
from probe.sip.datagram import Endpoints
from probe.target import is_host, read_address_and_port

PATIENCE_S = 4.0  # each way waits for itself: one that is silent must not hide what the other says
_Seen = TypeVar("_Seen")
NOT_AGREED = 'the customer has not agreed: write who did and when: --agreed "…", in a configuration agreed = "…"'


class Options(SipOptions, frozen=True, kw_only=True):
    """What can be set for a `gateway` check."""

    agreed: Annotated[str, Meta(description="who at the customer agreed to the test, and when; without it nothing is sent")] = ""
    nat_address: Annotated[str, Meta(description="public address of the gateway; without it that way is not tested")] = ""
    nat_port: Annotated[int, Meta(description="port at the public address; 0: the same", ge=0, le=65535)] = 0
    direct: Annotated[bool, Meta(description="whether the gateway's own address can be reached from here")] = True
    user: Annotated[str, Meta(description="user part of the URI asked, where the gateway wants one")] = ""
    registrar: Annotated[str, Meta(description="registrar to ask; with it the gateway must be registered")] = ""
    number: Annotated[str, Meta(description="the gateway's number at the registrar")] = ""
    auth_user: Annotated[str, Meta(description="name for the digest at the registrar; default: the number")] = ""
    password: Annotated[str, Meta(description="password for the digest at the registrar")] = ""
    models: Annotated[tuple[str, ...], Meta(description="standard: models that User-Agent may begin with or name")] = ()
    min_firmware: Annotated[str, Meta(description="standard: lowest firmware, by the numbers in User-Agent (1.0.41.2)")] = ""
    codecs: Annotated[tuple[str, ...], Meta(description="standard: codecs that must be offered (PCMA, G729, …)")] = ()
    methods: Annotated[tuple[str, ...], Meta(description="standard: methods that Allow must name")] = ()
    nat_mode: Annotated[
        Literal["any", "private", "public"],
        Meta(description="standard: what Contact must show: private (NAT is done outside), public (the gateway knows its public address)"),
    ] = "any"

    def __post_init__(self) -> None:
        """Refuse what could not be asked; ValueError."""
        self.check_texts(user=self.user, number=self.number)
        self.check_words(auth_user=self.auth_user)
        for name in ("nat_address", "registrar"):
            text = getattr(self, name)
            if text and not is_host(text) and not literal_family(text):
                raise ValueError(f"{name}: {text!r} is no host; write an address or a name, without scheme and port")
        if bool(self.registrar) != bool(self.number):
            raise ValueError("registrar and number belong together: set both or none")
        if not self.direct and not self.nat_address:
            raise ValueError("with direct = false there must be a nat_address")

    @property
    def item(self) -> str:
        """Transport and port, where they are not the usual ones."""
        return self.at

    @property
    def longest_s(self) -> float:
        """How long it takes at most: both ways and the registrar are asked at once, with time to spare."""
        return PATIENCE_S + 1.0

    @property
    def standard(self) -> Standard:
        """What the gateway must be."""
        mode = "" if self.nat_mode == "any" else self.nat_mode
        return Standard(self.models, self.min_firmware, self.codecs, self.methods, mode, bool(self.registrar))


class GatewayProber:
    """Keeps one UDP socket for each address family."""

    def __init__(self) -> None:
        self._endpoints = Endpoints()

    async def ask(self, node: Node, options: Options) -> Outcome:
        """Return what both ways and the registrar say; DENIED without the customer's consent."""
        if not options.agreed.strip():
            return Failure(Kind.DENIED, NOT_AGREED)
        try:
            host = address_of(node)
        except DialError as why:
            return why.failure
        direct, nat, registration = await asyncio.gather(
            _within(PATIENCE_S, self._direct(host, options)),
            _within(PATIENCE_S, self._nat(options)),
            _within(PATIENCE_S, self._registration(options)),
        )
        return GatewaySample(options.agreed, host, options.nat_address, direct, nat, registration, options.standard)

    async def _direct(self, host: str, options: Options) -> SipSample | Failure | None:
        return await ask_options(self._endpoints, host, options, options.user) if options.direct else None

    async def _nat(self, options: Options) -> SipSample | Failure | None:
        if not options.nat_address:
            return None
        there = msgspec.structs.replace(options, port=options.nat_port or options.port)
        # A new port each time: to a known one the router's mapping of before leads, whatever its rules are now.
        fresh = Endpoints()
        try:
            return await ask_options(fresh, options.nat_address, there, options.user)
        finally:
            fresh.close()

    async def _registration(self, options: Options) -> RegistrationSample | Failure | None:
        if not options.registrar:
            return None
        secret = Secret(options.auth_user or options.number, options.password) if options.password else None
        plain = SipOptions(domain=options.domain)
        return await ask_bindings(self._endpoints, options.registrar, plain, options.number, secret)

    def close(self) -> None:
        """Close the sockets."""
        self._endpoints.close()


async def _within(seconds: float, asking: Coroutine[Any, Any, _Seen]) -> _Seen | Failure:
    try:
        async with asyncio.timeout(seconds):
            return await asking
    except TimeoutError:
        return Failure(Kind.TIMEOUT, f"> {seconds:g} s")


@asynccontextmanager
async def open() -> AsyncIterator[GatewayProber]:
    """Yield the prober; its sockets are closed at the end."""
    prober = GatewayProber()
    try:
        yield prober
    finally:
        prober.close()


def read_target(text: str) -> tuple[str, dict[str, Any]]:
    """Read `gateway`, `gateway:port` or `[::1]:port`; ValueError says what is wrong."""
    address, port = read_address_and_port(text, 0)
    return address, {"port": port} if port else {}
