"""Finds how large a packet may be on the path to an address: echoes that must not be fragmented, from the interface's own MTU downwards.

A router that says "fragmentation needed" and the next MTU (RFC 1191, RFC 4443) is believed and tried. Where large packets disappear without
a word, the limit is searched for: eight sizes at a time, each three times.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Literal

from msgspec import Meta

from probe import job
from probe.dial import FAMILIES, failure_of
from probe.inventory import Node
from probe.observation.failure import Failure
from probe.observation.observation import Outcome
from probe.observation.path import Said
from probe.observation.pmtu import PmtuSample, Told
from probe.probers.hop_channel import Aim, Answer, Channels, HopChannel, aim_at
from probe.way import mtu_of, way_to

HEADERS = {socket.AF_INET: 28, socket.AF_INET6: 48}  # IP and ICMP
SMALL = {socket.AF_INET: 68, socket.AF_INET6: 104}  # RFC 791: every link carries 68 bytes; an echo of 56 bytes in IPv6
AT_ONCE, COPIES, SURE = 8, 3, 5
MOST_TOLD = 8
MOST_HOPS = 20
_LEAST_WAIT_S, _WAIT_TIMES = 0.2, 4.0


class Options(job.Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set for a `pmtu` check."""

    expected: Annotated[int, Meta(description="MTU that the path should have, in bytes; 0: nothing is expected", ge=0, le=65535)] = 0
    most: Annotated[int, Meta(description="largest packet that is tried, when our interface carries more", ge=576, le=65535)] = 9216
    wait_ms: Annotated[float, Meta(description="milliseconds after which a packet counts as lost", ge=50, le=10_000)] = 1000.0
    family: Annotated[
        Literal["any", "ipv4", "ipv6"], Meta(description="which addresses of a name to use; the first of them is measured")
    ] = "any"

    @property
    def longest_s(self) -> float:
        """How long the search may take: a wait for the first packet, each next MTU that is told, each step of the search, the proof."""
        return max(5.0, 20.0 * self.wait_ms / 1e3 + 1.0)


class PmtuProber:
    """Holds an ICMP socket a family."""

    def __init__(self) -> None:
        self._channels = Channels(whole=True)

    async def ask(self, node: Node, options: Options) -> Outcome:
        """Return the largest packet that came through; a host that answers none at all is a sample without `path_mtu`."""
        to = await aim_at(node, FAMILIES[options.family])
        if isinstance(to, Failure):
            return to
        channel = self._channels.of(to.family)
        if isinstance(channel, Failure):
            return channel
        try:
            local = mtu_of(way_to(to.text).interface)
            return await _Search(channel, to, options, local).run()
        except OSError as why:
            return failure_of(why, at_once=True)

    def close(self) -> None:
        """Close the sockets."""
        self._channels.close()


class _Search:
    """One search; sizes are those of whole IP packets."""

    def __init__(self, channel: HopChannel, to: Aim, options: Options, local: int) -> None:
        family = socket.AddressFamily(to.family)
        self._channel, self._to, self._options, self._local = channel, to, options, local
        self._headers, self._small = HEADERS[family], SMALL[family]
        self._wait_s = options.wait_ms / 1e3
        self._told: list[Told] = []
        self._sent = self._answered = self._too_big = 0

    async def run(self) -> PmtuSample:
        """Try the largest, follow what routers tell, search where they tell nothing."""
        if not await self._passes([self._small]):
            return self._sample(None)
        good, bad = self._small, min(self._local, self._options.most)
        spoken = False
        for _ in range(MOST_TOLD):
            before, said = len(self._told), self._too_big
            if bad in await self._passes([bad]):
                return self._sample(bad)
            told = min((one.mtu for one in self._told[before:] if one.mtu), default=0)
            spoken = self._too_big > said
            if not good < told < bad:
                break
            bad = told
        good, bad = await self._narrow(good, bad)
        if spoken or not await self._vanishes(good, bad):  # who spoke, if not of an MTU that helps, may only be tired of it now
            return self._sample(good)
        return self._sample(good, bad, await self._last_seen(bad))

    async def _narrow(self, good: int, bad: int) -> tuple[int, int]:
        """Return the largest size that passes and the next one, which does not."""
        while bad - good > 1:
            step = max(1, (bad - good) // (AT_ONCE + 1))
            sizes = list(range(good + step, bad, step))[:AT_ONCE]
            passed = await self._passes(sizes)
            good = max(passed, default=good)
            bad = min((size for size in sizes if size > good), default=bad)
        return good, bad

    async def _vanishes(self, good: int, bad: int) -> bool:
        """Tell for sure whether a size disappears while the next smaller one passes: loss alone must not look like it."""
        said = self._too_big
        passed = await self._passes([good, bad], SURE)
        return good in passed and bad not in passed and self._too_big == said

    async def _passes(self, sizes: Sequence[int], copies: int = COPIES) -> set[int]:
        """Send each size some times; return those that came back whole at least once."""
        answers: list[tuple[int, Answer]] = []
        await self._send([(size, 64) for size in sizes for _ in range(copies)], answers)
        for _, answer in answers:
            if answer.said is Said.TOO_BIG:
                self._too_big += 1
                told = Told(socket.inet_ntop(self._to.family, answer.hop), answer.mtu)
                if told not in self._told and len(self._told) < MOST_TOLD:
                    self._told.append(told)
            elif answer.said is Said.REPLY:
                self._wait_s = min(self._options.wait_ms / 1e3, max(_LEAST_WAIT_S, _WAIT_TIMES * answer.ms / 1e3))
        passed = {size for size, answer in answers if answer.said is Said.REPLY}
        self._sent += len(sizes) * copies
        self._answered += sum(answer.said is Said.REPLY for _, answer in answers)
        return passed

    async def _last_seen(self, size: int) -> str:
        """Return the last hop that packets of a size reach, "" when none tells: time to live runs out there, and it says so."""
        answers: list[tuple[int, Answer]] = []
        await self._send([(size, ttl) for ttl in range(1, MOST_HOPS + 1)], answers, by_ttl=True)
        seen = {ttl: answer for ttl, answer in answers if answer.said is Said.EXCEEDED}
        return socket.inet_ntop(self._to.family, seen[max(seen)].hop) if seen else ""

    async def _send(self, packets: Sequence[tuple[int, int]], answers: list[tuple[int, Answer]], by_ttl: bool = False) -> None:
        """Send packets of (size, time to live), wait for their answers; a size that is answered needs no other copy."""
        waiting: dict[int, int] = {}
        done = asyncio.Event()

        def asker(key: int) -> None:
            number = -1

            def tell(answer: Answer) -> None:
                waiting.pop(number, None)
                answers.append((key, answer))
                if not waiting:
                    done.set()

            number = self._channel.send(self._to, ttl, tell, size - self._headers)
            waiting[number] = key

        try:
            for size, ttl in packets:
                asker(ttl if by_ttl else size)
            async with asyncio.timeout(self._wait_s):
                await done.wait()
        except TimeoutError:
            pass
        finally:
            for number in waiting:
                self._channel.forget(number)

    def _sample(self, path_mtu: int | None, vanishes_from: int | None = None, after: str = "") -> PmtuSample:
        return PmtuSample(
            address=self._to.text,
            path_mtu=path_mtu,
            local_mtu=self._local,
            sent=self._sent,
            answered=self._answered,
            told=tuple(self._told),
            vanishes_from=vanishes_from,
            vanishes_after=after,
            expected=self._options.expected or None,
        )


@asynccontextmanager
async def open() -> AsyncIterator[PmtuProber]:
    """Yield the prober; its sockets close with it."""
    prober = PmtuProber()
    try:
        yield prober
    finally:
        prober.close()
