"""The tables of the identity store, the same for SQLite and PostgreSQL.

Every change of anything here raises the one row of `generation` in its own transaction, whose lock puts the changes in
an order; workers look at that number to learn that something changed, and at `audit` for whose account it was.

What is kept of accounts, servers, streams and people is said in their records.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    insert,
    true,
)

from angarium.identity.records import Account, Person, Server, Stream
from angarium.identity.store.columns import ID, columns_of, owner
from angarium.sql.changes import ChangeTables

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_NUMBERS: Any = {"sqlite_autoincrement": True}
"""A number is never given twice, so that nobody inherits the sessions or the audit log of somebody deleted."""

accounts = Table("accounts", metadata, *columns_of(Account), **_NUMBERS)

servers = Table("servers", metadata, *columns_of(Server), UniqueConstraint("account", "name"), **_NUMBERS)

streams = Table("streams", metadata, *columns_of(Stream, key=("server", "id")))

people = Table(
    "people",
    metadata,
    *columns_of(Person),
    Column("password", Text, nullable=False),  # argon2id, with its parameters
    **_NUMBERS,
)

# Sessions of people on the pages. No generation is raised for that one was used.
sessions = Table(
    "sessions",
    metadata,
    Column("id", ID, primary_key=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("person", ID, ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("began_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("peer", String(200), nullable=False),
    Column("agent", String(200), nullable=False),
    **_NUMBERS,
)

login_links = Table(
    "login_links",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("person", ID, ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("ends_at", Float, nullable=False),
)

credentials = Table(
    "credentials",
    metadata,
    Column("id", ID, primary_key=True),
    Column("kind", String(20), nullable=False),
    owner("accounts"),
    owner("servers", nullable=True),
    Column("stream", String(30)),
    Column("label", String(200), nullable=False, default=""),
    Column("username", String(200), unique=True),  # NULL where the secret is its own name
    Column("short", String(8), nullable=False, default=""),
    Column("digest", LargeBinary(32), nullable=False, unique=True),  # SHA-256 of the secret, which is random
    Column("scram", Text),  # "iterations:salt:StoredKey:ServerKey", base64 (RFC 5802 §3); derived, one way
    Column("sealed", LargeBinary),  # the secret under the node's key, only where challenge is set
    Column("challenge", Boolean, nullable=False, default=False),
    Column("grants", JSON, nullable=False, default=list),
    Column("networks", JSON, nullable=False, default=list),
    Column("options", JSON, nullable=False, default=dict),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("last_used_at", Float),
    **_NUMBERS,
)

domains = Table(
    "domains",
    metadata,
    Column("id", ID, primary_key=True),
    owner("accounts"),
    Column("name", String(253), nullable=False, index=True),
    Column("created_at", Float, nullable=False),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("verified_at", Float),
    Column("checked_at", Float),
    Column("return_path", String(253), nullable=False, default=""),
    Column("return_path_seen_at", Float),
    Column("tracking", String(253), nullable=False, default="", server_default=""),
    Column("tracking_https", Boolean, nullable=False, default=True, server_default=true()),
    Column("tracking_seen_at", Float),
    UniqueConstraint("account", "name"),
    **_NUMBERS,
)

domain_keys = Table(
    "domain_keys",
    metadata,
    Column("id", ID, primary_key=True),
    owner("domains"),
    Column("selector", String(63), nullable=False),
    Column("algorithm", String(10), nullable=False),
    Column("public", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # the private key, PKCS #8 DER, under the node's key
    Column("state", String(10), nullable=False, default="pending"),
    Column("created_at", Float, nullable=False),
    Column("verified_at", Float),
    Column("retired_at", Float),
    UniqueConstraint("domain", "selector"),
    **_NUMBERS,
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", ID, primary_key=True),
    owner("accounts"),
    owner("servers", nullable=True),
    Column("stream", String(30)),
    Column("name", String(200), nullable=False),
    Column("url", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("dialect", String(20), nullable=False),
    Column("types", JSON, nullable=False),
    Column("first_opens", Boolean, nullable=False),
    Column("parallel", Integer, nullable=False),
    Column("auth", String(10), nullable=False),
    Column("username", Text, nullable=False),
    Column("token_url", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("headers", JSON, nullable=False),  # their names
    Column("enabled", Boolean, nullable=False),
    Column("off_reason", Text, nullable=False),
    Column("off_at", Float),
    Column("old_secret_ends_at", Float),
    Column("change", BigInteger, nullable=False, index=True),  # the generation that made it so
    Column("sealed", LargeBinary, nullable=False),  # `WebhookSecrets` as JSON, under the node's key
    **_NUMBERS,
)

usage = Table(
    "usage",
    metadata,
    Column("scope", String(40), primary_key=True),  # "account:3", "server:7"
    Column("seconds", Integer, primary_key=True),  # length of the window; 86400 is the daily quota
    Column("starts_at", BigInteger, primary_key=True),
    Column("used", BigInteger, nullable=False),
)

trusted = Table(
    "trusted",
    metadata,
    Column("login", String(24), primary_key=True),  # a mark of `guard.Guard.mark`: no secret is found by it
    Column("network", String(50), primary_key=True),
    Column("until", Float, nullable=False, index=True),
)

audit = Table(
    "audit",
    metadata,
    Column("id", ID, primary_key=True),
    Column("generation", BigInteger, nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("action", String(40), nullable=False),
    Column("what", String(200), nullable=False),
    Column("account", ID, key="owner"),  # no foreign key: the log outlives the account
    Column("details", JSON, nullable=False, default=dict),
    Index("ix_audit_account_id", "owner", "id"),
    **_NUMBERS,
)

generation = Table(
    "generation",
    metadata,
    Column("id", Integer, primary_key=True),  # always 1
    Column("value", BigInteger, nullable=False),
)

CHANGES = ChangeTables(generation, audit)


@event.listens_for(generation, "after_create")
def _begin_counting(_table: object, connection: Connection, **_more: object) -> None:
    """The first migration does the same: there is always one row to lock."""
    connection.execute(insert(generation).values(id=1, value=0))
