"""CGRateS: CDR export with the default fields (no titles), with titles, and rows of the table `cdrs` of its StorDB.

Usage is a Go duration ("1m3.5s") or nanoseconds. Of the runs of one call only one is a charge: `*default`, or the first name that is not
`*raw`; the others are folded. Cost −1 means not rated. Times carry their zone or are UTC.
"""

import re
from collections.abc import Iterator
from typing import Final, TextIO

from billing_audit.ledger import Note
from billing_audit.readers.formats import rows, shape, titles
from billing_audit.readers.layout import Field, Folded, Head, Item, Layout

NAME: Final = "cgrates"
TITLE: Final = "CGRateS CDR export and StorDB table cdrs"
SOURCE: Final = "CGRateS documentation: Event Exporter Service, *default fields; StorDB schema, table cdrs"

DEFAULT: Final[dict[Field, int]] = {
    "id": 0,
    "account": 7,
    "callee": 9,
    "start": 10,
    "answer": 11,
    "duration": 12,
    "charge": 13,
    "caller": 8,
}
RUN: Final = (
    1  # CGRID, RunID, ToR, OriginID, RequestType, Tenant, Category, Account, Subject, Destination, SetupTime, AnswerTime, Usage, Cost
)
WITH_HOST: Final = 15  # columns where OriginHost stands before RequestType
TABLE: Final = 20  # columns of a row of `cdrs`, at least: id, cgrid, run_id, …
FIELDS: Final[dict[Field, tuple[str, ...]]] = {
    "id": ("cgrid", "originid", "origin_id"),
    "account": ("account",),
    "caller": ("subject",),
    "callee": ("destination",),
    "start": ("setuptime", "setup_time"),
    "answer": ("answertime", "answer_time"),
    "duration": ("usage",),
    "charge": ("cost",),
    "gateway": ("runid", "run_id"),  # kept here so that `records` finds the run; it is no gateway
}
NEVER: Final = ("0001-01-01T00:00:00Z", "0000-00-00 00:00:00")
RUNS: Final = Note("audit.note.cgrates-run")
_GO = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?(?:(\d+(?:\.\d+)?)(?:us|µs))?(?:(\d+)ns)?")
_SHA1 = re.compile(r"[0-9a-f]{40}|[0-9a-f]{7,39}")
_TOR = re.compile(r"\*[a-z]+")


def micros(usage: str) -> str:
    """Return a usage as microseconds: of Go's notation, or of nanoseconds; the text itself when it is neither."""
    if usage.isascii() and usage.isdecimal():
        return str(int(usage) // 1000) if len(usage) <= 18 else usage
    found = _GO.fullmatch(usage)
    if not found or not usage:
        return usage
    hours, minutes, seconds, milli, micro, nano = (part or "0" for part in found.groups())
    whole = (int(hours) * 60 + int(minutes)) * 60_000_000 + _scaled(seconds, 6) + _scaled(milli, 3) + _scaled(micro, 0)
    return str(whole + int(nano) // 1000)


def _scaled(text: str, places: int) -> int:
    whole, _, part = text.partition(".")
    return int(whole + part.ljust(places, "0")[:places])


def _fits(row: shape.Row) -> bool:
    return (
        len(row) >= 14
        and (row[RUN].startswith("*") or row[RUN].isidentifier())
        and _TOR.fullmatch(row[2]) is not None
        and _SHA1.fullmatch(row[0]) is not None
    )


def detect(head: Head) -> Layout | None:
    """Return where the fields stand: by titles, or in the order of the export or the table."""
    if (found := titles.find(head, frozenset(("usage", "cost", "destination", "account")), FIELDS)) is not None:
        if not any(title in found.titles for title in ("runid", "run_id", "cgrid", "tor")):
            return None
        return _layout(found.columns, found.delimiter, found.skip)
    for delimiter in (",", ";", "|"):
        found_rows = shape.rows(head, delimiter)
        if shape.most(found_rows, _fits):
            more = 1 if len(found_rows[0]) >= WITH_HOST and not found_rows[0][4].startswith("*") else 0
            columns: dict[Field, int] = {field: index + (more if index > 3 else 0) for field, index in DEFAULT.items()}
            return _layout(columns | {"gateway": RUN}, delimiter, 0)
        if shape.most(found_rows, lambda row: len(row) >= TABLE and row[0].isdecimal() and _fits([*row[1:3], row[6], *row[7:]])):
            table: dict[Field, int] = {
                "id": 1,
                "gateway": 2,
                "account": 10,
                "caller": 11,
                "callee": 12,
                "start": 13,
                "answer": 14,
                "duration": 15,
                "charge": 18,
            }
            return _layout(table, delimiter, 0)
    return None


def _layout(columns: dict[Field, int], delimiter: str, skip: int) -> Layout:
    return Layout(
        format=NAME,
        columns=columns | {"answered": columns["answer"]} if "answer" in columns else columns,
        delimiter=delimiter,
        skip=skip,
        durations="us",
        answered=rows.ANSWERED,
        zone="UTC",
        absent={"charge": ("-1", "-1.0", "-1.0000"), "answer": NEVER},
    )


def records(stream: TextIO, layout: Layout) -> Iterator[Item]:
    """Yield one record a charged run."""
    least = max(layout.columns.values()) + 1
    run = layout.columns.get("gateway", -1)
    charged = ""
    for item in rows.fields(stream, layout.delimiter, layout.skip):
        if not isinstance(item, tuple):
            yield item
            continue
        line, row = item[0], [value.strip() for value in item[1]]
        if len(row) < least:
            yield rows.refused(line, layout.delimiter.join(row), "columns", found=len(row), expected=least)
            continue
        if run >= 0:
            charged = charged or (row[run] if row[run] != "*raw" else "")
            if row[run] != (charged or "*default"):
                yield Folded(line=line, note=RUNS)
                continue
        told: dict[Field, str] = {field: row[index] for field, index in layout.columns.items() if field not in ("gateway", "answered")}
        told["duration"] = micros(told["duration"])
        told["answered"] = rows.NO if told.get("answer", "") in ("", *NEVER) else rows.YES
        if not shape.is_dialled(told.get("caller", "")):
            told["caller"] = ""  # the rating subject is a number only where people rate by number
        yield rows.record(line, told)
