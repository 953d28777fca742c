"""Two bills that are no pair: another customer's, another month's. Nobody must be accused by them."""

from pathlib import Path

import pytest

from billing_audit import run
from billing_audit.ledger import Side

CALLS = 200


def bill(folder: Path, name: str, first: int, count: int = CALLS) -> Path:
    rows = [
        f"86138{number:08},4420{number:08},2026-10-{1 + number % 28:02} 10:{number % 60:02}:00,60,0.50"
        for number in range(first, first + count)
    ]
    file = folder / name
    file.write_text("\n".join(["caller,callee,start time,duration,charge", *rows]) + "\n")
    return file


@pytest.mark.parametrize(("shared", "strangers"), [(0, True), (3, True), (4, False), (10, False)])
def test_bills_with_hardly_a_call_in_common_accuse_nobody(tmp_path: Path, shared: int, strangers: bool) -> None:
    ours, theirs = bill(tmp_path, "ours.csv", 0), bill(tmp_path, "theirs.csv", CALLS - shared)
    with run.audit([ours], [theirs], run.Options()) as result:
        audit = result.audit
    assert audit.matched == shared
    assert any(note.id == "audit.note.nothing_in_common" for note in audit.notes) == strangers
    assert sum(one.amount_micro for one in audit.causes) + audit.unexplained_micro == audit.difference_micro == 0
    if strangers:
        assert audit.causes == ()
        assert audit.verdict.technical is None
        assert audit.verdict.side is Side.UNDETERMINED
        assert audit.unexplained_records == 2 * (CALLS - shared)
