"""Numbers as routes and exchanges write them, where the deck has them in the international form."""

import random
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest

from billing_audit.numbering.alike import rules_of
from billing_audit.numbers import PLAIN
from tests.billing_audit.written_dispute import audited

WORLD = {"1": "0.0100", "44": "0.0200", "49": "0.0300", "7": "0.0450", "90": "0.2000", "901": "0.3000", "91": "0.0120", "234": "0.1100"}
CHINA = {"8610": "0.06", "8621": "0.07", "86755": "0.05", "86139": "0.10", "86186": "0.08"}
TERMS = 'currency = "USD"\nincrement = "6/6"\ncost_rounding = { digits = 4, mode = "half_up", per = "call" }\n'


def bills(deck: dict[str, str], ours: Callable[[str], str], theirs: Callable[[str], str], dear: str) -> tuple[list[object], list[object]]:
    """Return two bills of 600 calls; the customer bills the code `dear` by a tenth more."""
    rng = random.Random(7)
    header = ("Caller", "Called", "Start Time", "Duration (s)", "Charge")
    local, customer = [header], [header]
    for row in range(600):
        code = rng.choice(sorted(deck))
        callee = code + "".join(rng.choices("23456789", k=11 - len(code) + code.startswith("86")))
        talk = rng.randint(5, 900)
        when = f"2026-10-{20 + row % 9} {rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"
        cost = Decimal(deck[code]) * (-(-talk // 6) * 6) / 60
        charges = [one.quantize(Decimal("0.0001"), ROUND_HALF_UP) for one in (cost, cost * (Decimal("1.1") if code == dear else 1))]
        caller = "4420" + str(10_000_000 + row)
        local.append((caller, ours(callee), when, talk, charges[0]))
        customer.append((caller, theirs(callee), when, talk, charges[1]))
    return local, customer


def bare(number: str) -> str:
    return number


def route(number: str) -> str:
    return "9901" + number


def abroad(number: str) -> str:
    return "00" + number


def inside(number: str) -> str:
    """Return a Chinese number as dialled in China."""
    return number[2:] if number[2:4] in ("13", "18") else "0" + number[2:]


@pytest.mark.parametrize(
    ("deck", "ours", "theirs"),
    [
        (WORLD, bare, route),
        (WORLD, route, bare),
        (WORLD, route, abroad),
        (WORLD, route, route),
        (WORLD, abroad, abroad),
        (CHINA, inside, inside),
        (CHINA, route, inside),
        (CHINA, abroad, route),
    ],
)
def test_routing_digits_and_national_forms_do_not_hide_the_price(tmp_path, deck, ours, theirs):
    """A carrier sends 9901 before every number; its digits with the country behind read like Turkey's 901… in the deck.

    Code by code it seems that the one bill lacks digits, and other prices come out on both sides. Before all numbers it is one prefix that
    says nothing; and where both bills write it, or both write numbers as they are dialled at home, only the deck can tell.
    """
    dear = "49" if deck is WORLD else "8621"
    told = audited(tmp_path, *bills(deck, ours, theirs, dear), TERMS, deck)
    assert list(told.causes) == ["rate/customer"], told.causes
    assert told.unexplained == 0
    assert told.causes["rate/customer"][1] == Decimal(told.audit.difference_micro) / 10**6


def test_numbers_that_are_the_decks_stay():
    """A bill of Turkish numbers alone begins alike in all of them, and is the deck's nonetheless."""
    deck = np.array([int("1" + code) for code in WORLD])
    turkish = np.array([PLAIN + int("1" + "90532" + str(1_000_000 + 7919 * at)) for at in range(100)])
    assert rules_of(turkish, deck) == ()
    assert rules_of(turkish, None) == ()
