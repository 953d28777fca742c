"""What an audit is asked to do, and what it says while it does it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from billing_audit.audit import Audit
from billing_audit.decks.deck import Deck
from billing_audit.ledger import Bill, Note, Refused
from billing_audit.outages import Outage
from billing_audit.terms import Contract

MIB = 1 << 20
LEAST_MEMORY = 512 * MIB

Phase = Literal["read", "learn", "attribute", "pairs"]


class Progress(msgspec.Struct, frozen=True):
    """How far an audit is in one phase: rows so far, share of the phase (0 … 1), rows a second, seconds left (None: too early to say)."""

    phase: Phase
    bill: Bill | None
    rows: int
    share: float
    rate: float | None = None
    left_s: float | None = None


class AuditError(Exception):
    """The audit can't go on: what is wrong, and the cure, as texts to be."""

    def __init__(self, what: Note, cure: Note) -> None:
        super().__init__(what.id)
        self.what = what
        self.cure = cure


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to audit. Nothing of the last group changes what is found, only where, how fast and in how much memory.

    `columns`: field → header of either bill; `account`: whose records of our export; `invoice_micro`: what was invoiced by either bill.
    """

    contract: Contract | None = None
    deck: Deck | None = None
    account: str | None = None
    columns: dict[Bill, dict[str, str]] = {}
    outages: tuple[Outage, ...] = ()
    invoice_micro: dict[Bill, int] = {}
    previous: Audit | None = None

    pairs: Path | None = None  # where all pairs are written as Parquet; None: a file without a name
    keep_pairs: bool = True  # False: `Result.pairs` has nothing to give
    refused: Callable[[Bill, Sequence[Refused]], Any] | None = None  # is given every refused row
    memory: int = 1024 * MIB
    workers: int = 1
    scheduler: str | None = None  # of a Dask cluster: tls://host:port
    work_dir: Path | None = None
    partition_rows: int | None = None  # None: as many as memory and caches take well
