"""How a side bills a call: what a contract says, or what was inferred from the side's own rows. None means: not said, not found."""

from datetime import date, time
from decimal import Decimal
from typing import Literal

import msgspec

Anchor = Literal["after_minimum", "from_zero"]
Mode = Literal["up", "half_up", "half_even", "down"]


class DurationRounding(msgspec.Struct, frozen=True):
    """How a talk time becomes whole seconds: `up`, `half_up`, `down`; or up from this many ms on (VOS hold-time precision)."""

    mode: Mode = "up"
    hold_ms: int | None = None


class CostRounding(msgspec.Struct, frozen=True):
    """Decimal places, direction, and what is rounded: each call, each increment before they are added, or the bill.

    `increment_digits`: beside the call, each increment is rounded first, half up, to so many places (CGRateS rounds twice).
    """

    digits: int = 6
    mode: Mode = "half_up"
    per: Literal["call", "increment", "bill"] = "call"
    increment_digits: int | None = None


class Step(msgspec.Struct, frozen=True):
    """From this second of the call on another price (absolute a minute, or a ratio of the deck's) and increment."""

    from_s: int
    rate: Decimal | None = None
    ratio: Decimal | None = None
    increment_s: int | None = None


class Band(msgspec.Struct, frozen=True):
    """Hours with a price of their own, in the contract's zone: weekdays 0 (Monday) … 6 or dates (holidays); end ≤ start goes over midnight.

    `ratio` multiplies the deck's rate, `rate` replaces it, neither: rows of the deck whose `band` has this name hold. The first that
    fits counts.
    """

    name: str
    start: time = time(0)
    end: time = time(0)
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    dates: tuple[date, ...] = ()
    ratio: Decimal | None = None
    rate: Decimal | None = None


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """The method of billing (计费方式). Seconds are whole; money is Decimal in the audit's currency."""

    minimum_s: int | None = None
    increment_s: int | None = None
    anchor: Anchor | None = None
    connection_fee: Decimal | None = None
    free_s: int | None = None  # subtracted from the talk time; below zero: added to it (A2Billing)
    grace_s: int | None = None  # a call no longer than this is free, nothing is subtracted from others
    duration_rounding: DurationRounding | None = None
    cost_rounding: CostRounding | None = None
    max_cost: Decimal | None = None
    tax_ratio: Decimal | None = None  # charges of the records include it: 0.06
    steps: tuple[Step, ...] = ()
    bands: tuple[Band, ...] = ()
    band_boundary: Literal["start", "split"] = "start"


class Period(msgspec.Struct, frozen=True):
    """What the bill is for: dates in the contract's zone, the end exclusive; a call belongs to it by its start or by its end."""

    start: date
    end: date
    by: Literal["start", "end"] = "start"


class Dispute(msgspec.Struct, frozen=True):
    """When a difference is worth disputing; it changes the verdict, never what is shown. Defaults: practice of wholesale voice."""

    tolerance_ratio: Decimal = Decimal("0.01")
    minimum: Decimal = Decimal(1000)
    days: int = 30


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """What was agreed. `lines` are those of the invoice beside the calls: (text, amount), credits below zero."""

    currency: str | None = None
    timezone: str = "UTC"
    terms: Terms = Terms()
    period: Period | None = None
    dispute: Dispute = Dispute()
    lines: tuple[tuple[str, Decimal], ...] = ()
    customer: str | None = None
    accounts: tuple[str, ...] = ()  # the customer's accounts in our export
    number_rules: dict[str, tuple[tuple[str, str], ...]] = {}  # bill → (strip, add) prefixes that the contract fixes
