"""Servers whose mail is delivered nowhere, and their colours."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns: all servers that there are deliver."""
    op.add_column("servers", sa.Column("delivery_type", sa.String(10), nullable=False, server_default="live"))
    op.add_column("servers", sa.Column("color", sa.String(20), nullable=False, server_default="blue"))
