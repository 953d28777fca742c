"""Calls that our bill lacks: an outage where one was measured, else the same pattern said with less trust, of a gateway too."""

import numpy as np
import pytest

from billing_audit.causes import missing_import, missing_outage
from billing_audit.infer.machine import Reference
from billing_audit.infer.table import Table, edges_seen
from billing_audit.ledger import MISSING, PAIRS, Side, empty
from billing_audit.outages import Outage
from billing_audit.terms import Terms

START = 1_780_272_000_000  # a midnight, UTC
MINUTE = 60_000
HALF_HOUR = 30 * MINUTE
DAY = 1_440 * MINUTE
CALLS = 2000


def pairs(lacks, lacking):
    """Return a call a minute; `lacking` bill ("l" or "c") has none of those in `lacks`; the other's gateway is the call's number mod 4."""
    frame = {name: column.to_numpy().copy() for name, column in empty(PAIRS, CALLS).items()}
    frame["callee"] = 10**18 + 8613800000000 + np.arange(CALLS)
    for side in "lc":
        frame[f"{side}_source"] = np.arange(CALLS, dtype=np.int64)
        frame[f"{side}_start_ms"] = START + np.arange(CALLS) * MINUTE
        frame[f"{side}_duration_ms"] = np.full(CALLS, 30_000)
        frame[f"{side}_charge_micro"] = np.full(CALLS, 5_000)
        frame[f"{side}_gateway"] = np.arange(CALLS) % 4
    for name in [name for name in frame if name.startswith(f"{lacking}_")]:
        frame[name][lacks] = MISSING
    return frame


def table(lacks, outages=(), lacking="l"):
    return Table(pairs(lacks, lacking), Reference(None, Terms(), "UTC"), None, outages, None)


HOUR = slice(600, 660)
GATEWAY = np.arange(CALLS) % 4 == 2


def outage(first, last):
    return Outage(node="sbc1", start_ms=START + first * MINUTE, end_ms=START + last * MINUTE, stops_calls=False)


@pytest.mark.parametrize(
    ("lacks", "outages", "measured", "rows"),
    [
        (HOUR, (outage(600, 659),), True, 60),
        (HOUR, (), False, 60),
        (HOUR, (outage(100, 160),), False, 60),  # another hour's outage proves nothing
        (GATEWAY, (), False, CALLS // 4),
    ],
)
def test_missing_here_is_ours_and_surer_with_an_outage(lacks, outages, measured, rows):
    one = table(lacks, outages)
    (mark,) = missing_outage.find(one)
    assert (mark.side, mark.rows, mark.parameters["measured"]) == (Side.COMPANY, rows, measured)
    assert int(missing_outage.applies(one, mark).sum()) == rows
    assert (mark.support > 0.5) is measured
    assert missing_import.find(one) == []


@pytest.mark.parametrize(("lacks", "kind"), [(HOUR, "time"), (GATEWAY, "gateway")])
def test_missing_there_is_the_mirror(lacks, kind):
    (mark,) = missing_import.find(table(lacks, lacking="c"))
    assert (mark.side, mark.parameters["kind"]) == (Side.CUSTOMER, kind)


def test_calls_missing_here_and_there_by_chance_are_no_stretch():
    lacks = np.random.default_rng(3).random(CALLS) < 0.02
    assert missing_outage.find(table(lacks)) == []


def test_stretch_in_which_a_few_calls_are_there_is_told_whole():
    lacks = np.zeros(CALLS, bool)
    lacks[600:700] = True
    lacks[600:640:3] = False  # a third of its beginning is there
    (mark,) = missing_import.find(table(lacks, lacking="c"))
    assert mark.rows == int(lacks.sum())


def test_calls_alone_on_both_bills_at_one_time_are_unmatched_and_not_missing():
    one = table(HOUR)
    for name in [name for name in one.frame if name.startswith("c_")]:
        one.frame[name][600:660:2] = MISSING
    for name in [name for name in one.frame if name.startswith("l_")]:
        one.frame[name][600:660:2] = one.frame[name][661]
    one.frame["l_start_ms"][600:660:2] = START + np.arange(600, 660, 2) * MINUTE
    assert missing_outage.find(one) == []
    assert missing_import.find(one) == []


def test_days_of_the_period_are_seen_without_the_few_calls_of_the_day_before():
    start = np.concatenate([START - HALF_HOUR + np.arange(42), START + np.sort(np.random.default_rng(1).integers(0, 30 * DAY, 20_000))])
    assert edges_seen(start, "UTC") == (START, START + 30 * DAY)
