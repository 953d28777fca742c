"""The generator of disputes itself: its truth is exact, its causes are large enough to be told, and a seed gives one dispute."""

from datetime import UTC, datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal
from fractions import Fraction

import numpy as np
import pytest

from billing_audit import rating
from billing_audit.ledger import LEDGER, MISSING, PAIRS
from tests.billing_audit.dispute.bills import Dispute
from tests.billing_audit.dispute.make import ONE_SIDED, SIDES, conflict, draw_codes, make
from tests.billing_audit.dispute.plant import CODES, MINIMUM, NO_MONEY, Rejected
from tests.billing_audit.dispute.price import Method, billed_seconds, price, rounded
from tests.billing_audit.dispute.terms import contract_of, deck_of
from tests.billing_audit.dispute.world import Clock

ALONE = [(code, side) for code in CODES for side in SIDES if ONE_SIDED.get(code, side) == side]


def first(codes: list[tuple[str, str]] | None, rows: int = 20_000, seed: int = 0) -> Dispute:
    """Return the first dispute from this seed on that is not rejected."""
    for at in range(seed, seed + 40):
        try:
            return make(at, codes, rows)
        except Rejected:
            continue
    raise AssertionError(f"{codes} was rejected forty times")


def line_differences(dispute: Dispute):
    """Return local − customer charge of each pair, a missing record counting 0."""
    pairs = dispute.pairs
    ours = np.where(pairs["l_source"] != MISSING, pairs["l_charge_micro"], 0)
    return ours - np.where(pairs["c_source"] != MISSING, pairs["c_charge_micro"], 0)


@pytest.mark.parametrize(("code", "side"), ALONE)
def test_planted_cause_alone_is_the_whole_difference_and_above_its_minimum(code, side):
    dispute = first([(code, side)])
    (cause,) = dispute.planted
    rows, millionths = MINIMUM[code]
    assert cause.records >= rows
    assert cause.amount_micro == dispute.difference_micro
    assert np.array_equal(line_differences(dispute), dispute.amounts.sum(axis=1))
    bill = min(int(frame["charge_micro"].sum()) for frame in (dispute.local, dispute.customer))
    assert code in NO_MONEY or abs(cause.amount_micro) * 1_000_000 >= bill * millionths
    assert (code in NO_MONEY) == (cause.amount_micro == 0)


@pytest.mark.parametrize("seed", range(500, 512))
def test_planted_combinations_add_up_to_the_difference_in_every_line(seed):
    dispute = first(None, 6000, seed * 100)
    assert sum(cause.amount_micro for cause in dispute.planted) == dispute.difference_micro
    assert np.array_equal(line_differences(dispute), dispute.amounts.sum(axis=1))
    for frame, schema in ((dispute.local, LEDGER), (dispute.customer, LEDGER), (dispute.pairs, PAIRS)):
        assert list(frame.columns) == list(schema)
    for side, frame in (("l", dispute.local), ("c", dispute.customer)):
        told = dispute.pairs[f"{side}_source"]
        heads = set(told[told != MISSING])
        parts = dispute.parts["local" if side == "l" else "customer"]
        assert len(heads) == (told != MISSING).sum()
        assert heads | {s for chain in parts.values() for s in chain} == set(frame["source"])
        assert dispute.pairs.loc[told != MISSING, f"{side}_charge_micro"].sum() == frame["charge_micro"].sum()


def test_seed_gives_one_dispute():
    one, again = first([("rate", "local"), ("missing_outage", "local")]), first([("rate", "local"), ("missing_outage", "local")])
    assert one.local.equals(again.local)
    assert one.customer.equals(again.customer)
    assert one.pairs.equals(again.pairs)
    assert not one.local.equals(first([("rate", "local"), ("missing_outage", "local")], seed=7).local)


def test_clean_dispute_has_two_equal_bills():
    dispute = first([])
    assert dispute.difference_micro == 0
    assert not line_differences(dispute).any()


def test_causes_that_move_one_parameter_are_refused_with_the_reason():
    assert (
        conflict([("ring_time", "local"), ("duration_rounding", "customer")])
        == "ring_time and duration_rounding move one parameter: duration"
    )
    assert conflict([("rate", "local"), ("scale", "local")]) is None
    rng = np.random.default_rng(3)
    drawn = {code for _ in range(200) for code, _ in draw_codes(rng, 4)}
    assert drawn == set(CODES)


@pytest.mark.parametrize(
    ("talk", "minimum", "increment", "from_zero", "free", "grace", "expected"),
    [
        (26, 25, 8, False, 0, 0, 33),
        (26, 25, 8, True, 0, 0, 32),
        (25, 25, 8, True, 0, 0, 25),
        (0, 60, 60, False, 0, 0, 0),
        (1, 60, 60, False, 0, 0, 60),
        (61, 60, 6, False, 0, 0, 66),
        (10, 60, 60, False, 10, 0, 0),
        (11, 60, 60, False, 10, 0, 60),
        (10, 1, 1, False, 0, 10, 0),
        (11, 1, 1, False, 0, 10, 11),
    ],
)
def test_oracle_bills_seconds_as_the_engines_document(talk, minimum, increment, from_zero, free, grace, expected):
    one = np.ones(1, np.int64)
    method = Method(one, one * minimum, one * increment, one, one * 0, from_zero, free, grace)
    assert billed_seconds(one * talk, method).tolist() == [expected]


def test_oracle_agrees_with_decimals_on_random_calls():
    rng = np.random.default_rng(11)
    rows = 400
    for _ in range(20):
        digits, mode = int(rng.integers(2, 7)), ("up", "half_up", "down")[rng.integers(3)]
        over, under = ((1, 1), (53, 50), (713, 100), (1, 60), (1000, 1))[rng.integers(5)]
        method = Method(
            rng.integers(1, 9000, rows) * 1000,
            np.full(rows, 30, np.int64),
            np.full(rows, 6, np.int64),
            rng.integers(1, 9000, rows) * 100_000,
            rng.integers(0, 9, rows) * 1000,
            scale=(over, under),
            digits=digits,
            mode=mode,
        )
        billed, charge = price(method)
        for at in range(rows):
            exact = (
                (Fraction(int(method.rate_nano[at]) * int(billed[at]), 60_000 * 10**9) + Fraction(int(method.fee_micro[at]), 10**6))
                * over
                / under
            )
            way = {"up": ROUND_UP, "half_up": ROUND_HALF_UP, "down": ROUND_DOWN}[mode]
            told = (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(Decimal(1).scaleb(-digits), rounding=way)
            assert int(told * 10**6) == charge[at]


def test_rounding_has_both_sides_of_each_limit():
    told = np.array([1499, 1500, 1501, 1000], np.int64)
    assert rounded(told, 1, 3, "half_up").tolist() == [1000, 2000, 2000, 1000]
    assert rounded(told, 1, 3, "down").tolist() == [1000, 1000, 1000, 1000]
    assert rounded(told, 1, 3, "up").tolist() == [2000, 2000, 2000, 1000]


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "UTC", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("month", [3, 10, 11])
def test_wall_clock_reads_back_but_for_the_hour_that_comes_twice(zone, month):
    start = datetime(2026, month, 1, tzinfo=UTC)
    clock = Clock.of(zone, start.date(), start.replace(month=month + 1).date())
    utc = int(start.timestamp()) * 1000 + np.arange(0, 30 * 24 * 4, dtype=np.int64) * 900_000
    back = clock.utc(clock.wall(utc))
    assert (back != utc).sum() == (4 if clock.falls and utc[0] <= clock.change_ms <= utc[-1] else 0)
    assert set((utc - back)[back != utc].tolist()) <= {3_600_000}


@pytest.mark.parametrize("seed", range(0, 400, 40))
def test_oracle_agrees_with_the_rating_that_it_judges(seed):
    dispute = first([(("time_band", "increment_anchor", "free_seconds", "scale", "rate_change")[seed // 40 % 5], "customer")], 3000, seed)
    terms = contract_of(dispute).terms
    frame = dispute.local
    called = frame[frame["duration_ms"] > 0]
    told = rating.rate(
        called["callee"].to_numpy(),
        called["start_ms"].to_numpy(),
        called["duration_ms"].to_numpy(),
        None,
        deck_of(dispute),
        terms,
        dispute.deal.zone,
    )
    twice = dispute.world.clock.falls  # the hour that comes twice is read as its first, where a price by the clock may differ
    assert (told.charge_micro != called["charge_micro"].to_numpy()).sum() <= (10 if twice else 0)
    assert told.charge_micro.sum() > 0
