"""The screen and the JSON of an audit: the answer first, every line within the terminal, money to the last unit, in both languages."""

import json
from decimal import Decimal

import msgspec
import pytest

from billing_audit.audit import Audit, Verdict
from billing_audit.ledger import Bill, Note, Side
from reports.audit.facts import as_json, audit_json
from reports.audit.five import five
from reports.audit.inspection import inspect_screen
from reports.audit.invoice import expected, gap, invoice_text
from reports.audit.screen import audit_screen, differs
from reports.audit.words import shares, sure
from reports.locale.text import texts
from reports.render.columns import width


def changed(audit: Audit, **values) -> Audit:
    return msgspec.structs.replace(audit, **values)


def agreeing(audit: Audit) -> Audit:
    same = msgspec.structs.replace(audit.local, refused=0, refused_rows=())
    days = tuple(
        msgspec.structs.replace(
            one,
            c_records=one.l_records,
            matched=one.l_records,
            c_duration_ms=one.l_duration_ms,
            c_billed_ms=one.l_billed_ms,
            c_micro=one.l_micro,
        )
        for one in audit.by_day
    )
    return changed(
        audit, local=same, customer=msgspec.structs.replace(same, bill=Bill.CUSTOMER), differing=0, missing_in_customer=0, difference_micro=0, causes=(),
        unexplained_micro=0, unexplained_records=0, clock_offset_s=0.0, by_day=days, methods={"local": audit.methods["local"], "customer": audit.methods["local"]},
        verdict=Verdict(False, Side.NONE, 1.0, False),
    )  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("columns", [40, 60, 80, 100, 160])
def test_no_line_is_wider_than_the_terminal(dispute, language, columns):
    screen = audit_screen(dispute.audit, texts(language), columns, False, ("a/audit.xlsx", "a/report.html"), "took 3 s")
    assert [line for line in screen.splitlines() if width(line) > columns] == []
    assert screen.endswith("\n")


@pytest.mark.parametrize(("language", "word"), [("en", "the bills differ by ¥ 770.823983"), ("zh", "双方账单差额 ¥ 770.823983")])
def test_the_first_line_is_the_answer(dispute, language, word):
    assert audit_screen(dispute.audit, texts(language)).splitlines()[0].startswith(word)


def test_the_screen_shows_each_cause_with_side_calls_and_exact_money_and_that_it_adds_up(dispute):
    screen = audit_screen(dispute.audit, texts("en"), 120)
    for found in dispute.audit.causes:
        amount = f"{Decimal(found.amount_micro).scaleb(-6):+,.6f}".replace("+0.000000", "0.000000")
        assert any(amount in line and f"{found.records:,}" in line for line in screen.splitlines())
    assert "adds up" in screen
    assert "customer  " in screen


def test_causes_that_do_not_add_up_are_said_so(dispute):
    audit = changed(dispute.audit, unexplained_micro=dispute.audit.unexplained_micro + 1)
    assert "does NOT add up" in audit_screen(audit, texts("en"))


def test_colour_only_when_asked_and_the_text_is_the_same(dispute):
    plain, painted = audit_screen(dispute.audit, texts("en")), audit_screen(dispute.audit, texts("en"), colour=True)
    assert "\x1b" not in plain
    assert "\x1b[" in painted


def test_bills_that_agree_are_good_news_and_nothing_else(dispute):
    audit = agreeing(dispute.audit)
    assert not differs(audit)
    screen = audit_screen(audit, texts("en"))
    assert screen.startswith("the bills agree: ")
    assert "nothing to do" in screen
    assert [one.agrees for one in five(audit, texts("en"))] == [True] * 5


@pytest.mark.parametrize(("difference", "theirs", "told"), [(0, 5, False), (-126_000, 5, True), (None, None, True)])
def test_money_that_no_row_shows_to_differ_is_a_difference(dispute, difference, theirs, told):
    audit = agreeing(dispute.audit)
    customer = msgspec.structs.replace(audit.customer, total_micro=theirs)
    assert differs(msgspec.structs.replace(audit, difference_micro=difference, customer=customer)) == told


@pytest.mark.parametrize(
    ("offset", "causes", "agrees"),
    [
        (0.0, (), True),
        (-28_800.0, (), True),
        (-28_800.4, (), True),
        (-28_802.0, (), False),
        (0.6, (), False),
        (0.0, ("dst",), False),
        (None, (), None),
    ],
)
def test_a_pure_zone_agrees_in_time_and_a_clock_does_not(dispute, offset, causes, agrees):
    found = tuple(msgspec.structs.replace(dispute.audit.causes[0], cause=cause) for cause in causes)
    audit = changed(dispute.audit, clock_offset_s=offset, causes=found)
    assert five(audit, texts("en"))[4].agrees is agrees


@pytest.mark.parametrize(
    ("side", "disputable", "step"),
    [
        (Side.CUSTOMER, True, "send the statement"),
        (Side.CUSTOMER, False, "below the dispute threshold"),
        (Side.COMPANY, True, "correct our own bill first"),
        (Side.CARRIER, False, "terminating carrier"),
        (Side.NONE, False, "agree the rule"),
        (Side.UNDETERMINED, False, "settle what is open"),
    ],
)
def test_the_next_step_follows_the_verdict(dispute, side, disputable, step):
    audit = changed(dispute.audit, verdict=Verdict(True, side, 0.9, disputable))
    assert step in audit_screen(audit, texts("en"), 140).split("\nnext\n")[1]


def test_what_is_missing_is_not_shown_as_zero(dispute):
    bill = msgspec.structs.replace(dispute.audit.customer, total_micro=None)
    days = tuple(msgspec.structs.replace(one, c_micro=None, c_billed_ms=None) for one in dispute.audit.by_day)
    audit = changed(dispute.audit, customer=bill, difference_micro=None, by_day=days, contract=None, methods={}, clock_offset_s=None)
    screen = audit_screen(audit, texts("en"))
    assert screen.startswith("no difference in money can be told")
    assert "¥ 0.000000" not in screen
    assert [one.agrees for one in five(audit, texts("en"))][:3] == [None, False, False]
    told = as_json(audit, texts("en"))
    assert (told["difference"], told["customer"]["total"], told["clock_offset_s"]) == (None, None, None)


def test_json_has_the_promised_keys_and_exact_money(dispute):
    told = json.loads(audit_json(dispute.audit, texts("zh"), ("a.xlsx",)))
    promised = [
        "local",
        "customer",
        "matched",
        "missing_in_local",
        "missing_in_customer",
        "clock_offset_s",
        "difference",
        "causes",
        "verdict",
    ]
    assert [key for key in promised if key not in told] == []
    assert set(told["local"]) >= {"rows", "refused", "total", "currency"}
    assert set(told["causes"][0]) >= {"cause", "side", "records", "amount", "confidence", "parameters", "evidence"}
    money = [Decimal(one["amount"]) for one in told["causes"]] + [Decimal(told["unexplained"]["amount"])]
    assert sum(money) == Decimal(told["difference"]) == Decimal(told["local"]["total"]) - Decimal(told["customer"]["total"])
    assert all(len(one["amount"].partition(".")[2]) == 6 for one in told["causes"])
    assert told["causes"][0]["name"] == "计费单位不一致"
    assert told["since"] == "2026-09-30T16:00:00Z"
    assert sum(Decimal(day["difference"]) for day in told["by_day"]) == Decimal(told["difference"])


def test_files_cannot_steer_the_terminal(dispute):
    file = msgspec.structs.replace(dispute.audit.local.files[0], name="a\x1b[2Jb\u202ec.csv")
    audit = changed(dispute.audit, local=msgspec.structs.replace(dispute.audit.local, files=(file,)))
    for shown in (audit_screen(audit, texts("en"), written=("x\x1b]0;y\x07",)), audit_json(audit, texts("en"))):
        assert not {"\x1b", "\u202e", "\x07"} & set(shown)


def test_an_inferred_rounding_alone_is_no_other_billing_method(dispute):
    method = dispute.audit.methods["local"]
    other = msgspec.structs.replace(
        method, terms=msgspec.structs.replace(method.terms, cost_rounding=dispute.audit.methods["customer"].terms.cost_rounding)
    )
    audit = changed(dispute.audit, causes=(), methods={"local": method, "customer": other})
    assert five(audit, texts("en"))[2].agrees is True
    proved = msgspec.structs.replace(dispute.audit.causes[0], cause="cost_rounding")
    compared = five(changed(audit, causes=(proved,)), texts("en"))[2]
    assert compared.agrees is False
    assert "4 decimals" in compared.by


def test_shares_of_sides_count_money_of_both_directions(dispute):
    first, second = dispute.audit.causes[0], dispute.audit.causes[2]
    causes = (msgspec.structs.replace(first, amount_micro=900), msgspec.structs.replace(second, amount_micro=-100))
    audit = changed(dispute.audit, causes=causes, unexplained_micro=0)
    assert shares(audit) == {Side.CUSTOMER: 900, Side.COMPANY: 100}


@pytest.mark.parametrize(("confidence", "shown"), [(1.0, "100 %"), (0.999, "99 %"), (0.5, "50 %"), (0.0, "0 %")])
def test_only_what_is_certain_is_a_hundred_per_cent_sure(confidence, shown):
    assert sure(confidence) == shown


class Seen(msgspec.Struct):
    field: str
    header: str
    position: int
    samples: tuple[str, ...]


class Table(msgspec.Struct):
    name: str
    columns: tuple[Seen, ...]
    accounts: dict[str, int]
    unknown: tuple[str, ...] = ("备注\x1b[1m",)
    format: str = "columns by their headers"
    encoding: str = "gb18030"
    delimiter: str = "\t"
    zone: str = ""
    times: str = "text"
    date_order: str = "ymd"
    decimal_mark: str = "."
    units: dict[str, str] = {}
    currency: str = ""
    notes: tuple[Note, ...] = ()


class Looked(msgspec.Struct):
    bill: Bill
    tables: tuple[Table, ...]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("columns", [40, 80, 120])
def test_inspect_shows_columns_with_samples_and_asks_which_account(language, columns):
    columns_seen = (Seen("duration", "通话时长", 3, ("61", "1:02")), Seen("caller", "主叫\x1b[2J号码", 1, ("8613812345678", "=1+1")))
    seen = Looked(Bill.CUSTOMER, (Table("客户.txt", columns_seen, {"A-1": 5_000, "B-2": 7}),))
    screen = inspect_screen([seen], texts(language), columns)
    assert [line for line in screen.splitlines() if width(line) > columns] == []
    assert "\x1b" not in screen
    assert "8613812345678" in screen or columns == 40
    assert "--account" in screen
    assert screen.index("caller") < screen.index("duration (") if columns > 40 else True


@pytest.mark.parametrize(
    ("invoiced", "said"),
    [
        (0, "up to its rounding (0.000000)"),
        (4_000, "up to its rounding (+0.004000)"),
        (6_000_000, "is +6.000000 from calls"),
        (-10_000, "is −0.010000 from calls"),
    ],
)
def test_an_invoice_is_held_against_calls_and_the_lines_of_the_contract(dispute, invoiced, said):
    audit = changed(dispute.audit, lines=(("monthly fee", 200_000_000), ("credit", -50_500_000)))
    cents = round(expected(audit.local, audit) / 10_000) * 10_000
    whole = msgspec.structs.replace(audit.local, total_micro=audit.local.total_micro + cents - expected(audit.local, audit))
    audit = msgspec.structs.replace(audit, local=whole)
    told = msgspec.structs.replace(audit.local, invoice_micro=expected(audit.local, audit) + invoiced)
    text = invoice_text(told, audit, texts("en"))
    assert said in text
    assert "monthly fee +200" in text
    assert "credit −50.5" in text


def test_an_invoice_of_a_bill_without_charges_is_not_compared_with_nothing(dispute):
    bill = msgspec.structs.replace(dispute.audit.local, total_micro=None, invoice_micro=1_000_000)
    assert gap(bill, dispute.audit) is None
    assert "no charges" in invoice_text(bill, dispute.audit, texts("en"))


@pytest.mark.parametrize(("cause", "word"), [("clock", "clocks do not"), ("dst", "clocks do not"), ("timezone", "no difference")])
def test_calls_that_agree_at_other_times_are_said_so_and_another_zone_agrees(dispute, cause, word):
    mark = msgspec.structs.replace(dispute.audit.causes[0], cause=cause, side=Side.UNDETERMINED, amount_micro=0)
    audit = changed(agreeing(dispute.audit), causes=(mark,))
    assert differs(audit) == (cause != "timezone")
    assert word in audit_screen(audit, texts("en"), 120).splitlines()[0]


def test_totals_that_are_equal_by_chance_are_no_agreement(dispute):
    audit = changed(agreeing(dispute.audit), missing_in_customer=2, differing=3)
    assert differs(audit)
    assert audit_screen(audit, texts("en"), 120).startswith("the totals are equal, the calls are not: 5 differ or are missing, 0 rows")
