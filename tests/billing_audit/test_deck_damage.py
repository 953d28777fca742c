"""Whatever a deck or a contract holds, it is read, refused with its place, or named as unusable: nothing else happens."""

import io
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_audit import contract
from billing_audit.contract import Problem
from billing_audit.decks import read as decks
from billing_audit.decks.deck import Deck
from billing_audit.ledger import MISSING, Refused
from billing_audit.readers.unreadable import Unreadable
from billing_audit.terms import Contract

CELLS = st.sampled_from(
    [
        *("", "49", "4930", "0049", "+49", "49-52", "10,20", "0.5", "1,5", "-1", "1e9", "9" * 30, "0.000000001", "60/60", "6", "60/", "/"),
        *(
            "0/0",
            "∞",
            "2026-10-01",
            "10/11/2026",
            "2026-13-01",
            "0000-00-00",
            "9999-12-31",
            "2026-10-01 24:00",
            "new",
            "deleted",
            "blocked",
        ),
        *("?", "*any", "\x1f", "prefix", "rate", "前缀", "费率", "peak", '"', "a\nb", "٣", "½", "1_000", "nan", "1E+999999"),
    ]
) | st.text(max_size=6)
HEADERS = ["prefix", "destination", "rate", "effective_from", "effective_to", "increment", "connection_fee", "free_seconds", "band"]
HEADERS += ["country code", "area code", "change", "minimum", "grace", "old rate", "price (per second)", "生效日期"]


def read(path: Path, zone: str) -> tuple[Deck, tuple[Refused, ...]] | None:
    """Return deck and refused rows, None for what is named as no deck; everything else that is raised is a fault."""
    try:
        return decks.read([path], zone)
    except Unreadable:
        return None


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(HEADERS), min_size=2, max_size=9, unique=True),
    st.lists(st.lists(CELLS, max_size=10), max_size=8),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["UTC", "Asia/Shanghai", "America/St_Johns"]),
)
def test_any_table_is_read_or_refused_row_by_row(tmp_path: Path, headers: list[str], rows: list[list[str]], mark: str, zone: str) -> None:
    text = io.StringIO()
    for row in [headers, *rows]:
        text.write(mark.join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n")
    path = tmp_path / "deck.csv"
    path.write_bytes(text.getvalue().encode("utf-8", "surrogatepass"))
    found = read(path, zone)
    if found is None:
        return
    deck, refused = found
    lines = len(io.StringIO(text.getvalue(), newline="").readlines())  # as csv counts them: a bare \r ends a line too
    assert all(1 < one.line <= lines + 1 and one.reason.id.startswith("audit.refused.") for one in refused)
    assert all(rate == MISSING or 0 <= rate <= 10**15 for rate in deck.rate_nano.tolist())
    assert all(1 <= prefix < 2 * 10**17 for prefix in deck.prefix.tolist())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200)
    | st.binary(max_size=60).map(lambda tail: b"prefix,rate\n49,1\n" + tail)
    | st.binary(max_size=60).map(lambda tail: b"PK\x03\x04" + tail)
)
def test_any_bytes_are_a_deck_or_named_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "deck"
    path.write_bytes(content)
    read(path, "UTC")


@pytest.mark.parametrize("cut", [100, 1000, 3000, -30])
def test_a_workbook_that_was_cut_off_is_named(tmp_path: Path, cut: int) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in [["prefix", "rate"], *([49 + n, 0.5] for n in range(500))]:
        book.active.append(row)
    path = tmp_path / "deck.xlsx"
    book.save(path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(Unreadable):
        decks.read([path])


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=True)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["60/60", "up", "0.5", date(2026, 10, 1), datetime(2026, 10, 1), time(8), Decimal("1E+999999")]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
).filter(lambda value: value is not None)
TOP = ["currency", "timezone", "increment", "anchor", "connection_fee", "free_seconds", "duration_rounding", "cost_rounding", "max_cost"]
TOP += ["tax_ratio", "band_boundary", "customer", "accounts", "step", "band", "period", "dispute", "line", "number", "incremnt"]
INNER = [
    "start",
    "end",
    "by",
    "name",
    "weekdays",
    "dates",
    "ratio",
    "rate",
    "from_seconds",
    "increment",
    "digits",
    "mode",
    "per",
    "hold_ms",
]
INNER += ["text", "amount", "bill", "strip", "add", "tolerance_ratio", "minimum", "days", "increment_digits"]
TABLES = st.dictionaries(st.sampled_from(INNER), VALUES, max_size=4)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from(TOP), VALUES | TABLES | st.lists(TABLES, max_size=3), max_size=6))
def test_any_document_is_a_contract_or_has_problems_with_their_places(told: dict[str, object]) -> None:
    found, problems = contract.read(told)
    assert (found is None) == bool(problems)
    for problem in problems:
        assert isinstance(problem, Problem)
        assert problem.path[0] in told
        assert problem.text
    if isinstance(found, Contract):
        contract.write(found)
