"""The method of counting seconds is read from a side's own rows: from billed times, or from charges alone, odd rows and all."""

import numpy as np
import pytest

from billing_audit.infer.method import parts_of, same
from billing_audit.infer.seconds import Method, billed, from_billed, from_charges

METHODS = [
    Method(60, 60),
    Method(30, 6),
    Method(6, 6),
    Method(1, 1),
    Method(60, 1),
    Method(25, 8),
    Method(25, 8, "from_zero"),
    Method(30, 6, free=5),
    Method(1, 1, grace=3),
    Method(12, 6),
]


def calls(true: Method, digits: int, rows: int = 6000) -> tuple[np.ndarray, ...]:
    """Return price groups, talk times, billed seconds and charges, one in twenty of which is odd."""
    rng = np.random.default_rng(1)
    unit = 10 ** (6 - digits)
    group = np.sort(rng.integers(0, 12, rows))
    rate = rng.choice([0.05, 0.12, 0.3, 1.2, 0.08, 0.45], 12)
    talk = -(-((rng.exponential(90, rows) * 1000).astype(np.int64) + 200) // 1000) * 1000
    seconds = billed(talk, true)
    charge = (np.round(seconds * rate[group] / 60 * 1e6 / unit) * unit).astype(np.int64) + 20_000 * (seconds > 0)
    odd = rng.random(rows) < 0.05
    charge[odd] = (charge[odd] * rng.uniform(0.5, 2, int(odd.sum()))).astype(np.int64)
    return group, talk, seconds, charge


@pytest.mark.parametrize("true", METHODS, ids=lambda m: f"{m.text()} {m.anchor} {m.free} {m.grace}")
@pytest.mark.parametrize("expected", [Method(60, 60), Method(1, 1)], ids=Method.text)
def test_method_is_found_in_charges_whatever_was_expected(true, expected):
    group, talk, seconds, charge = calls(true, 4)
    found = from_charges(group, talk, charge, 100, expected)
    assert found is not None
    assert np.mean(billed(talk, found.method) == seconds) >= 0.999
    assert found.support >= 0.9


@pytest.mark.parametrize("true", METHODS, ids=lambda m: f"{m.text()} {m.anchor} {m.free} {m.grace}")
def test_method_is_found_in_billed_times(true):
    _, talk, seconds, _ = calls(true, 6)
    told = seconds * 1000
    told[::25] += 7000
    found = from_billed(talk, told, Method(60, 60))
    assert np.array_equal(billed(talk, found.method), seconds)
    assert 0.95 <= found.support <= 0.97


@pytest.mark.parametrize(("low", "step"), [(30, 6), (60, 6), (60, 60), (6, 6)])
def test_increment_that_divides_the_minimum_cannot_tell_the_anchor(low, step):
    assert same(Method(low, step), Method(low, step, "from_zero"))
    assert not Method(low, step).anchored()


def test_increment_that_does_not_divide_the_minimum_tells_the_anchor():
    assert billed(np.array([26_000]), Method(25, 8)).tolist() == [33]
    assert billed(np.array([26_000]), Method(25, 8, "from_zero")).tolist() == [32]
    assert parts_of(Method(25, 8), Method(25, 8, "from_zero")) == ("anchor",)


@pytest.mark.parametrize(
    ("found", "parts"),
    [
        (Method(60, 60), ("increment",)),
        (Method(30, 6, free=4), ("free",)),
        (Method(30, 6, grace=4), ("free",)),
        (Method(60, 60, free=4), ("increment", "free")),
        (Method(30, 6, mode="down"), ("rounding",)),
    ],
)
def test_change_is_told_by_the_fewest_parts(found, parts):
    assert parts_of(Method(30, 6), found) == parts


def test_too_few_rows_say_nothing():
    few = np.arange(20, dtype=np.int64)
    assert from_charges(few * 0, few * 1000, few * 100, 1, Method()) is None
