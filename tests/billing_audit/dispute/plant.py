"""What a planted cause is, and the scene that causes are planted in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from tests.billing_audit.dispute.price import Ints, Method
from tests.billing_audit.dispute.world import Deal, World

Bools = npt.NDArray[np.bool_]

SIDES: Final = ("local", "customer")
VERDICT: Final = {"local": "company", "customer": "customer"}

ORDER: Final = (  # departures are repaired in this order; within a stage in the order of BILLING.md's table
    "partial_records",
    "increment",
    "increment_anchor",
    "free_seconds",
    "rate",
    "rate_change",
    "rate_change_zone",
    "prefix",
    "code_list",
    "time_band",
    "connection_fee",
    "scale",
    "cost_rounding",
)

MINIMUM: Final = {  # the least effect at which a cause is identifiable: (rows, share of the bill's money, in millionths)
    "rate": (30, 300),
    "rate_change": (30, 300),
    "rate_change_zone": (25, 100),
    "prefix": (30, 300),
    "code_list": (40, 300),
    "increment": (100, 300),
    "increment_anchor": (100, 100),
    "free_seconds": (100, 100),
    "duration_rounding": (500, 50),
    "cost_rounding": (500, 20),
    "connection_fee": (500, 500),
    "time_band": (200, 300),
    "timezone": (200, 0),
    "dst": (200, 0),
    "clock": (200, 0),
    "cut_off": (6, 100),
    "missing_outage": (20, 200),
    "missing_import": (20, 200),
    "duplicate": (20, 200),
    "failed_call": (30, 100),
    "ring_time": (500, 500),
    "hung_call": (8, 500),
    "partial_records": (20, 50),
    "early_answer": (150, 200),
    "scale": (500, 5000),
}
CODES: Final = tuple(MINIMUM)
NO_MONEY: Final = frozenset(("timezone", "dst", "clock"))


class Rejected(Exception):
    """What was asked for can't be planted so that anyone could tell it; the text is the reason."""


@dataclass
class Planted:
    """One cause as it was planted; `records` and `amount_micro` (local − customer) are filled when the bills are made."""

    code: str
    departs: str  # the bill that departs: local, customer
    sides: tuple[str, ...]  # whose it is; the first is the truth, the others are as right
    parameters: dict[str, str | int]
    method: Callable[[Method], Method] | None = None
    duration: Callable[[Ints], Ints] | None = None
    wall: Callable[[Ints, Ints], Ints] | None = None  # (UTC, what the wall showed so far) → what it shows
    start: Callable[[Ints], Ints] | None = None  # UTC → UTC as this bill's clock had it
    lacks: dict[str, Bools] = field(default_factory=dict)
    twice: Ints | None = None
    failed: Ints | None = None
    rows: Bools | None = None  # where a cause without money applies
    tolerated: tuple[str, ...] = ()  # codes that are no false cause beside this one
    records: int = 0
    amount_micro: int = 0


@dataclass
class Scene:
    """The ground for planting: draw from `rng` only."""

    rng: np.random.Generator
    deal: Deal
    world: World
    rounding: str  # how both sides write whole seconds
    jitter: float = 0.0  # share of the customer's starts that are a second off
    taken: set[int] = field(default_factory=set)  # codes of the deck in which something is planted
    gone: Bools = field(default_factory=lambda: np.zeros(0, bool))  # calls whose presence or length is planted
    planted: list[Planted] = field(default_factory=list)

    def codes_with(self, least: int, count: int) -> list[int]:
        """Return so many codes of the deck with at least so many answered calls, none taken yet; they are taken then."""
        counts = self.world.counts()
        free = [i for i in np.flatnonzero(counts >= least).tolist() if i not in self.taken]
        if len(free) < count:
            raise Rejected(f"fewer than {count} codes with {least} calls")
        chosen = sorted(int(i) for i in self.rng.choice(free, size=count, replace=False))
        self.taken.update(chosen)
        return chosen

    def ancestors(self, index: int) -> list[int]:
        """Return the shorter codes in front of a code, the longest first."""
        found, at = [], self.world.deck[index].parent
        while at >= 0:
            found.append(at)
            at = self.world.deck[at].parent
        return found

    def other_rate(self, index: int, low: float, high: float) -> int:
        """Return a price for a code that neither it nor a shorter code has, in whole 10⁻⁴ a minute."""
        known = {self.world.deck[i].rate_nano for i in (index, *self.ancestors(index))}
        old = self.world.deck[index].rate_nano
        for _ in range(50):
            new = int(old * self.rng.uniform(low, high)) // 100_000 * 100_000
            if new > 0 and all(abs(new - k) >= max(k // 50, 200_000) for k in known):
                return new
        raise Rejected("no price that differs from the neighbours'")

    def pick(self, mask: Bools, count: int) -> Ints:
        """Return so many of these calls, untouched so far; they are taken then."""
        free = np.flatnonzero(mask & ~self.gone)
        if len(free) < count:
            raise Rejected(f"fewer than {count} calls to choose from")
        chosen = np.sort(self.rng.choice(free, size=count, replace=False)).astype(np.int64)
        self.gone[chosen] = True
        return chosen
