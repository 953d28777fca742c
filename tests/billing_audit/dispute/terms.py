"""The papers of a dispute as the audit's own values, without files."""

import tomllib
from decimal import Decimal

import numpy as np

from billing_audit import contract as contracts
from billing_audit.decks.deck import Deck, build
from billing_audit.ledger import MISSING
from billing_audit.outages import Outage
from billing_audit.terms import Contract
from tests.billing_audit.dispute import papers
from tests.billing_audit.dispute.bills import Dispute


def contract_of(dispute: Dispute) -> Contract:
    """Return the contract."""
    told, problems = contracts.read(tomllib.loads(papers.contract(dispute), parse_float=Decimal))
    assert not problems, problems
    assert told is not None
    return told


def deck_of(dispute: Dispute) -> Deck:
    """Return the rate deck."""
    since = dispute.world.clock.first_ms - 400 * 86_400_000
    rows = []
    for index, code in enumerate(dispute.world.deck):
        if index in dispute.deal.gaps:
            continue
        low, step = dispute.deal.own.get(index, (MISSING, MISSING))
        rows.append((int("1" + code.digits), code.rate_nano, since, low, step, index, len(rows) + 2))
        if index in dispute.deal.changes:
            when, new = dispute.deal.changes[index]
            rows.append((int("1" + code.digits), new, dispute.world.clock.day(when), low, step, index, len(rows) + 2))
    names = ("prefix", "rate_nano", "from_ms", "minimum_s", "increment_s", "destination", "source")
    columns = dict(zip(names, np.array(rows, np.int64).T, strict=True))
    return build(columns, destinations=tuple(code.name for code in dispute.world.deck))


def outages_of(dispute: Dispute) -> tuple[Outage, ...]:
    """Return the measured outages."""
    return tuple(
        sorted(
            (Outage(start // 1000 * 1000, end // 1000 * 1000, node) for start, end, node in dispute.deal.outages), key=lambda o: o.start_ms
        )
    )
