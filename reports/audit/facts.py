"""An audit as JSON: the keys of `--format json` and audit.json, which stay; money as decimal strings with six digits."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from billing_audit.audit import Audit, BillTotal, FileRead, Found, Slice
from billing_audit.ledger import Note
from reports.audit.figures import decimal
from reports.audit.five import five
from reports.audit.invoice import expected
from reports.audit.screen import next_step, unlooked
from reports.audit.words import cause_name, note_text, place_text, proofs, side_name
from reports.locale.text import Texts
from reports.render.json import pretty


def audit_json(audit: Audit, texts: Texts, written: Sequence[str] = ()) -> str:
    """Return the audit as one indented JSON object, ending in a newline."""
    return pretty(as_json(audit, texts, written))


def as_json(audit: Audit, texts: Texts, written: Sequence[str] = ()) -> dict[str, Any]:
    """Return the audit's keys; sentences are in the language of `texts`, each beside its id and values."""
    return {
        "digest": audit.digest,
        "since": since(audit),
        "customer_name": audit.customer_name or None,
        "period": audit.period,
        "currency": audit.currency,
        "timezone": audit.timezone,
        "local": _bill(audit.local, audit, texts),
        "customer": _bill(audit.customer, audit, texts),
        "matched": audit.matched,
        "differing": audit.differing,
        "missing_in_local": audit.missing_in_local,
        "missing_in_customer": audit.missing_in_customer,
        "clock_offset_s": audit.clock_offset_s,
        "difference": _money(audit.difference_micro),
        "causes": [_cause(found, audit, texts) for found in audit.causes],
        "unexplained": {"records": audit.unexplained_records, "amount": decimal(audit.unexplained_micro)},
        "verdict": {
            "technical": audit.verdict.technical,
            "side": audit.verdict.side,
            "confidence": audit.verdict.confidence,
            "disputable": audit.verdict.disputable,
            "reasons": _notes(audit.verdict.notes, texts),
            "settle": _notes(audit.verdict.settle, texts),
            "changed": _notes(audit.verdict.changed, texts),
        },
        "dispute": {
            "tolerance_ratio": str(audit.dispute.tolerance_ratio),
            "minimum": str(audit.dispute.minimum),
            "days": audit.dispute.days,
        },
        "compared": [
            {"what": one.what, "agrees": one.agrees, "local": one.local, "customer": one.customer, "unit": one.unit, "text": one.by}
            for one in five(audit, texts)
        ],
        "methods": {
            bill: {"terms": _told(found.terms), "support": found.support, "rows": found.rows} for bill, found in audit.methods.items()
        },
        "contract": None if audit.contract is None else _told(audit.contract),
        "rewriting": [msgspec.to_builtins(rule) for rule in audit.rewriting],
        "by_day": [_slice(one) for one in audit.by_day],
        "by_prefix": [_slice(one) for one in audit.by_prefix],
        "offsets": {"edges_ms": audit.offsets.edges, "counts": audit.offsets.counts},
        "notes": _notes(audit.notes, texts),
        "not_looked_at": unlooked(audit, texts),
        "next": next_step(audit, texts),
        "files": list(written),
    }


def since(audit: Audit) -> datetime | None:
    """Return when the audited time begins: the contract's period, else the first day with a call; None where there is neither."""
    days = [one.key for one in audit.by_day if one.key]
    first = audit.period.start.isoformat() if audit.period is not None else min(days, default="")
    try:
        return datetime.fromisoformat(first).replace(tzinfo=ZoneInfo(audit.timezone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _money(micro: int | None) -> str | None:
    return None if micro is None else decimal(micro)


def _notes(notes: Sequence[Note], texts: Texts) -> list[dict[str, Any]]:
    return [{"id": note.id, "values": note.values, "text": note_text(note, texts)} for note in notes]


def _bill(bill: BillTotal, audit: Audit, texts: Texts) -> dict[str, Any]:
    return {
        "rows": bill.rows,
        "refused": bill.refused,
        "records": bill.records,
        "total": _money(bill.total_micro),
        "currency": bill.currency or audit.currency,
        "invoice": _money(bill.invoice_micro),
        "invoice_expected": _money(expected(bill, audit)),
        "files": [_file(one, texts) for one in bill.files],
        "refused_rows": [
            {
                "file": row.file,
                "line": row.line,
                "field": row.field,
                "text": row.text,
                "why": note_text(row.reason, texts),
                "id": row.reason.id,
            }
            for row in bill.refused_rows
        ],
    }


def _file(file: FileRead, texts: Texts) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.structs.asdict(file)
    return told | {"notes": _notes(file.notes, texts)}


def _cause(found: Found, audit: Audit, texts: Texts) -> dict[str, Any]:
    return {
        "cause": found.cause,
        "side": found.side,
        "name": cause_name(found.cause, texts),
        "side_name": side_name(found.side, texts),
        "records": found.records,
        "amount": decimal(found.amount_micro),
        "confidence": found.confidence,
        "parameters": found.parameters,
        "evidence": proofs(found, texts),
        "evidence_notes": _notes(found.evidence, texts),
        "separates": None if found.separates is None else _notes([found.separates], texts)[0],
        "samples": [
            {
                "local": place_text(one.l_source, audit) or None,
                "customer": place_text(one.c_source, audit) or None,
                "amount": decimal(one.amount_micro),
            }
            for one in found.samples
        ],
    }


def _told(terms: msgspec.Struct) -> dict[str, Any]:
    """Return what is known of a method; money stays a decimal string, what is not known is left out."""
    told: dict[str, Any] = msgspec.to_builtins(terms)
    return {name: value for name, value in told.items() if value is not None and value != []}


def _slice(one: Slice) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.structs.asdict(one)
    ours, theirs = told.pop("l_micro"), told.pop("c_micro")
    apart = None if ours is None or theirs is None else decimal(ours - theirs)
    return told | {"local": _money(ours), "customer": _money(theirs), "difference": apart}
