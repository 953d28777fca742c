"""Numbers that both bills write alike, and yet not as the deck does: the rules that bring them to the deck's form."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from billing_audit.matching.align import Ints
from billing_audit.numbering.e164 import apart, plausible
from billing_audit.numbers import digits, is_masked, length

MOST: Final = 300  # numbers that are looked at
LEAST: Final = 10
HOME_SHARE: Final = 0.5  # of the deck's prefixes that lead into one country: numbers without a country are there
COMMON: Final = 0.98  # of the numbers that begin alike
MOST_FRONT: Final = 8
BETTER: Final = 0.5  # by how much rules must read better than the numbers as they are (of 3)
CLOSE: Final = 0.02
SHORTEST: Final = 8  # digits of a number with its country

Rules = tuple[tuple[str, str], ...]  # strip, add; the longest that fits counts


def rules_of(codes: Ints, deck: Ints | None) -> Rules:
    """Return the prefix rules under which these numbers are the deck's; none where they are already, or nothing makes them so.

    `deck`: its prefixes, digits behind a 1.
    """
    if deck is None or not len(deck):
        return ()
    told = np.unique(digits(codes[~is_masked(codes) & (length(codes) >= 6)]))
    if told.size < LEAST:
        return ()
    some = told[np.unique(np.linspace(0, told.size - 1, min(told.size, MOST)).astype(np.int64))]
    numbers = [str(one)[1:] for one in some.tolist()]
    first, valid = _score(numbers, deck), plausible(numbers)
    tried = [(rules, [_after(one, rules) for one in numbers]) for rules in _tries(numbers, deck)]
    scored = [(_score(made, deck), rules) for rules, made in tried if min(map(len, made)) >= SHORTEST and plausible(made) >= valid - 0.1]
    best = max((score for score, _ in scored), default=0.0)
    if best < first + BETTER:
        return ()
    near = [rules for score, rules in scored if score >= best - CLOSE]
    return min(near, key=lambda rules: (len(rules), len(rules[0][0]), rules))


def _tries(numbers: list[str], deck: Ints) -> Iterator[Rules]:
    """Yield what such numbers may need: a front taken off, an access code, a country put before them."""
    home = _home(deck)
    for front in _fronts(numbers):
        if front:
            yield ((front, ""),)
        yield ((front + "00", ""),)
        if home:
            yield ((front + "0", home),)
            yield ((front, home),)
            yield ((front + "0", home), (front, home))
            yield ((front + "00", ""), (front + "0", home))
            yield ((front + "00", ""), (front + "0", home), (front, home))


def _fronts(numbers: list[str]) -> list[str]:
    """Return the beginnings that nearly all numbers share, the empty one first."""
    fronts = [""]
    for size in range(1, MOST_FRONT + 1):
        begins = [one[:size] for one in numbers]
        front = max(set(begins), key=lambda one: (begins.count(one), one))
        if begins.count(front) < COMMON * len(numbers):
            break
        fronts.append(front)
    return fronts


def _home(deck: Ints) -> str:
    """Return the country code with which most of the deck's prefixes begin; "" where there is none."""
    import phonenumbers as plans  # 20 MB that only learning needs

    begins = [str(one)[1:4] for one in deck.tolist()]
    best = ""
    for size in (1, 2, 3):
        heads = [one[:size] for one in begins if len(one) >= size]
        for head in sorted(set(heads)):
            if head.isdecimal() and int(head) in plans.COUNTRY_CODE_TO_REGION_CODE and heads.count(head) >= HOME_SHARE * len(begins):
                best = best or head
    return best


def _score(numbers: list[str], deck: Ints) -> float:
    return plausible(numbers, deck) + apart(numbers, deck)


def _after(number: str, rules: Rules) -> str:
    strip, add = max((rule for rule in rules if number.startswith(rule[0])), key=lambda rule: len(rule[0]), default=("", ""))
    return add + number[len(strip) :]
