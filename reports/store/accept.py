"""How planned steps become rows: cases, their events, evidence and the outbox; inside the caller's transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from checks.verdict import Identity
from reports.case import Case, CaseEvent, EventKind, Step, case_row, event_row
from reports.complaint import complaint_row, texts_of
from reports.store import tables
from reports.store.packed import pack

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
    if step.complaint is not None and any("\0" in text for text in texts_of(step.complaint)):
        return "a NUL character in its complaint"
    return None


def insert(connection: sa.Connection, table: sa.Table) -> Any:
    """Return the dialect's own INSERT, which knows ON CONFLICT on both databases."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def record(connection: sa.Connection, steps: Sequence[Step], now: datetime, agent: str, feeds: Sequence[str]) -> list[CaseEvent]:
    """Write steps and return their events, in order; left out are those of which the store is ahead (accepted before, or overtaken).

    With a step that is left out go the later ones of its case, and all that are `together` with it. Rows go in by the hundred: 6,000
    cases at once (a dead uplink's far side) take a fifth of what they take one by one.
    """
    written = _Written(_overtaken(connection, steps))
    left = [step for step in steps if step.together not in written.groups_out]
    written.left_out = {step.case.id for step in steps if step.together in written.groups_out}
    events = []
    for start in range(0, len(left), AT_ONCE):
        events += _record(connection, left[start : start + AT_ONCE], written, now, agent, feeds)
    return events


class _Written(msgspec.Struct):
    """What one call has done so far: groups and cases of which a step was left out, those it opened, and their numbers by those planned."""

    groups_out: set[int]
    left_out: set[int] = msgspec.field(default_factory=set)
    opened: dict[Identity, Case] = msgspec.field(default_factory=dict)
    numbers: dict[int, int] = msgspec.field(default_factory=dict)


def _overtaken(connection: sa.Connection, steps: Sequence[Step]) -> set[int]:
    """Return the groups of steps of which one can't be taken: the store is ahead of it. The cases of the others are held until the end."""
    first: dict[int, Step] = {}
    for step in steps:
        if step.together and step.kind is not EventKind.OPENED:
            first.setdefault(step.case.id, step)
    known = tables.cases.c
    stored: dict[int, int] = {}
    numbers = sorted(first)
    for start in range(0, len(numbers), AT_ONCE):
        some = known.id.in_(numbers[start : start + AT_ONCE])
        query = sa.select(known.id, known.events).where(some).order_by(known.id).with_for_update(key_share=True)
        stored |= {row.id: row.events for row in connection.execute(query)}
    return {step.together for number, step in first.items() if stored.get(number) != step.case.events}


def _record(
    connection: sa.Connection, steps: Sequence[Step], written: _Written, now: datetime, agent: str, feeds: Sequence[str]
) -> list[CaseEvent]:
    fresh = _open(connection, [step.case for step in steps if step.kind is EventKind.OPENED])
    events, proofs = [], []
    for step in steps:
        if step.kind is EventKind.OPENED:
            case = _opened(step, fresh.pop(step.case.identity, None), written)
        else:
            case = _go_on(connection, step, written)
        if case is None:
            continue
        body = msgspec.json.decode(
            msgspec.json.encode({"case": case, **_numbered(step.body, written.numbers)})
        )  # exactly what `Store.events` will give
        events.append(CaseEvent(case.id, case.events, now, step.kind, body))
        if step.evidence is not None:
            proofs.append({"case_id": case.id, "body": pack(step.evidence)})
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


def _opened(step: Step, case: Case | None, written: _Written) -> Case | None:
    """Note a case that got in, or that all that is together with it does not."""
    if case is not None:
        written.opened[case.identity] = case
        written.numbers[step.case.id] = case.id
    elif step.together:
        written.groups_out.add(step.together)
    return case


def _numbered(body: dict[str, Any], numbers: Mapping[int, int]) -> dict[str, Any]:
    """Return the body of an event with the numbers that cases opened in the same call have got."""
    after = dict(body)
    if "into" in body:
        after["into"] = numbers.get(body["into"], body["into"])
    if "gone" in body:
        after["gone"] = [{**one, "case": numbers.get(one["case"], one["case"])} for one in body["gone"]]
    return after


def _go_on(connection: sa.Connection, step: Step, written: _Written) -> Case | None:
    """Write what happened to a case that is there; None when the step is left out. A number of 0 means the case that this call opened."""
    case = step.case
    if not case.id:
        opened = written.opened.get(case.identity)
        if opened is None:
            return None
        case = msgspec.structs.replace(case, id=opened.id, episode=opened.episode)
    if case.id in written.left_out or (step.together and step.together in written.groups_out):
        written.left_out.add(case.id)
        return None
    if case.merged_into is not None:
        case = msgspec.structs.replace(case, merged_into=written.numbers.get(case.merged_into, case.merged_into))
    after = _change(connection, case) if step.complaint is None else _join(connection, step, case)
    if after is None:
        written.left_out.add(case.id)
    elif step.kind is EventKind.MERGED:
        theirs = tables.complaint.c.case_id == case.id
        connection.execute(sa.update(tables.complaint).where(theirs).values(case_id=after.merged_into))
    return after


def _join(connection: sa.Connection, step: Step, case: Case) -> Case | None:
    """Write a complaint and its case; neither when the complaint hangs on a case already, or the case was overtaken."""
    if step.complaint is None:
        return None
    row = complaint_row(msgspec.structs.replace(step.complaint, case=case.id))
    fresh = insert(connection, tables.complaint).on_conflict_do_nothing().returning(tables.complaint.c.id)
    if connection.execute(fresh.values(row)).scalar_one_or_none() is None:
        return None
    after = _change(connection, case)
    if after is None:
        connection.execute(sa.delete(tables.complaint).where(tables.complaint.c.id == step.complaint.id))
    return after


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
