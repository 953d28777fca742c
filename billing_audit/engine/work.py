"""What is done with one partition, in whatever process: normalise, match, compare, attribute, and a table for Parquet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa

from billing_audit import attribute, rating
from billing_audit.compare import Compared, Way, compare
from billing_audit.decks.deck import Deck
from billing_audit.engine.packing import Ints
from billing_audit.engine.pairs_file import table_of
from billing_audit.engine.spill import slots
from billing_audit.engine.sums import Part as Sum
from billing_audit.engine.sums import summed, total
from billing_audit.ledger import MISSING, Bill, Names
from billing_audit.matching.learn import Learned
from billing_audit.matching.match import match
from billing_audit.matching.normalise import normalise
from billing_audit.matching.pairing import Order
from billing_audit.terms import Terms

MOST_CAUSES: Final = 62  # bits of a mask


@dataclass(frozen=True)
class Job:
    """What the partitions of an audit have in common; it is sent to every worker once."""

    learned: Learned
    deck: Deck | None
    terms: Terms
    zone: str
    price_local: bool  # our bill has no charges: the contract's are put in their place
    keep: bool  # whether pairs are wanted as a table
    names: Names
    files: tuple[str, ...]
    found: "tuple[attribute.Model, attribute.Context] | None" = None


@dataclass(frozen=True)
class Pairs:
    """The pairs of some calls, how often each rule was followed, and what our records cost where that was computed here."""

    frame: pd.DataFrame
    rules: Ints
    priced_micro: int | None
    order: Order


@dataclass(frozen=True)
class Part:
    """What one partition gives to the audit."""

    compared: Compared
    sums: dict[str, Sum]
    rules: Ints
    priced_micro: int | None
    rows: int
    table: pa.Table | None


def paired(job: Job, local: pd.DataFrame, customer: pd.DataFrame, order: Order = "parts") -> Pairs:
    """Return the pairs of these records (LEDGER); their order is asked for where somebody sees it."""
    ours, our_rules, _ = normalise(local, Bill.LOCAL, job.learned)
    theirs, their_rules, _ = normalise(customer, Bill.CUSTOMER, job.learned)
    priced = None
    if job.price_local:
        ours, priced = _priced(ours, job)
    return Pairs(match(ours, theirs, job.learned, order=order), our_rules + their_rules, priced, order)


def _priced(frame: pd.DataFrame, job: Job) -> tuple[pd.DataFrame, int]:
    """Return our records with what the contract says that they cost, and the sum."""
    columns = {name: frame[name].to_numpy() for name in frame.columns}
    answered = columns["answered"]
    told = rating.rate(columns["callee"], columns["start_ms"], columns["duration_ms"], answered, job.deck, job.terms, job.zone)
    columns["charge_micro"] = told.charge_micro
    columns["billed_ms"] = np.where(columns["billed_ms"] == MISSING, told.billed_ms, columns["billed_ms"])
    columns["rate_nano"] = np.where(columns["rate_nano"] == MISSING, told.prices.rate_nano, columns["rate_nano"])
    return pd.DataFrame(columns, copy=False), total(told.charge_micro)


def work(job: Job, local: pd.DataFrame, customer: pd.DataFrame) -> Part:
    """Return what the records of a partition give."""
    return finish(job, paired(job, local, customer, "slots" if job.keep else "any"), len(local) + len(customer))


def finish(job: Job, pairs: Pairs, rows: int) -> Part:
    """Return what pairs give: comparisons, sums by cause and side, the table."""
    frame = pairs.frame
    compared = compare(frame, _way(job))
    if job.found is None:
        return Part(compared, {}, pairs.rules, pairs.priced_micro, rows, None)
    told = attribute.apportion(frame, *job.found)
    sums = summed(frame, told.amounts, told.applies)
    table = None
    if job.keep:
        table = _table(job, pairs, told)
    return Part(compared, sums, pairs.rules, pairs.priced_micro, rows, table)


def _table(job: Job, pairs: Pairs, told: attribute.Apportioned) -> pa.Table:
    """Return the pairs by slot, and within one as `match` orders them by contents: one order, however the calls were divided."""
    frame, amounts = pairs.frame, told.amounts
    applies = _mask(told.applies, list(amounts.columns))
    if pairs.order != "slots":
        order = np.argsort(slots(frame["callee"].to_numpy()), kind="stable")
        frame, amounts = (
            pd.DataFrame({name: one[name].to_numpy().take(order) for name in one.columns}, copy=False) for one in (frame, amounts)
        )
        applies = applies.take(order)
    return table_of(frame, amounts, applies, job.names, job.files)


def _way(job: Job) -> Way:
    alignment = job.learned.alignment
    apart = max(alignment.core_tolerance_ms, 1000)
    deck = job.deck
    return Way(ZoneInfo(job.zone), alignment.correct, None if deck is None or not len(deck) else deck.lookup, apart)


def _mask(applies: pd.DataFrame, columns: Sequence[str]) -> Ints:
    """Return one whole number a row with bit n set where column n applies."""
    mask = np.zeros(len(applies), np.int64)
    for bit, name in enumerate(columns):
        if name in applies.columns and bit < MOST_CAUSES:
            told = applies[name].to_numpy()
            if told.any():
                mask |= told.astype(np.int64) << bit
    return mask
