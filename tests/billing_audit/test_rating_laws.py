"""The laws of rating: for any terms, deck and calls the vectorised charge is that of the scalar reference, to the last micro-unit."""

from datetime import UTC, date, datetime, time
from decimal import Decimal

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_audit import rating
from billing_audit.decks import deck as decks
from billing_audit.ledger import MISSING
from billing_audit.numbers import PLAIN, PLUS
from billing_audit.terms import Band, CostRounding, DurationRounding, Step, Terms

AUTUMN = int(datetime(2026, 10, 24, 20, tzinfo=UTC).timestamp() * 1000)  # Europe's clocks go back on 25 October 2026 at 01:00 UTC
MODES = st.sampled_from(["up", "half_up", "half_even", "down"])
NEAR = st.tuples(st.integers(0, 160), st.integers(-120_000, 2_000) | st.integers(-120, 2).map(lambda seconds: seconds * 1000))
WHEN = st.integers(AUTUMN, AUTUMN + 40 * 3_600_000) | NEAR.map(lambda near: AUTUMN + near[0] * 900_000 + near[1])  # about a band's edge


def some(strategy):
    return st.none() | strategy


def amounts(top: str, places: int):
    return st.decimals("0", top, places=places)


BANDS = st.lists(
    st.builds(
        Band,
        name=st.sampled_from(["peak", "night", "weekend"]),
        start=st.sampled_from([time(0), time(1, 30), time(2, 30), time(8), time(22), time(23, 59, 59)]),
        end=st.sampled_from([time(0), time(1, 30), time(2, 30), time(6), time(18), time(22)]),
        weekdays=st.sampled_from([(0, 1, 2, 3, 4, 5, 6), (5, 6), (6,), (0,), ()]),
        dates=st.sampled_from([(), (date(2026, 10, 25),), (date(2026, 10, 24), date(2026, 10, 26))]),
        ratio=some(amounts("3", 3)),
        rate=some(amounts("2", 5)),
    ),
    max_size=3,
).map(tuple)
STEPS = st.lists(
    st.tuples(st.integers(1, 200), some(amounts("2", 5)), some(amounts("3", 2)), some(st.integers(1, 90))),
    max_size=3,
    unique_by=lambda one: one[0],
).map(lambda told: tuple(Step(*one) for one in sorted(told, key=lambda one: one[0])))
TERMS = st.builds(
    Terms,
    minimum_s=some(st.integers(0, 90)),
    increment_s=some(st.integers(1, 61)),
    anchor=some(st.sampled_from(["after_minimum", "from_zero"])),
    connection_fee=some(amounts("1", 6)),
    free_s=some(st.integers(-10, 40)),
    grace_s=some(st.integers(0, 10)),
    duration_rounding=some(st.builds(DurationRounding, MODES, some(st.integers(1, 1000)))),
    cost_rounding=some(
        st.builds(CostRounding, st.integers(0, 9), MODES, st.sampled_from(["call", "increment", "bill"]), some(st.integers(3, 9)))
    ),
    max_cost=some(amounts("5", 6)),
    tax_ratio=some(st.sampled_from([Decimal("0.06"), Decimal("0.13"), Decimal("0.0725")])),
    steps=STEPS,
    bands=BANDS,
    band_boundary=st.sampled_from(["start", "split"]),
)
PREFIX = st.integers(0, 4).flatmap(lambda count: st.text("12", min_size=count, max_size=count))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "prefix": PREFIX.map(lambda digits: int("1" + digits)),
            "rate_nano": st.integers(0, 3 * 10**9) | st.just(MISSING) | st.integers(0, 3000).map(lambda n: n * 10**6),
            "from_ms": st.just(MISSING) | WHEN,
            "to_ms": st.just(MISSING) | st.just(MISSING) | WHEN,
            "minimum_s": st.just(MISSING) | st.integers(0, 60),
            "increment_s": st.just(MISSING) | st.integers(1, 60),
            "fee_micro": st.just(MISSING) | st.integers(0, 10**6),
            "free_s": st.just(MISSING) | st.integers(0, 30),
            "band": st.sampled_from([-1, -1, 0, 1]),
        }
    ),
    max_size=12,
)
CALLS = st.lists(
    st.tuples(
        st.text("12", min_size=1, max_size=6),
        WHEN | st.just(MISSING),
        st.integers(0, 400_000) | st.integers(0, 400).map(lambda n: n * 1000) | st.just(MISSING),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


def deck_of(rows):
    columns = {name: np.array([row[name] for row in rows], np.int64) for name in rows[0]} if rows else {"prefix": np.empty(0, np.int64)}
    return decks.build(columns, ("peak", "weekend"))


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TERMS, ROWS, CALLS, st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]))
def test_vectorised_rating_is_the_scalar_reference(terms, rows, calls, zone) -> None:
    deck = deck_of(rows)
    callee = np.array([(PLUS if plus else PLAIN) + int("1" + digits) for digits, _, _, plus in calls], np.int64)
    start = np.array([when for _, when, _, _ in calls], np.int64)
    talk = np.array([duration for _, _, duration, _ in calls], np.int64)
    rated = rating.rate(callee, start, talk, None, deck, terms, zone)
    for at, (digits, when, duration, _) in enumerate(calls):
        one = rating.exact(digits, when, duration, deck, terms, zone)
        assert int(rated.prices.row[at]) == one.price.row
        assert int(rated.prices.rate_nano[at]) == (MISSING if one.price.rate_nano is None else one.price.rate_nano)
        assert int(rated.billed_ms[at]) == (MISSING if one.billed_ms is None else one.billed_ms)
        assert int(rated.charge_micro[at]) == (MISSING if one.charge_micro is None else one.charge_micro)
