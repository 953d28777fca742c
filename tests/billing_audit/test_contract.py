"""A contract is read strictly, all that is wrong with it at once; what is written is read again as the same."""

import tomllib
from datetime import date, time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_audit import contract
from billing_audit.terms import Band, Contract, CostRounding, Dispute, DurationRounding, Period, Step, Terms

FULL = """
customer = "harbour"
accounts = ["10023", "10024"]
currency = "CNY"
timezone = "Asia/Shanghai"
increment = "60/6"
anchor = "from_zero"
connection_fee = 0.02
free_seconds = 3
grace_seconds = 2
duration_rounding = { hold_ms = 50 }
cost_rounding = { digits = 4, mode = "up", per = "call", increment_digits = 5 }
max_cost = "20"
tax_ratio = "0.06"
band_boundary = "split"

[period]
start = 2026-10-01
end = 2026-11-01
by = "end"

[dispute]
tolerance_ratio = 0.005
minimum = 500
days = 60

[[step]]
from_seconds = 180
ratio = "0.5"
increment = 1

[[band]]
name = "night"
start = 22:00:00
end = 08:00:00
weekdays = ["mon", "Tuesday", 2]
ratio = "0.5"

[[band]]
name = "holiday"
dates = [2026-10-02, 2026-10-01]
rate = "0.0123"

[[line]]
text = "月租费"
amount = "200.00"

[[line]]
text = "credit note 17"
amount = -12.5

[[number]]
bill = "customer"
strip = "0086"
add = "86"
"""


def read(text: str):
    return contract.read(tomllib.loads(text, parse_float=Decimal))


def test_every_key_of_a_contract_has_its_place() -> None:
    found, problems = read(FULL)
    assert problems == []
    assert found == Contract(
        customer="harbour",
        accounts=("10023", "10024"),
        currency="CNY",
        timezone="Asia/Shanghai",
        terms=Terms(
            minimum_s=60,
            increment_s=6,
            anchor="from_zero",
            connection_fee=Decimal("0.02"),
            free_s=3,
            grace_s=2,
            duration_rounding=DurationRounding("up", 50),
            cost_rounding=CostRounding(4, "up", "call", 5),
            max_cost=Decimal(20),
            tax_ratio=Decimal("0.06"),
            steps=(Step(180, ratio=Decimal("0.5"), increment_s=1),),
            bands=(
                Band("night", time(22), time(8), (0, 1, 2), ratio=Decimal("0.5")),
                Band("holiday", weekdays=(), dates=(date(2026, 10, 1), date(2026, 10, 2)), rate=Decimal("0.0123")),
            ),
            band_boundary="split",
        ),
        period=Period(date(2026, 10, 1), date(2026, 11, 1), "end"),
        dispute=Dispute(Decimal("0.005"), Decimal(500), 60),
        lines=(("月租费", Decimal("200.00")), ("credit note 17", Decimal("-12.5"))),
        number_rules={"customer": (("0086", "86"),)},
    )


def test_a_written_contract_is_read_as_the_same() -> None:
    found, _ = read(FULL)
    assert found is not None
    assert read(contract.write(found)) == (found, [])
    assert read(contract.write(Contract())) == (Contract(), [])


def test_an_empty_contract_says_nothing() -> None:
    assert read("") == (Contract(), [])
    assert Contract().terms == Terms()


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        ('incremnt = "60/60"', ("incremnt",), 'unknown; did you mean "increment"?'),
        ("zzz = 1", ("zzz",), "unknown; there are: accounts, anchor"),
        ('increment = "60"', ("increment",), '"60" is not minimum/increment in seconds'),
        ("increment = 60", ("increment",), "expected a text in quotes, not a number"),
        ('increment = "60/0"', ("increment",), "an increment is 1 … 86400 seconds"),
        ('increment = "60/86401"', ("increment",), "an increment is 1 … 86400 seconds"),
        ('increment = "-6/6"', ("increment",), "is not minimum/increment"),
        ('anchor = "after_minimum"', ("anchor",), "there are none"),
        ('increment = "6/6"\nanchor = "from_minimum"', ("anchor",), 'did you mean "after_minimum"?'),
        ('connection_fee = "0,02"', ("connection_fee",), "a decimal mark is a point"),
        ('connection_fee = ""', ("connection_fee",), '"" is not a number'),
        ('connection_fee = "-0.01"', ("connection_fee",), "-0.01 is below 0"),
        ("connection_fee = 0.0000001", ("connection_fee",), "more than 6 decimal places"),
        ("connection_fee = nan", ("connection_fee",), "expected a number"),
        ("connection_fee = true", ("connection_fee",), "not true or false"),
        ("free_seconds = 1.5", ("free_seconds",), "expected a whole number"),
        ("free_seconds = true", ("free_seconds",), "expected a whole number, not true or false"),
        ("grace_seconds = -1", ("grace_seconds",), "-1 is not within 0"),
        ('duration_rounding = "upp"', ("duration_rounding",), 'did you mean "up"?'),
        ("duration_rounding = 3", ("duration_rounding",), 'expected "up" or'),
        ("duration_rounding = { hold_ms = 0 }", ("duration_rounding", "hold_ms"), "0 is not within 1 … 1000"),
        ("duration_rounding = { hold_ms = 1001 }", ("duration_rounding", "hold_ms"), "1001 is not within 1 … 1000"),
        ('duration_rounding = { hold_ms = 5, mode = "up" }', ("duration_rounding", "hold_ms"), "leave mode out"),
        ('cost_rounding = { mode = "up" }', ("cost_rounding", "digits"), "is missing"),
        ("cost_rounding = { digits = 7 }", ("cost_rounding", "digits"), "7 is not within 0 … 6"),
        ('cost_rounding = { digits = 10, per = "increment" }', ("cost_rounding", "digits"), "10 is not within 0 … 9"),
        ('cost_rounding = { digits = 4, per = "calls" }', ("cost_rounding", "per"), 'did you mean "call"?'),
        (
            'cost_rounding = { digits = 4, per = "increment", increment_digits = 5 }',
            ("cost_rounding", "increment_digits"),
            "digits says it",
        ),
        ("tax_ratio = 6", ("tax_ratio",), 'for 6 % write "0.06"'),
        ("tax_ratio = 1", ("tax_ratio",), "1 is no share"),
        ('timezone = "Asia/Beijing"', ("timezone",), 'no time zone named "Asia/Beijing"'),
        ('timezone = "../../etc/passwd"', ("timezone",), "no time zone named"),
        ('[period]\nstart = "2026-10-01"\nend = 2026-11-01', ("period", "start"), "expected a date without quotes"),
        ("[period]\nstart = 2026-10-01T00:00:00\nend = 2026-11-01", ("period", "start"), "not a date with time"),
        ("[period]\nstart = 2026-10-01", ("period", "end"), "is missing"),
        ("[period]\nstart = 2026-10-01\nend = 2026-10-01", ("period", "end"), "is not after start"),
        ("[[step]]\nratio = 0.5", ("step", 0, "from_seconds"), "is missing"),
        ("[[step]]\nfrom_seconds = 60\n[[step]]\nfrom_seconds = 60", ("step", 1, "from_seconds"), "steps go upwards"),
        ("[[step]]\nfrom_seconds = 60\nrate = 1\nratio = 1", ("step", 0, "ratio"), "exclude each other"),
        ("[step]\nfrom_seconds = 60", ("step",), "expected tables under [[step]]"),
        ("[[band]]\nstart = 08:00:00", ("band", 0, "name"), "is missing"),
        ('[[band]]\nname = "a"\nstart = "08:00"', ("band", 0, "start"), "expected a time without quotes"),
        ('[[band]]\nname = "a"\nweekdays = [7]', ("band", 0, "weekdays"), "0 (mon) … 6 (sun), not 7"),
        ('[[band]]\nname = "a"\nweekdays = ["mo"]', ("band", 0, "weekdays"), "not mo"),
        ('[[band]]\nname = "a"\nrate = "0.0000000001"', ("band", 0, "rate"), "more than 9 decimal places"),
        ('[[line]]\ntext = "rent"', ("line", 0, "amount"), "is missing"),
        ('[[number]]\nbill = "ours"', ("number", 0, "bill"), "none of local, customer"),
        ('[[number]]\nbill = "local"\nstrip = "0"\nadd = "0"', ("number", 0, "strip"), "are the same"),
        ('[[number]]\nbill = "local"\nstrip = "0 0"', ("number", 0, "strip"), "at most 17 of 0-9"),
        ("[dispute]\ntolerance_ratio = 1.5", ("dispute", "tolerance_ratio"), 'write "0.015"'),
        ("[dispute]\ndays = 0", ("dispute", "days"), "0 is not within 1"),
        ("dispute = 3", ("dispute",), "expected [dispute] with"),
        ("accounts = [1]", ("accounts",), "expected a list of texts"),
        ('currency = "¥"', ("currency",), "3 … 10 characters"),
    ],
)
def test_what_is_wrong_is_named_with_its_path_and_cure(text: str, path: tuple[str | int, ...], said: str) -> None:
    found, problems = read(text)
    assert found is None
    assert [one.path for one in problems] == [path]
    assert said in problems[0].text


@pytest.mark.parametrize("value", ["0", "60/1", "86400/86400"])
def test_the_edges_of_what_is_allowed_are_allowed(value: str) -> None:
    text = {"0": 'free_seconds = -86400\ntax_ratio = "0.999"\ngrace_seconds = 0\nconnection_fee = 0.000001'}.get(
        value, f'increment = "{value}"'
    )
    assert read(text)[1] == []


def test_all_problems_come_at_once() -> None:
    _, problems = read('increment = "x"\nanchor = "y"\nmax_cost = -1\n[period]\nstart = 1\nend = 2\n[[band]]\nrat = 1')
    assert [one.path for one in problems] == [
        ("increment",),
        ("anchor",),
        ("max_cost",),
        ("band", 0, "name"),
        ("band", 0, "rat"),
        ("period", "start"),
        ("period", "end"),
    ]


def test_a_binary_float_is_refused_as_money() -> None:
    found, problems = contract.read({"connection_fee": 0.02})
    assert found is None
    assert "binary float" in problems[0].text


money = st.decimals("0", "1000", places=6)
texts = (
    st.text(min_size=1, max_size=20)
    .map(str.strip)
    .filter(lambda text: bool(text) and not any("\ud800" <= char <= "\udfff" for char in text))
)


@settings(max_examples=100, deadline=None)
@given(
    st.builds(
        Contract,
        currency=st.none() | st.sampled_from(["CNY", "USD", "USDT"]),
        terms=st.builds(
            Terms,
            minimum_s=st.integers(0, 90),
            increment_s=st.integers(1, 90),
            anchor=st.sampled_from([None, "after_minimum", "from_zero"]),
            connection_fee=st.none() | money,
            free_s=st.none() | st.integers(-5, 5),
            duration_rounding=st.none() | st.builds(DurationRounding, st.sampled_from(["down", "half_even"])),
            cost_rounding=st.none() | st.builds(CostRounding, st.integers(0, 6), st.just("down"), st.sampled_from(["call", "bill"])),
            steps=st.lists(st.integers(1, 999), unique=True, max_size=3).map(
                lambda told: tuple(Step(at, increment_s=1) for at in sorted(told))
            ),
        ),
        lines=st.lists(st.tuples(texts, st.decimals("-1000", "1000", places=2)), max_size=3).map(tuple),
        customer=st.none() | texts,
        accounts=st.lists(texts, max_size=3).map(tuple),
    )
)
def test_any_contract_is_read_as_it_was_written(told: Contract) -> None:
    assert read(contract.write(told)) == (told, [])
