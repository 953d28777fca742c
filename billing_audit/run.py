"""Audits two bills: reads, scatters, learns, matches, compares, attributes, concludes; bounded in memory, the same whatever the order."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Final, Self

import numpy as np
import pandas as pd

from billing_audit import attribute
from billing_audit.audit import Audit, BillTotal, Rewriting
from billing_audit.compare import Compared, by_day, by_prefix, histogram, lead_label, none, scatter
from billing_audit.engine import pairs_file, work
from billing_audit.engine.cluster import over
from billing_audit.engine.reading import Intake, Meter, intake, reader_of
from billing_audit.engine.spill import Spill, Stretch
from billing_audit.engine.steady import steady
from billing_audit.engine.sums import UNEXPLAINED, merged
from billing_audit.engine.sums import Part as Sum
from billing_audit.identity import digest
from billing_audit.ledger import LINE_BITS, Bill, Names
from billing_audit.matching.learn import Learned, learn
from billing_audit.money import micro
from billing_audit.notices import notices
from billing_audit.options import MIB, AuditError, Options, Progress
from billing_audit.terms import Contract, Dispute
from billing_audit.verdict import judge

__all__ = ["AuditError", "Options", "Progress", "Result", "audit"]

LEARN_ROWS: Final = 200_000  # of both bills, from which rewriting and clocks are learned
SAMPLE_ROWS: Final = 400_000  # of both bills, from which the causes are found
PARTITION_ROWS: Final = 1 << 17
AT_REST: Final = 320 * MIB  # what programs and their own tables take, whatever the bills' size


class Result:
    """An audit and what it rests on; `close` gives up its working files."""

    def __init__(self, told: Audit, names: Names, amounts: Sequence[str], file: IO[bytes] | None, bills: dict[Bill, Intake]) -> None:
        self.audit = told
        self.names = names
        self.amounts = tuple(amounts)
        self._file = file
        self._bills = bills

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *why: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file of pairs; one without a name is gone then."""
        if self._file is not None:
            self._file.close()

    def pairs(self) -> Iterator[pd.DataFrame]:
        """Yield all pairs in blocks: PAIRS, a column of money per "cause/side", `unexplained`, `applies` (bit n: of amounts[n])."""
        if self._file is not None:
            files = [[file.name for file in self._bills[bill].reader.files] for bill in Bill]
            yield from pairs_file.read(self._file, self.amounts, self.names, (files[0], files[1]))

    def lines(self, sources: Sequence[int]) -> dict[int, str]:
        """Return the text of the rows with these sources, read again from the files."""
        border = len(self._bills[Bill.LOCAL].reader.files)
        found: dict[int, str] = {}
        for bill, there in (
            (Bill.LOCAL, [one for one in sources if 0 <= one >> LINE_BITS < border]),
            (Bill.CUSTOMER, [one for one in sources if one >> LINE_BITS >= border]),
        ):
            if there:
                found.update(self._bills[bill].reader.lines(sorted(set(there))))
        return found


@dataclass
class Gathered:
    """What the partitions have given so far."""

    compared: Compared
    sums: dict[str, Sum]
    rules: list[int]
    priced_micro: int | None
    rows: int

    def take(self, part: work.Part) -> None:
        """Add what a partition gave."""
        self.compared = self.compared + part.compared
        self.sums = merged(self.sums, part.sums)
        self.rules = [mine + int(more) for mine, more in zip(self.rules, part.rules, strict=True)]
        if part.priced_micro is not None:
            self.priced_micro = (self.priced_micro or 0) + part.priced_micro
        self.rows += part.rows


def audit(local: Sequence[Path], customer: Sequence[Path], options: Options, progress: Callable[[Progress], None] | None = None) -> Result:
    """Return the audit of our bill against the customer's. Unreadable, AuditError; OSError of the working folder."""
    steady()
    meter = Meter(progress or _silent)
    with contextlib.ExitStack() as until_done:
        spill = until_done.enter_context(Spill(_held(options), options.work_dir))
        told, names = _read(local, customer, options, spill, meter)
        meter.at("learn", None, 0, 0.0)
        learned = _learned(options, spill, names)
        job, pairs = _attributed(options, told, spill, _job(options, told, learned, names))
        meter.at("learn", None, spill.rows(Bill.LOCAL) + spill.rows(Bill.CUSTOMER), 1.0)
        assert job.found is not None
        amounts = attribute.columns(job.found[0])
        file = _pairs_file(options)
        failed = contextlib.ExitStack()
        if file is not None:
            failed.callback(file.close)
        with failed:
            gathered = _gather(options, spill, job, pairs, pairs_file.Writer(file, amounts) if file else None, meter)
            result = Result(_audit(options, told, job, gathered), names, amounts, file, told)
            failed.pop_all()
        return result


def matched(local: Sequence[Path], customer: Sequence[Path], options: Options) -> Compared:
    """Return the comparison alone: read, learned, matched, compared, neither rated nor attributed."""
    steady()
    meter = Meter(_silent)
    with Spill(_held(options), options.work_dir) as spill:
        told, names = _read(local, customer, options, spill, meter)
        job = _job(options, told, _learned(options, spill, names), names)
        return _gather(options, spill, job, None, None, meter).compared


def _read(
    local: Sequence[Path], customer: Sequence[Path], options: Options, spill: Spill, meter: Meter
) -> tuple[dict[Bill, Intake], Names]:
    """Read both bills into the spill; return what they hold, and the names that their records refer to from then on."""
    names = Names()
    told: dict[Bill, Intake] = {}
    files = 0
    for bill, paths in ((Bill.LOCAL, local), (Bill.CUSTOMER, customer)):
        one = told[bill] = intake(bill, reader_of(bill, paths, options, names, files), options, spill, meter)
        files += len(one.reader.files)
        one.account_names = tuple(sorted(names.text(account) for account in one.accounts if account >= 0))
    return told, spill.seal(names)


def _silent(now: Progress) -> None:
    """Say nothing."""


def _held(options: Options) -> int:
    """Return how many bytes of records may stay in memory; other processes read them from the file."""
    if options.workers > 1 and options.scheduler is None:
        return 0
    return max((options.memory - AT_REST) // 2, 0)


def _pairs_file(options: Options) -> IO[bytes] | None:
    if options.pairs is not None:
        return open(options.pairs, "w+b", opener=_private)
    return tempfile.TemporaryFile(dir=options.work_dir) if options.keep_pairs else None


def _private(path: str, flags: int) -> int:
    """Open a file that its owner alone may read, also where an older one lay open to others."""
    handle = os.open(path, flags | os.O_NOFOLLOW, 0o600)
    os.fchmod(handle, 0o600)
    return handle


def _learned(options: Options, spill: Spill, names: Names) -> Learned:
    """Return what the two bills say of one another, from a slice of callees."""
    contract = options.contract or Contract()
    prefixes = None if options.deck is None else np.unique(options.deck.prefix)
    sample = spill.first_slots(LEARN_ROWS)
    ours, theirs = (spill.read(bill, sample) for bill in Bill)
    return learn(ours, theirs, names, contract.timezone, number_rules=contract.number_rules, deck=prefixes)


def _job(options: Options, told: dict[Bill, Intake], learned: Learned, names: Names) -> work.Job:
    """Return what all partitions have in common."""
    contract = options.contract or Contract()
    price = told[Bill.LOCAL].charge_micro is None and options.deck is not None
    files = tuple(file.name for bill in Bill for file in told[bill].reader.files)
    return work.Job(learned, options.deck, contract.terms, contract.timezone, price, options.keep_pairs, names, files)


def _attributed(options: Options, told: dict[Bill, Intake], spill: Spill, job: work.Job) -> tuple[work.Job, work.Pairs | None]:
    """Return the job with the causes that a sample shows, and all pairs where the sample holds them all."""
    sample = spill.first_slots(SAMPLE_ROWS)
    pairs = work.paired(job, spill.read(Bill.LOCAL, sample), spill.read(Bill.CUSTOMER, sample))
    context = attribute.Context(
        contract=options.contract,
        deck=options.deck,
        learned=job.learned,
        outages=options.outages,
        names=job.names,
        zone=job.zone,
        spans={bill: told[bill].span for bill in Bill},
        totals={bill: told[bill].charge_micro for bill in Bill},
    )
    model = attribute.find(pairs.frame, context)
    whole = sample.last >= _last_slot(spill) and options.partition_rows is None
    return replace(job, found=(model, context)), pairs if whole else None


def _last_slot(spill: Spill) -> int:
    """Return the slot behind the last one that has rows."""
    stretches = spill.partitions(1 << 62)
    return stretches[-1].last if stretches else 0


def _gather(
    options: Options, spill: Spill, job: work.Job, pairs: work.Pairs | None, writer: pairs_file.Writer | None, meter: Meter
) -> Gathered:
    """Return what all partitions give together; their tables are written in order."""
    gathered = Gathered(none(), {}, [0] * len(job.learned.rules), None, 0)
    rows = spill.rows(Bill.LOCAL) + spill.rows(Bill.CUSTOMER)
    if pairs is not None:
        parts: Iterator[work.Part] = iter([work.finish(job, pairs, rows)])
    else:
        stretches: tuple[Stretch, ...] = spill.partitions(options.partition_rows or PARTITION_ROWS)
        parts = over(spill, stretches, job, work.work, options.workers, options.scheduler)
    for part in parts:
        if writer is not None and part.table is not None:
            writer.write(part.table)
        gathered.take(part)
        meter.at("attribute", None, gathered.rows, gathered.rows / max(rows, 1))
    if writer is not None:
        writer.close()
    return gathered


def _totals(options: Options, told: dict[Bill, Intake], gathered: Gathered) -> dict[Bill, BillTotal]:
    found = {}
    for bill in Bill:
        one = told[bill]
        money = gathered.priced_micro if bill is Bill.LOCAL and one.charge_micro is None else one.charge_micro
        found[bill] = BillTotal(
            bill=bill,
            files=one.reader.files,
            rows=one.rows,
            refused=one.refused,
            records=one.records,
            total_micro=money,
            currency=one.currency,
            invoice_micro=options.invoice_micro.get(bill),
            refused_rows=tuple(one.refused_rows),
        )
    return found


def _audit(options: Options, told: dict[Bill, Intake], job: work.Job, gathered: Gathered) -> Audit:
    """Return what was found."""
    assert job.found is not None
    model, context = job.found
    contract = options.contract or Contract()
    totals = _totals(options, told, gathered)
    compared = gathered.compared
    ours, theirs = (totals[bill].total_micro for bill in Bill)
    difference = None if ours is None or theirs is None else ours - theirs
    rest = gathered.sums.get(UNEXPLAINED, Sum(0, 0))
    causes = attribute.conclude(model, gathered.sums, context)
    alignment = job.learned.alignment
    return Audit(
        digest=digest(options, {bill: totals[bill].files for bill in Bill}),
        local=totals[Bill.LOCAL],
        customer=totals[Bill.CUSTOMER],
        currency=contract.currency or totals[Bill.LOCAL].currency or totals[Bill.CUSTOMER].currency,
        timezone=contract.timezone,
        matched=compared.counts[0],
        missing_in_local=compared.counts[2],
        missing_in_customer=compared.counts[1],
        differing=compared.counts[5],
        clock_offset_s=(alignment.shift_ms + alignment.offset_ms) / 1000 if compared.counts[0] else None,
        difference_micro=difference,
        causes=causes,
        unexplained_micro=rest.amount_micro,
        unexplained_records=rest.records,
        verdict=judge(causes, rest.amount_micro, difference, totals, options.contract, options.previous, rest.records),
        methods=model.methods,
        contract=options.contract.terms if options.contract else None,
        rewriting=_rewriting(job.learned, gathered.rules),
        by_day=by_day(compared),
        by_prefix=by_prefix(compared, _label(options)),
        offsets=histogram(compared),
        scatter=scatter(compared),
        notes=(*job.learned.notes, *model.notes, *notices(options, told, totals, compared, gathered.priced_micro is not None)),
        customer_name=contract.customer or "",
        period=contract.period,
        lines=tuple((text, micro(amount)) for text, amount in contract.lines),
        dispute=contract.dispute if options.contract else Dispute(),
    )


def _rewriting(learned: Learned, rows: Sequence[int]) -> tuple[Rewriting, ...]:
    """Return the prefix rules with how many rows follow each."""
    return tuple(
        Rewriting(rule.bill, rule.field, rule.strip, rule.add, count) for rule, count in zip(learned.rules, rows, strict=True) if count
    )


def _label(options: Options) -> Callable[[int], tuple[str, str]]:
    """Return what gives prefix and destination of the key by which calls were compared."""
    deck = options.deck
    if deck is None or not len(deck):
        return lead_label
    return lambda row: ("", "") if row < 0 else (deck.prefix_text(row), deck.destination_text(row))
