"""What an audit found: the value that reports show and a case is opened from."""

import msgspec

from billing_audit.ledger import Bill, Note, Refused, Side, Value
from billing_audit.terms import Dispute, Period, Terms


class FileRead(msgspec.Struct, frozen=True):
    """One file of a bill as it was read. read rows = `rows` = records + folded + refused: nothing is lost.

    `folded` rows are no calls of their own (legs, interim records); `columns`: field → header or position; `notes`: what was noticed.
    """

    name: str
    format: str
    encoding: str
    digest: str
    rows: int
    records: int
    folded: int
    refused: int
    zone: str  # "" : the file's times name none
    currency: str
    columns: dict[str, str]
    notes: tuple[Note, ...] = ()


class BillTotal(msgspec.Struct, frozen=True):
    """One bill: its files, rows and money. total_micro is None when the bill has no charges and nothing says what they should be."""

    bill: Bill
    files: tuple[FileRead, ...]
    rows: int
    refused: int
    records: int
    total_micro: int | None
    currency: str
    invoice_micro: int | None = None
    refused_rows: tuple[Refused, ...] = ()  # the first MOST_REFUSED; all are in the refused.csv of --out


class Rewriting(msgspec.Struct, frozen=True):
    """One prefix rule by which a bill writes numbers: `strip` in front is replaced by `add`, found in so many rows."""

    bill: Bill
    field: str  # caller or callee
    strip: str
    add: str
    rows: int


class Inferred(msgspec.Struct, frozen=True):
    """How a bill was computed, as its own rows say: the terms and, per parameter, the share of rows that it explains; rows looked at."""

    terms: Terms
    support: dict[str, float]
    rows: int


class Sample(msgspec.Struct, frozen=True):
    """A call that shows a cause: sources of both lines (MISSING: none), money of this cause on it."""

    l_source: int
    c_source: int
    amount_micro: int


class Found(msgspec.Struct, frozen=True):
    """One cause: whose, on how many records, for how much (local − customer), how sure, and by which evidence.

    `parameters` are what was found ("minimum": 60, "increment": 60, "contract": "30/6"), `separates` the test that tells it from its
    neighbours.
    """

    cause: str
    side: Side
    records: int
    amount_micro: int
    confidence: float
    parameters: dict[str, Value]
    evidence: tuple[Note, ...]
    separates: Note | None = None
    samples: tuple[Sample, ...] = ()


class Verdict(msgspec.Struct, frozen=True):
    """Is a technical slip the reason (None: can't be told), whose mostly, how sure; what it rests on, what would settle it."""

    technical: bool | None
    side: Side
    confidence: float
    disputable: bool
    notes: tuple[Note, ...] = ()
    settle: tuple[Note, ...] = ()
    changed: tuple[Note, ...] = ()


class Slice(msgspec.Struct, frozen=True):
    """The five comparisons for one day ("2026-10-03", contract's zone) or one prefix: records, talk, billed time, money."""

    key: str
    label: str
    l_records: int
    c_records: int
    matched: int
    l_duration_ms: int
    c_duration_ms: int
    l_billed_ms: int | None
    c_billed_ms: int | None
    l_micro: int | None
    c_micro: int | None


class Histogram(msgspec.Struct, frozen=True):
    """Counts of matched pairs by time offset (customer − local, ms): `edges` has one more than `counts`."""

    edges: tuple[int, ...]
    counts: tuple[int, ...]


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """Two bills against each other. Σ causes + unexplained = local − customer, to the last micro-unit, where both have totals."""

    digest: str  # of both bills, contract, rates, outages and options: the identity of the audit
    local: BillTotal
    customer: BillTotal
    currency: str
    timezone: str
    matched: int
    missing_in_local: int
    missing_in_customer: int
    differing: int  # matched pairs that differ in anything compared
    clock_offset_s: float | None  # customer − local, zone shifts included; None: no pair
    difference_micro: int | None
    causes: tuple[Found, ...]
    unexplained_micro: int
    unexplained_records: int
    verdict: Verdict
    methods: dict[str, Inferred]  # bill → how it was computed
    contract: Terms | None
    rewriting: tuple[Rewriting, ...]
    by_day: tuple[Slice, ...]
    by_prefix: tuple[Slice, ...]
    offsets: Histogram
    scatter: tuple[tuple[int, int], ...]  # up to 2,000 (local, customer) durations in ms of pairs, for the plot
    notes: tuple[Note, ...] = ()
    customer_name: str = ""  # the contract's; "" : none told
    period: Period | None = None  # what the bills are for, as the contract says
    lines: tuple[tuple[str, int], ...] = ()  # of the invoice beside the calls, as the contract has them: text, micro-units
    dispute: Dispute = Dispute()  # the thresholds that hold: the contract's, else the trade's
