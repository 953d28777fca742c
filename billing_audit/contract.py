"""Reads what was agreed out of a contract's TOML: strictly, every problem at once; and writes one, as a draft to confirm."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final, Literal

import msgspec

from billing_audit.contract_table import Path, Problem, Table
from billing_audit.terms import Band, Contract, CostRounding, Dispute, DurationRounding, Mode, Period, Step, Terms

__all__ = ["Path", "Problem", "read", "write"]

MODES: Final[tuple[Mode, ...]] = ("up", "half_up", "half_even", "down")
PER: Final[tuple[Literal["call", "increment", "bill"], ...]] = ("call", "increment", "bill")
BY: Final[tuple[Literal["start", "end"], ...]] = ("start", "end")
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST_S: Final = 86_400
MOST_STEPS, MOST_BANDS = 20, 100


def read(table: Mapping[str, object]) -> tuple[Contract | None, list[Problem]]:
    """Return the contract of a TOML document (floats parsed as Decimal), or all that is wrong with it, each with its path."""
    found: list[Problem] = []
    top = Table(table, (), found)
    contract = Contract(
        currency=top.text("currency", 3, 10),
        timezone=top.zone("timezone") or "UTC",
        terms=_terms(top),
        period=_period(top),
        dispute=_dispute(top),
        lines=_lines(top),
        customer=top.text("customer"),
        accounts=top.texts("accounts"),
        number_rules=_number_rules(top),
    )
    top.end()
    return (None if found else contract), found


def _terms(top: Table) -> Terms:
    minimum, increment = _increment(top)
    terms = Terms(
        minimum_s=minimum,
        increment_s=increment,
        anchor=top.one_of("anchor", ("after_minimum", "from_zero")),
        connection_fee=top.money("connection_fee", low=Decimal(0)),
        free_s=top.whole("free_seconds", -LONGEST_S, LONGEST_S),
        grace_s=top.whole("grace_seconds", 0, LONGEST_S),
        duration_rounding=_duration_rounding(top),
        cost_rounding=_cost_rounding(top),
        max_cost=top.money("max_cost", low=Decimal(0)),
        tax_ratio=top.ratio("tax_ratio"),
        steps=_steps(top),
        bands=_bands(top),
        band_boundary=top.one_of("band_boundary", ("start", "split")) or "start",
    )
    if terms.anchor is not None and increment is None and "increment" not in top:
        top.refuse("anchor", 'says where increments begin, but there are none: set increment = "60/60" (minimum/increment in seconds) too')
    return terms


def _increment(top: Table) -> tuple[int | None, int | None]:
    told = top.text("increment")
    if told is None:
        return None, None
    parts = told.replace(" ", "").split("/")
    if len(parts) != 2 or not all(part.isascii() and part.isdecimal() and len(part) <= 6 for part in parts):
        top.refuse("increment", f'"{told}" is not minimum/increment in seconds, like "60/60" or "30/6"')
        return None, None
    minimum, increment = int(parts[0]), int(parts[1])
    if increment == 0 or max(minimum, increment) > LONGEST_S:
        top.refuse("increment", f'"{told}": an increment is 1 … {LONGEST_S} seconds, a minimum 0 … {LONGEST_S}')
        return None, None
    return minimum, increment


def _duration_rounding(top: Table) -> DurationRounding | None:
    if top.is_text("duration_rounding"):
        mode = top.one_of("duration_rounding", MODES)
        return None if mode is None else DurationRounding(mode)
    told = top.table("duration_rounding", '"up" or { mode = "up" } or { hold_ms = 50 }')
    if told is None:
        return None
    mode, hold = told.one_of("mode", MODES), told.whole("hold_ms", 1, 1000)
    if mode is not None and hold is not None:
        told.refuse("hold_ms", "rounds by itself: up from so many milliseconds on; leave mode out")
    told.end()
    return DurationRounding(mode or "up", hold)


def _cost_rounding(top: Table) -> CostRounding | None:
    told = top.table("cost_rounding", '{ digits = 4, mode = "half_up", per = "call" }')
    if told is None:
        return None
    per = told.one_of("per", PER) or "call"
    digits = told.whole("digits", 0, 9 if per == "increment" else 6)
    if digits is None and "digits" not in told:
        told.refuse("digits", "is missing: to how many decimal places is rounded?")
    rounding = CostRounding(
        6 if digits is None else digits, told.one_of("mode", MODES) or "half_up", per, told.whole("increment_digits", 0, 9)
    )
    if per == "increment" and rounding.increment_digits is not None:
        told.refuse("increment_digits", 'is for per = "call", where increments are rounded too; with per = "increment", digits says it')
    told.end()
    return rounding


def _steps(top: Table) -> tuple[Step, ...]:
    steps: list[Step] = []
    for told in top.tables("step", MOST_STEPS):
        begin = told.whole("from_seconds", 1, LONGEST_S)
        if begin is None and "from_seconds" not in told:
            told.refuse("from_seconds", "is missing: from which second of the call on does the step hold?")
        rate, ratio = told.money("rate", places=9, low=Decimal(0)), told.number("ratio", low=Decimal(0))
        step = Step(begin or 0, rate, ratio, told.whole("increment", 1, LONGEST_S))
        if rate is not None and ratio is not None:
            told.refuse("ratio", "and rate exclude each other: a step has a price of its own, or a share of the deck's")
        if steps and begin is not None and begin <= steps[-1].from_s:
            told.refuse("from_seconds", f"{begin} is not after the step before it ({steps[-1].from_s}): steps go upwards")
        steps.append(step)
        told.end()
    return tuple(steps)


def _bands(top: Table) -> tuple[Band, ...]:
    bands: list[Band] = []
    for told in top.tables("band", MOST_BANDS):
        name = told.text("name")
        if name is None and "name" not in told:
            told.refuse("name", 'is missing, like "peak"')
        dates = told.dates("dates")
        weekdays = told.choices("weekdays", WEEKDAYS)
        rate, ratio = told.money("rate", places=9, low=Decimal(0)), told.number("ratio", low=Decimal(0))
        if rate is not None and ratio is not None:
            told.refuse("ratio", "and rate exclude each other: a band has a price of its own, or a share of the deck's")
        band = Band(name or "", rate=rate, ratio=ratio, dates=dates)
        begin, end = told.time("start"), told.time("end")
        if weekdays is None:
            weekdays = () if dates else band.weekdays
        bands.append(
            msgspec.structs.replace(
                band, start=band.start if begin is None else begin, end=band.end if end is None else end, weekdays=weekdays
            )
        )
        told.end()
    return tuple(bands)


def _period(top: Table) -> Period | None:
    told = top.table("period", "[period] with start = 2026-10-01, end = 2026-11-01 (the first day that is no longer in it)")
    if told is None:
        return None
    start, end = told.date("start"), told.date("end")
    for key, value in (("start", start), ("end", end)):
        if value is None and key not in told:
            told.refuse(key, "is missing: a date like 2026-10-01")
    if start is not None and end is not None and end <= start:
        told.refuse("end", f"{end} is not after start {start}; the end is the first day that is no longer in the period")
        end = None
    by = told.one_of("by", BY) or "start"
    told.end()
    return None if start is None or end is None else Period(start, end, by)


def _dispute(top: Table) -> Dispute:
    default = Dispute()
    told = top.table("dispute", '[dispute] with tolerance_ratio = "0.01", minimum = "1000", days = 30')
    if told is None:
        return default
    ratio, minimum = told.ratio("tolerance_ratio"), told.money("minimum", low=Decimal(0))
    days = told.whole("days", 1, 3650)
    told.end()
    return Dispute(
        default.tolerance_ratio if ratio is None else ratio,
        default.minimum if minimum is None else minimum,
        default.days if days is None else days,
    )


def _lines(top: Table) -> tuple[tuple[str, Decimal], ...]:
    lines: list[tuple[str, Decimal]] = []
    for told in top.tables("line", 1000):
        text, amount = told.text("text"), told.money("amount")
        for key, value in (("text", text), ("amount", amount)):
            if value is None and key not in told:
                told.refuse(key, 'is missing: a line of the invoice has text = "月租费" and amount = "200.00" (a credit is below 0)')
        told.end()
        if text is not None and amount is not None:
            lines.append((text, amount))
    return tuple(lines)


def _number_rules(top: Table) -> dict[str, tuple[tuple[str, str], ...]]:
    rules: dict[str, list[tuple[str, str]]] = {}
    for told in top.tables("number", 200):
        bill = told.one_of("bill", ("local", "customer"))
        if bill is None and "bill" not in told:
            told.refuse("bill", 'is missing: "local" or "customer", whose numbers begin like that')
        strip, add = told.prefix("strip"), told.prefix("add")
        if strip == add and not told.wrong:
            told.refuse("strip", "and add are the same: the rule changes nothing")
        told.end()
        if bill is not None:
            rules.setdefault(bill, []).append((strip, add))
    return {bill: tuple(told) for bill, told in rules.items()}


def write(contract: Contract) -> str:
    """Return the contract as TOML that `read` gives back; what is not said is left out."""
    told: list[str] = []
    terms, default = contract.terms, Contract()
    _put(told, "customer", contract.customer)
    _put(told, "accounts", list(contract.accounts) or None)
    _put(told, "currency", contract.currency)
    _put(told, "timezone", contract.timezone)
    if terms.increment_s is not None:
        _put(told, "increment", f"{terms.minimum_s or 0}/{terms.increment_s}")
    for name in ("anchor", "connection_fee", "max_cost", "tax_ratio"):
        _put(told, name, getattr(terms, name))
    _put(told, "free_seconds", terms.free_s)
    _put(told, "grace_seconds", terms.grace_s)
    if (rounding := terms.duration_rounding) is not None:
        told.append(f"duration_rounding = {_inline(hold_ms=rounding.hold_ms) if rounding.hold_ms else _value(rounding.mode)}")
    if (cost := terms.cost_rounding) is not None:
        pairs = _inline(digits=cost.digits, mode=cost.mode, per=cost.per, increment_digits=cost.increment_digits)
        told.append(f"cost_rounding = {pairs}")
    if terms.bands:
        _put(told, "band_boundary", terms.band_boundary)
    if contract.period is not None:
        _section(told, "[period]", start=contract.period.start, end=contract.period.end, by=contract.period.by)
    if contract.dispute != default.dispute:
        dispute = contract.dispute
        _section(told, "[dispute]", tolerance_ratio=dispute.tolerance_ratio, minimum=dispute.minimum, days=dispute.days)
    for step in terms.steps:
        _section(told, "[[step]]", from_seconds=step.from_s, rate=step.rate, ratio=step.ratio, increment=step.increment_s)
    for band in terms.bands:
        days = [WEEKDAYS[day] for day in band.weekdays]
        begin, end, dates = band.start, band.end, list(band.dates) or None
        _section(told, "[[band]]", name=band.name, start=begin, end=end, weekdays=days, dates=dates, ratio=band.ratio, rate=band.rate)
    for text, amount in contract.lines:
        _section(told, "[[line]]", text=text, amount=amount)
    for bill, rules in contract.number_rules.items():
        for strip, add in rules:
            _section(told, "[[number]]", bill=bill, strip=strip, add=add)
    return "\n".join(told) + "\n"


def _section(told: list[str], heading: str, **values: object) -> None:
    told += ["", heading]
    for name, value in values.items():
        _put(told, name, value)


def _put(told: list[str], name: str, value: object) -> None:
    if value is not None:
        told.append(f"{name} = {_value(value)}")


def _inline(**values: object) -> str:
    return "{ " + ", ".join(f"{name} = {_value(value)}" for name, value in values.items() if value is not None) + " }"


def _value(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_value(one) for one in value)}]"
    if isinstance(value, str):
        return '"' + "".join(f"\\u{ord(char):04X}" if char < " " or char in '"\\\x7f' else char for char in value) + '"'
    if isinstance(value, Decimal):
        return f'"{value:f}"'
    return value.isoformat() if isinstance(value, date) else str(value)
