"""What `firstline audit` says of files that can't be used, and of rows that can't be read: what, where, cure, in the reader's language."""

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from probe.agent.cli import firstline

HEAD = "主叫号码,被叫号码,通话开始时间,通话时长,计费时长,通话费用"
CALLS = [
    f"8675583{n:04},4420794{n:04},2026-10-{1 + n % 28:02} 08:00:{n % 60:02},{30 + n},{60 * (1 + (29 + n) // 60)},0.{n:06}"
    for n in range(1, 81)
]


@pytest.fixture
def bills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    text = "\n".join([HEAD, *CALLS]) + "\n"
    Path("local.csv").write_text(text, encoding="utf-8")
    Path("theirs.csv").write_text(text.replace(HEAD, HEAD.replace("主叫号码", "主叫")), encoding="utf-8")
    return tmp_path


def ask(*words: str) -> Result:
    return CliRunner().invoke(firstline, ["audit", *words, "--language", "en"] if "--language" not in words else ["audit", *words])


def test_every_refused_row_is_laid_down_and_none_of_an_earlier_audit_stays(bills: Path) -> None:
    whole = Path("local.csv").read_text(encoding="utf-8")
    bad = [f"86,44{n},2026-13-01 08:00:00,1,60,0.1" for n in range(150)]  # more than an audit names
    Path("local.csv").write_text(whole + "\n".join([*bad, "86,44,=1+1,1,60,0.1"]) + "\n", encoding="utf-8")
    told = ask("local.csv", "theirs.csv", "--out", "out")
    assert told.exit_code == 1, told.output
    with (bills / "out" / "refused.csv").open(encoding="utf-8-sig", newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["bill", "file", "line", "field", "text", "why"]
    assert [int(row[2]) for row in rows] == list(range(82, 233))
    assert rows[-1] == ["local", "local.csv", "232", "start", "'=1+1", "No time can be read here"]
    assert {file.stat().st_mode & 0o777 for file in (bills / "out").iterdir()} == {0o600}
    assert "out/refused.csv" in told.output
    Path("local.csv").write_text(whole, encoding="utf-8")
    assert ask("local.csv", "theirs.csv", "--out", "out").exit_code == 0
    assert not (bills / "out" / "refused.csv").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("local.csv", "gone.csv"), "Error: gone.csv: The file can't be opened: No such file or directory. Check that"),
        (
            ("local.csv", "theirs.csv", "--rates", "local.csv"),
            "Error: local.csv: no header names a code and a rate; name the columns prefix,",
        ),
        (("local.csv", "theirs.csv", "--outages", "gone.csv"), "Error: gone.csv: No such file or directory"),
        (
            ("local.csv", "theirs.csv", "--outages", "gbk.csv"),
            "Error: gbk.csv: This is no UTF-8 text. Outages are a CSV file start,end,node",
        ),
        (("local.csv", "theirs.csv", "--outages", "o.csv"), "Error: 1 outage can't be read; a row is start,end,node with times in UTC:"),
        (
            ("local.csv", "theirs.csv", "--columns", "customer.duration=x"),
            "Error: theirs.csv: There is no column “x”. See the headers with",
        ),
        (("local.csv", "theirs.csv", "--memory", "5"), "Error: --memory 5: an audit needs at least 512M"),
        (("local.csv", "theirs.csv", "--invoice", "abc"), "Error: --invoice abc: write 12345.67, or local="),
        (("local.csv", "gone.csv", "--language", "zh"), "Error: gone.csv: 无法打开文件：No such file or directory。请"),
    ],
)
def test_what_is_given_and_can_t_be_used_is_named_with_its_cure(bills: Path, words: tuple[str, ...], said: str) -> None:
    (bills / "gbk.csv").write_bytes("开始".encode("gb18030"))
    (bills / "o.csv").write_text("start,end,node\n2026-10-02,2026-10-01,a\n", encoding="utf-8")
    told = ask(*words)
    assert told.exit_code == 2
    assert told.output.startswith(said), told.output


def test_a_rate_that_can_t_be_read_stops_the_audit_with_its_line(bills: Path) -> None:
    (bills / "deck.csv").write_text("prefix,destination,rate,effective_from\n44,UK,abc,2020-01-01\n", encoding="utf-8")
    told = ask("local.csv", "theirs.csv", "--rates", "deck.csv")
    assert (told.exit_code, told.output.splitlines()) == (2, ["Error: 1 rate can't be read:", 'deck.csv:2:rate: “abc”: "abc" is no amount'])


def test_looking_at_a_bill_says_what_its_times_and_durations_are(bills: Path) -> None:
    english, chinese = ask("local.csv", "--inspect").output, ask("local.csv", "--inspect", "--language", "zh").output
    assert "format read by its headers" in english
    assert "duration seconds" in english
    assert "格式 按表头识别" in chinese
    assert "duration 秒" in chinese


def test_bills_that_are_no_pair_are_not_disputed_before_somebody_has_looked(bills: Path) -> None:
    theirs = (bills / "theirs.csv").read_text(encoding="utf-8")
    (bills / "theirs.csv").write_text(theirs.replace(",4420794", ",3369012").replace("2026-10", "2026-11"), encoding="utf-8")
    told = ask("local.csv", "theirs.csv", "--out", "out")
    assert told.exit_code == 1
    assert "The bills have hardly a call in common (0 of 80 and 80 records)" in told.output.replace("\n   ", "")
    assert "  · make sure that these are the right two bills" in told.output
    assert "send the statement" not in told.output
    assert not list((bills / "out").glob("statement-*"))
