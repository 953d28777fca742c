"""Both bills' records, scattered by the end of the callee's number, in memory while they fit and in a file without a name beyond.

Where a record lies depends on the last four digits of its callee alone (its slot), so that every notation of a number, and both sides
of a call, lie together. A partition is a stretch of slots; how many there are is chosen when all rows have been counted.
"""

import errno
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from billing_audit.engine.packing import Form, Ints, Stored, pack, unpack
from billing_audit.ledger import LEDGER, MISSING, Bill, Names, Note
from billing_audit.numbers import OTHER, TAG, TECH, TECH_UNIT
from billing_audit.options import AuditError

SLOTS: Final = 10_000
RUN_ROWS: Final = 1 << 18  # of so many rows a run is made: few enough to be sorted in the cache, enough for long stretches
NUMBERS: Final = ("caller", "callee")
NAMED: Final = ("gateway", "account")
_TURN: Final = 6_367  # has no factor in common with SLOTS: neighbouring numbers fall apart


def slots(callee: Ints) -> npt.NDArray[np.uint16]:
    """Return the slot of each callee: its last four digits (of a masked one those seen), spread evenly over 0 … SLOTS − 1.

    A code ends in the digits themselves (see `numbers`), whatever stands before them, so equal numbers have equal slots in any form.
    """
    tail = callee - callee // SLOTS * SLOTS
    turned = tail * _TURN
    slot: npt.NDArray[np.uint16] = (turned - turned // SLOTS * SLOTS).astype(np.uint16)
    return slot


class Run(NamedTuple):
    """Some rows of a bill in the order of their slots: where each slot begins, each column's form, its values here or in the file."""

    begins: npt.NDArray[np.int64]
    forms: tuple[Form, ...]
    held: tuple[Stored | None, ...] | None
    offsets: tuple[int, ...]


class Stretch(NamedTuple):
    """The slots first … last − 1."""

    first: int
    last: int


class Rows:
    """The runs of one bill; what `Spill` sends to other processes is this with `file` replaced by theirs."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.counts = np.zeros(SLOTS, np.int64)

    def read(self, file: int, stretch: Stretch, renamed: Ints | None) -> pd.DataFrame:
        """Return the rows of these slots as a LEDGER frame; `file` is the descriptor of what was spilled."""
        cuts = [(int(run.begins[stretch.first]), int(run.begins[stretch.last])) for run in self.runs]
        size = sum(last - first for first, last in cuts)
        columns: dict[str, Ints] = {}
        for at, name in enumerate(LEDGER):
            values = np.empty(size, np.int64)
            done = 0
            for run, (first, last) in zip(self.runs, cuts, strict=True):
                if last > first:
                    unpack(run.forms[at], _stretch(run, at, first, last, file), values[done : done + last - first])
                    done += last - first
            columns[name] = values
        if renamed is not None:
            _rename(columns, renamed)
        return pd.DataFrame(columns, copy=False)


def _stretch(run: Run, at: int, first: int, last: int, file: int) -> Stored | None:
    form = run.forms[at]
    if form.kind is None:
        return None
    if run.held is not None:
        held = run.held[at]
        return None if held is None else held[first:last]
    raw = os.pread(file, (last - first) * form.width, run.offsets[at] + first * form.width)
    if len(raw) != (last - first) * form.width:
        raise OSError(errno.EIO, "a working file is shorter than what was written to it")
    return np.frombuffer(raw, form.kind)


def _rename(columns: dict[str, Ints], renamed: Ints) -> None:
    """Put the new index of each text in the place of the old one."""
    for name in NAMED:
        told = columns[name]
        if told.size and int(told.max()) >= 0:
            columns[name] = np.where(told >= 0, renamed[np.maximum(told, 0)], MISSING)
    for name in NUMBERS:
        codes = columns[name]
        if codes.size and int(codes.max()) >= OTHER:
            tag = codes // TAG
            rest = codes - tag * TAG
            text = np.where(tag == 4, rest, np.where(tag == 5, rest // TECH_UNIT, 0))
            codes = np.where(tag == 4, OTHER + renamed[text], codes)
            columns[name] = np.where(tag == 5, TECH + renamed[text] * TECH_UNIT + rest % TECH_UNIT, codes)


def ordered(names: Names) -> tuple[Names, Ints | None]:
    """Return the same texts in the order of the alphabet, tech prefixes first (their index is short), and the new index of each old.

    The order in which texts were met, which is that of the rows, then changes nothing. None: they already stood so.
    """
    told = sorted((text, at) for at, text in enumerate(names.texts) if text)
    tech = {text for text, _ in told if text[-1] in "*#" and text.strip("0123456789*#") == ""}
    if len(tech) > Names.SHORT or len(names.texts) >= Names.MOST:
        return names, None
    sorted_names = Names()
    renamed = np.arange(len(names.texts))
    for text, old in told:
        renamed[old] = sorted_names.short(text) if text in tech else sorted_names.index(text)
    if (renamed == np.arange(len(renamed))).all():
        return names, None
    return sorted_names, renamed


class Spill:
    """What was read of both bills. `budget` bounds the bytes held in memory; the file has no name, so that nothing can stay behind."""

    def __init__(self, budget: int, folder: Path | None = None) -> None:
        self.budget = budget
        self.folder = folder
        self.held = 0
        self.spilled = 0
        self.bills = {bill: Rows() for bill in Bill}
        self.renamed: Ints | None = None
        self._waiting: dict[Bill, list[pd.DataFrame]] = {bill: [] for bill in Bill}
        self._rows = dict.fromkeys(Bill, 0)
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, why: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give up memory and file; the system frees a file without a name even when the process is killed."""
        if self._file is not None:
            self._file.close()
        for rows in self.bills.values():
            rows.runs.clear()

    @property
    def file(self) -> int:
        """The descriptor of what was spilled; −1 when nothing was."""
        return -1 if self._file is None else self._file.fileno()

    def add(self, bill: Bill, frame: pd.DataFrame) -> None:
        """Take rows of a bill (LEDGER)."""
        for first in range(0, len(frame), RUN_ROWS):
            part = frame.iloc[first : first + RUN_ROWS] if len(frame) > RUN_ROWS else frame
            self._waiting[bill].append(part)
            self._rows[bill] += len(part)
            if self._rows[bill] >= RUN_ROWS:
                self._make_run(bill)

    def seal(self, names: Names) -> Names:
        """Take what waits, and return the names that frames read from now on refer to."""
        for bill in Bill:
            self._make_run(bill)
        told, self.renamed = ordered(names)
        return told

    def _make_run(self, bill: Bill) -> None:
        parts, self._waiting[bill], rows = self._waiting[bill], [], self._rows[bill]
        self._rows[bill] = 0
        if not rows:
            return
        at = np.concatenate([slots(part["callee"].to_numpy()) for part in parts])
        counts = np.bincount(at, minlength=SLOTS)
        self.bills[bill].counts += counts
        order = np.argsort(at, kind="stable")
        forms, stored = zip(*(pack([part[name].to_numpy() for part in parts], order) for name in LEDGER), strict=True)
        begins = np.zeros(SLOTS + 1, np.int64)
        np.cumsum(counts, out=begins[1:])
        size = sum(values.nbytes for values in stored if values is not None)
        if self.held + size <= self.budget:
            self.held += size
            run = Run(begins, forms, stored, ())
        else:
            run = Run(begins, forms, None, self._write(stored))
        self.bills[bill].runs.append(run)

    def _write(self, stored: Sequence[Stored | None]) -> tuple[int, ...]:
        """Write columns to the file; return where each begins."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self.folder, buffering=0)  # noqa: SIM115 - `close` does
        offsets = []
        for values in stored:
            offsets.append(self.spilled)
            if values is not None:
                rest = values.data.cast("B")
                while rest:
                    try:
                        done = os.pwrite(self._file.fileno(), rest, self.spilled)
                    except OSError as why:
                        if why.errno not in (errno.ENOSPC, errno.EDQUOT):
                            raise
                        folder = str(self.folder or tempfile.gettempdir())
                        raise AuditError(
                            Note("audit.unreadable.no_room", {"folder": folder, "mib": self.spilled >> 20}), Note("audit.cure.no_room")
                        ) from why
                    self.spilled += done
                    rest = rest[done:]
        return tuple(offsets)

    def read(self, bill: Bill, stretch: Stretch) -> pd.DataFrame:
        """Return the rows of a bill in these slots, names as `seal` gave them."""
        return self.bills[bill].read(self.file, stretch, self.renamed)

    def rows(self, bill: Bill) -> int:
        """Return how many rows of a bill there are."""
        return int(self.bills[bill].counts.sum())

    def first_slots(self, most: int) -> Stretch:
        """Return the first slots that together hold at most so many rows of both bills, one slot at least: a sample by hash alone."""
        both = np.cumsum(self.bills[Bill.LOCAL].counts + self.bills[Bill.CUSTOMER].counts)
        return Stretch(0, max(int(np.searchsorted(both, most, side="right")), 1))

    def partitions(self, rows: int) -> tuple[Stretch, ...]:
        """Return stretches of slots with about so many rows of both bills each; a slot is never cut, an empty stretch left out."""
        both = np.cumsum(self.bills[Bill.LOCAL].counts + self.bills[Bill.CUSTOMER].counts)
        found, first = [], 0
        while first < SLOTS:
            before = int(both[first - 1]) if first else 0
            last = max(int(np.searchsorted(both, before + rows, side="right")), first + 1)
            if int(both[last - 1]) > before:
                found.append(Stretch(first, last))
            first = last
        return tuple(found)
