"""Sends bursts of ICMP echo requests and times the answers by the kernel's receive stamps (RFC 792, RFC 4443)."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from msgspec import Meta

from probe import job
from probe.dial import FAMILIES
from probe.inventory import Node
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Outcome
from probe.probers.icmp_burst import Bunch, Burst, Destination, Tell, is_for_many
from probe.probers.icmp_channel import Channel
from probe.probers.icmp_socket import open_socket
from probe.resolve import Unresolved, literal_family, resolve

_MOST_KNOWN = 65_536  # addresses whose struct sockaddr is kept
_AT_A_TIME = 512  # jobs prepared, and outcomes handed out, before others have their turn
_NAMES_AT_A_TIME = 32
_MAPPED = bytes(10) + b"\xff\xff"


class Options(job.Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set for an `icmp` check."""

    count: Annotated[int, Meta(description="echo requests of one burst", ge=1, le=1000)] = 5
    interval_ms: Annotated[float, Meta(description="milliseconds between the echo requests of one burst", ge=1, le=60_000)] = 10.0
    wait_ms: Annotated[float, Meta(description="milliseconds after which an echo counts as lost", ge=1, le=60_000)] = 1000.0
    size: Annotated[int, Meta(description="bytes of payload", ge=16, le=65_000)] = 56
    family: Annotated[
        Literal["any", "ipv4", "ipv6"], Meta(description="which addresses of a name to use; the first of them is measured")
    ] = "any"

    @property
    def longest_s(self) -> float:
        """How long one burst may take: 5 s, or all of its echoes with the wait for the last, and a second for the name."""
        return max(5.0, ((self.count - 1) * self.interval_ms + self.wait_ms) / 1e3 + 1.0)


Manner = tuple[int, Options, float | None]
"""What the targets of one burst share: family, options, the time after which it is cut short."""


class IcmpProber:
    """Holds one socket a family, opened when first needed, and the bursts under way on it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._channels: dict[int, Channel | Failure] = {}
        self._known: dict[str, Destination | Failure] = {}
        self._waiting: dict[Manner, Bunch] = {}

    async def ask(self, node: Node, options: Options) -> Outcome:
        """Return what one burst saw. Silence is an EchoSample with `received` 0; a Failure means that nothing could be sent."""
        found = self._destination(node, options) or await self._look_up(node, options)
        if isinstance(found, Failure):
            return found
        channel = self._channel(found.family)
        if isinstance(channel, Failure):
            return channel
        answer: asyncio.Future[Outcome] = self._loop.create_future()
        self._add((found.family, options, None), found, _answer, answer)
        try:
            return await answer
        except asyncio.CancelledError:
            self._forget(_answer, answer)
            raise

    async def ask_all(self, jobs: Sequence[job.Job]) -> AsyncIterator[list[tuple[job.Job, Outcome]]]:
        """Yield each job's outcome once, as soon as it is known; echoes that would outlast a job's `timeout_s` are not sent."""
        call = _Call(self, jobs)
        try:
            call.begin()
            while call.left:
                yield await call.next()
        finally:
            call.end()

    def close(self) -> None:
        """Close the sockets; every question still open is answered with a Failure of ours."""
        for channel in self._channels.values():
            if isinstance(channel, Channel):
                channel.close()
        waiting, self._waiting = self._waiting, {}
        for bunch in waiting.values():
            for tell, token in zip(bunch.tells, bunch.tokens, strict=True):
                tell(token, Failure(Kind.BROKEN, "the prober was closed"))

    def _channel(self, family: int) -> Channel | Failure:
        """Return the open channel of a family; a refusal is not kept: the next question tries again."""
        channel = self._channels.get(family)
        if not isinstance(channel, Channel):
            opened = open_socket(family)
            self._channels[family] = channel = opened if isinstance(opened, Failure) else Channel(opened, self._loop)
        return channel

    def _destination(self, node: Node, options: Options) -> Destination | Failure | None:
        """Return where to send for an address; None for a name."""
        text = node.address
        if not text:
            return Failure(Kind.BROKEN, f"{node.name} has no address in the inventory")
        found = self._known.get(text)
        if found is None:
            family = literal_family(text)
            if not family:
                return None
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = _destination(family, text)
            if "%" not in text:  # the number of an interface may change
                self._known[text] = found
        if isinstance(found, Destination) and FAMILIES[options.family] not in (0, found.family):
            return Failure(Kind.UNRESOLVED, f"{text} is not an {options.family.replace('ip', 'IP')} address")
        return found

    async def _look_up(self, node: Node, options: Options) -> Destination | Failure:
        try:
            family, text = (await resolve(node.address or "", FAMILIES[options.family]))[0]
        except Unresolved as why:
            return why.failure
        return _destination(family, text)

    def _add(self, manner: Manner, destination: Destination, tell: Tell, token: object) -> None:
        """Queue a target; all that come within one turn of the loop go out together."""
        bunch = self._waiting.get(manner)
        if bunch is None:
            if not self._waiting:
                self._loop.call_soon(self._flush)
            bunch = self._waiting[manner] = Bunch()
        bunch.add(destination, tell, token)

    def _flush(self) -> None:
        """Start what waits, as bursts."""
        waiting, self._waiting = self._waiting, {}
        for (family, options, lasting_s), all_of_them in waiting.items():
            channel = self._channels.get(family)
            if not isinstance(channel, Channel):
                continue  # closed in between, and everyone told
            for bunch in all_of_them.split(channel.slice):
                wait_s = options.wait_ms / 1e3 if lasting_s is None else min(options.wait_ms / 1e3, lasting_s)
                burst = Burst(bunch, options.count, options.interval_ms / 1e3, wait_s, options.size)
                channel.start(burst, lasting_s)

    def _forget(self, tell: Tell, token: object | None = None) -> None:
        for bunch in self._waiting.values():
            bunch.forget(tell, token)
        for channel in self._channels.values():
            if isinstance(channel, Channel):
                channel.forget(tell, token)


def _answer(future: "asyncio.Future[Outcome]", outcome: Outcome) -> None:
    if not future.done():
        future.set_result(outcome)


class _Call:
    """One `ask_all`: what it still waits for, and what is finished and not yet handed out."""

    def __init__(self, prober: IcmpProber, jobs: Sequence[job.Job]) -> None:
        self._prober, self._jobs = prober, jobs
        self._done: list[tuple[job.Job, Outcome]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._awake: asyncio.Future[None] | None = None
        self._tell = self._finished  # one object, by which its targets are known
        self.left = len(jobs)

    def begin(self) -> None:
        self._task(self._prepare())

    def _task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._wake)
        self._tasks.append(task)

    async def next(self) -> list[tuple[job.Job, Outcome]]:
        """Return what has finished, at least one outcome."""
        while not self._done:
            for task in self._tasks:
                if task.done():
                    task.result()
            self._awake = asyncio.get_running_loop().create_future()
            await self._awake
        some, self._done = self._done[:_AT_A_TIME], self._done[_AT_A_TIME:]
        self.left -= len(some)
        return some

    def end(self) -> None:
        """Forget what is still under way."""
        for task in self._tasks:
            task.cancel()
        if self.left:
            self._prober._forget(self._tell)

    async def _prepare(self) -> None:
        """Start every job whose address is known, then those whose name must be looked up, a few at a time."""
        names = []
        for number, one in enumerate(self._jobs, 1):
            found = self._prober._destination(one.node, one.options)
            if found is None:
                names.append(one)
            else:
                self._start(one, found)
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)
        queue = iter(names)
        for _ in range(min(_NAMES_AT_A_TIME, len(names))):
            self._task(self._look_up(queue))

    async def _look_up(self, queue: Iterator[job.Job]) -> None:
        for one in queue:
            self._start(one, await self._prober._look_up(one.node, one.options))

    def _start(self, one: job.Job, found: Destination | Failure) -> None:
        if isinstance(found, Failure):
            self._finished(one, found)
            return
        channel = self._prober._channel(found.family)
        if isinstance(channel, Failure):
            self._finished(one, channel)
        else:
            self._prober._add((found.family, one.options, one.timeout_s), found, self._tell, one)

    def _finished(self, one: job.Job, outcome: Outcome) -> None:
        self._done.append((one, outcome))
        self._wake()

    def _wake(self, _: object = None) -> None:
        if self._awake and not self._awake.done():
            self._awake.set_result(None)


def _destination(family: int, text: str) -> Destination | Failure:
    """Return where to send; an address of many hosts is refused as ours (DENIED): one echo would be answered by many, or by none."""
    bare, _, zone = text.partition("%")
    packed = socket.inet_pton(family, bare)
    if packed.startswith(_MAPPED):  # RFC 4291 2.5.5.2: the IPv4 host of this address, which no IPv6 packet reaches
        family, packed = socket.AF_INET, packed[len(_MAPPED) :]
    many = is_for_many(family, packed)
    if many:
        return Failure(Kind.DENIED, f"{text} is {many}; an echo needs the address of one host")
    if family == socket.AF_INET:
        return Destination(family, text, struct.pack("=HH4s8x", family, 0, packed), packed)
    try:
        scope = int(zone) if zone.isdecimal() else socket.if_nametoindex(zone) if zone else 0
    except OSError:
        return Failure(Kind.UPLINK, f"{text}: this host has no interface {zone}")
    return Destination(family, text, struct.pack("=HHI16sI", family, 0, 0, packed, scope), packed)


@asynccontextmanager
async def open() -> AsyncIterator[IcmpProber]:
    """Yield the prober; its sockets close with it."""
    prober = IcmpProber()
    try:
        yield prober
    finally:
        prober.close()
