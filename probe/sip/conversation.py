"""One conversation with a SIP peer: requests, their repetition (RFC 3261 17.1), answers, and digest authentication."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable

import msgspec

from probe.sip.digest import Challenge, challenge, credentials
from probe.sip.message import MalformedError, SipMessage, build
from probe.sip.wire import Arrived, Wire

T1_S, T2_S = 0.5, 4.0
GIVE_UP_S = 64 * T1_S  # timers B and F
AFTER_NONSENSE_S = 0.5  # a forger's datagram must not end the wait for the true answer, nor prolong it for ever
MOST_ARRIVED = 200  # messages read in one transaction
USER_AGENT = "firstline"

Heard = Callable[[Arrived], Awaitable[None]]


class Reply(msgspec.Struct, frozen=True):
    """A final answer. `answer_ms` runs from the first time the request was sent; `first_ms` to the first answer of any kind.

    `repeats` counts how often the request was sent again; `source` is where the answer came from.
    """

    message: SipMessage
    answer_ms: float
    first_ms: float
    repeats: int
    source: tuple[str, int]
    authenticated: bool = False


class Secret(msgspec.Struct, frozen=True):
    """User and password for a challenge."""

    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"Secret({self.user!r}, …)"


class Conversation:
    """Requests of one Call-ID to one peer over one wire; `heard` is given every message that answers none of them."""

    def __init__(self, wire: Wire, call_id: str, uri: str, local_uri: str, heard: Heard | None = None) -> None:
        self.wire, self.call_id, self.uri, self.local_uri = wire, call_id, uri, local_uri
        self.local_tag, self.remote_tag = secrets.token_hex(6), ""
        self.remote_uri = uri
        self.route: tuple[str, ...] = ()
        self.cseq = 0
        self.branch = ""
        self.heard = heard
        self.cancelled = False  # no INVITE is sent again from now on, whatever is asked of us

    @property
    def sent_by(self) -> str:
        """Our address as Via and Contact say it."""
        host, port = self.wire.local[0].partition("%")[0], self.wire.local[1]  # a zone is ours alone
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def contact(self) -> str:
        """Where we can be reached within this conversation."""
        kind = "" if self.wire.transport == "UDP" else f";transport={self.wire.transport.lower()}"
        return f"<sip:firstline@{self.sent_by}{kind}>"

    def octets(
        self, method: str, branch: str, number: int, more: list[tuple[str, str]], body: bytes = b"", uri: str | None = None
    ) -> bytes:
        """Return a request of this conversation; ValueError when a value can't stand in a header."""
        to = f"<{self.remote_uri}>" + (f";tag={self.remote_tag}" if self.remote_tag else "")
        headers = [
            ("Via", f"SIP/2.0/{self.wire.transport} {self.sent_by};branch={branch};rport"),
            ("Max-Forwards", "70"),
            *(("Route", one) for one in self.route),
            ("From", f"<{self.local_uri}>;tag={self.local_tag}"),
            ("To", to),
            ("Call-ID", self.call_id),
            ("CSeq", f"{number} {method}"),
            ("User-Agent", USER_AGENT),
            *more,
        ]
        return build(f"{method} {uri or self.uri} SIP/2.0", headers, body)

    async def ask(self, method: str, more: list[tuple[str, str]], body: bytes = b"", secret: Secret | None = None) -> Reply:
        """Send a request and return its final answer; one challenge is answered by a secret. MalformedError, OSError, DialError."""
        reply = await self._once(method, more, body)
        found = challenge(reply.message) if reply.message.code in {401, 407} and secret and secret.user else None
        if found is None or secret is None or (self.cancelled and method == "INVITE"):
            return reply
        reply = await self._once(method, [*more, self._answered(found, secret, method, body)], body)
        again = challenge(reply.message) if reply.message.code in {401, 407} else None
        again = None if self.cancelled and method == "INVITE" else again
        if again is not None and again.stale and again.nonce != found.nonce:  # RFC 7616 3.3: the password was right, the nonce old
            reply = await self._once(method, [*more, self._answered(again, secret, method, body)], body)
        return msgspec.structs.replace(reply, authenticated=True)

    def _answered(self, found: Challenge, secret: Secret, method: str, body: bytes) -> tuple[str, str]:
        return found.header, credentials(found, secret.user, secret.password, method, self.uri, body)

    async def _once(self, method: str, more: list[tuple[str, str]], body: bytes) -> Reply:
        self.cseq += 1
        self.branch = f"z9hG4bK{secrets.token_hex(8)}"
        number = self.cseq
        request = self.octets(method, self.branch, number, more, body)
        reply = await self.transact(request, self.branch, method)
        if method == "INVITE" and reply.message.code >= 300:  # RFC 3261 17.1.1.3: the same branch, the answer's To
            await self.acknowledge_refusal(reply.message, number)
        return reply

    async def acknowledge_refusal(self, answer: SipMessage, number: int) -> None:
        """Send the ACK that belongs to the INVITE's own transaction."""
        before, self.remote_tag = self.remote_tag, tag_of(answer.first("to"))
        try:
            await self.wire.send(self.octets("ACK", self.branch, number, []))
        finally:
            self.remote_tag = before

    async def transact(self, request: bytes, branch: str, method: str) -> Reply:
        """Send a request until it is answered, by the timers of RFC 3261 17.1; TimeoutError after 32 s."""
        clock = _Timers(method == "INVITE", self.wire.reliable)
        first_ms: float | None = None
        await self.wire.send(request)
        for _ in range(MOST_ARRIVED):
            got = await self._next(clock, request)
            if got.message.code == 0 or not answers(got.message, branch, method):
                if self.heard:
                    await self.heard(got)
                continue
            took_ms = clock.elapsed_ms()
            first_ms = took_ms if first_ms is None else first_ms
            if got.message.code >= 200:
                return Reply(got.message, took_ms, first_ms, clock.repeats, got.source)
            if self.heard:
                await self.heard(got)
            clock.provisional()
        raise MalformedError(f"{MOST_ARRIVED} messages came, and no final answer")

    async def _next(self, clock: "_Timers", request: bytes) -> Arrived:
        while True:
            try:
                async with asyncio.timeout(clock.patience_s()):
                    return await self.wire.receive()
            except TimeoutError:
                if clock.nonsense:
                    raise MalformedError(clock.nonsense) from None
                if clock.exhausted():
                    raise
                clock.repeat()
                await self.wire.send(request)
            except MalformedError as why:
                if self.wire.reliable:
                    raise
                clock.hear_nonsense(str(why))


class _Timers:
    """When a request is sent again, and when it is given up."""

    def __init__(self, invite: bool, reliable: bool) -> None:
        self._invite, self._reliable = invite, reliable
        self._start = time.perf_counter()
        self._interval = T1_S
        self._due: float | None = None if reliable else T1_S
        self._end: float | None = GIVE_UP_S
        self._answered = False
        self.repeats = 0
        self.nonsense = ""

    def elapsed_ms(self) -> float:
        return (time.perf_counter() - self._start) * 1e3

    def patience_s(self) -> float | None:
        ends = [end for end in (self._due, self._end) if end is not None]
        return max(min(ends) - (time.perf_counter() - self._start), 0.0) if ends else None

    def exhausted(self) -> bool:
        return self._end is not None and time.perf_counter() - self._start >= self._end

    def repeat(self) -> None:
        self.repeats += 1
        self._interval = self._interval * 2 if self._invite else min(self._interval * 2, T2_S)
        self._due = time.perf_counter() - self._start + self._interval

    def provisional(self) -> None:
        self._answered = True
        if self.nonsense:
            self.nonsense, self._end = "", GIVE_UP_S
        if self._invite:
            self._due = self._end = None  # 17.1.1.2: it rings; whoever asks says how long
        elif not self._reliable:
            self._interval = T2_S

    def hear_nonsense(self, text: str) -> None:
        if not self.nonsense and not self._answered:  # whoever has begun to answer is believed to speak SIP
            self.nonsense = text
            self._due = None
            self._end = time.perf_counter() - self._start + AFTER_NONSENSE_S


def answers(message: SipMessage, branch: str, method: str) -> bool:
    """Tell whether a response belongs to the request with this branch (RFC 3261 17.1.3); some devices turn its letters to lower case."""
    via = message.first("via") or ""
    return f"branch={branch}".lower() in via.lower().replace(" ", "") and message.cseq[1] == method


def tag_of(value: str | None) -> str:
    """Return the tag of a From or To, empty without one or when it could not be sent back as it is."""
    for part in (value or "").rpartition(">")[2].split(";")[:16]:
        name, _, tag = part.partition("=")
        if name.strip().lower() == "tag":
            return tag.strip() if tag.strip().isprintable() and len(tag) <= 256 else ""
    return ""
