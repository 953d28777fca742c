"""What others' engines and handbooks say a call costs: their asserted rows where they are at hand (FIRSTLINE_BILLS), and rows of our own."""

import csv
import json
import os
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from billing_audit import rating
from billing_audit.decks import deck as decks
from billing_audit.ledger import MISSING
from billing_audit.money import nano
from billing_audit.numbers import PLAIN
from billing_audit.terms import Band, CostRounding, DurationRounding, Mode, Step, Terms

BILLS = os.environ.get("FIRSTLINE_BILLS")
besides = pytest.mark.skipif(BILLS is None, reason="FIRSTLINE_BILLS names no folder of outside samples")
METHODS: dict[str, Mode] = {"*up": "up", "*middle": "half_up", "*down": "down"}
NOW = datetime(2026, 10, 6, 10, tzinfo=UTC)


def rated(terms: Terms, rate: Decimal, start: datetime, duration_s: Decimal) -> tuple[Decimal, Decimal, Fraction]:
    """Return billed seconds, charge, and the exact cost before the call is rounded, of the vectorised rating held to the reference."""
    deck = decks.build({"prefix": np.array([186]), "rate_nano": np.array([nano(rate)])})
    when, talk = round(start.timestamp() * 1000), int(duration_s * 1000)
    seen = rating.rate(np.array([PLAIN + 18613800000000]), np.array([when]), np.array([talk]), None, deck, terms, "UTC")
    one = rating.exact("8613800000000", when, talk, deck, terms, "UTC")
    assert (int(seen.billed_ms[0]), int(seen.charge_micro[0])) == (one.billed_ms, one.charge_micro)
    assert one.cost is not None
    return Decimal(int(seen.billed_ms[0])) / 1000, Decimal(int(seen.charge_micro[0])).scaleb(-6), one.cost


def per_minute(rate: Decimal, unit_s: int) -> Decimal:
    return rate * 60 / unit_s


def read(name: str) -> list[dict[str, str]]:
    assert BILLS is not None
    with (Path(BILLS) / "expected" / name).open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


def cgrates(row: dict[str, str]) -> tuple[Terms, Decimal, datetime, Decimal]:
    """Return terms, rate of the deck, start and seconds of a row; several segments are bands that a call is split at."""
    segments = json.loads(row["segments"], parse_float=Decimal, parse_int=Decimal)
    start = datetime.fromisoformat(row["start"]) if row["start"][:1].isdecimal() else NOW
    slots = segments[0]["slots"]
    steps = [Step(int(begin), rate=per_minute(rate, int(unit)), increment_s=int(step)) for begin, rate, unit, step in slots[1:]]
    bands = []
    for segment in segments if len(segments) > 1 else ():
        assert len(segment["slots"]) == 1
        _, rate, unit, _ = segment["slots"][0]
        clock = [(start + timedelta(seconds=int(segment[key]))).time() for key in ("from_s", "to_s")]
        bands.append(Band(f"from {clock[0]}", *clock, rate=per_minute(rate, int(unit))))
    rounding = CostRounding(
        min(int(row["rounding_decimals"] or 6), 6),
        METHODS.get(row["rounding_method"], "half_up"),
        "call",
        int(row["increment_rounding_decimals"]),
    )
    terms = Terms(
        increment_s=int(slots[0][3]),
        connection_fee=segments[0]["connect_fee"],
        cost_rounding=rounding,
        max_cost=segments[0].get("max_cost"),
        steps=tuple(steps),
        bands=tuple(bands),
        band_boundary="split",
    )
    return terms, per_minute(slots[0][1], int(slots[0][2])), start, segments[-1]["to_s"]


@besides
def test_every_cost_that_cgrates_asserts_comes_out_as_asserted_and_exact() -> None:
    rows = read("cgrates_expected_costs.csv")
    print()
    for row in rows:
        terms, rate, start, seconds = cgrates(row)
        _, charge, _ = rated(terms, rate, start, seconds)
        plain = Terms(**{name: getattr(terms, name) for name in terms.__struct_fields__ if name != "cost_rounding"})
        _, _, cost = rated(plain, rate, start, seconds)
        if terms.max_cost is not None:
            cost = min(cost, Fraction(terms.max_cost))
        exact = Decimal(row["exact_cost_without_increment_rounding"])
        places = -int(exact.as_tuple().exponent)
        print(
            f"{row['id']:22} {int(seconds):5} s  asserted {row['expected_cost']:>8}  ours {charge.normalize():f}  exact {exact} ours {float(cost):.10g}"
        )
        assert charge == Decimal(row["expected_cost"]), row["id"]
        assert round(cost, max(places, 0)) == Fraction(exact), row["id"]
    assert len(rows) == 23


def example(row: dict[str, str]) -> Terms:
    """Return the terms that a row of the increment examples names."""
    told = row["increment"]
    if found := re.match(r"VOS hold-time precision (\d+) ms", told):
        return Terms(duration_rounding=DurationRounding(hold_ms=int(found[1])))
    if told.startswith("included"):
        return Terms(free_s=5)
    if told.startswith("FreeSWITCH"):
        return Terms(duration_rounding=DurationRounding("half_up"))
    found = re.fullmatch(r"(\d+|\?)/(\d+)(?:\+grace(\d+)\+setup([\d.]+))?", told)
    assert found is not None, told
    return Terms(
        minimum_s=None if found[1] == "?" else int(found[1]),
        increment_s=int(found[2]),
        anchor="from_zero" if row["anchor"] == "from_zero" else "after_minimum",
        grace_s=int(found[3]) if found[3] else None,
        connection_fee=Decimal(found[4]) if found[4] else None,
    )


@besides
def test_every_example_of_billed_seconds_comes_out() -> None:
    rows = read("billing_increment_examples.csv")
    print()
    for row in rows:
        billed, charge, _ = rated(example(row), Decimal(row["rate_per_min"] or 0), NOW, Decimal(row["duration_s"]))
        print(
            f"{row['increment']:45} {row['duration_s']:>7} s  {row['expected_billed_s']:>4} ours {billed:>4}  {row['expected_cost']:>6} ours {charge}"
        )
        assert billed == Decimal(row["expected_billed_s"]), row
        assert not row["expected_cost"] or charge == Decimal(row["expected_cost"]), row
    assert len(rows) == 27


@besides
def test_whole_seconds_of_an_engine_that_truncates_first_are_the_other_answer_that_the_row_names() -> None:
    row = next(row for row in read("billing_increment_examples.csv") if row["duration_s"] == "6.1")
    truncated = Terms(minimum_s=6, increment_s=6, duration_rounding=DurationRounding("down"))
    assert rated(truncated, Decimal(0), NOW, Decimal(row["duration_s"]))[0] == 6
    assert "6 with integer seconds" in row["note"]


@pytest.mark.parametrize("begin_ms", [0, 1, 459, 460, 500, 999])
def test_a_difference_of_truncated_epochs_is_the_talk_rounded_either_way(begin_ms: int) -> None:
    """FreeSWITCH's billsec of 67.540 s: what it is depends on the start's fraction, so no rounding of the duration alone is it."""
    billsec = (begin_ms + 67_540) // 1000 - begin_ms // 1000
    down, up = (
        int(rated(Terms(duration_rounding=DurationRounding(mode)), Decimal(0), NOW, Decimal("67.54"))[0]) for mode in ("down", "up")
    )
    assert (down, up) == (67, 68)
    assert billsec == (up if begin_ms >= 460 else down)


OURS: list[tuple[str, Terms, str, str, str, str]] = [
    # what, terms, rate, talk, billed, charge
    ("30/6 at the minimum", Terms(minimum_s=30, increment_s=6), "0.09", "30", "30", "0.045"),
    ("30/6 a millisecond beyond it", Terms(minimum_s=30, increment_s=6), "0.09", "30.001", "36", "0.054"),
    ("30/6 a millisecond", Terms(minimum_s=30, increment_s=6), "0.09", "0.001", "30", "0.045"),
    ("30/6 nothing", Terms(minimum_s=30, increment_s=6, connection_fee=Decimal("0.2")), "0.09", "0", "0", "0"),
    ("20/7 after the minimum", Terms(minimum_s=20, increment_s=7, anchor="after_minimum"), "0.6", "21", "27", "0.27"),
    ("20/7 from zero", Terms(minimum_s=20, increment_s=7, anchor="from_zero"), "0.6", "21", "21", "0.21"),
    ("20/7 from zero, the next", Terms(minimum_s=20, increment_s=7, anchor="from_zero"), "0.6", "21.5", "28", "0.28"),
    ("20/7 from zero below the minimum", Terms(minimum_s=20, increment_s=7, anchor="from_zero"), "0.6", "15", "20", "0.2"),
    ("grace, the last free second", Terms(minimum_s=6, increment_s=6, grace_s=3, connection_fee=Decimal("0.1")), "0.6", "3", "0", "0"),
    ("grace, the first paid one", Terms(minimum_s=6, increment_s=6, grace_s=3, connection_fee=Decimal("0.1")), "0.6", "4", "6", "0.16"),
    ("free, used up", Terms(increment_s=6, free_s=10, connection_fee=Decimal("0.1")), "0.6", "10", "0", "0"),
    ("free, one more", Terms(increment_s=6, free_s=10, connection_fee=Decimal("0.1")), "0.6", "11", "6", "0.16"),
    ("added seconds", Terms(increment_s=1, free_s=-3), "0.6", "11", "14", "0.14"),
    ("added to nothing", Terms(increment_s=1, free_s=-3), "0.6", "0", "0", "0"),
    ("hold 50 ms, below", Terms(duration_rounding=DurationRounding(hold_ms=50)), "0.6", "9.049", "9", "0.09"),
    ("hold 50 ms, at", Terms(duration_rounding=DurationRounding(hold_ms=50)), "0.6", "9.050", "10", "0.1"),
    ("half up, below", Terms(duration_rounding=DurationRounding("half_up")), "0.6", "9.499", "9", "0.09"),
    ("half up, at", Terms(duration_rounding=DurationRounding("half_up")), "0.6", "9.5", "10", "0.1"),
    ("half even, at, even below", Terms(duration_rounding=DurationRounding("half_even")), "0.6", "8.5", "8", "0.08"),
    ("half even, at, odd below", Terms(duration_rounding=DurationRounding("half_even")), "0.6", "9.5", "10", "0.1"),
    ("down", Terms(duration_rounding=DurationRounding("down")), "0.6", "9.999", "9", "0.09"),
    ("down to nothing", Terms(duration_rounding=DurationRounding("down"), connection_fee=Decimal(1)), "0.6", "0.999", "0", "0"),
    ("micro-units, a tie", Terms(), "0.00003", "1", "1", "0.000001"),
    ("micro-units, below it", Terms(), "0.000029", "1", "1", "0"),
    ("two places up", Terms(cost_rounding=CostRounding(2, "up")), "0.6001", "60", "60", "0.61"),
    ("two places up, nothing over", Terms(cost_rounding=CostRounding(2, "up")), "0.60", "60", "60", "0.6"),
    ("two places half up", Terms(cost_rounding=CostRounding(2)), "0.605", "60", "60", "0.61"),
    ("two places half even", Terms(cost_rounding=CostRounding(2, "half_even")), "0.605", "60", "60", "0.6"),
    ("two places down", Terms(cost_rounding=CostRounding(2, "down")), "0.6099", "60", "60", "0.6"),
    ("whole units", Terms(cost_rounding=CostRounding(0, "up")), "0.2", "61", "61", "1"),
    ("the bill, not the call", Terms(cost_rounding=CostRounding(2, "up", "bill")), "0.6001", "60", "60", "0.6001"),
    ("each second", Terms(cost_rounding=CostRounding(5, "half_up", "increment")), "0.1", "60", "60", "0.1002"),
    ("each second, then the call", Terms(cost_rounding=CostRounding(3, "down", "call", 5)), "0.1", "60", "60", "0.1"),
    (
        "the minimum is one increment",
        Terms(minimum_s=30, increment_s=6, cost_rounding=CostRounding(4, "half_up", "increment")),
        "0.0123",
        "40",
        "42",
        "0.0086",  # 30 s 0.00615 → 0.0062, two of 6 s 0.00123 → 0.0012 each
    ),
    ("half price after a minute", Terms(steps=(Step(60, ratio=Decimal("0.5")),)), "0.6", "90", "90", "0.75"),
    ("half price, not yet", Terms(steps=(Step(60, ratio=Decimal("0.5")),)), "0.6", "60", "60", "0.6"),
    ("first minute whole, then seconds", Terms(minimum_s=60, increment_s=60, steps=(Step(60, increment_s=1),)), "0.6", "61", "61", "0.61"),
    ("a step within the minimum", Terms(minimum_s=60, increment_s=6, steps=(Step(30, increment_s=1),)), "0.6", "40", "60", "0.6"),
    (
        "a step within the minimum, behind it",
        Terms(minimum_s=60, increment_s=6, steps=(Step(30, increment_s=1),)),
        "0.6",
        "61",
        "61",
        "0.61",
    ),
    ("the last second before a step", Terms(increment_s=60, steps=(Step(90, increment_s=1),)), "0.6", "90", "120", "1.2"),
    ("the first second of a step", Terms(increment_s=60, steps=(Step(90, increment_s=1),)), "0.6", "91", "91", "0.91"),
    ("own price after a minute", Terms(steps=(Step(60, rate=Decimal("0.06")),)), "0.6", "120", "120", "0.66"),
    ("at most", Terms(max_cost=Decimal("0.5"), connection_fee=Decimal("0.1")), "0.6", "60", "60", "0.5"),
    ("just below at most", Terms(max_cost=Decimal("0.5"), connection_fee=Decimal("0.1")), "0.6", "39", "39", "0.49"),
    ("with tax", Terms(tax_ratio=Decimal("0.06")), "0.6", "60", "60", "0.636"),
    ("with tax on the cap", Terms(tax_ratio=Decimal("0.06"), max_cost=Decimal("0.5")), "0.6", "60", "60", "0.53"),
]


@pytest.mark.parametrize(("terms", "rate", "talk", "billed", "charge"), [row[1:] for row in OURS], ids=[row[0] for row in OURS])
def test_calls_cost_what_the_arithmetic_says(terms: Terms, rate: str, talk: str, billed: str, charge: str) -> None:
    assert rated(terms, Decimal(rate), NOW, Decimal(talk))[:2] == (Decimal(billed), Decimal(charge))


EVENING = (Band("evening", datetime(2026, 1, 1, 18).time(), datetime(2026, 1, 1, 23).time(), ratio=Decimal("0.5")),)


@pytest.mark.parametrize(
    ("boundary", "clock", "seconds", "charge"),
    [
        ("split", "17:59:00", 60, "0.6"),  # ends where the band begins
        ("split", "17:59:00", 61, "0.605"),
        ("split", "17:59:30", 60, "0.45"),
        ("split", "18:00:00", 60, "0.3"),
        ("split", "22:59:59", 2, "0.015"),
        ("start", "17:59:59", 60, "0.6"),
        ("start", "18:00:00", 60, "0.3"),
        ("start", "22:59:59", 60, "0.3"),
        ("start", "23:00:00", 60, "0.6"),
    ],
)
def test_a_call_over_a_boundary_is_split_or_takes_the_band_of_its_start(boundary: str, clock: str, seconds: int, charge: str) -> None:
    terms = Terms(bands=EVENING, band_boundary="split" if boundary == "split" else "start")
    assert rated(terms, Decimal("0.6"), datetime.fromisoformat(f"2026-10-06T{clock}Z"), Decimal(seconds))[1] == Decimal(charge)


def test_what_is_missing_stays_missing_and_is_not_0() -> None:
    deck = decks.build({"prefix": np.array([186, 144]), "rate_nano": np.array([600_000_000, MISSING])})
    callee = np.array([PLAIN + 18613, PLAIN + 14413, PLAIN + 11, PLAIN + 18613, 0, PLAIN + 11])
    talk = np.array([60_000, 60_000, 60_000, MISSING, 60_000, 0])
    seen = rating.rate(callee, np.zeros(6, np.int64), talk, None, deck, Terms(), "UTC")
    assert seen.prices.row.tolist() == [1, 0, -1, 1, -1, -1]
    assert seen.billed_ms.tolist() == [60_000, 60_000, 60_000, MISSING, 60_000, 0]
    assert seen.charge_micro.tolist() == [600_000, MISSING, MISSING, MISSING, MISSING, 0]


def test_an_unanswered_call_costs_nothing_whatever_its_duration() -> None:
    deck = decks.build({"prefix": np.array([1]), "rate_nano": np.array([600_000_000])})
    terms = Terms(connection_fee=Decimal("0.1"))
    answered = np.array([0, 1, MISSING])
    seen = rating.rate(np.full(3, PLAIN + 18613), np.zeros(3, np.int64), np.full(3, 60_000), answered, deck, terms, "UTC")
    assert seen.charge_micro.tolist() == [0, 700_000, 700_000]


def test_rows_of_the_deck_come_before_the_terms() -> None:
    told = {"minimum_s": 60, "increment_s": 60, "fee_micro": 50_000, "free_s": 0}
    deck = decks.build(
        {"prefix": np.array([186, 144]), "rate_nano": np.full(2, 600_000_000)}
        | {name: np.array([value, MISSING]) for name, value in told.items()}
    )
    terms = Terms(minimum_s=6, increment_s=6, connection_fee=Decimal("0.1"), free_s=3)
    seen = rating.rate(np.array([PLAIN + 18613, PLAIN + 14413]), np.zeros(2, np.int64), np.full(2, 10_000), None, deck, terms, "UTC")
    assert seen.billed_ms.tolist() == [60_000, 12_000]
    assert seen.charge_micro.tolist() == [650_000, 220_000]
