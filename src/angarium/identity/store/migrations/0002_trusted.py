"""Logins that are trusted from where they came lately."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "trusted",
        sa.Column("login", sa.String(24), nullable=False),
        sa.Column("network", sa.String(50), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("login", "network", name="pk_trusted"),
    )
    op.create_index("ix_trusted_until", "trusted", ["until"])
