"""Causes of a record's presence: cut_off, missing_outage, missing_import, duplicate, failed_call."""

from datetime import timedelta
from typing import Final

import numpy as np

from tests.billing_audit.dispute.plant import VERDICT, Planted, Rejected, Scene
from tests.billing_audit.dispute.world import DAY, HOUR

EDGE_MS: Final = 300_000


def cut_off(scene: Scene, side: str) -> Planted:
    """One side takes calls by their start, the other by their end; `side` is the one that departs from the contract's `by`."""
    world, rng, deal = scene.world, scene.rng, scene.deal
    chosen = scene.pick(world.answered, int(rng.integers(12, 45)))
    first = rng.random(len(chosen)) < (0.1, 0.9)[rng.integers(2)]
    begin, end = world.clock.day(deal.start), world.clock.day(deal.end)
    talk = rng.integers(1000, 3600, len(chosen)) * 1000
    reach = EDGE_MS + (rng.random(len(chosen)) * (talk - 2 * EDGE_MS) / 1000).astype(np.int64) * 1000
    # no other call so near an edge that a clock some minutes off would move it over
    world.start_ms[:] = np.where(world.start_ms + world.talk_ms > end - EDGE_MS, end - world.talk_ms - 2 * EDGE_MS, world.start_ms)
    world.start_ms[:] = np.where(world.start_ms < begin + EDGE_MS, world.start_ms + EDGE_MS, world.start_ms)
    world.talk_ms[chosen] = talk
    world.start_ms[chosen] = np.where(first, begin, end) - reach
    by_end = {"local", "customer"} - {side} if deal.by == "end" else {side}
    lacks = {}
    for name in ("local", "customer"):
        mask = np.zeros(world.rows, bool)
        mask[chosen[~first] if name in by_end else chosen[first]] = True
        mask |= world.start_ms + world.talk_ms > end if name in by_end else world.start_ms < begin
        lacks[name] = mask
    scene.gone |= lacks["local"] | lacks["customer"]
    return Planted("cut_off", side, ("none",), {"by_end": " ".join(sorted(by_end))}, lacks=lacks)


def missing_outage(scene: Scene, side: str) -> Planted:
    """We lost the records of some hours, and an outage was measured then."""
    world, rng = scene.world, scene.rng
    at, until = _window(scene, int(rng.integers(1, 20)) * HOUR // 2)
    mask = (world.start_ms >= at) & (world.start_ms < until) & ~scene.gone & (rng.random(world.rows) < rng.choice((1.0, 0.97)))
    scene.gone |= mask
    scene.deal.outages.append((at - int(rng.integers(0, 120)) * 1000, until + int(rng.integers(0, 120)) * 1000, "cdr-1"))
    return Planted("missing_outage", "local", ("company",), {"from_ms": at, "until_ms": until}, lacks={"local": mask})


def missing_import(scene: Scene, side: str) -> Planted:
    """They did not import a file, a day, or a gateway of theirs."""
    world, rng = scene.world, scene.rng
    kind = str(rng.choice(("file", "day", "gateway", "gateway from a day on")))
    if kind == "file":
        at, until = _window(scene, int(rng.integers(2, 16)) * HOUR // 2)
        mask = (world.start_ms >= at) & (world.start_ms < until)
        told = f"{at} {until}"
    elif kind == "day":
        day = scene.deal.start + timedelta(days=int(rng.integers(1, 27)))
        at = world.clock.day(day)
        mask = (world.start_ms >= at) & (world.start_ms < world.clock.day(day + timedelta(days=1)))
        told = str(day)
    else:
        counts = np.bincount(world.gateway[world.answered & ~scene.gone], minlength=len(world.gateways))
        if counts.max() < 20:
            raise Rejected("no gateway with enough calls")
        route = int(rng.choice(np.flatnonzero(counts >= 20)))
        mask = world.gateway == route
        if kind != "gateway":
            mask &= world.start_ms >= world.clock.day(scene.deal.start + timedelta(days=int(rng.integers(8, 24))))
        told = world.gateways[route]
    mask &= ~scene.gone
    scene.gone |= mask
    return Planted("missing_import", "customer", ("customer",), {"kind": kind, "what": told}, lacks={"customer": mask})


def duplicate(scene: Scene, side: str) -> Planted:
    """The same call twice: here and there, or all of some hours."""
    world, rng = scene.world, scene.rng
    if rng.random() < 0.6:
        chosen = scene.pick(world.answered, int(world.rows * rng.uniform(0.004, 0.02)) + 20)
        kind = "scattered"
    else:
        at, until = _window(scene, int(rng.integers(2, 12)) * HOUR)
        inside = (world.start_ms >= at) & (world.start_ms < until) & world.answered & ~scene.gone
        if inside.sum() < 25:
            raise Rejected("too few calls in those hours")
        chosen = scene.pick(inside, int(inside.sum()))
        kind = "file"
    return Planted("duplicate", side, (VERDICT[side],), {"kind": kind, "calls": len(chosen)}, twice=chosen)


def failed_call(scene: Scene, side: str) -> Planted:
    """Calls that nobody answered are charged as if they had lasted a second."""
    dead = ~scene.world.answered
    if dead.sum() < 40:
        raise Rejected("too few unanswered calls")
    chosen = scene.pick(dead, max(35, int(dead.sum() * scene.rng.uniform(0.05, 0.6))))
    return Planted("failed_call", side, (VERDICT[side],), {"calls": len(chosen)}, failed=chosen)


def _window(scene: Scene, length_ms: int) -> tuple[int, int]:
    """Return some hours of the month by day, in which there are enough calls."""
    world, rng = scene.world, scene.rng
    first, last = world.clock.day(scene.deal.start) + DAY, world.clock.day(scene.deal.end) - 2 * DAY
    for _ in range(60):
        at = int(rng.integers(first, last)) // 60_000 * 60_000
        inside = (world.start_ms >= at) & (world.start_ms < at + length_ms) & world.answered & ~scene.gone
        if inside.sum() >= 30:
            return at, at + length_ms
    raise Rejected("no hours with enough calls")
