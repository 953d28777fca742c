"""FreeSWITCH mod_cdr_csv where a row is not simply a call: both legs (`legs` = ab), the template `sql`, a space before the quoted account.

A row whose UUID another row names as its other leg (bleg_uuid) is folded into that call.
"""

import re
from collections.abc import Iterator
from typing import Final, TextIO

from billing_audit.readers.formats import freeswitch_csv, rows, shape
from billing_audit.readers.formats.legs import Legs
from billing_audit.readers.layout import Field, Head, Item, Layout

NAME: Final = "freeswitch-rows"
TITLE: Final = "FreeSWITCH cdr_csv with both legs, or of the template sql"
SOURCE: Final = freeswitch_csv.SOURCE

FIELDS: Final[tuple[Field, ...]] = ("id", "caller", "callee", "start", "answer", "end", "total", "duration", "account")
LEAST: Final = 12  # columns up to bleg_uuid
_INSERT = re.compile(r"\s*INSERT INTO \w+ VALUES \((.*)\);?\s*", re.IGNORECASE | re.DOTALL)


def detect(head: Head) -> Layout | None:
    """Return the layout if the first rows are `sql`, or `example` with a leg of another row among them or with the odd space."""
    told = [line for line in head.lines if line.strip()][: shape.SAMPLED]
    bare = [inner[1] for line in told if len(line) <= shape.LONGEST and (inner := _INSERT.fullmatch(line))]
    plain = bare if bare else told
    found = shape.rows(Head(name="", text="", lines=tuple(plain), encoding="", whole=True))
    if not shape.most(found, lambda row: freeswitch_csv.fits(row, freeswitch_csv.EXAMPLE, 9)):
        return None
    named = {row[freeswitch_csv.LEG] for row in found if len(row) > freeswitch_csv.LEG}
    both = any(row[10] in named and row[10] != row[freeswitch_csv.LEG] for row in found if len(row) > freeswitch_csv.LEG)
    odd = any('", "' in line for line in plain)
    columns: dict[Field, int] = freeswitch_csv.EXAMPLE | {"answered": freeswitch_csv.EXAMPLE["answer"]}
    return Layout(format=NAME, columns=columns, answered=rows.ANSWERED) if bare or both or odd else None


def records(stream: TextIO, layout: Layout) -> Iterator[Item]:
    """Yield one record a call; the second legs folded."""
    legs = Legs(named_later=True)
    for number, text in rows.lines(stream):
        if text is None:
            yield rows.refused(number, "", "row-too-long", limit=rows.LONGEST)
            continue
        if not text.strip():
            continue
        bare = _INSERT.fullmatch(text)
        row = rows.split(number, bare[1] if bare else text)
        if not isinstance(row, tuple):
            yield row
            continue
        values = [value.strip() for value in row[1]]
        if len(values) < LEAST:
            yield rows.refused(number, text, "columns", found=len(values), expected=LEAST)
            continue
        told = {field: values[index] for field, index in layout.columns.items() if field in FIELDS and index < len(values)}
        record = rows.record(number, told)
        record.answered = rows.YES if record.answer else rows.NO
        yield from legs.feed(record, leg=values[freeswitch_csv.LEG])
    yield from legs.end()
