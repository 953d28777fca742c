"""What both bills are held against: contract and deck, and where they are silent what the bills themselves agree on."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from billing_audit.decks.deck import Deck
from billing_audit.infer.machine import Reference
from billing_audit.terms import Contract, Terms

Ints = npt.NDArray[np.int64]


def reference_of(frame: Mapping[str, Ints], contract: Contract | None, deck: Deck | None, zone: str) -> Reference:
    """Return the reference of an audit."""
    terms = contract.terms if contract else Terms()
    fixed = {name for name in Terms.__struct_fields__ if getattr(terms, name) not in (None, ())}
    if contract is not None:
        # a contract that names a method means that there is no fee, free time, band or tax where it names none
        fixed |= {"connection_fee", "free_s", "grace_s", "bands", "scale", "tax_ratio", "anchor"}
        if terms.increment_s is not None:
            fixed |= {"minimum_s"}
    if deck is not None and len(deck):
        fixed |= {"rate", "scale"}
    return Reference(deck, terms, zone, frozenset(fixed))
