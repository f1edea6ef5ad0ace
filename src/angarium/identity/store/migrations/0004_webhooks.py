"""Webhooks: where accounts want to be told of what happens."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "webhooks",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account", _ID, nullable=False),
        sa.Column("server", _ID),
        sa.Column("stream", sa.String(30)),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("dialect", sa.String(20), nullable=False),
        sa.Column("types", sa.JSON(), nullable=False),
        sa.Column("first_opens", sa.Boolean(), nullable=False),
        sa.Column("parallel", sa.Integer(), nullable=False),
        sa.Column("auth", sa.String(10), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("token_url", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("off_reason", sa.Text(), nullable=False),
        sa.Column("off_at", sa.Float()),
        sa.Column("old_secret_ends_at", sa.Float()),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_webhooks_account", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["server"], ["servers.id"], name="fk_webhooks_server", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_webhooks_account", "webhooks", ["account"])
    op.create_index("ix_webhooks_server", "webhooks", ["server"])
    op.create_index("ix_webhooks_change", "webhooks", ["change"])
