"""What an audit says about the two bills as such, and a bill of ours without charges."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from billing_audit import run
from billing_audit.decks import read as decks
from billing_audit.ledger import Bill
from billing_audit.options import Options
from billing_audit.terms import Contract, Period, Terms

CONTRACT = Contract(currency="USD", terms=Terms(minimum_s=60, increment_s=60), period=Period(date(2026, 10, 1), date(2026, 11, 1)))
HEAD = "caller,callee,start_time,duration,charge\n"


def bill(path: Path, calls: range, month: int = 10, charge: str = "0.10", number: int = 30_123_000, account: str = "") -> Path:
    """Write calls of 30 s, one every five minutes."""
    lines = [
        f"4930{number + at % 97},1212{5_550_000 + at},2026-{month:02d}-{1 + at // 288:02d} {at // 12 % 24:02d}:{at % 12 * 5:02d}:00,30,{charge}{account}"
        for at in calls
    ]
    path.write_text((HEAD.replace("\n", ",account\n") if account else HEAD) + "\n".join(lines) + "\n")
    return path


def noted(local: Path, customer: Path, options: Options) -> dict[str, dict]:
    with run.audit([local], [customer], options) as result:
        return {note.id.removeprefix("audit.note."): note.values for note in result.audit.notes}


def test_bills_of_one_customer_and_month_need_no_remark(tmp_path: Path) -> None:
    local, customer = bill(tmp_path / "ours.csv", range(600)), bill(tmp_path / "theirs.csv", range(5, 600))
    assert not set(noted(local, customer, Options(contract=CONTRACT))) & {
        "same_file", "nothing_in_common", "swapped", "outside_period", "no_period", "rated_by_contract", "currencies",
    }  # fmt: skip


def test_file_that_is_on_both_sides_is_named(tmp_path: Path) -> None:
    local = bill(tmp_path / "ours.csv", range(600))
    other = tmp_path / "theirs.csv"
    other.write_bytes(local.read_bytes())
    assert noted(local, other, Options())["same_file"]["name"].endswith("theirs.csv")


@pytest.mark.parametrize(("common", "told"), [(3, True), (30, False)])
def test_bill_of_another_customer_is_told(tmp_path: Path, common: int, told: bool) -> None:
    local, customer = bill(tmp_path / "ours.csv", range(600)), bill(tmp_path / "theirs.csv", range(600 - common, 1200 - common))
    assert ("nothing_in_common" in noted(local, customer, Options())) is told


def test_calls_outside_the_period_are_counted_and_another_month_is_named(tmp_path: Path) -> None:
    local, customer = bill(tmp_path / "ours.csv", range(600)), bill(tmp_path / "theirs.csv", range(600))
    begins_late = msgspec.structs.replace(CONTRACT, period=Period(date(2026, 10, 2), date(2026, 11, 1)))
    assert noted(local, customer, Options(contract=begins_late))["outside_period"]["rows"] == 2 * 288
    local, customer = (bill(tmp_path / f"{name}-9.csv", range(600), month=9) for name in ("ours", "theirs"))
    assert noted(local, customer, Options(contract=CONTRACT))["no_period"] == {"start": "2026-10-01", "end": "2026-11-01"}


def test_sides_that_are_exchanged_are_told_by_the_contracts_account(tmp_path: Path) -> None:
    export = bill(tmp_path / "all.csv", range(300), account=",C1")
    export.write_text(export.read_text() + bill(tmp_path / "more.csv", range(300, 600), account=",C2").read_text().split("\n", 1)[1])
    theirs = bill(tmp_path / "theirs.csv", range(300))
    contract = msgspec.structs.replace(CONTRACT, accounts=("C1",))
    assert noted(theirs, export, Options(contract=contract)).get("swapped") == {"accounts": 2}


def test_a_bill_of_another_customers_account_is_told_by_the_contracts(tmp_path: Path) -> None:
    mine, other = bill(tmp_path / "mine.csv", range(300), account=",C1"), bill(tmp_path / "other.csv", range(300), account=",C9")
    contract = Options(contract=msgspec.structs.replace(CONTRACT, accounts=("C1", "C2")))
    assert noted(other, mine, contract)["other_customer_local"] == {"accounts": "C9", "wanted": "C1, C2"}
    assert noted(mine, other, contract)["other_customer_customer"] == {"accounts": "C9", "wanted": "C1, C2"}
    assert not any(name.startswith("other_customer") for name in noted(mine, mine, contract))


def test_our_bill_without_charges_is_rated_by_the_contract(tmp_path: Path) -> None:
    local, customer = bill(tmp_path / "ours.csv", range(600), charge=""), bill(tmp_path / "theirs.csv", range(600))
    rates = tmp_path / "rates.csv"
    rates.write_text("prefix,destination,rate,effective_from\n1212,New York,0.10,2026-01-01\n")
    deck, refused = decks.read((rates,), "UTC")
    assert not refused
    with run.audit([local], [customer], Options(contract=CONTRACT, deck=deck)) as result:
        told = result.audit
    assert told.local.total_micro == told.customer.total_micro == int(Decimal(60) * 10**6)
    assert told.difference_micro == 0
    assert "audit.note.rated_by_contract" in {note.id for note in told.notes}


def test_without_charges_and_rates_there_is_no_difference_in_money(tmp_path: Path) -> None:
    local, customer = bill(tmp_path / "ours.csv", range(600), charge=""), bill(tmp_path / "theirs.csv", range(600))
    with run.audit([local], [customer], Options(contract=CONTRACT, invoice_micro={Bill.LOCAL: 5})) as result:
        told = result.audit
    assert told.local.total_micro is None
    assert told.difference_micro is None
    assert told.local.invoice_micro == 5
    assert "audit.note.no_charges_local" in {note.id for note in told.notes}


def test_digest_is_of_what_decides_and_of_nothing_else(tmp_path: Path) -> None:
    local, customer = bill(tmp_path / "ours.csv", range(300)), bill(tmp_path / "theirs.csv", range(5, 300))

    def digest(**given: object) -> str:
        with run.audit([local], [customer], Options(**{"contract": CONTRACT, **given})) as result:
            return result.audit.digest

    first = digest()
    assert digest(memory=1, keep_pairs=False, partition_rows=50) == first
    assert digest(contract=None) != first
    assert digest(invoice_micro={Bill.LOCAL: 1}) != first
