"""What `--inspect` shows of a bill: what was detected in each table, with samples, before anything is read."""

import msgspec

from billing_audit.ledger import Bill, Note
from billing_audit.readers.feed import first_records
from billing_audit.readers.fields import Notation
from billing_audit.readers.plan import Plan
from billing_audit.readers.survey import Seen

SAMPLES = 3
SHOWN = 100


class ColumnSeen(msgspec.Struct, frozen=True):
    """One column that is read: the field, its header ("" none), its position from 1, and its first values."""

    field: str
    header: str
    position: int
    samples: tuple[str, ...]


class TableSeen(msgspec.Struct, frozen=True):
    """One table: its format, encoding ("" of a workbook), delimiter, zone ("" none told), order of d/m/y and decimal mark as proved.

    `currency`: that will be read, `currencies` and `accounts` with rows; `rows`: looked at (the first); `unknown`: headers not understood.
    """

    name: str
    format: str
    encoding: str
    delimiter: str
    columns: tuple[ColumnSeen, ...]
    zone: str
    times: str
    date_order: str
    decimal_mark: str
    units: dict[str, str]
    currency: str
    currencies: dict[str, int]
    accounts: dict[str, int]
    rows: int
    unknown: tuple[str, ...]
    notes: tuple[Note, ...]


class Inspection(msgspec.Struct, frozen=True):
    """A bill as detected."""

    bill: Bill
    tables: tuple[TableSeen, ...]


def inspect_table(plan: Plan, seen: Seen, notation: Notation, currency: str) -> TableSeen:
    """Return what is known of a table before it is read."""
    columns = []
    records = first_records(plan) if plan.module is not None else []
    for name, index in plan.layout.columns.items():
        header = plan.header[index].strip() if index < len(plan.header) else ""
        if plan.module is not None:
            texts = [getattr(record, name) for record in records]
        else:
            texts = [row[index] for row in plan.rows if index < len(row)]
        samples = [text for text in texts if text.strip()][:SAMPLES]
        columns.append(ColumnSeen(name, header or plan.layout.headers.get(name, ""), index + 1, tuple(samples)))
    lengths = {
        name: plan.layout.units.get(name, plan.layout.durations) for name in ("duration", "total", "billed") if name in plan.layout.columns
    }
    return TableSeen(
        name=plan.name,
        format=plan.layout.format,
        encoding="" if plan.sheet is not None else "utf-8" if plan.coding.encoding == "ascii" else plan.coding.encoding,
        delimiter="" if plan.sheet is not None or plan.module is not None else plan.layout.delimiter,
        columns=tuple(columns),
        zone=plan.layout.zone or ("UTC" if plan.layout.times != "text" else ""),
        times=plan.layout.times,
        date_order=seen.calendar.order,
        decimal_mark=notation.mark,
        units={str(name): unit for name, unit in lengths.items()},
        currency=currency,
        currencies=dict(seen.currencies.most_common(SHOWN)),
        accounts=dict(seen.accounts.most_common(SHOWN)),
        rows=len(records) if plan.module is not None else len(plan.rows),
        unknown=plan.unknown,
        notes=plan.notes,
    )
