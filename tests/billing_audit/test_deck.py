"""A deck's price is that of the longest prefix that has one at the call's start, whatever the deck looks like."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_audit.decks.deck import NONE, Deck, build
from billing_audit.ledger import MISSING
from billing_audit.numbers import ABSENT, MASKED, OTHER, PLAIN, PLUS, TECH, TECH_UNIT

DAY = 86_400_000


def deck_of(*rows: tuple[str, int, int, int, str], bands: tuple[str, ...] = ("peak", "night")) -> Deck:
    """Build a deck of (prefix, rate, from, to, band)."""
    return build(
        {
            "prefix": np.array([int("1" + row[0]) for row in rows], np.int64),
            "rate_nano": np.array([row[1] for row in rows], np.int64),
            "from_ms": np.array([row[2] for row in rows], np.int64),
            "to_ms": np.array([row[3] for row in rows], np.int64),
            "band": np.array([bands.index(row[4]) if row[4] else NONE for row in rows], np.int64),
        },
        bands,
    )


def code(digits: str) -> int:
    return PLAIN + int("1" + digits)


def rate_at(deck: Deck, digits: str, at_ms: int, band: int = NONE) -> int | None:
    row = int(deck.lookup(np.array([code(digits)]), np.array([at_ms]), band)[0])
    return None if row == NONE else int(deck.rate_nano[row])


ALWAYS = (MISSING, MISSING)
NESTED = deck_of(("86", 1, *ALWAYS, ""), ("8610", 2, *ALWAYS, ""), ("861", 3, *ALWAYS, ""), ("1", 4, *ALWAYS, ""), ("1242", 5, *ALWAYS, ""))


@pytest.mark.parametrize(
    ("digits", "rate"),
    [
        ("8610", 2),
        ("86101", 2),
        ("861", 3),
        ("8611", 3),
        ("8609", 1),
        ("86", 1),
        ("8", None),
        ("87", None),
        ("1242", 5),
        ("1241", 4),
        ("1", 4),
        ("2", None),
        ("", None),
        ("86101234567890123", 2),
    ],
)
def test_the_longest_prefix_holds_and_a_shorter_number_has_none(digits: str, rate: int | None) -> None:
    assert rate_at(NESTED, digits, 0) == rate


def test_numbers_in_every_way_of_writing_and_what_is_no_number() -> None:
    callee = np.array([PLAIN + 18610, PLUS + 18610, TECH + 7 * TECH_UNIT + 18610, ABSENT, MASKED + 18610, OTHER + 18610, PLAIN + 1])
    assert NESTED.lookup(callee, np.zeros(7, np.int64)).tolist() == [4, 4, 4, NONE, NONE, NONE, NONE]


def test_an_empty_prefix_takes_what_no_other_takes() -> None:
    deck = deck_of(("", 9, *ALWAYS, ""), ("86", 1, *ALWAYS, ""))
    assert [rate_at(deck, digits, 0) for digits in ("86", "7", "", "8")] == [1, 9, 9, 9]


def test_an_empty_deck_has_no_price() -> None:
    deck = build({"prefix": np.empty(0, np.int64)})
    assert deck.lookup(np.array([PLAIN + 186]), np.zeros(1, np.int64)).tolist() == [NONE]
    assert deck.parent(np.array([NONE]), np.zeros(1, np.int64)).tolist() == [NONE]
    assert deck.before(np.array([NONE])).tolist() == [NONE]


RAISED = deck_of(
    ("86", 1, MISSING, MISSING, ""), ("86", 2, 10 * DAY, MISSING, ""), ("86", 3, 20 * DAY, 25 * DAY, ""), ("8", 8, 0, MISSING, "")
)


@pytest.mark.parametrize(
    ("at_ms", "rate"),
    [
        (-DAY, 1),
        (10 * DAY - 1, 1),
        (10 * DAY, 2),
        (20 * DAY - 1, 2),
        (20 * DAY, 3),
        (25 * DAY - 1, 3),
        (25 * DAY, 2),  # what held before it holds again
    ],
)
def test_the_price_that_began_last_holds_to_the_millisecond(at_ms: int, rate: int) -> None:
    assert rate_at(RAISED, "861", at_ms) == rate


def test_before_and_after_are_the_prices_of_the_same_prefix() -> None:
    rates = RAISED.rate_nano.tolist()
    rows = np.array([rates.index(one) for one in (1, 2, 3, 8)] + [NONE])
    before, after = RAISED.before(rows).tolist(), RAISED.after(rows).tolist()
    assert [rates[row] if row != NONE else None for row in before] == [None, 1, 2, None, None]
    assert [rates[row] if row != NONE else None for row in after] == [2, 3, 2, None, None]


def test_a_code_that_ended_falls_to_the_shorter_one_and_so_does_one_that_has_not_begun() -> None:
    deck = deck_of(("86", 1, *ALWAYS, ""), ("8610", 2, 5 * DAY, 9 * DAY, ""))
    assert [rate_at(deck, "86101", at) for at in (5 * DAY - 1, 5 * DAY, 9 * DAY - 1, 9 * DAY)] == [1, 2, 2, 1]


def test_the_parent_is_the_next_shorter_code_that_holds_then() -> None:
    deck = deck_of(("8", 1, *ALWAYS, ""), ("861", 2, 5 * DAY, MISSING, ""), ("86101", 3, *ALWAYS, ""))
    rows = deck.lookup(np.full(2, code("861019")), np.zeros(2, np.int64))
    parent = deck.parent(np.array([*rows, NONE]), np.array([5 * DAY - 1, 5 * DAY, 0]))
    assert [int(deck.rate_nano[row]) for row in parent[:2]] == [1, 2]
    assert deck.parent(parent[:1], np.zeros(1, np.int64)).tolist() == [NONE]
    assert parent[2] == NONE


def test_a_price_of_a_band_comes_before_that_of_all_hours_but_not_before_a_longer_code() -> None:
    deck = deck_of(("86", 1, *ALWAYS, ""), ("86", 2, *ALWAYS, "peak"), ("8610", 3, *ALWAYS, ""))
    assert [rate_at(deck, digits, 0, band) for digits in ("8620", "8610") for band in (NONE, 0, 1)] == [1, 2, 1, 3, 3, 3]


def test_bands_differ_from_call_to_call() -> None:
    deck = deck_of(("86", 1, *ALWAYS, ""), ("86", 2, *ALWAYS, "peak"), ("86", 3, *ALWAYS, "night"))
    rows = deck.lookup(np.full(4, code("86")), np.zeros(4, np.int64), np.array([NONE, 0, 1, 0]))
    assert deck.rate_nano[rows].tolist() == [1, 2, 3, 2]


PREFIXES = st.integers(0, 5).flatmap(lambda count: st.text("019", min_size=count, max_size=count))
TIMES = st.just(MISSING) | st.integers(0, 12)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(PREFIXES, TIMES, TIMES, st.sampled_from(["", "", "peak"])), max_size=15),
    st.lists(st.tuples(st.text("019", max_size=7), st.integers(-1, 13), st.sampled_from([NONE, 0, 1])), min_size=1, max_size=15),
)
def test_any_deck_gives_what_looking_at_every_row_gives(rows: list[tuple[str, int, int, str]], calls: list[tuple[str, int, int]]) -> None:
    deck = deck_of(*((prefix, at, begin, end, band) for at, (prefix, begin, end, band) in enumerate(rows)))
    found = deck.lookup(
        np.array([code(call[0]) for call in calls]), np.array([call[1] for call in calls]), np.array([call[2] for call in calls])
    )
    for (digits, at_ms, band), row in zip(calls, found.tolist(), strict=True):
        fits = [
            (len(prefix), of != "", begin, at)
            for at, (prefix, begin, end, of) in enumerate(rows)
            if digits.startswith(prefix) and begin <= at_ms and (end == MISSING or at_ms < end) and (not of or band == 0)
        ]
        assert (None if row == NONE else int(deck.rate_nano[row])) == (max(fits)[3] if fits else None)


def test_texts_of_a_row() -> None:
    deck = build({"prefix": np.array([186, 1]), "destination": np.array([0, MISSING])}, destinations=("China",))
    assert [(deck.prefix_text(row), deck.destination_text(row)) for row in range(2)] == [("", ""), ("86", "China")]
