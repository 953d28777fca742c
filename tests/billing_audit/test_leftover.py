"""Money that no cause takes is placed: beyond a contract's step, in a band, at the cap, on one prefix; words follow what papers there are."""

from datetime import time
from decimal import Decimal

import numpy as np
import pytest

from billing_audit import wording
from billing_audit.decks.deck import build
from billing_audit.infer.machine import Reference
from billing_audit.infer.table import Table, wall
from billing_audit.ledger import MISSING, PAIRS, Note, empty
from billing_audit.leftover import places
from billing_audit.terms import Band, Step, Terms

START = 1_780_272_000_000  # 2026-06-01 00:00 UTC, a Monday
CALLS = 1000
NIGHT = Band("night", time(0), time(6), ratio=Decimal("0.5"))
DECK = build({"prefix": np.array([186, 1861]), "rate_nano": np.array([10_000_000, 20_000_000])})


def table(terms):
    frame = {name: column.to_numpy().copy() for name, column in empty(PAIRS, CALLS).items()}
    frame["callee"] = 10**18 + np.where(np.arange(CALLS) % 10 == 0, 1861_000_000_000, 1869_000_000_000) + np.arange(CALLS)
    for side in "lc":
        frame[f"{side}_source"] = np.arange(CALLS, dtype=np.int64)
        frame[f"{side}_start_ms"] = START + np.arange(CALLS) * 600_000
        frame[f"{side}_duration_ms"] = np.where(np.arange(CALLS) % 7 == 0, 900_000, 30_000)
        frame[f"{side}_charge_micro"] = np.full(CALLS, 5_000)
    return Table(frame, Reference(DECK, terms, "UTC"), None, (), None)


def said(terms, rows, change=lambda frame: None):
    one = table(terms)
    change(one.frame)
    left = np.where(rows, 700, 0)
    one.frame["l_charge_micro"] += left
    return [(note.id.removeprefix("audit.note.unexplained."), note.values["share"]) for note in places(one, one.reference, left)]


@pytest.mark.parametrize(
    ("terms", "rows", "place"),
    [
        (Terms(steps=(Step(from_s=600, ratio=Decimal("0.5")),)), np.arange(CALLS) % 7 == 0, "step"),
        (Terms(bands=(NIGHT,)), np.arange(CALLS) % 144 < 36, "band"),
        (Terms(bands=(NIGHT,)), np.arange(CALLS) % 144 >= 36, "no_band"),
        (Terms(max_cost=Decimal("0.0055")), np.arange(CALLS) < 90, "cap"),
        (Terms(), np.arange(CALLS) % 10 == 0, "prefix"),
    ],
)
def test_unexplained_money_is_placed(terms, rows, place):
    assert said(terms, rows)[0] == (place, 100.0)


def test_unexplained_money_everywhere_is_placed_nowhere():
    assert said(Terms(bands=(NIGHT,), steps=(Step(from_s=600),)), np.ones(CALLS, bool)) == []
    assert said(Terms(), np.zeros(CALLS, bool)) == []


def test_records_of_one_bill_alone_are_a_place():
    def lack(frame):
        for name in [name for name in frame if name.startswith("c_")]:
            frame[name][:80] = MISSING

    assert said(Terms(), np.arange(CALLS) < 80, lack)[0][0] == "alone"


def test_without_papers_the_other_bill_is_named():
    price = Note("audit.evidence.price", {"prefix": "86"})
    method = Note("audit.evidence.method.billed", {})
    assert [note.id for note in wording.notes([price, method], fixed=False)] == [
        "audit.evidence.price.bills",
        "audit.evidence.method.billed",
    ]
    assert wording.notes([price], fixed=True) == (price,)
    assert wording.parameters({"fee": "1", "contract": "0", "deck": "2"}, fixed=False) == {"fee": "1", "other": "2"}
    assert wording.parameters({"contract": "0"}, fixed=True) == {"contract": "0"}


def test_instants_are_told_on_the_wall_clock_of_the_zone():
    assert wall(START, "Asia/Shanghai") == "2026-06-01 08:00"
    assert wall(START + 5000, "UTC") == "2026-06-01 00:00:05"
    assert wall(MISSING, "UTC") == "–"
