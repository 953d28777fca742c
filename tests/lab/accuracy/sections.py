"""The page of figures as sections, each made by a command of its own: one that is made anew takes the place of the old."""

import fcntl
from collections.abc import Container
from pathlib import Path

HEAD = "## "
OTHERS = frozenset({"Complaints", "The flow and the agent agree"})  # made by tests.lab.complaining and tests.lab.agreeing


def split(page: str) -> list[tuple[str, str]]:
    """Return the sections of a page as (title, text with its heading); what stands before the first one has no title."""
    found = [("", "")]
    for line in page.splitlines(keepends=True):
        if line.startswith(HEAD):
            found.append((line.removeprefix(HEAD).strip(), ""))
        found[-1] = (found[-1][0], found[-1][1] + line)
    return [one for one in found if one[1]]


def of_others(page: str, titles: Container[str] = OTHERS) -> str:
    """Return the sections of these titles, as they stand."""
    return "".join(f"\n{text.strip()}\n" for title, text in split(page) if title in titles)


def put(file: Path, section: str) -> None:
    """Write a section into a page in place of the one with its title, or at the end."""
    with file.open("a+") as page:
        fcntl.flock(page, fcntl.LOCK_EX)
        page.seek(0)
        ((title, text),) = split(section)
        known = split(page.read())
        if title in {other for other, _ in known}:
            known = [(other, text if other == title else old) for other, old in known]
        else:
            known.append((title, text))
        page.seek(0)
        page.truncate()
        page.write("\n".join(f"{old.strip()}\n" for _, old in known))
