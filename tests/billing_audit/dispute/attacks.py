"""Disputes that a nasty person would hand in: beyond what one cause alone shows, and below what can be told."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from billing_audit.numbers import ABSENT, MASK_COUNT, MASK_HEAD, MASKED, PLAIN
from tests.billing_audit.dispute.bills import Dispute
from tests.billing_audit.dispute.make import conflict, draw_codes, make

Codes = Sequence[tuple[str, str]]


def masked(dispute: Dispute, share: float, side: str = "customer") -> Dispute:
    """Return the dispute with so many of one bill's callers masked: 138****1234, or nothing at all."""
    rng = np.random.default_rng((dispute.seed, 5))
    frame = (dispute.local if side == "local" else dispute.customer).copy()
    caller = frame["caller"].to_numpy().copy()
    hidden = rng.random(len(caller)) < share
    digits = caller - PLAIN  # behind a 1
    size = np.array([len(str(d)) - 1 for d in digits.tolist()])
    head = digits // 10 ** np.maximum(size - 3, 0)
    tail = 10**4 + digits % 10**4
    stars = MASKED + head * MASK_HEAD + (size - 7) * MASK_COUNT + tail
    caller[hidden] = np.where(rng.random(len(caller)) < 0.2, ABSENT, stars)[hidden]
    frame["caller"] = caller
    return replace(dispute, **{side: frame})


def both_wrong(code: str) -> Callable[[int, int], Dispute]:
    """Return a maker of disputes in which both sides depart in one parameter."""
    return lambda seed, rows: make(seed, [(code, "local"), (code, "customer")], rows, least=False)


def gaps(codes: Codes) -> Callable[[int, int], Dispute]:
    """Return a maker of disputes whose written deck lacks codes that both sides have, so that a shorter one fits or none."""

    def maker(seed: int, rows: int) -> Dispute:
        dispute = make(seed, codes, rows)
        rng = np.random.default_rng((seed, 6))
        dispute.deal.gaps.update(rng.choice(len(dispute.world.deck), size=8, replace=False).tolist())
        return dispute

    return maker


def opposed(dispute: Dispute) -> float:
    """Return how far the planted causes cancel one another: 0 they add up, 1 the bills' totals are equal."""
    whole = sum(abs(p.amount_micro) for p in dispute.planted)
    return 1 - abs(dispute.difference_micro) / whole if whole else 0.0


def cancelling(seed: int, rows: int) -> Dispute:
    """Return a dispute of two causes that cancel most of one another in the totals."""
    pairs = (
        ("rate", "connection_fee"),
        ("increment", "rate"),
        ("missing_import", "duplicate"),
        ("ring_time", "increment"),
        ("hung_call", "rate"),
    )
    first, second = pairs[seed % len(pairs)]
    sides = (("local", "local"), ("local", "customer"), ("customer", "customer"), ("customer", "local"))
    made: list[Dispute] = []
    for turn in range(12):
        ours, theirs = sides[turn % 4]
        try:
            made.append(make(seed * 100 + turn, [(first, ours), (second, theirs)], rows))
        except Exception as why:
            last = why
    if not made:
        raise last
    return max(made, key=opposed)


def many(seed: int, rows: int) -> Dispute:
    """Return a dispute of four to six causes that are not in conflict."""
    rng = np.random.default_rng((seed, 8))
    while True:
        codes = draw_codes(rng, int(rng.integers(4, 7)))
        if conflict(codes) is None:
            return make(seed, codes, rows)


ATTACKS: Final[dict[str, Callable[[int, int], Dispute]]] = {
    "both wrong in the increment": both_wrong("increment"),
    "both wrong in the fee": both_wrong("connection_fee"),
    "both wrong in the price": both_wrong("rate"),
    "both bill failed calls": both_wrong("failed_call"),
    "both duplicate": both_wrong("duplicate"),
    "causes that cancel": cancelling,
    "3 % masked": lambda seed, rows: masked(make(seed, None, rows), 0.03),
    "30 % masked": lambda seed, rows: masked(make(seed, None, rows), 0.3),
    "all of ours masked": lambda seed, rows: masked(make(seed, None, rows), 1.0, "local"),
    "deck with gaps": gaps([("increment", "customer")]),
    "clean, deck with gaps": gaps([]),
    "fifty calls": lambda seed, rows: make(seed, None, 50, least=False),
    "three hundred calls": lambda seed, rows: make(seed, None, 300, least=False),
    "one day": lambda seed, rows: make(
        seed,
        [
            (
                ("increment", "rate", "ring_time", "duplicate", "connection_fee", "hung_call", "clock")[seed % 7],
                ("local", "customer")[seed % 2],
            )
        ],
        rows,
        days=1,
    ),
    "four to six causes": many,
}
