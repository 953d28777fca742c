"""The verdict: technical or not, whose by money, how sure, worth disputing by the contract's thresholds, what would settle it, what changed."""

from decimal import Decimal

import msgspec
import pytest

from billing_audit.audit import BillTotal, Found
from billing_audit.ledger import MICRO, Bill, Side
from billing_audit.terms import Contract, Dispute
from billing_audit.verdict import judge


def found(cause: str, side: Side, money: int, confidence: float = 0.98, records: int = 100) -> Found:
    return Found(cause, side, records, money * MICRO, confidence, {}, ())


def totals(money: int = 100_000) -> dict[Bill, BillTotal]:
    return {bill: BillTotal(bill, (), 1000, 0, 1000, money * MICRO, "CNY") for bill in Bill}


CONTRACT = Contract(dispute=Dispute(Decimal("0.01"), Decimal(1000)))


@pytest.mark.parametrize(
    ("causes", "rest", "technical", "side"),
    [
        ([], 0, False, Side.NONE),
        ([found("increment", Side.CUSTOMER, 2000)], 0, True, Side.CUSTOMER),
        ([found("increment", Side.CUSTOMER, 2000), found("duplicate", Side.COMPANY, 3000)], 0, True, Side.COMPANY),
        ([found("cut_off", Side.NONE, 500)], 0, False, Side.NONE),
        ([], 5000, None, Side.UNDETERMINED),
        ([found("rate", Side.UNDETERMINED, 700)], 0, True, Side.UNDETERMINED),
        ([found("timezone", Side.NONE, 0, records=1000)], 0, False, Side.NONE),
    ],
)
def test_slip_and_side_follow_the_money(causes, rest, technical, side):
    verdict = judge(causes, rest * MICRO, sum(c.amount_micro for c in causes) + rest * MICRO, totals(), CONTRACT)
    assert (verdict.technical, verdict.side) == (technical, side)
    assert 0 <= verdict.confidence <= 1


@pytest.mark.parametrize(
    ("cause", "money", "bill", "disputable"),
    [
        ("increment", 1000, 100_000, True),
        ("increment", 999, 99_000, False),  # below the minimum
        ("increment", 1000, 100_001, False),  # below one percent
        ("rate", 1, 100_000, True),  # rates have no minimum
    ],
)
def test_thresholds_of_the_contract_decide_what_is_worth_disputing(cause, money, bill, disputable):
    one = found(cause, Side.CUSTOMER, money)
    assert judge([one], 0, one.amount_micro, totals(bill), CONTRACT).disputable is disputable


def test_unexplained_money_makes_a_verdict_less_sure_and_asks_for_records():
    one = found("increment", Side.CUSTOMER, 1000)
    sure, unsure = (judge([one], rest * MICRO, 0, totals(), CONTRACT) for rest in (0, 900))
    assert unsure.confidence < sure.confidence
    assert "audit.settle.raw_records" in {note.id for note in unsure.settle}


def test_without_a_contract_the_contract_would_settle_it():
    verdict = judge([found("increment", Side.UNDETERMINED, 1000)], 0, 1000 * MICRO, totals(), None)
    assert [note.id for note in verdict.settle] == ["audit.settle.contract", "audit.settle.increment"]


def test_what_changed_since_the_last_audit_is_told():
    class Before(msgspec.Struct):
        causes: tuple[Found, ...]

    before = Before((found("duplicate", Side.COMPANY, 5), found("rate", Side.CUSTOMER, 7)))
    now = [found("rate", Side.CUSTOMER, 9), found("increment", Side.CUSTOMER, 3)]
    verdict = judge(now, 0, 12 * MICRO, totals(), CONTRACT, before)
    assert [(note.id.rsplit(".", 1)[1], note.values["cause"]) for note in verdict.changed] == [
        ("still", "rate"),
        ("new", "increment"),
        ("gone", "duplicate"),
    ]


def test_no_side_is_named_while_most_of_the_money_is_unexplained():
    slip = found("early_answer", Side.CARRIER, 0, records=500)
    verdict = judge([slip], 127 * MICRO, 127 * MICRO, totals(), CONTRACT)
    assert (verdict.technical, verdict.side) == (None, Side.UNDETERMINED)
    assert "audit.note.verdict.side" not in {note.id for note in verdict.notes}
    assert judge([slip, found("rate", Side.COMPANY, 200)], 127 * MICRO, 327 * MICRO, totals(), CONTRACT).technical is True


@pytest.mark.parametrize(("measured", "asked"), [(True, False), (False, True)])
def test_calls_missing_here_without_a_measured_outage_ask_for_our_logs_and_whose_bill_is_whose(measured, asked):
    one = msgspec.structs.replace(found("missing_outage", Side.COMPANY, -500, 0.69), parameters={"measured": measured})
    told = {note.id for note in judge([one], 0, -500 * MICRO, totals(), CONTRACT).settle}
    assert ({"audit.settle.outage_log", "audit.settle.swapped"} <= told) is asked
