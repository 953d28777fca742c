"""FreeSWITCH mod_cdr_csv: Master.csv of the templates `example`, `snom`, `linksys`, `asterisk` and `opencdrrate`. Local time unless told.

Files with both legs of a call, of the template `sql`, and with the space that old templates have before the account are `freeswitch_rows`.
"""

import re
from typing import Final

from billing_audit.ledger import Note
from billing_audit.readers.formats import shape
from billing_audit.readers.layout import Field, Head, Layout

NAME: Final = "freeswitch-csv"
TITLE: Final = "FreeSWITCH cdr_csv (templates example, snom, linksys, asterisk, opencdrrate)"
SOURCE: Final = "FreeSWITCH documentation, mod_cdr_csv: templates of cdr_csv.conf.xml"

_CAUSE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|SUCCESS|UNSPECIFIED|CRASH|INTERWORKING|TIMEOUT|NONE")

Shape = tuple[str, dict[Field, int], int]
"""Name of a template, where its fields stand, where the hang-up cause stands (−1: nowhere)."""

EXAMPLE: Final[dict[Field, int]] = {
    "caller": 1, "callee": 2, "start": 4, "answer": 5, "end": 6, "total": 7, "duration": 8, "id": 10, "account": 12,
}  # fmt: skip
LIKE_ASTERISK: Final[dict[Field, int]] = {
    "account": 0, "caller": 1, "callee": 2, "start": 9, "answer": 10, "end": 11, "total": 12, "duration": 13, "id": 16,
}  # fmt: skip
OPENCDRRATE: Final[dict[Field, int]] = {
    "id": 0,
    "caller": 3,
    "callee": 4,
    "answer": 5,
    "end": 6,
    "duration": 7,
    "account": 8,
    "gateway": 12,
}
SHAPES: Final[tuple[Shape, ...]] = (
    ("example", EXAMPLE, 9),
    ("asterisk", LIKE_ASTERISK, 14),
    ("opencdrrate", OPENCDRRATE, -1),
)
MOST_NAMED: Final = 20
LEG: Final = 11  # bleg_uuid in `example` and all that begin like it


def fits(row: shape.Row, columns: dict[Field, int], cause: int) -> bool:
    """Tell whether a row has the times, seconds, UUID and hang-up cause of a template in their places."""
    if len(row) <= max(columns["id"], columns["end"], columns["duration"], cause):
        return False
    began = row[columns["start"]] if "start" in columns else ""
    answer, end = row[columns["answer"]], row[columns["end"]]
    times = all(shape.is_time(time) for time in (began, answer, end) if time) and bool(end)
    seconds = all(shape.is_number(row[columns[field]]) for field in ("total", "duration") if field in columns)
    reason = cause < 0 or _CAUSE.fullmatch(row[cause]) is not None
    return times and seconds and reason and shape.is_uuid(row[columns["id"]])


def template(found: list[shape.Row]) -> Shape | None:
    """Return the template that most of these rows fit, with only the columns that all of them have."""
    for name, columns, cause in SHAPES:
        good = [row for row in found if fits(row, columns, cause)]
        if shape.most(found, lambda row: fits(row, columns, cause)):  # noqa: B023
            width = min(map(len, good))
            return name, {field: index for field, index in columns.items() if index < width}, cause
    return None


def again(head: Head, index: int) -> tuple[Note, ...]:
    """Return a note for each of the first UUIDs that stand in several rows of the beginning of the file: MOST_NAMED of them."""
    places: dict[str, list[int]] = {}
    for number, line in enumerate(head.lines, 1):
        row = shape.cut(line) if len(line) <= shape.LONGEST else []
        if len(row) > index and shape.is_uuid(row[index]):
            places.setdefault(row[index], []).append(number)
    several = [(uuid, lines) for uuid, lines in places.items() if len(lines) > 1][:MOST_NAMED]
    return tuple(Note("audit.note.id-again", {"id": uuid, "count": len(lines), "line": lines[0]}) for uuid, lines in several)


def detect(head: Head) -> Layout | None:
    """Return where the fields stand, if most of the first rows are of one of the templates."""
    rows = shape.rows(head)
    if (found := template(rows)) is None:
        return None
    _, columns, cause = found
    skip = shape.titled(rows, lambda row: fits(row, columns, cause))
    return Layout(format=NAME, skip=skip, columns=columns, notes=again(head, columns["id"]))
