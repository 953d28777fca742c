"""One trace: a probe for each time to live at once, then only the holes; the answers are counted by place."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from socket import inet_ntop
from typing import Protocol

import msgspec

from probe.observation.path import Hop, Said
from probe.probers.hop_channel import Aim, Answer, Tell
from probe.probers.path_pace import Pace

WINDOW = 8  # times to live that are asked at once, before it is known how long the path is
GAP = 5  # silent places in a row after which nothing more is expected (as scamper's default gap limit)
TRIES = 3  # of a place that stays silent
SPARE = 2.0  # questions that are left to a router by the rounds after the first: finding the path comes before counting its loss
USUAL_S, USUAL_TIMES = 0.3, 10.0  # where a path was seen before, answers are waited for as long as this many of its best round trip
HURRY_S, HURRY_TIMES = 0.15, 4.0  # once the target has answered, a hole is waited for as long as this many of its round trips
MOST_OTHERS = 4


class Sender(Protocol):
    """What sends probes: the ICMP channel, or a trace's own UDP socket."""

    def send(self, to: Aim, ttl: int, tell: Tell) -> int:
        """Send one; OSError."""
        ...

    def forget(self, seq: int) -> None:
        """Wait for it no more."""
        ...


class Place:
    """What came back from one time to live, or from one address that is asked with the usual one."""

    __slots__ = ("answers", "sent", "unanswered", "words")

    def __init__(self) -> None:
        self.sent = 0
        self.answers: list[tuple[str, Said, float]] = []
        self.unanswered: set[int] = set()
        self.words = ""

    @property
    def address(self) -> str | None:
        """Who answered most often, the first of them where several did."""
        return Counter(address for address, _, _ in self.answers).most_common(1)[0][0] if self.answers else None

    def said(self, what: Said) -> bool:
        """Tell whether any answer was of this kind."""
        return any(said is what for _, said, _ in self.answers)

    def hop(self, ttl: int) -> Hop:
        """Return what is known as a value."""
        address, times = self.address, [ms for _, _, ms in self.answers]
        if not times:
            return Hop(ttl, None, self.sent, 0)
        said = next((kind for kind in (Said.REPLY, Said.UNREACHABLE, Said.TOO_BIG) if self.said(kind)), Said.EXCEEDED)
        others = tuple(dict.fromkeys(a for a, _, _ in self.answers if a != address))[:MOST_OTHERS]
        mean = sum(times) / len(times)
        return Hop(ttl, address, self.sent, min(len(times), self.sent), said, self.words, times[-1], min(times), mean, max(times), others)


class Plan(msgspec.Struct, frozen=True):
    """How a trace is made: places at most, rounds of all places, seconds between rounds and until a probe is given up, what was there.

    `usual_ms` is what a round trip to the target took at best before: then nobody is waited for very much longer.
    """

    most_hops: int
    rounds: int
    interval_s: float
    wait_s: float
    known: tuple[str | None, ...] = ()
    usual_ms: float | None = None
    spare_end: bool = False  # the target's answers are errors, too, and limited as a router's


class Trace:
    """One trace under way towards one target."""

    def __init__(self, sender: Sender, to: Aim, plan: Plan, pace: Pace) -> None:
        self._sender, self._to, self._plan, self._pace = sender, to, plan, pace
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self.places: dict[int, Place] = {}

    async def run(self) -> None:
        """Find the places, then ask each of them until `rounds` are full; OSError when nothing could be sent at all."""
        try:
            await self._discover()
            for _ in range(self._plan.rounds - 1):
                await asyncio.sleep(self._plan.interval_s)
                self._ask([ttl for ttl in self._wanted() if self.places[ttl].answers and self.places[ttl].sent < self._plan.rounds], SPARE)
            await self._settle(self._all_answered)
        finally:
            for place in self.places.values():
                for seq in place.unanswered:
                    self._sender.forget(seq)

    @property
    def end(self) -> int | None:
        """The time to live with which the target was reached, else the first at which a hop said that it can't be."""
        for kind in (Said.REPLY, Said.UNREACHABLE):
            found = [ttl for ttl, place in self.places.items() if place.said(kind)]
            if found:
                return min(found)
        return None

    @property
    def hops(self) -> tuple[Hop, ...]:
        """The places up to the end of the path, with GAP silent ones at most behind the last that answered."""
        end = self.end or max((ttl for ttl, place in self.places.items() if place.answers), default=0) + GAP
        return tuple(place.hop(ttl) for ttl, place in sorted(self.places.items()) if ttl <= end)

    async def _discover(self) -> None:
        limited = self._plan.spare_end and bool(self._plan.known)  # what goes past the known end spends the target's patience, too
        top, size = 0, len(self._plan.known) + (not limited) if self._plan.known else WINDOW
        while top < self._plan.most_hops:
            fresh = list(range(top + 1, min(top + size, self._plan.most_hops) + 1))
            top, size = fresh[-1], WINDOW
            self._ask(fresh)
            await self._settle(self._all_answered)
            for _ in range(TRIES - 1):
                holes = [ttl for ttl in self._wanted() if ttl in fresh and not self.places[ttl].answers]
                if not holes:
                    break
                self._ask(holes)
            await self._settle(self._all_answered)
            if limited and not self.places[top].sent:
                return  # it bears no question now, and would seem farther away by what it answers to the next ones
            silent = not any(self.places[ttl].answers for ttl in range(max(1, top - GAP + 1), top + 1))
            if silent or self.end is not None or loop_in(self.hops):
                return

    def _wanted(self) -> list[int]:
        end = self.end
        return [ttl for ttl in self.places if end is None or ttl <= end]

    def _all_answered(self) -> bool:
        return not any(self.places[ttl].unanswered for ttl in self._wanted())

    def _ask(self, ttls: Sequence[int], spare: float = 0.0) -> None:
        now = self._loop.time()
        for ttl in ttls:
            place = self.places.setdefault(ttl, Place())
            router = self._router(ttl)
            if router is None or self._pace.take(router, now, spare):
                self._send(ttl, place, router is not None)

    def _router(self, ttl: int) -> str | None:
        """Return who will answer, as far as that is known and its answers are limited; echo replies are not."""
        place = self.places[ttl]
        address = place.address or (self._plan.known[ttl - 1] if ttl <= len(self._plan.known) else None)
        return None if address == self._to.text and not self._plan.spare_end else address

    def _send(self, ttl: int, place: Place, counted: bool) -> None:
        seq = -1

        def tell(answer: Answer) -> None:
            place.unanswered.discard(seq)
            address = inet_ntop(self._to.family, answer.hop)
            if not counted and (answer.said is not Said.REPLY or self._plan.spare_end):
                self._pace.charge(address, self._loop.time())
            place.answers.append((address, answer.said, answer.ms))
            place.words = place.words or answer.words
            self._changed.set()

        seq = self._sender.send(self._to, ttl, tell)
        place.sent += 1
        place.unanswered.add(seq)

    async def _settle(self, done: Callable[[], bool]) -> None:
        """Wait until all is answered, or for as long as a probe is waited for; less once the target has shown how far away it is."""
        start = self._loop.time()
        usual_ms = self._plan.usual_ms
        longest_s = self._plan.wait_s if usual_ms is None else min(self._plan.wait_s, max(USUAL_S, USUAL_TIMES * usual_ms / 1e3))
        while not done():
            end = self.end
            wait_s = longest_s
            if end is not None and self.places[end].answers:
                wait_s = min(wait_s, HURRY_S + HURRY_TIMES * max(ms for _, _, ms in self.places[end].answers) / 1e3)
            left = start + wait_s - self._loop.time()
            if left <= 0:
                return
            self._changed.clear()
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                pass


async def echoes(sender: Sender, to: Aim, count: int, interval_s: float, wait_s: float) -> Place:
    """Send `count` echoes with the usual time to live and return what came back; OSError when the first can't be sent."""
    place, done = Place(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask() -> None:
        seq = -1

        def tell(answer: Answer) -> None:
            place.unanswered.discard(seq)
            if answer.said is Said.REPLY:
                place.answers.append((to.text, answer.said, answer.ms))
            place.words = place.words or answer.words
            done.set()

        seq = sender.send(to, 64, tell)
        place.sent += 1
        place.unanswered.add(seq)

    try:
        for number in range(count):
            if number:
                await asyncio.sleep(interval_s)
            ask()
        end = loop.time() + wait_s
        while place.unanswered and (left := end - loop.time()) > 0:
            done.clear()
            try:
                async with asyncio.timeout(left):
                    await done.wait()
            except TimeoutError:
                break
    finally:
        for seq in place.unanswered:
            sender.forget(seq)
    return place


def loop_in(hops: Sequence[Hop]) -> tuple[str, ...]:
    """Return the routers that go round: an address that comes again after another one (twice in a row is a router that counts badly)."""
    seen: dict[str, int] = {}
    for at, hop in enumerate(hops):
        if hop.address is None or hop.said is not Said.EXCEEDED:
            continue
        before = seen.get(hop.address)
        if before is not None and at - before > 1:
            between = [one.address for one in hops[before:at] if one.address is not None]
            return tuple(dict.fromkeys(between))
        seen[hop.address] = at
    return ()
