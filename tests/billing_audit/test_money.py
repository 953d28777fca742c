"""Money is exact or refused; quotients are rounded as Decimal rounds, at any size."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_audit import money
from billing_audit.terms import Mode

ROUNDINGS = {"up": ROUND_UP, "half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "down": ROUND_DOWN}
BIGGEST = (1 << 63) - 1


@pytest.mark.parametrize("text", ["0", "0.0123", "-5", "+7.50", " 12.5 ", ".5", "007", "999999999999999999"])
def test_a_plain_decimal_is_that_number(text: str) -> None:
    assert money.decimal(text) == Decimal(text.strip())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "money_empty"),
        ("  ", "money_empty"),
        ("12,5", "money_comma"),
        ("1,234.50", "money_comma"),
        ("1.234,50", "money_comma"),
        ("1.2,34.50", "money"),
        ("1.2E-3", "money"),
        ("5.", "money"),
        (".", "money"),
        ("0x10", "money"),
        ("nan", "money"),
        ("١٢", "money"),
        ("1_000", "money"),
        ("¥5", "money"),
        ("--5", "money"),
        ("1234567890123456789", "money"),
    ],
)
def test_a_text_in_doubt_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(money.Doubtful) as refused:
        money.decimal(text)
    assert refused.value.note.id == f"audit.refused.{why}"


@pytest.mark.parametrize(
    ("value", "units"),
    [("0.000001", 1), ("-0.000001", -1), ("9223372036854.775807", BIGGEST), ("1E+3", 1_000_000_000), ("0E-30", 0), ("0E+50", 0)],
)
def test_micro_units_are_exact(value: str, units: int) -> None:
    assert money.micro(Decimal(value)) == units
    assert money.from_micro(units) == Decimal(value)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("0.0000001", "money_places"),
        ("1.0000005", "money_places"),
        ("9223372036854.775808", "money_size"),
        ("1E+999999", "money_size"),
        ("1E-999999", "money_places"),
        ("NaN", "money"),
        ("Infinity", "money"),
    ],
)
def test_what_micro_units_can_not_hold_is_refused(value: str, why: str) -> None:
    with pytest.raises(money.Doubtful) as refused:
        money.micro(Decimal(value))
    assert refused.value.note.id == f"audit.refused.{why}"


def test_nano_units_have_nine_places() -> None:
    assert money.nano(Decimal("0.000000001")) == 1
    with pytest.raises(money.Doubtful):
        money.nano(Decimal("0.0000000001"))


@pytest.mark.parametrize("mode", ROUNDINGS)
@pytest.mark.parametrize(
    ("numerator", "denominator"), [(n, d) for d in (1, 2, 3, 10) for n in (-31, -30, -29, -15, -5, -1, 0, 1, 5, 15, 25, 29)]
)
def test_both_sides_of_every_tie(numerator: int, denominator: int, mode: Mode) -> None:
    wanted = int((Decimal(numerator) / denominator).quantize(Decimal(1), ROUNDINGS[mode]))
    assert money.divide(np.array([numerator]), denominator, mode).tolist() == [wanted]
    assert money.divide_one(numerator, denominator, mode) == wanted


@given(
    st.lists(st.integers(-BIGGEST, BIGGEST) | st.integers(-1000, 1000), max_size=20),
    st.integers(1, (1 << 62) - 1) | st.integers(1, 1000),
    st.sampled_from(sorted(ROUNDINGS)),
)
def test_quotients_are_rounded_as_decimal_rounds_at_any_size(numerators: list[int], denominator: int, mode: Mode) -> None:
    with localcontext(prec=60):
        # 60 digits tell any quotient of two int64 from a tie
        wanted = [int((Decimal(one) / denominator).quantize(Decimal(1), ROUNDINGS[mode])) for one in numerators]
    assert money.divide(np.array(numerators, np.int64), denominator, mode).tolist() == wanted
