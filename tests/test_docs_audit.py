"""The handbook's chapter Audit and the pages of finance are held to the code: formats, causes, keys of contract and JSON, real output."""

import re
import tomllib
from decimal import Decimal
from importlib import import_module
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from billing_audit import contract
from billing_audit.audit import FileRead
from billing_audit.causes.catalogue import CAUSES
from billing_audit.ledger import Refused, Side
from billing_audit.readers.formats.catalogue import FORMATS
from docs import audit_tables
from probe.agent.cli import firstline
from reports.audit.facts import as_json
from reports.locale.text import texts
from tests.reports.audit_sample import make
from tests.test_docs import FENCE, HANDBOOK, ROOT, first_cells, section

EXAMPLE = ROOT / "examples" / "audit"
AUDIT = section("Audit")
CODES = [*CAUSES, "unexplained"]
# What is read, and keys of it that a key of the contract says as a table.
SUBTABLES = ("duration_rounding", "cost_rounding", "step", "band", "period", "dispute", "line", "number")
LISTED = ("step", "band", "line", "number")
UNKNOWN = "no-such-key"


def part(title: str) -> str:
    return section(title, AUDIT)


def known(path: tuple[str, ...]) -> set[str]:
    """Return the keys that the contract has at a path, as it tells them of an unknown one."""
    table: object = {UNKNOWN: 1}
    for key in reversed(path):
        table = {key: [table] if key in LISTED else table}
    assert isinstance(table, dict)
    told = next(problem.text for problem in contract.read(table)[1] if problem.path[-1] == UNKNOWN)
    return set(told.partition("there are: ")[2].split(", "))


def test_every_format_is_in_the_handbook_and_no_other() -> None:
    assert first_cells(part("Formats"))[: len(FORMATS)] == list(FORMATS) == list(audit_tables.RECOGNISED)


@pytest.mark.parametrize("name", FORMATS)
def test_what_a_format_is_recognised_by_stands_in_its_module(name: str) -> None:
    file = import_module(FORMATS[name]).__file__
    assert file
    source = Path(file).read_text(encoding="utf-8").lower()
    assert [word for word in re.findall(r"`([^`]+)`", audit_tables.RECOGNISED[name]) if word.lower() not in source] == []


def test_every_cause_is_in_the_handbook_and_on_the_pages_of_finance_and_no_other() -> None:
    assert first_cells(part("Causes of a difference")) == CODES
    for page in ("docs/finance.md", "docs/zh/finance.md"):
        assert sorted(first_cells((ROOT / page).read_text(encoding="utf-8"))) == sorted(CODES)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_cause_has_its_name_on_the_page_of_finance(language: str) -> None:
    page = (ROOT / "docs" / ("finance.md" if language == "en" else "zh/finance.md")).read_text(encoding="utf-8")
    for code in CODES:
        row = next(line for line in page.splitlines() if line.startswith(f"| `{code}` |"))
        assert texts("zh").text(f"audit.cause.{code}") in row


def test_every_key_of_the_contract_is_in_the_handbook_and_no_other() -> None:
    rows = {line.split("`")[1]: line for line in part("Contract").splitlines() if line.startswith("| `")}
    assert set(rows) == known(())
    for name in SUBTABLES:
        told = set(re.findall(r"`(\w+)`", rows[name])) | set(re.findall(r"\{ (\w+) =", rows[name]))
        assert known((name,)) - {"mode"} <= told, name


def test_defaults_of_the_contract_are_those_of_the_code() -> None:
    dispute = contract.read({})[0].dispute  # type: ignore[union-attr]
    assert (dispute.tolerance_ratio, dispute.minimum, dispute.days) == (Decimal("0.01"), 1000, 30)
    assert "| 1 %, 1,000, 30 days |" in part("Contract")


def test_keys_of_an_audit_are_in_the_handbook_and_no_other() -> None:
    told = as_json(make(400).audit, texts("en"))
    rows = {line.split("`")[1]: line for line in part("audit.json").splitlines() if line.startswith("| `")}
    assert list(rows) == list(told)
    for key, value in told.items():
        inner = value[0] if isinstance(value, list) and value else value
        if isinstance(inner, dict) and key not in ("customer", "by_prefix", "contract", "notes"):
            inner = inner["local"] if key == "methods" else inner
            assert re.findall(r"`(\w+)`", rows[key])[1:] == list(inner), key
    behind = part("audit.json").rpartition("\n| `files`")[2]
    assert set(FileRead.__struct_fields__) | {*Refused.__struct_fields__, "why", "id"} - {"reason"} <= set(re.findall(r"`(\w+)`", behind))
    assert set(Side) <= set(re.findall(r"`(\w+)`", behind))


def test_every_file_of_an_audit_is_in_the_handbook_and_no_other(tmp_path: Path) -> None:
    local = tmp_path / "local.csv"
    local.write_bytes((EXAMPLE / "local-2026-10.csv").read_bytes() + b"not a call\n")
    words = ["audit", str(local), str(EXAMPLE / "customer-2026-10.csv"), "--contract", str(EXAMPLE / "harbour.toml"), "--language", "zh"]
    told = CliRunner().invoke(firstline, [*words, "--rates", str(EXAMPLE / "deck-10.csv"), "--out", str(tmp_path / "out")])
    assert told.exit_code == 1, told.output
    assert sorted(first_cells(part("Files written"))) == sorted(file.name for file in (tmp_path / "out").iterdir())


def shown(page: Path) -> list[tuple[str, list[str]]]:
    """Return the screens of a page that begin with `$ firstline audit`: the command, and the lines that are not left out."""
    blocks = [block for _, block in FENCE.findall(page.read_text(encoding="utf-8")) if block.startswith("$ firstline audit ")]
    return [(block.splitlines()[0][2:], [line for line in block.splitlines()[1:] if line.strip() != "…"]) for block in blocks]


SCREENS = [
    (page, command, lines)
    for page in ("README.md", "docs/zh/README.md", "docs/finance.md", "docs/zh/finance.md")
    for command, lines in shown(ROOT / page)
]


@pytest.mark.parametrize(("page", "command", "lines"), SCREENS, ids=[f"{page}: {command}" for page, command, _ in SCREENS])
def test_a_screen_of_an_audit_is_what_comes_out(
    page: str, command: str, lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in EXAMPLE.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(firstline, [*command.split()[1:], "--language", "zh" if "zh" in page else "en"])
    out = told.output.splitlines()
    at = -1
    for line in lines:
        assert line in out[at + 1 :], f"{page}: no longer there, or in another order: {line!r}"
        at = out.index(line, at + 1)


def test_the_pages_show_audits_at_all() -> None:
    assert {page for page, _, _ in SCREENS} == {"README.md", "docs/zh/README.md", "docs/finance.md", "docs/zh/finance.md"}


def test_the_contract_of_the_examples_is_a_good_one_and_says_what_was_agreed() -> None:
    told, problems = contract.read(tomllib.loads((EXAMPLE / "harbour.toml").read_text(encoding="utf-8"), parse_float=Decimal))
    assert problems == []
    assert told is not None
    assert msgspec.structs.asdict(told.terms)["minimum_s"] == 60


def test_links_to_the_chapter_come_from_its_contents() -> None:
    assert "[audit](#audit)" in HANDBOOK
