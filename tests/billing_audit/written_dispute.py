"""Two bills written out by a few lines, as people hand them in, and what the audit says of them."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tomllib import loads

from billing_audit import contract, run
from billing_audit.audit import Audit
from billing_audit.decks import read as decks
from billing_audit.options import Options

Row = Sequence[object]


@dataclass(frozen=True)
class Told:
    """An audit, its causes as "code/side" → (records, money), and what stays unexplained."""

    audit: Audit
    causes: Mapping[str, tuple[int, Decimal]]
    unexplained: Decimal


def audited(
    folder: Path, local: Sequence[Row], customer: Sequence[Row], terms: str = "", deck: Mapping[str, str] | Sequence[Row] | None = None
) -> Told:
    """Write the bills (headers first, then rows), contract and deck (prefix → rate, or rows with their header), and audit them."""
    for name, rows in (("local", local), ("customer", customer)):
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        (folder / f"{name}.csv").write_text(text.getvalue(), "utf-8")
    agreed, problems = contract.read(loads(terms, parse_float=Decimal))
    assert not problems
    assert agreed is not None
    prices = None
    if deck is not None:
        rows = [("prefix", "rate"), *deck.items()] if isinstance(deck, Mapping) else deck
        (folder / "deck.csv").write_text("\n".join(",".join(str(cell) for cell in row) for row in rows), "utf-8")
        prices, refused = decks.read([folder / "deck.csv"], agreed.timezone)
        assert not refused
    with run.audit([folder / "local.csv"], [folder / "customer.csv"], Options(contract=agreed, deck=prices)) as result:
        told = result.audit
    causes = {f"{one.cause}/{one.side}": (one.records, Decimal(one.amount_micro) / 10**6) for one in told.causes}
    return Told(told, causes, Decimal(told.unexplained_micro) / 10**6)
