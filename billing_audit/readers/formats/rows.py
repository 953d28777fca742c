"""The rows of a delimited file in plain Python, for formats whose rows are not calls: bounded lines, bounded quotes, numbered lines."""

import csv
import re
from collections.abc import Iterator, Mapping
from typing import Final, TextIO

from billing_audit.ledger import Note
from billing_audit.readers.layout import Field, Record, Refused

LONGEST: Final = 1 << 20  # characters of one line; the rest of a longer one is passed over
MOST_JOINED: Final = 16  # lines of one row: a line break within quotes
SHOWN: Final = 500  # characters of a refused row that are kept

_ADDRESS = re.compile(r"(?:^|[<\s\"])(?:sips?|tel):([^@;>\s]{1,100})", re.IGNORECASE)
YES, NO = "yes", "no"
ANSWERED: Final = frozenset((YES,))  # what `records` that know it write into Record.answered

Row = tuple[int, list[str]]
"""Line from 1, and the fields."""


def refused(line: int, text: str, why: str, field: str = "", **values: str | int) -> Refused:
    """Return a row refused with a reason of `audit.refused.…`; its text is cut to SHOWN."""
    return Refused(file="", line=line, field=field, text=text[:SHOWN], reason=Note(f"audit.refused.{why}", dict(values)))


def record(line: int, told: Mapping[Field, str]) -> Record:
    """Return a record of these fields."""
    made = Record(line=line)
    for field, value in told.items():
        setattr(made, field, value)
    return made


def user_of(text: str) -> str:
    """Return the user part of a SIP or tel address, with or without a name and brackets around it; any other text as it is."""
    found = _ADDRESS.search(text)
    return found[1] if found else text


def lines(stream: TextIO) -> Iterator[tuple[int, str | None]]:
    """Yield number and text of each line without its end; None for a line longer than LONGEST, of which nothing is kept."""
    number = 0
    while text := stream.readline(LONGEST + 1):
        number += 1
        if len(text) <= LONGEST or text.endswith("\n"):
            yield number, text.rstrip("\r\n")
            continue
        while (more := stream.readline(LONGEST)) and not more.endswith("\n"):
            pass
        yield number, None


def fields(stream: TextIO, delimiter: str = ",", skip: int = 0) -> Iterator[Row | Refused]:
    """Yield the rows behind the first `skip` lines; empty lines are none. What can't be split is refused."""
    waiting: list[str] = []
    began = 0
    for number, text in lines(stream):
        if number <= skip:
            continue
        if text is None:
            yield refused(number, "", "row-too-long", limit=LONGEST)
            continue
        if not waiting and not text.strip():
            continue
        waiting.append(text)
        began = number if len(waiting) == 1 else began
        whole = "\n".join(waiting) if len(waiting) > 1 else text
        if whole.count('"') % 2 == 0:
            yield split(began, whole, delimiter)
            waiting.clear()
        elif len(waiting) >= MOST_JOINED:
            yield from _open(waiting, began, delimiter)
            waiting.clear()
    yield from _open(waiting, began, delimiter)


def _open(waiting: list[str], began: int, delimiter: str) -> Iterator[Row | Refused]:
    """Give up a quote that nothing closes: its line is refused, the lines behind it are rows of their own."""
    for number, text in enumerate(waiting, began):
        if text.count('"') % 2:
            yield refused(number, text, "quote-open")
        elif text.strip():
            yield split(number, text, delimiter)


def split(line: int, text: str, delimiter: str = ",") -> Row | Refused:
    """Return a line's number and fields; refused where a quoted field is larger than the csv module takes."""
    if '"' not in text:
        return line, text.split(delimiter)
    try:
        return line, next(csv.reader([text.replace("\n", " ")], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:  # a field longer than csv.field_size_limit() in quotes
        return refused(line, text, "field-too-long", limit=csv.field_size_limit())
