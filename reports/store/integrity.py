"""Is the store whole? The database's own check, and the laws that its rows must obey."""

import sqlalchemy as sa

from reports.store import tables


def problems(connection: sa.Connection) -> list[str]:
    """Return what is wrong, one sentence each; empty when the store is whole."""
    return [*_pages(connection), *_events(connection), *_episodes(connection), *_parts(connection)]


def _pages(connection: sa.Connection) -> list[str]:
    if connection.dialect.name != "sqlite":
        return []
    found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check")]
    loose = [f"a row of {row[0]} points nowhere" for row in connection.exec_driver_sql("PRAGMA foreign_key_check")]
    return [f"damaged: {line}" for line in found if line != "ok"] + loose


def _events(connection: sa.Connection) -> list[str]:
    case, event = tables.cases.c, tables.case_event.c
    count, last = sa.func.count(event.number), sa.func.coalesce(sa.func.max(event.number), 0)
    query = (
        sa.select(case.id, case.events, count)
        .select_from(tables.cases.outerjoin(tables.case_event, event.case_id == case.id))
        .group_by(case.id, case.events)
        .having((count != case.events) | (last != case.events))
    )
    return [f"case {number} says {said} events and has {there}" for number, said, there in connection.execute(query)]


def _episodes(connection: sa.Connection) -> list[str]:
    case = tables.cases.c
    query = (
        sa.select(case.kind, case.cause, case.element)
        .where(case.cleared_at.is_(None))
        .group_by(case.kind, case.cause, case.element)
        .having(sa.func.count() > 1)
    )
    return [f"{kind}/{cause} of {element} is open more than once" for kind, cause, element in connection.execute(query)]


def _parts(connection: sa.Connection) -> list[str]:
    """Return the merged cases that did not end, or whose whole is not there."""
    part, whole = tables.cases.alias("part").c, tables.cases.alias("whole").c
    query = sa.select(part.id, part.merged_into, part.cleared_at, whole.id.label("there")).select_from(
        part.id.table.outerjoin(whole.id.table, whole.id == part.merged_into)
    )
    found = []
    for row in connection.execute(query.where(part.merged_into.is_not(None))):
        if row.there is None or row.there == row.id:
            found.append(f"case {row.id} is part of case {row.merged_into}, which is none")
        if row.cleared_at is None:
            found.append(f"case {row.id} is part of case {row.merged_into} and has not ended")
    return found
