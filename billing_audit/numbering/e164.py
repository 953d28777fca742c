"""Which way of writing a number is the international one: asked of numbering plans for a few distinct numbers, never for rows."""

from typing import Final

import numpy as np

from billing_audit.matching.align import Ints

SURE: Final = 0.5
CLOSE: Final = 0.1
HOME: Final = 0.6
WIDE: Final = 0.7
MOST_CODE: Final = 7  # digits of a country code and an area code behind it


def best_head(
    written: set[str], homes: set[str], tails: list[str], deck: Ints | None = None, wide: str | None = None, *, all_: bool = False
) -> str:
    """Return the digits to stand before these tails, of what bills write there, so that the whole is an international number.

    `homes` are country codes found for other numbers. The prefixes of a deck (digits behind a 1) speak louder than numbering plans; where
    neither speaks, signs and trunk zeros go. `wide`: what suits these heads before all numbers, not only before these tails;
    `all_`: these tails are all there are, so that the deck should tell them apart.
    """
    bare = {_bare(head) for head in written}
    scores = {head: _score(head, tails) + _in_deck(head, tails, deck) for head in sorted(bare.union(homes, *map(_candidates, bare)))}
    if all_:
        for head in scores:
            scores[head] += apart([head + tail for tail in tails], deck)
    for head in homes & bare:  # what a bill writes out, and most numbers need, is no chance
        scores[head] += HOME
    if wide in scores:
        scores[wide] += WIDE
    best = max(scores.values())
    if best < SURE:
        return _plainest(bare)
    near = [head for head in scores if scores[head] >= best - CLOSE]
    told = {*bare, *homes, *(head[2:] for head in bare if head.startswith("00"))}
    return max(near, key=lambda head: (head in told, len(head), head))


def _bare(head: str) -> str:
    return head[max(head.rfind("#"), head.rfind("*"), head.rfind("+")) + 1 :]


def _candidates(bare: str) -> set[str]:
    """Return what may be left of a head: any end of it, for access codes and routing digits stand in front; without leading zeros."""
    return {bare[at:] for at in range(len(bare) + 1) if not bare[at:].startswith("0") and len(bare) - at <= MOST_CODE}


def plausible(numbers: list[str], deck: Ints | None = None) -> float:
    """Return how well whole numbers read as international ones: 0 to 1, and up to 1 more for those of the deck."""
    return _score("", numbers) + _in_deck("", numbers, deck)


def apart(numbers: list[str], deck: Ints | None = None) -> float:
    """Return how well a deck tells the numbers apart, 0 to 1: one of its codes fits by chance whatever one constant front leads to."""
    if deck is None or not len(deck) or not numbers:
        return 0.0
    known = np.unique(deck)
    low, high = min(numbers), max(numbers)
    same = next((at for at, (one, other) in enumerate(zip(low, high, strict=False)) if one != other), min(len(low), len(high)))
    longest = [max((size for size in range(1, len(one) + 1) if _holds(known, int(f"1{one[:size]}"))), default=0) for one in numbers]
    return sum(size > same for size in longest) / len(numbers)


def _score(head: str, tails: list[str]) -> float:
    """Return the share of tails that make an international number with this head (half for one of a possible length alone)."""
    import phonenumbers as plans  # 20 MB that only learning needs

    total = 0.0
    for tail in tails:
        if (head or tail).startswith("0"):
            continue
        try:
            number = plans.parse(f"+{head}{tail}")
        except plans.NumberParseException:
            continue
        if plans.format_number(number, plans.PhoneNumberFormat.E164) != f"+{head}{tail}":  # a national prefix was left out
            continue
        total += 1.0 if plans.is_valid_number(number) else 0.5 if plans.is_possible_number(number) else 0.0
    return total / max(len(tails), 1)


def _in_deck(head: str, tails: list[str], deck: Ints | None) -> float:
    if deck is None or not len(deck):
        return 0.0
    known = np.unique(deck)
    texts = [f"1{head}{tail}" for tail in tails]
    hits = [any(_holds(known, int(text[:size])) for size in range(2, len(text) + 1)) for text in texts]
    return sum(hits) / max(len(hits), 1)


def _holds(known: Ints, code: int) -> bool:
    at = int(np.searchsorted(known, code))
    return at < len(known) and int(known[at]) == code


def _plainest(bare: set[str]) -> str:
    """Return the head that reads least like a prefix: no leading zero, then the shorter."""
    first = min(bare, key=lambda head: (head.startswith("0"), len(head), head))
    return "" if first.startswith("0") else first
