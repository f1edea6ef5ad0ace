"""What is remembered of addresses before it suppresses, what is held, and how far who writes it has read."""

import sqlalchemy as sa
from alembic import op

revision = "s0002"
down_revision = "s0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "suppression_notes",
        sa.Column("id", _ID, nullable=False),
        sa.Column("once", sa.LargeBinary(16), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("account", _ID, nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("scope", sa.String(60), nullable=False),
        sa.Column("reason", sa.String(20), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("message", sa.LargeBinary(16), nullable=False),
        sa.Column("sent_to", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.String(60), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("failure", sa.String(40), nullable=False),
        sa.Column("bounce_class", sa.Integer(), nullable=False),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("provider", sa.String(60), nullable=False),
        sa.Column("burst", sa.Text(), nullable=False),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.Column("changed_at", sa.Float()),
        sa.Column("changed_by", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_suppression_notes"),
        sa.UniqueConstraint("once", name="uq_suppression_notes_once"),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.id"], name="fk_suppression_notes_account", ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_suppression_notes_what", "suppression_notes", ["account", "what", "at"])
    op.create_index("ix_suppression_notes_state", "suppression_notes", ["state", "burst"])
    op.create_table(
        "suppression_reading",
        sa.Column("reader", sa.String(200), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reader", name="pk_suppression_reading"),
    )
