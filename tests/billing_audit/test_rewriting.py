"""Numbers of both bills come to agree by prefix rules, whatever the forms in which they are written."""

import csv
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_audit.ledger import Bill, Names
from billing_audit.matching.learn import Learned, learn
from billing_audit.matching.normalise import normalise
from billing_audit.numbering.rewriting import Rule, apply, fixed
from billing_audit.numbers import Codes, decode, digits, encode
from tests.billing_audit.two_bills import calls, ledger

BILLS = os.environ.get("FIRSTLINE_BILLS")
LANDLINES = ("8610", "8621", "86755", "86571")
ABROAD = ("44207946", "1415555", "49301234", "7903123", "8526123")


def world(rng: np.random.Generator, count: int, abroad: float) -> list[str]:
    """Return numbers in international form: Chinese mobiles, landlines, and some of other countries."""
    made = []
    for kind, tail in zip(rng.random(count), rng.integers(10**7, 10**8, count).tolist(), strict=True):
        if kind < abroad:
            made.append(ABROAD[tail % len(ABROAD)] + str(tail)[:4])
        elif kind < abroad + 0.2:
            made.append(LANDLINES[tail % len(LANDLINES)] + "6" + str(tail)[1:])
        else:
            made.append("86" + ("138", "139", "150", "186", "177")[tail % 5] + str(tail))
    return made


def national(number: str) -> str:
    """Return a Chinese number as dialled inside China: mobiles bare, landlines with the trunk 0; others behind 00."""
    if not number.startswith("86"):
        return "00" + number
    return number[2:] if number[2] == "1" and number[3] != "0" else "0" + number[2:]


def trunk(number: str) -> str:
    return "0" + number[2:] if number.startswith("86") else "00" + number


FORMS: dict[str, Callable[[str], str]] = {
    "plus": lambda number: "+" + number,
    "zeros": lambda number: "00" + number,
    "bare": lambda number: number,
    "trunk": trunk,
    "national": national,
    "tech": lambda number: "8888#" + number,
    "star": lambda number: "99*" + trunk(number),
    "routing": lambda number: "4401" + number,
    "17951": lambda number: "17951" + trunk(number),
}


NATIONAL = {("trunk", "national"), ("trunk", "star"), ("trunk", "17951")}  # neither bill says the country


def learned_from(ours: list[str], theirs: list[str], names: Names, field: str = "callee") -> tuple[Learned, pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(1)
    told = calls(rng, len(ours))
    local = ledger(rng, told, 0, **{field: np.array([encode(text, names) for text in ours], np.int64)})
    customer = ledger(rng, told, 1, **{field: np.array([encode(text, names) for text in theirs], np.int64)})
    return learn(local, customer, names, "UTC"), local, customer


def rewritten(frame: pd.DataFrame, bill: Bill, learned: Learned, field: str) -> list[int]:
    made, _, _ = normalise(frame, bill, learned)
    by_source = pd.Series(digits(made[field].to_numpy()), index=made["source"] & 0xFFFFFFFF).sort_index()
    return [int(value) for value in by_source]


@pytest.mark.parametrize("field", ["caller", "callee"])
@pytest.mark.parametrize("theirs", FORMS)
@pytest.mark.parametrize("ours", ["bare", "plus", "trunk", "tech"])
def test_two_forms_become_the_international_one(ours: str, theirs: str, field: str) -> None:
    numbers = world(np.random.default_rng(2), 1_500, 0.0 if theirs == "17951" else 0.3)  # a code holds 17 digits
    names = Names()
    learned, local, customer = learned_from([FORMS[ours](n) for n in numbers], [FORMS[theirs](n) for n in numbers], names, field)
    mine, yours = rewritten(local, Bill.LOCAL, learned, field), rewritten(customer, Bill.CUSTOMER, learned, field)
    assert mine == yours
    if ours != theirs and (ours, theirs) not in NATIONAL:
        agree = np.mean([value == int("1" + number) for value, number in zip(mine, numbers, strict=True)])
        assert agree >= 0.98, [(rule.bill, rule.strip, rule.add) for rule in learned.rules]
        assert len(learned.rules) <= 16


def test_a_bill_that_mixes_all_forms_is_understood() -> None:
    rng = np.random.default_rng(3)
    numbers = world(rng, 6_000, 0.3)
    kinds = [FORMS[name] for name in ("plus", "zeros", "bare", "trunk", "tech", "star")]
    names = Names()
    theirs = [kinds[kind](number) for kind, number in zip(rng.integers(0, len(kinds), len(numbers)).tolist(), numbers, strict=True)]
    ours = [kinds[kind](number) for kind, number in zip(rng.integers(0, 4, len(numbers)).tolist(), numbers, strict=True)]
    learned, local, customer = learned_from(ours, theirs, names)
    mine, yours = rewritten(local, Bill.LOCAL, learned, "callee"), rewritten(customer, Bill.CUSTOMER, learned, "callee")
    assert np.mean(np.array(mine) == np.array(yours)) >= 0.999
    assert np.mean([value == int("1" + number) for value, number in zip(mine, numbers, strict=True)]) >= 0.999


def test_rules_are_reported_with_the_rows_they_were_found_in() -> None:
    numbers = world(np.random.default_rng(4), 1_000, 0.0)
    names = Names()
    learned, _, customer = learned_from(numbers, [FORMS["tech"](number) for number in numbers], names)
    assert [(rule.bill, rule.field, rule.strip, rule.add, rule.rows) for rule in learned.rules] == [
        (Bill.CUSTOMER, "callee", "8888#", "", 1_000)
    ]
    _, counts, _ = normalise(customer, Bill.CUSTOMER, learned)
    assert counts.tolist() == [1_000]


def test_bills_that_agree_need_no_rule() -> None:
    numbers = world(np.random.default_rng(5), 500, 0.3)
    for form in FORMS.values():
        learned, _, _ = learned_from([form(n) for n in numbers], [form(n) for n in numbers], Names())
        assert learned.rules == ()


def test_a_contract_fixes_the_rules_of_its_bills() -> None:
    numbers = world(np.random.default_rng(6), 500, 0.0)
    names = Names()
    rng = np.random.default_rng(1)
    told = calls(rng, len(numbers))
    local = ledger(rng, told, 0, callee=np.array([encode(n, names) for n in numbers], np.int64))
    customer = ledger(rng, told, 1, callee=np.array([encode("77" + n, names) for n in numbers], np.int64))
    learned = learn(local, customer, names, "UTC", number_rules={"customer": (("77", ""),)})
    assert {(rule.bill, rule.field, rule.strip, rule.add) for rule in learned.rules} == {
        (Bill.CUSTOMER, "caller", "77", ""),
        (Bill.CUSTOMER, "callee", "77", ""),
    }
    assert rewritten(customer, Bill.CUSTOMER, learned, "callee") == rewritten(local, Bill.LOCAL, learned, "callee")


def test_the_decks_form_decides_where_plans_do_not() -> None:
    numbers = ["13" + str(n) for n in np.random.default_rng(7).integers(10**8, 10**9, 800)]
    rng = np.random.default_rng(1)
    told, names = calls(rng, len(numbers)), Names()
    local = ledger(rng, told, 0, callee=np.array([encode(n, names) for n in numbers], np.int64))
    customer = ledger(rng, told, 1, callee=np.array([encode("86" + n, names) for n in numbers], np.int64))
    by_plan = learn(local, customer, names, "UTC")
    assert {(rule.bill, rule.strip[:2], rule.add[:4]) for rule in by_plan.rules} <= {(Bill.LOCAL, "", "86"), (Bill.LOCAL, "13", "8613")}
    by_deck = learn(local, customer, names, "UTC", deck=np.array([113, 1130, 1131], np.int64))
    assert {(rule.bill, rule.strip, rule.add) for rule in by_deck.rules} == {(Bill.CUSTOMER, "86", "")}


@pytest.mark.parametrize(
    ("strip", "add", "text", "made"),
    [
        ("0", "86", "013812345678", "8613812345678"),
        ("0", "86", "13812345678", "13812345678"),
        ("+", "", "+8613812345678", "8613812345678"),
        ("+86", "0", "+8613812345678", "013812345678"),
        ("8888#", "", "8888#8613812345678", "8613812345678"),
        ("8888#0", "86", "8888#013812345678", "8613812345678"),
        ("8888#0", "86", "8888#8613812345678", "8888#8613812345678"),
        ("86", "", "86138****5678", "138****5678"),
        ("0", "86", "0138****5678", "86138****5678"),
        ("", "86", "13812345678", "8613812345678"),
        ("", "86", "+13812345678", "+13812345678"),
        ("110", "", "110", "110"),
        ("0", "86", "anonymous", ""),
        ("0", "86", "Switchboard", "Switchboard"),
    ],
)
def test_a_rule_changes_the_numbers_that_begin_with_it_alone(strip: str, add: str, text: str, made: str) -> None:
    names = Names()
    names.short("8888#")
    code = np.array([encode(text, names)], np.int64)
    after, rows = apply(code, (Rule(Bill.LOCAL, "callee", strip, add, 0),), Bill.LOCAL, "callee", (("8888#", 0),))
    assert decode(int(after[0]), names) == made
    assert rows is not None
    assert rows.tolist() == [int(int(after[0]) != int(code[0]))]
    assert apply(code, (Rule(Bill.CUSTOMER, "callee", strip, add, 0),), Bill.LOCAL, "callee")[1] is None


def outside(name: str) -> list[str]:
    return (Path(str(BILLS)) / "numbering" / name).read_text(encoding="utf-8").splitlines()


PREFIX = st.text("0189", min_size=1, max_size=4)


@given(
    st.lists(st.tuples(PREFIX, PREFIX), max_size=6, unique_by=lambda rule: rule[0]),
    st.lists(st.text("0189", min_size=5, max_size=12), min_size=1),
)
def test_arithmetic_does_what_the_longest_prefix_says(rules: list[tuple[str, str]], numbers: list[str]) -> None:
    names = Names()
    codes: Codes = np.array([encode(number, names) for number in numbers], np.int64)
    made, _ = apply(codes, fixed({"local": tuple(rules)}), Bill.LOCAL, "callee")
    for number, code in zip(numbers, made.tolist(), strict=True):
        fit = max(
            (rule for rule in rules if number.startswith(rule[0]) and len(number) - len(rule[0]) >= 3),
            key=lambda rule: len(rule[0]),
            default=None,
        )
        assert decode(code, names) == (fit[1] + number[len(fit[0]) :] if fit else number)


@pytest.mark.skipif(not BILLS, reason="FIRSTLINE_BILLS names no folder of outside samples")
def test_outside_numbers_of_many_plans_are_brought_to_e164() -> None:
    """Example numbers of every region, one side dialled as from inside it, the other international."""
    rows = list(csv.DictReader(outside("example_numbers.csv")))
    tried = right = 0
    for region in ("CN", "GB", "DE", "FR", "JP", "AU", "BR", "IN", "ZA", "RU"):
        mine = [
            row for row in rows if row["region"] == region and row["type"] in ("fixedLine", "mobile") and len(row["national_number"]) >= 9
        ]
        for row in mine:
            rng = np.random.default_rng(1)
            stem = row["national_number"][:-4]
            ends = [stem + str(n) for n in rng.choice(np.arange(1_000, 10_000), 300, replace=False)]
            whole = [row["calling_code"] + end for end in ends]
            learned, local, customer = learned_from(whole, [row["national_prefix"] + end for end in ends], Names())
            wanted = [int("1" + number) for number in whole]
            tried += 1
            right += rewritten(local, Bill.LOCAL, learned, "callee") == wanted == rewritten(customer, Bill.CUSTOMER, learned, "callee")
    print(f"\n{right} of {tried} plans")
    assert right >= tried - 1


@pytest.mark.skipif(not BILLS, reason="FIRSTLINE_BILLS names no folder of outside samples")
def test_outside_vectors_of_matching_numbers_end_alike() -> None:
    """Numbers that the vectors call the same have the same last digits in our codes, whatever separators they are written with."""
    names = Names()
    for row in csv.DictReader(outside("phonenumbers_is_number_match.csv")):
        if row["expected_match_type"] != "EXACT_MATCH" or any(mark in row["number_a"] + row["number_b"] for mark in (";", "ext", "x", "#")):
            continue
        a, b = (digits(np.array([encode(row[name], names)], np.int64))[0] for name in ("number_a", "number_b"))
        if a and b:
            assert a % 10**6 == b % 10**6, row


def test_numbering_plans_are_asked_for_few_numbers_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    parse = phonenumbers.parse
    monkeypatch.setattr(phonenumbers, "parse", lambda text: (asked.append(text), parse(text))[1])
    numbers = world(np.random.default_rng(8), 20_000, 0.3)
    learned_from(numbers, [FORMS["star"](number) for number in numbers], Names())
    assert 0 < len(asked) <= 3_000
