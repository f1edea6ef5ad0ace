"""Whether the return path of a sending domain was seen in the DNS."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("domains", sa.Column("return_path_seen_at", sa.Float()))
