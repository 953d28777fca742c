"""Reads both bills into the spill and keeps count: rows, refusals, money, times, accounts."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from billing_audit.engine.spill import Spill
from billing_audit.engine.sums import total
from billing_audit.ledger import MISSING, Bill, Names, Refused
from billing_audit.options import Options, Phase, Progress
from billing_audit.readers.bill import BillReader, open_bill
from billing_audit.readers.options import ReadOptions
from billing_audit.terms import Contract, Period

MOST_REFUSED: Final = 100  # that an audit names; all are given to Options.refused
MOST_ACCOUNTS: Final = 1_000
EVERY_S: Final = 0.2


class Meter:
    """Tells how far a phase is, not more often than people can read."""

    def __init__(self, tell: Callable[[Progress], None]) -> None:
        self._tell = tell
        self._began = self._told = time.monotonic()
        self._now: tuple[Phase, Bill | None] | None = None
        self._first = 0.0

    def at(self, phase: Phase, bill: Bill | None, rows: int, share: float) -> None:
        """Say that so many rows, and this share of the phase, are done."""
        now = time.monotonic()
        begins = self._now != (phase, bill)
        if begins:
            self._now, self._began, self._first = (phase, bill), now, share
        if not begins and share < 1 and now - self._told < EVERY_S:
            return
        self._told = now
        took = now - self._began
        early = took < 1 or share <= self._first
        left = None if early else took * (1 - share) / (share - self._first)
        self._tell(Progress(phase, bill, rows, min(share, 1.0), None if took <= 0 else rows / took, left))


@dataclass
class Intake:
    """What one bill was found to hold."""

    reader: BillReader
    rows: int = 0
    refused: int = 0
    folded: int = 0
    records: int = 0
    charge_micro: int | None = None
    first_ms: int | None = None
    last_ms: int | None = None
    outside: int = 0  # records that do not begin in the contract's period
    accounts: set[int] = field(default_factory=set)
    account_names: tuple[str, ...] = ()
    refused_rows: list[Refused] = field(default_factory=list)

    @property
    def span(self) -> tuple[int, int]:
        """When the first and the last record begin; MISSING where none says."""
        return (MISSING, MISSING) if self.first_ms is None or self.last_ms is None else (self.first_ms, self.last_ms)

    @property
    def currency(self) -> str:
        """What the files say; "" nothing, or not one thing."""
        told = {file.currency for file in self.reader.files if file.currency}
        return told.pop() if len(told) == 1 else ""

    def take(self, frame: pd.DataFrame, period: tuple[int, int] | None) -> None:
        """Count the records of a block."""
        self.records += len(frame)
        if frame.empty:
            return
        charges = frame["charge_micro"].to_numpy()
        if int(charges.max()) != MISSING:
            self.charge_micro = (self.charge_micro or 0) + total(charges)
        accounts = frame["account"].to_numpy()
        low, high = int(accounts.min()), int(accounts.max())
        if len(self.accounts) < MOST_ACCOUNTS:
            self.accounts.update((low,) if low == high else np.unique(accounts).tolist())
        start = frame["start_ms"].to_numpy()
        first, last = int(start.min()), int(start.max())
        if first == MISSING:
            start = start[start != MISSING]
            if not start.size:
                return
            first = int(start.min())
        self.first_ms = first if self.first_ms is None else min(self.first_ms, first)
        self.last_ms = last if self.last_ms is None else max(self.last_ms, last)
        if period is not None and (first < period[0] or last >= period[1]):
            self.outside += int(np.count_nonzero((start < period[0]) | (start >= period[1])))


def period_ms(period: Period, zone: ZoneInfo) -> tuple[int, int]:
    """Return when a period begins and ends (exclusive), ms UTC."""
    first, last = (datetime(day.year, day.month, day.day, tzinfo=zone) for day in (period.start, period.end))
    return round(first.timestamp()) * 1000, round(last.timestamp()) * 1000


def reader_of(bill: Bill, paths: Sequence[Path], options: Options, names: Names, first_file: int) -> BillReader:
    """Return the reader of a bill; times without a zone are in the contract's."""
    contract = options.contract or Contract()
    account = options.account if bill is Bill.LOCAL else None
    period = None if contract.period is None else (contract.period.start, contract.period.end)
    told = ReadOptions(options.columns.get(bill, {}), account, contract.timezone, contract.currency, period)
    return open_bill(bill, paths, told, names, first_file)


def intake(bill: Bill, reader: BillReader, options: Options, spill: Spill, meter: Meter) -> Intake:
    """Read a bill into the spill. Unreadable, AuditError."""
    contract = options.contract
    told = Intake(reader)
    period = None
    if contract is not None and contract.period is not None:
        first, last = period_ms(contract.period, ZoneInfo(contract.timezone))
        longest = timedelta(days=1) // timedelta(milliseconds=1) if contract.period.by == "end" else 0
        period = first - longest, last
    for block in reader.blocks():
        told.rows += block.rows
        told.folded += block.folded
        told.refused += len(block.refused)
        told.refused_rows += block.refused[: MOST_REFUSED - len(told.refused_rows)]
        if options.refused is not None and block.refused:
            options.refused(bill, block.refused)
        told.take(block.frame, period)
        spill.add(bill, block.frame)
        meter.at("read", bill, told.rows, block.done_bytes / max(block.all_bytes, 1))
    reader.refuse_without_calls()
    return told
