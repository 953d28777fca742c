"""Causes of the record time: timezone, dst, clock. None of them moves money."""

from datetime import date

import numpy as np

from tests.billing_audit.dispute.plant import VERDICT, Planted, Rejected, Scene
from tests.billing_audit.dispute.world import DAY, HOUR, Clock, Deal

QUARTER = 900_000
TELLING = 8  # calls an hour
LEAST = 1000  # calls on either side of a change of clocks: whose clock it was is told by the hours of the day


def timezone(scene: Scene, side: str) -> Planted:
    """The customer's times are another zone's: k quarters of an hour off."""
    quarters = 4 * scene.rng.integers(-12, 15) if scene.rng.random() < 0.8 else scene.rng.integers(-48, 57)
    if quarters == 0:
        raise Rejected("no shift")
    return Planted(
        "timezone",
        "customer",
        ("none",),
        {"quarters": int(quarters)},
        wall=lambda utc, wall: wall + int(quarters) * QUARTER,
        rows=np.ones(scene.world.rows, bool),
    )


def demand_dst(rng: np.random.Generator, deal: Deal) -> None:
    """Put the month where clocks change."""
    deal.zone = str(rng.choice(("Europe/Berlin", "America/New_York", "Asia/Shanghai")))
    month = {"America/New_York": (3, 11)}.get(deal.zone, (3, 10))[rng.integers(2)]
    deal.start = date(deal.start.year, month, 1)
    deal.end = date(deal.start.year, month + 1, 1)
    deal.nights = True


def dst(scene: Scene, side: str) -> Planted:
    """One side does not turn its clocks as the contract's zone does: it never turns them, or turns them where nobody does."""
    deal, world = scene.deal, scene.world
    if world.clock.change_ms is None:
        foreign = Clock.of("Europe/Berlin", deal.start, deal.end)
        if side == "local":
            raise Rejected("a turn on our side where the contract's zone has none: the first days look like another zone")
        at, shows = foreign.change_ms, foreign.wall
        moved = np.ones(world.rows, bool)
        told = "follows Europe/Berlin"
    else:
        at = world.clock.change_ms
        fixed = int(scene.rng.choice((world.clock.offsets_ms[0], world.clock.offsets_ms[-1])))
        moved = world.clock.wall(world.start_ms) != world.start_ms + fixed
        told = f"always UTC{fixed // 3_600_000:+d}"

        def shows(utc):
            return utc + fixed

    if at is None or min((world.start_ms < at).sum(), (world.start_ms >= at).sum()) < LEAST:
        raise Rejected("too few calls on one side of the change")
    if world.clock.change_ms is not None:  # the hour that comes twice, or never, tells whose clock it was
        hours = [((world.start_ms >= at + h * HOUR) & (world.start_ms < at + (h + 1) * HOUR)).sum() for h in (-1, 0)]
        if min(hours) < TELLING or max(hours) * 10 > min(hours) * 18:
            raise Rejected("too few calls in the hour that tells whose clock it was")
    return Planted(
        "dst",
        side,
        (VERDICT[side],),
        {"clock": told, "at_ms": at},
        wall=lambda utc, wall: shows(utc) + (wall - world.clock.wall(utc)),
        rows=moved,
        tolerated=("timezone",),
    )


def clock(scene: Scene, side: str) -> Planted:
    """A clock is some seconds off, or drifts."""
    rng, world = scene.rng, scene.world
    sign = int(rng.choice((-1, 1)))
    if rng.random() < 0.6:
        offset, daily = sign * int(rng.integers(4, 200)) * 1000, 0
    else:
        offset, daily = 0, sign * int(rng.integers(600, 8000))
    begin = world.clock.day(scene.deal.start)
    return Planted(
        "clock",
        side,
        ("undetermined",),
        {"offset_ms": offset, "ms_a_day": daily},
        start=lambda s: s + offset + (s - begin) * daily // DAY // 1000 * 1000,
        rows=np.ones(world.rows, bool),
    )
