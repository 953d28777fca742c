"""The customer's clock against ours: what must be taken off their times, and how closely the two then agree."""

from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from billing_audit.ledger import MISSING

Ints = npt.NDArray[np.int64]
DOUBT_MS = 6 * 3_600_000
QUARTER_MS = 900_000  # zones differ by whole quarters of an hour; what is left is a clock's
LEAST_CORE_MS, MOST_CORE_MS = 1_500, 60_000
LEAST_REACH_MS, MOST_REACH_MS = 4_500, 120_000
LEAST_ALIKE_MS, MOST_ALIKE_MS = 4_000, 60_000


class Alignment(msgspec.Struct, frozen=True, kw_only=True):
    """Customer − ours = shift + offset + drift·(time − origin) + Σ steps before, all on the customer's clock.

    `core_ms` holds 19 of 20 of what remains, `spread_ms` practically all. Differences of durations (theirs − ours) mostly lie in `usual_ms`
    (roundings), 9 of 10 no further from it than `length_ms`. `zone`: that in which the customer's times are right ("" unknown), and
    `zone_cause` `timezone`, a mapping, or `dst`, a side leaves out the contract zone's summer time or follows another zone's. `ring`: whose
    ring time must be taken off its start, because the other writes the INVITE. `ends`: calls end together but do not begin together, so
    the offset is that of their ends. pairs 0: nothing was learned.
    """

    shift_ms: int = 0
    offset_ms: int = 0
    drift_ppb: int = 0
    steps: tuple[tuple[int, int], ...] = ()
    origin_ms: int = 0
    zone: str = ""
    zone_cause: Literal["", "timezone", "dst"] = ""
    ring: Literal["", "local", "customer"] = ""
    ends: bool = False
    pairs: int = 0
    spread_ms: int = 1_000
    core_ms: int = 1_000
    length_ms: int = 1_000
    usual_ms: tuple[int, int] = (0, 0)

    def correct(self, start_ms: Ints) -> Ints:
        """Return the customer's times on our clock; MISSING stays."""
        late = np.full(len(start_ms), self.shift_ms + self.offset_ms, np.int64)
        if self.drift_ppb:
            late += (start_ms - self.origin_ms) * self.drift_ppb // 1_000_000_000
        if self.steps:
            after = np.cumsum([0, *(delta for _, delta in self.steps)])
            late += after[np.searchsorted([at for at, _ in self.steps], start_ms, side="right")]
        return np.where(start_ms == MISSING, MISSING, start_ms - late)

    def otherwise(self, start_ms: Ints) -> tuple[Ints, Ints]:
        """Return which rows lie within six hours of a step, and how much later they are on our clock if they are of its other side.

        When a clock goes back an hour is written twice, and where calls are few nobody knows the minute of a step.
        """
        moved, near = np.zeros(len(start_ms), np.int64), np.zeros(len(start_ms), np.bool_)
        for at, delta in self.steps:
            here = (np.abs(start_ms - at) <= DOUBT_MS) & ~near
            moved[here] = np.where(start_ms >= at, delta, -delta)[here]
            near |= here
        return np.flatnonzero(near), moved[near]

    def excess(self, longer_ms: Ints) -> Ints:
        """Return how far differences of durations (theirs − ours) lie outside the usual range, ms."""
        low, high = self.usual_ms
        return np.maximum(np.maximum(low - longer_ms, longer_ms - high), 0) if low or high else np.abs(longer_ms)

    @property
    def core_tolerance_ms(self) -> int:
        """How far apart two starts may lie when nothing else speaks for the pair: 1.5 to 60 s."""
        return min(max(self.core_ms * 5 // 4 + 500, LEAST_CORE_MS), MOST_CORE_MS)

    @property
    def tolerance_ms(self) -> int:
        """How far apart two starts may lie when durations or ends agree: 4.5 to 120 s, at least 3 s more than the core."""
        wide = max(self.spread_ms * 5 // 4 + 1_000, self.core_tolerance_ms + 3_000)
        return min(max(wide, LEAST_REACH_MS), MOST_REACH_MS)

    @property
    def length_weight(self) -> int:
        """How much more a difference of durations tells than the same difference of starts: 1 to 8, as closely as both agree."""
        return min(max(self.core_ms // max(self.length_ms, 500), 1), 8)

    @property
    def alike_ms(self) -> int:
        """From this difference on two durations say that the calls are not the same: 4 to 60 s."""
        return min(max(2 * self.length_ms + 2_000, LEAST_ALIKE_MS), MOST_ALIKE_MS)


IDENTITY = Alignment()
