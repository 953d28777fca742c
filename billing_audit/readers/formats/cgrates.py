"""CGRateS: CDR export with the default fields (no titles), with titles, and rows of the table `cdrs` of its StorDB.

Usage is a Go duration ("1m3.5s") or nanoseconds. Of the runs of one call one is this bill's: `*default`, or the first that is not `*raw`
where the file has no `*default`; the others are folded, and so is what is no call (SMS, data). Cost −1 means not rated. Times carry their
zone or are UTC.
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

# CGRID, RunID, ToR, OriginID, RequestType, Tenant, Category, Account, Subject, Destination, SetupTime, AnswerTime, Usage, Cost
DEFAULT: Final[dict[Field, int]] = {
    "id": 0, "account": 7, "caller": 8, "callee": 9, "start": 10, "answer": 11, "duration": 12, "charge": 13,
}  # fmt: skip
CDRS: Final[dict[Field, int]] = {
    "id": 1, "account": 10, "caller": 11, "callee": 12, "start": 13, "answer": 14, "duration": 15, "charge": 18,
}  # fmt: skip
RUN, RUN_OF_CDRS = 1, 2
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
}
NEVER: Final = ("0001-01-01T00:00:00Z", "0000-00-00 00:00:00")
RUN_TITLES: Final = ("runid", "run_id")
NO_CALLS: Final = frozenset(("*sms", "*data", "*mms", "*generic", "*monetary"))
RUNS: Final = Note("audit.note.cgrates-run")
TORS: Final = Note("audit.note.cgrates-tor")
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
        if not any(title in found.titles for title in (*RUN_TITLES, "cgrid", "tor")):
            return None
        run = next((found.titles.index(title) for title in RUN_TITLES if title in found.titles), -1)
        return _layout(found.columns, found.delimiter, found.skip, shape.rows(head, found.delimiter, found.skip), run)
    for delimiter in (",", ";", "|"):
        rows_ = shape.rows(head, delimiter)
        if shape.most(rows_, _fits):
            more = 1 if len(rows_[0]) >= WITH_HOST and not rows_[0][4].startswith("*") else 0
            columns: dict[Field, int] = {field: index + (more if index > 3 else 0) for field, index in DEFAULT.items()}
            return _layout(columns, delimiter, 0, rows_, RUN)
        if shape.most(rows_, lambda row: len(row) >= TABLE and row[0].isdecimal() and _fits([*row[1:3], row[6], *row[7:]])):
            return _layout(CDRS, delimiter, 0, rows_, RUN_OF_CDRS)
    return None


def _layout(columns: dict[Field, int], delimiter: str, skip: int, sample: list[shape.Row], run: int) -> Layout:
    runs = [row[run] for row in sample if run < len(row)] if run >= 0 else []
    charged = "*default" if "*default" in runs else next((name for name in runs if name != "*raw"), "*raw")
    return Layout(
        format=NAME,
        columns=columns | {"answered": columns["answer"]} if "answer" in columns else columns,
        delimiter=delimiter,
        skip=skip,
        durations="us",
        answered=rows.ANSWERED,
        zone="UTC",
        absent={"charge": ("-1", "-1.0", "-1.0000"), "answer": NEVER},
        own={"run": run, "charged": charged},
    )


def records(stream: TextIO, layout: Layout) -> Iterator[Item]:
    """Yield one record a call of the run that this bill is made of."""
    run, charged = int(layout.own["run"]), layout.own["charged"]
    least = max(*layout.columns.values(), run) + 1
    for item in rows.fields(stream, layout.delimiter, layout.skip):
        if not isinstance(item, tuple):
            yield item
            continue
        line, row = item[0], [value.strip() for value in item[1]]
        if len(row) < least:
            yield rows.refused(line, layout.delimiter.join(row), "columns", found=len(row), expected=least)
        elif run >= 0 and row[run] != charged:
            yield Folded(line=line, note=RUNS)
        elif any(value in NO_CALLS for value in row[:8]):
            yield Folded(line=line, note=TORS)
        else:
            told: dict[Field, str] = {field: row[index] for field, index in layout.columns.items() if field != "answered"}
            told["duration"] = micros(told["duration"])
            told["answered"] = rows.NO if told.get("answer", "") in ("", *NEVER) else rows.YES
            if not shape.is_dialled(told.get("caller", "")):
                told["caller"] = ""  # the rating subject is a number only where people rate by number
            yield rows.record(line, told)
