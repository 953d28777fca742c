"""What belongs to a case: the cases that became a part of it, and its complaints; inside the caller's transaction."""

import sqlalchemy as sa

from reports.case import Case, case_from_row
from reports.complaint import Complaint, complaint_from_row
from reports.store import tables

MOST = 1000  # cases and complaints of one case that are shown


def of(connection: sa.Connection, number: int) -> list[Case]:
    """Return the cases that were merged into this one, directly or through others, by number."""
    case = tables.cases.c
    inner = sa.select(case.id).where(case.merged_into == number).cte("parts", recursive=True)
    beyond = tables.cases.alias("beyond")
    inner = inner.union(sa.select(beyond.c.id).join(inner, beyond.c.merged_into == inner.c.id))
    query = sa.select(tables.cases).where(case.id.in_(sa.select(inner.c.id))).order_by(case.id).limit(MOST)
    return [case_from_row(row) for row in connection.execute(query).mappings()]


def complaints(connection: sa.Connection, number: int) -> list[Complaint]:
    """Return the complaints of a case, the first taken first."""
    row = tables.complaint.c
    query = sa.select(tables.complaint).where(row.case_id == number).order_by(row.taken_at, row.id).limit(MOST)
    return [complaint_from_row(found) for found in connection.execute(query).mappings()]
