"""What the first rows of a file look like: the questions by which the formats tell themselves from one another."""

import csv
import re
from collections.abc import Callable, Sequence
from typing import Final

from billing_audit.readers.layout import Head

SAMPLED: Final = 64  # rows looked at; a format must fit three quarters of them, so that a damaged row does not hide what a file is
MOST_COLUMNS: Final = 1000
LONGEST: Final = 100_000  # characters of a line that is looked at; below what csv takes as one field
_TIME = re.compile(
    r"(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2\d{4})[ T]"
    r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?"
)
_NUMBER = re.compile(r"-?\d{1,12}(?:\.\d{1,9})?")
_DIALLED = re.compile(r"(?:sips?:|tel:)?\+?[\d*#]{2,24}(?:@.{1,200})?")
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")

Row = list[str]


def rows(head: Head, delimiter: str = ",", skip: int = 0) -> list[Row]:
    """Return the first rows of a delimited file, each field stripped; empty when its lines are none."""
    told = [line for line in head.lines[skip : skip + 4 * SAMPLED] if line.strip() and len(line) <= LONGEST][:SAMPLED]
    found = [cut(line, delimiter) for line in told]
    return [row for row in found if len(row) <= MOST_COLUMNS]


def cut(line: str, delimiter: str = ",") -> Row:
    """Return the fields of a line of at most LONGEST characters, each stripped."""
    if '"' not in line:
        return [field.strip() for field in line.split(delimiter)]
    return [field.strip() for field in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])]


def most(found: Sequence[Row], fits: Callable[[Row], bool]) -> bool:
    """Tell whether three quarters of the rows fit, a line of titles above them left out; no row is no."""
    rows_ = found[titled(found, fits) :]
    return bool(rows_) and sum(map(fits, rows_)) * 4 >= len(rows_) * 3


def titled(found: Sequence[Row], fits: Callable[[Row], bool]) -> int:
    """Return 1 when the first row is a line of titles over rows that fit, else 0: exports from a database put one there."""
    return 1 if found and not fits(found[0]) and not any(is_number(value) or is_time(value) for value in found[0]) else 0


def is_time(text: str) -> bool:
    """Tell whether this is a date with a time of day, year first or last."""
    return _TIME.fullmatch(text) is not None


def is_number(text: str) -> bool:
    """Tell whether this is a plain decimal number."""
    return _NUMBER.fullmatch(text) is not None


def is_dialled(text: str) -> bool:
    """Tell whether this is a telephone number, an extension or their address."""
    return _DIALLED.fullmatch(text) is not None


def is_uuid(text: str) -> bool:
    """Tell whether this is a UUID as RFC 9562 writes it."""
    return _UUID.fullmatch(text) is not None


def is_epoch(text: str, digits: int) -> bool:
    """Tell whether this is a time since 1970 of so many digits (10: seconds, 13: milliseconds), from 2001 to 2286."""
    return len(text) == digits and text.isascii() and text.isdecimal() and text[0] != "0"
