"""An audit as a case: one for each audit that found a difference, known by the digest of all that went into it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from billing_audit.audit import Audit
from billing_audit.ledger import MICRO
from checks.finding import Message, State
from checks.verdict import Area, CaseKind, Side, Urgency
from reports.case import Case, EventKind, Step

SHORT = 12  # digits of the digest in the case's element: enough to tell a customer's audits apart
LARGEST = 2_000_000  # bytes of an audit that is kept whole as a case's evidence; a larger one goes without its tables


def evidence(audit: Audit) -> bytes:
    """Return what is kept of an audit with its case: the value itself as JSON, in no language."""
    told = msgspec.json.encode(audit)
    if len(told) <= LARGEST:
        return told
    bills = {
        name: msgspec.structs.replace(getattr(audit, name), refused_rows=getattr(audit, name).refused_rows[:100])
        for name in ("local", "customer")
    }
    return msgspec.json.encode(msgspec.structs.replace(audit, **bills, by_prefix=(), scatter=()))


def read(told: bytes) -> Audit:
    """Return the audit of an evidence; msgspec.DecodeError when it is none."""
    return msgspec.json.decode(told, type=Audit)


def step(told: bytes, customer: str, agent: str, now: datetime) -> Step | None:
    """Return the step that opens the case of an audit's evidence; None when the bills agree. msgspec.DecodeError when it is none.

    The same audit has the same identity, so that opening it again changes nothing.
    """
    audit = read(told)
    if not audit.difference_micro and not audit.unexplained_records and all(one.cause == "timezone" for one in audit.causes):
        return None
    largest = max(audit.causes, key=lambda one: (abs(one.amount_micro), one.records, one.cause), default=None)
    difference = "–" if audit.difference_micro is None else f"{audit.difference_micro / MICRO:,.2f} {audit.currency}".rstrip()
    side = Side(audit.verdict.side)
    case = Case(
        kind=CaseKind.BILLING,
        cause=largest.cause if largest is not None else "unexplained",
        element=f"{customer} {audit.digest[:SHORT]}".strip(),
        severity=State.WARNING,
        side=side,
        area=Area.BILLING,
        urgency=Urgency.NORMAL,
        confidence=audit.verdict.confidence,
        opened_at=now,
        since=_since(audit) or now,
        updated_at=now,
        affected=(customer,) if customer else (),
        summary=Message("audit.case.summary", {"customer": customer or "–", "difference": difference, "n": len(audit.causes)}),
        action=Message(f"audit.case.action.{side}"),
        agent=agent,
        keys=(),  # no measurement clears it: a person does, when the bills are settled
    )
    return Step(EventKind.OPENED, case, evidence=told)


def _since(audit: Audit) -> datetime | None:
    """Return when the audited time begins: the contract's period, else the first day with a call."""
    days = [one.key for one in audit.by_day if one.key]
    first = audit.period.start.isoformat() if audit.period is not None else min(days, default="")
    try:
        return datetime.fromisoformat(first).replace(tzinfo=ZoneInfo(audit.timezone)).astimezone(UTC)
    except (ValueError, OverflowError, LookupError, OSError):
        return None
