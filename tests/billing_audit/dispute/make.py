"""make(seed) → a dispute nobody has seen: two bills, the contract, and the truth about every micro-unit between them."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import numpy as np

from tests.billing_audit.dispute import durations, methods, presence, rates, times
from tests.billing_audit.dispute.bills import Dispute, Written, bills
from tests.billing_audit.dispute.plant import CODES, MINIMUM, NO_MONEY, SIDES, Planted, Rejected, Scene
from tests.billing_audit.dispute.world import COUNTRIES, METHODS, Deal, draw_deal, draw_world

Demand = Callable[[np.random.Generator, Deal], None]

PLANT: Final[dict[str, Callable[[Scene, str], Planted]]] = {
    code: next(getattr(room, code) for room in (rates, methods, durations, presence, times) if hasattr(room, code)) for code in CODES
}
DEMANDS: Final[dict[str, Demand]] = {
    "increment_anchor": methods.demand_uneven,
    "free_seconds": methods.demand_free,
    "scale": methods.demand_fine,
    "time_band": rates.draw_bands,
    "dst": times.demand_dst,
}
PARAMETER: Final = {  # two causes that move one parameter can't be told apart
    "increment": "increment",
    "increment_anchor": "increment",
    "free_seconds": "fee",
    "connection_fee": "fee",
    "ring_time": "duration",
    "duration_rounding": "duration",
    "early_answer": "duration",
    "timezone": "zone",
    "dst": "zone",
    "hung_call": "long calls",
    "partial_records": "long calls",
    "cost_rounding": "unit",
    "scale": "unit",
}
FIRST: Final = ("cut_off", "partial_records", "early_answer")  # these move calls in the world itself, or take whole kinds of them
ONE_SIDED: Final = {"missing_outage": "local", "missing_import": "customer", "timezone": "customer"}


def conflict(codes: Sequence[tuple[str, str]]) -> str | None:
    """Return why these causes can't be told apart when they are planted together; None: they can."""
    seen: dict[str, str] = {}
    for code, _ in codes:
        told = PARAMETER.get(code)
        if told and told in seen:
            return f"{seen[told]} and {code} move one parameter: {told}"
        if told:
            seen[told] = code
    sides = dict(codes)
    if "local" in (sides.get("dst"), sides.get("clock")) and {"time_band", "rate_change", "rate_change_zone"} & set(sides):
        return "a price by the clock, and our own clock is the one that departs"
    return None


def draw_codes(rng: np.random.Generator, count: int) -> list[tuple[str, str]]:
    """Return so many (code, departing bill) by chance; they may be in conflict."""
    chosen = rng.choice(CODES, size=count, replace=False)
    return [(str(c), ONE_SIDED.get(str(c), str(rng.choice(SIDES)))) for c in chosen]


def make(seed: int, codes: Sequence[tuple[str, str]] | None = None, rows: int = 20_000, least: bool = True, days: int = 0) -> Dispute:
    """Return the dispute of this seed; without `codes`, 1 to 4 causes by chance. Rejected when nobody could tell its causes.

    `least=False` skips both tests, conflict and minimum effect, for those who plant beyond them on purpose; `days`: a shorter bill.
    """
    rng = np.random.default_rng(seed)
    if codes is None:
        codes = draw_codes(rng, int(rng.integers(1, 5)))
    why = conflict(codes)
    if why and least:
        raise Rejected(why)
    sides = dict(codes)
    deal = draw_deal(rng)
    if days:
        deal.end = deal.start + timedelta(days=days)
    wrong_clock = "local" in (sides.get("dst"), sides.get("clock"))
    if "time_band" not in sides and not wrong_clock and rng.random() < 0.1:
        rates.draw_bands(rng, deal)
    for code, demand in DEMANDS.items():
        if code in sides:
            demand(rng, deal)
    unanswered = "failed_call" in sides or rng.random() < 0.3
    world = draw_world(rng, deal, rows, float(rng.uniform(0.1, 0.35)) if unanswered else 0.0)
    scene = Scene(
        rng, deal, world, str(rng.choice(("up", "down", "half_up"))), gone=np.zeros(rows, bool), jitter=float(rng.choice((0, 0, 0.1, 0.4)))
    )
    for code, side in sorted(codes, key=lambda c: (c[0] not in FIRST, CODES.index(c[0]))):
        scene.planted.append(PLANT[code](scene, side))
    listed = bool(unanswered and ("failed_call" not in sides or rng.random() < 0.6))
    # our own bill that counts from the INVITE and starts there has no answer time, so no set-up either
    blind = any(p.code == "ring_time" and p.departs == "local" and p.start for p in scene.planted)
    _harmless(scene, sides)
    dispute = bills(seed, scene, {side: _columns(rng, side, listed, sides, blind) for side in SIDES})
    if least:
        _enough(dispute)
    return dispute


def _harmless(scene: Scene, sides: dict[str, str]) -> None:
    """Write into the contract what both sides keep: a new price on some codes, a country with increments of its own."""
    rng, deal, world = scene.rng, scene.deal, scene.world
    free = [i for i in range(len(world.deck)) if i not in scene.taken]
    if rng.random() < 0.3 and "local" not in (sides.get("dst"), sides.get("clock")) and len(free) > 20:
        when = deal.start + timedelta(days=int(rng.integers(2, 26)))
        for i in sorted(int(i) for i in rng.choice(free, size=15, replace=False)):
            deal.changes[i] = (when, scene.other_rate(i, 0.8, 1.3))
            scene.taken.add(i)
    if rng.random() < 0.2 and not {"increment", "increment_anchor"} & set(sides):
        country = world.deck[int(rng.choice(free))].digits
        country = next(country[:n] for n in (3, 2, 1) if country[:n] in COUNTRIES)
        own = METHODS[rng.integers(len(METHODS))]
        for i, code in enumerate(world.deck):
            if next((code.digits[:n] for n in (3, 2, 1) if code.digits[:n] in COUNTRIES), "") == country:
                deal.own[i] = own


def _columns(rng: np.random.Generator, side: str, listed: bool, sides: dict[str, str], blind: bool) -> Written:
    ours = side == "local"
    return Written(
        billed=bool(rng.random() < 0.75),
        rate=bool(rng.random() < 0.6),
        gateway=ours or bool(rng.random() < 0.4),
        ring=ours and not blind and ("ring_time" in sides or bool(rng.random() < 0.4)),
        answered=listed or "failed_call" in sides or bool(rng.random() < 0.3),
        unanswered=listed,
    )


def _enough(dispute: Dispute) -> None:
    """Raise Rejected when a cause has less than the least effect at which it can be told."""
    bill = max(1, int(dispute.customer["charge_micro"].sum()), int(dispute.local["charge_micro"].sum()))
    for cause in dispute.planted:
        rows, millionths = MINIMUM[cause.code]
        small = min(bill, int(dispute.local["charge_micro"].sum()) or bill, int(dispute.customer["charge_micro"].sum()) or bill)
        if cause.records < rows or (cause.code not in NO_MONEY and abs(cause.amount_micro) * 1_000_000 < small * millionths):
            raise Rejected(f"{cause.code} is below the least effect: {cause.records} records, {cause.amount_micro} micro-units")
        gross = int(dispute.amounts[f"{cause.code}/{cause.departs}"].abs().sum())
        if cause.code == "cut_off" and abs(cause.amount_micro) * 3 < gross:
            raise Rejected("cut_off at both edges cancels itself: half a percent of the rest is no measure")
