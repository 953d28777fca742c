"""Two bills without a deck, without a contract: prices come of the bills, what both do alike is no cause, what they do unlike is named."""

from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

import numpy as np
import pytest

from billing_audit import attribute
from billing_audit.causes import scale
from billing_audit.decks.deck import build
from billing_audit.engine.sums import summed
from billing_audit.infer.amount import Amount
from billing_audit.infer.machine import Calls, Reference
from billing_audit.infer.prices import inferred_deck
from billing_audit.infer.view import view_of
from billing_audit.inferred import look
from billing_audit.ledger import MISSING, Bill
from billing_audit.matching.learn import Learned, learn
from billing_audit.terms import Terms
from tests.billing_audit.dispute.attacks import ATTACKS
from tests.billing_audit.dispute.make import make
from tests.billing_audit.dispute.plant import Rejected
from tests.billing_audit.dispute.terms import contract_of, deck_of, outages_of

START = 1_780_000_000_000
DAY = 86_400_000
WITHOUT_DECK = {"prefix": "rate", "code_list": "rate"}  # without a deck no code is one that a deck has


@lru_cache(maxsize=2)
def dispute(code, side, seed=7000):
    for at in range(seed, seed + 60):
        try:
            return make(at, [(code, side)] if code else [], 8000)
        except Rejected:
            continue
    raise AssertionError(f"{code} was rejected sixty times")


def causes(one, contract, deck):
    """Return what is said: cause → (side, money)."""
    context = attribute.Context(
        contract=contract_of(one) if contract else None,
        deck=deck_of(one) if deck else None,
        learned=learn(one.local, one.customer, one.names, one.deal.zone),
        names=one.names,
        zone=one.deal.zone,
        outages=outages_of(one),
        totals=dict.fromkeys(Bill, 1),
    )
    model = attribute.find(one.pairs, context)
    told = attribute.apportion(one.pairs, model, context)
    found = attribute.conclude(model, summed(one.pairs, told.amounts, told.applies), context)
    return {f.cause: (str(f.side), f.amount_micro) for f in found}, found


@pytest.mark.parametrize("deck", [True, False])
@pytest.mark.parametrize("contract", [True, False])
def test_bills_that_agree_have_no_cause_whatever_papers_there_are(contract, deck):
    told, _ = causes(dispute("", ""), contract, deck)
    assert {cause for cause, (_, money) in told.items() if money} == set()


@pytest.mark.parametrize("code", ["increment", "connection_fee", "scale", "code_list", "rate_change"])
def test_method_is_named_with_no_side_and_nothing_else_is(code):
    one = dispute(code, "customer")
    told, _ = causes(one, contract=False, deck=False)
    name = WITHOUT_DECK.get(code, code)
    assert told[name][0] in ("undetermined", "none")
    gross = sum(abs(money) for _, money in told.values())
    assert abs(told[name][1]) > 0.97 * gross


def calls(numbers, start, seconds, rate_nano, fee=0):
    """Return calls of so many seconds that cost what these rates make."""
    size = numbers.size
    gone = np.full(size, MISSING)
    charge = np.rint(rate_nano / 1000 * seconds / 60).astype(np.int64) + fee
    return Calls(10**18 + numbers, start, seconds * 1000, gone, charge, np.ones(size, np.int64), np.ones(size, np.int64), gone, gone)


def world(size=2000):
    rng = np.random.default_rng(5)
    area = rng.choice([861, 862, 863, 445], size)
    numbers = 10**12 + area * 10**9 + rng.integers(0, 10**9, size)
    return area, numbers, START + np.sort(rng.integers(0, 28 * DAY, size)), rng.integers(20, 400, size)


def prices_of(deck):
    return {(deck.prefix_text(at), int(deck.from_ms[at]) != MISSING): int(deck.rate_nano[at]) for at in range(len(deck))}


def test_prices_are_told_by_the_shortest_prefix_that_explains_them():
    area, numbers, start, seconds = world()
    rate = np.where(area == 445, 30_000_000, 50_000_000)
    rate[numbers // 10**6 % 10**6 == 861500] = 90_000_000
    finer = 10**12 + 861500 * 10**6 + np.arange(40)
    numbers, rate = np.append(numbers, finer), np.append(rate, np.full(40, 90_000_000))
    start, seconds = np.append(start, start[::50]), np.append(seconds, np.full(40, 300))
    told = prices_of(inferred_deck(calls(numbers, start, seconds, rate), Terms(minimum_s=1, increment_s=1), "UTC"))
    assert told == {("4", False): 30_000_000, ("8", False): 50_000_000, ("86150", False): 90_000_000}


def test_fee_is_kept_out_of_prices():
    area, numbers, start, seconds = world()
    deck = inferred_deck(calls(numbers, start, seconds, np.where(area == 445, 30_000_000, 50_000_000), 7000), Terms(), "UTC")
    assert prices_of(deck) == {("4", False): 30_000_000, ("8", False): 50_000_000}


def test_nights_are_no_prefixes():
    area, numbers, start, seconds = world()
    night = start // 3_600_000 % 24 < 8
    rate = np.where(area == 445, 30_000_000, 50_000_000) * np.where(night, 0.6, 1.0)
    assert prices_of(inferred_deck(calls(numbers, start, seconds, rate), Terms(), "UTC")) == {
        ("4", False): 30_000_000,
        ("8", False): 50_000_000,
    }


def test_price_that_changes_on_a_day_is_told_with_its_midnight():
    area, numbers, start, seconds = world()
    when = (START // DAY + 12) * DAY
    rate = np.where(area == 445, 30_000_000, np.where(start < when, 50_000_000, 55_000_000))
    deck = inferred_deck(calls(numbers, start, seconds, rate), Terms(), "UTC")
    assert prices_of(deck) == {("4", False): 30_000_000, ("8", False): 50_000_000, ("8", True): 55_000_000}
    assert int(deck.from_ms.max()) == when


def test_too_few_calls_have_no_deck():
    _, numbers, start, seconds = world(60)
    assert inferred_deck(calls(numbers, start, seconds, np.full(60, 50_000_000)), Terms(), "UTC") is None


def test_price_that_both_bills_take_and_the_deck_lacks_is_a_note_and_no_cause():
    one = ATTACKS["clean, deck with gaps"](40, 6000)
    told, _ = causes(one, contract=True, deck=True)
    assert {cause for cause, (_, money) in told.items() if money} == set()
    context = attribute.Context(contract_of(one), deck_of(one), Learned(), one.names, one.deal.zone)
    assert "audit.note.both_depart" in {note.id for note in attribute.find(one.pairs, context).notes}


def test_two_bands_are_seen_in_charges_alone():
    _, numbers, start, seconds = world(4000)
    day, hour = (start // DAY + 3) % 7, start // 3_600_000 % 24
    ratio = np.where(day >= 5, 0.8, np.where(hour < 7, 0.5, 1.0))
    view = view_of(Bill.LOCAL, calls(numbers, start, seconds, 50_000_000 * ratio), Reference(flat(), Terms(), "UTC"))
    look(view)
    (band,) = [one for one in view.found if one.cause == "time_band"]
    assert [(one.ratio, one.start.hour, one.end.hour, one.weekdays) for one in band.bend.bands] == [
        (Decimal("0.8"), 0, 0, (5, 6)),
        (Decimal("0.5"), 0, 7, (0, 1, 2, 3, 4)),
    ]
    assert view.fits().all()


def flat():
    return build({"prefix": np.array([18, 14]), "rate_nano": np.array([50_000_000, 50_000_000])})


@pytest.mark.parametrize(("support", "named"), [(0.29, False), (0.3, True)])
def test_ratio_on_a_few_calls_is_no_scale(support, named):
    _, numbers, start, seconds = world(100)
    view = view_of(Bill.LOCAL, calls(numbers, start, seconds, np.full(100, 50_000_000)), Reference(flat(), Terms(), "UTC"))
    view.kept["amount"] = Amount(Fraction(1, 2), 0, support, 0.0, 100)
    assert (scale.find(view) is not None) is named
