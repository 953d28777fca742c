"""Causes of the price a minute: rate, rate_change, rate_change_zone, prefix, code_list, time_band."""

from datetime import timedelta

import numpy as np

from tests.billing_audit.dispute.plant import VERDICT, Planted, Rejected, Scene
from tests.billing_audit.dispute.price import Ints, Method
from tests.billing_audit.dispute.world import HOUR, Deal, in_bands


def _priced(world_prefix: Ints, prices: dict[int, int], old: dict[int, int], where: Ints | None = None):
    """Return a repair that puts other prices on codes, keeping the ratio that a band gave."""

    def method(m: Method) -> Method:
        rate = m.rate_nano.copy()
        for index, new in prices.items():
            rows = world_prefix == index
            if where is not None:
                rows = rows & where
            rate[rows] = rate[rows] * new // old[index] if new % old[index] == 0 else _ratio(rate[rows], new, old[index])
        return m.but(rate_nano=rate)

    return method


def _ratio(rate: Ints, new: int, old: int) -> Ints:
    # the band's percent first: exact, because prices are multiples of 10⁵ nano
    percent = rate * 100 // old
    return new * percent // 100


def _old(scene: Scene, indices: list[int]) -> dict[int, int]:
    return {i: scene.world.deck[i].rate_nano for i in indices}


def rate(scene: Scene, side: str) -> Planted:
    """Some codes have another price."""
    chosen = scene.codes_with(40, int(scene.rng.integers(1, 6)))
    up = scene.rng.random() < 0.6
    prices = {i: scene.other_rate(i, 1.06, 1.5) if up else scene.other_rate(i, 0.65, 0.94) for i in chosen}
    told = " ".join(f"{scene.world.deck[i].digits}:{prices[i] / 1e9:.4f}" for i in chosen)
    return Planted("rate", side, (VERDICT[side],), {"prices": told}, method=_priced(scene.world.prefix, prices, _old(scene, chosen)))


def rate_change(scene: Scene, side: str) -> Planted:
    """Some codes got another price within the month; the side keeps the old one."""
    deal, world = scene.deal, scene.world
    when = deal.start + timedelta(days=int(scene.rng.integers(6, 20)))
    chosen = scene.codes_with(100, int(scene.rng.integers(1, 5)))
    for i in chosen:
        deal.changes[i] = (when, scene.other_rate(i, 1.1, 1.6) if scene.rng.random() < 0.7 else scene.other_rate(i, 0.6, 0.9))
    after = world.start_ms >= world.clock.day(when)

    def method(m: Method) -> Method:
        rate = m.rate_nano.copy()
        for i in chosen:
            rows = (world.prefix == i) & after
            rate[rows] = _ratio(rate[rows], world.deck[i].rate_nano, deal.changes[i][1])
        return m.but(rate_nano=rate)

    told = " ".join(world.deck[i].digits for i in chosen)
    return Planted("rate_change", side, (VERDICT[side],), {"codes": told, "effective": str(when)}, method=method)


def rate_change_zone(scene: Scene, side: str) -> Planted:
    """Many codes got another price; the side took the date in another zone."""
    deal, world = scene.deal, scene.world
    days = [deal.start + timedelta(days=d) for d in range(5, 24)]
    when = [d for d in days if d.weekday() < 5][int(scene.rng.integers(12))]
    counts = world.counts()
    free = [i for i in np.flatnonzero(counts >= 5).tolist() if i not in scene.taken]
    chosen = sorted(scene.rng.choice(free, size=int(len(free) * 0.7), replace=False).tolist())
    scene.taken.update(chosen)
    for i in chosen:
        deal.changes[i] = (when, scene.other_rate(i, 1.12, 1.5))
    shift = int(scene.rng.choice((-13, -12, -8, -7, -6, -5, 5, 6, 7, 8, 9, 12)))
    true = world.clock.day(when)
    theirs = true + shift * HOUR
    low, high = sorted((true, theirs))
    within = (world.start_ms >= low) & (world.start_ms < high)

    def method(m: Method) -> Method:
        rate = m.rate_nano.copy()
        for i in chosen:
            rows = (world.prefix == i) & within
            old, new = world.deck[i].rate_nano, deal.changes[i][1]
            rate[rows] = _ratio(rate[rows], old, new) if shift > 0 else _ratio(rate[rows], new, old)
        return m.but(rate_nano=rate)

    return Planted(
        "rate_change_zone",
        side,
        (VERDICT[side],),
        {"codes": len(chosen), "effective": str(when), "hours_late": shift},
        method=method,
    )


def prefix(scene: Scene, side: str) -> Planted:
    """The side's deck lacks some codes: the shorter one's price is taken."""
    deck, counts = scene.world.deck, scene.world.counts()
    free = [
        i
        for i in np.flatnonzero(counts >= 40).tolist()
        if i not in scene.taken
        and deck[i].parent >= 0
        and abs(deck[deck[i].parent].rate_nano - deck[i].rate_nano) > deck[i].rate_nano // 30
    ]
    if not free:
        raise Rejected("no code with enough calls whose parent has another price")
    chosen = sorted(scene.rng.choice(free, size=min(len(free), int(scene.rng.integers(1, 4))), replace=False).tolist())
    scene.taken.update(chosen)
    scene.taken.update(deck[i].parent for i in chosen)
    prices = {i: deck[deck[i].parent].rate_nano for i in chosen}
    told = " ".join(f"{deck[i].digits}>{deck[deck[i].parent].digits}" for i in chosen)
    return Planted("prefix", side, (VERDICT[side],), {"codes": told}, method=_priced(scene.world.prefix, prices, _old(scene, chosen)))


def code_list(scene: Scene, side: str) -> Planted:
    """The side has a longer code that the deck has not: part of a code's calls cost another price."""
    world = scene.world
    behind = np.searchsorted(10 ** np.arange(19, dtype=np.int64), world.callee, side="right") - 1
    fit: list[tuple[int, int]] = []
    for index in np.flatnonzero(world.counts() >= 100).tolist():
        if index not in scene.taken:
            size = len(world.deck[index].digits)
            here = (world.prefix == index) & world.answered
            counts = np.bincount(world.callee[here] // 10 ** np.maximum(behind[here] - size - 1, 0) % 10, minlength=10)
            fit += [(index, d) for d in np.flatnonzero((counts >= 45) & (counts <= counts.sum() - 45)).tolist()]
    if not fit:
        raise Rejected("no sub-code with calls on both sides of it")
    index, digit = fit[scene.rng.integers(len(fit))]
    scene.taken.add(index)
    size = len(world.deck[index].digits)
    following = np.where(world.prefix == index, world.callee // 10 ** np.maximum(behind - size - 1, 0) % 10, -1)
    new = scene.other_rate(index, 1.2, 3.0)
    return Planted(
        "code_list",
        side,
        (VERDICT[side],),
        {"code": f"{world.deck[index].digits}{digit}", "price": new},
        method=_priced(world.prefix, {index: new}, _old(scene, [index]), following == digit),
    )


def draw_bands(rng: np.random.Generator, deal: Deal) -> None:
    """Give the contract hours with a price of their own."""
    week, end = (0, 1, 2, 3, 4), (5, 6)
    deal.bands = [
        [("off", 22, 6, (*week, *end), 60)],
        [("peak", 8, 20, week, 130)],
        [("weekend", 0, 24, end, 75)],
        [("weekend", 0, 24, end, 80), ("night", 0, 7, week, 50)],
    ][rng.integers(4)]


def time_band(scene: Scene, side: str) -> Planted:
    """The side leaves the bands out, moves their hours, or has another ratio."""
    deal, world = scene.deal, scene.world
    right, wall = deal.bands, world.clock.wall(world.start_ms)
    kind = str(scene.rng.choice(("left out", "hours", "ratio")))
    if kind == "left out":
        wrong = []
    elif kind == "ratio":
        wrong = [(n, a, b, w, p + int(scene.rng.choice((-20, 15, 25)))) for n, a, b, w, p in right]
    else:
        turn = int(scene.rng.choice((-2, -1, 1, 2)))
        wrong = [
            (n, (a + turn) % 24, (b + turn - 1) % 24 + 1, w, p) if (a, b) != (0, 24) else (n, 0, 24, (4, 5), p) for n, a, b, w, p in right
        ]
    now, then = in_bands(right, wall), in_bands(wrong, wall)

    def method(m: Method) -> Method:
        return m.but(rate_nano=m.rate_nano * then // now)

    return Planted("time_band", side, (VERDICT[side],), {"kind": kind, "bands": str(wrong)}, method=method)
