"""The way out of a stream's mailings, and names under sending domains that clicks come in by."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. Nothing changes for what is there."""
    op.add_column("streams", sa.Column("unsubscribe", sa.String(10), nullable=False, server_default="node"))
    op.add_column("streams", sa.Column("footer", sa.Text(), nullable=False, server_default=""))
    op.add_column("domains", sa.Column("tracking", sa.String(253), nullable=False, server_default=""))
    op.add_column(
        "domains", sa.Column("tracking_https", sa.Boolean(), nullable=False, server_default=sa.true())
    )
    op.add_column("domains", sa.Column("tracking_seen_at", sa.Float()))
