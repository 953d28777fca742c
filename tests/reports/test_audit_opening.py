"""An audit becomes one case, known by the digest of all that went into it."""

from datetime import UTC, datetime

import msgspec
import pytest

from billing_audit.ledger import Side
from checks.verdict import CaseKind
from checks.verdict import Side as CaseSide
from reports.audit.opening import LARGEST, evidence, read, step
from reports.case import case_from_row, case_row

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_the_case_says_whose_bills_by_how_much_and_whose_side(dispute):
    planned = step(evidence(dispute.audit), "Harbour", "pop-a", NOW)
    case = planned.case
    largest = max(dispute.audit.causes, key=lambda one: abs(one.amount_micro))
    assert (case.kind, case.cause, case.element) == (CaseKind.BILLING, largest.cause, f"Harbour {dispute.audit.digest[:12]}")
    assert case.side == CaseSide(dispute.audit.verdict.side)
    assert case.affected == ("Harbour",)
    assert case.since < NOW
    assert case.keys == ()
    assert case_from_row(case_row(case)) == case


def test_the_same_audit_is_the_same_case_and_another_one_is_not(dispute):
    first, again = (step(evidence(dispute.audit), "Harbour", "pop-a", NOW).case.identity for _ in range(2))
    other = step(evidence(msgspec.structs.replace(dispute.audit, digest="0" * 64)), "Harbour", "pop-a", NOW).case.identity
    assert first == again != other


@pytest.mark.parametrize(("cause", "opens"), [("timezone", False), ("clock", True), ("dst", True)])
def test_bills_that_agree_open_nothing_and_clocks_that_do_not_are_a_case(dispute, cause, opens):
    mark = msgspec.structs.replace(dispute.audit.causes[0], cause=cause, side=Side.UNDETERMINED, amount_micro=0)
    audit = msgspec.structs.replace(dispute.audit, causes=(mark,), difference_micro=0, unexplained_micro=0, unexplained_records=0)
    assert (step(evidence(audit), "Harbour", "pop-a", NOW) is not None) == opens
    assert step(evidence(msgspec.structs.replace(audit, causes=())), "Harbour", "pop-a", NOW) is None


def test_a_large_audit_is_kept_without_its_tables(dispute):
    many = dispute.audit.by_prefix * (LARGEST // 100 // max(1, len(dispute.audit.by_prefix)))
    kept = evidence(msgspec.structs.replace(dispute.audit, by_prefix=many))
    assert len(kept) <= LARGEST
    assert read(kept).by_prefix == ()
    assert read(kept).causes == dispute.audit.causes


def test_what_is_no_audit_is_refused():
    with pytest.raises(msgspec.DecodeError):
        step(b'{"digest": 1}', "Harbour", "pop-a", NOW)
