"""From a clock that calls agree on to an alignment: zone shifts told from clocks, the customer's zone, how closely times then fit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd

from billing_audit import zones
from billing_audit.align import QUARTER_MS, Alignment, Ints
from billing_audit.clocks import Clock
from billing_audit.ledger import MISSING

CLOSE_MS: Final = 150_000  # what lies further from the clock than this is another call
CHANCE_MS: Final = 600_000  # up to here nothing but chance is left; its density is measured beyond CLOSE_MS
ALL_BUT: Final = 0.998
SOUND_MS: Final = 2_000  # durations or ends this near mean the same call
ZONE_SLACK_MS: Final = 300_000


@dataclass(frozen=True)
class Anchors:
    """Rows of both bills that are the same calls by their key, their clock; `undone`: read through the zone's summer time wrongly."""

    ours: Ints
    theirs: Ints
    clock: Clock
    undone: bool
    ring: Literal["", "local", "customer"] = ""

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
    rest = other - start - late
    core, spread, length = _spreads(rest, local, customer, anchors)
    name, cause = _zone(clock, start, zone, anchors.undone)
    first, steps = _on_their_clock(clock, other, zone, anchors.undone)
    shift = round(first / QUARTER_MS) * QUARTER_MS
    return Alignment(
        shift_ms=shift,
        offset_ms=first - shift,
        drift_ppb=clock.drift_ppb,
        steps=steps,
        origin_ms=clock.origin_ms + first,
        zone=name,
        zone_cause=cause,
        ring=anchors.ring,
        pairs=clock.fits,
        spread_ms=spread,
        core_ms=core,
        length_ms=length,
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
        return _other(clock, start, zone), "dst"
    shift = round(clock.offset_ms / QUARTER_MS) * QUARTER_MS
    if not shift:
        return zone, ""
    return _fixed(int(zones.offsets(zone, np.array([at], np.int64))[0]) + shift, zone, at)


def _fixed(away: int, zone: str, at: int) -> tuple[str, Literal["timezone", "dst"]]:
    standard, summer = zones.standard_offset(zone, at)
    return zones.name_of(away), "dst" if summer and away == standard else "timezone"


def _other(clock: Clock, start: Ints, zone: str) -> str:
    """Return the zone whose rules the shifts follow ("" none of those known)."""
    times = np.unique(start)
    times = times[:: max(len(times) // 200, 1)]
    wanted = clock.late(times) + zones.offsets(zone, times)
    for name in zones.OTHERS:
        if zones.known(name) and (np.abs(zones.offsets(name, times) - wanted) <= ZONE_SLACK_MS).mean() >= 0.97:
            return name
    return ""


def _spreads(rest: Ints, local: pd.DataFrame, customer: pd.DataFrame, anchors: Anchors) -> tuple[int, int, int]:
    """Return what holds 19 of 20 remaining differences of time, what holds practically all, and 9 of 10 differences of duration (ms)."""
    ours, theirs = local["duration_ms"].to_numpy()[anchors.ours], customer["duration_ms"].to_numpy()[anchors.theirs]
    told = (ours != MISSING) & (theirs != MISSING)
    longer = np.where(told, theirs - ours, 0)
    unlike = np.minimum(np.abs(longer), np.abs(longer + rest))
    apart = np.abs(rest)
    sound = (unlike <= SOUND_MS) & (apart <= CHANCE_MS)
    if sound.sum() < (apart <= CLOSE_MS).sum() / 2:
        sound = apart <= CHANCE_MS
    seen = np.sort(apart[sound])
    chance = float((seen > CLOSE_MS).sum()) / (CHANCE_MS - CLOSE_MS)
    kept = seen[seen <= CLOSE_MS]
    surplus = np.arange(1, len(kept) + 1) - chance * kept
    whole = float(surplus[-1]) if len(kept) else 0.0
    spread = int(kept[min(int((surplus >= ALL_BUT * whole).argmax()), len(kept) - 1)]) if whole > 0 else 1_000
    core = int(kept[min(int((surplus >= 0.95 * whole).argmax()), len(kept) - 1)]) if whole > 0 else 1_000
    if len(kept) < 500:  # too few to show their own tail
        spread, core = spread * 3 // 2, core * 3 // 2
    near = unlike[apart <= max(core, 1_000)]
    length = int(np.quantile(near, 0.9, method="lower")) if len(near) else 1_000
    return core, spread, length
