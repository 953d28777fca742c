"""`rate`: one ratio per prefix, billed seconds alike: the price a minute is not the deck's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from billing_audit import numbers, rating
from billing_audit.infer.machine import Calls, Reference, Straight, priced
from billing_audit.infer.rates import Price, odd_prices
from billing_audit.infer.view import Departure, View
from billing_audit.ledger import MISSING, Note, Value

CODE = "rate"
Ints = npt.NDArray[np.int64]
MOST_TOLD = 12


@dataclass(frozen=True)
class Bend(Straight):
    """Other prices: (deck row, longer prefix behind a 1 or 0 for all its calls, the deck's rate, the other rate), nano-units a minute."""

    others: tuple[tuple[int, int, int, int], ...]

    def prices(self, prices: rating.Prices, calls: Calls, reference: Reference) -> rating.Prices:
        """Return the prices with the others; the ratio of a band stays."""
        rate = prices.rate_nano.copy()
        told = np.array(sorted(self.others), np.int64).reshape(-1, 4)
        plain = told[told[:, 1] == 0]
        if len(plain):
            at = np.minimum(np.searchsorted(plain[:, 0], prices.row), len(plain) - 1)
            hit = (plain[at, 0] == prices.row) & (rate != MISSING)
            rate[hit] = priced(rate[hit], plain[at[hit], 2], plain[at[hit], 3])
        for row, code, old, new in told[told[:, 1] != 0].tolist():
            rows = np.flatnonzero(prices.row == row)
            sentinel = numbers.digits(calls.callee[rows])
            head = sentinel // 10 ** np.maximum(numbers.length(sentinel) - (len(str(code)) - 1), 0)
            rows = rows[(head == code) & (rate[rows] != MISSING)]
            rate[rows] = priced(rate[rows], np.int64(old), np.int64(new))
        return replace(prices, rate_nano=rate, band_rates=())


def find(view: View) -> Departure | None:
    """Return the prefixes with another price."""
    deck = "rate" in view.reference.fixed  # without one, whatever the prefix, it is a price
    wrong = [one for one in odd_prices(view) if (one.code == 0 or not deck) and not (one.parent >= 0 and deck)]
    wrong = [one for one in wrong if one.code or 2 * one.rows.size >= one.of]
    return departure(view, CODE, wrong, Note("audit.evidence.separates.rate"))


def departure(view: View, code: str, wrong: Sequence[Price], separates: Note) -> Departure | None:
    """Return the departure of prices, with the prefixes and what they cost; None where there are none."""
    deck = view.reference.deck
    if not wrong or deck is None:
        return None
    chosen: dict[tuple[int, int], Price] = {}
    for one in wrong:  # two prices of one prefix: the commoner counts
        key = (one.row, one.code)
        if key not in chosen or one.rows.size > chosen[key].rows.size:
            chosen[key] = one
    kept = list(chosen.values())
    others = tuple(
        (p.row, p.code, int(deck.rate_nano[p.row]), int(deck.rate_nano[p.parent]) if p.parent >= 0 else p.rate_nano) for p in kept
    )
    told = sorted(zip(kept, others, strict=True), key=lambda pair: -pair[0].rows.size)[:MOST_TOLD]
    rows = sum(p.rows.size for p in kept)
    notes = tuple(
        Note(
            "audit.evidence.price",
            {
                "prefix": str(p.code)[1:] if p.code else deck.prefix_text(p.row),
                "found": rate_text(other[3]),
                "deck": rate_text(other[2]),
                "rows": int(p.rows.size),
                "of": p.of,
            },
        )
        for p, other in told
    )
    prefixes = " ".join(str(p.code)[1:] if p.code else deck.prefix_text(p.row) for p, _ in told)
    support = float(np.mean([min(1.0, p.rows.size / max(1, p.of)) for p in kept])) if code != "code_list" else 1.0
    parameters: dict[str, Value] = {
        "prefixes": prefixes,
        "count": len(kept),
        "price": rate_text(told[0][1][3]),
        "deck": rate_text(told[0][1][2]),
    }
    return Departure(code, Bend(others), "rate", parameters, support, rows, notes, separates)


def rate_text(nano: int) -> str:
    """Return a price a minute as people write it."""
    text = f"{nano / 1e9:.9f}".rstrip("0")
    return text + "0" if text.endswith(".") else text
