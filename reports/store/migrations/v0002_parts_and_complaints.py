"""What a case can't be told from, of which case it is a part, and the complaints that hang on it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_AT = sa.BigInteger()


def upgrade() -> None:
    """Add the columns with what older cases have of them, and the table of complaints."""
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
