"""Whose days and hours an account's reports are by."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; accounts that are there keep the days that they had."""
    op.add_column("accounts", sa.Column("zone", sa.String(64), nullable=False, server_default="UTC"))
