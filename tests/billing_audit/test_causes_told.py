"""Each cause planted alone is found on its side, with its money to half a percent, and nothing else is; sums are exact to the micro-unit."""

from functools import lru_cache

import msgspec
import numpy as np
import pytest

from billing_audit import attribute
from billing_audit.causes.catalogue import CAUSES, REPAIRED
from billing_audit.engine.sums import UNEXPLAINED, summed
from billing_audit.infer.seconds import billed, of_terms
from billing_audit.inferred import infer
from billing_audit.ledger import MISSING, Bill
from billing_audit.matching.learn import Learned, learn
from billing_audit.terms import Terms
from tests.billing_audit.dispute.make import ONE_SIDED, make
from tests.billing_audit.dispute.plant import CODES, Rejected
from tests.billing_audit.dispute.terms import contract_of, deck_of, outages_of

CLOCKS = {"timezone", "dst", "clock"}
TOGETHER = [
    [("rate", "customer"), ("connection_fee", "customer")],
    [("rate", "local"), ("increment", "customer")],
    [("scale", "customer"), ("increment", "customer")],
    [("rate_change", "local"), ("time_band", "local")],
    [("duplicate", "customer"), ("missing_import", "customer"), ("cut_off", "local")],
    [("ring_time", "customer"), ("hung_call", "local")],
]


@lru_cache(maxsize=4)
def dispute(codes, seed=0, rows=20_000):
    for at in range(seed, seed + 60):
        try:
            return make(at, list(codes), rows)
        except Rejected:
            continue
    raise AssertionError(f"{codes} was rejected sixty times")


def audited(one, contract=True, deck=True):
    learned = Learned()
    if CLOCKS & {p.code for p in one.planted}:
        learned = learn(one.local, one.customer, one.names, one.deal.zone)
    context = attribute.Context(
        contract=contract_of(one) if contract else None,
        deck=deck_of(one) if deck else None,
        learned=learned,
        names=one.names,
        zone=one.deal.zone,
        outages=outages_of(one),
        totals=dict.fromkeys(Bill, 1),
    )
    model = attribute.find(one.pairs, context)
    told = attribute.apportion(one.pairs, model, context)
    sums = summed(one.pairs, told.amounts, told.applies)
    return model, told, attribute.conclude(model, sums, context)


def differences(pairs):
    ours = np.where(pairs["l_source"] != MISSING, pairs["l_charge_micro"], 0)
    return ours - np.where(pairs["c_source"] != MISSING, pairs["c_charge_micro"], 0)


def wrong(one, found):
    """Return what an audit says wrongly of a dispute whose truth is known."""
    told = {(f.cause, str(f.side)): f for f in found}
    gross = sum(abs(f.amount_micro) for f in found) or 1
    bad, right = [], set()
    for cause in one.planted:
        names = [(cause.code, side) for side in cause.sides if (cause.code, side) in told]
        right |= set(names)
        money = sum(told[name].amount_micro for name in names)
        if not names or abs(money - cause.amount_micro) > 0.005 * abs(cause.amount_micro):
            bad.append((cause.code, cause.departs, cause.amount_micro, money))
    tolerated = {code for cause in one.planted for code in cause.tolerated}
    for name, f in told.items():
        if name not in right and name[0] not in tolerated and abs(f.amount_micro) > 0.02 * gross:
            bad.append((name, f.amount_micro, f.records))
    return bad


@pytest.mark.parametrize("code", CODES)
def test_cause_alone_is_found_on_its_side(code):
    side = ONE_SIDED.get(code, "customer" if CODES.index(code) % 2 else "local")
    one = dispute(((code, side),))
    _, told, found = audited(one)
    assert wrong(one, found) == []
    assert np.array_equal(told.amounts.sum(axis=1), differences(one.pairs))
    (mine,) = [f for f in found if f.cause == code and str(f.side) in one.planted[0].sides]
    assert mine.evidence
    assert mine.separates is not None
    assert mine.confidence > 0.5


@pytest.mark.parametrize("codes", TOGETHER, ids=lambda codes: "+".join(code for code, _ in codes))
def test_causes_together_are_told_apart(codes):
    one = dispute(tuple(codes))
    _, told, found = audited(one)
    assert wrong(one, found) == []
    assert np.array_equal(told.amounts.sum(axis=1), differences(one.pairs))


@pytest.mark.parametrize(("contract", "deck"), [(False, True), (True, False), (False, False)])
def test_without_contract_or_deck_nothing_of_method_is_blamed_and_sums_are_exact(contract, deck):
    one = dispute((("increment", "customer"),))
    model, told, found = audited(one, contract, deck)
    assert np.array_equal(told.amounts.sum(axis=1), differences(one.pairs))
    if not contract:
        assert {str(f.side) for f in found if f.cause == "increment"} == {"undetermined"}
    assert list(told.amounts.columns) == list(attribute.columns(model))


def test_bills_that_agree_have_no_cause():
    one = dispute((("increment", "customer"),))
    pairs = one.pairs.copy()
    for name in ("charge_micro", "billed_ms", "rate_nano"):
        pairs[f"c_{name}"] = pairs[f"l_{name}"]
    context = attribute.Context(contract_of(one), deck_of(one), Learned(), one.names, one.deal.zone)
    model = attribute.find(pairs, context)
    told = attribute.apportion(pairs, model, context)
    assert attribute.columns(model) == (UNEXPLAINED,)
    assert not told.amounts[UNEXPLAINED].any()


def test_order_and_number_of_partitions_change_nothing():
    one = dispute((("rate", "customer"), ("duplicate", "local")))
    context = attribute.Context(contract_of(one), deck_of(one), Learned(), one.names, one.deal.zone)
    model = attribute.find(one.pairs, context)
    shuffled = one.pairs.sample(frac=1, random_state=5)
    again = attribute.find(shuffled.reset_index(drop=True), context)
    assert repr(model.departures) == repr(again.departures)
    whole = attribute.apportion(one.pairs, model, context).amounts.sum()
    parts = [one.pairs[one.pairs["callee"] % 3 == n].reset_index(drop=True) for n in range(3)]
    split = sum(attribute.apportion(part, model, context).amounts.sum() for part in parts)
    assert whole.to_dict() == split.to_dict()


def test_side_is_inferred_from_its_own_rows_alone():
    one = dispute((("increment", "customer"),))
    told = one.planted[0].parameters
    inferred = infer(one.customer, deck_of(one), contract_of(one).terms, one.deal.zone)
    rows = [billed(np.arange(0, 400_000, 1000), of_terms(terms)) for terms in (inferred.terms, wanted(one, told))]
    assert np.array_equal(*rows)
    assert inferred.support["increment"] > 0.9
    assert infer(one.customer.iloc[:20], None, Terms(), "UTC").terms == Terms()


def wanted(one, told):
    return msgspec.structs.replace(contract_of(one).terms, minimum_s=told["minimum"], increment_s=told["increment"])


def test_every_code_has_its_file_and_its_place():
    assert {module.CODE for module in CAUSES.values()} == set(CAUSES)
    assert set(REPAIRED) <= set(CAUSES)
    assert len(CAUSES) == 25  # and `unexplained`
