"""What people may do on the pages, and that they are logged in there."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the column, and make the tables. Who was there before has no role: they could only send."""
    op.add_column("people", sa.Column("role", sa.String(20), nullable=False, server_default="sender"))
    op.create_table(
        "sessions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("person", _ID, nullable=False),
        sa.Column("began_at", sa.Float(), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.Column("peer", sa.String(200), nullable=False),
        sa.Column("agent", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("digest", name="uq_sessions_digest"),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name="fk_sessions_person", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sessions_person", "sessions", ["person"])
    op.create_table(
        "login_links",
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("person", _ID, nullable=False),
        sa.Column("ends_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_login_links"),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name="fk_login_links_person", ondelete="CASCADE"),
    )
    op.create_index("ix_login_links_person", "login_links", ["person"])
