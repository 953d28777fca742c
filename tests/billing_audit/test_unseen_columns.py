"""Columns whose names leave open what they are."""

import random
from datetime import datetime

import pytest

from billing_audit.readers.unreadable import Unreadable
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


@pytest.mark.parametrize("form", ["%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d-%m-%y %H:%M"])
def test_the_period_of_the_contract_says_what_03_10_is(tmp_path, form):
    """A bill of one day writes 03/10/2026: the third of October or the tenth of March? The contract is for October."""
    rng = random.Random(1)
    told = [(datetime(2026, 10, 3, rng.randint(0, 23), rng.randint(0, 59)), rng.randint(1, 300), row) for row in range(100)]
    rows = [(f"44201{row:07}", f"4930{10_000_000 + row}", start, seconds, f"{seconds / 100:.2f}") for start, seconds, row in told]
    header: Row = ("Source", "Destination", "Start", "Seconds", "Cost")
    bills = [[header, *((*one[:2], one[2].strftime(how), *one[3:]) for one in rows)] for how in ("%Y-%m-%d %H:%M:%S", form)]
    terms = 'currency = "EUR"\nincrement = "1/1"\n[period]\nstart = 2026-10-01\nend = 2026-11-01\n'
    found = audited(tmp_path, *bills, terms, {"49": "0.60"})
    assert (found.audit.matched, found.audit.difference_micro) == (100, 0)


def test_dates_that_no_period_decides_are_still_asked_about(tmp_path):
    """03/10 and 10/03 both lie in a contract of a year."""
    rows: list[Row] = [
        ("Source", "Destination", "Start", "Seconds", "Cost"),
        *(("442012345678", f"49301234{n:04}", f"03/10/2026 10:00:{n:02}", 60, "0.60") for n in range(40)),
    ]
    terms = 'currency = "EUR"\nincrement = "1/1"\n[period]\nstart = 2026-01-01\nend = 2027-01-01\n'
    with pytest.raises(Unreadable):
        audited(tmp_path, rows, rows, terms, {"49": "0.60"})
