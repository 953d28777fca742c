"""What is said of a departure where no contract and no deck speak: it is held against the other bill, and the words say so."""

from collections.abc import Iterable, Mapping
from typing import Final

from billing_audit.ledger import Note, Value

BILLS: Final = frozenset(
    f"audit.evidence.{name}" for name in ("price", "rate_change", "connection_fee", "scale", "cost_rounding", "time_band", "separates.rate")
)
"""Texts that speak of contract or deck, and have a twin (".bills") that speaks of the other bill."""

OTHER: Final = {"contract": "other", "deck": "other", "contract_free": "other_free", "contract_grace": "other_grace"}
"""Parameters by their name where a paper says them, and where only the other bill does."""


def notes(told: Iterable[Note], fixed: bool) -> tuple[Note, ...]:
    """Return the notes, of the other bill where the parameter is not fixed by a paper."""
    return tuple(note if fixed or note.id not in BILLS else Note(f"{note.id}.bills", note.values) for note in told)


def parameters(told: Mapping[str, Value], fixed: bool) -> dict[str, Value]:
    """Return the parameters by their name."""
    return dict(told) if fixed else {OTHER.get(name, name): value for name, value in told.items()}
