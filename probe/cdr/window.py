"""Counts over the last minutes by trunk, destination and customer: a bucket a minute, bounded names, no number kept."""

from collections import Counter
from collections.abc import Iterable, Mapping
from math import ceil

from probe.cdr.record import Record
from probe.cdr.release import effective
from probe.observation.cdr import CdrGroup

BUCKET_S = 60
MOST_NAMES = 500  # of a kind that are counted by name
MOST_CAUSES, MOST_FAULTS = 10, 5
CAUSES_COUNTED = 60  # different ones of a group and minute
SLOT_S = 10  # calls at once are counted at instants so far apart
PEAK_S = 3600
OTHER, OTHER_CAUSES = "other", "OTHER"

Key = tuple[str, str]


class Tally:
    """Counts of one group in one minute."""

    __slots__ = ("answered", "attempts", "causes", "delayed", "effective", "faults", "pdd_s", "talk_s")

    def __init__(self) -> None:
        self.attempts = self.answered = self.effective = self.delayed = 0
        self.talk_s = self.pdd_s = 0.0
        self.causes: dict[str, int] = {}
        self.faults: dict[str, int] = {}

    def add(self, call: Record, reached: bool) -> None:
        """Count one call."""
        self.attempts += 1
        self.effective += reached
        if call.answered:
            self.answered += 1
            self.talk_s += call.talk_s
        if call.pdd_s is not None:
            self.delayed += 1
            self.pdd_s += call.pdd_s
        if call.cause:
            known = call.cause in self.causes or len(self.causes) < CAUSES_COUNTED
            cause = call.cause if known else OTHER_CAUSES
            self.causes[cause] = self.causes.get(cause, 0) + 1
            if not reached:
                self.faults[cause] = self.faults.get(cause, 0) + 1


class Window:
    """The calls that ended in the last `window_s`, and how many were up at once in the last hour."""

    def __init__(
        self, window_s: float, prefixes: Iterable[str], digits: int, limits: Mapping[str, int], licence: int | None, causes: bool = True
    ) -> None:
        self._window_s = window_s
        self._causes = causes  # whether the records tell release causes at all
        self._prefixes = frozenset(prefixes)
        self._lengths = sorted({len(prefix) for prefix in self._prefixes}, reverse=True)
        self._digits = digits
        self._limits = dict(limits)
        self._licence = licence
        self._buckets: dict[int, dict[Key, Tally]] = {}
        self._names: dict[str, set[str]] = {"trunk": set(), "destination": set(), "customer": set()}
        self._turned_away: dict[str, set[str]] = {"trunk": set(), "destination": set(), "customer": set()}
        self._steps: dict[str, Counter[int]] = {}
        self.newest: float | None = None

    def add(self, call: Record, now: float) -> bool:
        """Count one call; False when it ended before the window."""
        if self.newest is None or call.end > self.newest:
            self.newest = call.end
        if call.start is not None and call.end > now - PEAK_S:
            self._up(call, now)
        if call.end <= now - self._window_s:
            return False
        bucket = self._buckets.setdefault(int(call.end // BUCKET_S), {})
        reached = call.answered or effective(call.cause)
        for key in (
            ("all", ""),
            ("trunk", self._name("trunk", call.trunk)),
            ("destination", self._name("destination", self._destination(call.callee))),
            ("customer", self._name("customer", call.customer)),
        ):
            if key[1] or key[0] == "all":
                tally = bucket.get(key)
                if tally is None:
                    tally = bucket[key] = Tally()
                tally.add(call, reached)
        return True

    def _up(self, call: Record, now: float) -> None:
        """Count a call as up at the instants between its start and end."""
        first, after = ceil(max(call.start or 0.0, now - PEAK_S) / SLOT_S), ceil(call.end / SLOT_S)
        if after > first:
            for name in {"", call.trunk} & {"", *self._limits}:
                steps = self._steps.setdefault(name, Counter())
                steps[first] += 1
                steps[after] -= 1

    def _name(self, kind: str, name: str) -> str:
        """Return the name by which a call is counted: its own while there is room, else "other"; "" when the records do not tell it."""
        names = self._names[kind]
        if not name or name in names:
            return name
        if len(names) < MOST_NAMES:
            names.add(name)
            return name
        away = self._turned_away[kind]
        if len(away) < MOST_NAMES:
            away.add(name)
        return OTHER

    def _destination(self, callee: str) -> str:
        """Return the longest configured prefix of the number dialled, or its first digits."""
        number = callee.strip().removeprefix("+").removeprefix("00")
        for length in self._lengths:
            if number[:length] in self._prefixes:
                return number[:length]
        if self._prefixes:
            return OTHER if number else ""
        head = number[: self._digits]
        return head if head.isdecimal() and head.isascii() else OTHER if head else ""

    def groups(self, now: float, most: int) -> tuple[tuple[CdrGroup, ...], int]:
        """Return all calls first, then the `most` busiest of each kind with the rest as "other"; and how many names that rest has."""
        left_out = sum(map(len, self._turned_away.values()))
        self._forget(now)
        whole: dict[Key, list[Tally]] = {("all", ""): []}
        for bucket in self._buckets.values():
            for key, tally in bucket.items():
                whole.setdefault(key, []).append(tally)
        found = [self._group(("all", ""), whole.pop(("all", "")))]
        for kind in ("trunk", "destination", "customer"):
            mine = sorted(
                (key for key in whole if key[0] == kind and key[1] != OTHER), key=lambda key: -sum(one.attempts for one in whole[key])
            )
            kept = [key for at, key in enumerate(mine) if at < most or (kind == "trunk" and key[1] in self._limits)]
            rest = [tally for key in set(mine) - set(kept) for tally in whole[key]] + whole.get((kind, OTHER), [])
            found += [self._group(key, whole[key]) for key in kept]
            left_out += len(mine) - len(kept)
            if rest:
                found.append(self._group((kind, OTHER), rest))
        seen = {group.name for group in found if group.kind == "trunk"}
        found += [self._group(("trunk", name), []) for name in sorted(set(self._limits) - seen)]
        return tuple(found), left_out

    def _group(self, key: Key, tallies: list[Tally]) -> CdrGroup:
        kind, name = key
        delayed = sum(tally.delayed for tally in tallies)
        causes: Counter[str] = Counter()
        faults: Counter[str] = Counter()
        for tally in tallies:
            causes.update(tally.causes)
            faults.update(tally.faults)
        limit = self._licence if kind == "all" else self._limits.get(name) if kind == "trunk" else None
        counted = kind == "all" or limit is not None
        return CdrGroup(
            kind,
            name,
            sum(tally.attempts for tally in tallies),
            sum(tally.answered for tally in tallies),
            sum(tally.effective for tally in tallies) if self._causes else None,
            sum(tally.talk_s for tally in tallies),
            sum(tally.pdd_s for tally in tallies) / delayed if delayed else None,
            dict(causes.most_common(MOST_CAUSES)),
            dict(faults.most_common(MOST_FAULTS)),
            self._peak(name) if counted else None,
            limit,
        )

    def _peak(self, name: str) -> int:
        most = up = 0
        steps = self._steps.get(name, Counter[int]())
        for slot in sorted(steps):
            up += steps[slot]
            most = max(most, up)
        return most

    def _forget(self, now: float) -> None:
        """Let go of minutes before the window, instants before the last hour, and names that no minute has any more."""
        for minute in [minute for minute in self._buckets if (minute + 1) * BUCKET_S <= now - self._window_s]:
            del self._buckets[minute]
        for kind, names in self._names.items():
            names.intersection_update({name for bucket in self._buckets.values() for of, name in bucket if of == kind})
            self._turned_away[kind].clear()
        oldest = int((now - PEAK_S) // SLOT_S)
        for steps in self._steps.values():
            gone = [slot for slot in steps if slot < oldest]
            before = sum(steps.pop(slot) for slot in gone)
            if before:
                steps[oldest] += before
