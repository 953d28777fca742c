"""How one planned step becomes rows: the case, its event, its evidence and the outbox; inside the caller's transaction."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from reports.case import Case, CaseEvent, EventKind, Step, case_row, event_row
from reports.store import tables

PENDING = "pending"
DELIVERED = "delivered"
DEAD = "dead"


def unfit(step: Step) -> str | None:
    """Return why a step can never be written, None when it can: text that is no Unicode, or that a database does not take."""
    try:
        msgspec.json.encode(step)
    except (UnicodeEncodeError, TypeError, ValueError) as why:
        return str(why)
    case = step.case
    if any("\0" in text for text in (case.cause, case.element, case.agent, case.rules)):
        return "a NUL character in its cause, element, agent or rules"
    return None


def insert(connection: sa.Connection, table: sa.Table) -> Any:
    """Return the dialect's own INSERT, which knows ON CONFLICT on both databases."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def record(connection: sa.Connection, step: Step, now: datetime, agent: str, feeds: Iterable[str]) -> CaseEvent | None:
    """Write one step and return its event; None when the store is ahead of the plan (it was accepted before, or something else was)."""
    case = _open(connection, step.case) if step.kind is EventKind.OPENED else _change(connection, step.case)
    if case is None:
        return None
    body = msgspec.json.decode(msgspec.json.encode({"case": case, **step.body}))  # exactly what `Store.events` will give
    event = CaseEvent(case.id, case.events, now, step.kind, body)
    connection.execute(sa.insert(tables.case_event), event_row(event))
    if step.evidence is not None:
        kept = insert(connection, tables.evidence).values(case_id=case.id, body=step.evidence)
        connection.execute(kept.on_conflict_do_update(index_elements=["case_id"], set_={"body": kept.excluded.body}))
    row = {"agent": agent, "case_id": case.id, "number": case.events, "state": PENDING, "attempts": 0, "error": ""}
    due = [{**row, "feed": feed, "accepted_at": now, "due_at": now} for feed in feeds]
    if due:
        connection.execute(sa.insert(tables.outbox), due)
    return event


def _open(connection: sa.Connection, case: Case) -> Case | None:
    known = tables.cases.c
    same = (known.kind == str(case.kind), known.cause == case.cause, known.element == case.element)
    last = connection.execute(sa.select(sa.func.max(known.episode)).where(*same)).scalar() or 0
    case = msgspec.structs.replace(case, episode=last + 1, events=1)
    row = case_row(case)
    del row["id"]
    fresh = insert(connection, tables.cases).values(row).on_conflict_do_nothing().returning(known.id)
    number = connection.execute(fresh).scalar_one_or_none()
    return None if number is None else msgspec.structs.replace(case, id=number)


def _change(connection: sa.Connection, case: Case) -> Case | None:
    """Write the case only onto the very event that the plan was made on."""
    known = tables.cases.c
    after = msgspec.structs.replace(case, events=case.events + 1)
    changed = sa.update(tables.cases).where(known.id == case.id, known.events == case.events).values(case_row(after))
    return after if connection.execute(changed).rowcount == 1 else None
