"""An independent oracle of prices: what a method charges for calls, in integers alone.

It shares no line with billing_audit.rating, on purpose: the truth of a dispute must not come from the code that is judged by it.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

MODES: Final = ("up", "half_up", "down")


@dataclass(frozen=True)
class Method:
    """How one side bills; arrays have one entry a call. Money micro-units, rates nano-units a minute, times whole seconds."""

    duration_ms: Ints
    minimum_s: Ints
    increment_s: Ints
    rate_nano: Ints
    fee_micro: Ints
    from_zero: bool = False
    free_s: int = 0  # subtracted
    grace_s: int = 0  # frees the whole call, subtracts nothing
    scale: tuple[int, int] = (1, 1)
    digits: int = 6
    mode: str = "half_up"
    seconds: str = "up"  # how milliseconds become seconds
    part_s: int = 0  # a longer call is billed in parts of this many seconds

    def but(self, **changes: object) -> "Method":
        """Return the same method with other values."""
        return replace(self, **changes)  # type: ignore[arg-type]


def whole_seconds(duration_ms: Ints, mode: str) -> Ints:
    """Return durations in whole seconds, rounded `up`, `half_up` or `down`."""
    return (duration_ms + {"up": 999, "half_up": 500, "down": 0}[mode]) // 1000


def billed_seconds(talk_s: Ints, method: Method) -> Ints:
    """Return the seconds that are charged for a talk of so many."""
    left = np.where(talk_s <= method.grace_s, 0, np.maximum(talk_s - method.free_s, 0))
    low, step = method.minimum_s, method.increment_s
    if method.from_zero:
        billed = np.where(left <= low, low, -(-left // step) * step)
    else:
        billed = low + np.maximum(-(-(left - low) // step), 0) * step
    return np.where(left > 0, billed, 0)


def rounded(numerator: Ints, denominator: int, digits: int, mode: str) -> Ints:
    """Return numerator / denominator micro-units rounded to so many decimal places of the currency."""
    unit = 10 ** (6 - digits)
    whole = denominator * unit
    if mode == "up":
        return -(-numerator // whole) * unit
    if mode == "down":
        return numerator // whole * unit
    return (2 * numerator + whole) // (2 * whole) * unit


def one(seconds: Ints, method: Method) -> tuple[Ints, Ints]:
    """Return billed seconds and micro-units of records of so many talked seconds."""
    billed = billed_seconds(seconds, method)
    over, under = method.scale
    fee = np.where(billed > 0, method.fee_micro, 0)
    exact = (method.rate_nano * billed + fee * 60_000) * over
    return billed, rounded(exact, 60_000 * under, method.digits, method.mode)


def parts_of(seconds: Ints, part_s: int) -> tuple[Ints, Ints]:
    """Return how many full parts a call is cut in, and what is left for the last one (0: nothing)."""
    if not part_s:
        return np.zeros_like(seconds), seconds
    full = np.maximum(-(-seconds // part_s) - 1, 0)
    return full, seconds - full * part_s


def price(method: Method) -> tuple[Ints, Ints]:
    """Return billed milliseconds and charge in micro-units of each call; calls in parts are billed part by part and added."""
    seconds = whole_seconds(method.duration_ms, method.seconds)
    full, last = parts_of(seconds, method.part_s)
    billed, charge = one(last, method)
    if method.part_s:
        part_billed, part_charge = one(np.full_like(seconds, method.part_s), method)
        billed, charge = billed + full * part_billed, charge + full * part_charge
    return billed * 1000, charge
