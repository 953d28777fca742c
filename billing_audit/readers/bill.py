"""A bill of one or many files → blocks of records. Rows of a file = records + folded + refused, always."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from billing_audit.audit import FileRead
from billing_audit.ledger import LEDGER, MISSING, Bill, Names, Note, Refused, hold, place_of, source_of
from billing_audit.readers import workbook
from billing_audit.readers.amounts import currency_of
from billing_audit.readers.convert import convert
from billing_audit.readers.feed import Batch, batches, lines_of
from billing_audit.readers.fields import Notation
from billing_audit.readers.inspection import Inspection, inspect_table
from billing_audit.readers.judge import refused_rows
from billing_audit.readers.layout import FIELDS
from billing_audit.readers.options import ReadOptions
from billing_audit.readers.plan import Plan, plans
from billing_audit.readers.sources import Piece, pieces
from billing_audit.readers.survey import Seen, survey
from billing_audit.readers.unreadable import Unreadable, unreadable
from billing_audit.readers.zones import zone_of

SHOWN_ACCOUNTS = 20
ALL = "*"  # as --account: every account of the bill
_SAME = 64 << 10  # two files with the same first 64 KiB are compared whole


@dataclass(frozen=True)
class Block:
    """Some records (schema LEDGER), the rows refused among them, rows in all, rows folded, bytes read so far and of the whole bill."""

    frame: pd.DataFrame
    refused: tuple[Refused, ...]
    rows: int
    folded: int
    done_bytes: int
    all_bytes: int


@dataclass
class _Count:
    rows: int = 0
    records: int = 0
    folded: int = 0
    refused: int = 0
    empty: int = 0
    notes: list[Note] = field(default_factory=list)


class BillReader:
    """One bill, opened: what its files are is decided, no row is read yet."""

    def __init__(self, bill: Bill, found: Sequence[tuple[Plan, Seen]], options: ReadOptions, names: Names, first_file: int) -> None:
        self._bill, self._found, self._options, self._names, self._first = bill, tuple(found), options, names, first_file
        self._files: list[FileRead] = []
        self._accounts: set[int] = set()
        self._refused: Refused | None = None  # the first
        self._currency = _currency(self._found, options)

    @property
    def files(self) -> tuple[FileRead, ...]:
        """Each table as it was read; complete when `blocks` is exhausted. The n-th has the file index first_file + n."""
        return tuple(self._files)

    @property
    def names_of_files(self) -> tuple[str, ...]:
        """The tables' names, in the order of their indices."""
        return tuple(plan.name for plan, _ in self._found)

    def blocks(self) -> Iterator[Block]:
        """Yield the bill, file after file; Unreadable when a file can't be used or holds several accounts and none was chosen."""
        self._ask_account()
        self._refused = None
        everything = sum({plan.piece: plan.piece.size for plan, _ in self._found}.values())
        before = 0
        self._files = []
        for index, (plan, seen) in enumerate(self._found):
            notation = self._notation(plan, seen)
            digest = hashlib.sha256()
            count = _Count()
            for batch in batches(plan, plan.shape, digest):
                block = self._block(plan, notation, batch, self._first + index, count)
                if plan.module is not None:  # such a file is not surveyed: reading it is dear
                    self._watch_accounts(plan.name, block[0])
                self._refused = self._refused or next(iter(block[1]), None)
                yield Block(*block, min(before + batch.done, everything), everything)
            before += plan.piece.size if index + 1 == len(self._found) or self._found[index + 1][0].piece != plan.piece else 0
            self._files.append(_file_read(plan, seen, notation, count, digest.hexdigest()))
        workbook.release()

    def inspect(self) -> Inspection:
        """Return what was detected, with samples, without reading the bill."""
        tables = tuple(inspect_table(plan, seen, self._notation(plan, seen), self._currency) for plan, seen in self._found)
        return Inspection(self._bill, tables)

    def lines(self, sources: Iterable[int]) -> Iterator[tuple[int, str]]:
        """Yield source and raw text of these rows, in the order of the files; each file is read once more, as far as needed."""
        wanted: dict[int, list[int]] = {}
        for source in sorted(set(sources)):
            file, line = place_of(source)
            wanted.setdefault(file, []).append(line)
        for index, (plan, _) in enumerate(self._found, self._first):
            if index in wanted:
                for line, text in lines_of(plan, wanted[index]):
                    yield source_of(index, line), text

    def refuse_without_calls(self) -> None:
        """Raise Unreadable, with the first row refused and why, when `blocks` gave no call: such a bill would lack all of the other's."""
        if any(file.records for file in self._files):
            return
        rows, refused, folded = (sum(getattr(file, name) for file in self._files) for name in ("rows", "refused", "folded"))
        what = Note("audit.unreadable.no_calls", {"rows": rows, "refused": refused, "folded": folded})
        if self._refused is None:
            raise Unreadable(self._found[0][0].name, None, what, Note("audit.cure.inspect" if rows else "audit.cure.send_again"))
        raise Unreadable(self._refused.file, self._refused.line, what, self._refused.reason)

    def _block(
        self, plan: Plan, notation: Notation, batch: Batch, file: int, count: _Count
    ) -> tuple[pd.DataFrame, tuple[Refused, ...], int, int]:
        converted = convert(batch.rows.columns, batch.rows.lines, file, notation, batch.parts)
        refused = refused_rows(plan, batch, converted, notation)
        told = sum(item.rows for item in batch.folded)
        folded = told + int(np.count_nonzero(converted.why < 0))
        rows = batch.rows.count + told + len(batch.refused)
        if rows != len(converted.frame) + folded + len(refused):
            raise AssertionError(f"{plan.name}: {rows} rows are not {len(converted.frame)} + {folded} + {len(refused)}")
        for item in batch.folded:
            if item.note not in count.notes and len(count.notes) < 100:
                count.notes.append(item.note)
        count.rows += rows
        count.records += len(converted.frame)
        count.folded += folded
        count.refused += len(refused)
        count.empty += batch.rows.empty
        return hold(converted.frame, LEDGER), tuple(refused), rows, folded

    def _notation(self, plan: Plan, seen: Seen) -> Notation:
        zone = zone_of(plan.layout.zone or self._options.zone)
        if zone is None:
            raise unreadable(plan.name, "audit.unreadable.zone", "audit.cure.zone", zone=plan.layout.zone or self._options.zone)
        account = self._options.account if self._bill is Bill.LOCAL and self._options.account != ALL else None
        mark = plan.layout.decimal or seen.mark
        return Notation(plan.layout, zone, seen.calendar, mark, self._currency, account, self._names)

    def _watch_accounts(self, name: str, frame: pd.DataFrame) -> None:
        if self._bill is Bill.LOCAL and self._options.account is None:
            self._accounts.update(frame["account"][frame["account"] != MISSING].unique().tolist())
            if len(self._accounts) > 1:
                told = ", ".join(sorted(self._names.text(index) for index in self._accounts)[:SHOWN_ACCOUNTS])
                raise unreadable(name, "audit.unreadable.accounts", "audit.cure.account", accounts=told)

    def _ask_account(self) -> None:
        """Refuse a bill of ours that holds several customers when none was chosen, and one that does not hold the chosen."""
        if self._bill is not Bill.LOCAL:
            return
        found: Counter[str] = Counter()
        for _, seen in self._found:
            found.update(seen.accounts)
        told = ", ".join(f"{name} ({rows})" for name, rows in found.most_common(SHOWN_ACCOUNTS))
        name = self._found[0][0].name
        if self._options.account is None and len(found) > 1:
            raise unreadable(name, "audit.unreadable.accounts", "audit.cure.account", accounts=told)
        if self._options.account not in (None, ALL) and found and self._options.account not in found:
            raise unreadable(name, "audit.unreadable.no_account", "audit.cure.account", account=str(self._options.account), accounts=told)


def open_bill(bill: Bill, paths: Sequence[Path], options: ReadOptions, names: Names, first_file: int) -> BillReader:
    """Return the reader of a bill: its files found, unpacked, recognised; Unreadable for the first that can't be used."""
    found: list[tuple[Plan, Seen]] = []
    tables = pieces(paths)
    _refuse_twins(tables)
    for piece in tables:
        for plan in plans(piece, options.columns):
            seen = survey(plan, accounts=bill is Bill.LOCAL)
            seen.period = options.period
            if seen.hopeless:
                raise unreadable(plan.name, "audit.unreadable.dates", "audit.cure.dates", plan.layout.skip + 1)
            found.append((plan, seen))
    return BillReader(bill, found, options, names, first_file)


def _refuse_twins(tables: Sequence[Piece]) -> None:
    """Raise Unreadable for a file that holds the same bytes as one before it."""
    if len(tables) < 2:
        return
    starts: dict[bytes, list[Piece]] = {}
    for piece in tables:
        with piece.open() as stream:
            starts.setdefault(stream.read(_SAME), []).append(piece)
    for same in starts.values():
        digests: dict[str, str] = {}
        for piece in same if len(same) > 1 else []:
            with piece.open() as stream:
                digest = hashlib.sha256()
                while data := stream.read(1 << 20):
                    digest.update(data)
            if digest.hexdigest() in digests:
                raise unreadable(piece.name, "audit.unreadable.twice", "audit.cure.once", other=digests[digest.hexdigest()])
            digests[digest.hexdigest()] = piece.name


def _currency(found: Sequence[tuple[Plan, Seen]], options: ReadOptions) -> str:
    """Return the currency that is read: the one asked for, else the one of most rows."""
    if options.currency:
        return currency_of(options.currency)
    counted: Counter[str] = Counter()
    for plan, seen in found:
        counted.update(seen.currencies)
        if not seen.currencies and plan.layout.currency:
            counted[plan.layout.currency] += 1
    return min(counted, key=lambda code: (-counted[code], code)) if counted else ""


def _file_read(plan: Plan, seen: Seen, notation: Notation, count: _Count, digest: str) -> FileRead:
    notes = [*plan.notes, *count.notes]
    for remark, rows in sorted(notation.remarks.items()):
        if rows and remark == "only" and plan.layout.only is not None:
            notes.append(plan.layout.only.note)
        elif rows:
            notes.append(Note(remark, {"rows": rows}))
    if count.empty:
        notes.append(Note("audit.note.empty_lines", {"rows": count.empty}))
    if notation.totals:
        notes.append(Note("audit.note.totals", {"rows": len(notation.totals), "amount": notation.totals[-1] or "-"}))
    if plan.unknown:
        notes.append(Note("audit.note.unknown_columns", {"names": ", ".join(plan.unknown)[:300]}))
    zone = "UTC" if plan.layout.times != "text" or (notation.aware and not notation.naive) else plan.layout.zone
    columns: dict[str, str] = {name: _called(plan, index) for name, index in plan.layout.columns.items() if name in FIELDS}
    encoding = "utf-8" if plan.coding.encoding == "ascii" else plan.coding.encoding
    currency = notation.currency if seen.currencies or plan.layout.currency or notation.currency else ""
    return FileRead(
        plan.name, plan.layout.format, "" if plan.sheet is not None else encoding, digest, count.rows, count.records, count.folded,
        count.refused, zone, currency, columns, tuple(notes),
    )  # fmt: skip


def _called(plan: Plan, index: int) -> str:
    told = plan.header[index].strip() if index < len(plan.header) else ""
    return told or str(index + 1)


__all__ = ["BillReader", "Block", "Unreadable", "open_bill"]
