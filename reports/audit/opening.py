"""An audit as a case: one for each audit that found a difference, known by the digest of all that went into it."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from checks.finding import Message, State
from checks.verdict import Area, CaseKind, Side, Urgency
from reports.case import Case, EventKind, Step

SHORT = 12  # digits of the digest in the case's element: enough to tell a customer's audits apart
LARGEST = 4_000_000  # bytes of an audit.json that is kept as a case's evidence
CUT = ("by_day", "by_prefix", "offsets", "scatter", "files")  # what a larger one goes without


class FoundCause(msgspec.Struct, frozen=True):
    """One cause of an audit.json."""

    cause: str
    side: Side
    records: int
    amount: Decimal


class Verdict(msgspec.Struct, frozen=True):
    """The verdict of an audit.json."""

    side: Side
    confidence: float
    technical: bool | None = None


class Facts(msgspec.Struct, frozen=True):
    """What a case needs of an audit.json; `difference` is None when a bill has no charges."""

    digest: str
    currency: str
    difference: Decimal | None
    causes: tuple[FoundCause, ...]
    verdict: Verdict
    since: datetime | None = None


def step(told: bytes, customer: str, agent: str, now: datetime) -> Step | None:
    """Return the step that opens the case of an audit.json; None when the bills agree. msgspec.DecodeError when it is none.

    The same audit has the same identity, so that opening it again changes nothing.
    """
    facts = msgspec.json.decode(told, type=Facts)
    if not facts.causes and not facts.difference:
        return None
    largest = max(facts.causes, key=lambda one: (abs(one.amount), one.records, one.cause), default=None)
    cause = largest.cause if largest is not None else "unexplained"
    amount = "–" if facts.difference is None else f"{facts.difference:,.2f} {facts.currency}".rstrip()
    case = Case(
        kind=CaseKind.BILLING,
        cause=cause,
        element=f"{customer} {facts.digest[:SHORT]}",
        severity=State.WARNING,
        side=facts.verdict.side,
        area=Area.BILLING,
        urgency=Urgency.NORMAL,
        confidence=facts.verdict.confidence,
        opened_at=now,
        since=facts.since.astimezone(UTC) if facts.since is not None else now,
        updated_at=now,
        affected=(customer,),
        summary=Message("audit.case.summary", {"customer": customer, "difference": amount, "n": len(facts.causes)}),
        action=Message(f"audit.case.action.{facts.verdict.side}"),
        agent=agent,
        keys=(),  # no measurement clears it: a person does, when the bills are settled
    )
    return Step(EventKind.OPENED, case, evidence=_kept(told))


def _kept(told: bytes) -> bytes:
    """Return the evidence: all of it, or without its tables where it is too large for the store."""
    if len(told) <= LARGEST:
        return told
    whole = msgspec.json.decode(told)
    return msgspec.json.encode({name: value for name, value in whole.items() if name not in CUT})
