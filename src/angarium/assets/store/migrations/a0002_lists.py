"""Lists of recipients, and who is on them in pages."""

import sqlalchemy as sa
from alembic import op

revision = "a0002"
down_revision = "a0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "recipient_lists",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account", _ID, nullable=False),
        sa.Column("alias", sa.String(100), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("edition", _ID, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recipient_lists"),
        sa.UniqueConstraint("account", "alias", name="uq_recipient_lists_account"),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.id"], name="fk_recipient_lists_account", ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "recipient_editions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("list", _ID, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recipient_editions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_recipient_editions_list", "recipient_editions", ["list"])
    op.create_table(
        "recipient_pages",
        sa.Column("edition", _ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("marks", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("edition", "number", name="pk_recipient_pages"),
        sa.ForeignKeyConstraint(
            ["edition"], ["recipient_editions.id"], name="fk_recipient_pages_edition", ondelete="CASCADE"
        ),
    )
