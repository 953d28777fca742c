"""Money without a float: decimal text, Decimal, and whole micro-units (10⁻⁶) or nano-units (10⁻⁹); quotients of whole numbers rounded.

Rounding is symmetric, as `decimal` has it: `up` away from zero, `down` towards it, `half_up` a tie away from zero, `half_even` a tie to the
even neighbour.
"""

import re
from decimal import Decimal
from typing import Final

import numpy as np
import numpy.typing as npt

from billing_audit.ledger import MICRO, NANO, Note
from billing_audit.terms import Mode

Whole = npt.NDArray[np.int64]

MOST: Final = (1 << 63) - 1  # of an int64
MOST_DIGITS: Final = 18  # that a text may have; 10¹⁸ micro-units is a million million of any currency
_DECIMAL = re.compile(r"[+-]?\d{1,18}(?:\.\d{1,18})?|[+-]?\.\d{1,18}", re.ASCII)


class Doubtful(ValueError):
    """A text that is no amount beyond doubt; `note` says why."""

    def __init__(self, note: Note) -> None:
        super().__init__(note.id)
        self.note = note


def decimal(text: str) -> Decimal:
    """Return the number of a text like "0.0123" or "-5"; Doubtful for everything else: "", "12,5", "1.2E-3", "0x1", "nan"."""
    told = text.strip()
    if _DECIMAL.fullmatch(told):
        return Decimal(told)
    if not told:
        raise Doubtful(Note("audit.refused.money_empty"))
    if "," in told and _DECIMAL.fullmatch(told.replace(",", "")):
        raise Doubtful(Note("audit.refused.money_comma", {"text": told[:40]}))
    raise Doubtful(Note("audit.refused.money", {"text": told[:40]}))


def micro(value: Decimal) -> int:
    """Return a Decimal in micro-units, exactly; Doubtful when it has more than six places or more than an int64 holds."""
    return _units(value, MICRO, 6)


def nano(value: Decimal) -> int:
    """Return a Decimal in nano-units, exactly; Doubtful when it has more than nine places or more than an int64 holds."""
    return _units(value, NANO, 9)


def from_micro(amount: int) -> Decimal:
    """Return an amount in micro-units as a Decimal with six places."""
    return Decimal(amount).scaleb(-6)


def divide(numerator: Whole, denominator: int, mode: Mode) -> Whole:
    """Return numerator / denominator (> 0) rounded to whole numbers; any int64 numerator, denominators below 2⁶²."""
    if not len(numerator):
        return numerator.copy()
    low, high = int(numerator.min()), int(numerator.max())
    if high > MOST - denominator or low < denominator - MOST:
        return np.array([divide_one(int(one), denominator, mode) for one in numerator], np.int64)
    if low < 0:
        size = _divide(np.abs(numerator), denominator, mode)
        return np.where(numerator < 0, -size, size)
    return _divide(numerator, denominator, mode)


def divide_one(numerator: int, denominator: int, mode: Mode) -> int:
    """Return numerator / denominator (> 0) rounded to a whole number, of any size."""
    size, rest = divmod(abs(numerator), denominator)
    match mode:
        case "up":
            size += rest > 0
        case "half_up":
            size += 2 * rest >= denominator
        case "half_even":
            size += 2 * rest > denominator or (2 * rest == denominator and size % 2 == 1)
        case "down":
            pass
    return -size if numerator < 0 else size


def _units(value: Decimal, unit: int, places: int) -> int:
    if not value.is_finite():
        raise Doubtful(Note("audit.refused.money", {"text": str(value)}))
    if value == 0:
        return 0
    if value.adjusted() > 20:  # before its digits are written out: 1E+999999 has a million
        raise Doubtful(Note("audit.refused.money_size", {"text": f"{value:.3E}"}))
    top, bottom = value.as_integer_ratio() if value.adjusted() > -20 else (1, 0)
    if bottom == 0 or top * unit % bottom:
        raise Doubtful(Note("audit.refused.money_places", {"text": f"{value:.12g}", "places": places}))
    units = top * unit // bottom
    if abs(units) > MOST:
        raise Doubtful(Note("audit.refused.money_size", {"text": f"{value:.12g}"}))
    return units


def _divide(numerator: Whole, denominator: int, mode: Mode) -> Whole:
    """Return the quotient of numerators from 0 to MOST − denominator."""
    if mode == "down":
        return numerator // denominator
    if mode == "up":
        return (numerator + (denominator - 1)) // denominator
    if mode == "half_up":
        return (numerator + denominator // 2) // denominator
    size = numerator // denominator
    rest = numerator - size * denominator
    above = denominator - rest  # how far the next whole number is
    even: Whole = size + ((rest > above) | ((rest == above) & (size % 2 == 1)))
    return even
