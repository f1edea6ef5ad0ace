"""Templates, with a published version and a draft of each, and snippets."""

import sqlalchemy as sa
from alembic import op

revision = "a0001"
down_revision = None
branch_labels = None
depends_on = "0001"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "templates",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account", _ID, nullable=False),
        sa.Column("server", _ID),
        sa.Column("scope", _ID, nullable=False),
        sa.Column("alias", sa.String(100)),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("language", sa.String(20), nullable=False),
        sa.Column("layout", _ID),
        sa.Column("draft", sa.Integer()),
        sa.Column("published", sa.Integer()),
        sa.Column("versions", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_templates"),
        sa.UniqueConstraint("account", "scope", "alias", name="uq_templates_account"),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.id"], name="fk_templates_account", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["server"], ["servers.id"], name="fk_templates_server", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_templates_account", "templates", ["account", "id"])
    op.create_index("ix_templates_server", "templates", ["server"])
    op.create_table(
        "template_versions",
        sa.Column("template", _ID, nullable=False),
        sa.Column("is_draft", sa.Boolean(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("layout", _ID),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("template", "is_draft", name="pk_template_versions"),
        sa.ForeignKeyConstraint(
            ["template"], ["templates.id"], name="fk_template_versions_template", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_template_versions_layout", "template_versions", ["layout"])
    op.create_table(
        "snippets",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account", _ID, nullable=False),
        sa.Column("alias", sa.String(100), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("html", sa.Text()),
        sa.Column("text", sa.Text()),
        sa.Column("amp", sa.Text()),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_snippets"),
        sa.UniqueConstraint("account", "alias", name="uq_snippets_account"),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_snippets_account", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
