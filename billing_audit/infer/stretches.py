"""Stretches of time, over all calls or over one gateway's, in which nearly all calls of a bill are missing from the other."""

from dataclasses import dataclass

import numpy as np

from billing_audit.infer.table import OTHER, Bools, Ints, Table, dense
from billing_audit.ledger import MISSING, Bill

ALL = -1
MOST_GATEWAYS = 2000
MUTUAL = 0.4  # of a stretch's calls that the other bill has alone at the same time
LEAST_GATEWAY = 15  # calls: there are many gateways, so chance makes stretches more easily


@dataclass(frozen=True)
class Stretch:
    """From `first` until before `end` (ms), on one gateway or ALL: how many of how many calls are missing."""

    gateway: int
    first: int
    end: int
    rows: int
    of: int


def stretches(table: Table, bill: Bill, there: Bools, lacks: Bools) -> list[Stretch]:
    """Return where records of `bill` (`there`) stand alone (`lacks`): first those of all calls, then what is left on one gateway."""
    start, gateway = table.column(bill, "start_ms"), table.column(bill, "gateway")
    found = [Stretch(ALL, first, last + 1, rows, of) for first, last, rows, of in dense(start[there], lacks[there])]
    left = there & ~inside(start, gateway, found)
    for one in np.unique(gateway[left & lacks])[:MOST_GATEWAYS].tolist():
        if one == MISSING:
            continue
        mine = left & (gateway == one)
        told = dense(start[mine], lacks[mine], least=LEAST_GATEWAY)
        found += [Stretch(one, first, last + 1, rows, of) for first, last, rows, of in told]
    return [one for one in found if not _mutual(table, bill, one)]


def _mutual(table: Table, bill: Bill, one: Stretch) -> bool:
    """Tell whether the other bill has nearly as many calls alone in that time: then they were not matched, and nobody lacks them."""
    other = OTHER[bill]
    start = table.column(other, "start_ms")
    alone = table.only(other) & table.charged(other) & (start >= one.first) & (start < one.end)
    return int(alone.sum()) >= MUTUAL * one.rows


def inside(start: Ints, gateway: Ints, windows: list[Stretch]) -> Bools:
    """Tell which calls lie within one of them."""
    hit = np.zeros(start.size, np.bool_)
    for one in windows:
        hit |= (start >= one.first) & (start < one.end) & ((gateway == one.gateway) if one.gateway != ALL else True)
    return hit
