"""Money and times of an audit: exact, grouped, and parts in cents that add up to the total shown."""

import stat
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_audit.ledger import MISSING
from reports.audit import figures
from reports.audit.writing import AlreadyThere, laid_down, lay_down


@pytest.mark.parametrize(
    ("micro", "exact", "shown"),
    [
        (0, "0.000000", "0.000000"),
        (13_142_432_750, "13142.432750", "13,142.432750"),
        (-17_250, "-0.017250", "−0.017250"),
        (10**18, "1000000000000.000000", "1,000,000,000,000.000000"),
    ],
)
def test_an_amount_is_shown_to_its_last_micro_unit(micro, exact, shown):
    assert figures.decimal(micro) == exact
    assert figures.grouped(micro) == shown


@pytest.mark.parametrize(
    ("micro", "digits", "units"), [(4_999, 2, 0), (5_000, 2, 1), (-4_999, 2, 0), (-5_000, 2, -1), (1_500_000, 0, 2), (499_999, 0, 0)]
)
def test_halves_are_rounded_away_from_zero(micro, digits, units):
    assert figures.units(micro, digits) == units


@given(st.lists(st.integers(-(10**14), 10**14), min_size=1, max_size=40), st.sampled_from([0, 2, 3]), st.integers(-1, 1))
def test_parts_in_cents_add_up_to_the_total_and_stay_near_what_they_are(parts, digits, off):
    """`off`: the total shown may be a cent away from the sum, where it is a difference of two rounded totals."""
    total = figures.units(sum(parts), digits) + off
    shown = figures.apportioned(parts, total, digits)
    assert sum(shown) == total
    size = 10 ** (6 - digits)
    assert all(abs(unit * size - part) <= 2 * size for unit, part in zip(shown, parts, strict=True))


def test_a_cent_goes_to_the_largest_remainder_not_to_the_first_part():
    assert figures.apportioned([3_000, 6_000, 1_000], 1, 2) == [0, 1, 0]


@given(st.integers(-(10**17), 10**17))
def test_the_exact_text_is_the_amount(micro):
    assert Decimal(figures.decimal(micro)) == Decimal(micro).scaleb(-6)


@pytest.mark.parametrize(("currency", "digits"), [("CNY", 2), ("JPY", 0), ("KWD", 3), ("", 2), ("R K", 2)])
def test_cents_are_those_of_the_currency(currency, digits):
    assert figures.digits_of(currency) == digits


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(0, 0, "–"), (273, 10_000, "2.73 %"), (1, 10**9, "< 0.01 %"), (99_991, 100_000, "> 99.9 %"), (-1, 2, "50.0 %"), (10, 10, "100.0 %")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(part, whole, shown):
    assert figures.ratio(part, whole) == shown


def test_wall_clock_of_a_zone_follows_its_summer_time():
    before, summer, winter = 1_792_874_700_000, 1_792_889_100_000, 1_792_892_700_000  # 24 Oct 20:45, 25 Oct 00:45, 01:45 UTC
    told = [figures.wall_text(at, "Europe/Berlin") for at in (before, summer, winter, MISSING)]
    assert told == ["2026-10-24 22:45:00", "2026-10-25 02:45:00", "2026-10-25 02:45:00", ""]
    assert figures.local_ms(np.array([MISSING], np.int64), "Europe/Berlin")[0] == MISSING


@pytest.mark.parametrize(
    ("number", "hidden"), [("8613812345678", "86138****5678"), ("12345678", "******78"), ("123456789", "1****6789"), ("", ""), ("7", "7")]
)
def test_a_masked_number_keeps_what_identifies_the_call_only(number, hidden):
    assert figures.masked(number) == hidden


def test_a_file_is_for_its_owner_alone_and_never_laid_over_another(tmp_path):
    path = tmp_path / "a.json"
    lay_down(path, "first")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(AlreadyThere):
        lay_down(path, "second")
    assert path.read_text() == "first"
    lay_down(path, "second", replace=True)
    assert path.read_text() == "second"
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


def test_what_fails_half_way_leaves_nothing(tmp_path):
    def write():
        with laid_down(tmp_path / "a") as stream:
            stream.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_appears_meanwhile_is_kept(tmp_path):
    def write():
        with laid_down(tmp_path / "a") as stream:
            stream.write(b"mine")
            (tmp_path / "a").write_text("theirs")

    with pytest.raises(AlreadyThere):
        write()
    assert (tmp_path / "a").read_text() == "theirs"
    assert [one.name for one in tmp_path.iterdir()] == ["a"]
