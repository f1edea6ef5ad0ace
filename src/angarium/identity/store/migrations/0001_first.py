"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make all tables."""
    _accounts_and_servers()
    _people_and_credentials()
    _domains()
    _counting()


def _accounts_and_servers() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.Column("limits", sa.JSON(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("name", name="uq_accounts_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "servers",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account", _ID, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.Column("smtp", sa.Boolean(), nullable=False),
        sa.Column("on_error", sa.String(10), nullable=False),
        sa.Column("limits", sa.JSON(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_servers"),
        sa.UniqueConstraint("account", "name", name="uq_servers_account"),
        _belongs_to("servers", "account"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_servers_account", "servers", ["account"])
    op.create_table(
        "streams",
        sa.Column("server", _ID, nullable=False),
        sa.Column("id", sa.String(30), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("archived_at", sa.Float()),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("server", "id", name="pk_streams"),
        _belongs_to("streams", "server"),
    )


def _people_and_credentials() -> None:
    op.create_table(
        "people",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account", _ID, nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("last_used_at", sa.Float()),
        sa.PrimaryKeyConstraint("id", name="pk_people"),
        sa.UniqueConstraint("email", name="uq_people_email"),
        _belongs_to("people", "account"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_people_account", "people", ["account"])
    op.create_table(
        "credentials",
        sa.Column("id", _ID, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("account", _ID, nullable=False),
        sa.Column("server", _ID),
        sa.Column("stream", sa.String(30)),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("username", sa.String(200)),
        sa.Column("short", sa.String(8), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("scram", sa.Text()),
        sa.Column("sealed", sa.LargeBinary()),
        sa.Column("challenge", sa.Boolean(), nullable=False),
        sa.Column("grants", sa.JSON(), nullable=False),
        sa.Column("networks", sa.JSON(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float()),
        sa.Column("last_used_at", sa.Float()),
        sa.PrimaryKeyConstraint("id", name="pk_credentials"),
        sa.UniqueConstraint("username", name="uq_credentials_username"),
        sa.UniqueConstraint("digest", name="uq_credentials_digest"),
        _belongs_to("credentials", "account"),
        _belongs_to("credentials", "server"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_credentials_account", "credentials", ["account"])
    op.create_index("ix_credentials_server", "credentials", ["server"])


def _domains() -> None:
    op.create_table(
        "domains",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account", _ID, nullable=False),
        sa.Column("name", sa.String(253), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("verified_at", sa.Float()),
        sa.Column("checked_at", sa.Float()),
        sa.Column("return_path", sa.String(253), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_domains"),
        sa.UniqueConstraint("account", "name", name="uq_domains_account"),
        _belongs_to("domains", "account"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_domains_account", "domains", ["account"])
    op.create_index("ix_domains_name", "domains", ["name"])
    op.create_table(
        "domain_keys",
        sa.Column("id", _ID, nullable=False),
        sa.Column("domain", _ID, nullable=False),
        sa.Column("selector", sa.String(63), nullable=False),
        sa.Column("algorithm", sa.String(10), nullable=False),
        sa.Column("public", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("verified_at", sa.Float()),
        sa.Column("retired_at", sa.Float()),
        sa.PrimaryKeyConstraint("id", name="pk_domain_keys"),
        sa.UniqueConstraint("domain", "selector", name="uq_domain_keys_domain"),
        _belongs_to("domain_keys", "domain"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_domain_keys_domain", "domain_keys", ["domain"])


def _counting() -> None:
    op.create_table(
        "usage",
        sa.Column("scope", sa.String(40), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "seconds", "starts_at", name="pk_usage"),
    )
    op.create_table(
        "audit",
        sa.Column("id", _ID, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("what", sa.String(200), nullable=False),
        sa.Column("account", _ID),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_generation", "audit", ["generation"])
    op.create_index("ix_audit_account_id", "audit", ["account", "id"])
    numbers = op.create_table(
        "generation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_generation"),
    )
    op.bulk_insert(numbers, [{"id": 1, "value": 0}])


def _belongs_to(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{column}s.id"], name=f"fk_{table}_{column}", ondelete="CASCADE"
    )
