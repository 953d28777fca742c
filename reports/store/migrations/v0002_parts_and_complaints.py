"""What a case can't be told from, of which case it is a part, the complaints that hang on it; and causes have their final names."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

RENAMED = (
    ("service_silent", "service_hung"),
    ("sip_blocked", "service_blocked"),
    ("sip_error", "service_error"),
    ("sip_unavailable", "service_error"),
    ("carrier_beyond", "carrier_network"),
    ("carrier_line", "fibre_cut"),
    ("optics_rx", "fibre_degraded"),
    ("snmp_credential", "snmp_credentials"),
    ("power", "power_supply"),
    ("registration_lost", "gateway_registration"),
    ("not_standard", "gateway_standard"),
    ("dmz", "nat_dmz"),
)

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_AT = sa.BigInteger()


def upgrade() -> None:
    """Add the columns with what older cases have of them, and the table of complaints; rename causes."""
    for name, empty in (("alternatives", "[]"), ("elsewhere", "[]"), ("decides", "null"), ("complainants", "[]")):
        op.add_column("cases", sa.Column(name, sa.Text(), nullable=False, server_default=empty))
    op.add_column("cases", sa.Column("merged_into", _ID, nullable=True))
    op.create_index("cases_merged", "cases", ["merged_into"], unique=False)
    op.create_table(
        "complaint",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("case_id", _ID, nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("symptoms", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("since", _AT, nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("taken_at", _AT, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("complaint_of_case", "complaint", ["case_id"], unique=False)
    for old, new in RENAMED:
        _rename(op.get_bind(), old, new)


def _rename(connection: sa.Connection, old: str, new: str) -> None:
    """Rename a cause in cases and what was said of them. The evidence stays as it was: it was judged by the rules of its time.

    Two open cases that would become one keep their names: once it is measured again, the one becomes a part of the other.
    """
    for table, columns in (("cases", ("summary", "action")), ("case_event", ("body",))):
        for column in columns:
            for before, after in ((f'"cause.{old}"', f'"cause.{new}"'), (f'"action.{old}"', f'"action.{new}"')):
                change = f"UPDATE {table} SET {column} = replace({column}, :before, :after) WHERE {column} LIKE :some"  # noqa: S608
                connection.execute(sa.text(change), {"before": before, "after": after, "some": f"%{before}%"})
    rows = connection.execute(sa.text("SELECT id, kind, element, cleared_at FROM cases WHERE cause = :old ORDER BY id"), {"old": old})
    for row in rows.all():
        names = {"kind": row.kind, "element": row.element, "new": new}
        same = "kind = :kind AND element = :element AND cause = :new"
        query = f"SELECT coalesce(max(episode), 0), count(*) - count(cleared_at) FROM cases WHERE {same}"  # noqa: S608
        last, uncleared = connection.execute(sa.text(query), names).one()
        if row.cleared_at is not None or not uncleared:
            change = "UPDATE cases SET cause = :new, episode = :episode WHERE id = :id"
            connection.execute(sa.text(change), {"new": new, "episode": last + 1, "id": row.id})
