"""What a format says about a file, so that one engine can read it: where the fields stand and in which notation.

A format is a module of `readers/formats/` with
    NAME                            as shown in FileRead.format
    detect(head) -> Layout | None   by content, never by the file's name; pure
and, only where the rows of the file are not calls (legs, request pairs, JSON, XML),
    records(stream, layout) -> Iterator[Record | Folded | Refused]    plain Python; the stream is decoded text, newlines as in the file
Formats without `records` are read by the fast path and cost no Python object per row.
"""

from typing import Literal, TextIO, get_args

import msgspec

from billing_audit.ledger import Note, Refused

Field = Literal[
    "id", "caller", "callee", "start", "answer", "end", "duration", "total",
    "billed", "rate", "charge", "currency", "account", "gateway", "answered",
]  # fmt: skip
FIELDS: tuple[Field, ...] = get_args(Field)
"""start: first sign of the call (INVITE), or the only time there is · answer: talk begins · end · duration: talk · total: talk + ringing ·
billed: charged for · rate: per `Layout.rate_per_s` · charge: what the call costs · answered: the word that says how the call ended."""

Times = Literal["text", "epoch_s", "epoch_ms", "epoch_us"]
Unit = Literal["s", "ms", "us", "min", "clock"]
HEAD_BYTES = 256 * 1024


class Head(msgspec.Struct, frozen=True):
    """The beginning of a file, decoded: its first 256 KiB at most, whole lines; `whole` when that is all of it."""

    name: str
    text: str
    lines: tuple[str, ...]
    encoding: str
    whole: bool


class Only(msgspec.Struct, frozen=True):
    """Rows count as calls only where the column at `index` holds one of `words` (lower case); all others are folded, with this note."""

    index: int
    words: frozenset[str]
    note: Note


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """How the rows of a delimited file are to be read. `columns`: field → index from 0; a field that is not named is not there.

    `skip`: lines before the first record (header included). `times`: "text" takes every usual notation, a fraction too; an epoch column may
    have a fraction, and 0 or empty means "never". `zone`: IANA name or "+08:00" of texts without one; "" none told.
    `durations`: the unit of duration, total and billed unless `units` says otherwise for one of them; "clock" is [h:]mm:ss.
    `answered`: words (lower case) of the answered column that mean answered; without that column "answered" stays MISSING.
    `absent`: texts of a field that mean "not there" ({"charge": ("-1",)}); "" always does. `rate_per_s`: the seconds one rate is for.
    `headers`: field → what to call the column when people ask. `currency`: when the format knows it. A file whose `charge` is not what
    this bill costs should not name it.
    """

    format: str
    columns: dict[Field, int] = {}
    delimiter: str = ","
    quote: str = '"'
    skip: int = 0
    times: Times = "text"
    zone: str = ""
    durations: Unit = "s"
    units: dict[Field, Unit] = {}
    decimal: Literal["", ".", ","] = "."  # "": the file must prove it
    rate_per_s: int = 60
    answered: frozenset[str] = frozenset()
    absent: dict[Field, tuple[str, ...]] = {}
    only: Only | None = None
    own: dict[str, int | str] = {}  # what `detect` tells the format's own `records`
    headers: dict[Field, str] = {}
    currency: str = ""
    notes: tuple[Note, ...] = ()
    date: int | None = None  # column of the date where `start` holds only the time of day


class Record(msgspec.Struct, kw_only=True):
    """A call as a format's own `records` found it, in texts as the layout's notation says; "" is "not there".

    `line`: where it begins, from 1, unique in the file: the line, or the number of the item where many stand in one line; `raw` is then the
    item's text (else the line itself is shown). `parts`: rows merged in it. The rows merged into it are yielded as Folded besides.
    """

    line: int
    id: str = ""
    caller: str = ""
    callee: str = ""
    start: str = ""
    answer: str = ""
    end: str = ""
    duration: str = ""
    total: str = ""
    billed: str = ""
    rate: str = ""
    charge: str = ""
    currency: str = ""
    account: str = ""
    gateway: str = ""
    answered: str = ""
    parts: int = 1
    raw: str = ""


class Folded(msgspec.Struct, frozen=True):
    """Rows that are no calls of their own: legs, interim records, the BYE of an INVITE. Counted, and `note` is told once a file."""

    line: int
    note: Note
    rows: int = 1


Item = Record | Folded | Refused
"""What `records` yields; one item is one row of the file (a Folded may be several). A Refused may leave `file` empty."""

__all__ = ["FIELDS", "HEAD_BYTES", "Field", "Folded", "Head", "Item", "Layout", "Only", "Record", "Refused", "TextIO", "Times", "Unit"]
