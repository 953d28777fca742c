"""The sections of docs/accuracy.md: what one command makes does not undo what another has made."""

from pathlib import Path

import pytest

from tests.lab.accuracy.sections import of_others, put, split

PAGE = "# How right\n\nWords.\n\n## Complaints\n\n36 of 36\n\n## Calibration\n\nfine\n"


def test_page_is_split_at_its_headings() -> None:
    assert [title for title, _ in split(PAGE)] == ["", "Complaints", "Calibration"]
    assert "".join(text for _, text in split(PAGE)) == PAGE
    assert split("") == []


@pytest.mark.parametrize(
    ("section", "page"),
    [
        ("## Complaints\n\n35 of 36\n", PAGE.replace("36 of 36", "35 of 36")),
        ("## The flow\n\nagrees\n", PAGE + "\n## The flow\n\nagrees\n"),
    ],
)
def test_section_takes_the_place_of_the_old_one_or_comes_last(tmp_path: Path, section: str, page: str) -> None:
    file = tmp_path / "accuracy.md"
    file.write_text(PAGE)
    put(file, section)
    assert file.read_text() == page
    put(file, section)
    assert file.read_text() == page


def test_section_begins_a_page_that_is_not_there(tmp_path: Path) -> None:
    put(tmp_path / "new.md", "## Complaints\n\n36\n")
    assert (tmp_path / "new.md").read_text() == "## Complaints\n\n36\n"


def test_sections_of_others_are_kept_when_the_page_is_made_anew() -> None:
    assert of_others(PAGE) == "\n## Complaints\n\n36 of 36\n"
    assert of_others("# How right\n") == ""
