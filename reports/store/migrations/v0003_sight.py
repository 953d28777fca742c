"""What each agent sees of the nodes, for the others that share the store."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_AT = sa.BigInteger()


def upgrade() -> None:
    """Make the table of sight."""
    op.create_table(
        "sight",
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("here", sa.Text(), nullable=False),
        sa.Column("alive_at", _AT, nullable=True),
        sa.Column("dark_since", _AT, nullable=True),
        sa.Column("written_at", _AT, nullable=False),
        sa.PrimaryKeyConstraint("agent", "node"),
    )
