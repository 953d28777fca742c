"""A session with one agent: its line, what it bears, and what of it is kept between polls.

Questions: each is asked up to ATTEMPTS times, the waits growing as in WAITS; the first of a poll as in FIRST_WAITS, and then once more
from another socket (see explain.py), by which most is learned that can be said about a silence. Bounds: MOST_LINES sockets and
MOST_SESSIONS sessions are kept (the longest unused go first), MOST_KEPT values of one device.
"""

import asyncio
import resource
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import Any

from probe.snmp.credential import Credential
from probe.snmp.failure import Nonsense, Rejected, Silent, TalkError
from probe.snmp.line import LATE, Line
from probe.snmp.talk import Value

ATTEMPTS = 3
WAITS = (1.0, 2.0, 3.0)  # times the patience asked for: a lost packet costs a second, and what needs two seconds to answer still counts
FIRST_WAITS = (1.0, 3.0)
PATIENCE_S = 1.0
LONGEST_WAIT_S = 10.0
FRESH_S = 100.0  # a v3 engine takes no question whose time is 150 s off (RFC 3414 2.2.3), and gufo-snmp lets no clock run

KEPT_S = 3600.0
MOST_KEPT = 20_000
MOST_SESSIONS = 4096
MOST_LINES = max(64, min(2048, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2))

FIRST_REPETITIONS, MOST_REPETITIONS = 25, 50  # rows of one GETBULK: 50 counters are about one Ethernet frame
MOST_OIDS = 56  # in one GET: so many counters and their names fit an Ethernet frame; an agent that takes fewer is asked for fewer
FEW_ROWS = 24  # a table of so few rows, known from before, is read by GET of its objects: 56 of any columns at once, not a column at a time
MOST_COLUMNS = 2000  # of one device, whose rows are remembered
YOUNG_S = 120.0  # sub-agents come back some ten seconds after the agent; what is empty till then may not be so for long

Prepare = Callable[[Any], tuple[Callable[[], None], Callable[[], Any]]]
"""Given gufo-snmp's socket: how to send the question, and how to read its answer."""


class Pace:
    """How many rows one GETBULK asks for: fewer after each answer that failed, more again after good ones, up to what failed last."""

    def __init__(self) -> None:
        self.most = FIRST_REPETITIONS
        self._ceiling, self._until = MOST_REPETITIONS, 0.0

    def bad(self, asked: int) -> None:
        """Note that so many were too many."""
        self.most = max(1, min(self.most, asked) // 2)
        self._ceiling, self._until = self.most, monotonic() + KEPT_S

    def good(self, asked: int) -> None:
        """Note that so many were answered in full."""
        if self._ceiling < MOST_REPETITIONS and monotonic() > self._until:
            self._ceiling = MOST_REPETITIONS
        if asked >= self.most:
            self.most = min(self._ceiling, self.most + self.most // 2 + 1)


class Shape:
    """The rows of a column: how many, and where they are few their indexes and whole OIDs; believed until `until` (monotonic)."""

    __slots__ = ("count", "indexes", "oids", "until")

    def __init__(self, count: int, indexes: tuple[str, ...], oids: list[str]) -> None:
        self.count, self.indexes, self.oids = count, indexes, oids
        self.until = monotonic() + KEPT_S


class Kept:
    """What hardly changes about one device, until it restarts or KEPT_S have passed."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, tuple[float, Mapping[str, Value]]] = OrderedDict()
        self._size = 0
        self._nothing: dict[str, float] = {}  # columns without a row, objects that are not there: until when that is believed
        self._shapes: dict[str, Shape] = {}  # of columns that had rows once: without any they are asked for again each time
        self.most_oids = MOST_OIDS
        self._started: float | None = None

    def take(self, key: str) -> Mapping[str, Value] | None:
        """Return what is kept under this name, None when nothing fresh is."""
        found = self._values.get(key)
        return found[1] if found and found[0] > monotonic() else None

    def put(self, key: str, values: Mapping[str, Value]) -> None:
        """Keep it; the oldest goes when there is too much."""
        old = self._values.pop(key, None)
        self._size += len(values) - (len(old[1]) if old else 0)
        self._values[key] = (monotonic() + KEPT_S, values)
        while self._size > MOST_KEPT and self._values:
            self._size -= len(self._values.popitem(last=False)[1][1])

    def is_nothing(self, key: str) -> bool:
        """Tell whether this was found missing within the hour."""
        until = self._nothing.get(key)
        return until is not None and until > monotonic()

    def nothing(self, key: str) -> None:
        """Note that the agent has this not; not while it is young, and not of what it had before."""
        if key not in self._shapes and self.uptime_s >= YOUNG_S and len(self._nothing) < MOST_KEPT:
            self._nothing[key] = monotonic() + KEPT_S

    def filled(self, column: str, indexes: Iterable[str]) -> None:
        """Note which rows a column has."""
        known = self._shapes.get(column)
        rows = tuple(indexes)
        if known is not None and known.indexes == rows:
            known.until = monotonic() + KEPT_S
        elif known is not None or len(self._shapes) < MOST_COLUMNS:
            few = len(rows) <= FEW_ROWS
            self._shapes[column] = Shape(len(rows), rows if few else (), [f"{column}.{index}" for index in rows] if few else [])

    def shape(self, column: str) -> "Shape | None":
        """Return which rows a column had when it was last walked, None where that is not known."""
        return self._shapes.get(column)

    @property
    def uptime_s(self) -> float:
        """Time since the agent's start by our clock; endless where it never told."""
        return float("inf") if self._started is None else monotonic() - self._started

    def told_uptime(self, ticks: int) -> None:
        """Forget everything when sysUpTime (hundredths of a second) says that the agent started after it last told."""
        started = monotonic() - ticks / 100
        if self._started is not None and started > self._started + max(5.0, 0.001 * (monotonic() - self._started)):
            self.forget()
        self._started = started

    def forget(self) -> None:
        """Keep nothing."""
        self._values.clear()
        self._nothing.clear()
        self._shapes.clear()
        self._size, self.most_oids = 0, MOST_OIDS


class Session:
    """One agent, asked in one way; questions wait for each other."""

    def __init__(self, family: int, address: str, port: int, credential: Credential):
        self.family, self.address, self.port, self.credential = family, address, port, credential
        self.pace, self.kept = Pace(), Kept()
        self.line: Line | None = None
        self.in_use = 0
        self._lock = asyncio.Lock()
        self._answered = 0.0  # when the last answer came, monotonic
        self._took_s = 0.0  # the longest of the last answers

    async def ask(self, prepare: Prepare, until: float, waits: Sequence[float] = WAITS, patience_s: float = PATIENCE_S) -> Any:
        """Return the answer to one question, END for the end of a walk; TalkError. Nothing is waited for beyond `until` (monotonic).

        It is asked as often as there are `waits`, in times of `patience_s`.
        """
        async with self._lock:
            renewed = False
            why: TalkError | None = None
            attempt = 0
            while attempt < len(waits):
                wait_s = min(max(waits[attempt] * patience_s, 2 * self._took_s), LONGEST_WAIT_S, until - monotonic())
                if wait_s <= 0:
                    break
                try:
                    answer = await self._ask_once(prepare, wait_s)
                except Nonsense as broken:
                    why = broken
                    attempt += 1
                    continue
                except Rejected:
                    self.hang_up()
                    if renewed or self.credential.version != "v3":
                        raise
                    renewed = True  # a new engine, or another time: only a new session learns it
                    continue
                if answer is not LATE:
                    return answer
                attempt += 1
                if self.credential.version == "v3":
                    self.hang_up()  # an engine with another identity says so, and gufo-snmp does not take it from that one
            raise why or Silent("no answer" if attempt else "no time left for a question")

    async def _ask_once(self, prepare: Prepare, wait_s: float) -> Any:
        line, start = self.line, monotonic()
        if line is None:
            self.line = line = Line(self.family, self.address, self.port, self.credential)
            if self.credential.version == "v3" and await self._lost(line.shake_hands(wait_s)):
                return LATE
        elif self.credential.auth != "none" and start - self._answered > FRESH_S and await self._lost(line.refresh(wait_s)):
            return LATE
        answer = await line.ask(*prepare(line.sock), wait_s)
        if answer is not LATE:
            self._answered = monotonic()
            self._took_s = max(self._answered - start, 0.9 * self._took_s)
        return answer

    async def _lost(self, shaking: Awaitable[Any]) -> bool:
        """Tell whether no answer came; the line is given up then, or when it fails."""
        try:
            lost = await shaking is LATE
        except BaseException:
            self.hang_up()
            raise
        if lost:
            self.hang_up()
        return lost

    def hang_up(self) -> None:
        """Give up the socket; the next question opens another."""
        if self.line is not None:
            self.line.close()
            self.line = None

    def let_go(self) -> None:
        """Give up the socket, unless a question is under way: then it is another poll's of the same device."""
        if not self._lock.locked():
            self.hang_up()


class Sessions:
    """The sessions of all devices; the longest unused are closed first."""

    def __init__(self) -> None:
        self._all: OrderedDict[tuple[str, int, Credential], Session] = OrderedDict()
        self._lines: OrderedDict[tuple[str, int, Credential], Session] = OrderedDict()

    def session(self, family: int, address: str, port: int, credential: Credential) -> Session:
        """Return the session for this address, port and credential."""
        key = (address, port, credential)
        found = self._all.get(key)
        if found is None:
            found = self._all[key] = Session(family, address, port, credential)
        self._all.move_to_end(key)
        self._lines[key] = found
        self._lines.move_to_end(key)
        self._make_room()
        return found

    def _make_room(self) -> None:
        for _ in range(len(self._lines) - MOST_LINES):
            key, oldest = self._lines.popitem(last=False)
            if oldest.in_use:
                self._lines[key] = oldest
            else:
                oldest.hang_up()
        for _ in range(len(self._all) - MOST_SESSIONS):
            key, oldest = self._all.popitem(last=False)
            if oldest.in_use:
                self._all[key] = oldest
            else:
                oldest.hang_up()
                self._lines.pop(key, None)

    def close(self) -> None:
        """Close all sockets."""
        for session in self._all.values():
            session.hang_up()
        self._all.clear()
        self._lines.clear()
