"""The calls that truly happened, and the contract they happened under: the ground on which a dispute is planted."""

import calendar
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from tests.billing_audit.dispute.price import Ints, Method, whole_seconds

HOUR: Final = 3_600_000
DAY: Final = 24 * HOUR

COUNTRIES: Final = {  # calling code: (name, digits of a national number, areas, nano-units a minute of the cheapest)
    "1": ("USA", 10, ("212", "415", "646", "702", "907", "808"), 8_000_000),
    "44": ("United Kingdom", 10, ("20", "7", "74", "7911", "870", "845"), 9_000_000),
    "49": ("Germany", 10, ("30", "89", "15", "151", "1511", "176", "180"), 11_000_000),
    "33": ("France", 9, ("1", "6", "7", "64", "89"), 12_000_000),
    "34": ("Spain", 9, ("91", "6", "60", "7"), 13_000_000),
    "39": ("Italy", 10, ("02", "3", "34", "347", "338"), 15_000_000),
    "52": ("Mexico", 10, ("55", "33", "81", "998"), 14_000_000),
    "54": ("Argentina", 10, ("11", "9", "911", "351"), 21_000_000),
    "55": ("Brazil", 11, ("11", "119", "21", "219", "31"), 17_000_000),
    "60": ("Malaysia", 9, ("3", "1", "11", "12"), 19_000_000),
    "62": ("Indonesia", 10, ("21", "8", "81", "812", "813"), 23_000_000),
    "63": ("Philippines", 10, ("2", "9", "917", "918"), 98_000_000),
    "65": ("Singapore", 8, ("6", "8", "9", "91"), 11_000_000),
    "66": ("Thailand", 9, ("2", "6", "8", "89"), 20_000_000),
    "7": ("Russia", 10, ("495", "812", "9", "901", "916"), 41_000_000),
    "81": ("Japan", 10, ("3", "6", "80", "90"), 25_000_000),
    "82": ("Korea", 9, ("2", "10", "102", "31"), 16_000_000),
    "84": ("Vietnam", 9, ("24", "28", "9", "90", "98"), 52_000_000),
    "852": ("Hong Kong", 8, ("2", "3", "6", "9", "51"), 18_000_000),
    "86": ("China", 11, ("1", "13", "138", "139", "15", "18", "186", "17"), 10_000_000),
    "880": ("Bangladesh", 10, ("2", "1", "17", "18", "171"), 28_000_000),
    "91": ("India", 10, ("11", "22", "9", "98", "80", "7"), 16_000_000),
    "92": ("Pakistan", 10, ("21", "3", "30", "301", "33"), 61_000_000),
    "971": ("Emirates", 9, ("4", "5", "50", "55"), 170_000_000),
    "234": ("Nigeria", 10, ("1", "80", "803", "81"), 77_000_000),
    "254": ("Kenya", 9, ("20", "7", "72", "73"), 112_000_000),
}
ZONES: Final = ("Asia/Shanghai", "Asia/Shanghai", "UTC", "Asia/Kolkata", "Asia/Dubai", "Europe/Berlin", "America/New_York")
METHODS: Final = ((1, 1), (6, 6), (12, 6), (30, 6), (60, 60), (60, 1), (60, 6), (30, 30), (25, 8), (45, 20), (1, 6), (10, 10))


@dataclass(frozen=True)
class Clock:
    """The wall clock of a zone over the months around a dispute, exact and vectorised: offsets by whole UTC hours."""

    zone: str
    first_ms: int
    offsets_ms: Ints

    @classmethod
    def of(cls, zone: str, first: date, last: date) -> "Clock":
        begin = datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(days=3)
        hours = ((last - first).days + 6) * 24
        place = ZoneInfo(zone)
        told = [(begin + timedelta(hours=h)).astimezone(place).utcoffset() or timedelta() for h in range(hours)]
        return cls(zone, int(begin.timestamp()) * 1000, np.array([int(o.total_seconds()) * 1000 for o in told], np.int64))

    def wall(self, utc_ms: Ints) -> Ints:
        """Return what the clock on the wall shows, as milliseconds since 1970 of that wall."""
        return utc_ms + self.offsets_ms[np.clip((utc_ms - self.first_ms) // HOUR, 0, len(self.offsets_ms) - 1)]

    def utc(self, wall_ms: Ints) -> Ints:
        """Return the instant of a wall clock's time; of one that comes twice the first, one that is skipped by the offset before."""
        early = wall_ms - self.offsets_ms.max()
        late = wall_ms - self.offsets_ms.min()
        fits = self.wall(early) == wall_ms
        if self.falls:
            return np.where(fits, early, late)
        return np.where(self.wall(late) == wall_ms, late, np.where(fits, early, late))

    @property
    def change_ms(self) -> int | None:
        """Return the first instant at which the offset changes within these months; None: never."""
        at = np.flatnonzero(np.diff(self.offsets_ms))
        return None if not len(at) else self.first_ms + int(at[0] + 1) * HOUR

    @property
    def falls(self) -> bool:
        return bool(self.offsets_ms[0] > self.offsets_ms[-1])

    def day(self, when: date) -> int:
        """Return the instant at which a day begins here."""
        return int(datetime(when.year, when.month, when.day, tzinfo=ZoneInfo(self.zone)).timestamp()) * 1000


@dataclass(frozen=True)
class Prefix:
    """One code of the deck."""

    digits: str
    name: str
    rate_nano: int
    parent: int  # index; -1 none


@dataclass
class Deal:
    """The contract while it is being written: causes may fix its parameters before any call is priced."""

    zone: str
    start: date
    end: date
    currency: str
    minimum_s: int
    increment_s: int
    from_zero: bool
    fee_micro: int
    free_s: int
    grace_s: int
    digits: int
    mode: str
    bands: list[tuple[str, int, int, tuple[int, ...], int]] = field(default_factory=list)  # name, hours, weekdays, ratio in percent
    changes: dict[int, tuple[date, int]] = field(default_factory=dict)  # prefix index → (effective, new rate)
    own: dict[int, tuple[int, int]] = field(default_factory=dict)  # prefix index → minimum and increment of its own
    gaps: set[int] = field(default_factory=set)  # codes that the written deck leaves out
    tax: int = 0  # percent, included in every charge
    nights: bool = False  # calls by night as by day, as carriers see them
    by: str = "start"
    fixed: dict[str, str] = field(default_factory=dict)  # parameter → the cause that fixed it
    outages: list[tuple[int, int, str]] = field(default_factory=list)  # UTC ms, node


@dataclass(frozen=True)
class World:
    """What happened: calls in order of their start, and the codes of the deck. Numbers are digits behind a 1."""

    caller: Ints
    callee: Ints
    start_ms: Ints  # answer; of an unanswered call its end
    ring_ms: Ints
    talk_ms: Ints
    gateway: Ints
    prefix: Ints
    gateways: tuple[str, ...]
    deck: tuple[Prefix, ...]
    clock: Clock

    @property
    def rows(self) -> int:
        return len(self.caller)

    @property
    def answered(self) -> npt.NDArray[np.bool_]:
        return self.talk_ms > 0

    def counts(self) -> Ints:
        """Return answered calls per code of the deck."""
        return np.bincount(self.prefix[self.answered], minlength=len(self.deck)).astype(np.int64)


def draw_deal(rng: np.random.Generator) -> Deal:
    """Return a contract as it might be: a month, a zone, a method."""
    year, month = int(rng.integers(2024, 2027)), int(rng.integers(1, 13))
    start = date(year, month, 1)
    minimum, increment = METHODS[rng.integers(len(METHODS))]
    return Deal(
        zone=str(rng.choice(ZONES)),
        start=start,
        end=start + timedelta(days=calendar.monthrange(year, month)[1]),
        currency=str(rng.choice(("CNY", "USD", "EUR"))),
        minimum_s=minimum,
        increment_s=increment,
        from_zero=bool(rng.random() < 0.3),
        fee_micro=int(rng.choice((0, 0, 0, 5_000, 20_000))),
        free_s=0,
        grace_s=0,
        digits=int(rng.choice((6, 6, 5, 4, 4, 3))),
        mode=str(rng.choice(("half_up", "half_up", "up", "down"))),
        tax=int(rng.choice((0, 0, 0, 0, 6))),
    )


def draw_deck(rng: np.random.Generator, wanted: int) -> tuple[Prefix, ...]:
    """Return codes sorted by digits: countries, their areas, and codes nested in those."""
    codes: dict[str, tuple[str, int]] = {}
    chosen = rng.choice(sorted(COUNTRIES), size=min(14, len(COUNTRIES)), replace=False)
    for cc in sorted(str(c) for c in chosen):
        name, _, areas, cheapest = COUNTRIES[cc]
        base = int(cheapest * rng.uniform(0.9, 1.6)) // 100_000 * 100_000
        codes[cc] = (name, base)
        for area in areas:
            codes[cc + area] = (f"{name} {area}", int(base * rng.uniform(1.1, 3.5)) // 100_000 * 100_000)
            for _ in range(max(0, (wanted - 14 * 6) // (14 * 6))):
                if len(area) <= 3:
                    nested = cc + area + str(rng.integers(10, 100))
                    codes[nested] = (f"{name} {nested[len(cc) :]}", int(base * rng.uniform(0.8, 4)) // 100_000 * 100_000)
    order = sorted(codes)
    place = {digits: index for index, digits in enumerate(order)}

    def parent(digits: str) -> int:
        return next((place[digits[:n]] for n in range(len(digits) - 1, 0, -1) if digits[:n] in place), -1)

    return tuple(Prefix(d, codes[d][0], codes[d][1], parent(d)) for d in order)


def longest(deck: tuple[Prefix, ...], sentinel: Ints) -> Ints:
    """Return the index of the longest code in front of each number (digits behind a 1); -1 none."""
    found = np.full(len(sentinel), -1, np.int64)
    power = 10 ** np.arange(19, dtype=np.int64)
    behind = np.searchsorted(power, sentinel, side="right") - 1
    for size in sorted({len(p.digits) for p in deck}, reverse=True):
        index = np.array([i for i, p in enumerate(deck) if len(p.digits) == size], np.int64)
        heads = np.array([int("1" + deck[i].digits) for i in index], np.int64)
        open_ = np.flatnonzero((found < 0) & (behind >= size))
        head = sentinel[open_] // power[behind[open_] - size]
        at = np.minimum(np.searchsorted(heads, head), len(heads) - 1)
        hit = heads[at] == head
        found[open_[hit]] = index[at[hit]]
    return found


def draw_world(rng: np.random.Generator, deal: Deal, rows: int, unanswered: float) -> World:
    """Return the calls of the period: by day and night, with hot numbers, redials, many short ones and some for hours."""
    deck = draw_deck(rng, int(rng.integers(150, 420)))
    clock = Clock.of(deal.zone, deal.start, deal.end)
    callee = _callees(rng, deck, rows)
    callers = _numbers(rng, str(rng.choice(("86755", "8621", "1646", "4420"))), 11, int(rng.integers(150, 2500)))
    caller = callers[(len(callers) * rng.random(rows) ** 1.6).astype(np.int64)]
    begin, end = clock.day(deal.start), clock.day(deal.end)
    days = (deal.end - deal.start).days  # one of them may have 23 hours, or 25
    weight = np.array([1.0 if (deal.start + timedelta(days=int(d))).weekday() < 5 else 0.55 for d in range(days)])
    day = rng.choice(days, size=rows, p=weight / weight.sum())
    hours = (
        np.ones(24)
        if deal.nights
        else np.array([3, 2, 2, 2, 2, 3, 5, 9, 14, 18, 19, 18, 15, 17, 18, 18, 17, 15, 13, 12, 11, 9, 7, 5], float)
    )
    hour = rng.choice(24, size=rows, p=hours / hours.sum())
    start = begin + day * DAY + hour * HOUR + rng.integers(0, 3600, rows) * 1000
    short = rng.random(rows) < rng.uniform(0.12, 0.35)
    talk = np.where(short, rng.integers(600, 14_000, rows), np.exp(rng.normal(rng.uniform(4.2, 4.9), 1.15, rows)) * 1000).astype(np.int64)
    talk = np.clip(talk, 400, 3 * HOUR)
    talk = np.where(rng.random(rows) < unanswered, 0, talk)
    _redial(rng, caller, callee, start, talk)
    start = np.clip(start, begin, end - 1000)
    ring = np.clip(rng.gamma(2.5, 4.0, rows) * 1000, 300, 60_000).astype(np.int64)
    names = tuple(f"GW{n:02d}" for n in range(1, int(rng.integers(4, 8))))
    order = np.lexsort((talk, caller, callee, start))
    callee = callee[order]
    return World(
        caller[order],
        callee,
        start[order],
        ring[order],
        talk[order],
        rng.choice(len(names), size=rows, p=rng.dirichlet(np.full(len(names), 6.0))),
        longest(deck, callee),
        names,
        deck,
        clock,
    )


def _redial(rng: np.random.Generator, caller: Ints, callee: Ints, start: Ints, talk: Ints) -> None:
    """Let some calls follow a short one between the same two people, some seconds after it ended."""
    pause = rng.integers(6, 90, len(start)) * 1000
    for at in np.flatnonzero(rng.random(len(start)) < 0.08).tolist():
        if at:
            talk[at - 1] = min(talk[at - 1], 40_000)
            caller[at], callee[at] = caller[at - 1], callee[at - 1]
            start[at] = start[at - 1] + (talk[at - 1] + pause[at]) // 1000 * 1000


def _callees(rng: np.random.Generator, deck: tuple[Prefix, ...], rows: int) -> Ints:
    """Return called numbers: popular codes, a few hot numbers, the rest spread."""
    popularity = rng.permutation(1.0 / np.arange(1, len(deck) + 1) ** rng.uniform(0.9, 1.3))
    pool: list[Ints] = []
    share = rng.multinomial(rows, popularity / popularity.sum())
    for code, count in zip(deck, share.tolist(), strict=True):
        if count:
            cc = next(code.digits[:n] for n in (3, 2, 1) if code.digits[:n] in COUNTRIES)
            pool.append(_numbers(rng, code.digits, len(cc) + COUNTRIES[cc][1], count))
    callee = rng.permutation(np.concatenate(pool))
    hot = callee[rng.integers(0, rows, 12)]
    busy = np.flatnonzero(rng.random(rows) < 0.05)
    callee[busy] = hot[rng.integers(0, len(hot), len(busy))]
    again = np.flatnonzero(rng.random(rows) < 0.3)
    callee[again] = callee[rng.integers(0, rows, len(again))]
    return callee


def _numbers(rng: np.random.Generator, head: str, size: int, count: int) -> Ints:
    left = size - len(head)
    return np.int64(int("1" + head)) * 10**left + rng.integers(0, 10**left, count)


def kept(deal: Deal, world: World, rounding: str) -> Method:
    """Return the contract's method for every call as it truly was; durations are written in whole seconds, rounded so."""
    rows = world.rows
    rate = np.array([p.rate_nano for p in world.deck], np.int64)[world.prefix]
    for index, (when, new) in deal.changes.items():
        rate[(world.prefix == index) & (world.start_ms >= world.clock.day(when))] = new
    own = [deal.own.get(i, (deal.minimum_s, deal.increment_s)) for i in range(len(world.deck))]
    return Method(
        duration_ms=whole_seconds(world.talk_ms, rounding) * 1000,
        minimum_s=np.array([m for m, _ in own], np.int64)[world.prefix],
        increment_s=np.array([i for _, i in own], np.int64)[world.prefix],
        rate_nano=rate * in_bands(deal.bands, world.clock.wall(world.start_ms)) // 100,
        fee_micro=np.full(rows, deal.fee_micro, np.int64),
        from_zero=deal.from_zero,
        free_s=deal.free_s,
        grace_s=deal.grace_s,
        scale=(100 + deal.tax, 100),
        digits=deal.digits,
        mode=deal.mode,
    )


def in_bands(bands: list[tuple[str, int, int, tuple[int, ...], int]], wall_ms: Ints) -> Ints:
    """Return the ratio in percent that holds at each time of the wall clock; the first band that fits, else 100."""
    ratio = np.full(len(wall_ms), 100, np.int64)
    hour = wall_ms // HOUR % 24
    weekday = (wall_ms // DAY + 3) % 7
    for _, first, last, weekdays, percent in reversed(bands):
        inside = (hour >= first) & (hour < last) if first < last else (hour >= first) | (hour < last)
        # the part after midnight belongs to the day on which the band began
        began = weekday if first < last else np.where(hour < last, (weekday - 1) % 7, weekday)
        ratio[inside & np.isin(began, weekdays)] = percent
    return ratio
