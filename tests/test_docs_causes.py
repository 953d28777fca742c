"""The pages of causes are held to the catalogue: a section for each cause, in both languages, with everything that a technician needs."""

import re
from pathlib import Path

import pytest

from checks.causes import CAUSES, OTHER
from docs import cause_tables

DOCS = Path(__file__).parents[1] / "docs"
CODES = [cause.code for cause in (*CAUSES, OTHER)]
PARTS = {
    "en": ("**Looks like it**: ", "**Steps**\n", "**Hand over**: ", "**Verify**: "),
    "zh": ("**易混淆**：", "**步骤**\n", "**移交**：", "**验证**："),
}
TEXTS = {language: page.read_text(encoding="utf-8") for language, page in cause_tables.PAGES.items()}


def sections(language: str) -> dict[str, str]:
    """Return the text below each heading of a page."""
    parts = re.split(r"^## (\S+)\n", TEXTS[language], flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def steps(section: str) -> list[str]:
    return re.findall(r"^(\d+)\. \S", section, re.MULTILINE)


@pytest.mark.parametrize("language", sorted(TEXTS))
def test_every_cause_has_its_section_and_no_other_stands_there(language: str) -> None:
    assert list(sections(language)) == CODES
    assert [found["code"] for found in cause_tables.BLOCK.finditer(TEXTS[language])] == CODES


@pytest.mark.parametrize("language", sorted(TEXTS))
@pytest.mark.parametrize("code", CODES)
def test_a_section_says_what_it_is_confused_with_what_to_do_to_whom_it_goes_and_how_to_verify(code: str, language: str) -> None:
    section = sections(language)[code]
    for part in PARTS[language]:
        assert section.count(part) == 1, part
        assert section.partition(part)[2].strip()
    numbers = steps(section)
    assert numbers == [str(at) for at in range(1, len(numbers) + 1)]
    assert len(numbers) >= 2


@pytest.mark.parametrize("code", CODES)
def test_both_languages_have_the_same_steps(code: str) -> None:
    assert steps(sections("en")[code]) == steps(sections("zh")[code])


def test_what_a_section_takes_from_the_catalogue_is_as_the_catalogue_has_it() -> None:
    assert cause_tables.old() == [], "run: python docs/generate.py"


def test_a_changed_catalogue_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = tmp_path / "causes.md"
    page.write_text(TEXTS["en"].replace("does not answer at all", "answers"), encoding="utf-8")
    monkeypatch.setattr(cause_tables, "PAGES", {"en": page})
    assert cause_tables.old() == ["en: host_down"]
    cause_tables.write()
    assert page.read_text(encoding="utf-8") == TEXTS["en"]


@pytest.mark.parametrize("language", sorted(TEXTS))
def test_code_quoted_in_a_step_is_whole(language: str) -> None:
    halves = [line for line in TEXTS[language].splitlines() if line.count("`") % 2]
    assert halves == []
