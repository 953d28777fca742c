"""Clocks of bills that do not turn with the contract's zone."""

import random
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from tests.billing_audit.written_dispute import Row, audited

LONDON = ZoneInfo("Europe/London")
TERMS = 'currency = "GBP"\ntimezone = "Europe/London"\nincrement = "1/1"\n'


def bill(turn: datetime, clock: timezone | ZoneInfo) -> list[Row]:
    """Return calls from four days before to four days after the turn, none in the nights, as this clock shows them."""
    rng = random.Random(5)
    rows: list[Row] = [("Caller", "Callee", "Start", "Seconds", "Cost")]
    for row in range(800):
        day = turn.astimezone(LONDON).date() + timedelta(days=row % 9 - 4)
        start = datetime(day.year, day.month, day.day, rng.randint(8, 20), rng.randint(0, 59), rng.randint(0, 59), tzinfo=LONDON)
        seconds = rng.randint(10, 600)
        rows.append(
            (
                f"44201{row:07}",
                f"33{rng.randint(10**8, 10**9 - 1)}",
                start.astimezone(clock).strftime("%Y-%m-%d %H:%M:%S"),
                seconds,
                f"{seconds}",
            )
        )
    return rows


@pytest.mark.parametrize(
    ("turn", "fixed_hours"),
    [(datetime(2026, 10, 25, 1, tzinfo=UTC), 1), (datetime(2026, 3, 29, 1, tzinfo=UTC), 0)],
    ids=["autumn", "spring"],
)
@pytest.mark.parametrize("whose", ["company", "customer"])
def test_the_side_whose_clock_does_not_turn_is_told_without_a_call_in_that_hour(tmp_path, turn, fixed_hours, whose):
    """One switch stays in summer time when London goes back (and in winter time when it goes forward); nobody calls at night.

    No hour has twice its calls or none, so that only the direction of the step says whose clock stood still.
    """
    still, turned = bill(turn, timezone(timedelta(hours=fixed_hours))), bill(turn, LONDON)
    told = audited(tmp_path, *((still, turned) if whose == "company" else (turned, still)), TERMS, {"33": "60"})
    assert list(told.causes) == [f"dst/{whose}"]
    assert told.unexplained == 0


def test_calls_in_the_hour_that_comes_twice_make_no_two_steps_of_one_turn(tmp_path):
    """New York goes back on 1 November while calls go on all night; our switch stays in summer time.

    Their 01:30 may be either of two; read as the first it is two hours from ours for a while, then one: one turn, and ours.
    """
    york = ZoneInfo("America/New_York")
    rng = random.Random(8)
    header: Row = ("Caller", "Callee", "Start", "Seconds", "Cost")
    local, customer = [header], [header]
    for row in range(6000):
        start = datetime(2026, 10, 29, 4, tzinfo=UTC) + timedelta(seconds=rng.randint(0, 7 * 86_400))
        numbers, seconds = (f"12125{row:06}", f"4420{rng.randint(10**7, 10**8 - 1)}"), rng.randint(10, 600)
        for bill_, clock in ((local, timezone(timedelta(hours=-4))), (customer, york)):
            bill_.append((*numbers, start.astimezone(clock).strftime("%Y-%m-%d %H:%M:%S"), seconds, f"{seconds}"))
    told = audited(tmp_path, local, customer, TERMS.replace("Europe/London", "America/New_York"), {"44": "60"})
    assert list(told.causes) == ["dst/company"]
    assert told.unexplained == 0
