"""From a clock that calls agree on to an alignment: zone shifts told from clocks, the customer's zone, how closely times then fit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd

from billing_audit import zones
from billing_audit.ledger import MISSING
from billing_audit.matching.align import QUARTER_MS, Alignment, Ints
from billing_audit.matching.clocks import Clock

CLOSE_MS: Final = 150_000  # what lies further from the clock than this is another call
CHANCE_MS: Final = 600_000  # up to here nothing but chance is left; its density is measured beyond CLOSE_MS
ALL_BUT: Final = 0.998
SOUND_MS: Final = 2_000  # durations or ends this near mean the same call
USUAL_MS: Final = 2_000  # roundings make no greater difference
MOST_SUMMER_MS: Final = 7_260_000  # summer time is two hours at most; a longer step is another zone
ZONE_SLACK_MS: Final = 300_000


@dataclass(frozen=True)
class Anchors:
    """Rows of both bills that are the same calls by their key, their clock; `undone`: read through the zone's summer time wrongly."""

    ours: Ints
    theirs: Ints
    clock: Clock
    undone: bool

    @classmethod
    def of(
        cls, ours: Ints, theirs: Ints, local: pd.DataFrame, customer: pd.DataFrame, zone: str, fit: Callable[[Ints, Ints], Clock | None]
    ) -> "Anchors | None":
        """Return the anchors with the clock that most of them fit; None where they agree on nothing."""
        start, other = local["start_ms"].to_numpy()[ours], customer["start_ms"].to_numpy()[theirs]
        plain = fit(start, other - start)
        if not (zones.known(zone) and len(np.unique(zones.offsets(zone, other))) > 1):
            return cls(ours, theirs, plain, undone=False) if plain else None
        level = fit(start, other + zones.offsets(zone, other) - start)
        if level and (plain is None or (plain.steps and not level.steps and level.fits >= plain.fits * 0.98)):
            return cls(ours, theirs, level, undone=True)
        return cls(ours, theirs, plain, undone=False) if plain else None


def alignment_of(anchors: Anchors, local: pd.DataFrame, customer: pd.DataFrame, zone: str) -> Alignment:
    """Return the alignment that the anchors' clock stands for."""
    start, other = local["start_ms"].to_numpy()[anchors.ours], customer["start_ms"].to_numpy()[anchors.theirs]
    clock = anchors.clock
    late = clock.late(start) - (zones.offsets(zone, other) if anchors.undone else 0)
    rest, longer = other - start - late, _longer(anchors, local, customer)
    core, spread = _spreads(rest, longer)
    ring, moved = _rung(anchors, local, customer, rest, core), 0
    if ring:
        rest = rest + _ring_of(local, anchors.ours) if ring == "local" else rest - _ring_of(customer, anchors.theirs)
        moved = int(np.median(rest))
        core, spread = _spreads(rest - moved, longer)
    ends = not ring and _ends_agree(rest, longer, core)
    if ends:
        moved = int(np.median((rest + longer)[np.abs(rest) <= CLOSE_MS]))
        core, spread = _spreads(rest - moved, longer)
    usual, length = _lengths(rest - moved, longer, core)
    name, cause = _zone(clock, start, zone, anchors.undone)
    first, steps = _on_their_clock(clock, other, zone, anchors.undone)
    first += moved
    shift = round(first / QUARTER_MS) * QUARTER_MS
    return Alignment(
        shift_ms=shift,
        offset_ms=first - shift,
        drift_ppb=clock.drift_ppb,
        steps=steps,
        origin_ms=clock.origin_ms + first,
        zone=name,
        zone_cause=cause,
        ring=ring,
        ends=ends,
        pairs=clock.fits,
        spread_ms=spread,
        core_ms=core,
        length_ms=length,
        usual_ms=usual,
    )


def _on_their_clock(clock: Clock, other: Ints, zone: str, undone: bool) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Return the first level and the steps, moments on the customer's clock."""
    first, level, steps = clock.offset_ms, clock.offset_ms, []
    if undone:
        span = int(other.min()) // zones.DAY_MS * zones.DAY_MS - zones.DAY_MS, int(other.max()) + zones.DAY_MS
        found = zones.changes(zone, *span)
        first = level = first - int(zones.offsets(zone, np.array([span[0]], np.int64))[0])
        steps = [(at + abs(after - before) // 2, before - after) for at, before, after in found]
    for at, delta in clock.steps:
        steps.append((at + level + delta // 2, delta))
        level += delta
    return first, tuple(sorted(steps))


def _zone(clock: Clock, start: Ints, zone: str, undone: bool) -> tuple[str, Literal["", "timezone", "dst"]]:
    """Return the zone in which the customer's times are right, and which cause it is."""
    if not zones.known(zone):
        return "", ""
    at = int(start.min())
    if undone:
        away = round(clock.offset_ms / QUARTER_MS) * QUARTER_MS
        return _fixed(away, zone, at)
    hours = [
        delta
        for _, delta in clock.steps
        if abs(delta) >= QUARTER_MS - 60_000 and abs(delta - round(delta / QUARTER_MS) * QUARTER_MS) <= 60_000
    ]
    if hours:
        return _other(clock, start, zone), "dst" if max(map(abs, hours)) <= MOST_SUMMER_MS else "timezone"
    shift = round(clock.offset_ms / QUARTER_MS) * QUARTER_MS
    if not shift:
        return zone, ""
    return _fixed(int(zones.offsets(zone, np.array([at], np.int64))[0]) + shift, zone, at)


def _fixed(away: int, zone: str, at: int) -> tuple[str, Literal["timezone", "dst"]]:
    own = zones.own_offsets(zone, at)
    return zones.name_of(away), "dst" if len(own) > 1 and away in own else "timezone"


def _other(clock: Clock, start: Ints, zone: str) -> str:
    """Return the zone whose rules the shifts follow ("" none of those known)."""
    times = np.unique(start)
    times = times[:: max(len(times) // 200, 1)]
    wanted = clock.late(times) + zones.offsets(zone, times)
    for name in zones.OTHERS:
        if zones.known(name) and (np.abs(zones.offsets(name, times) - wanted) <= ZONE_SLACK_MS).mean() >= 0.97:
            return name
    return ""


def _spreads(rest: Ints, longer: Ints) -> tuple[int, int]:
    """Return what holds 19 of 20 remaining differences of time, and what holds practically all (ms)."""
    unlike = np.minimum(np.abs(longer), np.abs(longer + rest))
    apart = np.abs(rest)
    sound = (unlike <= SOUND_MS) & (apart <= CHANCE_MS)
    if sound.sum() < (apart <= CLOSE_MS).sum() / 2:
        sound = apart <= CHANCE_MS
    seen = np.sort(apart[sound])
    chance = float((seen > CLOSE_MS).sum()) / (CHANCE_MS - CLOSE_MS)
    kept = seen[seen <= CLOSE_MS]
    surplus = np.arange(1, len(kept) + 1) - chance * kept
    if not len(kept) or surplus[-1] <= 0:
        return 1_000, 1_000
    core, spread = (int(kept[int((surplus >= share * surplus[-1]).argmax())]) for share in (0.95, ALL_BUT))
    return (core, spread) if len(kept) >= 500 else (core * 3 // 2, spread * 3 // 2)  # too few show no tail


def _lengths(rest: Ints, longer: Ints, core: int) -> tuple[tuple[int, int], int]:
    """Return the usual range of differences of durations (roundings), and what 9 of 10 of them exceed it by at most (ms)."""
    near = longer[np.abs(rest) <= max(core, 1_000)]
    if len(near) < 20:
        return (0, 0), 1_000
    low, high = (int(np.quantile(near, share, method="lower")) for share in (0.05, 0.95))
    usual = (low, high) if -USUAL_MS <= low <= high <= USUAL_MS else (0, 0)
    beyond = Alignment(usual_ms=usual).excess(near)
    return usual, int(np.quantile(beyond, 0.9, method="lower"))


def _longer(anchors: Anchors, local: pd.DataFrame, customer: pd.DataFrame) -> Ints:
    """Return theirs − ours of the anchors' durations; 0 where one is not told."""
    ours, theirs = local["duration_ms"].to_numpy()[anchors.ours], customer["duration_ms"].to_numpy()[anchors.theirs]
    return np.where((ours != MISSING) & (theirs != MISSING), theirs - ours, 0)


def _ends_agree(rest: Ints, longer: Ints, core: int) -> bool:
    """Tell whether calls end together though they do not begin together: one bill counts from the INVITE, and tells no ring time."""
    near = np.abs(rest) <= CLOSE_MS
    if core <= 1_500 or near.sum() < 20:
        return False
    over = (rest + longer)[near]
    return bool(np.quantile(np.abs(over - np.median(over)), 0.9) < core / 3)


def _ring_of(frame: pd.DataFrame, rows: Ints) -> Ints:
    ring = frame["ring_ms"].to_numpy()[rows]
    return np.where(ring == MISSING, 0, ring)


def _rung(anchors: Anchors, local: pd.DataFrame, customer: pd.DataFrame, rest: Ints, core: int) -> Literal["", "local", "customer"]:
    """Return whose ring time explains why starts differ: that bill writes the answer (or its talk's begin), the other the INVITE."""
    if core <= 1_500:
        return ""
    sides: tuple[tuple[Literal["local", "customer"], pd.DataFrame, Ints, int], ...] = (
        ("local", local, anchors.ours, 1),
        ("customer", customer, anchors.theirs, -1),
    )
    near = np.abs(rest) <= CLOSE_MS
    for side, frame, rows, sign in sides:
        ring = frame["ring_ms"].to_numpy()[rows]
        told = near & (ring != MISSING)
        if told.sum() >= 0.8 * near.sum() and told.sum() >= 20:
            moved = rest[told] + sign * ring[told]
            if np.quantile(np.abs(moved - np.median(moved)), 0.9) < core / 3:
                return side
    return ""
