"""From pairs to causes, sides and money: which there are (`find`), what each takes of each call (`apportion`), what is said (`conclude`).

Of each pair the difference telescopes: (our charge − K of ours) + (K of ours − K of theirs) + (K of theirs − their charge), K the
reference's price of a side's own record. The outer parts are split among the side's departures from the reference by repairing one after
the other, in the order of causes.catalogue.REPAIRED; the middle belongs to what was measured differently. A record that one bill
lacks is one cause's whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from billing_audit import leftover, wording
from billing_audit.audit import Found, Inferred
from billing_audit.causes.catalogue import CLOCKS, MEASURED, PRESENCE, REPAIRED
from billing_audit.confidence import confidence
from billing_audit.decks.deck import Deck
from billing_audit.engine.sums import UNEXPLAINED, Part, Sums
from billing_audit.infer.agreement import differing, unshared
from billing_audit.infer.machine import Bend, Desk, Reference
from billing_audit.infer.reference import reference_of
from billing_audit.infer.table import WHOSE, Bools, Mark, Table, columns_of, edges_of, edges_seen
from billing_audit.infer.view import Departure, view_of
from billing_audit.inferred import look, method_of
from billing_audit.ledger import MISSING, Bill, Names, Note, Side
from billing_audit.matching.learn import Learned
from billing_audit.outages import Outage
from billing_audit.terms import Contract, Terms

Ints = npt.NDArray[np.int64]

LOOKED = 50_000  # rows on which the places of unexplained money are looked for
LITTLE = 50  # fewer than one record in so many matched: the bills have nothing to do with each other
CHUNK = 1 << 15  # pairs priced at once: their columns fit the cache


@dataclass(frozen=True)
class Context:
    """What is known beside the pairs."""

    contract: Contract | None
    deck: Deck | None
    learned: Learned
    names: Names
    zone: str
    outages: tuple[Outage, ...] = ()
    spans: Mapping[Bill, tuple[int, int]] = field(default_factory=dict)
    totals: Mapping[Bill, int | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """Which causes there are: departures of each bill from the reference, in the order of repair, and marks of single calls."""

    reference: Reference
    departures: Mapping[Bill, tuple[Departure, ...]]
    presence: tuple[Mark, ...]
    measured: tuple[Mark, ...]
    clocks: tuple[Mark, ...]
    units: Mapping[Bill, int]
    methods: dict[str, Inferred]
    rows: int
    edges: tuple[int, int] | None = None  # the period
    notes: tuple[Note, ...] = ()  # where the unexplained money lies
    fitted: Mapping[Bill, float] = field(default_factory=dict)  # share of a bill's calls that the reference with all departures explains


@dataclass(frozen=True)
class Apportioned:
    """Per pair the money of each cause (columns "cause/side" and "unexplained", micro-units) and whether it applies."""

    amounts: pd.DataFrame
    applies: pd.DataFrame


def side_of(model: Model, bill: Bill, one: Departure) -> Side:
    """Return whose a departure is: the bill's own side where contract or deck fix the parameter, else nobody can say."""
    if one.cause in ("cost_rounding", "duration_rounding"):
        return Side.NONE
    return WHOSE[bill] if one.parameter in model.reference.fixed else Side.UNDETERMINED


def name_of(cause: str, side: Side) -> str:
    """Return the column of a cause and side."""
    return f"{cause}/{side}"


def columns(model: Model) -> tuple[str, ...]:
    """Return the names of the columns of money, `unexplained` the last."""
    names = [name_of(mark.cause, mark.side) for mark in (*model.clocks, *model.presence, *model.measured)]
    names += [name_of(one.cause, side_of(model, bill, one)) for bill in Bill for one in model.departures[bill]]
    return (*dict.fromkeys(names), UNEXPLAINED)


def find(pairs: pd.DataFrame, context: Context) -> Model:
    """Return the causes that these pairs (all, or a sample that holds all calls of its numbers) show."""
    frame = columns_of(pairs, context.learned.alignment.correct)
    frame["c_written_ms"] = pairs["c_start_ms"].to_numpy()
    edges = edges_of(context.contract) or edges_seen(frame["l_start_ms"], context.zone)
    bare = Table(frame, Reference(None, Terms(), context.zone), context.contract, context.outages, edges)
    records = {bill: bare.calls(bill, Bill.LOCAL).part(bare.has(bill)) for bill in Bill}
    reference = reference_of(records, context.contract, context.deck, context.zone, look)
    table = Table(frame, reference, context.contract, context.outages, edges)
    departures: dict[Bill, tuple[Departure, ...]] = {}
    units: dict[Bill, int] = {}
    methods: dict[str, Inferred] = {}
    fitted: dict[Bill, float] = {}
    for bill in Bill:
        view = view_of(bill, records[bill], reference)
        units[bill] = view.unit
        look(view)
        departures[bill] = tuple(sorted(view.found, key=lambda one: REPAIRED.index(one.cause)))
        methods[str(bill)] = method_of(view)
        fitted[bill] = float(view.fits().mean()) if view.calls.charge.size else 0.0
    departures = _agreed(departures, reference)
    departures, alike = unshared(departures, reference)
    if context.contract is None or context.deck is None or not len(context.deck):
        departures = differing(table, reference, units, departures)
    clocks = [mark for module in CLOCKS.values() for mark in module.find(table, context.learned.alignment)]
    presence = [] if _strangers(table) else [mark for module in PRESENCE.values() for mark in module.find(table)]
    marks = (tuple(presence), tuple(_measured(table)), tuple(clocks))
    model = Model(reference, departures, *marks, units, methods, table.size, edges, fitted=fitted)
    return replace(model, notes=(*alike, *_places(pairs, model, context)))


def _strangers(table: Table) -> bool:
    """Tell whether the bills have so little in common that what one lacks says nothing of the other."""
    ours, theirs = table.has(Bill.LOCAL), table.has(Bill.CUSTOMER)
    return bool(int((ours & theirs).sum()) * LITTLE < min(int(ours.sum()), int(theirs.sum())))


def _places(pairs: pd.DataFrame, model: Model, context: Context) -> tuple[Note, ...]:
    """Return where the money lies that no cause takes, of some numbers with all their calls."""
    step = -(-len(pairs) // LOOKED)
    some = pairs if step <= 1 else pairs[pairs["callee"].to_numpy() % step == 0].reset_index(drop=True)
    left = apportion(some, model, context).amounts[UNEXPLAINED].to_numpy()
    if not left.any():
        return ()
    frame = columns_of(some, context.learned.alignment.correct)
    return leftover.places(Table(frame, model.reference, context.contract, context.outages, model.edges), model.reference, left)


def _agreed(departures: Mapping[Bill, tuple[Departure, ...]], reference: Reference) -> dict[Bill, tuple[Departure, ...]]:
    """Return the departures without those that both bills share where nothing fixes the parameter: there they agree."""
    free = {bill: [one for one in found if one.parameter not in reference.fixed] for bill, found in departures.items()}
    told = {bill: {(one.cause, repr(one.bend)) for one in found} for bill, found in free.items()}
    shared = told[Bill.LOCAL] & told[Bill.CUSTOMER]
    return {bill: tuple(one for one in found if (one.cause, repr(one.bend)) not in shared) for bill, found in departures.items()}


def _measured(table: Table) -> list[Mark]:
    """Return the marks of measurement; of early answer and set-up time on one bill the one that explains more."""
    marks = [mark for module in MEASURED.values() for mark in module.find(table)]
    early = {mark.bill for mark in marks if mark.cause == "early_answer"}
    return [mark for mark in marks if mark.cause != "ring_time" or mark.bill not in early]


def apportion(pairs: pd.DataFrame, model: Model, context: Context) -> Apportioned:
    """Return what each cause takes of each pair, exactly: rows add up to our charge − theirs, a missing one counting 0.

    `pairs` must hold all calls of its numbers: a duplicate is told by its twin.
    """
    frame = columns_of(pairs, context.learned.alignment.correct)
    frame["c_written_ms"] = pairs["c_start_ms"].to_numpy()
    table = Table(frame, model.reference, context.contract, context.outages, model.edges)
    names = columns(model)
    amounts = {name: np.zeros(table.size, np.int64) for name in names}
    applies = {name: np.zeros(table.size, np.bool_) for name in names}
    if any(total is None for total in context.totals.values()) and _unpriced(table):
        return Apportioned(pd.DataFrame(amounts, copy=False), pd.DataFrame(applies, copy=False))
    left = table.money(Bill.LOCAL) - table.money(Bill.CUSTOMER)
    open_ = _presence(table, model, amounts, applies, left)
    for bill in Bill:
        sign = 1 if bill is Bill.LOCAL else -1
        _departures(table, model, bill, sign, open_, amounts, left)
    _middle(table, model, open_, amounts, applies, left)
    _fold(table, model, open_, amounts, left)
    for name, values in amounts.items():
        applies[name] |= values != 0
    for mark in model.clocks:
        applies[name_of(mark.cause, mark.side)] |= CLOCKS[mark.cause].applies(table, mark)
    amounts[UNEXPLAINED] = left
    applies[UNEXPLAINED] = left != 0
    return Apportioned(pd.DataFrame(amounts, copy=False), pd.DataFrame(applies, copy=False))


def _unpriced(table: Table) -> bool:
    """Tell whether a bill has no charge at all: nothing can be said of money then."""
    return any(not np.any(table.column(bill, "charge_micro") != MISSING) for bill in Bill)


def _presence(table: Table, model: Model, amounts: dict[str, Ints], applies: dict[str, Bools], left: Ints) -> Bools:
    """Give whole charges to causes of presence; return which pairs remain to be split."""
    open_ = np.ones(table.size, np.bool_)
    for mark in model.presence:
        rows = np.flatnonzero(PRESENCE[mark.cause].applies(table, mark) & open_)
        name = name_of(mark.cause, mark.side)
        charged = table.money(mark.bill)[rows] * (1 if mark.bill is Bill.LOCAL else -1)
        amounts[name][rows] += charged
        left[rows] -= charged
        applies[name][rows] = True
        if mark.cause != "failed_call":
            open_[rows] = False
        else:
            open_[rows[left[rows] == 0]] = False
    return open_ & table.both & ~table.failed[Bill.LOCAL] & ~table.failed[Bill.CUSTOMER]


def _departures(table: Table, model: Model, bill: Bill, sign: int, open_: Bools, amounts: dict[str, Ints], left: Ints) -> None:
    """Split a bill's departure from the reference's price of its own records, by repairing one cause after the other."""
    causes = model.departures[bill]
    if not causes:
        return
    calls = table.calls(bill, Bill.LOCAL)
    rows = np.flatnonzero(open_ & (calls.charge != MISSING))
    for low in range(0, rows.size, CHUNK):
        part = rows[low : low + CHUNK]
        desk = Desk(calls.part(part), model.reference)
        straight = desk.charge(())
        # several departures may cancel each other in a call; one alone can't
        odd = np.flatnonzero(((straight != desk.calls.charge) | (len(causes) > 1)) & (straight != MISSING))
        if not odd.size:
            continue
        if odd.size < 0.7 * part.size:  # else the prices already looked up are worth more than the calls spared
            part, straight = part[odd], straight[odd]
            desk = Desk(calls.part(part), model.reference)
        bends: list[tuple[Departure, Bend]] = [(one, one.bend) for one in causes if one.bend is not None]
        before = desk.charge([bend for _, bend in bends])
        for index, (one, _) in enumerate(bends):
            after = desk.charge([bend for _, bend in bends[index + 1 :]]) if index + 1 < len(bends) else straight
            value = np.where((before != MISSING) & (after != MISSING), before - after, 0) * sign
            amounts[name_of(one.cause, side_of(model, bill, one))][part] += value
            left[part] -= value
            before = after


def _middle(table: Table, model: Model, open_: Bools, amounts: dict[str, Ints], applies: dict[str, Bools], left: Ints) -> None:
    """Give what two measurements of one call are worth at the reference's price to the cause for which they differ."""
    if not model.measured:
        return
    free = open_ & table.both
    for mark in model.measured:
        rows = np.flatnonzero(MEASURED[mark.cause].applies(table, mark) & free)
        name = name_of(mark.cause, mark.side)
        applies[name][rows] = mark.cause not in ("duration_rounding", "ring_time")
        free[rows] = False
        for low in range(0, rows.size, CHUNK):
            part = rows[low : low + CHUNK]
            both = [Desk(table.calls(bill, Bill.LOCAL).part(part), model.reference).charge(()) for bill in Bill]
            value = np.where((both[0] != MISSING) & (both[1] != MISSING), both[0] - both[1], 0)
            if mark.cause == "partial_records":
                value = left[part].copy()
            amounts[name][part] += value
            left[part] -= value


def _fold(table: Table, model: Model, open_: Bools, amounts: dict[str, Ints], left: Ints) -> None:
    """Give what is left within one unit of the last digit, and in calls in parts, to the cause that made the call differ."""
    for mark in model.measured:
        if mark.cause == "partial_records":
            rows = np.flatnonzero(MEASURED[mark.cause].applies(table, mark) & open_ & (left != 0))
            amounts[name_of(mark.cause, mark.side)][rows] += left[rows]
            left[rows] = 0
    limit = sum(model.units.values()) + 2
    rows = np.flatnonzero(open_ & (left != 0) & (np.abs(left) <= limit))
    for bill in reversed(Bill):
        for one in reversed(model.departures[bill]):
            name = name_of(one.cause, side_of(model, bill, one))
            mine = rows[(amounts[name][rows] != 0) & (left[rows] != 0)]
            amounts[name][mine] += left[mine]
            left[mine] = 0


def conclude(model: Model, sums: Sums, _context: Context) -> tuple[Found, ...]:
    """Return what was found, the most money first: every cause that took money or marks a call, with evidence and confidence."""
    found = []
    for name in columns(model)[:-1]:
        part = sums.get(name)
        if part is None or (part.records == 0 and part.amount_micro == 0):
            continue
        cause, side = name.split("/")
        found.append(_found(model, cause, Side(side), part))
    return tuple(sorted(found, key=lambda one: (-abs(one.amount_micro), -one.records, one.cause, one.side)))


def _found(model: Model, cause: str, side: Side, part: Part) -> Found:
    marks = [mark for mark in (*model.clocks, *model.presence, *model.measured) if (mark.cause, mark.side) == (cause, side)]
    departures = [one for bill in Bill for one in model.departures[bill] if (one.cause, side_of(model, bill, one)) == (cause, side)]
    parameters: dict[str, str | int | float | bool | None] = {}
    evidence: list[Note] = []
    sources: tuple[Departure | Mark, ...] = (*departures, *marks)
    for one in sources:
        fixed = isinstance(one, Mark) or one.parameter in model.reference.fixed
        parameters = {**wording.parameters(one.parameters, fixed), **parameters}
        evidence += wording.notes(one.evidence, fixed)
    first = sources[0]
    fixed = isinstance(first, Mark) or first.parameter in model.reference.fixed
    separates = None if first.separates is None else wording.notes([first.separates], fixed)[0]
    explained = min([model.fitted.get(bill, 1.0) for bill in Bill if any(d in departures for d in model.departures[bill])] or [1.0])
    return Found(
        cause=cause,
        side=side,
        records=part.records,
        amount_micro=part.amount_micro,
        confidence=confidence(cause, side, first.support, part.records, explained, bool(model.reference.fixed)),
        parameters=parameters,
        evidence=tuple(evidence[:16]),
        separates=separates,
        samples=part.samples,
    )
