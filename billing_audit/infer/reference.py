"""What both bills are held against: contract and deck; where they are silent our own rows, and nothing then says that they are right."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction

import msgspec
import numpy as np
import numpy.typing as npt

from billing_audit import numbers
from billing_audit.decks.deck import Deck, build
from billing_audit.infer.amount import mode_of, plainest
from billing_audit.infer.machine import Calls, Reference
from billing_audit.infer.seconds import billed, from_charges, of_terms
from billing_audit.infer.view import View, last_digit, view_of
from billing_audit.ledger import MISSING, Bill
from billing_audit.terms import Contract, Terms

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ENOUGH = 100  # usable rows from which on something is inferred
LONGEST = 9  # digits of an inferred prefix
FEWEST = 8  # rows below which a prefix is not split
MOST_PREFIXES = 20_000
ALIKE = 0.9  # share of rows at one price that makes a prefix of one price


def reference_of(
    calls: dict[Bill, Calls], contract: Contract | None, deck: Deck | None, zone: str, look: Callable[[View], None]
) -> Reference:
    """Return the reference of an audit; `look` finds the departures of a view."""
    terms = contract.terms if contract else Terms()
    fixed = {name for name in Terms.__struct_fields__ if getattr(terms, name) not in (None, ())}
    if contract is not None:  # a contract that names no fee, free time, band or tax grants none
        fixed |= {"connection_fee", "free_s", "grace_s", "bands", "tax_ratio"}
        if terms.increment_s is not None:
            fixed |= {"minimum_s", "anchor"}
    if deck is not None and len(deck):
        fixed |= {"rate", "scale"} if contract is not None else {"rate"}
        if np.all(deck.increment_s != MISSING):
            fixed |= {"increment_s", "minimum_s"}
    else:
        deck = None
    complete = deck is not None and {"increment_s", "bands"} <= fixed
    source = next((calls[bill] for bill in Bill if int(calls[bill].usable.sum()) >= ENOUGH), None)
    if complete or source is None:
        return Reference(deck, terms, zone, frozenset(fixed))
    own = deck if deck is not None else inferred_deck(source.part(source.usable), terms)
    first = Reference(own, terms, zone, frozenset(fixed))
    view = view_of(Bill.LOCAL, source, first)
    if deck is None:  # a ratio to prices that come of the same charges says nothing
        view.kept["one"] = True
    look(view)
    return Reference(own, _adopted(view, terms, fixed), zone, frozenset(fixed))


def _adopted(view: View, terms: Terms, fixed: set[str]) -> Terms:
    """Return the terms with what our own rows say where neither contract nor deck do."""
    for one in view.found:
        if one.bend is None or one.parameter in fixed:
            continue
        if one.cause == "scale":
            ratio = one.bend.scale() * (1 + Fraction(terms.tax_ratio or 0))
            tax = Decimal(ratio.numerator) / Decimal(ratio.denominator) - 1
            if ratio.denominator <= 10_000:
                terms = msgspec.structs.replace(terms, tax_ratio=tax)
        elif one.parameter in ("increment_s", "minimum_s"):
            low, step = one.parameters.get("minimum"), one.parameters.get("increment")
            if isinstance(low, int) and isinstance(step, int):
                terms = msgspec.structs.replace(terms, minimum_s=low, increment_s=step)
        else:
            terms = one.bend.terms(terms)
    return terms


def inferred_deck(calls: Calls, terms: Terms) -> Deck | None:
    """Return a deck of the prices that records say, or that their charges imply: as few prefixes as hold one price each."""
    known = calls.told_rate != MISSING
    sentinel = numbers.digits(calls.callee)
    if known.mean() >= 0.9:
        good = known & (calls.told_rate > 0) & (sentinel > 1)
        value, width = calls.told_rate[good].astype(np.float64), np.full(int(good.sum()), 0.5)
    else:
        seconds = _seconds(calls, terms, sentinel)
        good = (seconds > 0) & (sentinel > 1) & (calls.charge > 0)
        value = calls.charge[good] * 60_000.0 / seconds[good]
        width = last_digit(calls.charge) * 60_000.0 / seconds[good]
    if good.sum() < ENOUGH:
        return None
    digits = sentinel[good]
    size = numbers.length(digits)
    rows = np.arange(digits.size)
    found = list(_prefixes(digits, size, value, width, rows, 1))[:MOST_PREFIXES]
    table = np.array(found, np.int64).reshape(-1, 2)
    return build({"prefix": table[:, 0], "rate_nano": table[:, 1]})


def _seconds(calls: Calls, terms: Terms, sentinel: Ints) -> Ints:
    """Return billed seconds as told, or by the method that charges show."""
    told = calls.billed_ms != MISSING
    if told.mean() >= 0.9:
        return np.where(told, calls.billed_ms // 1000, 0)
    lead = sentinel // 10 ** np.maximum(numbers.length(sentinel) - 5, 0)
    seen = from_charges(lead, calls.duration_ms, calls.charge, last_digit(calls.charge), of_terms(terms))
    return billed(calls.duration_ms, seen.method if seen else of_terms(terms))


def _prefixes(digits: Ints, size: Ints, value: Floats, width: Floats, rows: Ints, count: int) -> Iterator[tuple[int, int]]:
    """Yield (digits behind a 1, price) of each prefix of `count` digits that has one price, and of longer ones where it has several."""
    head = digits[rows] // 10 ** np.maximum(size[rows] - count, 0)
    order = np.argsort(head, kind="stable")
    values, first = np.unique(head[order], return_index=True)
    for code, low, high in zip(values.tolist(), first.tolist(), [*first.tolist()[1:], rows.size], strict=True):
        members = rows[order[low:high]]
        rate = mode_of(value[members], width[members])
        alike = float((np.abs(value[members] - rate) <= 1.2 * width[members]).mean())
        if alike >= ALIKE or count >= LONGEST or members.size < FEWEST:
            sharp = float(np.min(width[members]))
            yield code, max(1, round(plainest(rate / 1e9, max(sharp / 1e9, 1e-9)) * 1e9))
        else:
            yield from _prefixes(digits, size, value, width, members, count + 1)
