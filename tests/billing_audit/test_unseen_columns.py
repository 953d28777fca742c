"""Columns whose names leave open what they are."""

import random

import pytest

from tests.billing_audit.written_dispute import Row, audited


def bill(header: tuple[str, ...], increment: int, ring: bool = False) -> list[Row]:
    """Return 400 calls: talk (with the ringing before it, if so), billed time, and its price."""
    rng = random.Random(3)
    rows: list[Row] = [header]
    for row in range(400):
        talk, wait = rng.randint(1, 400), rng.randint(2, 25)
        billed = -(-talk // increment) * increment
        first = talk + wait if ring else talk
        rows.append(
            (
                f"44201{row:07}",
                f"4930{10_000_000 + 7919 * row}",
                f"2026-10-{1 + row % 28:02} 10:{row % 60:02}:07",
                first,
                billed,
                f"{billed / 100:.2f}",
            )
        )
    return rows


@pytest.mark.parametrize("names", [("duration_s", "billsec"), ("Talk Time", "Bill Sec"), ("duration", "billsec")])
def test_billed_seconds_that_are_longer_than_the_talk_are_no_talk(tmp_path, names):
    """A bill has `duration_s` and `billsec`, which is 60, 120, 180 …: what is billed, whatever FreeSWITCH means by the name.

    Read as the talk, each call seems half a minute too long, and the customer is told that he counts the ringing.
    """
    header = ("Source", "Destination", "Start", *names, "Cost")
    told = audited(tmp_path, bill(header, 1), bill(header, 60), 'currency = "EUR"\nincrement = "1/1"\n', {"49": "0.60"})
    assert list(told.causes) == ["increment/customer"]
    assert told.unexplained == 0


def test_billsec_beside_a_longer_duration_is_the_talk(tmp_path):
    """Asterisk's duration counts from the first ring and billsec from the answer."""
    header = ("src", "dst", "Start", "duration", "billsec", "Cost")
    told = audited(
        tmp_path, bill(header, 1, ring=True), bill(header, 1, ring=True), 'currency = "EUR"\nincrement = "1/1"\n', {"49": "0.60"}
    )
    assert told.causes == {}
    assert told.unexplained == 0
    assert told.audit.local.files[0].columns["duration"] == "billsec"
