"""An inbox in which somebody lays what no bill is: nothing leaves it, nothing is overwritten, the service goes on."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from probe.agent import pickup
from probe.agent.inbox import Inboxes
from probe.agent.settings.inboxes import Inbox

WHOLE = """
import pathlib, sys
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
(out / "evidence.json").write_text("{}")
"""


def lay(tmp_path: Path, period: str = "2026-10", **files: str) -> Path:
    folder = tmp_path / "harbour" / period
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    (folder / ".done").touch()
    return folder


def inboxes(tmp_path: Path, program: str = WHOLE, contract: str | None = None) -> tuple[Inboxes, Inbox]:
    file = tmp_path / "audit.py"
    file.write_text(program)

    async def note(customer: str, told: bytes) -> None:
        pass

    return Inboxes(note, (sys.executable, str(file))), Inbox("Harbour", str(tmp_path / "harbour"), contract, (), (), 0.0, True, None)


def rounds(one: Inboxes, inbox: Inbox, count: int = 1) -> dict[str, int]:
    async def go() -> None:
        for _ in range(count):
            await one.round(inbox)

    asyncio.run(go())
    return {outcome: times for outcome, times in one.tally.items() if times}


def test_a_journal_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("ours")
    folder = lay(tmp_path, local_csv="a", customer_csv="b")
    found = victim.lstat()
    lying = {"name": "../../victim", "inode": found.st_ino, "size": found.st_size, "changed_ns": found.st_mtime_ns}
    mark = {"name": ".done", "inode": 1, "size": 0, "changed_ns": 0}
    for journal in (
        {"mark": mark, "moves": [[lying, "done/stolen"]]},
        {"mark": mark, "moves": [], "note": ["../../written", "evil"]},
        {"mark": mark, "moves": [], "note": ["done/../../../written", "evil"]},
        {"mark": mark, "moves": [[{**lying, "name": "local.csv"}, "/etc/stolen"]]},
        {"mark": {**mark, "name": "local.csv"}, "moves": []},
    ):
        (folder / pickup.JOURNAL).write_text(json.dumps(journal))
        with pytest.raises(msgspec.ValidationError, match="no journal of ours"):
            pickup.unfinished(folder)
        one, inbox = inboxes(tmp_path)
        assert rounds(one, inbox) == {}
    assert victim.read_text() == "ours"
    assert not (tmp_path / "written").exists()
    assert (folder / "local.csv").read_text() == "a"


def test_a_link_in_place_of_done_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = lay(tmp_path, local_csv="a", customer_csv="b")
    (folder / "done").symlink_to(elsewhere)
    one, inbox = inboxes(tmp_path)
    rounds(one, inbox)
    assert list(elsewhere.iterdir()) == []
    assert (folder / "local.csv").read_text() == "a"


@pytest.mark.parametrize("name", [b"customer.\xff\xfe.csv", b"customer." + b"x" * 200 + b".csv"])
def test_a_name_that_is_no_text_or_too_long_is_rejected_and_ends_nothing(tmp_path: Path, name: bytes) -> None:
    folder = lay(tmp_path, local_csv="a")
    Path(os.fsdecode(os.path.join(os.fsencode(folder), name))).write_text("b")
    one, inbox = inboxes(tmp_path)
    assert rounds(one, inbox) == {"rejected": 1}
    assert not (folder / ".done").exists()
    assert "is not a regular file" in next((folder / "rejected").glob("*.txt")).read_text()


def test_a_thousand_finished_folders_hide_no_new_one(tmp_path: Path) -> None:
    folder = tmp_path / "harbour"
    for number in range(pickup.MOST_PERIODS + 1):
        (folder / f"{number:05}").mkdir(parents=True)
    lay(tmp_path, "99999", local_csv="a", customer_csv="b")
    assert [one.name for one in pickup.periods(folder)] == ["99999"]


def test_a_note_takes_no_bills_place(tmp_path: Path) -> None:
    folder = lay(tmp_path, local_csv="same", local_csv_txt="same")
    one, inbox = inboxes(tmp_path)
    rounds(one, inbox)
    kept = sorted(path.read_text() for path in (folder / "rejected").iterdir())
    assert kept == ["no customer bill", "same", "same"]


def test_what_fails_is_tried_again_later_and_not_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, local_csv="a", customer_csv="b")
    one, inbox = inboxes(tmp_path)
    calls: list[Any] = []

    def full(*words: Any) -> None:
        calls.append(words)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pickup, "result_name", full)
    assert rounds(one, inbox, 5) == {}
    assert len(calls) == 1


def test_a_mistake_in_the_contract_is_no_fault_of_the_bills(tmp_path: Path) -> None:
    contract = tmp_path / "harbour.toml"
    contract.write_text("currency = 1\n")
    folder = lay(tmp_path, local_csv="a", customer_csv="b")
    refusing = f"import sys; print('Error: {contract}:1: currency: not a text', file=sys.stderr); sys.exit(2)"
    one, inbox = inboxes(tmp_path, refusing, str(contract))
    assert rounds(one, inbox, 3) == {}
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".audit")) == [".done", "customer.csv", "local.csv"]


def test_an_exit_code_without_a_result_is_no_audit(tmp_path: Path) -> None:
    folder = lay(tmp_path, local_csv="a", customer_csv="b")
    one, inbox = inboxes(tmp_path, "raise ImportError('half an upgrade')")
    assert rounds(one, inbox, 1) == {"died": 1}
    assert not list(folder.glob("audit-*"))
