"""The records of a bill in the form in which the two bills agree: numbers rewritten, parts of a call merged."""

import numpy as np
import pandas as pd

from billing_audit.ledger import LEDGER, Bill, hold
from billing_audit.matching.align import Ints
from billing_audit.matching.learn import Learned
from billing_audit.matching.partials import merge, parts_frame
from billing_audit.numbering.rewriting import apply


def normalise(frame: pd.DataFrame, bill: Bill, learned: Learned) -> tuple[pd.DataFrame, Ints, pd.DataFrame]:
    """Return LEDGER rows with canonical numbers and merged parts; rows per rule (as in learned.rules); source → head of parts taken in."""
    counts = np.zeros(len(learned.rules), np.int64)
    changed: dict[str, Ints] = {}
    for field in ("caller", "callee"):
        codes, rows = apply(frame[field].to_numpy(), learned.rules, bill, field, learned.tech)
        if rows is not None:
            changed[field] = codes
            counts += rows
    if changed:
        columns = {name: changed[name] if name in changed else frame[name].to_numpy() for name in frame.columns}
        frame = pd.DataFrame(columns, copy=False)
    chain = learned.chains.get(bill)
    if chain is None:
        return hold(frame, LEDGER), counts, parts_frame()
    frame, parts = merge(frame, chain)
    return hold(frame, LEDGER), counts, parts
