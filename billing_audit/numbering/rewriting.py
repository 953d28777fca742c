"""Prefix rules that turn each bill's ways of writing a number into one: applied by arithmetic on codes, the longest prefix first."""

from functools import lru_cache
from typing import Final

import numpy as np

from billing_audit.audit import Rewriting
from billing_audit.ledger import Bill
from billing_audit.matching.align import Ints
from billing_audit.numbers import MASK_HEAD, MASKED, MOST_BEHIND_TECH, MOST_DIGITS, PLAIN, PLUS, TECH, TECH_UNIT

Rule = Rewriting
"""One rule: in `bill`, in `field`, `strip` in front ("+", tech prefix and digits) becomes `add`; the same text: those numbers stay."""

Tech = tuple[tuple[str, int], ...]
"""Tech prefixes that rules name, and their index in Names."""

LEAST_TAIL: Final = 3  # a rule never eats a number up
MOST_MASK_HEAD: Final = 7


class _Table:
    """Ranges of codes: `bounds` sorted; what is added to a code in each range, and which rule that is (-1 none)."""

    def __init__(self, pieces: list[tuple[int, int, int, int]]) -> None:
        self.bounds = np.unique(np.array([edge for low, high, _, _ in pieces for edge in (low, high)], np.int64))
        self.add = np.zeros(len(self.bounds) + 1, np.int64)
        self.rule = np.full(len(self.bounds) + 1, -1, np.int64)
        for low, high, add, rule in pieces:  # shorter prefixes first: longer ones paint over them
            at = slice(int(np.searchsorted(self.bounds, low)) + 1, int(np.searchsorted(self.bounds, high)) + 1)
            self.add[at] = add
            self.rule[at] = rule


def apply(codes: Ints, rules: tuple[Rule, ...], bill: Bill, field: str, tech: Tech = ()) -> tuple[Ints, Ints | None]:
    """Return the codes as the rules of this bill and field make them, and rows per rule (of all rules); None: there is no rule."""
    table = _table(rules, bill, field, tech)
    if table is None:
        return codes, None
    at = np.searchsorted(table.bounds, codes, side="right")
    rows = np.zeros(len(rules) + 1, np.int64)
    np.add.at(rows, table.rule, np.bincount(at, minlength=len(table.rule)))
    return codes + table.add[at], rows[:-1]


@lru_cache(maxsize=64)
def _table(rules: tuple[Rule, ...], bill: Bill, field: str, tech: Tech) -> _Table | None:
    mine = [(number, rule) for number, rule in enumerate(rules) if rule.bill == bill and rule.field == field]
    pieces = []
    index = dict(tech)
    for number, rule in sorted(mine, key=lambda entry: (_digits_of(entry[1].strip), entry[0])):
        pieces += [(low, high, add, number) for low, high, add in _ranges(rule, index)]
    return _Table(pieces) if pieces else None


def _digits_of(strip: str) -> int:
    return len(strip.removeprefix("+"))


def split(strip: str, tech: dict[str, int]) -> tuple[int, int, str]:
    """Return the base code, the most digits behind it, and the digits of a prefix as rules write it; KeyError: an unknown tech prefix."""
    if strip.startswith("+"):
        return PLUS, MOST_DIGITS, strip[1:]
    end = max(strip.rfind("#"), strip.rfind("*")) + 1
    if end:
        return TECH + tech[strip[:end]] * TECH_UNIT, MOST_BEHIND_TECH, strip[end:]
    return PLAIN, MOST_DIGITS, strip


def _ranges(rule: Rule, tech: dict[str, int]) -> list[tuple[int, int, int]]:
    """Return ranges (low, high exclusive) of codes that begin with the rule's prefix, one a length, and what makes them new."""
    try:
        origin, most, digits = split(rule.strip, tech)
    except KeyError:  # no number of these bills is behind this tech prefix
        return []
    stays = rule.strip == rule.add
    made = []
    for length in range(len(digits) + LEAST_TAIL, most + 1):
        tail = length - len(digits)
        if tail + len(rule.add) > MOST_DIGITS:
            break
        low = origin + int("1" + digits) * 10**tail
        made.append((low, low + 10**tail, 0 if stays else PLAIN + int("1" + rule.add) * 10**tail - low))
    if origin == PLAIN:
        made += _masked_ranges(digits, "" if stays else rule.add, stays)
    return made


def _masked_ranges(digits: str, add: str, stays: bool) -> list[tuple[int, int, int]]:
    made = []
    for length in range(len(digits), MOST_MASK_HEAD + 1):
        tail = length - len(digits)
        if tail == 0 or tail + len(add) > MOST_MASK_HEAD:  # a head that is all prefix is nobody's number yet
            continue
        low = int("1" + digits) * 10**tail
        made.append(
            (MASKED + low * MASK_HEAD, MASKED + (low + 10**tail) * MASK_HEAD, 0 if stays else (int("1" + add) * 10**tail - low) * MASK_HEAD)
        )
    return made


def fixed(rules: dict[str, tuple[tuple[str, str], ...]]) -> tuple[Rule, ...]:
    """Return the rules that a contract fixes (bill → (strip, add)), for callers and callees alike."""
    return tuple(Rule(Bill(bill), field, strip, add, 0) for bill in rules for field in ("caller", "callee") for strip, add in rules[bill])


def tokens(text: str) -> list[str]:
    """Return a number as steps of a tree of prefixes: "+" or the tech prefix is one step, then each digit."""
    end = 1 if text.startswith("+") else max(text.rfind("#"), text.rfind("*")) + 1
    return [*([text[:end]] if end else []), *text[end:]]
