"""Prices that one bill takes otherwise than the deck, as real bills show them: in cents, in a few calls, in parts of a code."""

import random
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

from tests.billing_audit.written_dispute import Row, Told, audited

TERMS = (
    'currency = "CNY"\ntimezone = "Asia/Shanghai"\nincrement = "60/60"\ncost_rounding = {{ digits = {}, mode = "half_up", per = "call" }}\n'
)
DECK = {"86732": "0.04", "86329": "0.09", "86755": "0.15", "86139": "0.12", "8610": "0.06", "8621": "0.05"}
HEADER: Row = ("主叫号码", "被叫号码", "开始时间", "通话时长(秒)", "通话费用(元)")


def bills(
    count: int, digits: int, ours: Callable[[str, Decimal], Decimal], theirs: Callable[[str, Decimal], Decimal]
) -> tuple[list[Row], list[Row]]:
    """Return two bills of so many calls; each side makes of a callee and the deck's cost what it charges before rounding."""
    rng = random.Random(11)
    local, customer = [HEADER], [HEADER]
    for row in range(count):
        code = rng.choice(sorted(DECK))
        callee = code + "".join(rng.choices("0123456789", k=12 - len(code)))
        talk = min(2400, int(rng.expovariate(1 / 100)) + 1)
        when = f"2026-10-{1 + row % 28:02} {rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"
        cost = Decimal(DECK[code]) * -(-talk // 60)
        told = [side(callee, cost).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP) for side in (ours, theirs)]
        local.append((f"861391{row:07}", callee, when, talk, told[0]))
        customer.append((f"861391{row:07}", callee, when, talk, told[1]))
    return local, customer


def agreed(_callee: str, cost: Decimal) -> Decimal:
    return cost


def all_of(told: Told, cause: str) -> None:
    """Assert that this is the only cause, and has all the money."""
    assert list(told.causes) == [cause], told.causes
    assert told.unexplained == 0
    assert told.causes[cause][1] == Decimal(told.audit.difference_micro) / 10**6


def finer(callee: str, cost: Decimal) -> Decimal:
    """Return the cost by a list that has 867321, 867323 and 867327 apart."""
    return cost * Decimal("1.4") if callee[:6] in ("867321", "867323", "867327") else cost


def test_finer_codes_inside_one_of_the_deck_are_a_list_of_their_own(tmp_path):
    """A customer has 867321, 867323 and 867327 apart at 0.056, where the deck has 86732 at 0.04.

    Three in ten calls of the code: it is no other price of 86732, and no single longer code has them all.
    """
    told = audited(tmp_path, *bills(3000, 4, agreed, finer), TERMS.format(4), DECK)
    all_of(told, "code_list/customer")
    assert told.audit.causes[0].parameters["count"] == 3


def test_finer_codes_show_in_cents_too(tmp_path):
    """The same list of ours, in cents: a call of one minute is 0.06 instead of 0.04, and calls that could be either prove nothing."""
    all_of(audited(tmp_path, *bills(3000, 2, finer, agreed), TERMS.format(2), DECK), "code_list/company")


def test_tax_shows_in_cents(tmp_path):
    """Our bill holds 6 % of tax, theirs not, both in cents: most calls cost 0.05 to 0.30 and differ by a cent or nothing.

    No call differs by more than a rounding of cents could hide in a small one, and yet one ratio explains each of them.
    """
    all_of(audited(tmp_path, *bills(1500, 2, taxed, agreed), TERMS.format(2), DECK), "scale/company")


def taxed(_callee: str, cost: Decimal) -> Decimal:
    return cost * Decimal("1.06")


def test_two_prices_in_the_largest_code_hide_no_method(tmp_path):
    """A quarter of the calls to the busiest code cost two fifths more by finer codes of theirs; we count each second instead of minutes.

    The busiest code's charges lie on two lines, so that neither is found: without its vote the customer seemed to bill 12/60 less a second.
    """
    rng = random.Random(17)
    local, customer = [HEADER], [HEADER]
    for row in range(1300):
        code = rng.choice(["86732"] * 3 + sorted(DECK))
        callee = code + "".join(rng.choices("0123456789", k=12 - len(code)))
        talk = min(2400, int(rng.expovariate(1 / 60)) + 1)
        head = (f"861391{row:07}", callee, f"2026-10-{1 + row % 28:02} {rng.randint(0, 23):02}:{row % 60:02}:07", talk)
        price = Decimal(DECK[code])
        local.append((*head, (price * talk / 60).quantize(Decimal("0.000001"), ROUND_HALF_UP)))
        customer.append((*head, (finer(callee, price) * -(-talk // 60)).quantize(Decimal("0.000001"), ROUND_HALF_UP)))
    told = audited(tmp_path, local, customer, TERMS.format(6), DECK)
    assert set(told.causes) == {"increment/company", "code_list/customer"}, told.causes
    assert told.unexplained == 0


def test_a_handful_of_calls_to_finer_codes_is_enough_where_no_other_call_goes_there(tmp_path):
    """Three finer codes with four calls each, in a bill of 250: all their calls cost more and no other call of the code does."""
    told = audited(tmp_path, *bills(250, 4, agreed, finer), TERMS.format(4), DECK)
    assert told.audit.causes[0].records < 18
    all_of(told, "code_list/customer")
