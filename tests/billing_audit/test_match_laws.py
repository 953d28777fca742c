"""Laws of matching: every record once, whatever the order of rows, the partition, or which side is which; no money is lost."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_audit.ledger import LEDGER, MISSING, PAIRED, PAIRS, Bill, hold
from billing_audit.matching.align import Alignment
from billing_audit.matching.learn import Learned
from billing_audit.matching.match import match
from billing_audit.matching.normalise import normalise
from billing_audit.matching.partials import Chain
from billing_audit.numbers import ABSENT, MASK_COUNT, MASK_HEAD, MASKED, PLAIN, PLUS
from tests.billing_audit.two_bills import START, shuffled, taken

CALLERS = [
    PLAIN + 18613800000001,
    PLAIN + 18613800000002,
    ABSENT,
    MASKED + 1861 * MASK_HEAD + 6 * MASK_COUNT + 10001,
    PLUS + 18613800000001,
]
CALLEES = [PLAIN + 18613900001111, PLAIN + 18613900002222, PLUS + 18613900001111, PLAIN + 1013900001111, PLAIN + 1110, ABSENT]

ROW = st.tuples(
    st.sampled_from(CALLERS),
    st.sampled_from(CALLEES),
    st.one_of(st.integers(0, 12).map(lambda s: s * 1000), st.integers(0, 60_000), st.just(MISSING)),
    st.one_of(st.sampled_from([0, 5_000, 60_000]), st.integers(0, 90_000), st.just(MISSING)),
    st.sampled_from([0, 100, 200, MISSING, -50]),
)
ROWS = st.lists(ROW, max_size=14)


def frame_of(rows: list[tuple[int, int, int, int, int]], file: int) -> pd.DataFrame:
    made = {name: np.full(len(rows), MISSING, np.int64) for name in LEDGER}
    if rows:
        columns = np.array(rows, np.int64).T
        made["caller"], made["callee"] = columns[0].copy(), columns[1].copy()
        made["start_ms"] = np.where(columns[2] == MISSING, MISSING, columns[2] + START)
        made["duration_ms"], made["charge_micro"] = columns[3].copy(), columns[4].copy()
    made["source"] = (file << 40) + 1 + np.arange(len(rows))
    made["parts"] = np.ones(len(rows), np.int64)
    return pd.DataFrame({name: made[name] for name in LEDGER}, copy=False)


def contents(pairs: pd.DataFrame) -> list[tuple[int, ...]]:
    """Return the pairs without sources, sorted: what must not depend on the order of rows."""
    kept = pairs.drop(columns=["l_source", "c_source"])
    return sorted(map(tuple, kept.to_numpy().tolist()))


def sums(*frames: pd.DataFrame, column: str) -> int:
    return sum(int(value) for frame in frames for value in frame[column] if value != MISSING)


@settings(max_examples=80, deadline=None)
@given(ROWS, ROWS)
def test_every_record_is_there_once_and_all_money_with_it(ours: list[tuple[int, ...]], theirs: list[tuple[int, ...]]) -> None:
    local, customer = frame_of(ours, 0), frame_of(theirs, 1)
    pairs = hold(match(local, customer, Learned()), PAIRS)
    assert sorted(source for source in pairs["l_source"] if source != MISSING) == sorted(local["source"])
    assert sorted(source for source in pairs["c_source"] if source != MISSING) == sorted(customer["source"])
    assert not ((pairs["l_source"] == MISSING) & (pairs["c_source"] == MISSING)).any()
    for side, frame in (("l", local), ("c", customer)):
        by_source = frame.set_index("source")
        for _, row in pairs[pairs[f"{side}_source"] != MISSING].iterrows():
            assert all(row[f"{side}_{name}"] == by_source[name][row[f"{side}_source"]] for name in PAIRED)
        alone = pairs[pairs[f"{side}_source"] == MISSING]
        assert (alone[[f"{side}_{name}" for name in PAIRED]] == MISSING).all(axis=None)


@settings(max_examples=80, deadline=None)
@given(ROWS, ROWS, st.integers(0, 9))
def test_the_order_of_rows_changes_nothing(ours: list[tuple[int, ...]], theirs: list[tuple[int, ...]], seed: int) -> None:
    local, customer = frame_of(ours, 0), frame_of(theirs, 1)
    rng = np.random.default_rng(seed)
    turned = match(shuffled(rng, local), shuffled(rng, customer), Learned())
    assert contents(turned) == contents(match(local, customer, Learned()))


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS)
def test_the_order_of_pairs_is_that_of_their_contents(ours: list[tuple[int, ...]], theirs: list[tuple[int, ...]]) -> None:
    local, customer = frame_of(ours, 0), frame_of(theirs, 1)
    turned = match(taken(local, np.arange(len(local))[::-1]), taken(customer, np.arange(len(customer))[::-1]), Learned())
    straight = match(local, customer, Learned())
    names = [name for name in PAIRS if not name.endswith("source")]
    assert turned[names].equals(straight[names])


def mirrored(pairs: pd.DataFrame) -> pd.DataFrame:
    swapped = {"l_source": "c_source", "c_source": "l_source"}
    swapped |= {f"{a}_{name}": f"{b}_{name}" for a, b in ("lc", "cl") for name in PAIRED}
    return pairs.rename(columns=swapped)[list(PAIRS)]


@settings(max_examples=80, deadline=None)
@given(ROWS, ROWS)
def test_swapped_sides_give_the_mirrored_pairs(ours: list[tuple[int, ...]], theirs: list[tuple[int, ...]]) -> None:
    local, customer = frame_of(ours, 0), frame_of(theirs, 1)
    there, back = match(local, customer, Learned()), mirrored(match(customer, local, Learned()))
    drop = ["caller", "callee", "l_source", "c_source"]  # the numbers shown are ours
    assert sorted(map(tuple, there.drop(columns=drop).to_numpy().tolist())) == sorted(
        map(tuple, back.drop(columns=drop).to_numpy().tolist())
    )


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS)
def test_partitions_by_the_callees_end_change_nothing(ours: list[tuple[int, ...]], theirs: list[tuple[int, ...]]) -> None:
    local, customer = frame_of(ours, 0), frame_of(theirs, 1)
    parts = []
    for number in range(3):
        mine, yours = (taken(frame, (frame["callee"].to_numpy() % 10_000) % 3 == number) for frame in (local, customer))
        parts.append(match(mine, yours, Learned()))
    assert contents(pd.concat(parts)) == contents(match(local, customer, Learned()))


@settings(max_examples=60, deadline=None)
@given(ROWS, st.sampled_from([0, 5_000, 60_000]), st.integers(0, 9))
def test_merging_parts_keeps_the_money_and_names_every_part(rows: list[tuple[int, ...]], period: int, seed: int) -> None:
    frame = frame_of(rows, 0)
    learned = Learned(chains={Bill.LOCAL: Chain(period, 3_000)})
    made, _, parts = normalise(frame, Bill.LOCAL, learned)
    for column in ("charge_micro", "duration_ms", "parts"):
        assert sums(made, column=column) == sums(frame, column=column)
    assert sorted([*made["source"], *parts["source"]]) == sorted(frame["source"])
    assert set(parts["head"]) <= set(made["source"])
    turned, _, _ = normalise(shuffled(np.random.default_rng(seed), frame), Bill.LOCAL, learned)
    drop = lambda ledger: sorted(map(tuple, ledger.drop(columns="source").to_numpy().tolist()))  # noqa: E731
    assert drop(turned) == drop(made)


def one(caller: int, callee: int, start: int, duration: int, charge: int = 100) -> tuple[int, int, int, int, int]:
    return caller, callee, start, duration, charge


A, B, HIDDEN, NOBODY = CALLERS[0], CALLERS[1], CALLERS[3], ABSENT
X = CALLEES[0]


@pytest.mark.parametrize(
    ("ours", "theirs", "pairs"),
    [
        ([one(A, X, 0, 60_000)], [one(A, X, 1_750, 10_000)], [(0, 0)]),  # a hung call: durations differ, starts agree
        ([one(A, X, 0, 60_000)], [one(A, X, 1_751, 10_000)], []),
        ([one(A, X, 0, 60_000)], [one(A, X, 4_750, 60_000)], [(0, 0)]),
        ([one(A, X, 0, 60_000)], [one(A, X, 4_751, 60_000)], []),
        ([one(A, X, 4_000, 60_000)], [one(A, X, 0, 64_000)], [(0, 0)]),  # counts from the INVITE: the ends agree
        ([one(A, X, 0, 5_000)], [one(B, X, 0, 5_000)], []),  # another caller is another call
        ([one(A, X, 0, 5_000)], [one(NOBODY, X, 1_000, 5_000)], [(0, 0)]),
        ([one(A, X, 0, 5_000)], [one(HIDDEN, X, 1_000, 5_000)], [(0, 0)]),  # 861******0001
        ([one(B, X, 0, 5_000)], [one(HIDDEN, X, 1_000, 5_000)], []),  # its seen end is another
        ([one(A, X, 0, 5_000), one(B, X, 0, 9_000)], [one(NOBODY, X, 500, 9_000), one(NOBODY, X, 500, 5_000)], [(0, 1), (1, 0)]),
        ([one(A, X, 0, 5_000)], [one(A, CALLEES[3], 500, 5_000)], [(0, 0)]),  # another form of the callee
        ([one(A, CALLEES[4], 0, 5_000)], [one(A, CALLEES[4], 0, 5_000)], [(0, 0)]),  # a short number
        ([one(A, X, 0, 5_000)], [one(A, X, 0, 5_000, 200), one(A, X, 0, 5_000, 100)], [(0, 1)]),  # the copy nearest in everything
        ([one(A, X, 0, 20_000), one(A, X, 3_000, 4_000)], [one(A, X, 1_600, 4_000)], [(1, 0)]),  # a redial: duration tells
    ],
)
def test_who_belongs_together(ours: list[tuple[int, ...]], theirs: list[tuple[int, ...]], pairs: list[tuple[int, int]]) -> None:
    found = match(frame_of(ours, 0), frame_of(theirs, 1), Learned())
    both = found[(found["l_source"] != MISSING) & (found["c_source"] != MISSING)]
    assert sorted(zip(both["l_source"] - 1, both["c_source"] - 1 - (1 << 40), strict=True)) == pairs


def test_a_traffic_jam_of_equal_numbers_is_matched_in_pieces() -> None:
    rng = np.random.default_rng(1)
    count = 12_000
    start = START + np.sort(rng.integers(0, 3_000_000, count))
    talk = rng.integers(1_000, 200_000, count)
    rows = [(A, X, int(at - START), int(length), 5) for at, length in zip(start, talk, strict=True)]
    local = frame_of(rows, 0)
    customer = frame_of(
        [
            (a, x, at + int(jitter), length, charge)
            for (a, x, at, length, charge), jitter in zip(rows, rng.normal(0, 400, count), strict=True)
        ],
        1,
    )
    pairs = match(local, shuffled(rng, customer), Learned())
    right = (pairs["l_source"] == pairs["c_source"] - (1 << 40)).mean()
    assert right >= 0.98


def test_tolerance_follows_the_spread_but_is_bounded() -> None:
    assert [Alignment(spread_ms=spread).tolerance_ms for spread in (0, 3_000, 4_000, 20_000, 10**6)] == [
        4_750,
        4_750,
        6_000,
        26_000,
        120_000,
    ]
    assert [Alignment(core_ms=core).core_tolerance_ms for core in (0, 2_000, 10**6)] == [1_500, 3_000, 60_000]
