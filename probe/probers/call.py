"""Makes a test call: INVITE, a few seconds of audio both ways, BYE; to listed numbers only, and only so often a day.

The number must stand in `allowed`; `daily_cap` is kept by a bucket of permits that starts empty (probe.sip.budget), so that a service that
restarts for ever makes no call at all. A call by hand may take its one permit at once (`at_once`).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from msgspec import Meta

from probe.dial import DialError, address_of
from probe.inventory import Node
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Outcome
from probe.observation.sip import CallSample, SipSample
from probe.sip import fields
from probe.sip.budget import Budget
from probe.sip.call import GOODBYE_S, Call, Wanted
from probe.sip.client import SipOptions, converse
from probe.sip.conversation import Conversation, Secret
from probe.sip.datagram import Endpoints
from probe.target import read_address_and_port

MOST_NUMBERS = 256  # for which a count is kept
CLOSE_S = 2 * GOODBYE_S  # how long the end of the service waits for calls to be hung up


class Options(SipOptions, frozen=True, kw_only=True):
    """What can be set for a `call` check."""

    number: Annotated[str, Meta(description="number to call, as dialled: required, and one of `allowed`")] = ""
    allowed: Annotated[tuple[str, ...], Meta(description="the only numbers that may ever be called: required")] = ()
    daily_cap: Annotated[
        int,
        Meta(
            description="most calls a day; a permit comes every 24 h / cap, the first so long after a start: set `every` no shorter",
            ge=1,
            le=1440,
        ),
    ] = 24
    at_once: Annotated[bool, Meta(description="call at once after a start; for calls by hand, not for a service")] = False
    user: Annotated[str, Meta(description="name for the digest")] = ""
    password: Annotated[str, Meta(description="password for the digest (MD5, SHA-256, SHA-512-256)")] = ""
    caller: Annotated[str, Meta(description="calling number; default: the user")] = ""
    ring_s: Annotated[float, Meta(description="seconds to let it ring before it is cancelled", ge=1, le=120)] = 15.0
    talk_s: Annotated[float, Meta(description="seconds of audio", ge=0, le=60)] = 5.0
    codecs: Annotated[tuple[str, ...], Meta(description="codecs offered: PCMA, PCMU", min_length=1)] = (
        "PCMA",
        "PCMU",
    )
    audio: Annotated[bool, Meta(description="whether something must be heard: an echo or an announcement")] = True

    def __post_init__(self) -> None:
        """Refuse a number that is not listed, and what could not be sent; ValueError."""
        self.check_texts(number=self.number, caller=self.caller)
        self.check_words(user=self.user)
        if self.password and not (self.user or self.caller):
            raise ValueError("password: there is no name that goes with it; write user")
        if not self.number:
            raise ValueError("number: there is none; write the number to call, and the same in `allowed`")
        if self.number not in self.allowed:
            raise ValueError(f"number: {self.number!r} is not listed; only the numbers in `allowed` may be called")
        if unknown := [name for name in self.codecs if name not in {"PCMU", "PCMA"}]:
            raise ValueError(f"codecs: {unknown[0]!r} can't be sent; write PCMU or PCMA")

    @property
    def item(self) -> str:
        """The number, and transport and port where they are not the usual ones."""
        return f"{self.number} {self.at}".strip()

    @property
    def longest_s(self) -> float:
        """How long a call takes at most when all goes its way."""
        return self.ring_s + self.talk_s + GOODBYE_S + 1.0


class CallProber:
    """Keeps the permits, the calls under way, and one UDP socket for each address family."""

    def __init__(self) -> None:
        self._endpoints = Endpoints()
        self._permits: dict[tuple[str, str], Budget] = {}
        self._calls: dict[asyncio.Task[CallSample | SipSample | Failure], asyncio.Event] = {}
        self._talking: set[asyncio.Event] = set()  # of the calls whose INVITE may be out

    async def ask(self, node: Node, options: Options) -> Outcome:
        """Return the call, DENIED when it may not be made now. Cancelled, the call is hung up behind our back, and not left standing."""
        try:
            host = address_of(node)
        except DialError as why:
            return why.failure
        refused = self._permitted(host, options)
        if refused:
            return refused
        stop = asyncio.Event()
        task = asyncio.create_task(self._call(host, options, stop), name="test call")
        self._calls[task] = stop
        task.add_done_callback(self._ended)
        try:
            seen = await asyncio.shield(task)
        except asyncio.CancelledError:
            self._end(task, stop)
            raise
        if isinstance(seen, SipSample):
            return CallSample(options.number, seen, options.ring_s, None, None, False, None, None, options.audio, 0.0, "refused")
        return seen

    def _end(self, task: "asyncio.Task[CallSample | SipSample | Failure]", stop: asyncio.Event) -> None:
        """Have a call hang up; one that is still being connected is given up: there is nothing to hang up yet."""
        stop.set()
        if stop not in self._talking:
            task.cancel()

    def _ended(self, task: "asyncio.Task[CallSample | SipSample | Failure]") -> None:
        self._talking.discard(self._calls.pop(task))
        if not task.cancelled():
            task.exception()

    def _permitted(self, host: str, options: Options) -> Failure | None:
        if options.number not in options.allowed:
            return Failure(Kind.DENIED, f"{options.number} is not one of the numbers that may be called")
        key = (host, options.number)
        permits = self._permits.get(key)
        if permits is None:
            if len(self._permits) >= MOST_NUMBERS:
                return Failure(Kind.DENIED, f"more than {MOST_NUMBERS} numbers: their calls can't be counted")
            permits = self._permits[key] = Budget(options.daily_cap)
            if options.at_once:
                permits.permits = 1.0
        permits.limit(options.daily_cap)
        wait_s = permits.take()
        if wait_s:
            text = f"{options.daily_cap} calls a day are allowed: the next in {wait_s:.0f} s (--at-once calls now, by hand)"
            return Failure(Kind.DENIED, text)
        return None

    async def _call(self, host: str, options: Options, stop: asyncio.Event) -> CallSample | SipSample | Failure:
        wanted = Wanted(options.number, options.ring_s, options.talk_s, options.codecs, options.audio and options.talk_s > 0)
        secret = Secret(options.user or options.caller, options.password) if options.password else None

        async def talk(conversation: Conversation) -> CallSample:
            self._talking.add(stop)
            if options.caller or options.user:
                domain = conversation.uri.rpartition("@")[2]
                conversation.local_uri = f"sip:{fields.escaped(options.caller or options.user)}@{domain}"
            call = Call(conversation, wanted, secret, stop)
            conversation.heard = call.heard
            return await call.run()

        return await converse(self._endpoints, host, options, options.number, talk)

    async def close(self) -> None:
        """Hang up whatever is up, then close the sockets."""
        for task, stop in self._calls.items():
            self._end(task, stop)
        if self._calls:
            await asyncio.wait(set(self._calls), timeout=CLOSE_S)
        for task in list(self._calls):
            task.cancel()
        self._endpoints.close()


@asynccontextmanager
async def open() -> AsyncIterator[CallProber]:
    """Yield the prober; calls are hung up at the end."""
    prober = CallProber()
    try:
        yield prober
    finally:
        await prober.close()


def read_target(text: str) -> tuple[str, dict[str, Any]]:
    """Read `server`, `server:port` or `[::1]:port`; ValueError says what is wrong."""
    address, port = read_address_and_port(text, 0)
    return address, {"port": port} if port else {}
