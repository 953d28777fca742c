"""Which way of writing a number is the international one: asked of numbering plans for a few distinct numbers, never for rows."""

from typing import Final

import numpy as np

from billing_audit.align import Ints

SURE: Final = 0.5
CLOSE: Final = 0.1


def best_head(one: str, other: str, tails: list[str], deck: Ints | None = None) -> str:
    """Return the digits to stand before these tails, of what two bills write there, so that the whole is an international number.

    The prefixes of a deck (digits behind a 1) speak louder than numbering plans; where neither speaks, signs and trunk zeros go.
    """
    candidates = sorted(_candidates(one) | _candidates(other))
    scores = {head: _score(head, tails) + _in_deck(head, tails, deck) for head in candidates}
    best = max(scores.values())
    if best < SURE:
        return _plainest(one, other)
    near = [head for head in candidates if scores[head] >= best - CLOSE]
    written = {_bare(one), _bare(other)}
    return max(near, key=lambda head: (head in written, len(head), head))


def _bare(head: str) -> str:
    return head[max(head.rfind("#"), head.rfind("*"), head.rfind("+")) + 1 :]


def _candidates(head: str) -> set[str]:
    bare = _bare(head)
    return {bare, bare.removeprefix("00"), bare.lstrip("0"), ""}


def _score(head: str, tails: list[str]) -> float:
    """Return the share of tails that make an international number with this head (half for one of a possible length alone)."""
    from phonenumbers import NumberParseException, is_possible_number, is_valid_number, parse  # 20 MB that only learning needs

    if head.startswith("0"):
        return 0.0
    total = 0.0
    for tail in tails:
        try:
            number = parse(f"+{head}{tail}")
        except NumberParseException:
            continue
        total += 1.0 if is_valid_number(number) else 0.5 if is_possible_number(number) else 0.0
    return total / max(len(tails), 1)


def _in_deck(head: str, tails: list[str], deck: Ints | None) -> float:
    if deck is None or not len(deck):
        return 0.0
    known = np.unique(deck)
    texts = [f"1{head}{tail}" for tail in tails]
    hits = [any(_holds(known, int(text[:size])) for size in range(3, len(text) + 1)) for text in texts]
    return sum(hits) / max(len(hits), 1)


def _holds(known: Ints, code: int) -> bool:
    at = int(np.searchsorted(known, code))
    return at < len(known) and int(known[at]) == code


def _plainest(one: str, other: str) -> str:
    """Return the head that reads least like a prefix: no leading zero, then the shorter."""
    heads = sorted({_bare(one), _bare(other)}, key=lambda head: (head.startswith("0"), len(head), head))
    return "" if heads[0].startswith("0") else heads[0]
