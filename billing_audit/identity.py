"""The identity of an audit: one digest of everything that decides what it finds, and of nothing that does not."""

import hashlib
from collections.abc import Iterable

import msgspec

from billing_audit.audit import FileRead
from billing_audit.decks.deck import COLUMNS, Deck
from billing_audit.ledger import Bill
from billing_audit.options import Options


def deck_digest(deck: Deck | None) -> str:
    """Return a digest of the prices of a deck; "" of none."""
    if deck is None:
        return ""
    told = hashlib.sha256()
    for name in COLUMNS:
        told.update(getattr(deck, name).tobytes())
    told.update(repr((deck.bands, deck.destinations)).encode())
    return told.hexdigest()


def digest(options: Options, files: dict[Bill, Iterable[FileRead]]) -> str:
    """Return the digest of an audit as 64 hexadecimal digits. The audit before it is left out: it changes no finding, and opening the case
    of the same bills once more must find the same case.
    """
    parts = [
        [[file.digest for file in files[bill]] for bill in Bill],
        msgspec.to_builtins(options.contract, str_keys=True),
        deck_digest(options.deck),
        options.account,
        {bill.value: dict(sorted(told.items())) for bill, told in sorted(options.columns.items())},
        msgspec.to_builtins(options.outages),
        {bill.value: amount for bill, amount in sorted(options.invoice_micro.items())},
    ]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()
