"""Audits of disputes: from frames and true pairs alone, or from files as people hand them in."""

import tempfile
import time
from pathlib import Path
from typing import Final

import pandas as pd

from billing_audit import attribute
from billing_audit.engine.sums import UNEXPLAINED, Part, summed
from billing_audit.ledger import MISSING, Bill
from billing_audit.matching.learn import Learned, learn
from billing_audit.matching.match import match
from billing_audit.matching.normalise import normalise
from billing_audit.options import Options
from tests.billing_audit.dispute import files
from tests.billing_audit.dispute.bills import Dispute
from tests.billing_audit.dispute.files import Style
from tests.billing_audit.dispute.plant import SIDES
from tests.billing_audit.dispute.score import Outcome
from tests.billing_audit.dispute.terms import contract_of, deck_of, outages_of

WAYS: Final = ("pairs", "frames", "files")


def of(dispute: Dispute, way: str, contract: bool = True, deck: bool = True) -> Outcome:
    """Audit a dispute: `pairs` are given as they truly are, `frames` are matched, `files` are written and read too."""
    return from_files(dispute, contract, deck) if way == "files" else from_frames(dispute, way == "pairs", contract, deck)


def from_frames(dispute: Dispute, paired: bool, contract: bool = True, deck: bool = True) -> Outcome:
    """Audit the ledgers, by the true pairs or those that `match` finds."""
    began = time.perf_counter()
    learned = learn(dispute.local, dispute.customer, dispute.names, dispute.deal.zone)
    pairs = dispute.pairs if paired else _matched(dispute, learned)
    context = attribute.Context(
        contract=contract_of(dispute) if contract else None,
        deck=deck_of(dispute) if deck else None,
        learned=learned,
        outages=outages_of(dispute),
        names=dispute.names,
        zone=dispute.deal.zone,
        spans={bill: _span(frame) for bill, frame in _bills(dispute)},
        totals={bill: int(frame["charge_micro"].sum()) for bill, frame in _bills(dispute)},
    )
    model = attribute.find(pairs, context)
    told = attribute.apportion(pairs, model, context)
    sums = summed(pairs, told.amounts, told.applies)
    found = attribute.conclude(model, sums, context)
    rest = sums.get(UNEXPLAINED, Part(0, 0))
    return Outcome(tuple(found), rest.amount_micro, dispute.difference_micro, time.perf_counter() - began)


def _bills(dispute: Dispute) -> tuple[tuple[Bill, pd.DataFrame], ...]:
    return (Bill.LOCAL, dispute.local), (Bill.CUSTOMER, dispute.customer)


def _span(frame: pd.DataFrame) -> tuple[int, int]:
    return (int(frame["start_ms"].min()), int(frame["start_ms"].max())) if len(frame) else (MISSING, MISSING)


def _matched(dispute: Dispute, learned: Learned) -> pd.DataFrame:
    return match(
        normalise(dispute.local, Bill.LOCAL, learned)[0],
        normalise(dispute.customer, Bill.CUSTOMER, learned)[0],
        learned,
    )


def from_files(dispute: Dispute, contract: bool = True, deck: bool = True, styles: dict[str, Style] | None = None) -> Outcome:
    """Write the dispute in the forms of its seed (or these), and audit what was written."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files.write(dispute, folder, styles)
        bills = [next(p for p in folder.iterdir() if p.name.split(".")[0] == side) for side in SIDES]
        options = Options(
            contract=contract_of(dispute) if contract else None,
            deck=deck_of(dispute) if deck else None,
            outages=outages_of(dispute),
            keep_pairs=False,
        )
        began = time.perf_counter()
        from billing_audit import run

        with run.audit([bills[0]], [bills[1]], options) as result:
            told = result.audit
    assert told.difference_micro is not None
    return Outcome(told.causes, told.unexplained_micro, told.difference_micro, time.perf_counter() - began)
