"""What happened to a case and to those that became a part of it, as lines; and the complaints that hang on it."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any

from checks.finding import Key
from reports.case import CaseEvent
from reports.complaint import Complaint
from reports.locale.figures import clock
from reports.locale.text import Texts, printable
from reports.render.columns import join, table, width, wrap

_SHOWN_KEYS = 3
_SHOWN_COMPLAINTS = 50


def story_lines(events: Sequence[CaseEvent], number: int, texts: Texts, now: datetime, columns: int, zone: tzinfo | None) -> list[str]:
    """Return a line for each event, the first first; those of other cases than `number` (its parts) name theirs."""
    ordered = sorted(events, key=lambda event: (event.at, event.case, event.number))
    whose = any(event.case != number for event in ordered)
    rows = []
    for event in ordered:
        part = [f"#{event.case}" if event.case != number else ""] if whose else []
        rows.append([clock(event.at, now, zone), *part, texts.word("event", event.kind)])
    heads = table(rows)
    indent = max(map(width, heads), default=0) + 4
    lines = []
    stood: dict[int, dict[str, Any]] = {}  # by case, as it stood after its last event
    for event, head in zip(ordered, heads, strict=True):
        after = event.body.get("case")
        told = detail(event, texts) or (_other(stood[event.case], after, texts) if after and event.case in stood else "")
        stood.update({event.case: after} if after else {})
        body = wrap(told, max(20, columns - indent)) if told else [""]
        lines += [f"  {head}{' ' * (indent - 2 - width(head))}{body[0]}".rstrip(), *(" " * indent + line for line in body[1:])]
    return lines


def detail(event: CaseEvent, texts: Texts) -> str:
    """Return what more an event says: what moved where, what became a part of what, who complained; "" when nothing."""
    body = event.body
    merged = body.get("merged", [])
    said = [texts.text("story.into", whole=body["into"])] if "into" in body else []
    if merged:
        said.append(texts.text("story.parts", parts=", ".join(f"#{one}" for one in merged)))
    gone = [] if "into" in body else body.get("gone", [])
    said += [texts.text("story.gone", keys=_keys(one["keys"], texts), number=one["case"]) for one in gone]
    came = (one for one in body.get("came", []) if one["case"] not in merged)
    said += [texts.text("story.came", keys=_keys(one["keys"], texts), number=one["case"]) for one in came]
    if "complaint" in body:
        said.append(_complained(body["complaint"], texts))
    return "; ".join(said)


def _other(before: dict[str, Any], after: dict[str, Any], texts: Texts) -> str:
    """Return what is other in a case than before: whose, how urgent, by which symptoms."""
    words = [(kind, before.get(kind), after.get(kind)) for kind in ("side", "urgency")]
    said = [f"{texts.word(kind, str(old))} → {texts.word(kind, str(new))}" for kind, old, new in words if old != new]
    were, are = ({tuple(key) for key in case.get("keys", ())} for case in (before, after))
    for id, keys in (("told.more-symptom", are - were), ("told.less-symptom", were - are)):
        if keys:
            said.append(texts.text(id, what=_keys(sorted(keys), texts)))
    return join(said)


def complaint_lines(complaints: Sequence[Complaint], texts: Texts, now: datetime, columns: int, zone: tzinfo | None) -> list[str]:
    """Return what is known of each complaint, as the customer problem record has it: who, what, since when, taken when and by whom."""
    lines = []
    for one in complaints[:_SHOWN_COMPLAINTS]:
        since = texts.text("case.complaint_since", at=clock(one.since, now, zone)) if one.since is not None else ""
        at = clock(one.taken_at, now, zone)
        taken = texts.text("case.taken_by", at=at, who=one.by) if one.by else texts.text("case.taken", at=at)
        symptoms = join([texts.word("symptom", word) for word in one.symptoms])
        parts = [printable(one.customer), printable(symptoms), printable(one.number), since, printable(one.contact), taken]
        lines += wrap(" · ".join(filter(None, parts)), columns - 2)
        lines += ["  " + line for line in wrap(printable(one.text), columns - 4)] if one.text else []
    left = len(complaints) - _SHOWN_COMPLAINTS
    return ["  " + line for line in [*lines, *([texts.text("check.more", n=left)] if left > 0 else [])]]


def _complained(complaint: dict[str, Any], texts: Texts) -> str:
    symptoms = join([texts.word("symptom", word) for word in complaint.get("symptoms", [])])
    return " · ".join(filter(None, (printable(complaint.get("customer", "")), printable(symptoms))))


def _keys(keys: Sequence[Key], texts: Texts) -> str:
    shown = ", ".join(printable(" ".join(filter(None, key[1:]))) for key in keys[:_SHOWN_KEYS])
    left = len(keys) - _SHOWN_KEYS
    return texts.text("story.more", keys=shown, n=left) if left > 0 else shown
