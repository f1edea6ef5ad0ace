"""The ledger of what suppresses."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "s0001"
down_revision = None
branch_labels = None
depends_on = "0001"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "suppression_causes",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account", _ID),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("scope", sa.String(60), nullable=False),
        sa.Column("effect", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(20), nullable=False),
        sa.Column("origin", sa.String(10), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("holds", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.Float()),
        sa.Column("message", sa.LargeBinary(16)),
        sa.Column("sent_to", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger()),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("bounce_class", sa.Integer()),
        sa.Column("provider", sa.String(60), nullable=False),
        sa.Column("run", sa.String(60), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("lifted_by", _ID),
        sa.Column("undone_at", sa.Float()),
        sa.Column("undone_by", sa.String(200), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.Column("once", sa.LargeBinary(16)),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_suppression_causes"),
        sa.UniqueConstraint("once", name="uq_suppression_causes_once"),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.id"], name="fk_suppression_causes_account", ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_suppression_causes_entry", "suppression_causes", ["entry", "holds"])
    op.create_index("ix_suppression_causes_account", "suppression_causes", ["account", "id"])
    op.create_index("ix_suppression_causes_changed", "suppression_causes", ["changed"])
    _make_number()


def _make_number() -> None:
    numbers = op.create_table(
        "suppression_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_suppression_changes"),
    )
    op.bulk_insert(numbers, [{"id": 1, "number": 0, "epoch": secrets.token_hex(8)}])
