"""Bills that arrive in an inbox: audited once they are still, laid away, nothing lost and nothing twice."""

import asyncio
import json
import os
import stat
import sys
from pathlib import Path

import pytest

from probe.agent import pickup
from probe.agent.inbox import Inboxes
from probe.agent.settings.inboxes import Inbox

AUDITED = """
import json, pathlib, sys
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
out.mkdir(exist_ok=True)
(out / "evidence.json").write_text(json.dumps({"local": sys.argv[1], "words": sys.argv[1:]}))
with open(pathlib.Path(sys.argv[1]).parent.parent / "audits.log", "a") as log:
    log.write(sys.argv[1] + "\\n")
sys.exit(1)
"""
REFUSED = "import sys; print('Error: customer.pdf: a PDF is no bill', file=sys.stderr); sys.exit(2)"


def program(tmp_path: Path, text: str) -> tuple[str, ...]:
    file = tmp_path / "audit.py"
    file.write_text(text)
    return (sys.executable, str(file))


def inbox(tmp_path: Path, still_s: float = 0.0) -> Inbox:
    folder = tmp_path / "harbour"
    folder.mkdir(exist_ok=True)
    return Inbox("Harbour", str(folder), None, (), ("A1",), still_s, True, "zh")


def lay(tmp_path: Path, period: str = "2026-10", mark: bool = True, **files: str) -> Path:
    folder = tmp_path / "harbour" / period
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    if mark:
        (folder / ".done").touch()
    return folder


def look(one: Inbox, command: tuple[str, ...], times: int = 1, opened: list[bytes] | None = None) -> dict[str, int]:
    cases = opened if opened is not None else []

    async def note(customer: str, told: bytes) -> None:
        cases.append(told)

    async def rounds() -> dict[str, int]:
        inboxes = Inboxes(note, command)
        for _ in range(times):
            await inboxes.round(one)
        return {outcome: count for outcome, count in inboxes.tally.items() if count}

    return asyncio.run(rounds())


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_pair_is_audited_and_laid_away_with_its_digest(tmp_path: Path) -> None:
    one, opened = inbox(tmp_path), []
    folder = lay(tmp_path, local_csv="ours", customer_csv="theirs")
    assert look(one, program(tmp_path, AUDITED), opened=opened) == {"differ": 1}
    result = next(folder.glob("audit-*"))
    words = json.loads((result / "evidence.json").read_text())["words"]
    assert names(folder / "done") == [
        f"customer.{pickup.digest(folder / 'done' / names(folder / 'done')[0])[:12]}.csv",
        names(folder / "done")[1],
    ]
    assert [json.loads(told)["local"] for told in opened] == [str(folder / "local.csv")]
    assert words[words.index("--for") + 1] == "Harbour"
    assert words[words.index("--account") + 1] == "A1"
    assert not (folder / ".done").exists()
    assert not (folder / pickup.JOURNAL).exists()


def test_without_the_mark_nothing_is_touched(tmp_path: Path) -> None:
    one = inbox(tmp_path)
    folder = lay(tmp_path, mark=False, local_csv="ours", customer_csv="theirs")
    look(one, program(tmp_path, AUDITED), times=3)
    assert names(folder) == ["customer.csv", "local.csv"]


def test_a_pair_that_is_not_still_yet_waits(tmp_path: Path) -> None:
    one = inbox(tmp_path, still_s=3600.0)
    folder = lay(tmp_path, local_csv="ours", customer_csv="theirs")
    look(one, program(tmp_path, AUDITED), times=3)
    assert names(folder) == [".done", "customer.csv", "local.csv"]


def test_a_bill_that_can_not_be_used_is_rejected_with_its_reason(tmp_path: Path) -> None:
    one = inbox(tmp_path)
    folder = lay(tmp_path, local_csv="ours", customer_pdf="%PDF")
    assert look(one, program(tmp_path, REFUSED)) == {"rejected": 1}
    rejected = names(folder / "rejected")
    assert [name.split(".")[0::2] for name in rejected] == [
        ["customer", "a-pdf-is-no-bill"],
        ["local", "a-pdf-is-no-bill"],
        ["local", "a-pdf-is-no-bill", "txt"],
    ]
    assert "a PDF is no bill" in next((folder / "rejected").glob("*.txt")).read_text()
    assert not list(folder.glob("audit-*"))


@pytest.mark.parametrize(("files", "reason"), [({"local_csv": "ours"}, "no-customer-bill"), ({"customer_csv": "theirs"}, "no-local-bill")])
def test_half_a_pair_is_rejected(tmp_path: Path, files: dict[str, str], reason: str) -> None:
    one = inbox(tmp_path)
    folder = lay(tmp_path, **files)
    look(one, program(tmp_path, AUDITED))
    assert {name.split(".")[2] for name in names(folder / "rejected")} == {reason}


def test_a_link_is_no_bill_and_is_left_where_it_is(tmp_path: Path) -> None:
    one = inbox(tmp_path)
    secret = tmp_path / "secret"
    secret.write_text("not theirs to see")
    folder = lay(tmp_path, local_csv="ours")
    (folder / "customer.csv").symlink_to(secret)
    look(one, program(tmp_path, AUDITED))
    assert (folder / "customer.csv").is_symlink()
    assert secret.read_text() == "not theirs to see"
    assert "is not a regular file" in next((folder / "rejected").glob("*.txt")).read_text()
    assert not list(folder.glob("audit-*"))


def test_the_same_names_again_are_audited_again_and_nothing_is_overwritten(tmp_path: Path) -> None:
    one = inbox(tmp_path)
    for text in ("first", "second", "first"):
        folder = lay(tmp_path, local_csv=text, customer_csv="theirs")
        look(one, program(tmp_path, AUDITED))
    assert len(list(folder.glob("audit-*"))) == 2
    assert len(names(folder / "done")) == 6
    assert sorted(path.read_text() for path in (folder / "done").glob("local.*")) == ["first", "first", "second"]


def test_bills_that_change_during_the_audit_are_audited_anew(tmp_path: Path) -> None:
    one = inbox(tmp_path)
    folder = lay(tmp_path, local_csv="ours", customer_csv="theirs")
    changing = AUDITED.replace("sys.exit(1)", f"pathlib.Path({str(folder / 'customer.csv')!r}).write_text('corrected' * 2); sys.exit(1)")
    look(one, program(tmp_path, changing))
    assert names(folder) == [".done", "customer.csv", "local.csv"]
    look(one, program(tmp_path, AUDITED))
    assert [path.read_text() for path in (folder / "done").glob("customer.*")] == ["corrected" * 2]


def test_an_audit_that_dies_is_tried_three_times(tmp_path: Path) -> None:
    one = inbox(tmp_path)
    folder = lay(tmp_path, local_csv="ours", customer_csv="theirs")
    count = tmp_path / "count"
    dying = f"import sys; open({str(count)!r}, 'a').write('x'); sys.exit(3)"
    assert look(one, program(tmp_path, dying), times=5) == {"died": 3, "rejected": 1}
    assert count.read_text() == "xxx"
    assert {name.split(".")[2] for name in names(folder / "rejected")} == {"the-audit-ended-with-3"}


def test_results_and_notes_are_for_their_owner_alone(tmp_path: Path) -> None:
    one = inbox(tmp_path)
    folder = lay(tmp_path, local_csv="ours", customer_pdf="%PDF")
    look(one, program(tmp_path, REFUSED))
    note = next((folder / "rejected").glob("*.txt"))
    assert stat.S_IMODE(note.stat().st_mode) == 0o600


@pytest.mark.parametrize("after", range(6))
def test_moves_that_were_cut_off_anywhere_are_finished(tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = lay(tmp_path, local_csv="ours", customer_csv="theirs")
    found = pickup.bills(folder)
    assert found is not None
    journal = pickup.decide(folder, found)
    left = after

    def stopping(call):  # type: ignore[no-untyped-def]
        def counted(*args, **named):  # type: ignore[no-untyped-def]
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            return call(*args, **named)

        return counted

    with monkeypatch.context() as cut:
        cut.setattr(os, "link", stopping(os.link))
        cut.setattr(Path, "unlink", stopping(Path.unlink))
        if after < 6:
            try:
                pickup.settle(folder, journal)
            except KeyboardInterrupt:
                pass
    again = pickup.unfinished(folder)
    if again is not None:
        pickup.settle(folder, again)
    assert sorted(path.read_text() for path in (folder / "done").iterdir()) == ["ours", "theirs"]
    assert names(folder) == [f"done/{path.name}" for path in sorted((folder / "done").iterdir())]


def test_a_file_that_came_after_the_decision_stays(tmp_path: Path) -> None:
    folder = lay(tmp_path, local_csv="ours", customer_csv="theirs")
    found = pickup.bills(folder)
    assert found is not None
    journal = pickup.decide(folder, found)
    (folder / "local.csv").rename(folder / "elsewhere")
    (folder / "local.csv").write_text("a new one")
    pickup.settle(folder, journal)
    assert (folder / "local.csv").read_text() == "a new one"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("a PDF is no bill", "a-pdf-is-no-bill"), ("", "unreadable"), ("密码错误", "密码错误"), ("…", "unreadable"), ("../../etc/x", "etc-x")],
)
def test_a_reason_becomes_a_harmless_part_of_a_name(text: str, wanted: str) -> None:
    assert pickup.slug(text) == wanted
