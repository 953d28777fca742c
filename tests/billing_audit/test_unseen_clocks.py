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
