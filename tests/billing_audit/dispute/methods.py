"""Causes of the method: increment, increment_anchor, free_seconds, connection_fee, scale, cost_rounding, partial_records."""

from fractions import Fraction

import numpy as np

from tests.billing_audit.dispute.plant import VERDICT, Planted, Rejected, Scene
from tests.billing_audit.dispute.world import METHODS, Deal

UNEVEN = ((25, 8), (45, 20), (10, 6), (30, 20), (20, 15), (60, 45), (15, 6), (40, 30), (7, 5))


def increment(scene: Scene, side: str) -> Planted:
    """Another minimum or step."""
    deal = scene.deal
    others = [m for m in METHODS if m != (deal.minimum_s, deal.increment_s)]
    low, step = others[scene.rng.integers(len(others))]
    rows = scene.world.rows
    return Planted(
        "increment",
        side,
        (VERDICT[side],),
        {"minimum": low, "increment": step, "contract": f"{deal.minimum_s}/{deal.increment_s}"},
        method=lambda m: m.but(minimum_s=np.full(rows, low, np.int64), increment_s=np.full(rows, step, np.int64)),
    )


def demand_uneven(rng: np.random.Generator, deal: Deal) -> None:
    """Let the contract have an increment that does not divide its minimum."""
    deal.minimum_s, deal.increment_s = UNEVEN[rng.integers(len(UNEVEN))]
    deal.from_zero = bool(rng.random() < 0.5)


def increment_anchor(scene: Scene, side: str) -> Planted:
    """Increments are counted from the wrong place."""
    wrong = not scene.deal.from_zero
    return Planted(
        "increment_anchor",
        side,
        (VERDICT[side],),
        {"anchor": "from_zero" if wrong else "after_minimum"},
        method=lambda m: m.but(from_zero=wrong),
    )


def demand_free(rng: np.random.Generator, deal: Deal) -> None:
    """Let the contract give free seconds, or a grace, or neither; without a fee, which would make them two readings."""
    deal.fee_micro = 0
    deal.free_s, deal.grace_s = ((0, 0), (0, 0), (int(rng.integers(3, 20)), 0), (0, int(rng.integers(3, 16))))[rng.integers(4)]


def free_seconds(scene: Scene, side: str) -> Planted:
    """The side gives free seconds that the contract does not, or forgets those that it does."""
    deal, rng = scene.deal, scene.rng
    if deal.free_s or deal.grace_s:
        free, grace = 0, 0
    elif rng.random() < 0.6:
        free, grace = int(rng.choice((3, 5, 6, 8, 10, 15, 20, 30))), 0
    else:
        free, grace = 0, int(rng.choice((3, 5, 6, 10, 15, 20)))
    return Planted(
        "free_seconds",
        side,
        (VERDICT[side],),
        {"free": free, "grace": grace, "contract": f"{deal.free_s} {deal.grace_s}"},
        method=lambda m: m.but(free_s=free, grace_s=grace),
    )


def connection_fee(scene: Scene, side: str) -> Planted:
    """A fee a call that the contract has not, or another, or none."""
    fees = (0, 2_000, 5_000, 10_000, 15_000, 20_000, 50_000)
    unit = 10 ** (6 - scene.deal.digits)
    fit = [f for f in fees if abs(f - scene.deal.fee_micro) >= max(4 * unit, 2_000)]
    fee = fit[scene.rng.integers(len(fit))]
    rows = scene.world.rows
    return Planted(
        "connection_fee",
        side,
        (VERDICT[side],),
        {"fee_micro": fee, "contract": scene.deal.fee_micro},
        method=lambda m: m.but(fee_micro=np.full(rows, fee, np.int64)),
    )


def demand_fine(rng: np.random.Generator, deal: Deal) -> None:
    """Let charges have all six decimals, so that a small unit still shows."""
    deal.digits = 6


def scale(scene: Scene, side: str) -> Planted:
    """One ratio on everything."""
    kinds = (
        ("tax", (103, 106, 109, 113), 100),
        ("currency", (713, 792, 109, 650), 100),
        ("unit", (1000, 100, 60, 10), 1),
        ("unit", (1, 1, 1), 60),
        ("unit", (1, 1), 100),
        ("currency", (14, 92), 100),
    )
    kind, overs, under = kinds[scene.rng.choice(len(kinds), p=(0.4, 0.2, 0.15, 0.1, 0.05, 0.1))]
    if scene.deal.tax:
        kind, overs, under = "tax", (100, 113), 100 + scene.deal.tax
    ratio = Fraction(int(scene.rng.choice(overs)), under)
    full = ratio * Fraction(100 + scene.deal.tax, 100)
    over, below = full.numerator, full.denominator
    return Planted("scale", side, (VERDICT[side],), {"kind": kind, "ratio": str(ratio)}, method=lambda m: m.but(scale=(over, below)))


def cost_rounding(scene: Scene, side: str) -> Planted:
    """Other decimals or another direction."""
    deal = scene.deal
    ways = [(d, m) for d in (2, 3, 4) for m in ("up", "half_up", "down") if (d, m) != (deal.digits, deal.mode)]
    digits, mode = ways[scene.rng.integers(len(ways))]
    if (digits, deal.digits) == (4, 6) and mode == "half_up":
        raise Rejected("half a unit of the fourth decimal, both ways, is below any sum")
    return Planted(
        "cost_rounding",
        side,
        ("none", VERDICT[side]),
        {"digits": digits, "mode": mode, "contract": f"{deal.digits} {deal.mode}"},
        method=lambda m: m.but(digits=digits, mode=mode),
    )


def partial_records(scene: Scene, side: str) -> Planted:
    """A long call is written as several rows, each billed on its own."""
    talk = scene.world.talk_ms
    fit = [s for s in (600, 900, 1200, 1800, 3600) if ((talk > s * 1000) & ~scene.gone).sum() >= 25]
    if not fit:
        raise Rejected("too few long calls")
    part = fit[scene.rng.integers(len(fit))]
    scene.gone |= talk > (part - 5) * 1000
    return Planted("partial_records", side, (VERDICT[side],), {"seconds": part}, method=lambda m: m.but(part_s=part))
