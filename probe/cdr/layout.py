"""Which column of a record is what: presets of switches whose files are known for certain, or a description of one's own."""

from collections.abc import Mapping

import msgspec

FIELDS = ("start", "answer", "end", "duration", "talk", "pdd", "caller", "callee", "trunk", "customer", "cause")


class Layout(msgspec.Struct, frozen=True):
    """A file's form. `columns`: field → number (from 1) or name of the header line; `times` is "iso", "epoch", "epoch-ms" or
    a form of strptime."""

    columns: dict[str, str]
    delimiter: str = ","
    header: bool = False
    times: str = "iso"


# mod_cdr_csv's template "example", which it writes to Master.csv unless told otherwise; accountcode is the customer.
FREESWITCH = Layout(
    {"caller": "2", "callee": "3", "start": "5", "answer": "6", "end": "7", "duration": "8", "talk": "9", "cause": "10", "customer": "13"}
)
# cdr_csv's Master.csv: accountcode, src, dst, dcontext, clid, channel, dstchannel, lastapp, lastdata,
# start, answer, end, duration, billsec, disposition, amaflags, uniqueid, userfield
ASTERISK = Layout(
    {
        "customer": "1",
        "caller": "2",
        "callee": "3",
        "trunk": "7",
        "start": "10",
        "answer": "11",
        "end": "12",
        "duration": "13",
        "talk": "14",
        "cause": "15",
    }
)
# cdr_custom's Master.csv, as its sample configuration has it: clid, src, dst, dcontext, channel, dstchannel, lastapp, lastdata,
# start, answer, end, duration, billsec, disposition, amaflags, accountcode, uniqueid, userfield, sequence
ASTERISK_CUSTOM = Layout(
    {
        "caller": "2",
        "callee": "3",
        "trunk": "6",
        "start": "9",
        "answer": "10",
        "end": "11",
        "duration": "12",
        "talk": "13",
        "cause": "14",
        "customer": "16",
    }
)
PRESETS = {"freeswitch": FREESWITCH, "asterisk": ASTERISK, "asterisk-custom": ASTERISK_CUSTOM}


def layout_of(preset: str, columns: Mapping[str, str], delimiter: str | None, header: bool | None, times: str | None) -> Layout:
    """Return the preset with what was said otherwise; ValueError says what is missing or contradicts itself."""
    base = PRESETS.get(preset, Layout({}))
    unknown = sorted(set(columns) - set(FIELDS))
    if unknown:
        raise ValueError(f"columns: {unknown[0]!r} is no field of a call record; there are: {', '.join(FIELDS)}")
    made = Layout(
        {field: place for field, place in {**base.columns, **columns}.items() if place},
        base.delimiter if delimiter is None else delimiter,
        base.header if header is None else header,
        base.times if times is None else times,
    )
    if len(made.delimiter) != 1:
        raise ValueError(f"delimiter: {made.delimiter!r} is not one character")
    if "end" not in made.columns and not {"start", "duration"} <= set(made.columns):
        raise ValueError("columns: when a call ended must be said: end, or start and duration")
    if not {"answer", "talk"} & set(made.columns):
        raise ValueError("columns: which calls were answered must be said: answer (a time) or talk (seconds of conversation)")
    named = [place for place in made.columns.values() if not place.isdecimal()]
    if named and not made.header:
        raise ValueError(f"columns: {named[0]!r} is no number, and header is false: say header = true, or count the columns from 1")
    if any(place.isdecimal() and not 0 < int(place) <= 500 for place in made.columns.values()):
        raise ValueError("columns: a number of a column is 1 … 500")
    return made


def places(layout: Layout, header: list[str] | None) -> dict[str, int]:
    """Return field → index (from 0); ValueError when the header lacks a column."""
    found = {}
    for field, place in layout.columns.items():
        if place.isdecimal():
            found[field] = int(place) - 1
        elif header is not None and place in header:
            found[field] = header.index(place)
        else:
            raise ValueError(f"the header has no column {place!r} ({field})")
    return found
