"""Pairs as arrays, and the marks by which calls are told that were measured, or are there, on one side alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from billing_audit.infer.machine import Calls, Reference
from billing_audit.ledger import MISSING, Bill, Note, Side, Value
from billing_audit.outages import Outage
from billing_audit.terms import Contract

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

HARDLY = 0.1  # of a usual day's calls: a first or last day that has fewer lies outside the period
GROWN = 3  # calls by which the missing ones must be more there
AHEAD = 2_000  # calls looked at beyond a stretch
LAST_MS = 1 << 43  # the year 2248: instants that are told lie before it

OTHER = {Bill.LOCAL: Bill.CUSTOMER, Bill.CUSTOMER: Bill.LOCAL}
WHOSE = {Bill.LOCAL: Side.COMPANY, Bill.CUSTOMER: Side.CUSTOMER}


@dataclass(frozen=True)
class Mark:
    """One cause of measurement or presence: by which bill's records it shows itself, whose it is, and what tells its rows (`data`)."""

    cause: str
    bill: Bill
    side: Side
    parameters: Mapping[str, Value]
    support: float
    rows: int
    evidence: tuple[Note, ...] = ()
    separates: Note | None = None
    data: Any = None


@dataclass(frozen=True)
class Table:
    """The columns of PAIRS; starts of the customer are corrected to our clock. `edges`: the period in ms, None where nobody says it."""

    frame: Mapping[str, Ints]
    reference: Reference
    contract: Contract | None
    outages: tuple[Outage, ...]
    edges: tuple[int, int] | None
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many rows."""
        return len(self.frame["l_source"])

    def has(self, bill: Bill) -> Bools:
        """Tell which rows have a record of this bill."""
        there: Bools = self.frame[f"{bill[0]}_source"] != MISSING
        return there

    @cached_property
    def both(self) -> Bools:
        """Which rows are pairs."""
        return self.has(Bill.LOCAL) & self.has(Bill.CUSTOMER)

    def only(self, bill: Bill) -> Bools:
        """Tell which rows are records of this bill alone."""
        return self.has(bill) & ~self.has(OTHER[bill])

    def column(self, bill: Bill, name: str) -> Ints:
        """Return one column of a bill."""
        return self.frame[f"{bill[0]}_{name}"]

    @cached_property
    def longer(self) -> Ints:
        """Return our duration − theirs in ms; 0 where one is missing."""
        ours, theirs = self.frame["l_duration_ms"], self.frame["c_duration_ms"]
        return np.where(self.both & (ours != MISSING) & (theirs != MISSING), ours - theirs, 0)

    def excess(self, bill: Bill) -> Ints:
        """Return by how much this bill's duration is the longer one, ms."""
        return self.longer if bill is Bill.LOCAL else -self.longer

    def money(self, bill: Bill) -> Ints:
        """Return charges, 0 where there is none."""
        charge = self.column(bill, "charge_micro")
        return np.where(self.has(bill) & (charge != MISSING), charge, 0)

    def charged(self, bill: Bill) -> Bools:
        """Tell which records cost something; all, where the bill has no money at all."""
        some: Bools = self.money(bill) != 0
        return some if some.any() else self.has(bill)

    def calls(self, bill: Bill, start_of: Bill | None = None) -> Calls:
        """Return the records of a bill (MISSING where it has none), the starts of pairs as the other bill says them where told."""
        start = self.column(bill, "start_ms")
        if start_of is not None:
            start = np.where(self.has(start_of), self.column(start_of, "start_ms"), start)
        parts = self.column(bill, "parts")
        return Calls(
            callee=self.frame["callee"],
            start_ms=start,
            duration_ms=self.column(bill, "duration_ms"),
            billed_ms=self.column(bill, "billed_ms"),
            charge=self.column(bill, "charge_micro"),
            answered=self.column(bill, "answered"),
            parts=np.where(parts == MISSING, 1, parts),
            gateway=self.column(bill, "gateway"),
            told_rate=self.column(bill, "rate_nano"),
        )

    @cached_property
    def failed(self) -> dict[Bill, Bools]:
        """Which records were charged though nobody answered, or no second was talked, by bill."""
        told = {}
        for bill in Bill:
            answered, talk = self.column(bill, "answered"), self.column(bill, "duration_ms")
            told[bill] = (self.money(bill) != 0) & ((answered == 0) | (talk == 0))
        return told


def columns_of(pairs: pd.DataFrame, correct: Any) -> dict[str, Ints]:
    """Return the columns of PAIRS as arrays, with the customer's starts on our clock."""
    frame = {str(name): pairs[name].to_numpy() for name in pairs.columns}
    frame["c_start_ms"] = correct(frame["c_start_ms"])
    return frame


def edges_of(contract: Contract | None) -> tuple[int, int] | None:
    """Return begin and end (exclusive) of the contract's period in ms UTC."""
    if contract is None or contract.period is None:
        return None
    zone = ZoneInfo(contract.timezone)
    period = contract.period
    first, last = (datetime.combine(day, time(0), zone).astimezone(UTC) for day in (period.start, period.end))
    return int(first.timestamp() * 1000), int(last.timestamp() * 1000)


def wall(at_ms: int, zone: str) -> str:
    """Return an instant on the clock of a zone, as people write it; "–" for none."""
    if not 0 <= at_ms < LAST_MS:
        return "–"
    told = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone))
    return told.strftime("%Y-%m-%d %H:%M:%S" if told.second else "%Y-%m-%d %H:%M")


def edges_seen(start_ms: Ints, zone: str) -> tuple[int, int] | None:
    """Return the whole days (of the zone) in which all but a few of the calls begin; None: too few calls to say."""
    known = np.sort(start_ms[start_ms != MISSING])
    if known.size < 1000:
        return None
    few = known.size // 1000
    place = ZoneInfo(zone)
    first, last = (datetime.fromtimestamp(int(known[at]) / 1000, place).date() for at in (few, known.size - 1 - few))
    whole = [first + timedelta(days=n) for n in range((last - first).days + 2)]
    at = np.array([int(datetime.combine(day, time(0), place).timestamp() * 1000) for day in whole], np.int64)
    many = np.diff(np.searchsorted(known, at))
    full = np.flatnonzero(many >= HARDLY * float(np.median(many)))  # calls over the edge are a day of their own, and hardly one
    return int(at[full[0]]), int(at[full[-1] + 1])


def dense(at_ms: Ints, missing: Bools, least: int = 12, against: int = 2) -> list[tuple[int, int, int, int]]:
    """Return stretches of time in which nearly all calls are missing: (first, last, missing, calls), by the order of `at_ms`.

    A stretch scores one for each missing call and −`against` for each that is there; it ends where its score falls to nothing, and is told
    up to where it was highest, if that is at least `least`.
    """
    order = np.lexsort((~missing, at_ms))
    at, lacks = at_ms[order], missing[order]
    edges = np.flatnonzero(np.diff(lacks.astype(np.int8))) + 1
    begins = np.concatenate([[0], edges]) if at.size else np.zeros(0, np.int64)
    ends = np.append(edges, at.size)
    found: list[tuple[int, int, int, int]] = []
    score = top = first = last = 0
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=False):
        if lacks[begin]:
            if score <= 0:
                score, top, first, last = 0, 0, begin, begin
            score += end - begin
            if score >= top:
                top, last = score, end
        elif score > 0:
            score -= against * (end - begin)
            if score <= 0 or top - score > 60:
                _told(found, at, lacks, first, last, top, least)
                score = top = 0
    _told(found, at, lacks, first, last, top, least)
    return found


def _told(found: list[tuple[int, int, int, int]], at: Ints, lacks: Bools, first: int, last: int, top: int, least: int) -> None:
    if top >= least:
        first, last = _grown(lacks, first, last)
        found.append((int(at[first]), int(at[last - 1]), int(lacks[first:last].sum()), last - first))


def _grown(lacks: Bools, first: int, last: int) -> tuple[int, int]:
    """Return a stretch with what lies before and behind it and is missing for the greater part: a few calls of it may be there."""
    behind = np.cumsum(np.where(lacks[last : last + AHEAD], 1, -1))
    before = np.cumsum(np.where(lacks[max(0, first - AHEAD) : first][::-1], 1, -1))
    if behind.size and behind.max() >= GROWN:
        last += int(behind.argmax()) + 1
    if before.size and before.max() >= GROWN:
        first -= int(before.argmax()) + 1
    return first, last
