"""A rate deck as arrays, and the price that holds for a call: the longest prefix that has one at the call's start.

Every prefix is a range of the numbers that begin with it; ranges of longer prefixes lie inside those of shorter ones, so that all
numbers fall into disjoint segments, and one binary search finds a call's longest prefix. From there the prefix's prices over time are
asked, then those of the next shorter prefix, for the few calls that found none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from billing_audit.ledger import MISSING
from billing_audit.numbers import PLAIN, TAG, TECH_UNIT

Whole = npt.NDArray[np.int64]

NONE: Final = -1
CHUNK: Final = 1 << 15  # calls looked up at once: their arrays fit the cache
_DIGITS: Final = 17  # of the longest number
_HEAD_DIGITS: Final = 5  # the table of first digits fits the cache
_HEAD: Final = 10 ** (_DIGITS - _HEAD_DIGITS)
_SEARCH: Final = -2
_POWERS: Final = 10 ** np.arange(19, dtype=np.int64)
COLUMNS: Final = (
    "prefix",
    "rate_nano",
    "from_ms",
    "to_ms",
    "minimum_s",
    "increment_s",
    "fee_micro",
    "free_s",
    "band",
    "destination",
    "source",
)


@dataclass(frozen=True, slots=True, eq=False)
class _Index:
    """The rows of one band: segments of numbers → prefixes → their prices over time."""

    bounds: Whole  # where a segment begins: the number's digits behind a 1, filled up to 17 with zeros
    groups: Whole  # the prefix of each segment, NONE where there is none
    parent: Whole  # per prefix the next shorter one
    length: Whole  # per prefix its digits
    first: Whole  # per prefix its first piece
    end: Whole  # per prefix the piece behind its last
    at_ms: Whole  # per piece from when it holds
    row: Whole  # per piece its row, NONE for a gap
    most: int  # pieces of one prefix
    alone: bool  # each prefix has one piece: prefix and piece have one number
    latest_ms: int  # from when on every piece has begun
    heads: Whole  # the prefix of all numbers with the same first digits, NONE without one, _SEARCH where longer prefixes divide them


@dataclass(frozen=True, slots=True, eq=False)
class Deck:
    """Rows sorted by prefix, band and time. MISSING where a row does not say (a rate: blocked, there is no price)."""

    prefix: Whole  # 1 before its digits
    rate_nano: Whole  # a minute
    from_ms: Whole  # MISSING: since ever
    to_ms: Whole  # exclusive; MISSING: until further notice
    minimum_s: Whole
    increment_s: Whole
    fee_micro: Whole
    free_s: Whole
    band: Whole  # index of `bands`, NONE for a price of all hours
    destination: Whole  # index of `destinations`
    source: Whole  # file · 2⁴⁰ + line, as ledger.source_of
    bands: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    _indexes: dict[int, _Index] = field(default_factory=dict)
    _neighbours: list[Whole] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.prefix)

    def lookup(self, callee: Whole, start_ms: Whole, band: Whole | int = NONE) -> Whole:
        """Return the row that holds for each number code (digits as in the deck) at that time, NONE where there is none.

        `band` is the deck's band of each call (or of all): its rows come before those of all hours of the same prefix, but not before
        those of a longer prefix.
        """
        found = np.full(len(callee), NONE, np.int64)
        base = self._indexes.get(NONE)
        for low in range(0, len(callee), CHUNK):
            part = slice(low, low + CHUNK)
            aligned, length = _aligned(callee[part])
            rows = _find(base, aligned, length, start_ms[part]) if base else found[part]
            if self.bands:
                rows = self._banded(rows, aligned, length, start_ms[part], band if isinstance(band, int) else band[part])
            found[part] = rows
        return found

    def _banded(self, rows: Whole, aligned: Whole, length: Whole, start_ms: Whole, band: Whole | int) -> Whole:
        rows = rows.copy()
        for one in range(len(self.bands)):
            index = self._indexes.get(one)
            at = np.flatnonzero(np.broadcast_to(band == one, rows.shape))
            if index is None or not len(at):
                continue
            special = _find(index, aligned[at], length[at], start_ms[at])
            better = (special != NONE) & ((rows[at] == NONE) | (self.prefix[special] >= self.prefix[rows[at]]))
            rows[at[better]] = special[better]
        return rows

    def parent(self, row: Whole, start_ms: Whole) -> Whole:
        """Return for each row (NONE stays) the row of the next shorter prefix that holds at that time."""
        known = np.maximum(row, 0)
        if not len(self):
            return np.full(len(row), NONE, np.int64)
        cut = np.where(self.prefix[known] > 1, PLAIN + self.prefix[known] // 10, 0)
        found = self.lookup(cut, start_ms, self.band[known])
        return np.where(row < 0, NONE, found)

    def before(self, row: Whole) -> Whole:
        """Return for each row (NONE stays) the row of the same prefix that held until it began."""
        return self._neighbour(row, 0)

    def after(self, row: Whole) -> Whole:
        """Return for each row (NONE stays) the row of the same prefix that holds after it."""
        return self._neighbour(row, 1)

    def _neighbour(self, row: Whole, which: int) -> Whole:
        if not len(self):
            return np.full(len(row), NONE, np.int64)
        if not self._neighbours:
            self._neighbours.extend(_neighbours(self))
        return np.where(row < 0, NONE, self._neighbours[which][np.maximum(row, 0)])

    def prefix_text(self, row: int) -> str:
        """Return the digits of a row's prefix."""
        return str(self.prefix[row])[1:]

    def destination_text(self, row: int) -> str:
        """Return what the deck calls the destination of a row; "" where it does not."""
        index = int(self.destination[row])
        return self.destinations[index] if index >= 0 else ""


def build(columns: Mapping[str, Whole], bands: tuple[str, ...] = (), destinations: tuple[str, ...] = ()) -> Deck:
    """Return the deck of these columns (COLUMNS; those that lack are MISSING, band NONE).

    Of two rows of one prefix that begin together, the later counts.
    """
    count = len(columns["prefix"])
    full = {name: np.asarray(columns.get(name, np.full(count, NONE if name == "band" else MISSING)), np.int64) for name in COLUMNS}
    order = np.lexsort((np.arange(count), full["from_ms"], full["band"], full["prefix"]))
    ordered = {name: values[order] for name, values in full.items()}
    deck = Deck(
        ordered["prefix"],
        ordered["rate_nano"],
        ordered["from_ms"],
        ordered["to_ms"],
        ordered["minimum_s"],
        ordered["increment_s"],
        ordered["fee_micro"],
        ordered["free_s"],
        ordered["band"],
        ordered["destination"],
        ordered["source"],
        bands,
        destinations,
    )
    for band in np.unique(deck.band).tolist():
        deck._indexes[band] = _index(deck, np.flatnonzero(deck.band == band))
    return deck


def _index(deck: Deck, rows: Whole) -> _Index:
    prefixes, first = np.unique(deck.prefix[rows], return_index=True)
    starts, ends, at_ms, row = _timelines(deck, rows, np.append(first, len(rows)))
    length = _length(prefixes)
    low = prefixes * _POWERS[_DIGITS - length]
    bounds = np.unique(np.concatenate([low, low + _POWERS[_DIGITS - length]]))
    groups = np.full(len(bounds), NONE, np.int64)
    parent = np.full(len(prefixes), NONE, np.int64)
    for digits in np.unique(length).tolist():
        which = np.flatnonzero(length == digits)
        heads = prefixes[which]
        for cut, goal in ((bounds // _POWERS[_DIGITS - digits], groups), (prefixes // _POWERS[np.maximum(length - digits, 0)], parent)):
            at = np.minimum(np.searchsorted(heads, cut), len(heads) - 1)
            hit = heads[at] == cut
            if goal is parent:
                hit &= length > digits
            goal[hit] = which[at[hit]]
    most = int((ends - starts).max())
    alone = most == 1 and bool((starts == np.arange(len(starts))).all())
    heads = _heads(bounds, groups)
    return _Index(bounds, groups, parent, length, starts, ends, at_ms, row, most, alone, int(at_ms.max()), heads)


def _heads(bounds: Whole, groups: Whole) -> Whole:
    """Return the prefix by a number's first digits: an eighth of the time of a search among the segments, where it is enough."""
    begins = np.arange(10**_HEAD_DIGITS, 2 * 10**_HEAD_DIGITS) * _HEAD
    first, last = (np.searchsorted(bounds, edge, side="right") - 1 for edge in (begins, begins + _HEAD - 1))
    return np.where(first != last, _SEARCH, np.where(first >= 0, groups[np.maximum(first, 0)], NONE))


def _timelines(deck: Deck, rows: Whole, edges: Whole) -> tuple[Whole, Whole, Whole, Whole]:
    """Return per prefix its first piece and the one behind its last, and per piece from when which row holds."""
    begins, finishes = deck.from_ms[rows], np.where(deck.to_ms[rows] == MISSING, np.iinfo(np.int64).max, deck.to_ms[rows])
    alone = (np.diff(edges) == 1) & (finishes[edges[:-1]] == np.iinfo(np.int64).max)
    if alone.all():
        count = np.arange(len(edges), dtype=np.int64)
        return count[:-1], count[1:], begins, rows
    at_ms: list[int] = []
    row: list[int] = []
    starts = [0]
    for group, plain in enumerate(alone.tolist()):
        low, high = int(edges[group]), int(edges[group + 1])
        if plain:
            at_ms.append(int(begins[low]))
            row.append(int(rows[low]))
        else:
            for when, what in _pieces(begins[low:high].tolist(), finishes[low:high].tolist(), rows[low:high].tolist()):
                at_ms.append(when)
                row.append(what)
        starts.append(len(row))
    bounds = np.array(starts, np.int64)
    return bounds[:-1], bounds[1:], np.array(at_ms, np.int64), np.array(row, np.int64)


def _pieces(begins: list[int], finishes: list[int], rows: list[int]) -> Iterator[tuple[int, int]]:
    """Yield from when which row holds: of the rows valid at a time, the one that began last; NONE where there is none."""
    stack: list[int] = []
    before = None
    edges = sorted({*begins, *(finish for finish in finishes if finish != np.iinfo(np.int64).max)})
    upcoming = 0
    for edge in edges:
        while upcoming < len(rows) and begins[upcoming] <= edge:
            stack.append(upcoming)
            upcoming += 1
        while stack and finishes[stack[-1]] <= edge:
            stack.pop()
        holds = rows[stack[-1]] if stack else NONE
        if holds != before:
            yield edge, holds
        before = holds


def _neighbours(deck: Deck) -> tuple[Whole, Whole]:
    before = np.full(len(deck), NONE, np.int64)
    after = before.copy()
    for index in deck._indexes.values():
        same = np.repeat(np.arange(len(index.first)), index.end - index.first)
        pair = (same[1:] == same[:-1]) & (index.row[1:] != NONE) & (index.row[:-1] != NONE)
        earlier, later = index.row[:-1][pair], index.row[1:][pair]
        before[later[::-1]] = earlier[::-1]  # the first of several counts: a row may come back when a later one ends
        after[earlier[::-1]] = later[::-1]
    return before, after


def _find(index: _Index, aligned: Whole, length: Whole, start_ms: Whole) -> Whole:
    """Return the rows of one index that hold, NONE where none does."""
    group = index.heads.take(aligned // _HEAD - 10**_HEAD_DIGITS, mode="clip")
    deep = np.flatnonzero(group == _SEARCH)
    if len(deep):
        segment = np.searchsorted(index.bounds, aligned[deep], side="right") - 1
        group[deep] = np.where(segment < 0, NONE, index.groups[segment])
    group[length < 0] = NONE
    found = _at(index, group, length, start_ms)
    open_ = np.flatnonzero((found == NONE) & (group != NONE))
    while len(open_):  # ends: every turn goes to a shorter prefix, and there are at most 18 lengths
        group[open_] = index.parent[group[open_]]
        found[open_] = _at(index, group[open_], length[open_], start_ms[open_])
        open_ = open_[(found[open_] == NONE) & (group[open_] != NONE)]
    return found


def _at(index: _Index, group: Whole, length: Whole, start_ms: Whole) -> Whole:
    """Return the row that a prefix has at that time; NONE for a gap, for no prefix, and for a number shorter than the prefix."""
    piece = group if index.alone else index.first[group]
    step = 1 << (index.most - 1).bit_length() >> 1
    if step:
        end = index.end[group]
        while step:
            ahead = piece + step
            known = np.minimum(ahead, len(index.row) - 1)
            piece = np.where((ahead < end) & (index.at_ms[known] <= start_ms), ahead, piece)
            step >>= 1
    holds = (group != NONE) & (index.length[group] <= length)
    if len(start_ms) and int(start_ms.min()) < index.latest_ms:
        holds &= index.at_ms[piece] <= start_ms
    return np.where(holds, index.row[piece], NONE)


def _length(sentinel: Whole) -> Whole:
    """Return how many digits stand behind the leading 1, −1 for 0: a comparison for each length there is, faster than a search."""
    low, high = (len(str(int(edge))) - 1 if edge else NONE for edge in (sentinel.min(), sentinel.max())) if len(sentinel) else (0, 0)
    found = np.full(len(sentinel), low, np.int64)
    for figures in range(low + 1, high + 1):
        found += sentinel >= _POWERS[figures]
    return found


def _aligned(callee: Whole) -> tuple[Whole, Whole]:
    """Return the digits behind a 1, filled up to 17 with zeros, and how many they were; 0 and −1 for what is no number."""
    tag = callee // TAG
    rest = callee - tag * TAG
    plain = (tag == 1) | (tag == 2)
    if not plain.all():
        rest = np.where(plain, rest, np.where(tag == 5, rest % TECH_UNIT, 0))
    length = _length(rest)
    return rest * _POWERS[_DIGITS - np.maximum(length, 0)], length
