"""How planned steps become rows: cases, their events, evidence and the outbox; inside the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from reports.case import Case, CaseEvent, EventKind, Identity, Step, case_row, event_row
from reports.store import tables

PENDING = "pending"
DELIVERED = "delivered"
DEAD = "dead"
AT_ONCE = 200  # steps whose rows are written together


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


def record(connection: sa.Connection, steps: Sequence[Step], now: datetime, agent: str, feeds: Sequence[str]) -> list[CaseEvent]:
    """Write steps and return their events, in order; left out are those of which the store is ahead (accepted before, or overtaken).

    Rows go in by the hundred: 6,000 cases at once (a dead uplink's far side) take a fifth of what they take one by one.
    """
    events = []
    for start in range(0, len(steps), AT_ONCE):
        events += _record(connection, steps[start : start + AT_ONCE], now, agent, feeds)
    return events


def _record(connection: sa.Connection, steps: Sequence[Step], now: datetime, agent: str, feeds: Sequence[str]) -> list[CaseEvent]:
    opened = _open(connection, [step.case for step in steps if step.kind is EventKind.OPENED])
    events, proofs = [], []
    for step in steps:
        case = opened.pop(step.case.identity, None) if step.kind is EventKind.OPENED else _change(connection, step.case)
        if case is None:
            continue
        body = msgspec.json.decode(msgspec.json.encode({"case": case, **step.body}))  # exactly what `Store.events` will give
        events.append(CaseEvent(case.id, case.events, now, step.kind, body))
        if step.evidence is not None:
            proofs.append({"case_id": case.id, "body": step.evidence})
    if events:
        connection.execute(sa.insert(tables.case_event), [event_row(event) for event in events])
    if proofs:
        kept = insert(connection, tables.evidence)
        connection.execute(kept.on_conflict_do_update(index_elements=["case_id"], set_={"body": kept.excluded.body}), proofs)
    row = {"agent": agent, "state": PENDING, "attempts": 0, "error": "", "accepted_at": now, "due_at": now}
    due = [{**row, "case_id": event.case, "number": event.number, "feed": feed} for event in events for feed in feeds]
    if due:
        connection.execute(sa.insert(tables.outbox), due)
    return events


def _open(connection: sa.Connection, cases: Sequence[Case]) -> dict[Identity, Case]:
    """Write new cases; return those that got in, with their numbers. One whose identity has an uncleared case already does not."""
    if not cases:
        return {}
    known = tables.cases.c
    of = (known.kind, known.cause, known.element)
    wanted = sa.tuple_(*of).in_([(str(case.kind), case.cause, case.element) for case in cases])
    last = connection.execute(sa.select(*of, sa.func.max(known.episode)).where(wanted).group_by(*of))
    episodes = {(kind, cause, element): number for kind, cause, element, number in last}
    new: dict[Identity, Case] = {}
    for case in cases:
        new.setdefault(case.identity, msgspec.structs.replace(case, episode=episodes.get(case.identity, 0) + 1, events=1))
    rows = [{name: value for name, value in case_row(case).items() if name != "id"} for case in new.values()]
    fresh = insert(connection, tables.cases).on_conflict_do_nothing().returning(known.id, *of)
    numbers = {(kind, cause, element): number for number, kind, cause, element in connection.execute(fresh, rows)}
    return {identity: msgspec.structs.replace(case, id=numbers[identity]) for identity, case in new.items() if identity in numbers}


def _change(connection: sa.Connection, case: Case) -> Case | None:
    """Write the case only onto the very event that the plan was made on."""
    known = tables.cases.c
    after = msgspec.structs.replace(case, events=case.events + 1)
    changed = sa.update(tables.cases).where(known.id == case.id, known.events == case.events).values(case_row(after))
    return after if connection.execute(changed).rowcount == 1 else None
