"""How well records are matched: the figures that are promised, each printed beside what a nearest-time rule gives."""

import numpy as np
import pandas as pd
import pytest

from billing_audit.ledger import MISSING, Bill, Names
from billing_audit.matching.learn import Learned, learn
from billing_audit.matching.match import match
from billing_audit.matching.normalise import normalise
from tests.billing_audit.two_bills import DAY_MS, Calls, call_of, calls, greedy, ledger, masked, mobile, score, some, taken

OFFSET_MS = 7_300
BERLIN_BACK = 1_792_890_000_000  # 2026-10-25 01:00 UTC


def audited(local: pd.DataFrame, customer: pd.DataFrame) -> tuple[pd.DataFrame, Learned]:
    learned = learn(local, customer, Names(), "UTC")
    ours, _, _ = normalise(local, Bill.LOCAL, learned)
    theirs, _, _ = normalise(customer, Bill.CUSTOMER, learned)
    return match(ours, theirs, learned), learned


def noisy(rng: np.random.Generator, told: Calls, sigma_ms: int) -> np.ndarray:
    """Return the customer's start times: another clock, its jitter, whole seconds."""
    return (told.start + OFFSET_MS + (rng.normal(0, sigma_ms, len(told))).astype(np.int64)) // 1000 * 1000


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_redials_are_told_apart(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(seed)
    told = calls(rng, 20_000, redials=0.7)
    local = some(rng, ledger(rng, told, 0), 0.03)
    customer = some(rng, ledger(rng, told, 1, start=noisy(rng, told, 1_500), talk=told.talk // 1000 * 1000), 0.03)
    pairs, learned = audited(local, customer)
    precision, recall = score(pairs, local, customer)
    plain = score(greedy(local, customer, learned.alignment.offset_ms, learned.alignment.tolerance_ms), local, customer)
    with capsys.disabled():
        print(f"\nredials, seed {seed}: precision {precision:.4f} recall {recall:.4f}; nearest time {plain[0]:.4f} {plain[1]:.4f}")
    assert precision >= 0.997
    assert recall >= 0.997


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("absent", [True, False])
def test_masked_callers_of_a_hot_number_are_matched(seed: int, absent: bool, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(seed)
    told = calls(rng, 20_000, days=7)
    told.callee[rng.random(len(told)) < 0.5] = mobile(rng, 1)[0]
    local = some(rng, ledger(rng, told, 0), 0.02)
    customer = some(
        rng,
        ledger(
            rng, told, 1, start=noisy(rng, told, 500), talk=told.talk // 1000 * 1000, caller=masked(rng, told.caller, 0.3, absent=absent)
        ),
        0.02,
    )
    pairs, learned = audited(local, customer)
    precision, recall = score(pairs, local, customer)
    plain = score(greedy(local, customer, learned.alignment.offset_ms, learned.alignment.tolerance_ms, ("callee",)), local, customer)
    with capsys.disabled():
        print(
            f"\n30 % {'absent' if absent else 'masked'}, seed {seed}: precision {precision:.4f} recall {recall:.4f}; nearest time {plain[0]:.4f} {plain[1]:.4f}"
        )
    assert precision >= 0.998
    assert recall >= 0.998


def test_thirty_percent_missing_and_masked_with_redials_and_duplicates(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(5)
    told = calls(rng, 20_000, redials=0.2)
    local = some(rng, ledger(rng, told, 0), 0.3)
    customer = some(
        rng, ledger(rng, told, 1, start=noisy(rng, told, 800), talk=told.talk // 1000 * 1000, caller=masked(rng, told.caller, 0.3)), 0.3
    )
    twice = np.concatenate([np.arange(len(customer)), rng.choice(len(customer), 300, replace=False)])
    customer = taken(customer, twice)
    source = customer["source"].to_numpy().copy()
    source[-300:] += 1 << 30
    customer["source"] = source
    pairs, _learned = audited(local, customer)
    left, right = pairs["l_source"].to_numpy(), pairs["c_source"].to_numpy()
    both = (left != MISSING) & (right != MISSING)
    same = call_of(left[both]) == call_of(right[both]) & ((1 << 30) - 1)
    common = len(np.intersect1d(call_of(local["source"].to_numpy()), call_of(source) & ((1 << 30) - 1)))
    with capsys.disabled():
        print(f"\n30 % missing and masked, redials, 300 doubled: precision {same.mean():.4f} recall {same.sum() / common:.4f}")
    assert same.mean() >= 0.99
    assert same.sum() / common >= 0.995


@pytest.mark.parametrize("side", [Bill.LOCAL, Bill.CUSTOMER])
@pytest.mark.parametrize("period_s", [1800, 900])
def test_parts_of_cut_calls_are_one_record(side: Bill, period_s: int, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(7)
    told = calls(rng, 20_000, mean_s=900.0, redials=0.05)
    bills = {bill: ledger(rng, told, number) for number, bill in enumerate(Bill)}
    whole = bills[side]
    bills[side] = cut(whole, period_s * 1000, rng)
    without = match(bills[Bill.LOCAL], bills[Bill.CUSTOMER], Learned())
    pairs, learned = audited(bills[Bill.LOCAL], bills[Bill.CUSTOMER])
    missing = int(((pairs["l_source"] == MISSING) | (pairs["c_source"] == MISSING)).sum())
    before = int(((without["l_source"] == MISSING) | (without["c_source"] == MISSING)).sum())
    with capsys.disabled():
        print(f"\nparts of {period_s} s at {side}: false missing {before} → {missing} ({learned.chains})")
    assert missing <= 10
    assert before > 1_000
    assert pairs[f"{'l' if side == Bill.LOCAL else 'c'}_charge_micro"].replace(MISSING, 0).sum() == bills[side]["charge_micro"].sum()


@pytest.mark.parametrize("side", [Bill.LOCAL, Bill.CUSTOMER])
def test_calls_cut_at_midnight_are_one_record(side: Bill) -> None:
    rng = np.random.default_rng(11)
    told = calls(rng, 6_000, mean_s=1200.0, redials=0.1)
    bills = {bill: ledger(rng, told, number) for number, bill in enumerate(Bill)}
    frame = bills[side]
    start, talk = frame["start_ms"].to_numpy(), frame["duration_ms"].to_numpy()
    first = np.minimum(DAY_MS // 6 - start % (DAY_MS // 6), talk)  # every four hours, to have enough of them
    over = np.flatnonzero(first < talk)
    rows = np.concatenate([np.arange(len(frame)), over])
    made = taken(frame, rows)
    made["duration_ms"] = np.concatenate([first, (talk - first)[over]])
    made["start_ms"] = np.concatenate([start, (start + first)[over]])
    made["charge_micro"] = made["billed_ms"] = made["duration_ms"]
    made["source"] = made["source"].to_numpy() + (np.arange(len(rows)) >= len(frame)) * (1 << 30)
    bills[side] = made
    pairs, learned = audited(bills[Bill.LOCAL], bills[Bill.CUSTOMER])
    assert set(learned.chains) == {side}
    assert learned.chains[side].period_ms == 0
    assert ((pairs["l_source"] != MISSING) & (pairs["c_source"] != MISSING)).mean() >= 0.999


@pytest.mark.parametrize("mean_s", [60.0, 900.0])
def test_redials_are_no_parts_of_one_call(mean_s: float) -> None:
    rng = np.random.default_rng(12)
    told = calls(rng, 20_000, mean_s=mean_s, redials=0.5)
    again = np.flatnonzero(told.caller[1:] == told.caller[:-1]) + 1
    told.start[again] = told.start[again - 1] + told.talk[again - 1] + rng.integers(300, 3_000, len(again))  # as fast as a machine dials
    assert audited(some(rng, ledger(rng, told, 0), 0.1), some(rng, ledger(rng, told, 1), 0.1))[1].chains == {}


def test_unanswered_tries_behind_a_call_are_no_parts_of_it() -> None:
    rng = np.random.default_rng(15)
    told = calls(rng, 6_000, redials=0.1, mean_s=200.0)
    again = np.flatnonzero(told.caller[1:] == told.caller[:-1]) + 1
    told.start[again] = told.start[again - 1] + told.talk[again - 1] + 2_000
    told.talk[again - 1] += 30_000
    told.start[again] += 30_000
    told.talk[again] = 0
    local, customer = ledger(rng, told, 0), ledger(rng, told, 1)
    customer = taken(customer, customer["duration_ms"].to_numpy() > 0)
    assert audited(local, customer)[1].chains == {}


def test_what_both_bills_cut_alike_stays_cut() -> None:
    rng = np.random.default_rng(13)
    told = calls(rng, 6_000, mean_s=900.0)
    local, customer = cut(ledger(rng, told, 0), 1_800_000, rng), cut(ledger(rng, told, 1), 1_800_000, rng)
    pairs, learned = audited(local, customer)
    assert learned.chains == {}
    assert len(pairs) == len(local) == len(customer)


def test_bills_that_cut_at_different_lengths_are_both_merged() -> None:
    rng = np.random.default_rng(14)
    told = calls(rng, 20_000, mean_s=900.0)
    local, customer = cut(ledger(rng, told, 0), 1_800_000, rng), cut(ledger(rng, told, 1), 900_000, rng)
    pairs, learned = audited(local, customer)
    assert {bill: chain.period_ms for bill, chain in learned.chains.items()} == {Bill.LOCAL: 1_800_000, Bill.CUSTOMER: 900_000}
    assert len(pairs) == len(told)


def cut(frame: pd.DataFrame, period: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return the ledger with each call cut after every period, the next part up to a second later."""
    count = np.maximum((frame["duration_ms"].to_numpy() - 1) // period, 0) + 1
    rows = np.repeat(np.arange(len(frame)), count)
    part = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    made = taken(frame, rows)
    duration = np.minimum(made["duration_ms"].to_numpy() - part * period, period)
    made["duration_ms"] = duration
    made["billed_ms"] = made["charge_micro"] = (duration + 999) // 1000 * 1000
    made["start_ms"] = made["start_ms"].to_numpy() + part * period + (part > 0) * rng.integers(0, 800, len(rows))
    made["source"] = made["source"].to_numpy() + part * (1 << 30)
    return made


@pytest.mark.parametrize(("zone", "theirs"), [("Europe/Berlin", 1), ("UTC", None)])
def test_the_hour_that_is_written_twice_is_matched_too(zone: str, theirs: int | None) -> None:
    """Summer time ends on 2026-10-25; Berlin's wall clock shows 02:00 to 03:00 twice, whoever reads it through another zone."""
    rng = np.random.default_rng(8)
    told = calls(rng, 6_000, days=2)
    told.start += 23 * DAY_MS + DAY_MS // 3
    start = (
        wall_in_berlin(told.start)
        if theirs is None
        else told.start + theirs * 3_600_000 - offset_of_berlin(told.start + theirs * 3_600_000)
    )
    local, customer = ledger(rng, told, 0), ledger(rng, told, 1, start=start)
    learned = learn(local, customer, Names(), zone)
    pairs = match(local, customer, learned)
    precision, recall = score(pairs, local, customer)
    assert len(learned.alignment.steps) == 1
    assert precision >= 0.9995
    assert recall >= 0.9995


def wall_in_berlin(times: np.ndarray) -> np.ndarray:
    """Return wall times in Berlin read as UTC."""
    return times + np.where(times < BERLIN_BACK, 2, 1) * 3_600_000


def offset_of_berlin(wall: np.ndarray) -> np.ndarray:
    """Return the offset at which a reader takes a wall time: the first of two."""
    return np.where(wall < BERLIN_BACK + 2 * 3_600_000, 2, 1) * 3_600_000


def test_where_no_call_is_common_nothing_is_paired() -> None:
    rng = np.random.default_rng(9)
    local, customer = ledger(rng, calls(rng, 5_000), 0), ledger(rng, calls(rng, 5_000), 1)
    pairs, learned = audited(local, customer)
    assert learned.alignment.pairs == 0
    assert learned.rules == ()
    assert learned.chains == {}
    assert [note.id for note in learned.notes] == ["audit.note.alignment_unknown"]
    assert ((pairs["l_source"] == MISSING) | (pairs["c_source"] == MISSING)).all()
