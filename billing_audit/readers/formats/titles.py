"""Formats that are told by the titles of their columns: which title stands for which field."""

import re
from collections.abc import Mapping
from typing import Final

from billing_audit.readers.formats import shape
from billing_audit.readers.layout import Field, Head

DEEPEST: Final = 20  # lines of a letterhead above the titles
TIMES: Final[tuple[Field, ...]] = ("start", "answer", "end")
NUMBERS: Final[tuple[Field, ...]] = ("duration", "total", "billed", "rate", "charge")
_CLOCK = re.compile(r"\d{1,4}:\d{2}(?::\d{2})?")
DELIMITERS: Final = (",", ";", "\t", "|")


def named(names: Mapping[Field, str]) -> tuple[dict[Field, int], dict[Field, str]]:
    """Return `columns` and `headers` of a Layout whose fields have names and no places: JSON, XML, attributes."""
    return {field: place for place, field in enumerate(names)}, dict(names)


class Titled:
    """A line of titles that was found: its fields, all titles (lower case), the delimiter, and how many lines to skip."""

    def __init__(self, columns: dict[Field, int], titles: list[str], delimiter: str, skip: int) -> None:
        self.columns = columns
        self.titles = titles
        self.delimiter = delimiter
        self.skip = skip


def find(head: Head, needs: frozenset[str], fields: Mapping[Field, tuple[str, ...]]) -> Titled | None:
    """Return the first line that has all titles of `needs`; `fields`: field → titles in order of preference. All are lower case."""
    for number, line in enumerate(head.lines[:DEEPEST]):
        for delimiter in DELIMITERS:
            if delimiter not in line:
                continue
            told = [title.casefold() for title in split(line, delimiter)]
            if needs <= set(told):
                columns = {field: told.index(name) for field, names in fields.items() for name in [_first(told, names)] if name}
                return Titled(columns, told, delimiter, number + 1)
    return None


def plain(head: Head, found: Titled, clocks: frozenset[Field] = frozenset()) -> bool:
    """Tell whether most rows under the titles have ISO-like times, whole or decimal seconds, and money with a decimal point.

    A file with the titles of a system but in another notation (mm:ss, decimal comma) has been through other hands: it is read by its
    headers, where every notation must prove itself. `clocks`: fields that are h:mm:ss in this format.
    """
    return shape.most(shape.rows(head, found.delimiter, found.skip), lambda row: _is_plain(row, found.columns, clocks))


def _is_plain(row: shape.Row, columns: Mapping[Field, int], clocks: frozenset[Field]) -> bool:
    told = {field: row[index] for field, index in columns.items() if index < len(row) and row[index]}
    times = all(shape.is_time(told[field]) for field in TIMES if field in told)
    numbers = all(_CLOCK.fullmatch(told[field]) if field in clocks else shape.is_number(told[field]) for field in NUMBERS if field in told)
    return len(told) > 2 and times and numbers


def _first(told: list[str], names: tuple[str, ...]) -> str:
    return next((name for name in names if name in told), "")


def split(line: str, delimiter: str) -> list[str]:
    """Return the titles of a line as they are written, without quotes and spaces around them."""
    found = shape.rows(Head(name="", text=line, lines=(line,), encoding="", whole=True), delimiter)
    return found[0] if found else []
