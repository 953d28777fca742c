"""Records that are there twice, or last longer, in bills that do not say all that would tell."""

import random
from datetime import datetime, timedelta

from tests.billing_audit.written_dispute import Row, audited

TERMS = 'currency = "USD"\nincrement = "1/1"\n'
DECK = {"1": "0.60", "44": "0.60", "49": "0.60", "91": "0.60", "92": "0.60"}
HEADER: Row = ("Caller", "Callee", "Start", "Seconds", "Cost")


def calls(count: int) -> list[tuple[str, str, datetime, int]]:
    """Return calls: caller, callee, start, seconds of talk."""
    rng = random.Random(23)
    return [
        (
            f"44201{row:07}",
            rng.choice(sorted(DECK)) + str(rng.randint(10**9, 10**10 - 1)),
            datetime(2026, 10, 1) + timedelta(seconds=rng.randint(0, 20 * 86_400)),
            rng.randint(5, 300),
        )
        for row in range(count)
    ]


def written(caller: str, callee: str, start: datetime, seconds: int) -> Row:
    return caller, callee, start.strftime("%Y-%m-%d %H:%M:%S"), seconds, f"{seconds / 100:.2f}"


def test_calls_without_a_caller_that_stand_twice_are_duplicates(tmp_path):
    """Our bill hides each third caller and holds forty calls twice; theirs shows all callers.

    The record that meets theirs takes their caller, and its twin has none: they looked like calls of two people.
    """
    told = calls(900)
    customer = [HEADER, *(written(*one) for one in told)]
    hidden = [("" if row % 3 == 0 else one[0], *one[1:]) for row, one in enumerate(told)]
    local = [HEADER, *(written(*one) for one in [*hidden, *hidden[100:140]])]
    found = audited(tmp_path, local, customer, TERMS, DECK)
    assert {name: records for name, (records, _) in found.causes.items()} == {"duplicate/company": 40}
    assert found.unexplained == 0


def test_a_destination_is_a_route_where_no_bill_has_gateways(tmp_path):
    """All calls to 91 last some seconds longer in our bill: their carrier answers while it still rings; no bill says the gateway.

    A measure of ringing would show everywhere, another method on nobody's talk time: the destination is the route.
    """
    rng = random.Random(29)
    told = calls(1200)
    early = [
        (caller, callee, start - timedelta(seconds=wait), seconds + wait)
        for caller, callee, start, seconds in told
        for wait in [rng.randint(3, 20) if callee.startswith("91") else 0]
    ]
    found = audited(tmp_path, [HEADER, *(written(*one) for one in early)], [HEADER, *(written(*one) for one in told)], TERMS, DECK)
    assert list(found.causes) == ["early_answer/carrier"]
    assert found.audit.causes[0].parameters["prefixes"] == "91"
    assert found.unexplained == 0


def test_calls_that_end_together_are_one_call_though_one_began_long_before(tmp_path):
    """As above, but theirs begins earlier, and their clock shows seconds as ours: only on that route do starts lie 20 s apart and more.

    Starts agree to the second everywhere else, so that these calls were missing on both sides.
    """
    told = calls(1200)
    early = [
        (caller, callee, start - timedelta(seconds=35 if callee.startswith("92") else 0), seconds + (35 if callee.startswith("92") else 0))
        for caller, callee, start, seconds in told
    ]
    found = audited(tmp_path, [HEADER, *(written(*one) for one in told)], [HEADER, *(written(*one) for one in early)], TERMS, DECK)
    assert found.audit.matched == len(told)
    assert list(found.causes) == ["early_answer/carrier"]
