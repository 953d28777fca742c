"""The records of a bill as columns of integers, and the pairs that two bills make: the schemas that every step holds to.

Frames are pandas DataFrames of int64 columns (numpy underneath, no copies), so that ten million rows cost no Python object. A value that a
file does not give is MISSING, never 0; at the edges (Parquet, workbook) it becomes a null. Times are milliseconds since 1970 UTC, durations
milliseconds, money micro-units (10⁻⁶) of the audit's one currency, rates nano-units (10⁻⁹) a minute, numbers codes of `numbers`.
"""

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:  # the service and the reports know these values too, and must not pay for importing pandas
    import pandas as pd

MISSING = -(1 << 63)
MICRO = 1_000_000
NANO = 1_000_000_000
LINE_BITS = 40  # a bill may have 2⁴⁰ lines, and there may be 2²² files

Value = str | int | float | bool | None


class Bill(StrEnum):
    """Which of the two bills: ours (本地账单) or the customer's (客户账单)."""

    LOCAL = "local"
    CUSTOMER = "customer"


class Side(StrEnum):
    """Whose the cause of a difference is; `none` is a rule difference, nobody's error."""

    COMPANY = "company"
    CARRIER = "carrier"
    CUSTOMER = "customer"
    NONE = "none"
    UNDETERMINED = "undetermined"


class Note(msgspec.Struct, frozen=True):
    """A text to be: its id in the catalogues and the values of its placeholders; translated when shown."""

    id: str
    values: dict[str, Value] = {}


class Refused(msgspec.Struct, frozen=True):
    """A row that can't be read: file as named by the user, line (from 1; of a workbook the row), field ("" the row), the text, why."""

    file: str
    line: int
    field: str
    text: str
    reason: Note


class Column(msgspec.Struct, frozen=True):
    """One column of a frame: what it says, in which unit."""

    unit: str
    meaning: str


LEDGER: dict[str, Column] = {
    "source": Column("file · 2⁴⁰ + line", "where the record begins; see `source_of`"),
    "caller": Column("number code", "主叫号码"),
    "callee": Column("number code", "被叫号码"),
    "start_ms": Column("ms since 1970 UTC", "when talk began (answer); where a file has one time only, that"),
    "ring_ms": Column("ms", "set-up: from INVITE to answer, where the file has both"),
    "duration_ms": Column("ms", "通话时长: talk"),
    "billed_ms": Column("ms", "计费时长: what was charged for"),
    "rate_nano": Column("10⁻⁹ a minute", "费率, as the record says"),
    "charge_micro": Column("10⁻⁶", "费用: what the record costs"),
    "answered": Column("1, 0", "whether the call was answered, where the file says"),
    "gateway": Column("index of Names", "落地网关, trunk or route"),
    "account": Column("index of Names", "对账账户"),
    "parts": Column("count", "how many rows were merged into this record; 1 for one"),
}
"""One row a record, as `readers` gives them and `normalise` leaves them. Times without a zone are taken in the zone given."""

PAIRED = ("start_ms", "ring_ms", "duration_ms", "billed_ms", "rate_nano", "charge_micro", "answered", "gateway", "parts")
PAIRS: dict[str, Column] = {
    "l_source": Column("file · 2⁴⁰ + line", "our record; MISSING: none"),
    "c_source": Column("file · 2⁴⁰ + line", "the customer's record; MISSING: none"),
    "caller": Column("number code", "rewritten; ours where there is ours and it is not masked"),
    "callee": Column("number code", "rewritten; ours where there is ours"),
    **{f"{side}_{name}": LEDGER[name] for side in "lc" for name in PAIRED},
}
"""One row a matched pair, or a record that only one bill has. c_start_ms is the customer's as written (in UTC), not corrected."""


class SchemaError(Exception):
    """A frame lacks a column, has one too many, or one of another type: a fault of ours, not of a bill."""


def hold(frame: "pd.DataFrame", schema: dict[str, Column]) -> "pd.DataFrame":
    """Return the frame if it has exactly the columns of `schema`, in order, all int64; SchemaError otherwise."""
    if list(frame.columns) != list(schema):
        raise SchemaError(f"columns {list(frame.columns)} are not {list(schema)}")
    wrong = [name for name, kind in frame.dtypes.items() if kind != "int64"]
    if wrong:
        raise SchemaError(f"not int64: {wrong}")
    return frame


def empty(schema: dict[str, Column], rows: int = 0) -> "pd.DataFrame":
    """Return a frame of `rows` rows in which everything is MISSING."""
    import numpy as np
    import pandas as pd

    return pd.DataFrame({name: np.full(rows, MISSING, np.int64) for name in schema}, copy=False)


def source_of(file: int, line: int) -> int:
    """Return the source of a line (from 1) of the file with this index (from 0) among both bills' files."""
    return (file << LINE_BITS) | line


def place_of(source: int) -> tuple[int, int]:
    """Return file index and line of a source."""
    return source >> LINE_BITS, source & ((1 << LINE_BITS) - 1)


class Names:
    """Texts that records refer to by index: gateways, accounts, tech prefixes, numbers that are no numbers. Bounded; beyond it OTHER.

    The first SHORT indices are kept for tech prefixes, whose codes have room for no longer one ("" while they are free).
    """

    MOST = 1_000_000
    SHORT = 1_000

    def __init__(self) -> None:
        self.texts: list[str] = [""] * self.SHORT
        self._index: dict[str, int] = {}
        self._short = 0

    def index(self, text: str) -> int:
        """Return the index of a text, a new one if it is new; the last one, "…", when there are too many."""
        found = self._index.get(text)
        if found is None:
            if len(self.texts) >= self.MOST:
                return self._index["…"]
            if len(self.texts) == self.MOST - 1:
                text = "…"
            found = self._index[text] = len(self.texts)
            self.texts.append(text)
        return found

    def short(self, text: str) -> int:
        """Return the index of a tech prefix: below SHORT, unless there are too many or the text had one already."""
        found = self._index.get(text)
        if found is None:
            if self._short == self.SHORT:
                return self.index(text)
            found = self._index[text] = self._short
            self.texts[found] = text
            self._short += 1
        return found

    def text(self, index: int) -> str:
        """Return the text of an index; "" for MISSING."""
        return "" if index < 0 else self.texts[index]
